"""Workflows as Flyte 1 has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import alula

from .outputs import default_named_tuple


def workflow(_workflow_function: Callable[..., Any] | None = None, *settings: Any, **named: Any) -> Any:
    """Do what `alula.workflow` does, but let several outputs without names be called ``o0`` and so on.

    Args:
        settings: Settings by position, as `alula.workflow` takes them.
        named: Settings by name.
    """
    if _workflow_function is None:
        return lambda function: workflow(function, *settings, **named)
    decorate: Any = alula.workflow
    made = decorate(None, *settings, **named)(_workflow_function)
    made.output_class = default_named_tuple
    return made
