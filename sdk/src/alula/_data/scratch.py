"""The process's scratch folder: what downloads are put into, removed when the process ends.

A path that `File.download` returned must stay valid for as long as the program may use it, also after the handle is
gone, so the folder belongs to the process and not to a handle.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import tempfile
from pathlib import Path

from .._leftovers import own_prefix, remove_leftovers

_PREFIX = "alula-data-"


class Scratch:
    """A folder that is made when first needed, once per process.

    Safe to use from several threads, without a lock: one that another thread holds while the process forks would stay
    locked in the child. A forked child makes a folder of its own and leaves the parent's alone. It is removed by
    `atexit`; a process that leaves with `os._exit` calls `remove` first. What a process that was killed has left is removed
    by the next one that makes such a folder.
    """

    def __init__(self) -> None:
        self._folders: dict[int, Path] = {}
        self._numbers = itertools.count()

    def new_folder(self) -> Path:
        """Make an empty folder in it and return its path."""
        folder = self._folders.get(os.getpid()) or self._make()
        made = folder / str(next(self._numbers))
        made.mkdir()
        return made

    def _make(self) -> Path:
        remove_leftovers(tempfile.gettempdir(), _PREFIX)
        made = Path(tempfile.mkdtemp(prefix=own_prefix(_PREFIX)))
        kept = self._folders.setdefault(os.getpid(), made)
        if kept is made:
            atexit.register(self.remove)
        else:
            made.rmdir()
        return kept

    def remove(self) -> None:
        """Remove everything that this process put there. Idempotent."""
        if (folder := self._folders.pop(os.getpid(), None)) is not None:
            shutil.rmtree(folder, ignore_errors=True)


scratch = Scratch()
"""The scratch folder of this process."""
