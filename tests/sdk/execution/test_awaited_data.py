"""DA-13, DA-14: names that Flyte 1 calls and Flyte 2 awaits work in both ways."""

from __future__ import annotations

import asyncio
import functools
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from alula import DataFrame, Directory, File, TaskEnvironment, task
from alula.errors import UsageError

env = TaskEnvironment(name="awaited")


def folder_of(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.txt").write_text(name.upper())
    return folder


def test_files_in_async_tasks(tmp_path: Path) -> None:
    @env.task
    async def write(text: str) -> File:
        file = File.new_remote("out.txt")
        async with file.open("wb") as stream:
            await stream.write(text.encode())
        return file

    @env.task
    async def read(file: File) -> list[str]:
        async with file.open("rb") as stream:
            whole = (await stream.read()).decode()
        async with file.open("r") as stream:
            lines = await stream.readlines()
        path = await file.download()
        assert type(path) is str
        return [whole, *lines, Path(path).read_text(), Path(await file.download(tmp_path / "copy")).read_text()]

    @env.task
    async def main() -> list[str]:
        return await read(await write("one\ntwo"))  # type: ignore[no-any-return]

    assert asyncio.run(main()) == ["one\ntwo", "one\n", "two", "one\ntwo", "one\ntwo"]


def test_the_same_names_in_plain_tasks() -> None:
    @task
    def write(text: str) -> File:
        file = File.new_remote_file("out.txt")
        with file.open("w") as stream:
            stream.write(text)
        return file

    @task
    def read(file: File) -> list[str]:
        with file.open("r") as stream:
            return [*stream.readlines(), Path(file.download()).read_text(), file.download()[:1]]

    assert read(file=write(text="one\ntwo")) == ["one\n", "two", "one\ntwo", "/"]


def test_a_block_left_by_an_exception_writes_nothing_in_both_forms() -> None:
    @env.task
    async def fails() -> bool:
        plain, awaited = File.new_remote_file("a"), File.new_remote("b")
        try:
            with plain.open("w") as stream:
                stream.write("half")
                raise OSError
        except OSError:
            pass
        try:
            async with awaited.open("w") as other:
                await other.write("half")
                raise OSError
        except OSError:
            pass
        return await plain.exists() or awaited.exists_sync()

    assert asyncio.run(fails()) is False


def test_directories(tmp_path: Path) -> None:
    @env.task
    async def look(folder: Directory) -> list[str]:
        walked = [file.name async for file in folder.walk()]
        assert walked == [file.name for file in folder.walk()]
        listed = await folder.list_files()
        assert [file.name for file in listed] == [file.name for file in folder.list_files()]
        return [
            *walked,
            *(await listed[0].download()).split("/")[-1:],
            *sorted(p.name for p in Path(await folder.download()).iterdir()),
        ]

    assert asyncio.run(look(folder=Directory(str(folder_of(tmp_path))))) == [
        "a.txt",
        "b.txt",
        "a.txt",
        "a.txt",
        "b.txt",
    ]


def test_what_is_made_from_local_data_in_a_task_outlives_that_data(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    path = tmp_path / "file.txt"
    path.write_text("text")

    @env.task
    async def make() -> tuple[File, Directory, DataFrame]:
        file, directory = await File.from_local(path), await Directory.from_local(folder, dir_cache_key="key")
        frame = await DataFrame.from_local(pd.DataFrame({"a": [1]}))
        path.unlink()
        shutil.rmtree(folder)
        return file, directory, frame

    file, directory, frame = asyncio.run(make())
    assert (file.read_text(), file.name) == ("text", "file.txt")
    assert directory.hash == "key"
    assert [f.name for f in directory.walk()] == ["a.txt", "b.txt"]
    assert frame.open(pd.DataFrame).all()["a"].tolist() == [1]


FRAME = pd.DataFrame({"a": [1, 2]})


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a coroutine function as a test."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@in_a_loop
async def test_frames_are_awaited_in_coroutine_functions() -> None:
    handle = DataFrame(FRAME)
    assert (await handle.open(pd.DataFrame).all()).equals(FRAME)
    assert handle.all_sync().equals(FRAME)
    assert [len(part) async for part in handle.iter()] == [2]
    assert [len(part) for part in handle.iter()] == [2]
    both = await asyncio.gather(*(one.open(pd.DataFrame).all() for one in (handle, handle)))
    assert [len(frame) for frame in both] == [2, 2]
    assert [len(await one.all()) for one in (handle, handle)] == [2, 2]


@in_a_loop
async def test_plain_functions_within_coroutine_functions_call_them() -> None:
    def size(handle: DataFrame) -> int:
        return len(handle.open(pd.DataFrame).all())

    assert size(DataFrame(FRAME)) == await asyncio.to_thread(size, DataFrame(FRAME)) == 2


@in_a_loop
async def test_files_and_directories_tell_whether_they_exist(tmp_path: Path) -> None:
    folder = Directory(str(folder_of(tmp_path)))
    assert await folder.exists()
    assert not await File(str(tmp_path / "none")).exists()
    found, missing = await folder.get_file("a.txt"), await folder.get_file("z.txt")
    assert await found.exists()
    assert missing is None
    assert folder.get_file_sync("z.txt") is None


@in_a_loop
async def test_an_error_of_what_is_awaited_is_raised_where_it_is_awaited() -> None:
    reading = DataFrame().all()
    with pytest.raises(UsageError, match="empty DataFrame"):
        await reading


@pytest.mark.parametrize(
    "use",
    [bool, len, list, lambda frame: frame["a"], lambda frame: frame.columns],
    ids=["bool", "len", "list", "index", "attribute"],
)
@in_a_loop
async def test_a_forgotten_await_is_named(use: Callable[[Any], Any]) -> None:
    forgotten = DataFrame(FRAME).all()
    with pytest.raises(UsageError, match=r"all\(\) was not awaited in a coroutine function") as caught:
        use(forgotten)
    assert "all_sync()" in str(caught.value.hint)
    assert not hasattr(forgotten, "__fspath__")
