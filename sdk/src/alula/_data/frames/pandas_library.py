"""pandas data frames to Arrow and back."""

from __future__ import annotations

import json
from typing import Any

from ..dependencies import load
from .arrow_handlers import FrameLibrary
from .codecs import arrow, require_columns


class PandasLibrary(FrameLibrary[Any]):
    """``pandas.DataFrame``. The index is kept by formats that can; in others, a named index becomes a column."""

    names = ("pandas.DataFrame", "pandas.core.frame.DataFrame")
    keeps_index = True

    def to_reader(self, frame: Any, columns: tuple[str, ...], index: bool) -> Any:
        """Convert a frame, as pandas does for Parquet.

        Raises:
            ValueConversionError: A column is missing.
            ValueError: Column names are not unique, or a column has values of several kinds.
        """
        pa = arrow()
        if columns:
            labels = {str(label): label for label in frame.columns}
            require_columns(columns, labels)
            frame = frame[[labels[name] for name in columns]]
        if index:
            # An index that only counts is kept as a note to columns, and so needs one.
            table = pa.Table.from_pandas(_plain_index(frame), preserve_index=None if len(frame.columns) else True)
        else:
            named = [name for name in frame.index.names if name is not None]
            frame = frame.reset_index(level=named) if named else frame
            table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
        return table.to_reader()

    def from_table(self, table: Any) -> Any:
        """Convert back, with the index that the table says."""
        pd = load("pandas", "to read a data frame as pandas.DataFrame")
        nested = _nested_extensions(table.schema)
        if not nested:
            return table.to_pandas()
        frame = table.replace_schema_metadata(_as_objects(table.schema, nested)).to_pandas()
        kept = [name for name in table.schema.names if name not in _index_fields(table.schema)]
        for name in nested:
            column = table.column(name)
            array = pd.ArrowDtype(column.type).__from_arrow__(column)
            frame.isetitem(kept.index(name), pd.Series(array, index=frame.index))
        return frame

    def head(self, frame: Any, rows: int) -> Any:
        """Return the first rows; columns that Arrow cannot hold become text."""
        pa = arrow()
        top = frame.head(rows)
        arrays = {}
        for position, label in enumerate(top.columns):
            column = top.iloc[:, position]
            try:
                arrays[f"{label}"] = pa.array(column, from_pandas=True)
            except (pa.ArrowException, ValueError, TypeError):
                arrays[f"{label}"] = pa.array([str(value) for value in column])
        return pa.table(arrays)

    def shape(self, frame: Any) -> tuple[int | None, int]:
        """Return the numbers of rows and columns."""
        return frame.shape  # type: ignore[no-any-return]


def _nested_extensions(schema: Any) -> list[str]:
    """Return the columns of lists, structs and maps with Arrow's own dtype, whose names pandas writes but cannot read."""
    nested = {field.name for field in schema if arrow().types.is_nested(field.type)}
    if not nested or schema.pandas_metadata is None:
        return []
    columns = schema.pandas_metadata["columns"]
    return [c["field_name"] for c in columns if c["numpy_type"].endswith("[pyarrow]") and c["field_name"] in nested]


def _index_fields(schema: Any) -> list[Any]:
    return [index for index in schema.pandas_metadata["index_columns"] if isinstance(index, str)]


def _as_objects(schema: Any, names: list[str]) -> dict[bytes, bytes]:
    """Return the metadata of a schema in which some columns are of Python objects."""
    described = schema.pandas_metadata
    for column in described["columns"]:
        if column["field_name"] in names:
            column["numpy_type"] = "object"
    return {**schema.metadata, b"pandas": json.dumps(described).encode()}


def _plain_index(frame: Any) -> Any:
    """Return the frame with the one spelling of an index that counts in equal steps.

    pandas takes ``RangeIndex(3)`` and ``Index([0, 1, 2])`` for equal, and Parquet keeps them differently.
    """
    pd = load("pandas")
    index = frame.index
    if isinstance(index, pd.MultiIndex) or str(index.dtype) != "int64":
        return frame
    start = int(index[0]) if len(index) else 0
    step = int(index[1]) - start if len(index) > 1 else 1
    if step == 0:
        return frame
    plain = pd.RangeIndex(start, start + step * len(index), step, name=index.name)
    if not isinstance(index, pd.RangeIndex) and not index.equals(plain):
        return frame
    if isinstance(index, pd.RangeIndex) and (index.start, index.stop, index.step) == (plain.start, plain.stop, step):
        return frame
    frame = frame.copy(deep=False)
    frame.index = plain
    return frame
