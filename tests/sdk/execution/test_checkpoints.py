"""EX-12, EX-33: what an attempt leaves for the next one."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import alula
from alula import App, Checkpoint, TaskEnvironment, current_context, errors, latest_checkpoint, task, workflow


def test_a_task_goes_on_where_it_stopped() -> None:
    steps: list[int] = []

    @task(retries=3)
    def count(n: int) -> int:
        checkpoint = current_context().checkpoint
        start = int(checkpoint.read() or b"0")
        for step in range(start, n):
            if step > start and step % 3 == 0:
                raise OSError(f"stopped at {step}")
            steps.append(step)
            checkpoint.write(str(step + 1).encode())
        return len(steps)

    run = alula.run(count, n=10)
    assert run.result == 10
    assert steps == list(range(10)), "no step was done twice"
    assert len(run.actions[0].attempts) == 4


def test_in_a_workflow_each_action_has_its_own() -> None:
    @task(retries=1)
    def remembers(x: int) -> str:
        checkpoint = current_context().checkpoint
        before = checkpoint.read()
        if before is None:
            checkpoint.write(f"seen {x}".encode())
            raise OSError
        return str(before.decode())

    @workflow
    def flow() -> list[str]:
        return [remembers(x=1), remembers(x=2)]

    assert flow() == ["seen 1", "seen 2"]


def test_an_attempt_that_saved_nothing_hands_on_what_it_got() -> None:
    seen: list[Any] = []

    @task(retries=2)
    def saves_once() -> None:
        checkpoint = current_context().checkpoint
        seen.append(checkpoint.read())
        if len(seen) == 1:
            checkpoint.write(b"first")
        if len(seen) < 3:
            raise OSError

    saves_once()
    assert seen == [None, b"first", b"first"]


def test_what_came_before_can_be_read_after_saving() -> None:
    seen: list[Any] = []

    @task(retries=2)
    def overwrites() -> None:
        checkpoint = current_context().checkpoint
        checkpoint.write(str(len(seen)).encode())
        seen.append(checkpoint.read())
        if len(seen) < 3:
            raise OSError

    overwrites()
    assert seen == [None, b"0", b"1"]


def test_a_new_run_begins_anew() -> None:
    @task
    def first() -> bool:
        checkpoint = current_context().checkpoint
        checkpoint.write(b"x")
        return bool(checkpoint.prev_exists())

    assert first() is False
    assert first() is False


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Checkpoint, Checkpoint]]:
    storage = App().storage
    first = Checkpoint(storage, str(tmp_path / "1"), "")
    second = Checkpoint(storage, str(tmp_path / "2"), str(tmp_path / "1"))
    yield first, second
    first.close()
    second.close()


@pytest.mark.parametrize("kind", ["bytes", "file", "path as text", "stream"])
def test_single_files(pair: tuple[Checkpoint, Checkpoint], tmp_path: Path, kind: str) -> None:
    source = tmp_path / "state.bin"
    source.write_bytes(b"state")
    given: Any = {"bytes": b"state", "file": source, "path as text": str(source), "stream": io.BytesIO(b"state")}[kind]
    pair[0].save(given)
    assert pair[0].saved
    assert pair[1].prev_exists()
    assert pair[1].read() == b"state"
    restored = pair[1].restore(tmp_path / "restored")
    assert restored is not None
    assert restored.read_bytes() == b"state"


def test_folders(pair: tuple[Checkpoint, Checkpoint], tmp_path: Path) -> None:
    source = tmp_path / "model"
    (source / "inner").mkdir(parents=True)
    (source / "a").write_text("A")
    (source / "inner" / "b").write_text("B")
    (source / "empty").mkdir()
    pair[0].save(source)
    target = pair[1].restore(str(tmp_path / "target"))
    assert target is not None
    assert sorted(str(p.relative_to(target)) for p in target.rglob("*")) == ["a", "empty", "inner", "inner/b"]
    with pytest.raises(errors.UsageError, match="the checkpoint is a folder"):
        pair[1].read()


def test_the_last_save_counts_whatever_it_was(pair: tuple[Checkpoint, Checkpoint], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "f").write_text("1")
    pair[0].save(folder)
    pair[0].write(b"bytes")
    assert pair[1].read() == b"bytes"
    pair[0].save(folder)
    restored = pair[1].restore(tmp_path / "r")
    assert restored is not None
    assert (restored / "f").read_text() == "1"


def test_nothing_before(pair: tuple[Checkpoint, Checkpoint], tmp_path: Path) -> None:
    for checkpoint in pair:
        assert checkpoint.prev_exists() is False
        assert checkpoint.read() is None
        assert checkpoint.restore(tmp_path / "r") is None
        assert checkpoint.load_sync() is None


def test_a_damaged_checkpoint_counts_as_none(pair: tuple[Checkpoint, Checkpoint], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "f").write_text("1" * 10_000)
    pair[0].save(folder)
    (archive,) = [p for p in (tmp_path / "1").rglob("*") if p.is_file()]
    for damaged in (b"", b"nonsense", archive.read_bytes()[:50]):
        archive.write_bytes(damaged)
        assert pair[1].load_sync() is None


def test_an_archive_cannot_leave_its_folder(pair: tuple[Checkpoint, Checkpoint], tmp_path: Path) -> None:
    import tarfile

    pair[0].save(b"x")
    folder = tmp_path / "folder"
    folder.mkdir()
    pair[0].save(folder)
    (archive,) = list((tmp_path / "1").rglob("*.tar.gz"))
    with tarfile.open(archive, "w:gz") as made:
        evil = tmp_path / "evil"
        evil.write_text("evil")
        made.add(evil, arcname="../outside")
    assert pair[1].restore(tmp_path / "target") is None
    assert not (tmp_path / "outside").exists()


def test_a_path_that_does_not_exist(pair: tuple[Checkpoint, Checkpoint]) -> None:
    with pytest.raises(errors.UsageError, match="checkpoint /does/not/exist does not exist"):
        pair[0].save("/does/not/exist")


def test_from_many_threads(pair: tuple[Checkpoint, Checkpoint]) -> None:
    def save(n: int) -> None:
        pair[0].write(str(n).encode() * 1_000)

    threads = [threading.Thread(target=save, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = pair[1].read()
    assert found is not None
    assert len(found) == 1_000
    assert len(set(found)) == 1, "two saves were mixed"


def test_names_of_flyte_2() -> None:
    env = TaskEnvironment(name="checkpoints")
    seen: list[Any] = []

    @env.task(retries=1)
    async def async_task() -> None:
        checkpoint = alula.ctx().checkpoint  # type: ignore[union-attr]
        before = await checkpoint.load()
        seen.append(before.read_bytes() if before is not None else None)
        await checkpoint.save(b"saved")
        await checkpoint.save_async(b"saved again")
        if len(seen) == 1:
            raise OSError

    @env.task(retries=1)
    def sync_task() -> str:
        checkpoint = alula.ctx().checkpoint  # type: ignore[union-attr]
        before = checkpoint.load_sync()
        if before is not None:
            return str(before.read_text())
        checkpoint.save_sync(b"sync")
        raise OSError

    asyncio.run(async_task())
    assert seen == [None, b"saved again"]
    assert sync_task() == "sync"


def test_the_newest_of_several(tmp_path: Path) -> None:
    for index, name in enumerate(("a", "b", "c")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "last.ckpt").write_text(name)
        os.utime(folder / "last.ckpt", (100 - index, 100 - index))
    newest = latest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.parent.name == "a"
    assert latest_checkpoint(tmp_path, key=lambda p: p.parent.name) == tmp_path / "c" / "last.ckpt"
    assert latest_checkpoint(tmp_path, "*.none") is None
