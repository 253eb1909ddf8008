"""Checkpoints: what an attempt leaves for the next one."""

from __future__ import annotations

import importlib
import io
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from alula_kernel.errors import StorageError, UsageError
from alula_kernel.storage import Storage

from ._leftovers import working_folder

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory


class Saved:
    """Says that a checkpoint has been saved; awaiting it gives None at once."""

    def __await__(self) -> Iterator[None]:
        return iter(())


class Checkpoint:
    """The checkpoint of an attempt. Safe to use from several threads.

    Bytes and single files are one object; a folder is one archive. What the attempt before saved can be read until this
    attempt saves, and afterwards too.

    Args:
        storage: Where it is kept.
        prefix: URI prefix of this attempt's checkpoint.
        previous: URI prefix of the one before; empty for none.
    """

    def __init__(self, storage: Storage, prefix: str, previous: str) -> None:
        self._storage = storage
        self.prefix = prefix
        self._previous = previous
        self._lock = threading.Lock()
        self._folder: TemporaryDirectory[str] | None = None
        self.saved = False

    def prev_exists(self) -> bool:
        """Tell whether the attempt before saved something."""
        return bool(self._previous) and (self._has("data") or self._has("folder.tar.gz"))

    def _has(self, name: str) -> bool:
        return self._storage.exists(f"{self._previous}/{name}")

    # --- bytes and paths, Flyte 1 names ---

    def read(self) -> bytes | None:
        """Return the bytes that the attempt before saved; None if there are none.

        Raises:
            UsageError: It saved a folder.
        """
        if not self._previous:
            return None
        if self._has("data"):
            with self._storage.open(f"{self._previous}/data") as stream:
                return stream.read()  # type: ignore[no-any-return]
        if self._has("folder.tar.gz"):
            raise UsageError("the checkpoint is a folder", hint="Use restore(path).")
        return None

    def write(self, b: bytes) -> None:
        """Save bytes."""
        self.save(io.BytesIO(b))

    def save(self, cp: Path | str | bytes | BinaryIO) -> Saved:
        """Save a file, a folder, bytes, or what a binary stream gives.

        Returns:
            Nothing that is needed; it may be awaited, as programs for Flyte 2 do. `save_async` leaves the event loop
            free meanwhile.

        Raises:
            UsageError: The path does not exist.
        """
        with self._lock:
            if isinstance(cp, bytes):
                cp = io.BytesIO(cp)
            if isinstance(cp, (str, Path)):
                self._save_path(Path(cp))
            else:
                self._put("data", lambda stream: shutil.copyfileobj(cp, stream))
            self.saved = True
        return Saved()

    def _save_path(self, path: Path) -> None:
        if path.is_dir():
            import tarfile

            def pack(stream: Any) -> None:
                with tarfile.open(fileobj=stream, mode="w:gz") as archive:
                    archive.add(path, arcname=".")

            self._put("folder.tar.gz", pack)
        elif path.is_file():
            with path.open("rb") as source:
                self._put("data", lambda stream: shutil.copyfileobj(source, stream))
        else:
            raise UsageError(f"checkpoint {path} does not exist")

    def _put(self, name: str, write: Callable[[Any], None]) -> None:
        with self._storage.writer(uri=f"{self.prefix}/{name}") as stream:
            write(stream)

    def restore(self, path: Path | str) -> Path | None:
        """Copy what the attempt before saved into a folder.

        Returns:
            The folder, or for a single file its path; None if there is nothing, or it is damaged.
        """
        if not self._previous:
            return None
        target = Path(path)
        try:
            return self._restore(target)
        except (StorageError, OSError, EOFError):
            return None

    def _restore(self, target: Path) -> Path | None:
        if self._has("folder.tar.gz"):
            target.mkdir(parents=True, exist_ok=True)
            with self._storage.open(f"{self._previous}/folder.tar.gz") as stream:
                return target if _unpacked(stream, target) else None
        if self._has("data"):
            target.mkdir(parents=True, exist_ok=True)
            self._storage.download(f"{self._previous}/data", str(target / "data"))
            return target / "data"
        return None

    def close(self) -> None:
        """Remove `path`, if it was used. Idempotent."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    # --- Flyte 2 names ---

    @property
    def path(self) -> Path:
        """A folder of this attempt in which `load` puts what it finds."""
        if self._folder is None:
            self._folder = working_folder()
        return Path(self._folder.name)

    def load_sync(self) -> Path | None:
        """Copy what the attempt before saved to `path`; None if there is nothing, or it is damaged."""
        return self.restore(self.path)

    def save_sync(self, data: Path | str | bytes) -> None:
        """Save a file, a folder or bytes."""
        self.save(data)

    async def load(self) -> Path | None:
        """Do what `load_sync` does, without blocking the event loop."""
        import asyncio

        return await asyncio.to_thread(self.load_sync)

    async def save_async(self, data: Path | str | bytes) -> None:
        """Do what `save_sync` does, without blocking the event loop."""
        import asyncio

        await asyncio.to_thread(self.save_sync, data)


def _unpacked(stream: IO[bytes], folder: Path) -> bool:
    """Unpack an archive into a folder that none of its entries can leave; return False if it is damaged."""
    import tarfile

    if not hasattr(tarfile, "data_filter"):  # before Python 3.10.12 and 3.11.4, of which Debian 12 has one
        tarfile = importlib.import_module("backports.tarfile")
    try:
        with tarfile.open(fileobj=stream, mode="r:gz") as archive:
            archive.extractall(folder, filter="data")
    except tarfile.TarError:
        return False
    return True


def latest_checkpoint(
    root: Path, glob_pattern: str = "**/last.ckpt", *, key: Callable[[Path], Any] | None = None
) -> Path | None:
    """Return the newest file below a folder that fits a pattern; None if there is none.

    Args:
        root: The folder.
        glob_pattern: The pattern.
        key: What "newest" is judged by; the time of the last change if not given.
    """
    found = list(Path(root).glob(glob_pattern))
    return max(found, key=key or (lambda p: p.stat().st_mtime)) if found else None
