"""``SyncCheckpoint``: a checkpoint that a program makes itself, from two folders."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import BinaryIO, ClassVar

from alula.errors import ArgumentError, StorageError

from .file_access import FileAccessProvider


class SyncCheckpoint:
    """What an attempt leaves in one folder, and what the one before has left in another.

    Args:
        checkpoint_dest: Where this attempt saves, a path or a URI.
        checkpoint_src: Where the one before has saved; None for none.
    """

    TMP_DST_PATH: ClassVar[str] = "_dst_cp"
    """Name of what is saved without one: bytes, or a stream."""

    def __init__(
        self, checkpoint_dest: str | os.PathLike[str], checkpoint_src: str | os.PathLike[str] | None = None
    ) -> None:
        self._files = FileAccessProvider()
        self._place = os.fspath(checkpoint_dest)
        self._previous = os.fspath(checkpoint_src) if checkpoint_src else ""
        self._restored: Path | None = None

    def prev_exists(self) -> bool:
        """Tell whether there was an attempt before."""
        return bool(self._previous)

    def restore(self, path: Path | str | None = None) -> Path | None:
        """Copy what the attempt before has left into a folder, the first time that it is called.

        Args:
            path: The folder; a new one if not given.

        Returns:
            The folder of the first call; None if there was no attempt before.

        Raises:
            ArgumentError: There is no such folder here.
            StorageError: What was left cannot be read.
        """
        if not self._previous or self._restored is not None:
            return self._restored
        folder = Path(path if path is not None else tempfile.mkdtemp(dir=self._files.local_sandbox_dir))
        if not folder.is_dir():
            raise ArgumentError(f"{folder} is not a folder", hint="Make it, or let restore() make one.")
        if not self._files.exists(self._previous) and not os.path.isdir(self._previous):
            raise StorageError(f"there is no checkpoint at {self._previous}")
        self._files.get_data(self._previous, folder, is_multipart=True)
        self._restored = folder
        return folder

    def read(self) -> bytes | None:
        """Return the one file that the attempt before has left; None if it has left none.

        Raises:
            ArgumentError: It has left several.
            StorageError: It cannot be read.
        """
        folder = self.restore()
        found = list(folder.iterdir()) if folder is not None else []
        if len(found) > 1:
            raise ArgumentError(f"the checkpoint consists of {len(found)} files", hint="Use restore(path).")
        return found[0].read_bytes() if found else None

    def write(self, b: bytes) -> None:
        """Save bytes."""
        self._files.put_raw_data(b, self._place, self.TMP_DST_PATH, skip_raw_data_prefix=True)

    def save(self, cp: Path | str | BinaryIO) -> None:
        """Save a file, a folder, or what a binary stream gives.

        Raises:
            ArgumentError: It is none of these.
        """
        if isinstance(cp, (str, Path)):
            name = "" if os.path.isdir(cp) else self._files.get_file_tail(os.fspath(cp))
            self._files.put_data(cp, self._files.join(self._place, name) if name else self._place)
        elif isinstance(cp, io.IOBase):
            self.write(cp.read())
        else:
            raise ArgumentError(f"expected a path or a binary stream, found {type(cp).__qualname__}")
