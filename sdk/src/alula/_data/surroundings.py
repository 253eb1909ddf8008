"""Where handles that a user makes find storage: the running attempt's, else the application's.

Handles that a converter made keep the storage that the converter was given and never ask here.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from alula_kernel.contracts import ConversionContext
from alula_kernel.uris import child_uri, uri_of

if TYPE_CHECKING:
    from alula_kernel.registry import TypeRegistry
    from alula_kernel.storage import Storage


def current_conversion() -> ConversionContext:
    """Return the context of the running attempt, or of the application if none is running."""
    from alula._app import current_app
    from alula._context import ctx

    running = ctx()
    return running.conversion if running is not None else current_app().conversion


def in_attempt() -> bool:
    """Tell whether a task is running here."""
    from alula._context import ctx

    return ctx() is not None


def current_storage() -> Storage:
    """Return the storage of the running attempt, or of the application if none is running."""
    return current_conversion().storage


def current_types() -> TypeRegistry:
    """Return the type registry of the running attempt's application, or of the process's."""
    from alula._app import current_app
    from alula._context import ctx

    running = ctx()
    return (running.app if running is not None else current_app()).registry


def named_uri(name: str) -> str:
    """Return the URI of a name in the running attempt's own prefix; the same each time within an attempt.

    Outside of an attempt, the prefix is the storage's own.
    """
    context = current_conversion()
    return child_uri(uri_of(context.output_prefix or child_uri(context.storage.root, "named")), name)


def new_uri(name: str, prefix: str = "") -> str:
    """Return a URI that nobody uses, ending in `name`, under a prefix or the storage's own."""
    return child_uri(uri_of(prefix or child_uri(current_storage().root, "new")), f"{uuid.uuid4().hex}/{name}")
