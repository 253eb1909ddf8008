"""Flyte 1: what behaves differently there, on top of Alula."""

from __future__ import annotations

from alula.adapting import (
    complete_options_by,
    count_as_own,
    let_outputs_hold_secrets,
    let_promises_be_printed,
    let_unions_be_narrowed,
)

from .. import __file__ as _package
from ..finder import installed
from .local_cache import options_of_variables
from .raised_as_flyte import raise_as_flyte
from .storage_options import use_storage_options

count_as_own(_package)
if installed():  # a process that did not ask for Flyte's names stays as it is
    let_outputs_hold_secrets()
    let_promises_be_printed()
    let_unions_be_narrowed()
    raise_as_flyte()
    complete_options_by(options_of_variables)
    use_storage_options()
