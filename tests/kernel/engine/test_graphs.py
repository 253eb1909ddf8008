"""Workflows: order, data flow, failure policies, sub-workflows, launch plans."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from alula_kernel.engine import Phase
from alula_kernel.errors import EngineError, NonRecoverableError, UsageError
from alula_kernel.literals import ListLiteral, Scalar
from alula_kernel.specs import (
    FAIL_AFTER_EXECUTABLE_NODES_COMPLETE,
    EntityId,
    EntityTarget,
    Interface,
    ListBinding,
    MapBinding,
    Node,
    Overrides,
    Variable,
)
from alula_kernel.types import INT


def inc(x: int) -> int:
    return x + 1


def test_a_chain(world: Any) -> None:
    task = world.task(inc)
    flow = world.workflow(
        world.node("n0", task, x=world.ref("", "x")),
        world.node("n1", task, x=world.ref("n0")),
        world.node("n2", task, x=world.ref("n1")),
        inputs=["x"],
        outputs=world.ref("n2"),
    )
    result = world.run(flow, {"x": 1})
    assert result.value == 4
    assert result.phases == {"a0.n0": "succeeded", "a0.n1": "succeeded", "a0.n2": "succeeded"}
    assert result.root.phase is Phase.SUCCEEDED
    assert result.root.outputs == {"o0": Scalar(4)}
    assert result.actions["a0.n1"].parent == "a0"
    assert result.actions["a0.n1"].inputs == {"x": Scalar(2)}
    assert [attempt.outcome for attempt in result.actions["a0.n1"].attempts] == ["succeeded"]


def test_nodes_start_in_the_order_in_which_they_were_written(world: Any) -> None:
    nodes = [world.node(f"n{i}", world.task(lambda: 0, f"t{i}")) for i in range(20)]
    world.run(world.workflow(*nodes))
    assert world.log == [f"t{i}" for i in range(20)]


def test_a_node_that_becomes_ready_comes_before_later_ones(world: Any) -> None:
    """Depth first, so that few results are alive at a time, and the same order every time."""
    tasks = {name: world.task(lambda: 0, name) for name in "abcd"}
    flow = world.workflow(
        world.node("n0", tasks["a"]),
        world.node("n1", tasks["b"], upstream=["n0"]),
        world.node("n2", tasks["c"]),
        world.node("n3", tasks["d"], upstream=["n1"]),
    )
    world.run(flow)
    assert world.log == ["a", "b", "c", "d"]


def test_async_nodes_start_in_order_and_run_together(world: Any) -> None:
    started: list[int] = []
    everybody = asyncio.Event()

    def make(index: int) -> Any:
        async def wait() -> int:
            started.append(index)
            if len(started) == 10:
                everybody.set()
            await asyncio.wait_for(everybody.wait(), 30)
            return index

        return wait

    nodes = [world.node(f"n{i}", world.task(make(i), f"t{i}")) for i in range(10)]
    flow = world.workflow(*nodes, outputs=ListBinding(tuple(world.ref(f"n{i}") for i in range(10))))
    assert world.run(flow).value == list(range(10))
    assert started == list(range(10))


@pytest.mark.parametrize("slow", ["left", "right"])
def test_a_diamond(world: Any, slow: str) -> None:
    async def double(x: int) -> int:
        if slow == "left":
            await asyncio.sleep(0.01)
        return x * 2

    async def negate(x: int) -> int:
        if slow == "right":
            await asyncio.sleep(0.01)
        return -x

    add = world.task(lambda x, y: x + y, "add")
    flow = world.workflow(
        world.node("top", world.task(inc), x=world.ref("", "x")),
        world.node("left", world.task(double), x=world.ref("top")),
        world.node("right", world.task(negate), x=world.ref("top")),
        world.node("end", add, x=world.ref("left"), y=world.ref("right")),
        inputs=["x"],
        outputs=world.ref("end"),
    )
    assert world.run(flow, {"x": 4}).value == 5
    assert world.log[0] == "inc"
    assert world.log[-1] == "add"


def test_a_dependent_does_not_wait_for_others(world: Any) -> None:
    """The quick branch goes on while the slow one still runs."""
    finished = asyncio.Event()

    async def slow() -> int:
        await asyncio.wait_for(finished.wait(), 30)
        return 0

    async def quick() -> int:
        await asyncio.sleep(0)
        return 1

    async def after(x: int) -> int:
        finished.set()
        return x

    flow = world.workflow(
        world.node("n0", world.task(slow)),
        world.node("n1", world.task(quick)),
        world.node("n2", world.task(after), x=world.ref("n1")),
    )
    assert world.run(flow).error is None


def test_outputs_are_put_together_from_bindings(world: Any) -> None:
    task = world.task(inc)
    pair = world.task(lambda x: (x, -x), "pair", outputs=("first", "second"))
    flow = world.workflow(
        world.node("n0", task, x=1),
        world.node("n1", pair, x=world.ref("n0")),
        inputs=["x"],
        outputs={
            "constant": 7,
            "input": world.ref("", "x"),
            "all": ListBinding((world.ref("n1", "first"), world.ref("n1", "second"), world.ref("", "x"))),
            "named": MapBinding({"a": world.ref("n0"), "b": ListBinding(())}),
        },
    )
    assert world.run(flow, {"x": 5}).outputs == {
        "constant": 7,
        "input": 5,
        "all": [2, -2, 5],
        "named": {"a": 2, "b": []},
    }


def test_no_nodes_and_no_outputs(world: Any) -> None:
    result = world.run(world.workflow())
    assert result.outputs == {}
    assert result.root.phase is Phase.SUCCEEDED
    assert world.run(world.workflow(inputs=["x"], outputs=world.ref("", "x")), {"x": 3}).value == 3


def test_a_task_alone(world: Any) -> None:
    result = world.run(world.task(inc), {"x": 1})
    assert result.value == 2
    assert result.root.kind == "task"
    assert list(result.actions) == ["a0"]


def test_defaults_of_inputs(world: Any) -> None:
    interface = Interface(
        {"x": Variable(INT), "y": Variable(INT, required=False, default=Scalar(10))}, {"o0": Variable(INT)}
    )
    add = world.task(lambda x, y: x + y, "add", interface=interface)
    assert world.run(add, {"x": 1}).value == 11
    assert world.run(add, {"x": 1, "y": 2}).value == 3
    flow = world.workflow(
        world.node("n0", add, x=world.ref("", "x")), interface=interface, outputs={"o0": world.ref("n0")}
    )
    assert world.run(flow, {"x": 5}).value == 15


def test_missing_inputs_are_refused_before_anything_runs(world: Any) -> None:
    add = world.task(lambda x, y: x + y, "add")
    with pytest.raises(UsageError, match=r"task .*add was not given x, y"):
        world.run(add)
    assert world.log == []


def test_overrides_hold_for_one_node(world: Any) -> None:
    seen: list[Any] = []

    def show(call: Any) -> int:
        seen.append(call.attempt.task.queue)
        return 0

    task = world.task(show)
    world.run(
        world.workflow(
            world.node("n0", task, overrides=Overrides(queue="fast")), world.node("n1", task, upstream=["n0"])
        )
    )
    assert seen == ["fast", ""]


def test_a_reference_to_a_later_node_is_a_broken_spec(world: Any) -> None:
    task = world.task(inc)
    flow = world.workflow(world.node("n0", task, x=world.ref("n1")), world.node("n1", task, x=1))
    with pytest.raises(EngineError, match="n0 refers to n1, which comes after it"):
        world.run(flow)


def test_an_unknown_entity_is_raised_and_the_run_is_concluded(world: Any) -> None:
    missing = EntityId("task", "nowhere.nothing")
    flow = world.workflow(Node(id="n0", target=EntityTarget(missing)))
    with pytest.raises(KeyError):
        world.run(flow, name="unknown")
    assert world.actions("unknown")["a0"].phase is Phase.ABORTED


def test_a_task_that_nothing_runs_is_raised_and_concluded(world: Any) -> None:
    task = world.task(inc, type="quantum")
    flow = world.workflow(world.node("n0", task, x=1))
    with pytest.raises(UsageError, match="unknown task type 'quantum'"):
        world.run(flow, name="quantum")
    assert {i: a.phase.value for i, a in world.actions("quantum").items()} == {"a0": "aborted", "a0.n0": "aborted"}
    with pytest.raises(UsageError, match="unknown executor 'nowhere'"):
        world.run(world.task(inc), {"x": 1}, executor="nowhere")


def test_an_unknown_task_beside_running_nodes_stops_them(world: Any) -> None:
    stopped: list[str] = []

    async def forever() -> int:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            stopped.append("stopped")
            raise
        return 0

    async def quick() -> int:
        await asyncio.sleep(0.01)
        return 1

    flow = world.workflow(
        world.node("n0", world.task(forever)),
        world.node("n1", world.task(quick)),
        world.node("n2", world.task(inc, type="quantum"), x=world.ref("n1")),
    )
    with pytest.raises(UsageError, match="quantum"):
        world.run(flow, name="r")
    assert stopped == ["stopped"]
    assert all(action.final for action in world.actions("r").values())


# --- failure policies --------------------------------------------------------------------------------------------------


def fail(x: int = 0) -> int:
    raise ValueError("it broke")


def test_a_failure_names_the_node_that_failed_first(world: Any) -> None:
    flow = world.workflow(
        world.node("n0", world.task(inc), x=1),
        world.node("n1", world.task(fail), x=world.ref("n0")),
        world.node("n2", world.task(inc), x=world.ref("n1")),
    )
    result = world.run(flow)
    assert (result.error.code, result.error.message) == ("ValueError", "it broke")
    assert result.error.action == "a0.n1"
    assert result.error.name.endswith(".fail")
    assert isinstance(result.original, ValueError)
    assert result.root.phase is Phase.FAILED
    assert result.outputs == {}
    assert result.phases == {"a0.n0": "succeeded", "a0.n1": "failed"}


def test_fail_immediately_cancels_what_runs_elsewhere_and_waits_for_its_end(world: Any) -> None:
    async def forever(attempt: Any) -> int:
        await asyncio.sleep(3600)
        return 0

    async def soon(attempt: Any) -> int:
        await asyncio.sleep(0.01)
        raise ValueError("it broke")

    flow = world.workflow(
        world.node("n0", world.remote_task(forever)),
        world.node("n1", world.remote_task(forever)),
        world.node("n2", world.remote_task(soon)),
        world.node("n3", world.remote_task(forever), upstream=["n0"]),
    )
    result = world.run(flow)
    assert result.error.message == "it broke"
    assert world.remote.called("cancel") == ["a0.n0/1", "a0.n1/1"]
    assert sorted(world.remote.called("ended")) == ["a0.n0/1", "a0.n1/1", "a0.n2/1"]
    # The run is over only after every attempt has ended.
    last_cancel = max(i for i, (kind, _) in enumerate(world.remote.calls) if kind == "cancel")
    assert ("wait", f"{result.name}/a0.n1/1") in world.remote.calls[last_cancel:]
    assert all(job.done() for job in world.remote.jobs.values())
    assert result.phases == {"a0.n0": "aborted", "a0.n1": "aborted", "a0.n2": "failed"}
    assert result.actions["a0.n0"].message.endswith("soon failed")
    assert result.actions["a0.n0"].attempts[0].outcome == "cancelled"
    assert result.actions["a0.n0"].attempts[0].ended_at is not None


def test_fail_immediately_cancels_coroutines_and_waits_for_their_cleanup(world: Any) -> None:
    cleaned: list[int] = []

    async def forever(x: int) -> int:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(x)
        return 0

    task = world.task(forever)

    async def soon() -> int:
        await asyncio.sleep(0.01)
        raise ValueError("it broke")

    nodes = [world.node(f"n{i}", task, x=i) for i in range(5)]
    result = world.run(world.workflow(*nodes, world.node("bad", world.task(soon))))
    assert result.error.message == "it broke"
    assert sorted(cleaned) == [0, 1, 2, 3, 4]
    assert {result.phases[f"a0.n{i}"] for i in range(5)} == {"aborted"}


def test_a_failure_in_the_same_step_reaches_nodes_that_had_no_step_of_their_own_yet(world: Any) -> None:
    """The coroutines wait for their first turn in the event loop when the plain function beside them fails."""

    async def never(x: int) -> int:
        raise AssertionError("the run had failed before")

    task = world.task(never)
    nodes = [world.node(f"n{i}", task, x=i) for i in range(5)]
    result = world.run(world.workflow(*nodes, world.node("bad", world.task(fail))))
    assert result.error.message == "it broke"
    assert "never" not in world.log
    assert {result.phases[f"a0.n{i}"] for i in range(5)} == {"aborted"}
    assert {result.actions[f"a0.n{i}"].message for i in range(5)} == {f"{result.error.name} failed"}


def test_code_that_catches_the_cancellation_cannot_go_on_with_the_workflow(world: Any) -> None:
    async def stubborn() -> int:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
        return 1

    async def soon() -> int:
        await asyncio.sleep(0.01)
        raise ValueError("it broke")

    inner = world.workflow(
        world.node("i0", world.task(stubborn)), world.node("i1", world.task(inc, "after"), x=world.ref("i0"))
    )
    flow = world.workflow(world.node("n0", inner), world.node("n1", world.task(soon)))
    result = world.run(flow)
    assert result.error.message == "it broke"
    assert "after" not in world.log
    assert result.phases == {"a0.n0": "aborted", "a0.n0.i0": "aborted", "a0.n1": "failed"}


def test_fail_after_executable_nodes_runs_what_it_can(world: Any) -> None:
    async def slow(x: int) -> int:
        await asyncio.sleep(0.02)
        return x

    task = world.task(inc)
    flow = world.workflow(
        world.node("bad", world.task(fail)),
        world.node("n0", world.task(slow), x=1),
        world.node("n1", task, x=world.ref("n0")),
        world.node("skip0", task, x=world.ref("bad")),
        world.node("skip1", task, x=world.ref("skip0")),
        world.node("skip2", world.task(lambda x, y: 0, "both"), x=world.ref("n1"), y=world.ref("bad")),
        world.node("skip3", task, x=5, upstream=["skip2"]),
        outputs=world.ref("n1"),
        failure_policy=FAIL_AFTER_EXECUTABLE_NODES_COMPLETE,
    )
    result = world.run(flow)
    assert result.error.action == "a0.bad"
    assert result.phases == {
        "a0.bad": "failed",
        "a0.n0": "succeeded",
        "a0.n1": "succeeded",
        "a0.skip0": "skipped",
        "a0.skip1": "skipped",
        "a0.skip2": "skipped",
        "a0.skip3": "skipped",
    }
    assert result.actions["a0.skip0"].message == "something that it needs failed"
    assert "both" not in world.log


def test_fail_after_executable_nodes_reports_the_first_failure(world: Any) -> None:
    async def late() -> int:
        await asyncio.sleep(0.02)
        raise KeyError("late")

    flow = world.workflow(
        world.node("n0", world.task(late)),
        world.node("n1", world.task(fail)),
        failure_policy=FAIL_AFTER_EXECUTABLE_NODES_COMPLETE,
    )
    result = world.run(flow)
    assert result.error.code == "ValueError"
    assert result.phases == {"a0.n0": "failed", "a0.n1": "failed"}


# --- sub-workflows and launch plans -------------------------------------------------------------------------------------


def test_a_sub_workflow_is_an_action_with_children(world: Any) -> None:
    task = world.task(inc)
    inner = world.workflow(
        world.node("i0", task, x=world.ref("", "x")),
        world.node("i1", task, x=world.ref("i0")),
        inputs=["x"],
        outputs=world.ref("i1"),
    )
    flow = world.workflow(
        world.node("n0", inner, x=world.ref("", "x")),
        world.node("n1", inner, x=world.ref("n0")),
        inputs=["x"],
        outputs=world.ref("n1"),
    )
    result = world.run(flow, {"x": 0})
    assert result.value == 4
    assert list(result.actions) == ["a0", "a0.n0", "a0.n0.i0", "a0.n0.i1", "a0.n1", "a0.n1.i0", "a0.n1.i1"]
    assert result.actions["a0.n1"].kind == "workflow"
    assert result.actions["a0.n1"].outputs == {"o0": Scalar(4)}


def test_a_sub_workflow_keeps_its_own_failure_policy(world: Any) -> None:
    inner = world.workflow(
        world.node("bad", world.task(fail)),
        world.node("good", world.task(inc), x=1),
        failure_policy=FAIL_AFTER_EXECUTABLE_NODES_COMPLETE,
    )
    result = world.run(world.workflow(world.node("n0", inner), world.node("n1", world.task(inc), x=1)))
    assert result.phases == {"a0.n0": "failed", "a0.n0.bad": "failed", "a0.n0.good": "succeeded"}


def test_deep_nesting(world: Any) -> None:
    spec: Any = world.workflow(
        world.node("n", world.task(inc), x=world.ref("", "x")), inputs=["x"], outputs=world.ref("n")
    )
    for _ in range(30):
        spec = world.workflow(world.node("n", spec, x=world.ref("", "x")), inputs=["x"], outputs=world.ref("n"))
    result = world.run(spec, {"x": 1})
    assert result.value == 2
    assert max(map(len, result.actions)) == len("a0" + ".n" * 31)


def test_launch_plans_bind_inputs(world: Any) -> None:
    show = world.task(lambda a, b, c: [a, b, c], "show")
    flow = world.workflow(
        world.node("n0", show, a=world.ref("", "a"), b=world.ref("", "b"), c=world.ref("", "c")),
        inputs=["a", "b", "c"],
        outputs=world.ref("n0"),
    )
    plan = world.launch_plan(flow, default_inputs={"b": Scalar(20)}, fixed_inputs={"c": Scalar(300)})
    assert world.run(plan, {"a": 1}).value == [1, 20, 300]
    assert world.run(plan, {"a": 1, "b": 2, "c": 3}).value == [1, 2, 300]
    outer = world.workflow(world.node("lp", plan, a=1, b=2), outputs=world.ref("lp"))
    result = world.run(outer)
    assert result.value == [1, 2, 300]
    assert result.actions["a0.lp"].kind == "launch_plan"
    assert result.phases == {"a0.lp": "succeeded", "a0.lp.n0": "succeeded"}


def test_interruptible_is_inherited_unless_said_otherwise(world: Any) -> None:
    seen: dict[str, bool] = {}

    def show(call: Any) -> int:
        seen[call.attempt.action] = call.attempt.interruptible
        return 0

    plain, never = world.task(show), world.task(show, interruptible=False)
    inner = world.workflow(world.node("i", plain), interruptible=False)
    flow = world.workflow(
        world.node("n0", plain),
        world.node("n1", never),
        world.node("n2", inner),
        world.node("n3", plain, overrides=Overrides(interruptible=False)),
        interruptible=True,
    )
    world.run(flow)
    assert seen == {"a0.n0": True, "a0.n1": False, "a0.n2.i": False, "a0.n3": False}
    seen.clear()
    world.run(flow, interruptible=False)
    assert seen == {"a0.n0": False, "a0.n1": False, "a0.n2.i": False, "a0.n3": False}
    seen.clear()
    world.run(world.workflow(world.node("n0", plain), world.node("n1", never)), interruptible=True)
    assert seen == {"a0.n0": True, "a0.n1": False}


def test_what_an_attempt_is_told(world: Any) -> None:
    attempts: list[Any] = []

    def show(x: int, call: Any) -> int:
        attempts.append(call.attempt)
        return x

    flow = world.workflow(world.node("n0", world.task(show), x=1))
    world.run(
        flow,
        name="r",
        project="p",
        domain="d",
        labels={"team": "a"},
        environment={"KEY": "v"},
        output_prefix="memory://out",
    )
    (attempt,) = attempts
    assert attempt.id == "r/a0.n0/1"
    assert (attempt.run, attempt.action, attempt.number) == ("r", "a0.n0", 1)
    assert (attempt.project, attempt.domain, attempt.labels) == ("p", "d", {"team": "a"})
    assert attempt.environment == {"KEY": "v"}
    assert attempt.output_prefix == "memory://out/r/a0.n0/1"
    assert attempt.timeout_seconds is None
    assert attempt.previous_checkpoint == ""


def test_run_names_are_unique(world: Any) -> None:
    flow = world.workflow()
    names = {world.run(flow).name for _ in range(50)}
    assert len(names) == 50
    assert all(len(name) == 20 and name.isalnum() and name.islower() and name[0] == "a" for name in names)


def test_a_name_can_be_used_again_only_when_its_run_is_over(world: Any, in_loop: Any) -> None:
    async def wait() -> int:
        await asyncio.sleep(0.01)
        return 1

    task = world.task(wait)

    async def scenario() -> None:
        first = asyncio.ensure_future(world.run_async(task, name="one"))
        await asyncio.sleep(0)
        with pytest.raises(UsageError, match="a run named 'one' is not over yet"):
            await world.run_async(task, name="one")
        assert (await first).value == 1
        assert (await world.run_async(task, name="one")).value == 1

    in_loop(scenario())


def test_plans_follow_the_spec_object_and_not_its_id(world: Any) -> None:
    """A workflow that is defined anew under the same id is another plan, and old plans do not pile up."""
    task = world.task(inc)
    for count in range(1, 400):
        flow = world.workflow(world.node("n0", task, x=count), outputs=world.ref("n0"))
        assert world.run(flow).value == count + 1
    assert len(world.engine._plans) <= 256
    world.engine.forget_plans()
    assert world.run(flow).value == 400


def test_many_runs_of_one_engine_do_not_meet(world: Any, in_loop: Any) -> None:
    async def slow(x: int) -> int:
        await asyncio.sleep(0.001 * (x % 5))
        return x

    flow = world.workflow(
        world.node("n0", world.task(slow), x=world.ref("", "x")), inputs=["x"], outputs=world.ref("n0")
    )

    async def scenario() -> list[int]:
        results = await asyncio.gather(*(world.run_async(flow, {"x": i}) for i in range(30)))
        assert len({result.name for result in results}) == 30
        return [result.value for result in results]

    assert in_loop(scenario()) == list(range(30))


def test_outputs_that_are_missing_in_the_end_fail_the_workflow(world: Any) -> None:
    flow = world.workflow(
        world.node("n0", world.task(lambda: ListLiteral([]), "empty")), outputs=world.ref("n0", "o0", 3)
    )
    result = world.run(flow)
    assert result.error.code == "AttributeNotFound"
    assert result.error.message == "n0.o0 has no 3; it is a list of 0"
    assert result.error.action == "a0"


def test_a_wide_graph(world: Any) -> None:
    task = world.task(inc)

    def add(xs: Any) -> int:
        return sum(xs)

    width = 500
    flow = world.workflow(
        *(world.node(f"n{i}", task, x=i) for i in range(width)),
        world.node("sum", world.task(add), xs=ListBinding(tuple(world.ref(f"n{i}") for i in range(width)))),
        outputs=world.ref("sum"),
    )
    assert world.run(flow).value == sum(range(1, width + 1))


@pytest.mark.parametrize("error", [ValueError("x"), NonRecoverableError("x")])
def test_the_same_failure_however_it_is_run(world: Any, in_loop: Any, error: Exception) -> None:
    def broken() -> int:
        raise error

    flow = world.workflow(world.node("n0", world.task(broken)))
    for result in (world.run(flow), in_loop(world.run_async(flow))):
        assert result.error.code == type(error).__name__
        assert result.original is error


def test_a_long_chain_needs_no_deep_stack(world: Any) -> None:
    task = world.task(inc)
    nodes = [world.node("n0", task, x=0)]
    nodes += [world.node(f"n{i}", task, x=world.ref(f"n{i - 1}")) for i in range(1, 3000)]
    assert world.run(world.workflow(*nodes, outputs=world.ref("n2999"))).value == 3000


def test_clock_and_times(make_world: Any) -> None:
    ticks = itertools.count(1000)
    world = make_world(clock=lambda: float(next(ticks)))
    result = world.run(world.workflow(world.node("n0", world.task(inc), x=1)))
    node = result.actions["a0.n0"]
    assert 1000 <= result.root.created_at < node.created_at < node.started_at < node.ended_at < result.root.ended_at
    (attempt,) = node.attempts
    assert node.created_at < attempt.started_at < attempt.ended_at < node.ended_at
