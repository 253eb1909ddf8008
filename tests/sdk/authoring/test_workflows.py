"""AU-03, AU-04: workflows, sub-workflows, launch plans inside workflows; what may be bound and returned."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

import alula
from alula import LaunchPlan, Options, Run, WorkflowFailurePolicy, current_app, errors, task, workflow
from alula_kernel.specs import EntityTarget, ListBinding, LiteralBinding, MapBinding, Reference

Tree = list[tuple[str, str, str, int]]


@task
def double(x: int) -> int:
    return 2 * x


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task
def note(text: str) -> None: ...


def test_the_body_runs_once_and_makes_numbered_nodes() -> None:
    compiled: list[Any] = []

    @workflow
    def flow(x: int) -> int:
        compiled.append(x)
        return add(x=double(x=x), y=double(x=3))

    assert flow(x=1) == 8
    assert flow(x=2) == 10
    assert len(compiled) == 1
    spec = flow.spec(current_app())
    assert [node.id for node in spec.nodes] == ["n0", "n1", "n2"]
    assert spec.nodes[2].inputs == {"x": Reference("n0", "o0"), "y": Reference("n1", "o0")}
    assert spec.nodes[0].location.startswith(f"{__file__}:")
    assert isinstance(spec.nodes[1].inputs["x"], LiteralBinding)


def test_compiling_is_put_off_until_the_first_use() -> None:
    @workflow
    def broken(x: int) -> int:
        return undefined_name(x)  # type: ignore[name-defined,no-any-return]  # noqa: F821 - the mistake is the subject

    with pytest.raises(NameError):
        broken(x=1)


def test_positional_and_default_inputs() -> None:
    @workflow
    def flow(x: int, y: int = 5) -> int:
        return add(x, y)

    assert flow(1) == 6
    assert flow(1, 2) == 3
    assert flow(y=1, x=1) == 2


def test_inputs_constants_lists_and_dicts_may_be_returned() -> None:
    @workflow
    def flow(x: int, unused: str = "u") -> tuple[int, int, str, list[int], dict[str, list[int]], list[int]]:
        d = double(x=x)
        return x, 7, unused, [d, 5, x], {"a": [d], "b": [1]}, []

    assert flow(x=2) == (2, 7, "u", [4, 5, 2], {"a": [4], "b": [1]}, [])
    outputs = flow.spec(current_app()).outputs
    assert outputs["o0"] == Reference("", "x")
    assert isinstance(outputs["o3"], ListBinding)
    assert isinstance(outputs["o4"], MapBinding)


def test_named_outputs_of_tasks_and_workflows() -> None:
    class Pair(NamedTuple):
        low: int
        high: int

    @task
    def bounds(x: int) -> Pair:
        return Pair(x - 1, x + 1)

    @workflow
    def flow(x: int) -> Pair:
        low, high = bounds(x=x)
        again = bounds(x=high)
        return Pair(low=low, high=again.high)

    result = flow(x=1)
    assert (result.low, result.high) == (0, 3)


def test_promises_in_lists_dicts_and_options_are_inputs() -> None:
    @task
    def describe(items: dict[str, list[int]], name: str | None = None) -> str:
        return f"{name}:{items}"

    @workflow
    def flow(x: int) -> str:
        return describe(items={"a": [double(x=x), 1], "b": []}, name="n")

    assert flow(x=1) == "n:{'a': [2, 1], 'b': []}"


def test_an_int_promise_fits_a_float_and_an_optional() -> None:
    @task
    def halve(x: float, y: float | None = None) -> float:
        assert isinstance(x, float)
        return x / 2 + (y or 0)

    @workflow
    def flow(x: int) -> float | None:
        return halve(x=double(x=x), y=x)

    assert flow(x=1) == 2.0


def test_a_partial_of_a_task_is_called_as_the_task_is() -> None:
    @workflow
    def flow(x: int) -> int:
        return functools.partial(add, y=10)(x=x)

    assert flow(x=1) == 11


def test_a_sub_workflow_is_a_node_of_the_same_run(tree_of: Callable[[Run], Tree]) -> None:
    @workflow
    def inner(x: int) -> int:
        return double(x=double(x=x))

    @workflow
    def outer(x: int) -> int:
        return add(x=inner(x=x), y=inner(x=1))

    run = alula.run(outer, x=1)
    assert run.result == 8
    assert tree_of(run) == [
        ("a0", "outer", "succeeded", 0),
        ("a0.n0", "inner", "succeeded", 0),
        ("a0.n0.n0", "double", "succeeded", 1),
        ("a0.n0.n1", "double", "succeeded", 1),
        ("a0.n1", "inner", "succeeded", 0),
        ("a0.n1.n0", "double", "succeeded", 1),
        ("a0.n1.n1", "double", "succeeded", 1),
        ("a0.n2", "add", "succeeded", 1),
    ]


def test_a_launch_plan_in_a_workflow_is_a_child_of_its_own_kind() -> None:
    @workflow
    def inner(x: int, y: int) -> int:
        return add(x=x, y=y)

    plan = LaunchPlan.create("plan", inner, default_inputs={"x": 1}, fixed_inputs={"y": 10})

    @workflow
    def outer() -> tuple[int, int]:
        return plan(), plan(x=5)

    run = alula.run(outer)
    assert run.result == (11, 15)
    assert [a.kind for a in run.actions if a.parent == "a0"] == ["launch_plan", "launch_plan"]


def test_a_workflow_without_nodes_and_without_outputs() -> None:
    @workflow
    def passes(x: int) -> int:
        return x

    @workflow
    def nothing() -> None:
        note(text="a")

    assert passes(x=3) == 3
    assert nothing() is None


def test_a_recursive_workflow_through_a_dynamic_task() -> None:
    @alula.dynamic
    def again(n: int) -> int:
        return countdown(n=n - 1) if n else 0  # type: ignore[no-any-return]

    @workflow
    def countdown(n: int) -> int:
        return again(n=n)

    assert countdown(n=3) == 0


def test_a_workflow_that_calls_itself_is_refused() -> None:
    @workflow
    def flow(x: int) -> int:
        return flow(x=x)  # type: ignore[no-any-return]

    with pytest.raises(errors.CompileError, match=r"workflow .*flow calls itself") as caught:
        flow(x=1)
    assert "dynamic" in caught.value.hint


def test_settings_are_in_the_spec() -> None:
    @workflow(
        interruptible=True,
        failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE,
        default_options=Options(labels={"team": "x"}, annotations={"a": "b"}, max_parallelism=3),
    )
    def flow(x: int) -> int:
        """Double.

        More about it.
        """
        return double(x=x)

    spec = flow.documented_spec(current_app())
    assert spec.interruptible is True
    assert spec.failure_policy == "fail_after_executable_nodes_complete"
    assert (spec.labels, spec.annotations, spec.max_parallelism) == ({"team": "x"}, {"a": "b"}, 3)
    assert (spec.description, spec.documentation) == ("Double.", "More about it.")


def test_the_same_task_twice_is_two_nodes_of_one_entity() -> None:
    @workflow
    def flow() -> int:
        return add(x=double(x=1), y=double(x=1))

    spec = flow.spec(current_app())
    targets = [node.target for node in spec.nodes[:2]]
    assert targets[0] == targets[1] == EntityTarget(double.id(current_app()))


def test_dataclass_attributes_travel_between_nodes() -> None:
    @dataclass
    class Point:
        x: int
        tags: list[str]

    @task
    def make() -> Point:
        return Point(3, ["a", "b"])

    @task
    def show(x: int, tag: str) -> str:
        return f"{x}{tag}"

    @workflow
    def flow() -> str:
        point = make()
        return show(x=point.x, tag=point.tags[1])

    assert flow() == "3b"


def test_a_void_call_may_be_returned_by_a_workflow_without_outputs() -> None:
    @workflow
    def flow():  # type: ignore[no-untyped-def]
        return note(text="a")

    assert flow() is None


def test_a_thousand_nodes_compile() -> None:
    @workflow
    def flow(x: int) -> int:
        for _ in range(1_000):
            x = double(x=x)
        return x

    spec = flow.spec(current_app())
    assert len(spec.nodes) == 1_000


@pytest.mark.parametrize("kind", ["list", "tuple", "dict", "set"])
def test_a_workflow_function_may_use_plain_python_at_compile_time(kind: str) -> None:
    containers: dict[str, Any] = {"list": [1, 2], "tuple": (1, 2), "dict": {1: "", 2: ""}, "set": {1, 2}}

    @workflow
    def flow() -> int:
        return total(numbers=[double(x=i) for i in containers[kind]])

    assert flow() == 6


def test_entities_made_in_the_body_live_as_long_as_the_workflow() -> None:
    @workflow
    def flow(x: int) -> int:
        @task
        def local(x: int) -> int:
            return x + 1

        @workflow
        def sub(x: int) -> int:
            return local(x=x)

        return alula.conditional("c").if_(x > 0).then(sub(x=x)).else_().then(local(x=x))

    for x in (1, -1):
        gc.collect()
        assert flow(x=x) == x + 1


def test_a_failure_names_the_task_and_keeps_what_ran() -> None:
    @task
    def broken(x: int) -> int:
        raise ArithmeticError(f"x is {x}")

    @workflow
    def flow() -> int:
        return broken(x=double(x=1))

    run = alula.run(flow)
    assert run.error is not None
    assert (run.error.action, run.error.code, run.error.message) == ("a0.n1", "ArithmeticError", "x is 2")
    assert [a.phase.value for a in run.actions] == ["failed", "succeeded", "failed"]
    with pytest.raises(ArithmeticError, match="x is 2"):
        flow()


def test_compiling_shows_mistakes_before_a_run() -> None:
    compiled = 0

    @task
    def name() -> str:
        return "a"

    @workflow
    def good() -> str:
        nonlocal compiled
        compiled += 1
        return name()

    @workflow
    def bad() -> int:
        return name()  # type: ignore[return-value]

    good.compile()
    good.compile()
    assert (compiled, good()) == (1, "a")
    with pytest.raises(errors.TypeMismatchError, match="output 'o0' of workflow"):
        bad.compile()
