"""Inputs as tables: data frames, files and directories as views, without copying them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import alula
from alula_kernel.errors import UsageError, ValueConversionError
from alula_kernel.uris import name_of

from .connections import quoted_name, quoted_text

if TYPE_CHECKING:
    import duckdb

    from alula_kernel.storage import Storage

    from .filesystem import StorageFileSystem

_READERS = {
    "parquet": "read_parquet",
    "pq": "read_parquet",
    "csv": "read_csv",
    "tsv": "read_csv",
    "json": "read_json",
    "jsonl": "read_json",
    "ndjson": "read_json",
}
"""DuckDB's function for each format."""

_COMPRESSIONS = frozenset({"gz", "zst"})


class Tables:
    """Makes the inputs of a task known to a connection.

    Args:
        connection: The connection.
        storage: Where files are read.
        files: How DuckDB reads them.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, storage: Storage, files: StorageFileSystem) -> None:
        self._connection = connection
        self._storage = storage
        self._files = files

    def add(self, name: str, value: Any, *, needs_view: bool) -> Any:
        """Make a view of an input.

        Args:
            name: Name of the view.
            value: A data frame of any library, a `alula.DataFrame`, a `alula.File` or a `alula.Directory`.
            needs_view: Whether a file whose format nobody knows is refused.

        Returns:
            What the parameter of that name is bound to: the path or paths of the files; None for a data frame in memory.

        Raises:
            UsageError: A file has no format that DuckDB reads, or a directory holds none.
            StorageError: Something cannot be read.
        """
        if isinstance(value, alula.DataFrame):
            return self._add_handle(name, value)
        if isinstance(value, alula.Directory):
            uris = self._uris_below(self._uri(value))
            return self._add_files(name, uris, self._declared_format(value), needs_view)
        if isinstance(value, alula.File):
            paths = self._add_files(name, [self._uri(value)], self._declared_format(value), needs_view)
            return paths[0]
        self._connection.register(name, _registrable(value))
        return None

    def _add_handle(self, name: str, handle: alula.DataFrame) -> Any:
        columns = [column.name for column in handle.columns]
        if handle.dataframe is None and handle.uri and (handle.format or "parquet") == "parquet":
            uri = self._storage.uri(handle.uri)
            uris = [uri] if "." in name_of(uri) else self._uris_below(uri)
            paths = [self._files.path_of(uri) for uri in uris]
            self._view(name, "read_parquet", paths, columns)
            return paths if len(paths) > 1 else paths[0]
        import pyarrow as pa

        # Other formats have types that DuckDB would have to guess, and Alula knows.
        self._connection.register(name, handle.open(pa.Table).all())
        return None

    def _add_files(self, name: str, uris: Sequence[str], declared: str, needs_view: bool) -> list[str]:
        formats = {declared or _suffix_format(name_of(uri)) for uri in uris}
        paths = [self._files.path_of(uri) for uri in uris]
        if len(formats) == 1 and (reader := _READERS.get(found := next(iter(formats)))):
            self._view(name, reader, paths, ())
        elif len(formats) == 1 and found in {"arrow", "feather", "ipc"}:
            import pyarrow as pa

            parts = [alula.DataFrame.from_existing_remote(uri, "arrow").open(pa.Table).all() for uri in uris]
            self._connection.register(name, pa.concat_tables(parts))
        elif needs_view:
            shown = ", ".join(sorted(repr(f) for f in formats)) or "no files"
            raise UsageError(
                f"input {name!r} is no table: found {shown}, expected files of one of the formats {', '.join(_READERS)}",
                hint=f"Declare its format, as File['csv'], or read it in the query, as read_csv(${name}, delim = ';').",
            )
        return paths

    def _view(self, name: str, reader: str, paths: Sequence[str], columns: Sequence[str]) -> None:
        import duckdb

        chosen = ", ".join(map(quoted_name, columns)) or "*"
        source = f"{reader}([{', '.join(map(quoted_text, paths))}])"
        # A view cannot have parameters; names and paths are quoted, and reader is one of the functions above.
        view = f"CREATE OR REPLACE TEMP VIEW {quoted_name(name)} AS SELECT {chosen} FROM {source}"  # noqa: S608
        try:
            self._connection.execute(view)
        except duckdb.Error as error:
            reason = str(error).partition("\n")[0]
            raise ValueConversionError(f"input {name!r} cannot be read with {reader}: {reason}") from error

    def _uri(self, handle: Any) -> str:
        return self._storage.uri(handle.blob.uri if handle.blob is not None else handle.remote_source or handle.path)

    def _declared_format(self, handle: Any) -> str:
        return _suffix_format(f".{handle.blob.format}") if handle.blob is not None and handle.blob.format else ""

    def _uris_below(self, uri: str) -> list[str]:
        """Return the data files below a prefix; names that begin with a dot or an underscore are not data."""
        uris = [info.uri for info in self._storage.list(uri)]
        return [uri for uri in uris if not name_of(uri).startswith((".", "_"))]


def _suffix_format(name: str) -> str:
    """Return the format that a file's suffix names, without that of a compression."""
    parts = name.lower().split(".")
    if len(parts) > 1 and parts[-1] in _COMPRESSIONS:
        parts.pop()
    return parts[-1] if len(parts) > 1 else ""


def _registrable(frame: Any) -> Any:
    """Return a frame as something that DuckDB scans where it lies."""
    if type(frame).__module__.partition(".")[0] == "polars":
        collect: Callable[[], Any] | None = getattr(frame, "collect", None)
        return (collect() if collect is not None else frame).to_arrow()
    return frame
