"""Runs on a real cluster: plain tasks, jobs, and engines that die over them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

import alula
from alula_kernel.contracts import (
    CANCELLED,
    LOST,
    SUCCEEDED,
    SYSTEM_FAILURE,
    TIMED_OUT,
    USER_FAILURE,
    Attempt,
    CodeReference,
    ExecutorContext,
    Outcome,
)
from alula_kernel.literals import Scalar
from alula_kernel.testing.attempts import NoCalls
from alula_ray.bridges import Bridges
from alula_ray.executor import RayExecutor

if TYPE_CHECKING:
    from conftest import Cluster

ROOT = Path(__file__).parents[3]
SAMPLES = Path(__file__).parent / "samples"
_LIMIT_SECONDS = 300

Open = Callable[..., RayExecutor]


@pytest.fixture
def shared_settings(shared_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALULA_HOME", shared_home)


@pytest.fixture
def open_executor(cluster: Cluster, bridges: Bridges, shared_settings: None) -> Open:
    def open_executor(**settings: Any) -> RayExecutor:
        app = alula.current_app()
        executor = RayExecutor(bridges, **settings)
        executor.open(ExecutorContext(app.storage, app.settings.folder, app.settings.environment(), app.interpreter))
        return executor

    return open_executor


def attempt_of(task: Any, name: str, inputs: dict[str, Any] | None = None, **fields: Any) -> Attempt:
    app = alula.current_app()
    return Attempt(
        id=f"{name}/a0/1",
        run=name,
        action="a0",
        number=1,
        task=task.spec(app),
        inputs={key: Scalar(value) for key, value in (inputs or {}).items()},
        output_prefix=app.settings.path(f"runs/{name}"),
        code=CodeReference(search_path=(str(SAMPLES),)),
        **fields,
    )


def with_address(attempt: Attempt, address: str) -> Attempt:
    return replace(attempt, task=replace(attempt.task, custom={**attempt.task.custom, "address": address}))


def run_command(*arguments: str, **variables: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "alula", "run", "--output", "json", "--executor", "ray", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["outputs"]


# --- plain tasks ----------------------------------------------------------------------------------------------------------


def test_the_etl_example_runs_by_configuration_alone(cluster: Cluster) -> None:
    outputs = run_command(f"{ROOT}/examples/etl.py", "etl", "--shops", "3", ALULA_RAY_ADDRESS=cluster.client)
    assert [total["region"] for total in outputs["totals"]] == ["north", "south", "west"]
    assert {total["orders"] for total in outputs["totals"]} == {98}


def test_plain_tasks(
    open_executor: Open, samples: ModuleType, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALULA_RAY_ADDRESS", cluster.address)
    executor = open_executor()

    async def scenario() -> list[Outcome]:
        attempts = [
            *(attempt_of(samples.where, f"where-{number}", {"number": number}) for number in range(4)),
            attempt_of(samples.assigned, "assigned"),
            attempt_of(samples.calls_another, "calls", {"number": 1}),
            attempt_of(samples.grows, "grows", {"count": 2}),
        ]
        handles = [await executor.submit(attempt, NoCalls()) for attempt in attempts]
        return await asyncio.gather(*(executor.wait(handle) for handle in handles))

    *where, assigned, calls, grows = asyncio.run(scenario())
    assert len({shown(outcome) for outcome in where}) == 2  # as many nodes
    assert shown(assigned) == {"CPU": 0.5, "memory": 100 * 2**20}
    assert shown(calls) == 2
    assert grows.graph is not None
    assert len(grows.graph.nodes) == 2
    assert grows.entities


def shown(outcome: Outcome) -> Any:
    assert outcome.kind == SUCCEEDED, outcome.error
    (literal,) = outcome.outputs.values()
    if isinstance(literal, Scalar):
        return literal.value
    return {key: item.value for key, item in literal.entries.items()}  # type: ignore[union-attr]


# --- jobs -----------------------------------------------------------------------------------------------------------------


def test_jobs(open_executor: Open, samples: ModuleType, cluster: Cluster, tmp_path: Path) -> None:
    executor = open_executor()
    attempts = [
        attempt_of(samples.squares, "squares", {"count": 3}),
        attempt_of(samples.reference, "reference"),
        attempt_of(samples.crash, "crash"),
        attempt_of(samples.slowly, "slowly", {"path": str(tmp_path / "late"), "seconds": 600.0}, timeout_seconds=3.0),
    ]

    async def scenario() -> tuple[list[Outcome], bytes]:
        outcomes, handles = [], []
        for attempt in attempts:  # one after the other: each needs several processes that import Ray
            handles.append(await executor.submit(with_address(attempt, cluster.jobs), NoCalls()))
            outcomes.append(await executor.wait(handles[-1]))
        return outcomes, b"".join([piece async for piece in executor.logs(handles[2])])

    (squares, reference, crash, slowly), printed = asyncio.run(scenario())
    assert squares.kind == SUCCEEDED, squares.error
    assert [item.value for item in squares.outputs["o0"].items] == [0, 1, 4]  # type: ignore[union-attr]
    assert reference.kind == USER_FAILURE
    assert "ray.get(reference)" in reference.error.message  # type: ignore[union-attr]
    assert crash.kind == SYSTEM_FAILURE
    assert crash.error.code == "WorkerCrashedError"  # type: ignore[union-attr]
    assert isinstance(printed, bytes)
    assert slowly.kind == TIMED_OUT


# --- engines that die -----------------------------------------------------------------------------------------------------

SUBMIT = """
import asyncio, json, os, sys
sys.path.insert(0, {samples!r})
sys.path.insert(0, {here!r})
import alula, ray_samples
from test_cluster import attempt_of, with_address
from alula_kernel.contracts import ExecutorContext
from alula_kernel.testing.attempts import NoCalls
from alula_ray.executor import RayExecutor

app = alula.current_app()
executor = RayExecutor()
executor.open(ExecutorContext(app.storage, app.settings.folder, app.settings.environment(), app.interpreter))
task = getattr(ray_samples, {task!r})
attempt = attempt_of(task, {task!r} + "-over-death", {inputs!r})
if {jobs!r}:
    attempt = with_address(attempt, {jobs!r})
print(json.dumps(asyncio.run(executor.submit(attempt, NoCalls()))), flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("form", ["task", "job"])
def test_another_engine_takes_over(
    open_executor: Open,
    samples: ModuleType,
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
) -> None:
    monkeypatch.setenv("ALULA_RAY_ADDRESS", cluster.address)
    jobs = cluster.jobs if form == "job" else ""
    task = "slowly" if form == "job" else "plain_slowly"
    inputs = {"path": str(tmp_path / "ran"), "seconds": 3.0}
    program = SUBMIT.format(samples=str(SAMPLES), here=str(Path(__file__).parent), task=task, inputs=inputs, jobs=jobs)
    died = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=False)
    assert died.returncode == -signal.SIGKILL
    handle = json.loads(died.stdout)
    assert handle["form"] == form

    async def scenario() -> list[Outcome]:
        executor = open_executor()
        attempt = attempt_of(getattr(samples, task), f"{task}-over-death", inputs)
        again = await executor.submit(with_address(attempt, jobs) if jobs else attempt, NoCalls())
        return list(await asyncio.gather(executor.wait(handle), executor.wait(again)))

    first, second = asyncio.run(scenario())
    assert first.kind == SUCCEEDED, first.error
    assert first == second
    assert first.outputs == {"o0": Scalar("done")}
    assert len((tmp_path / "ran").read_text().split()) == 1


def test_a_run_goes_on_after_its_engine_was_killed(cluster: Cluster, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    variables = {**os.environ, "ALULA_RAY_ADDRESS": cluster.jobs}
    command = [sys.executable, "-m", "alula", "run"]
    entity = [f"{SAMPLES}/ray_samples.py", "slowly", "--path", str(ran), "--seconds", "8"]
    engine = subprocess.Popen(
        [*command, "--name", "killed", *entity], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + _LIMIT_SECONDS
    while not ran.exists():
        assert engine.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    engine.kill()
    engine.wait()
    done = subprocess.run(
        [*command, "--output", "json", "--resume", "killed"], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout)["outputs"].values()) == ["done"]
    assert len(ran.read_text().split()) == 1


def test_what_a_dead_cluster_ran_is_lost(shared_settings: None, tmp_path: Path) -> None:
    app = alula.current_app()
    executor = RayExecutor(grace_seconds=0.5)
    executor.open(ExecutorContext(app.storage, str(tmp_path), app.settings.environment(), app.interpreter))
    handles = [
        {"form": "task", "address": "127.0.0.1:9", "keeper": "k", "key": "a", "outputs": str(tmp_path / "a")},
        {"form": "job", "address": "http://127.0.0.1:9", "job": "b", "outputs": str(tmp_path / "b")},
    ]

    async def scenario() -> list[Outcome]:
        return list(await asyncio.gather(*(executor.wait(handle) for handle in handles)))

    try:
        outcomes = asyncio.run(scenario())
    finally:
        executor.close()
    for outcome in outcomes:
        assert outcome.kind == LOST
        assert "nobody answers at 127.0.0.1:9" in outcome.error.message  # type: ignore[union-attr]


# --- a Ray of this machine ------------------------------------------------------------------------------------------------


def test_a_ray_of_this_machine(samples: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALULA_RAY_ADDRESS", raising=False)
    app = alula.current_app()
    executor = RayExecutor()
    executor.open(ExecutorContext(app.storage, app.settings.folder, app.settings.environment(), app.interpreter))

    async def scenario() -> tuple[Outcome, Outcome, Outcome]:
        squares = await executor.submit(attempt_of(samples.squares, "here", {"count": 3}), NoCalls())
        assert squares["form"] == "local"
        of_job = await executor.wait(squares)
        plain = await executor.submit(attempt_of(samples.plain_add, "plain", {"a": 1, "b": 2}), NoCalls())
        endless = await executor.submit(attempt_of(samples.plain_sleep, "endless", {"seconds": 600.0}), NoCalls())
        of_task = await executor.wait(plain)
        await executor.cancel(endless)
        return of_job, of_task, await executor.wait(endless)

    try:
        of_job, of_task, endless = asyncio.run(scenario())
    finally:
        executor.close()
    assert of_job.kind == SUCCEEDED, of_job.error
    assert [item.value for item in of_job.outputs["o0"].items] == [0, 1, 4]  # type: ignore[union-attr]
    assert shown(of_task) == 3
    assert endless.kind == CANCELLED
    assert not processes_of(app.settings.folder)


def processes_of(home: str) -> list[str]:
    """Return the processes that still know of the settings of a test."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            other = entry.name.isdigit() and int(entry.name) != os.getpid()
            if other and f"ALULA_HOME={home}\0".encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found
