"""A cache that keeps every result in a file of its own.

The folder can be looked at, copied to another machine, and thinned out by deleting files::

    <folder>/entries/<digest>.entry         SHA-256 of what follows, and the entry as msgpack
    <folder>/reservations/<digest>.json     who computes a result, and until when that holds
    <folder>/lock                           held while a reservation is looked at and taken
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import msgspec

from alula_kernel.contracts import Cache, CacheEntry

_HASH_BYTES = 32

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CacheEntry).decode
_logger = logging.getLogger("alula_places.cache")


class FolderCache(Cache):
    """Keeps outputs in the files of a folder, for any number of threads and processes of a machine.

    Files appear and are replaced as a whole, so nobody sees half an entry, and reading takes no lock.

    Args:
        folder: The folder; it is made when something is first kept.
    """

    name = "folder"

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).expanduser().absolute()
        self._entries = self.folder / "entries"
        self._reservations = self.folder / "reservations"

    # --- entries ------------------------------------------------------------------------------------------------------

    def get(self, digest: str) -> CacheEntry | None:
        """Return the entry of a key, or None."""
        return self._load(self._entry_path(digest))

    def put(self, entry: CacheEntry) -> None:
        """Keep an entry. One that cannot be written is left out with a warning: a cache does not fail a run."""
        data = _encode(entry)
        try:
            _write(self._entry_path(entry.key.digest), hashlib.sha256(data).digest() + data)
        except OSError as error:
            _logger.warning("the result of %s is not cached: %s", entry.key.task, error)

    def delete(self, digest: str) -> bool:
        """Forget an entry and tell whether there was one."""
        return _remove(self._entry_path(digest))

    def entries(self, task: str = "") -> Iterator[CacheEntry]:
        """Yield entries, newest first, of one task or of all."""
        found = [entry for path in self._entries.glob("*.entry") if (entry := self._load(path)) is not None]
        found.sort(key=lambda entry: entry.created_at, reverse=True)
        yield from (entry for entry in found if task in {"", entry.key.task})

    def clear(self, task: str = "") -> int:
        """Forget the entries of one task or of all, and return how many there were."""
        return sum(self.delete(entry.key.digest) for entry in self.entries(task))

    def _entry_path(self, digest: str) -> Path:
        return self._entries / f"{quote(digest, safe='')}.entry"

    def _load(self, path: Path) -> CacheEntry | None:
        """Read an entry. A damaged one is removed with a warning and counts as missing."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _logger.warning("%s cannot be read: %s", path, error)
            return None
        checksum, data = content[:_HASH_BYTES], content[_HASH_BYTES:]
        with suppress(msgspec.MsgspecError):  # whole, but written by another version
            if hashlib.sha256(data).digest() == checksum:
                return _decode(data)
        _logger.warning("%s is damaged and was removed; its result is computed again", path)
        with suppress(OSError):
            _remove(path)
        return None

    # --- reservations -------------------------------------------------------------------------------------------------

    def reserve(self, digest: str, owner: str, ttl_seconds: float) -> str:
        """Become the one that computes a key, unless another owner is and has renewed in time.

        Where nothing can be written, nobody can hold a reservation, and the work must be done.
        """
        path = self._reservation_path(digest)
        now = time.time()
        try:
            with self._locked():
                holder, expires_at = _read_reservation(path)
                if holder not in {"", owner} and expires_at > now:
                    return holder
                _write(path, json.dumps({"owner": owner, "expires_at": now + ttl_seconds}).encode())
        except OSError as error:
            _logger.warning("%s cannot be reserved: %s", digest, error)
        return owner

    def release(self, digest: str, owner: str) -> None:
        """Give a reservation back; one held by another owner is left alone."""
        path = self._reservation_path(digest)
        with suppress(OSError), self._locked():
            if _read_reservation(path)[0] == owner:
                _remove(path)

    def _reservation_path(self, digest: str) -> Path:
        return self._reservations / f"{quote(digest, safe='')}.json"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other threads and processes from reservations. The lock goes when its file is closed, or with us."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _read_reservation(path: Path) -> tuple[str, float]:
    """Return owner and end of a reservation; an empty owner if there is none, or none that can be read."""
    try:
        content = json.loads(path.read_bytes())
        return str(content["owner"]), float(content["expires_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0.0


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it appears, or replaces the one before it, as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
