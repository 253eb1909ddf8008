"""What an attempt prints, kept under its output prefix: ``<prefix>/log/<number>``, pieces in order.

Where the prefix is a folder there is one piece, which grows. Elsewhere objects cannot grow, so what is new becomes a
piece of its own every few seconds.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from alula_kernel.storage import Storage

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 15.0
_PIECE_BYTES = 8 << 20
_READ_BYTES = 1 << 16


def _folder(prefix: str) -> str:
    return f"{prefix}/log"


@contextlib.contextmanager
def captured(storage: Storage, prefix: str) -> Iterator[None]:
    """Keep what this process, and what it starts, prints while the block runs; one block at a time."""
    local = storage.local_path(_folder(prefix))
    with contextlib.ExitStack() as stack:
        if local is not None:
            os.makedirs(local, exist_ok=True)
            file: IO[bytes] = stack.enter_context(open(os.path.join(local, "00000000"), "ab"))
        else:
            file = stack.enter_context(tempfile.NamedTemporaryFile("ab", prefix="alula-log-"))
            stack.enter_context(_uploading(storage, prefix, file.name))
        with _redirected(file.fileno()):
            yield


@contextlib.contextmanager
def _redirected(target: int) -> Iterator[None]:
    streams = sys.stdout, sys.stderr
    descriptors = 1, 2
    for stream in streams:
        stream.flush()
    kept = [os.dup(number) for number in descriptors]
    for number in descriptors:
        os.dup2(target, number)
    # Ray's worker prints to descriptors of its own.
    sys.stdout, sys.stderr = (
        open(number, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
        for number in descriptors
    )
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError):  # the task has closed it
                stream.flush()
        sys.stdout, sys.stderr = streams
        for number, old in zip(descriptors, kept, strict=True):
            os.dup2(old, number)
            os.close(old)


@contextlib.contextmanager
def _uploading(storage: Storage, prefix: str, path: str) -> Iterator[None]:
    """Store what a file gets, piece by piece, while the block runs."""
    done = threading.Event()
    uploader = threading.Thread(target=_upload, args=(storage, prefix, path, done), name="alula-log", daemon=True)
    uploader.start()
    try:
        yield
    finally:
        done.set()
        uploader.join()


def _upload(storage: Storage, prefix: str, path: str, done: threading.Event) -> None:
    from alula_kernel.errors import StorageError

    number, pause = 0, _FIRST_PAUSE_SECONDS
    with open(path, "rb") as file:
        while True:
            last = done.wait(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
            while piece := file.read(_PIECE_BYTES):
                try:
                    with storage.open(f"{_folder(prefix)}/{number:08}", "wb") as stream:
                        stream.write(piece)
                except StorageError:
                    file.seek(-len(piece), os.SEEK_CUR)
                    break
                number += 1
            if last:
                return


class OutputReader:
    """Reads what an attempt printed, in order; blocks.

    Args:
        storage: Where it is kept.
        prefix: Output prefix of the attempt.
    """

    def __init__(self, storage: Storage, prefix: str) -> None:
        self._storage = storage
        self._prefix = prefix
        self._read: dict[str, int] = {}

    def new(self) -> Iterator[bytes]:
        """Yield what has come since it was last asked for."""
        local = self._storage.local_path(_folder(self._prefix))
        if local is None:
            for piece in self._storage.list(_folder(self._prefix)):
                if piece.uri not in self._read:
                    self._read[piece.uri] = 0
                    with self._storage.open(piece.uri) as stream:
                        while read := stream.read(_READ_BYTES):
                            yield read
            return
        path = os.path.join(local, "00000000")
        if not os.path.exists(path):
            return
        with open(path, "rb") as file:
            file.seek(self._read.get(path, 0))
            while read := file.read(_READ_BYTES):
                self._read[path] = file.tell()
                yield read
