"""The SDK's data types keep what the contract of type transformers promises."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from alula import DataFrame, Directory, File
from alula._data.transformers import data_transformers
from alula_kernel.builtin.types import builtin_transformers
from alula_kernel.contracts import TypeTransformer
from alula_kernel.registry import TypeRegistry
from alula_kernel.testing import Sample, TypeTransformerConformance


class DataType(TypeTransformerConformance):
    is_builtin = True

    @pytest.fixture
    def type_registry(self) -> TypeRegistry:
        return TypeRegistry([*builtin_transformers(), *data_transformers()])

    @pytest.fixture
    def transformer(self, type_registry: TypeRegistry, samples: Sequence[Sample]) -> TypeTransformer:
        return type_registry._find(type_registry._request(samples[0].python_type, ()))

    @pytest.fixture
    def wrong_values(self) -> Sequence[Any]:
        return [3, object(), ["list"]]


class TestFile(DataType):
    @pytest.fixture
    def samples(self, tmp_path: Path) -> Sequence[Sample]:
        paths = [tmp_path / "<script>.txt", tmp_path / "empty.csv"]
        paths[0].write_text("content")
        paths[1].write_text("")
        return [Sample(File, File(str(path)), plain=str(path), text=str(path)) for path in paths]

    def is_same(self, first: Any, second: Any) -> bool:
        with first.open() as one, second.open() as two:
            return one.read() == two.read()


class TestDirectory(DataType):
    @pytest.fixture
    def samples(self, tmp_path: Path) -> Sequence[Sample]:
        folder = tmp_path / "<script>"
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "file.txt").write_text("content")
        (folder / "other.txt").write_text("other")
        return [Sample(Directory, Directory(str(folder)), plain=str(folder), text=str(folder))]

    def is_same(self, first: Any, second: Any) -> bool:
        found = filecmp.dircmp(first.download(), second.download())
        return not (found.left_only or found.right_only or found.diff_files or found.funny_files)


FRAME = pa.table({"number": [1, 2, None], "text": ["<script>", "ä", ""], "list": [[1], [], None]})


class TestDataFrames(DataType):
    @pytest.fixture
    def samples(self, tmp_path: Path) -> Sequence[Sample]:
        path = tmp_path / "data.csv"
        path.write_text("a,b\n1,x\n")
        return [
            Sample(DataFrame, DataFrame(uri=str(path)), plain={"uri": str(path), "format": "csv"}, text=str(path)),
            Sample(pd.DataFrame, pd.DataFrame({"number": [1, 2], "text": ["<script>", "ä"]})),
            Sample(pl.DataFrame, pl.from_arrow(FRAME)),
            Sample(pa.Table, FRAME),
        ]

    def is_same(self, first: Any, second: Any) -> bool:
        tables = [
            frame.open(pa.Table).all() if isinstance(frame, DataFrame) else pa.table(frame) for frame in (first, second)
        ]
        return bool(tables[0].to_pydict() == tables[1].to_pydict())
