"""Files, directories and data frames on their way through tasks and workflows."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pandas as pd
import polars as pl
import pytest

from alula import JSON, DataFrame, Directory, File, Pickle, kwtypes, task, workflow
from alula_kernel.errors import UsageError

calls: list[str] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


@task
def numbers(count: int) -> pd.DataFrame:
    return pd.DataFrame({"x": range(count), "y": [f"row {n}" for n in range(count)]})


@task(cache=True, cache_version="1")
def total(data: Annotated[pl.DataFrame, kwtypes(x=int)]) -> int:
    calls.append("total")
    assert data.columns == ["x"]
    return data["x"].sum()


@workflow
def summed(count: int) -> int:
    return total(data=numbers(count=count))


def test_frames_of_two_libraries_and_caching_by_content():
    assert summed(count=4) == 6
    assert summed(count=4) == 6  # made anew, and equal
    assert calls == ["total"]
    assert summed(count=5) == 10
    assert calls == ["total", "total"]


@task
def write(text: str) -> File:
    made = File.new_remote_file("out.txt")
    with made.open("w") as stream:
        stream.write(text)
    return made


@task
def shout(source: File, folder: Directory) -> Directory:
    named = File.named_remote("scratch.txt")
    with named.open("w") as stream:
        stream.write(source.read_text().upper())
    out = Directory.new_remote("out")
    for file in [*folder.list_files(), named]:
        with out.new_file(file.name).open("w") as stream:
            stream.write(file.read_text())
    return out


@workflow
def shouted(text: str, folder: Directory) -> Directory:
    return shout(source=write(text=text), folder=folder)


def test_files_and_directories(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    found = shouted(text="hello", folder=Directory(tmp_path / "in"))
    assert {file.name: file.read_text() for file in found.walk()} == {"a.txt": "a", "scratch.txt": "HELLO"}


@task(cache=True, cache_version="1")
def size(data: File) -> int:
    calls.append("size")
    return len(Path(data).read_bytes())


def test_an_input_file_is_cached_by_its_content(tmp_path):
    path = tmp_path / "x"
    for content in ("one", "three", "one"):
        path.write_text(content)
        assert size(data=str(path)) == size(data=File(path)) == len(content)
    assert calls == ["size", "size"]


@task
def produce(count: int) -> Iterator[JSON]:
    return ({"n": number} for number in range(count))


@task
def consume(values: Iterator[JSON]) -> Pickle[set[int]]:
    return {value["n"] for value in values}


@workflow
def streamed(count: int) -> Pickle[set[int]]:
    return consume(values=produce(count=count))


def test_json_streams_and_pickles():
    assert streamed(count=3) == {0, 1, 2}


@task
def passed_on(data: DataFrame) -> DataFrame:
    return data


def test_a_data_frame_that_is_passed_on_stays_where_it_is():
    first = passed_on(data=DataFrame(pd.DataFrame({"x": [1]})))
    assert passed_on(data=first).uri == first.uri
    assert pickle.loads(pickle.dumps(first)).all()["x"].tolist() == [1]


def test_a_missing_input_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="nothing"):
        size(data=File(tmp_path / "nothing"))
