"""The contract between data frames of any library and the bytes they become, and the registry of those who fulfil it."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from alula_kernel.errors import PluginError, UnsupportedTypeError
from alula_kernel.literals import Column, Dataset
from alula_kernel.uris import scheme_of

if TYPE_CHECKING:
    from alula_kernel.storage import Storage

T = TypeVar("T")

DEFAULT_FORMAT = "parquet"
"""What data frames are stored as when nobody asks for anything else."""

TABLE_SCHEMES = frozenset({"bq", "bigquery", "snowflake", "redshift", "postgresql", "sqlite", "duckdb"})
"""Schemes of tables in databases, which plugins read and write: there are no files."""

_ALIASES = {"feather": "arrow", "ipc": "arrow", "jsonl": "json", "ndjson": "json", "pq": "parquet"}


def frame_format(text: str) -> str:
    """Return the one name of a format that has several: ``arrow`` for ``feather``, ``json`` for ``jsonl``."""
    name = text.lower().removeprefix(".")
    return _ALIASES.get(name, name)


@dataclasses.dataclass(frozen=True, slots=True)
class FrameTarget:
    """Where and how a data frame is to be stored.

    Attributes:
        storage: Takes the bytes.
        format: The format.
        uri: Where the author wants it; empty for content-addressed.
        columns: Columns to store, in this order; empty for all.
        name: Base name for the stored object, without suffix.
        metadata: Free text that travels with the literal.
    """

    storage: Storage
    format: str = DEFAULT_FORMAT
    uri: str = ""
    columns: tuple[Column, ...] = ()
    name: str = "data"
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class FrameSource:
    """How a stored data frame is to be read.

    Attributes:
        storage: Has the bytes.
        columns: Names of the columns to read, in this order; empty for all.
        batch_rows: Most rows of a piece when it is read in pieces.
    """

    storage: Storage
    columns: tuple[str, ...] = ()
    batch_rows: int = 65_536


class _Handler:
    """What a handler handles.

    Args:
        python_type: The class of the data frames, or its ``"module.Class"`` so that the library need not be imported.
        protocol: URI scheme, as ``s3`` or ``bq``; empty for any.
        supported_format: Format, as ``parquet``; empty for any.
    """

    def __init__(self, python_type: type | str, protocol: str = "", supported_format: str = "") -> None:
        self.python_type = python_type if isinstance(python_type, str) else class_name(python_type)
        self.protocol = (protocol or "").partition("://")[0]
        self.supported_format = frame_format(supported_format or "")

    def __repr__(self) -> str:
        what = "/".join(part for part in (self.supported_format, self.protocol) if part)
        return f"{type(self).__name__}({self.python_type!r}{', ' if what else ''}{what})"


class DataFrameEncoder(_Handler, ABC, Generic[T]):
    """Stores data frames of one class, in one format or at one protocol. Holds no state of a value."""

    @abstractmethod
    def encode(self, frame: T, target: FrameTarget) -> Dataset:
        """Store a data frame and return its literal.

        Equal frames must give equal hashes, so what is written must not depend on how a frame lies in memory.

        Raises:
            ValueConversionError: The format cannot hold it.
            StorageError: It cannot be written.
        """


class DataFrameDecoder(_Handler, ABC, Generic[T]):
    """Reads data frames of one class, from one format or protocol. Holds no state of a value."""

    @abstractmethod
    def decode(self, dataset: Dataset, source: FrameSource) -> T:
        """Read a data frame; of a format that allows it, only the columns asked for.

        Raises:
            ValueConversionError: A column is missing, or the bytes are not of the format.
            StorageError: It cannot be read.
        """

    def iterate(self, dataset: Dataset, source: FrameSource) -> Iterator[T]:
        """Read it in pieces of at most ``source.batch_rows`` rows. The default yields all of it at once."""
        yield self.decode(dataset, source)


Handler = DataFrameEncoder[Any] | DataFrameDecoder[Any]


class DataFrameHandlers:
    """Finds the encoder or decoder of a class of data frames, a format and a protocol.

    A handler for exactly the format and protocol wins over one for the protocol and any format, that over one for the
    format and any protocol, and a class's own over those of its base classes. Safe to read from several threads; register before running anything.

    Args:
        handlers: The first handlers.
        aliases: Other names of classes: from ``"module.Class"`` to the one that handlers are registered under.
    """

    def __init__(self, handlers: Sequence[Handler] = (), aliases: dict[str, str] | None = None) -> None:
        self._aliases = dict(aliases or {})
        self._encoders: dict[tuple[str, str, str], Any] = {}
        self._decoders: dict[tuple[str, str, str], Any] = {}
        self._default_format: dict[str, str] = {}
        for handler in handlers:
            self.register(handler)

    def register(self, handler: Handler, default_for_type: bool = False, override: bool = False) -> None:
        """Add a handler.

        Args:
            handler: The encoder or decoder.
            default_for_type: Whether its format is the one for its class when nobody asks for any.
            override: Whether to replace one that handles the same.

        Raises:
            PluginError: Another one handles the same, and `override` is not set.
        """
        table, key = self._place(handler)
        if key in table and not override:
            raise PluginError(f"{handler!r} handles what {table[key]!r} does", hint="Register it with override=True.")
        table[key] = handler
        if default_for_type:
            self._default_format[key[0]] = handler.supported_format

    def add(self, handler: Handler) -> None:
        """Add a handler, unless there is another one that handles the same."""
        table, key = self._place(handler)
        table.setdefault(key, handler)

    def _place(self, handler: Handler) -> tuple[dict[tuple[str, str, str], Any], tuple[str, str, str]]:
        name = self._aliases.get(handler.python_type, handler.python_type)
        table = self._encoders if isinstance(handler, DataFrameEncoder) else self._decoders
        return table, (name, handler.supported_format, handler.protocol)

    def handles(self, python_type: Any) -> bool:
        """Tell whether there is any handler for a class."""
        names = set(self._names(python_type))
        return any(key[0] in names for key in (*self._encoders, *self._decoders))

    def default_format(self, python_type: Any) -> str:
        """Return the format for a class when nobody asks for any."""
        return next((self._default_format[n] for n in self._names(python_type) if n in self._default_format), "")

    def encoder(self, python_type: Any, format: str, uri: str = "") -> DataFrameEncoder[Any]:
        """Find an encoder.

        Args:
            python_type: Class of the frame.
            format: The format.
            uri: Where the frame goes, for its protocol; empty if that does not matter.

        Raises:
            UnsupportedTypeError: There is none.
        """
        found: DataFrameEncoder[Any] = self._find(self._encoders, python_type, format, uri, "written as")
        return found

    def decoder(self, python_type: Any, format: str, uri: str = "") -> DataFrameDecoder[Any]:
        """Find a decoder; arguments and errors are those of `encoder`."""
        found: DataFrameDecoder[Any] = self._find(self._decoders, python_type, format, uri, "read from")
        return found

    def _find(self, table: dict[tuple[str, str, str], Any], python_type: Any, format: str, uri: str, verb: str) -> Any:
        protocol, wanted = (scheme_of(uri) if uri else ""), frame_format(format)
        names = self._names(python_type)
        keys = [(wanted, protocol), ("", protocol), (wanted, ""), ("", "")]
        if protocol in TABLE_SCHEMES:
            keys.remove((wanted, ""))  # it is for files
        for name in names:
            for key in keys:
                if (found := table.get((name, *key))) is not None:
                    return found
        formats = sorted({key[1] for key in table if key[0] in names and key[1]})
        shown = getattr(python_type, "__name__", python_type)
        if not formats:
            raise UnsupportedTypeError(
                f"{shown} is no data frame that can be {verb} anything",
                hint="Use pandas.DataFrame, polars.DataFrame, polars.LazyFrame, pyarrow.Table or "
                "pyarrow.RecordBatchReader, or register a handler for it.",
            )
        if protocol in TABLE_SCHEMES:
            plugin = (
                "pip install alula-bigquery" if protocol == "bq" else "register a DataFrameEncoder and -Decoder for it"
            )
            raise UnsupportedTypeError(
                f"{shown} cannot be {verb.split(maxsplit=1)[0]} at {protocol}://: no plugin that is installed has tables there",
                hint=f"Next step: {plugin}.",
            )
        raise UnsupportedTypeError(
            f"{shown} cannot be {verb} format {format!r}", hint=f"Known formats: {', '.join(formats)}."
        )

    def _names(self, python_type: Any) -> list[str]:
        if isinstance(python_type, str):
            return [self._aliases.get(python_type, python_type)]
        names = (class_name(cls) for cls in getattr(python_type, "__mro__", ()))
        return [self._aliases.get(name, name) for name in names if name != "builtins.object"]


def class_name(cls: type) -> str:
    """Return ``module.Class``."""
    return f"{cls.__module__}.{cls.__qualname__}"
