"""AU-38: cancelling a coroutine aborts its child, and a child that is aborted from outside is an error of its parent."""

from __future__ import annotations

import asyncio

import pytest

import alula
from alula import TaskEnvironment, errors
from alula_kernel.contracts import ActionEvent

env = TaskEnvironment(name="cancellation")
started: list[str] = []


@env.task
async def waits(name: str) -> str:
    started.append(name)
    await asyncio.sleep(60)
    return name


@pytest.mark.parametrize("way", ["cancel", "wait_for", "first of two"])
def test_cancelling_a_coroutine_aborts_its_child(way: str) -> None:
    @env.task
    async def quick() -> str:
        return "quick"

    @env.task
    async def main() -> str:
        if way == "cancel":
            child = asyncio.ensure_future(waits("a"))
            while not started:
                await asyncio.sleep(0)
            child.cancel("no longer needed")
            with pytest.raises(asyncio.CancelledError):
                await child
        elif way == "wait_for":
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(waits("a"), 0.05)
        else:
            tasks = [asyncio.ensure_future(waits("a")), asyncio.ensure_future(quick())]
            _done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            await asyncio.wait(pending)
        return "done"

    started.clear()
    run = alula.run(main)
    assert run.result == "done"
    assert [a.phase.value for a in run.actions if a.name == "waits"] == ["aborted"]


def test_a_child_that_is_aborted_from_outside_is_an_error_of_the_parent() -> None:
    app = alula.App()
    handles: list[str] = []

    def stop(event: ActionEvent) -> None:
        if event.name == "waits" and event.phase == "running":
            handles.append(f"{event.run}/{event.action}/{event.attempt}")

    @env.task
    async def main() -> str:
        child = asyncio.ensure_future(waits("b"))
        while not started:
            await asyncio.sleep(0)
        inline = app.engine.executor(waits.spec(app))
        await inline.cancel({"attempt": handles[0]})
        try:
            await child
        except errors.ActionAbortedError as problem:
            return f"{problem.code}: {problem}"
        return "not aborted"

    started.clear()
    app.listen(stop)
    try:
        run = alula.run(main, app=app)
    finally:
        app.close()
    assert run.result == "Aborted: cancelled"
    assert [a.phase.value for a in run.actions] == ["succeeded", "aborted"]
