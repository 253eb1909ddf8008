"""What the plugin registers with Alula.

Hooks return objects and do no work: the folder of the cache is made when something is first kept in it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from alula_kernel.hookspecs import hookimpl

from .transformers import PlaceTransformer

if TYPE_CHECKING:
    from .folder_cache import FolderCache


@hookimpl
def alula_type_transformers() -> list[PlaceTransformer]:
    """Register the transformer of places."""
    return [PlaceTransformer()]


@hookimpl
def alula_caches() -> list[FolderCache]:
    """Register the cache ``folder``, in the folder ``ALULA_FOLDER_CACHE`` or else beside Alula's other data."""
    # Imported here because most runs use another cache, and this module is imported by all of them.
    from .folder_cache import FolderCache

    home = Path(os.environ.get("ALULA_HOME") or Path.home() / ".alula")
    return [FolderCache(os.environ.get("ALULA_FOLDER_CACHE") or home / "folder-cache")]
