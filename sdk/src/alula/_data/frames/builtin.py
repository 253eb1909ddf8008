"""The handlers that come with Alula: five classes of frames in four formats."""

from __future__ import annotations

from typing import Any

from alula_kernel.contracts import TableStore

from .arrow_handlers import ArrowDecoder, ArrowEncoder, FrameLibrary
from .arrow_library import ArrowBatchLibrary, ArrowLibrary, ArrowReaderLibrary, PiecesLibrary
from .binary_codecs import ArrowCodec, ParquetCodec
from .codecs import Codec
from .handlers import DataFrameHandlers
from .pandas_library import PandasLibrary
from .polars_library import LazyPolarsLibrary, PolarsLibrary
from .tables import TableDecoder, TableEncoder
from .text_codecs import CSVCodec, JSONCodec

CODECS: tuple[Codec, ...] = (ParquetCodec(), CSVCodec(), ArrowCodec(), JSONCodec())
LIBRARIES: tuple[FrameLibrary[Any], ...] = (
    PandasLibrary(),
    PolarsLibrary(),
    LazyPolarsLibrary(),
    ArrowLibrary(),
    ArrowBatchLibrary(),
    ArrowReaderLibrary(),
)
FRAME_NAMES: tuple[str, ...] = tuple(name for library in LIBRARIES for name in library.names)
PIECES = PiecesLibrary(LIBRARIES)


def builtin_handlers() -> DataFrameHandlers:
    """Make the registry of the handlers that come with Alula."""
    aliases = {name: library.names[0] for library in LIBRARIES for name in library.names}
    made = DataFrameHandlers(aliases=aliases)
    for codec in CODECS:
        for library in LIBRARIES:
            made.register(ArrowEncoder(library, codec))
            made.register(ArrowDecoder(library, codec))
        made.register(ArrowEncoder(PIECES, codec))
    return made


def add_tables(handlers: DataFrameHandlers, store: TableStore) -> None:
    """Add what reads and writes frames of every library at the URIs of a store; what is there already stays."""
    for library in LIBRARIES:
        handlers.add(TableEncoder(library, store))
        handlers.add(TableDecoder(library, store))
    handlers.add(TableEncoder(PIECES, store))


def library_of(frame: Any) -> FrameLibrary[Any] | None:
    """Return the library that a frame is of, or None."""
    by_name = {name: library for library in LIBRARIES for name in library.names}
    names = (f"{cls.__module__}.{cls.__qualname__}" for cls in type(frame).__mro__)
    return next((by_name[name] for name in names if name in by_name), None)
