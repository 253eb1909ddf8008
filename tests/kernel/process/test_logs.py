"""What attempts print: in files of their own, streamed while they run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from alula_kernel.specs import ReuseSpec


def test_both_streams(world: Any) -> None:
    async def scenario() -> Any:
        handle = await world.submit("talk", {"lines": 3})
        await world.executor.wait(handle)
        return handle, await world.log(handle)

    handle, log = world.run(scenario())
    assert log == b"line 0\nline 1\nline 2\nat the end\n"
    assert Path(f"{world.files(handle)}.out").read_bytes() == b"line 0\nline 1\nline 2\n"
    assert Path(f"{world.files(handle)}.err").read_bytes() == b"at the end\n"


@pytest.mark.parametrize("reuse", [None, ReuseSpec(min_replicas=1, max_replicas=1)], ids=["forked", "kept"])
def test_a_line_comes_while_the_task_runs(world: Any, tmp_path: Path, reuse: ReuseSpec | None) -> None:
    """A kept worker has it in files of its own as long as the attempt runs, and readers do not notice that it moves."""

    async def scenario() -> list[bytes]:
        await world.finish("talk", {"lines": 1}, reuse=reuse)
        handle = await world.submit("talk_and_wait", {"path": str(tmp_path / "go")}, reuse=reuse)
        pieces = []
        async for piece in world.executor.logs(handle):
            pieces.append(piece)
            (tmp_path / "go").write_text("")
        return pieces

    assert world.run(scenario()) == [b"before\n", b"after\n"]


@pytest.mark.one_python
def test_a_million_lines(world: Any) -> None:
    """They go to a file, and through no memory but that of the one piece that is read."""

    async def scenario() -> tuple[Any, int, int]:
        handle = await world.submit("talk", {"lines": 1_000_000})
        outcome = await world.executor.wait(handle)
        lines, largest = 0, 0
        async for piece in world.executor.logs(handle):
            lines += piece.count(b"\n")
            largest = max(largest, len(piece))
        return outcome, lines, largest

    outcome, lines, largest = world.run(scenario())
    assert outcome.error is None
    assert lines == 1_000_001
    assert largest <= 1 << 16


def test_who_prints_nothing_leaves_no_files(world: Any) -> None:
    async def scenario() -> Any:
        handle = await world.submit("add", {"a": 1, "b": 1})
        await world.executor.wait(handle)
        return handle

    base = world.files(world.run(scenario()))
    assert not Path(f"{base}.out").exists()
    assert not Path(f"{base}.err").exists()


def test_what_there_is_so_far(world: Any, tmp_path: Path) -> None:
    """Without following, `logs` ends although the attempt goes on."""

    async def scenario() -> tuple[bytes, bytes]:
        handle = await world.submit("talk_and_wait", {"path": str(tmp_path / "go")})
        pieces: list[bytes] = []
        while not pieces:
            pieces = [piece async for piece in world.executor.logs(handle, follow=False)]
        (tmp_path / "go").write_text("")
        await world.executor.wait(handle)
        return b"".join(pieces), b"".join([piece async for piece in world.executor.logs(handle, follow=False)])

    assert world.run(scenario()) == (b"before\n", b"before\nafter\n")


def test_an_attempt_that_waits_for_room_is_followed_from_its_beginning(world: Any) -> None:
    """An executor of another process, which is handed the handle, waits as long as the engine that submitted it lives."""

    async def scenario() -> tuple[bytes, bytes]:
        from alula_kernel.processes import ProcessId

        handle = {"files": "default/development/later/a0-1", "engine": str(ProcessId.own())}
        follower = asyncio.ensure_future(world.log(handle))
        await asyncio.sleep(0.2)
        assert not follower.done()
        files = world.files(handle)
        files.parent.mkdir(parents=True)
        Path(f"{files}.out").write_bytes(b"a line\n")
        gone = {**handle, "engine": str(ProcessId(0, 1))}
        nobody = await world.log({**gone, "files": "default/development/never/a0-1"})
        Path(f"{files}.claim").symlink_to("nobody")
        return await follower, nobody

    assert world.run(scenario()) == (b"a line\n", b"")
