"""The failure node of a workflow: after a failure, and after an abort."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from alula_kernel.engine import Phase
from alula_kernel.literals import Scalar
from alula_kernel.specs import Node


def fail(x: int = 0) -> int:
    raise ValueError("it broke")


async def forever() -> int:
    await asyncio.sleep(3600)
    return 0


def handled(world: Any, *nodes: Node, handler: Any, **inputs: Any) -> Any:
    return world.workflow(*nodes, inputs=["x", "y"], on_failure=world.node("fix", handler, **inputs))


def test_the_handler_gets_the_inputs_and_the_error(world: Any) -> None:
    seen: list[Any] = []
    handler = world.task(lambda x, err: seen.append((x, err)), "handler")
    flow = handled(world, world.node("n0", world.task(fail)), handler=handler)
    result = world.run(flow, {"x": 1, "y": 2})
    assert seen == [(1, {"failed_node_id": "a0.n0", "message": "it broke"})]
    assert result.error.code == "ValueError"
    assert result.phases == {"a0.n0": "failed", "a0.fix": "succeeded"}
    assert result.root.phase is Phase.FAILED


def test_it_does_not_run_after_a_success(world: Any) -> None:
    handler = world.task(lambda: None, "handler")
    result = world.run(handled(world, handler=handler), {"x": 1, "y": 2})
    assert result.error is None
    assert world.log == []


def test_inputs_that_the_workflow_does_not_have_are_none(world: Any) -> None:
    seen: list[Any] = []
    handler = world.task(lambda other, y, err: seen.append((other, y)), "handler")
    world.run(handled(world, world.node("n0", world.task(fail)), handler=handler), {"x": 1, "y": 2})
    assert seen == [(None, 2)]


def test_inputs_that_are_bound_come_first(world: Any) -> None:
    seen: list[Any] = []
    handler = world.task(lambda x, y: seen.append((x, y)), "handler")
    flow = handled(world, world.node("n0", world.task(fail)), handler=handler, x=7, y=world.ref("", "x"))
    world.run(flow, {"x": 1, "y": 2})
    assert seen == [(7, 1)]


def test_an_input_called_err_that_the_workflow_has_itself_is_left_alone(world: Any) -> None:
    seen: list[Any] = []
    handler = world.task(lambda err: seen.append((err,)), "handler")
    flow = world.workflow(world.node("n0", world.task(fail)), inputs=["err"], on_failure=world.node("fix", handler))
    world.run(flow, {"err": 5})
    assert seen == [(5,)]


def test_its_own_failure_replaces_the_original(world: Any) -> None:
    def worse(err: Any) -> None:
        raise KeyError("worse")

    flow = handled(world, world.node("n0", world.task(fail)), handler=world.task(worse))
    result = world.run(flow, {"x": 1, "y": 2})
    assert result.error.code == "KeyError"
    assert result.error.action == "a0.fix"
    assert isinstance(result.original, KeyError)
    assert result.phases == {"a0.n0": "failed", "a0.fix": "failed"}


def test_it_may_be_async_and_wait(world: Any) -> None:
    async def handler(x: int) -> None:
        await asyncio.sleep(0.01)

    flow = handled(world, world.node("n0", world.task(fail)), handler=world.task(handler))
    assert world.run(flow, {"x": 1, "y": 2}).phases["a0.fix"] == "succeeded"


def test_it_runs_after_running_siblings_have_been_stopped(world: Any) -> None:
    async def slow() -> int:
        try:
            await asyncio.sleep(3600)
        finally:
            world.log.append("stopped")
        return 0

    async def soon() -> int:
        await asyncio.sleep(0.01)
        raise ValueError("it broke")

    handler = world.task(lambda: None, "handler")
    flow = handled(world, world.node("n0", world.task(slow)), world.node("n1", world.task(soon)), handler=handler)
    world.run(flow, {"x": 1, "y": 2})
    assert world.log == ["slow", "soon", "stopped", "handler"]


def test_it_runs_when_outputs_cannot_be_put_together(world: Any) -> None:
    seen: list[Any] = []
    handler = world.task(lambda err: seen.append(err["message"]), "handler")
    flow = world.workflow(inputs=["x"], outputs=world.ref("", "x", "nothing"), on_failure=world.node("fix", handler))
    result = world.run(flow, {"x": 1})
    assert result.error.code == "AttributeNotFound"
    assert seen == [result.error.message]


def test_handlers_of_sub_workflows_run_first(world: Any) -> None:
    inner_handler = world.task(lambda: None, "inner")
    outer_handler = world.task(lambda: None, "outer")
    inner = world.workflow(world.node("bad", world.task(fail)), on_failure=world.node("fix", inner_handler))
    flow = world.workflow(world.node("n0", inner), on_failure=world.node("fix", outer_handler))
    result = world.run(flow)
    assert world.log == ["fail", "inner", "outer"]
    assert result.phases == {
        "a0.n0": "failed",
        "a0.n0.bad": "failed",
        "a0.n0.fix": "succeeded",
        "a0.fix": "succeeded",
    }


def test_a_workflow_as_handler(world: Any) -> None:
    cleanup = world.workflow(world.node("c", world.task(lambda x: x, "clean"), x=world.ref("", "x")), inputs=["x"])
    result = world.run(handled(world, world.node("n0", world.task(fail)), handler=cleanup), {"x": 1, "y": 2})
    assert result.phases["a0.fix.c"] == "succeeded"


# --- aborts --------------------------------------------------------------------------------------------------------------


async def abort(world: Any, flow: Any, reason: str | None = "the user asked", **inputs: Any) -> None:
    """Run a workflow, cancel it once a task called ``forever`` runs, and wait for its end."""
    running = asyncio.ensure_future(world.run_async(flow, inputs, name="r"))
    while "forever" not in world.log:
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    running.cancel(reason)
    with pytest.raises(asyncio.CancelledError):
        await running


def test_it_runs_after_an_abort_and_is_told_why(world: Any, in_loop: Any) -> None:
    seen: list[Any] = []
    handler = world.task(lambda x, err: seen.append((x, err["message"])), "handler")
    flow = handled(world, world.node("n0", world.task(forever)), handler=handler)
    in_loop(abort(world, flow, x=1, y=2))
    assert seen == [(1, "the user asked")]
    actions = world.actions("r")
    assert {key: action.phase.value for key, action in actions.items()} == {
        "a0": "aborted",
        "a0.n0": "aborted",
        "a0.fix": "succeeded",
    }
    assert actions["a0"].message == "the user asked"
    assert actions["a0.n0"].message == "the user asked"


def test_an_abort_reaches_every_child_and_says_why(world: Any, in_loop: Any) -> None:
    async def parent(call: Any) -> int:
        return await call.aio(child)

    child = world.task(forever)

    async def each(x: int) -> int:
        return await forever()

    inner = world.workflow(world.node("i0", world.task(parent)), world.node("i1", child, upstream=["i0"]))
    flow = world.workflow(world.node("n0", inner), world.node("n1", world.map(world.task(each)), x=[1, 2]))
    in_loop(abort(world, flow))
    actions = world.actions("r")
    assert {action.phase for action in actions.values()} == {Phase.ABORTED}
    assert {action.message for action in actions.values()} == {"the user asked"}
    assert len(actions) == 7


def test_an_abort_without_a_reason(world: Any, in_loop: Any) -> None:
    in_loop(abort(world, world.workflow(world.node("n0", world.task(forever))), reason=None))
    assert {action.message for action in world.actions("r").values()} == {"cancelled"}


def test_a_handler_that_fails_does_not_hide_the_abort(
    world: Any, in_loop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    flow = world.workflow(
        world.node("n0", world.task(forever)), on_failure=world.node("fix", world.task(fail, "handler"))
    )
    with caplog.at_level(logging.WARNING, "alula.engine"):
        in_loop(abort(world, flow))
    assert world.actions("r")["a0.fix"].phase is Phase.FAILED
    assert world.actions("r")["a0"].phase is Phase.ABORTED
    assert "the failure handler of flow failed: it broke" in caplog.text


def test_an_interrupt_runs_the_handler_and_is_raised(world: Any) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    seen: list[Any] = []
    flow = world.workflow(
        world.node("n0", world.task(interrupted)),
        on_failure=world.node("fix", world.task(lambda err: seen.append(err["message"]), "handler")),
    )
    with pytest.raises(KeyboardInterrupt):
        world.run(flow, name="r")
    assert seen == ["interrupted"]
    actions = world.actions("r")
    assert (actions["a0"].phase, actions["a0"].message) == (Phase.ABORTED, "interrupted")
    assert (actions["a0.n0"].phase, actions["a0.n0"].message) == (Phase.ABORTED, "interrupted")
    assert actions["a0.n0"].attempts[0].outcome == "cancelled"


def test_a_handler_that_fails_does_not_hide_an_interrupt(world: Any) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    flow = world.workflow(world.node("n0", world.task(interrupted)), on_failure=world.node("fix", world.task(fail)))
    with pytest.raises(KeyboardInterrupt):
        world.run(flow)


def test_an_async_handler_runs_after_an_interrupt_of_plain_code(world: Any) -> None:
    """The run has had no event loop until then."""

    def interrupted() -> int:
        raise KeyboardInterrupt

    async def handler() -> None:
        await asyncio.sleep(0.01)
        world.log.append("handled")

    flow = world.workflow(world.node("n0", world.task(interrupted)), on_failure=world.node("fix", world.task(handler)))
    with pytest.raises(KeyboardInterrupt):
        world.run(flow)
    assert world.log[-1] == "handled"


def test_defaults_of_the_handler(world: Any) -> None:
    task = world.task(lambda x: world.log.append((x,)), "handler")
    flow = world.workflow(
        world.node("n0", world.task(fail)),
        inputs=["x"],
        on_failure=Node(id="fix", target=world.node("t", task).target),
    )
    world.run(flow, {"x": Scalar(3)})
    assert world.log == ["fail", "handler", (3,)]
