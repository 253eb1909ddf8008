"""Tasks as Flyte 1 has them."""

from __future__ import annotations

import functools
from typing import Any

import alula
from alula.errors import RecoverableError

task: Any = functools.partial(alula.task, retry_on=(RecoverableError,))
"""`alula.task`, but only recoverable exceptions are retried."""
