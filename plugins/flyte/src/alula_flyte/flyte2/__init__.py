"""Adapters for Flyte 2: what `flyte` does differently."""

from __future__ import annotations

from alula.adapting import count_as_own

from .. import __file__ as _package

count_as_own(_package)
