"""What a call of an entity finds around it: a workflow being compiled, a running task, or nothing."""

from __future__ import annotations

import contextvars
import os
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

import alula_kernel

if TYPE_CHECKING:
    from ._compile import Compilation
    from ._context import TaskContext

STATE: contextvars.ContextVar[Compilation | TaskContext | None] = contextvars.ContextVar("alula_state", default=None)
"""The compilation or task context that a call belongs to; None at top level."""

_own_folders = tuple(f"{os.path.dirname(os.path.abspath(module))}/" for module in (__file__, alula_kernel.__file__))

_STANDARD_LIBRARY = (f"{os.path.dirname(contextvars.__file__)}/", "<frozen ")


def is_own_file(filename: str) -> bool:
    """Tell whether a source file belongs to Alula and not to the user."""
    return filename.startswith(_own_folders)


def count_as_own(file: str) -> None:
    """Count the package of a source file as Alula's own: messages and tracebacks then show what called it.

    For packages that put functions of their own in front of Alula's. Calling it again does nothing.

    Args:
        file: ``__file__`` of the package.
    """
    global _own_folders
    folder = f"{os.path.dirname(os.path.abspath(file))}/"
    if folder not in _own_folders:
        _own_folders = (*_own_folders, folder)


def call_site() -> str:
    """Return ``file:line`` of the innermost caller outside Alula."""
    frame = _users_frame(sys._getframe(2))
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""


def callers_locals() -> dict[str, Any]:
    """Return the local names of the innermost caller outside Alula."""
    frame = _users_frame(sys._getframe(2))
    return dict(frame.f_locals) if frame is not None else {}


def _users_frame(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame of neither Alula nor the standard library, which may have called back."""
    innermost: FrameType | None = None
    while frame is not None:
        filename = frame.f_code.co_filename
        made_up = filename == "<string>" and frame.f_code.co_name.startswith("__")  # written by dataclasses
        if not made_up and not filename.startswith(_own_folders):
            innermost = innermost or frame
            if not filename.startswith(_STANDARD_LIBRARY) or "/site-packages/" in filename:
                return frame
        frame = frame.f_back
    return innermost
