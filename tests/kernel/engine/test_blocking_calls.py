"""Several children of a thread that blocks, recorded steps, and runs that their caller drives."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from alula_kernel.contracts import CallFailedError, CallRequest, Calls, Controller, Trace, TraceRequest
from alula_kernel.engine import Phase, RunOptions
from alula_kernel.engine.sqlite_store import SqliteStore
from alula_kernel.errors import ActionError, UsageError
from alula_kernel.literals import Literal, Scalar
from alula_kernel.specs import EntityId, EntityTarget
from alula_kernel.worker_protocol import BeginTrace, EndTrace, Traced, decode_message, encode_message

REQUEST = TraceRequest(name="module.step", code="1", inputs={"x": Scalar(1)})


class OneCall(Controller):
    """A controller that can do no more than a controller must."""

    async def call(self, request: CallRequest) -> dict[str, Literal]:
        raise AssertionError

    def call_blocking(self, request: CallRequest) -> dict[str, Literal]:
        if request.name == "fails":
            raise CallFailedError(ActionError(code="E", message="no"))
        return {"o0": Scalar(request.name)}

    async def enter_event_loop(self) -> None:
        raise AssertionError

    def note_exception(self, exception: BaseException) -> None:
        raise AssertionError


def test_without_more_calls_run_one_after_the_other_and_nothing_is_recorded() -> None:
    controller = OneCall()
    calls = controller.calls()
    target = EntityTarget(EntityId("task", "m.f"))
    assert calls.begin(7, CallRequest(target=target, inputs={}, name="works"))
    assert calls.begin(8, CallRequest(target=target, inputs={}, name="fails"))
    assert calls.next_end() == (7, {"o0": Scalar("works")}, None)
    key, outputs, failure = calls.next_end()
    assert (key, outputs, failure is not None and failure.error.code) == (8, None, "E")
    calls.close("")
    trace = controller.begin_trace(REQUEST)
    assert trace == Trace()
    controller.end_trace(trace, {}, None)


@pytest.mark.parametrize(
    "message",
    [
        BeginTrace(1, REQUEST),
        Traced(1, Trace(action="a0.step")),
        Traced(1, Trace(action="a0.step", outputs={})),
        EndTrace(2, Trace(action="a0.step"), {"o0": Scalar(None)}),
        EndTrace(2, Trace(action="a0.step"), None, ActionError(code="E", message="m", exception="builtins:ValueError")),
    ],
)
def test_messages_keep_what_they_say(message: Any) -> None:
    assert decode_message(encode_message(message)[4:]) == message


def test_several_children_of_a_thread_that_blocks(world: Any) -> None:
    together: list[int] = []
    most = 0

    async def child(x: int) -> int:
        nonlocal most
        together.append(x)
        most = max(most, len(together))
        await asyncio.sleep(0.01)
        together.remove(x)
        if x == 2:
            raise ValueError(x)
        return x

    spec = world.task(child)

    def parent(call: Any) -> int:
        calls: Calls = call.controller.calls()
        for x in range(4):
            assert not calls.begin(x, call.request(spec, {"x": x}))
        ends = [calls.next_end() for _ in range(4)]
        calls.begin(9, call.request(spec, {"x": 9}))
        calls.close("enough")
        calls.close("enough")
        assert sorted(end.key for end in ends if end.failure is None) == [0, 1, 3]
        return 1

    result = world.run(world.task(parent))
    assert result.value == 1
    assert most == 4
    phases = sorted(action.phase.value for action in result.actions.values() if action.parent)
    assert phases == ["aborted", "failed", "succeeded", "succeeded", "succeeded"]


def test_a_run_that_its_caller_drives_is_kept_by_a_durable_store(make_world: Any, tmp_path: Path) -> None:
    world = make_world(store=SqliteStore(tmp_path / "runs.db"))
    spec = world.task(lambda x: x + 1, "inc")
    target, entity = EntityTarget(spec.id), EntityId("map", "world.inc")
    for name, ending in (("a", {}), ("b", {"error": ActionError(code="E", message="m")}), ("c", {"stopped": "left"})):
        run = world.engine.open_run("inc_map", entity, RunOptions(name=name))
        outputs = run.controller.call_blocking(CallRequest(target=target, inputs={"x": Scalar(1)}))
        assert outputs == {"o0": Scalar(2)}
        trace = run.controller.begin_trace(REQUEST)
        run.controller.end_trace(trace, {"o0": Scalar(3)}, None)
        run.end(**ending)
        run.end()
    with pytest.raises(UsageError, match="'a'"):
        world.engine.open_run("inc_map", entity, RunOptions(name="a"))
    kept = {record.name: (record.status, record.message) for record in world.engine.store.runs()}
    assert kept == {"a": ("succeeded", ""), "b": ("failed", ""), "c": ("aborted", "left")}
    actions = SqliteStore(tmp_path / "runs.db").actions("a")
    assert [(a.kind, a.phase) for a in actions] == [
        ("map", Phase.SUCCEEDED),
        ("task", Phase.SUCCEEDED),
        ("trace", Phase.SUCCEEDED),
    ]
