"""Data frames are encoded in groups of rows whose number follows from the rows alone."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from alula import DataFrame, current_app
from alula._data.frames.codecs import ROW_GROUP_BYTES, ROW_GROUP_ROWS, plain_schema, regrouped


def cut(table: pa.Table, sizes: list[int]) -> list[pa.RecordBatch]:
    """Cut a table into batches of some sizes, again and again."""
    batches, start, turn = [], 0, 0
    while start < len(table):
        size = sizes[turn % len(sizes)]
        batches += table.slice(start, size).combine_chunks().to_batches()
        start, turn = start + size, turn + 1
    return batches


def frame(width: int, rows: int) -> pa.Table:
    draw = random.Random(width)
    return pa.table(
        {
            "number": range(rows),
            "text": [None if draw.random() < 0.1 else "x" * draw.randrange(width) for _ in range(rows)],
            "list": [["ab"] * draw.randrange(4) for _ in range(rows)],
        }
    )


@pytest.mark.parametrize(("width", "rows"), [(4, 140_000), (4_000, 20_000), (40_000, 2_500), (4, 1_000), (4, 0)])
def test_groups_do_not_depend_on_the_batches(width: int, rows: int) -> None:
    table = frame(width, rows)
    ways = [[max(1, rows)], [1_000], [1, 7, 2_048, 8_191]]
    groups = [[len(part) for part in regrouped(cut(table, sizes), table.schema)] for sizes in ways]
    assert groups[0] == groups[1] == groups[2]
    assert sum(groups[0]) == rows
    assert pa.concat_tables([table.slice(0, 0), *regrouped(cut(table, [1_000]), table.schema)]).equals(table)


@pytest.mark.parametrize(
    "arrow_type",
    [
        pa.list_(pa.field("element", pa.int64())),
        pa.large_list(pa.field("x", pa.list_(pa.field("y", pa.int64())))),
        pa.list_(pa.field("element", pa.struct({"a": pa.list_(pa.field("z", pa.int64()))})), 1),
    ],
)
def test_names_of_items_do_not_count(arrow_type: pa.DataType) -> None:
    schema = plain_schema(pa.schema([("a", arrow_type), ("b", pa.string())], metadata={"k": "v"}))
    assert "element" not in str(schema)
    assert "item" in str(schema)
    assert schema.metadata == {b"k": b"v"}
    empty = pa.table({"a": pa.array([], arrow_type), "b": pa.array([], pa.string())})
    assert empty.cast(schema).schema.equals(schema)


def test_wide_rows_are_read_a_few_at_a_time() -> None:
    wide = DataFrame(pa.table({"text": ["x" * 10_000 + str(n) for n in range(5_000)]}))
    stored = DataFrame.from_dataset(wide.store(current_app().conversion))
    pieces = [len(piece) for piece in stored.open(pa.Table).iter()]
    assert sum(pieces) == 5_000
    assert max(pieces) < 2_500
    assert [len(piece) for piece in DataFrame(frame(4, 10)).open(pa.Table).iter()] == [10]


def test_narrow_rows_fill_a_group_and_wide_ones_are_bounded() -> None:
    narrow = frame(4, ROW_GROUP_ROWS + 10)
    assert [len(part) for part in regrouped(narrow.to_batches(), narrow.schema)] == [ROW_GROUP_ROWS, 10]
    wide = frame(4_000, 20_000)
    parts = list(regrouped(wide.to_batches(), wide.schema))
    assert len(parts) > 2
    assert all(part.nbytes <= 1.2 * ROW_GROUP_BYTES for part in parts)
