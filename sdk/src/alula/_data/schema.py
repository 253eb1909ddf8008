"""`Schema`: the older name for a `DataFrame` with declared columns."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from .columns import columns_of
from .dataframe import DataFrame


def _warn() -> None:
    warnings.warn("Schema is deprecated: use Annotated[DataFrame, kwtypes(...)]", DeprecationWarning, stacklevel=3)


class Schema(DataFrame):
    """A data frame with declared columns: ``Schema[kwtypes(x=int, y=str)]``. Deprecated; use `DataFrame`.

    Args:
        local_path: Path of a local file; None for an empty one to be written.
        remote_path: Where it is, or is to be, stored.
    """

    def __init__(
        self,
        local_path: str | os.PathLike[str] | None = None,
        remote_path: str | None = None,
        *,
        uri: str | os.PathLike[str] | None = None,
        metadata: Mapping[str, str] | None = None,
        file_format: str = "",
    ) -> None:
        if uri is None:  # not made by a converter
            _warn()
        super().__init__(uri=uri or local_path or remote_path, metadata=metadata, file_format=file_format)

    def __class_getitem__(cls, columns: Mapping[str, Any]) -> Any:
        _warn()
        if columns_of(columns) is None:
            raise TypeError("Schema[...] takes the columns, as Schema[kwtypes(x=int, y=str)]")
        return Annotated[cls, columns]

    def open(self, dataframe_fmt: Any = None, override_mode: Any = None) -> SchemaFrames:  # type: ignore[override]
        """Open for reading and writing.

        Args:
            dataframe_fmt: Class of the frames; ``pandas.DataFrame`` if it is not given.
            override_mode: Taken for compatibility; a schema can always be read and written.
        """
        return SchemaFrames(self, dataframe_fmt or "pandas.DataFrame")


class SchemaFrames:
    """Reads and writes the frames of a `Schema`.

    Args:
        schema: The schema.
        frame_class: Class of the frames.
    """

    def __init__(self, schema: Schema, frame_class: Any) -> None:
        self._schema = schema
        self._class = frame_class

    def write(self, *frames: Any) -> None:
        """Make frames of one library the content; it is stored when the schema is passed on.

        Args:
            frames: One, or several that are stored one after the other.
        """
        self._schema.replace_frame(frames[0] if len(frames) == 1 else iter(frames))

    def all(self) -> Any:
        """Read all of it; errors are those of `DataFrame.all`."""
        return DataFrame.open(self._schema, self._class).all()

    def iter(self) -> Iterator[Any]:
        """Read it in pieces; errors are those of `DataFrame.all`."""
        return DataFrame.open(self._schema, self._class).iter()
