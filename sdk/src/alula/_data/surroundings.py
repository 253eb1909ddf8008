"""Where handles that a user makes find storage: the running attempt's, else the application's.

Handles that a converter made keep the storage that the converter was given and never ask here.
"""

from __future__ import annotations

import contextlib
import contextvars
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from alula_kernel.contracts import ConversionContext
from alula_kernel.uris import child_uri, uri_of

if TYPE_CHECKING:
    from alula_kernel.registry import TypeRegistry
    from alula_kernel.storage import Storage

_context: contextvars.ContextVar[ConversionContext | None] = contextvars.ContextVar("alula_data_context", default=None)


@contextlib.contextmanager
def data_context(context: ConversionContext) -> Iterator[None]:
    """Make handles that are made inside the block use this context, as while a task's function runs.

    Args:
        context: Its storage is used, and its `output_prefix` is where `File.named_remote` puts files.
    """
    token = _context.set(context)
    try:
        yield
    finally:
        _context.reset(token)


def current_storage() -> Storage:
    """Return the storage of the running attempt, or of the application if none is running in this context."""
    context = _context.get()
    if context is not None:
        return context.storage
    from alula._app import current_app

    return current_app().storage


def current_types() -> TypeRegistry:
    """Return the application's type registry."""
    from alula._app import current_app

    return current_app().types


def named_uri(name: str) -> str:
    """Return the URI of a name in the running attempt's own prefix; the same each time within an attempt.

    Outside of an attempt, the prefix is the storage's own.
    """
    context = _context.get()
    prefix = context.output_prefix if context is not None else ""
    return child_uri(prefix or child_uri(current_storage().root, "named"), name)


def new_uri(name: str, prefix: str = "") -> str:
    """Return a URI that nobody uses, ending in `name`, under a prefix or the storage's own."""
    return child_uri(uri_of(prefix) if prefix else child_uri(current_storage().root, "new"), f"{uuid.uuid4().hex}/{name}")
