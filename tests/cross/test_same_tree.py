"""One engine: however an entity is started, and in whichever style it is written, it grows the same tree."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import alula
from alula import (
    App,
    LaunchPlan,
    Run,
    TaskEnvironment,
    conditional,
    dynamic,
    map_task,
    task,
    workflow,
)
from alula_kernel.contracts import ActionEvent

env = TaskEnvironment(name="mixed")
Shape = list[tuple[str, str, str, str, int]]


@task
def double(x: int) -> int:
    return 2 * x


@task(retries=2)
def flaky(x: int) -> int:
    if alula.current_context().attempt_number < 2:
        raise OSError("again")
    return x


@task
def odd_fails(x: int) -> int:
    if x % 2:
        raise ValueError(x)
    return x


@dynamic
def fan(n: int) -> list[int]:
    return [double(x=i) for i in range(n)]


@env.task
async def orchestrate(n: int) -> int:
    return sum(await asyncio.gather(*(double.aio(x=i) for i in range(n)))) + inner(x=n)  # type: ignore[no-any-return]


@workflow
def inner(x: int) -> int:
    return flaky(x=double(x=x))


@workflow
def everything(n: int, limit: int = 100) -> tuple[int, list[int], list[int | None], int]:
    first = inner(x=n)
    mapped = map_task(odd_fails, min_success_ratio=0.4)(x=fan(n=n))
    chosen = conditional("size").if_(first > limit).then(double(x=first)).else_().then(flaky(x=first))
    orchestrated = orchestrate(n=n)
    first >> orchestrated
    return chosen, fan(n=2), mapped, orchestrated


def shape_of(run: Run) -> Shape:
    """Show everything about the actions that does not depend on the run's name or the time."""
    return [(a.id, a.name, a.kind, a.phase.value, len(a.attempts)) for a in run.actions]


class Recorder:
    """Records the tree of plain calls, which give no run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[ActionEvent] = []
        app = App(listeners=(self.events.append,))
        monkeypatch.setattr("alula._app._current", app)

    @property
    def phases(self) -> dict[str, tuple[str, str, str, int]]:
        return {e.action: (e.name, e.kind, e.phase, e.attempt) for e in self.events}


def test_a_plain_call_a_run_and_a_launch_plan_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = LaunchPlan.get_or_create(everything, "with inputs", default_inputs={"n": 3})
    run = alula.run(everything, n=3)
    launched = alula.run(plan)
    assert run.result == launched.result == (6, [0, 2], [0, 2, 4], 12)
    assert shape_of(run) == shape_of(launched)
    recorder = Recorder(monkeypatch)
    assert everything(n=3) == run.result
    assert recorder.phases == {action: (name, kind, phase, n) for action, name, kind, phase, n in shape_of(run)}


def test_an_awaited_run_gives_the_same() -> None:
    async def main() -> Run:
        return await alula.run_async(everything, n=3)

    blocking, awaited = alula.run(everything, n=3), asyncio.run(main())
    assert awaited.result == blocking.result
    assert sorted(shape_of(awaited)) == sorted(shape_of(blocking))


def test_a_failing_workflow_fails_alike() -> None:
    @workflow
    def fails(n: int) -> list[int]:
        return map_task(odd_fails)(x=[n, 1])

    plan = LaunchPlan.get_or_create(fails)
    run, launched = alula.run(fails, n=2), alula.run(plan, n=2)
    assert shape_of(run) == shape_of(launched)
    assert run.error == launched.error
    for call in (lambda: fails(n=2), lambda: plan(n=2), lambda: asyncio.run(fails.aio(n=2))):
        with pytest.raises(ValueError, match="1"):
            call()


SCRIPT = """
import asyncio
import json

from alula import LaunchPlan, TaskEnvironment, current_app, map_task, task, workflow

env = TaskEnvironment(name="script")


@task
def double(x: int) -> int:
    return 2 * x


@env.task
async def total(xs: list[int]) -> int:
    return sum(await asyncio.gather(*(double.aio(x=x) for x in xs)))


@workflow
def flow(n: int, xs: list[int]) -> int:
    return double(x=total(xs=map_task(double)(x=xs)))


plan = LaunchPlan.get_or_create(flow, "plan", default_inputs={"n": 1, "xs": [1, 2, 3]})

if __name__ == "__main__":
    events = []
    current_app().listen(events.append)
    result = flow(n=1, xs=[1, 2, 3])
    tree = {e.action: [e.name, e.kind, e.phase, e.attempt] for e in events}
    print(json.dumps({"result": result, "tree": tree}))
"""


def alula_command(arguments: list[str], folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "alula", "run", "--output", "json", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_script_and_the_command_give_the_same(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    done = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, cwd=tmp_path, timeout=120, check=True
    )
    plain = json.loads(done.stdout)
    assert plain["result"] == 48
    command = alula_command(["script.py", "flow", "--n", "1", "--xs", "[1, 2, 3]"], tmp_path)
    launched = alula_command(["script.py", "plan"], tmp_path)
    for answer in (command, launched):
        assert answer["outputs"] == {"o0": 48}
        tree = {a["id"]: [a["name"], a["kind"], a["phase"], len(a["attempts"])] for a in answer["actions"]}
        assert tree == plain["tree"]


@pytest.mark.parametrize("start", ["workflow", "task"])
def test_both_styles_may_be_mixed(start: str) -> None:
    @workflow
    def flow(x: int) -> int:
        return orchestrate(n=x)

    @env.task
    async def main(x: int) -> int:
        return flow(x=x) + await flow.aio(x=x)  # type: ignore[no-any-return]

    entity: Callable[..., Any] = flow if start == "workflow" else main
    run = alula.run(entity, x=2)
    assert run.result == (6 if start == "workflow" else 12)
    names = [a.name for a in run.actions]
    assert names.count("orchestrate") == (1 if start == "workflow" else 2)
    assert all(a.phase.value == "succeeded" for a in run.actions)
