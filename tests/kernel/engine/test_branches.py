"""Conditionals: the first case that holds runs, the others are skipped."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from alula_kernel.specs import Junction


def inc(x: int) -> int:
    return x + 1


def sign_flow(world: Any) -> Any:
    """Return ``x + 1``, ``-x`` or fail, depending on x."""
    task, negate = world.task(inc), world.task(lambda x: -x, "negate")
    x = world.ref("", "x")
    branch = world.branch(
        world.case(world.compare(x, ">", 0), world.node("pos", task, x=x), outputs=world.ref("pos")),
        world.case(world.compare(x, "<", 0), world.node("neg", negate, x=x), outputs=world.ref("neg")),
        world.case(None, error="x must not be zero"),
    )
    return world.workflow(world.node("n0", branch), inputs=["x"], outputs=world.ref("n0"))


@pytest.mark.parametrize(("x", "value", "taken", "other"), [(4, 5, "pos", "neg"), (-4, 4, "neg", "pos")])
def test_the_first_case_that_holds(world: Any, x: int, value: int, taken: str, other: str) -> None:
    result = world.run(sign_flow(world), {"x": x})
    assert result.value == value
    assert result.phases == {"a0.n0": "succeeded", f"a0.n0.{taken}": "succeeded", f"a0.n0.{other}": "skipped"}
    assert result.actions["a0.n0"].kind == "branch"
    assert result.actions[f"a0.n0.{other}"].message == "its case was not taken"
    assert len(world.log) == 1


def test_a_case_that_fails_on_purpose(world: Any) -> None:
    result = world.run(sign_flow(world), {"x": 0})
    assert (result.error.code, result.error.message) == ("BranchFailed", "x must not be zero")
    assert result.error.action == "a0.n0"
    assert result.phases == {"a0.n0": "failed", "a0.n0.pos": "skipped", "a0.n0.neg": "skipped"}


def test_no_case_holds(world: Any) -> None:
    x = world.ref("", "x")
    branch = world.branch(world.case(world.compare(x, ">", 0), outputs=x))
    result = world.run(world.workflow(world.node("n0", branch), inputs=["x"]), {"x": 0})
    assert result.error.message == "no case of the conditional holds"


def test_cases_are_tried_in_order(world: Any) -> None:
    x = world.ref("", "x")
    branch = world.branch(
        world.case(world.compare(x, ">", 10), outputs=100),
        world.case(world.compare(x, ">", 5), outputs=50),
        world.case(world.compare(x, ">", 0), outputs=1),
        world.case(None, outputs=0),
    )
    flow = world.workflow(world.node("n0", branch), inputs=["x"], outputs=world.ref("n0"))
    assert [world.run(flow, {"x": x}).value for x in (11, 10, 5, 0)] == [100, 50, 1, 0]


def test_a_case_with_several_nodes_that_use_nodes_outside(world: Any) -> None:
    task = world.task(inc)
    before = world.node("before", task, x=world.ref("", "x"))
    branch = world.branch(
        world.case(
            world.compare(world.ref("before"), ">=", 1),
            world.node("c0", task, x=world.ref("before")),
            world.node("c1", world.task(lambda x, y: x * y, "times"), x=world.ref("c0"), y=world.ref("before")),
            outputs=world.ref("c1"),
        ),
        world.case(None, outputs=world.ref("before")),
    )
    flow = world.workflow(
        before,
        world.node("n0", branch),
        world.node("after", task, x=world.ref("n0")),
        inputs=["x"],
        outputs=world.ref("after"),
    )
    assert world.run(flow, {"x": 2}).value == 3 * 4 + 1
    assert world.run(flow, {"x": -1}).value == 0 + 1


def test_a_conditional_in_a_conditional(world: Any) -> None:
    x = world.ref("", "x")
    task = world.task(inc)
    inner = world.branch(
        world.case(world.compare(x, ">", 100), outputs=2),
        world.case(None, world.node("deep", task, x=x), outputs=world.ref("deep")),
    )
    outer = world.branch(
        world.case(world.compare(x, ">", 0), world.node("in", inner), outputs=world.ref("in")),
        world.case(None, outputs=0),
    )
    flow = world.workflow(world.node("out", outer), inputs=["x"], outputs=world.ref("out"))
    result = world.run(flow, {"x": 5})
    assert result.value == 6
    assert result.phases == {"a0.out": "succeeded", "a0.out.in": "succeeded", "a0.out.in.deep": "succeeded"}
    assert world.run(flow, {"x": 500}).value == 2
    assert world.run(flow, {"x": -5}).phases == {"a0.out": "succeeded", "a0.out.in": "skipped"}


def test_junctions_of_conditions(world: Any) -> None:
    x, y = world.ref("", "x"), world.ref("", "y")
    both = Junction("and", world.compare(x, ">", 0), world.compare(y, ">", 0))
    branch = world.branch(world.case(both, outputs=1), world.case(None, outputs=0))
    flow = world.workflow(world.node("n0", branch), inputs=["x", "y"], outputs=world.ref("n0"))
    assert [world.run(flow, {"x": a, "y": b}).value for a in (0, 1) for b in (0, 1)] == [0, 0, 0, 1]


def test_values_that_cannot_be_compared_fail_the_conditional(world: Any) -> None:
    x = world.ref("", "x")
    branch = world.branch(world.case(world.compare(x, ">", "text"), outputs=1), world.case(None, outputs=0))
    result = world.run(world.workflow(world.node("n0", branch), inputs=["x"]), {"x": 1})
    assert (result.error.code, result.error.message) == ("NotComparable", "cannot compare int > str")
    assert result.phases == {"a0.n0": "failed"}


def test_outputs_that_are_not_there_fail_the_conditional(world: Any) -> None:
    branch = world.branch(world.case(None, outputs=world.ref("", "x", "nothing")))
    result = world.run(world.workflow(world.node("n0", branch), inputs=["x"]), {"x": 1})
    assert result.error.code == "AttributeNotFound"
    assert result.phases == {"a0.n0": "failed"}


def test_a_failure_in_a_case(world: Any) -> None:
    def broken() -> int:
        raise ValueError("it broke")

    async def forever() -> int:
        await asyncio.sleep(3600)
        return 0

    branch = world.branch(
        world.case(None, world.node("slow", world.task(forever)), world.node("bad", world.task(broken)))
    )
    result = world.run(world.workflow(world.node("n0", branch)))
    assert result.error.action == "a0.n0.bad"
    assert result.phases == {"a0.n0": "failed", "a0.n0.slow": "aborted", "a0.n0.bad": "failed"}


def test_a_conditional_waits_for_what_its_cases_use(world: Any) -> None:
    async def slow(x: int) -> int:
        await asyncio.sleep(0.01)
        return x

    task = world.task(inc)
    branch = world.branch(
        world.case(
            world.compare(world.ref("", "x"), ">", 0),
            world.node("c0", task, x=world.ref("late")),
            outputs=world.ref("c0"),
        ),
        world.case(None, outputs=0),
    )
    flow = world.workflow(
        world.node("late", world.task(slow), x=world.ref("", "x")),
        world.node("n0", branch),
        inputs=["x"],
        outputs=world.ref("n0"),
    )
    assert world.run(flow, {"x": 1}).value == 2
