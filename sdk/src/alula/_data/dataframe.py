"""`DataFrame`: a table of any library, in memory or stored anywhere, read as what the reader wants."""

from __future__ import annotations

import copy
import os
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from alula_kernel.contracts import ConversionContext
from alula_kernel.errors import UnsupportedTypeError, UsageError, ValueConversionError
from alula_kernel.literals import Column, Dataset
from alula_kernel.uris import child_uri, is_uri, name_of, path_of, scheme_of, uri_of

from .async_streams import EitherIterator, awaited_in_coroutines
from .columns import check_columns, columns_of
from .file import content_key
from .frames.handlers import (
    DEFAULT_FORMAT,
    TABLE_SCHEMES,
    DataFrameHandlers,
    FrameSource,
    FrameTarget,
    Handler,
    frame_format,
)
from .surroundings import current_storage, current_types

if TYPE_CHECKING:
    from alula_kernel.registry import TypeRegistry
    from alula_kernel.storage import Storage

_SUFFIXES = frozenset({"parquet", "pq", "csv", "arrow", "feather", "ipc", "json", "jsonl", "ndjson"})


class DataFrame:
    """A data frame of any library, or where one is stored; read when it is used.

    ``Annotated[DataFrame, kwtypes(a=int, b=str)]`` declares columns: they must be there when it is stored, and only they
    are stored or read. A format in ``Annotated``, as ``"csv"``, counts for more than `file_format`.

    Not safe to change from several threads at once.

    Args:
        dataframe: A frame of a supported library, or an iterator of frames, which is stored piece by piece.
        uri: Without a frame, where one is stored: a local path, whose content is copied when it is passed on, or a
            URI, which is passed on as it is. With a frame, where it is to be stored; None to store it under the hash of
            its content.
        metadata: Free text that travels with the value.
        file_format: ``parquet``, ``csv``, ``arrow``, ``json`` or a plugin's; empty to go by the URI's suffix, and then
            Parquet.

    Example:
        >>> def count(data: Annotated[DataFrame, kwtypes(x=int)]) -> int:
        ...     return sum(len(part) for part in data.open(pandas.DataFrame).iter())
    """

    def __init__(
        self,
        dataframe: Any = None,
        uri: str | os.PathLike[str] | None = None,
        metadata: Mapping[str, str] | None = None,
        file_format: str = "",
        *,
        format: str = "",
        val: Any = None,
    ) -> None:
        self._frame = dataframe if dataframe is not None else val
        self._uri = os.fspath(uri) if uri is not None else ""
        self._format = frame_format(file_format or format)
        self._dataset: Dataset | None = None
        self._storage: Storage | None = None
        self._types: TypeRegistry | None = None
        self._columns: tuple[Column, ...] = ()
        self._key = ""
        self._read_as: Any = None
        self.metadata = dict(metadata or {})

    # --- making one ---

    @classmethod
    def from_dataset(
        cls,
        dataset: Dataset,
        storage: Storage | None = None,
        types: TypeRegistry | None = None,
        columns: tuple[Column, ...] = (),
    ) -> DataFrame:
        """Make the handle of a stored data frame.

        Args:
            dataset: The literal.
            storage: Where it is read; the application's if it is not given.
            types: Where the handlers of frames are found; the application's if it is not given.
            columns: The columns to read; empty for all.
        """
        made = cls(uri=dataset.uri, metadata=dataset.metadata, file_format=dataset.format)
        made._dataset = dataset
        made._storage = storage
        made._types = types
        made._columns = columns
        return made

    @classmethod
    def from_df(cls, val: Any = None, uri: str | None = None) -> DataFrame:
        """Wrap a frame, or say where one is stored; see the class."""
        return cls(val, uri)

    @classmethod
    def wrap_df(cls, val: Any = None, uri: str | None = None) -> DataFrame:
        """Do what `from_df` does."""
        return cls(val, uri)

    @classmethod
    def from_local(
        cls, df: Any, columns: Any = None, remote_destination: str | None = None, hash_method: Any = None
    ) -> DataFrame:
        """Wrap a frame, or the path of a local file.

        Args:
            df: The frame or path.
            columns: Columns to store, as `kwtypes` declares them; None for all.
            remote_destination: URI to store it at, now; without it, it is stored when it is passed on.
            hash_method: The content's identity as text, or a function or `HashMethod` that computes it from the
                frame; the hash of the stored bytes if it is not given.

        Raises:
            ValueConversionError: A declared column is missing, or no format can hold the frame.
            StorageError: It cannot be written.
        """
        made = cls(uri=df) if isinstance(df, (str, os.PathLike)) else cls(df, remote_destination)
        made._columns = (columns_of(columns) or ()) if columns is not None else ()
        made._key = content_key(hash_method, df)
        if remote_destination is None:
            return made
        storage = current_storage()
        if made._frame is None:
            with storage.open(uri_of(path_of(df)), "rb") as source, storage.writer(uri=remote_destination) as target:
                while chunk := source.read(1024 * 1024):
                    target.write(chunk)
            stored = Dataset(target.blob.uri, hash=target.blob.hash, size=target.blob.size, format=made.format)
            return cls.from_dataset(stored, storage)
        return cls.from_dataset(made.store(ConversionContext(storage)), storage)

    @classmethod
    def from_local_sync(
        cls, df: Any, columns: Any = None, remote_destination: str | None = None, hash_method: Any = None
    ) -> DataFrame:
        """Do what `from_local` does; the name in Flyte 2."""
        return cls.from_local(df, columns, remote_destination, hash_method)

    @classmethod
    def from_existing_remote(
        cls, remote_path: str, format: str | None = None, *, hash: str | None = None, **options: Any
    ) -> DataFrame:
        """Make the handle of a data frame that exists and is passed on without being copied.

        Args:
            remote_path: Its URI.
            format: How it is encoded; by its suffix if it is not given.
            hash: The content's identity; without it, the URI stands for the content.
            options: ``metadata``, as for the class.
        """
        made = cls(uri=uri_of(remote_path), file_format=format or "", **options)
        made._dataset = Dataset(made._uri, hash=hash, format=made.format, metadata=made.metadata)
        return made

    # --- what it is ---

    @property
    def dataframe(self) -> Any:
        """The frame in memory; None if there is none."""
        return self._frame

    @property
    def val(self) -> Any:
        """The frame in memory; the name in Flyte 2."""
        return self._frame

    @property
    def uri(self) -> str | None:
        """Where it is stored, or is to be stored; None for a frame in memory whose place Alula chooses."""
        return (self._dataset.uri if self._dataset is not None else self._uri) or None

    @property
    def format(self) -> str:
        """How it is, or is to be, encoded; empty if nobody said."""
        if self._dataset is not None:
            return self._dataset.format
        return self._format or (format_by_suffix(self._uri) if self._frame is None else "")

    @property
    def file_format(self) -> str:
        """Do what `format` does; the name in Flyte 1."""
        return self.format

    @property
    def hash(self) -> str | None:
        """The content's identity, if it is known; that of a frame in memory is computed when it is stored."""
        return self._key or (self._dataset.hash if self._dataset is not None else None)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that are declared, or else those that are stored; empty if neither is known."""
        return self._columns or (self._dataset.columns if self._dataset is not None else ())

    @property
    def rows(self) -> int | None:
        """The number of rows, if it is known without reading."""
        return self._dataset.rows if self._dataset is not None else None

    @property
    def literal(self) -> Dataset | None:
        """The stored data frame; None if it was not stored yet."""
        return self._dataset

    def __repr__(self) -> str:
        if self._frame is not None:
            return f"DataFrame({type(self._frame).__qualname__} in memory)"
        extent = [self.format] if self.format else []
        extent += [f"{self.rows:,} rows"] if self.rows is not None else []
        extent += [f"{len(self.columns)} columns"] if self.columns else []
        return f"DataFrame({', '.join([repr(self.uri), *extent])})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DataFrame):
            return NotImplemented
        if self is other or self._frame is not None or other._frame is not None:
            return self is other or (self._frame is not None and self._frame is other._frame)
        same = (self.uri, self.format, self.metadata) == (other.uri, other.format, other.metadata)
        return same and self.uri is not None

    __hash__ = None  # type: ignore[assignment] # a frame in memory can change

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_storage": None, "_types": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __deepcopy__(self, memo: dict[int, Any]) -> DataFrame:
        made = self._copy()
        made._frame = copy.deepcopy(self._frame, memo)
        made.metadata = dict(self.metadata)
        return made

    def _copy(self) -> DataFrame:
        made = copy.copy(self)
        made._storage, made._types = self._storage, self._types  # shared: they have no state of a value
        return made

    def bound(self, storage: Storage, types: TypeRegistry, columns: tuple[Column, ...] = ()) -> DataFrame:
        """Return a handle of the same data that uses this storage and registry, if it has none of its own.

        Args:
            storage: Where it is read and written.
            types: Where the handlers of frames are found.
            columns: Columns to read or store, if none are declared.
        """
        made = self._copy()
        made._storage = self._storage or storage
        made._types = self._types or types
        made._columns = self._columns or columns
        return made

    def replace_frame(self, frame: Any) -> None:
        """Make a frame in memory the content, instead of what was."""
        self._frame = frame
        self._dataset = None
        self._key = ""

    # --- reading ---

    def __await__(self) -> Generator[None, None, DataFrame]:
        """Give the handle itself: in Flyte 2, what makes one is awaited, as ``await DataFrame.from_local(frame)``."""
        yield from ()
        return self

    def open(self, dataframe_type: Any) -> DataFrame:
        """Say as what it is to be read by `all` and `iter`.

        Args:
            dataframe_type: ``pandas.DataFrame``, ``polars.DataFrame``, ``polars.LazyFrame``, ``pyarrow.Table``,
                ``pyarrow.RecordBatchReader``, or a class that a plugin handles.

        Returns:
            A handle of the same data; this one is not changed.
        """
        made = self._copy()
        made._read_as = dataframe_type
        return made

    @awaited_in_coroutines
    def all(self) -> Any:
        """Read all of it; awaited in coroutine functions.

        Raises:
            ValueConversionError: A declared column is missing, or the bytes are not of the format.
            UnsupportedTypeError: The class asked for cannot be read from the format.
            StorageError: It cannot be read.
        """
        if self._is_as_asked():
            return self._frame
        dataset, source = self._stored_for_reading()
        return self._decoder(dataset).decode(dataset, source)

    def iter(self) -> EitherIterator[Any]:
        """Read it in pieces, of which one is in memory at a time, for `for` and `async for`; errors are as for `all`."""
        if self._is_as_asked():
            return EitherIterator([self._frame])
        dataset, source = self._stored_for_reading()
        return EitherIterator(self._decoder(dataset).iterate(dataset, source))

    def all_sync(self) -> Any:
        """Do what `all` does without being awaited, in coroutine functions as well."""
        return self.all()

    def iter_sync(self) -> Iterator[Any]:
        """Do what `iter` does; the name in Flyte 2."""
        return self.iter()

    def _is_as_asked(self) -> bool:
        if self._frame is None or self._columns:
            return False
        return self._read_as is None or (isinstance(self._read_as, type) and isinstance(self._frame, self._read_as))

    def _stored_for_reading(self) -> tuple[Dataset, FrameSource]:
        if self._storage is None:
            self._storage = current_storage()
        if self._frame is not None:
            # A frame in memory goes the way that it would go to another task. What was stored is not kept as the
            # value, because the frame may be changed afterwards.
            dataset = self.store(ConversionContext(self._storage))
        elif self._dataset is not None:
            dataset = self._dataset
        elif self._uri:
            dataset = Dataset(uri_of(self._uri), format=self.format or DEFAULT_FORMAT)
        else:
            raise UsageError("an empty DataFrame cannot be read", hint="Give it a frame or a URI.")
        if dataset.columns:
            check_columns(self._columns, dataset.columns, "the data frame")
        return dataset, FrameSource(self._storage, tuple(column.name for column in self._columns))

    def _decoder(self, dataset: Dataset) -> Any:
        wanted = self._read_as or (type(self._frame) if self._frame is not None else "pandas.DataFrame")
        return handlers_for(wanted, self._registry()).decoder(wanted, dataset.format, dataset.uri)

    def _registry(self) -> TypeRegistry:
        if self._types is None:
            self._types = current_types()
        return self._types

    # --- storing ---

    def store(self, context: ConversionContext, format: str = "", columns: tuple[Column, ...] = ()) -> Dataset:
        """Have the data frame where it stays and return the literal.

        What was stored before is not encoded again.

        Args:
            context: Its storage takes the bytes.
            format: The format that is declared where it goes; empty for any.
            columns: The columns that are declared where it goes; empty for all.

        Raises:
            ValueConversionError: A declared column is missing, or the format cannot hold the frame.
            StorageError: It cannot be written.
        """
        columns = columns or self._columns
        if self._frame is not None:
            made = self._encode(context, format, columns)
        elif self._dataset is not None:
            if self._dataset.columns:
                check_columns(columns, self._dataset.columns, "the data frame")
            made = self._dataset
            if made.metadata != self.metadata:
                made = msgspec.structs.replace(made, metadata=dict(self.metadata))
            return made
        elif self._uri:
            made = self._existing(context.storage, format)
        else:
            raise ValueConversionError("an empty DataFrame was given", hint="Give it a frame or a URI.")
        return msgspec.structs.replace(made, hash=self._key) if self._key else made

    def _encode(self, context: ConversionContext, format: str, columns: tuple[Column, ...]) -> Dataset:
        kind = frame_class(self._frame)
        handlers = handlers_for(kind, self._registry())
        chosen = frame_format(format) or self._format or handlers.default_format(kind)
        uri = uri_of(self._uri) if self._uri else ""
        chosen = chosen or (format_by_suffix(uri) if uri else "") or DEFAULT_FORMAT
        if self._uri.endswith("/") or (uri and scheme_of(uri) == "file" and os.path.isdir(path_of(uri))):
            uri = child_uri(uri, f"data.{chosen}")
        target = FrameTarget(context.storage, chosen, uri, columns, metadata=dict(self.metadata))
        return handlers.encoder(kind, chosen, uri or context.storage.root).encode(self._frame, target)

    def _existing(self, storage: Storage, format: str) -> Dataset:
        """Return the literal of what lies at the URI; a local file is copied, since it may change."""
        chosen = self.format or frame_format(format) or ("" if is_uri(self._uri) else DEFAULT_FORMAT)
        if is_uri(self._uri) and scheme_of(self._uri) != "file":
            default = DEFAULT_FORMAT if storage_has_files(self._uri) else ""
            return Dataset(self._uri, format=chosen or default, metadata=dict(self.metadata))
        self.require_local()
        path = Path(path_of(self._uri))
        blob = storage.put_directory(path) if path.is_dir() else storage.put_file(path)
        kept = chosen or DEFAULT_FORMAT
        return Dataset(blob.uri, hash=blob.hash, size=blob.size, format=kept, metadata=dict(self.metadata))

    def require_local(self) -> None:
        """Refuse a handle of a local path at which there is nothing; others are not looked at.

        Raises:
            ValueConversionError: There is nothing.
        """
        if self._dataset is not None or self._frame is not None or not self._uri or scheme_of(self._uri) != "file":
            return
        path = path_of(self._uri)
        if not os.path.exists(path):  # pathlib raises if the text is too long for a path
            shown = path if len(path) <= 200 else f"{path[:200]}..."
            raise ValueConversionError(
                f"there is no {shown}", hint=f"Check the path; the working directory is {Path.cwd()}."
            )

    # --- in models and JSON ---

    @classmethod
    def validate(cls, value: Any) -> DataFrame:
        """Take what JSON or a model may hold for a data frame.

        Raises:
            ValueError: It is something else.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, (str, os.PathLike)):
            return cls(uri=value)
        if isinstance(value, Mapping) and isinstance(uri := value.get("uri"), str):
            made = cls(uri=uri, file_format=value.get("format") or value.get("file_format") or "")
            made.metadata.update(value.get("metadata") or {})
            made._key = value.get("hash") or ""
            return made
        raise ValueConversionError(f"expected a DataFrame, a path or a URI, found {type(value).__qualname__}")

    def to_dict(self) -> dict[str, Any]:
        """Describe the handle as plain data, which a model or JSON can hold.

        Raises:
            UsageError: It is a frame in memory, which has no place yet.
        """
        if self.uri is None or self._frame is not None:
            raise UsageError("a data frame in memory is not plain data", hint="Return it from a task, which stores it.")
        fields = {"format": self.format, "hash": self.hash, "metadata": self.metadata}
        return {"uri": self.uri, **{key: value for key, value in fields.items() if value}}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Tell pydantic how to check and dump a field of this class."""
        from pydantic_core import core_schema

        dump = core_schema.plain_serializer_function_ser_schema(lambda value: value.to_dict(), when_used="json")
        return core_schema.no_info_plain_validator_function(cls.validate, serialization=dump)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """Describe a field of this class as JSON Schema."""
        return {"title": cls.__name__, "anyOf": [{"type": "string", "format": "uri"}, {"type": "object"}]}


StructuredDataset = DataFrame
"""The name in Flyte 1."""


def frame_class(frame: Any) -> Any:
    """Return the class by which a frame's handlers are found; for an iterator of frames, the name of `Iterator`."""
    module = type(frame).__module__.partition(".")[0]
    is_plain = isinstance(frame, EitherIterator) or module in {"builtins", "itertools", "collections"}
    return "collections.abc.Iterator" if is_plain and isinstance(frame, Iterator) else type(frame)


def format_by_suffix(path_or_uri: str) -> str:
    """Return the format that a file's suffix names; empty if it names none that Alula knows."""
    suffix = name_of(path_or_uri).rpartition(".")[2].lower()
    return frame_format(suffix) if suffix in _SUFFIXES else ""


def storage_has_files(uri: str) -> bool:
    """Tell a URI of files from one of tables, as ``bq://project:dataset.table``."""
    return scheme_of(uri) not in TABLE_SCHEMES


def handlers_for(python_type: Any, types: TypeRegistry) -> DataFrameHandlers:
    """Return the registry of handlers that knows a class of frames: the common one, or that of a plugin's transformer.

    Raises:
        UnsupportedTypeError: Nobody handles the class.
    """
    common: DataFrameHandlers = types.converter(DataFrame).handlers  # type: ignore[attr-defined]
    if common.handles(python_type) or isinstance(python_type, str):
        return common
    own = getattr(types.converter(python_type), "handlers", None)
    if isinstance(own, DataFrameHandlers):
        return own
    raise UnsupportedTypeError(
        f"{getattr(python_type, '__name__', python_type)} is no data frame",
        hint="Use pandas.DataFrame, polars.DataFrame, polars.LazyFrame, pyarrow.Table or pyarrow.RecordBatchReader.",
    )


def register_dataframe_handler(
    handler: Handler,
    default_for_type: bool = False,
    override: bool = False,
    *,
    types: TypeRegistry | None = None,
) -> None:
    """Add an encoder or decoder of data frames to the running application.

    A plugin does not call this: it registers a `FrameTransformer` with handlers of its own.

    Args:
        handler: The encoder or decoder.
        default_for_type: Whether its format is the one for its class when nobody asks for any.
        override: Whether to replace one that handles the same.
        types: The registry to add it to; the application's if it is not given.

    Raises:
        PluginError: Another one handles the same, and `override` is not set.
    """
    registry = types if types is not None else current_types()
    registry.converter(DataFrame).handlers.register(handler, default_for_type, override)  # type: ignore[attr-defined]
