"""Gates: approvals, inputs and sleeps."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from alula_kernel.engine import Phase
from alula_kernel.literals import Scalar
from alula_kernel.types import INT


def gated(world: Any, kind: str, *, timeout: float | None = None, **inputs: Any) -> Any:
    gate = world.gate(kind, "signal", timeout_seconds=timeout, type=INT)
    return world.workflow(
        world.node("g", gate, **inputs),
        world.node("n", world.task(lambda x: x + 1, "inc"), x=world.ref("g")),
        outputs=world.ref("n"),
    )


def test_approved(world: Any) -> None:
    world.gates.answers["signal"] = True
    result = world.run(gated(world, "approve", value=5), name="r")
    assert result.value == 6
    gate = result.actions["a0.g"]
    assert (gate.kind, gate.name, gate.phase, gate.outputs) == ("gate", "signal", Phase.SUCCEEDED, {"o0": Scalar(5)})
    assert [event.phase for event in world.events if event.action == "a0.g"] == ["queued", "paused", "succeeded"]
    (request,) = world.gates.asked
    assert (request.run, request.action, request.gate, request.signal) == ("r", "a0.g", "approve", "signal")
    assert (request.value, request.type, request.timeout_seconds) == (Scalar(5), INT, None)


def test_rejected(world: Any) -> None:
    world.gates.answers["signal"] = False
    result = world.run(gated(world, "approve", value=5))
    assert (result.error.code, result.error.message) == ("GateRejected", "'signal' was rejected")
    assert result.error.action == "a0.g"
    assert result.phases == {"a0.g": "failed"}


def test_an_input(world: Any) -> None:
    world.gates.answers["signal"] = 41
    result = world.run(gated(world, "input"))
    assert result.value == 42
    assert world.gates.asked[0].gate == "input"
    assert world.gates.asked[0].value is None


@pytest.mark.parametrize("kind", ["approve", "input"])
def test_nobody_answers_in_time(world: Any, kind: str) -> None:
    world.gates.answers["signal"] = lambda: asyncio.sleep(3600)
    result = world.run(gated(world, kind, timeout=0.02, **({"value": 1} if kind == "approve" else {})))
    assert (result.error.code, result.error.message) == ("GateTimeout", "no answer to 'signal' within 0.02 s")
    assert result.phases == {"a0.g": "failed"}


@pytest.mark.parametrize("error", [TimeoutError, asyncio.TimeoutError])
def test_a_keeper_that_gives_up_by_itself(world: Any, error: type[Exception]) -> None:
    world.gates.answers["signal"] = error("gone home")
    result = world.run(gated(world, "input"))
    assert (result.error.code, result.error.message) == ("GateTimeout", "no answer to 'signal'")


def test_a_keeper_that_fails_stops_the_run(world: Any) -> None:
    world.gates.answers["signal"] = OSError("no terminal")
    with pytest.raises(OSError, match="no terminal"):
        world.run(gated(world, "input"), name="r")
    assert world.actions("r")["a0.g"].phase is Phase.ABORTED


def test_others_run_while_a_person_thinks(world: Any) -> None:
    thinking = asyncio.Event()

    async def answer() -> int:
        await asyncio.wait_for(thinking.wait(), 30)
        return 1

    async def other() -> int:
        await asyncio.sleep(0)
        thinking.set()
        return 2

    world.gates.answers["signal"] = answer
    flow = world.workflow(world.node("g", world.gate("input", "signal")), world.node("n", world.task(other)))
    assert world.run(flow, max_parallelism=1).phases == {"a0.g": "succeeded", "a0.n": "succeeded"}


def test_sleep(world: Any) -> None:
    flow = world.workflow(
        world.node("s", world.gate("sleep", duration_seconds=0.05)),
        world.node("n", world.task(lambda: 1, "one"), upstream=["s"]),
    )
    started = time.monotonic()
    result = world.run(flow)
    assert time.monotonic() - started >= 0.049
    assert result.phases == {"a0.s": "succeeded", "a0.n": "succeeded"}
    assert world.gates.asked == []


def test_an_abort_while_a_gate_is_open(world: Any, in_loop: Any) -> None:
    cancelled: list[int] = []

    async def answer() -> int:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise
        return 0

    world.gates.answers["signal"] = answer
    flow = gated(world, "input", timeout=3600)

    async def scenario() -> None:
        running = asyncio.ensure_future(world.run_async(flow, name="r"))
        while not world.gates.asked:
            await asyncio.sleep(0)
        assert world.actions("r")["a0.g"].phase is Phase.PAUSED
        await asyncio.sleep(0.01)
        running.cancel("never mind")
        with pytest.raises(asyncio.CancelledError):
            await running

    in_loop(scenario())
    assert cancelled == [1]
    assert (world.actions("r")["a0.g"].phase, world.actions("r")["a0.g"].message) == (Phase.ABORTED, "never mind")


def test_the_question_is_stored_before_it_is_asked(make_world: Any, make_journal: Any) -> None:
    journal = make_journal()
    world = make_world(store=journal)
    on_disk: list[Any] = []

    async def answer() -> int:
        on_disk.append(journal.disk["a0.g"][0])
        return 1

    world.gates.answers["signal"] = answer
    assert world.run(gated(world, "input")).value == 2
    assert on_disk == [Phase.PAUSED]
