from __future__ import annotations

from typing import Annotated, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from alula._data.dataframe import DataFrame
from alula._data.renderers import ArrowRenderer, Renderer, TopFrameRenderer

FRAME = pd.DataFrame({"<a>": ["<script>alert(1)</script>", None, '"&'], "n": [1, 2, 3]})
KINDS = {
    "pandas": FRAME,
    "polars": pl.from_pandas(FRAME),
    "lazy": pl.from_pandas(FRAME).lazy(),
    "arrow": pa.Table.from_pandas(FRAME),
    "batch": pa.Table.from_pandas(FRAME).to_batches()[0],
    "wrapped": DataFrame(FRAME),
}


@pytest.mark.parametrize("kind", KINDS)
def test_first_rows_are_shown_and_escaped(kind):
    html = TopFrameRenderer(max_rows=2).to_html(KINDS[kind])
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;a&gt;" in html
    assert html.count("<tr>") == 3
    text = TopFrameRenderer(max_rows=1).to_text(KINDS[kind])
    assert len(text.splitlines()) == 3


def test_columns_are_limited():
    wide = pd.DataFrame({f"c{n}": [n] for n in range(300)})
    assert TopFrameRenderer(max_cols=5).to_html(wide).count("<th ") == 5
    assert "300 columns" in TopFrameRenderer().to_html(wide)
    assert len(TopFrameRenderer().to_text(wide)) < 1_000


def test_long_cells_are_cut():
    frame = pd.DataFrame({"x": ["a" * 10_000]})
    assert len(TopFrameRenderer().to_html(frame)) < 1_000
    assert len(TopFrameRenderer().to_text(frame)) < 200


def test_streams_are_not_used_up():
    reader = pa.Table.from_pandas(FRAME).to_reader()
    assert "2 columns" in TopFrameRenderer().to_html(reader)
    assert "2 columns" in TopFrameRenderer().to_text(reader)
    assert "&lt;a&gt;" in ArrowRenderer().to_html(reader)
    assert reader.read_all().num_rows == 3


def test_values_that_arrow_does_not_hold():
    mixed = pd.DataFrame({"x": [1, "a", object], 5: [1, 2, 3]})
    assert "object" in TopFrameRenderer().to_html(mixed)
    objects = pl.DataFrame({"x": [object()]})
    assert "object" in TopFrameRenderer().to_text(objects)
    assert "<table>" in TopFrameRenderer().to_html(pd.DataFrame())
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert "<table>" in TopFrameRenderer().to_html(twice)


def test_arrow_renderer_shows_types():
    html = ArrowRenderer().to_html(pl.DataFrame({"x": [1]}))
    assert "<td>x</td><td>int64</td>" in html


def test_converters_show_previews(converter, context):
    found = converter(pd.DataFrame)
    assert found.to_html(FRAME).startswith("<table>")
    assert "3 rows x 2 columns" in found.to_text(FRAME)
    handle = converter(DataFrame).to_python(found.to_literal(FRAME, context), context)
    assert "3 rows" in converter(DataFrame).to_text(handle)
    assert "<p>" in converter(DataFrame).to_html(handle)


def test_renderer_of_the_annotation(converter):
    class Mine:
        def to_html(self, df: Any) -> str:
            return f"<b>{len(df)}</b>"

    assert isinstance(Mine(), Renderer)
    assert converter(Annotated[pd.DataFrame, Mine()]).to_html(FRAME) == "<b>3</b>"
    assert converter(Annotated[pd.DataFrame, TopFrameRenderer(1)]).to_html(FRAME).count("<tr>") == 2
