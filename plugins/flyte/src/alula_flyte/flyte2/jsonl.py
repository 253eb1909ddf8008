"""``flyteplugins.jsonl``: files with a JSON object on each line, and directories of such files."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, TypeVar

import msgspec

import alula
from alula_kernel.errors import UsageError

T = TypeVar("T")
ErrorHandler = Callable[[int, bytes, Exception], None]
"""Told the number of a line, the line, and what is wrong with it."""

_FLUSH_BYTES = 1 << 20
_SHARD_BYTES = 256 << 20
_ROWS = 65_536
_AHEAD = 1_024
_SHARD = re.compile(r"part-(\d+)\.jsonl(\.zstd?)?", re.IGNORECASE)
_SUFFIXES = (".jsonl", ".jsonl.zst", ".jsonl.zstd")


def _compression(name: str) -> str | None:
    return "zstd" if name.lower().endswith(_SUFFIXES[1:]) else None


def _report(line_number: int, line: bytes, problem: Exception) -> None:
    alula.logger.warning("line %d is left out: %s: %s", line_number, problem, line.decode("utf-8", "replace"))


def _records(file: alula.File[Any], on_error: str | ErrorHandler) -> Iterator[Any]:
    """Yield what the lines of a file hold; empty lines hold nothing."""
    if on_error not in ("raise", "skip") and not callable(on_error):
        raise UsageError(f"on_error is {on_error!r}", hint="Give 'raise', 'skip' or a function.")
    with file.open_sync("rb", compression=_compression(file.name)) as stream:
        for number, line in enumerate(stream, 1):
            text = bytes(line).strip()
            if not text:
                continue
            try:
                yield _decoded(text)
            except ValueError as problem:
                if on_error == "raise":
                    raise
                (on_error if callable(on_error) else _report)(number, text, problem)


def _decoded(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(line)  # says in a JSONDecodeError, which programs expect, what is wrong


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    if size <= 0:
        raise UsageError(f"batch_size is {size}, and must be positive")
    rest = iter(items)
    while batch := list(itertools.islice(rest, size)):
        yield batch


def _tables(records: Iterable[Any], size: int) -> Iterator[Any]:
    import pyarrow as pa

    for batch in _batches(records, size):
        yield pa.RecordBatch.from_pylist(batch)


async def _one_by_one(items: Iterator[T], ahead: int) -> AsyncIterator[T]:
    """Yield items that a thread gets, some at a time."""
    while found := await asyncio.to_thread(lambda: list(itertools.islice(items, ahead))):
        for item in found:
            yield item


class JsonlWriter:
    """Writes records into a stream, some at a time; the methods may be awaited, as the bytes only gather here.

    Args:
        stream: The stream.
        flush_bytes: How many bytes gather.
    """

    def __init__(self, stream: Any, flush_bytes: int = _FLUSH_BYTES) -> None:
        self._stream = stream
        self._flush_bytes = flush_bytes
        self._gathered = bytearray()

    def write(self, record: Any) -> None:
        """Write a record."""
        self.write_raw(msgspec.json.encode(record) + b"\n")

    def write_many(self, records: Iterable[Any]) -> None:
        """Write records."""
        for record in records:
            self.write(record)

    def write_raw(self, data: bytes) -> None:
        """Write lines, each with its end."""
        self._gathered += data
        if len(self._gathered) >= self._flush_bytes:
            self.flush()

    def flush(self) -> None:
        """Hand on what has gathered."""
        self._stream.write(bytes(self._gathered))
        self._gathered.clear()


class JsonlDirWriter:
    """Writes records into files of a directory, one after the other.

    Args:
        directory: The directory.
        first: Number of the first file.
        extension: What the names end in.
        most_records: Most records of a file; None for any number.
        most_bytes: Most bytes of a file, before they are compressed.
        flush_bytes: How many bytes gather before they are written.
    """

    def __init__(
        self,
        directory: alula.Dir[Any],
        first: int,
        extension: str,
        most_records: int | None,
        most_bytes: int,
        flush_bytes: int,
    ) -> None:
        self._directory = directory
        self._number = first
        self._extension = extension
        self._most_records = most_records
        self._most_bytes = most_bytes
        self._flush_bytes = flush_bytes
        self._open = contextlib.ExitStack()
        self._writer: JsonlWriter | None = None
        self._records = self._bytes = 0

    def write(self, record: Any) -> None:
        """Write a record."""
        line = msgspec.json.encode(record) + b"\n"
        full = self._records == self._most_records or self._bytes + len(line) > self._most_bytes
        if self._writer is not None and full:
            self.close()
        if self._writer is None:
            file = self._directory.new_file(f"part-{self._number:05d}{self._extension}")
            self._writer = self._open.enter_context(_writing(file, self._flush_bytes))
            self._number += 1
            self._records = self._bytes = 0
        self._writer.write_raw(line)
        self._records += 1
        self._bytes += len(line)

    def write_many(self, records: Iterable[Any]) -> None:
        """Write records."""
        for record in records:
            self.write(record)

    def close(self) -> None:
        """End the file that is written."""
        self._writer = None
        self._open.close()


class _Awaited:
    """Writes as another writer does, in a thread; every method is awaited.

    Args:
        writer: The writer.
    """

    def __init__(self, writer: JsonlWriter | JsonlDirWriter) -> None:
        self._writer = writer

    async def write(self, record: Any) -> None:
        """Write a record."""
        self._writer.write(record)

    async def write_many(self, records: Iterable[Any]) -> None:
        """Write records."""
        await asyncio.to_thread(self._writer.write_many, records)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._writer, name)

        async def awaited(*args: Any) -> Any:
            return await asyncio.to_thread(method, *args)

        return awaited


@contextlib.contextmanager
def _writing(file: alula.File[Any], flush_bytes: int) -> Iterator[JsonlWriter]:
    with file.open_sync("wb", compression=_compression(file.name)) as stream:
        writer = JsonlWriter(stream, flush_bytes)
        yield writer
        writer.flush()


class _Reading:
    """What files and directories of records have in common."""

    def iter_records_sync(self, on_error: str | ErrorHandler = "raise") -> Iterator[Any]:
        """Yield the records, in order.

        Args:
            on_error: What to do with a line that is not JSON: ``raise``, ``skip``, or a function that is told of it.

        Raises:
            JSONDecodeError: A line is not JSON.
        """
        raise NotImplementedError

    def iter_records(
        self, on_error: str | ErrorHandler = "raise", prefetch: bool = True, queue_size: int = _AHEAD
    ) -> AsyncIterator[Any]:
        """Yield the records in an ``async for``.

        Args:
            on_error: As for `iter_records_sync`.
            prefetch: Not looked at.
            queue_size: How many records are got at a time.
        """
        return _one_by_one(self.iter_records_sync(on_error), queue_size)

    def iter_arrow_batches_sync(self, batch_size: int = _ROWS, on_error: str | ErrorHandler = "raise") -> Iterator[Any]:
        """Yield the records as record batches of pyarrow's."""
        return _tables(self.iter_records_sync(on_error), batch_size)

    def iter_arrow_batches(self, batch_size: int = _ROWS, on_error: str | ErrorHandler = "raise") -> AsyncIterator[Any]:
        """Yield the records as record batches of pyarrow's, in an ``async for``."""
        return _one_by_one(self.iter_arrow_batches_sync(batch_size, on_error), 1)


class JsonlFile(_Reading, alula.File[Any]):
    """A file with a JSON object on each line; compressed with zstd if its name ends in ``.jsonl.zst``."""

    def iter_records_sync(self, on_error: str | ErrorHandler = "raise") -> Iterator[Any]:
        """Yield the records, in order."""
        return _records(self, on_error)

    def writer_sync(
        self, flush_bytes: int = _FLUSH_BYTES, compression_level: int = 3
    ) -> contextlib.AbstractContextManager[JsonlWriter]:
        """Write records in a ``with`` statement.

        Args:
            flush_bytes: How many bytes gather before they are written.
            compression_level: Not looked at.
        """
        return _writing(self, flush_bytes)

    @contextlib.asynccontextmanager
    async def writer(self, flush_bytes: int = _FLUSH_BYTES, compression_level: int = 3) -> AsyncIterator[_Awaited]:
        """Write records in an ``async with`` statement; the writer's methods are awaited."""
        with self.writer_sync(flush_bytes, compression_level) as writer:
            yield _Awaited(writer)


class JsonlDir(_Reading, alula.Dir[Any]):
    """A directory of files with a JSON object on each line, named ``part-00000.jsonl`` and so on."""

    def _shards(self) -> list[alula.File[Any]]:
        found = [file for file in self.walk_sync(recursive=False) if file.name.lower().endswith(_SUFFIXES)]
        return sorted(found, key=lambda file: file.name)

    def iter_records_sync(self, on_error: str | ErrorHandler = "raise") -> Iterator[Any]:
        """Yield the records of all files, by the files' names."""
        for shard in self._shards():
            yield from _records(shard, on_error)

    def iter_batches_sync(self, batch_size: int = 1000, on_error: str | ErrorHandler = "raise") -> Iterator[list[Any]]:
        """Yield the records in lists."""
        return _batches(self.iter_records_sync(on_error), batch_size)

    def iter_batches(
        self,
        batch_size: int = 1000,
        on_error: str | ErrorHandler = "raise",
        prefetch: bool = True,
        queue_size: int = _AHEAD,
    ) -> AsyncIterator[list[Any]]:
        """Yield the records in lists, in an ``async for``."""
        return _one_by_one(self.iter_batches_sync(batch_size, on_error), 1)

    def iter_arrow_batches_sync(self, batch_size: int = _ROWS, on_error: str | ErrorHandler = "raise") -> Iterator[Any]:
        """Yield the records as record batches of pyarrow's; none has records of two files."""
        for shard in self._shards():
            yield from _tables(_records(shard, on_error), batch_size)

    @contextlib.contextmanager
    def writer_sync(
        self,
        shard_extension: str = ".jsonl",
        max_records_per_shard: int | None = None,
        max_bytes_per_shard: int = _SHARD_BYTES,
        flush_bytes: int = _FLUSH_BYTES,
        compression_level: int = 3,
    ) -> Iterator[JsonlDirWriter]:
        """Write records in a ``with`` statement, into new files after those that are there.

        Args:
            shard_extension: ``.jsonl``, or ``.jsonl.zst`` for compressed files.
            max_records_per_shard: Most records of a file; None for any number.
            max_bytes_per_shard: Most bytes of a file, before they are compressed.
            flush_bytes: How many bytes gather before they are written.
            compression_level: Not looked at.
        """
        if self.blob is not None:  # it is stored, and others read it: this handle goes on with a copy
            copy = type(self).new(self.name)
            self.download(copy.path)
            self.__dict__.update(copy.__dict__)
        numbers = [int(match[1]) for shard in self._shards() if (match := _SHARD.fullmatch(shard.name))]
        writer = JsonlDirWriter(
            self,
            max(numbers, default=-1) + 1,
            shard_extension,
            max_records_per_shard,
            max_bytes_per_shard,
            flush_bytes,
        )
        try:
            yield writer
        finally:
            writer.close()

    @contextlib.asynccontextmanager
    async def writer(self, *args: Any, **options: Any) -> AsyncIterator[_Awaited]:
        """Write records in an ``async with`` statement; the writer's methods are awaited."""
        with self.writer_sync(*args, **options) as writer:
            yield _Awaited(writer)
