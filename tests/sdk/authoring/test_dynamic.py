"""AU-10: dynamic tasks."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import NamedTuple

import pytest

import alula
from alula import Cache, LaunchPlan, Run, create_node, current_context, dynamic, errors, map_task, task, workflow

Tree = list[tuple[str, str, str, int]]


@task
def double(x: int) -> int:
    return 2 * x


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task
def note(x: int) -> None: ...


def test_native_inputs_shape_a_graph_that_is_then_driven(tree_of: Callable[[Run], Tree]) -> None:
    @dynamic
    def fan(n: int) -> int:
        return total(numbers=[double(x=i) for i in range(n)])

    @workflow
    def flow(n: int) -> int:
        return double(x=fan(n=n))

    run = alula.run(flow, n=3)
    assert run.result == 12
    assert tree_of(run) == [
        ("a0", "flow", "succeeded", 0),
        ("a0.n0", "fan", "succeeded", 1),
        ("a0.n0.dn0", "double", "succeeded", 1),
        ("a0.n0.dn1", "double", "succeeded", 1),
        ("a0.n0.dn2", "double", "succeeded", 1),
        ("a0.n0.dn3", "total", "succeeded", 1),
        ("a0.n1", "double", "succeeded", 1),
    ]


def test_it_can_be_called_by_itself_again_and_again_with_other_inputs() -> None:
    @dynamic
    def fan(n: int) -> list[int]:
        return [double(x=i) for i in range(n)]

    assert fan(n=2) == [0, 2]
    assert fan(n=3) == [0, 2, 4]
    assert fan(n=2) == [0, 2]


def test_without_calls_the_values_are_the_outputs() -> None:
    @dynamic
    def plain(n: int) -> int:
        return n if n > 5 else double(x=n)  # type: ignore[no-any-return]

    assert plain(n=6) == 6
    assert plain(n=5) == 10
    assert len(alula.run(plain, n=6).actions) == 1


def test_named_and_several_outputs_lists_and_dicts() -> None:
    class Result(NamedTuple):
        first: int
        rest: list[int]

    @dynamic
    def named(n: int) -> Result:
        made = [double(x=i) for i in range(n)]
        return Result(first=made[0], rest=made[1:])

    @dynamic
    def several(n: int) -> tuple[dict[str, int], int]:
        return {"a": double(x=n), "b": 1}, 7

    assert tuple(named(n=3)) == (0, [2, 4])
    assert several(n=1) == ({"a": 2, "b": 1}, 7)


def test_results_inside_it_are_promises() -> None:
    @dynamic
    def wrong(n: int) -> int:
        return double(x=n) + 1  # type: ignore[no-any-return]

    with pytest.raises(errors.PromiseUseError, match=r"output 'o0' of task .*double was used with \+") as caught:
        wrong(n=1)
    assert caught.value.location.startswith(f"{__file__}:")


def test_types_are_checked_when_its_graph_is_made_and_nothing_of_it_runs() -> None:
    ran: list[int] = []

    @task
    def count(x: int) -> str:
        ran.append(x)
        return ""

    @dynamic
    def wrong(n: int) -> int:
        return double(x=count(x=n))  # type: ignore[no-any-return]

    with pytest.raises(errors.TypeMismatchError, match="expects int, found output 'o0'"):
        wrong(n=1)
    assert not ran


def test_maps_workflows_launch_plans_nodes_and_order() -> None:
    order: list[str] = []

    @task
    def say(word: str) -> str:
        order.append(word)
        return word

    @workflow
    def inner(x: int) -> int:
        return double(x=x)

    @dynamic
    def all_kinds(n: int) -> list[int]:
        last = create_node(say, word="last")
        first = say(word="first")
        first >> last
        mapped = map_task(double)(x=list(range(n)))
        return [total(numbers=mapped), inner(x=n), LaunchPlan.get_or_create(inner)(x=n)]

    assert all_kinds(n=3) == [6, 6, 6]
    assert order == ["first", "last"]


def test_dynamic_in_dynamic() -> None:
    @dynamic
    def fibonacci(n: int) -> int:
        if n < 2:
            return n
        return total(numbers=[fibonacci(n=n - 1), fibonacci(n=n - 2)])  # type: ignore[no-any-return]

    assert fibonacci(n=6) == 8


def test_overrides_of_calls_inside() -> None:
    tries: list[int] = []

    @task
    def flaky(x: int) -> int:
        tries.append(x)
        if len(tries) < 3:
            raise OSError("again")
        return x

    @dynamic
    def robust(n: int) -> int:
        return flaky(x=n).with_overrides(retries=5, name="try hard")  # type: ignore[no-any-return]

    run = alula.run(robust, n=4)
    assert run.result == 4
    assert [(a.name, len(a.attempts)) for a in run.actions] == [("robust", 1), ("try hard", 3)]


def test_a_failure_inside_fails_it_and_a_retry_runs_the_body_again() -> None:
    bodies: list[int] = []
    tries: list[int] = []

    @task
    def flaky(x: int) -> int:
        tries.append(x)
        if len(tries) < 3:
            raise OSError("again")
        return x

    @dynamic(retries=2)
    def robust(n: int) -> int:
        bodies.append(n)
        return flaky(x=n)  # type: ignore[no-any-return]

    assert robust(n=1) == 1
    assert len(bodies) == 3

    tries.clear()

    @dynamic
    def fragile(n: int) -> int:
        return flaky(x=n)  # type: ignore[no-any-return]

    with pytest.raises(OSError, match="again"):
        fragile(n=1)


def test_it_may_be_cached() -> None:
    bodies: list[int] = []

    @dynamic(cache=Cache(version="1"))
    def fan(n: int) -> list[int]:
        bodies.append(n)
        return [double(x=i) for i in range(n)]

    assert fan(n=2) == fan(n=2) == [0, 2]
    assert bodies == [2]


def test_it_may_be_mapped() -> None:
    @dynamic
    def fan(n: int) -> int:
        return total(numbers=[double(x=i) for i in range(n)])  # type: ignore[no-any-return]

    @workflow
    def flow() -> list[int]:
        return map_task(fan)(n=[1, 2, 3])

    assert flow() == [0, 2, 6]


def test_its_context_is_that_of_a_task() -> None:
    @dynamic
    def named(n: int) -> str:
        note(x=n)
        return str(current_context().execution_id.name)

    run = alula.run(named, n=1)
    assert run.result == run.name


def test_wrong_results_are_refused() -> None:
    @dynamic
    def too_many(n: int) -> int:
        return double(x=n), double(x=n)  # type: ignore[return-value]

    @dynamic
    def nothing(n: int) -> int:
        double(x=n)  # type: ignore[return]

    @dynamic
    def undeclared(n: int) -> None:
        return double(x=n)  # type: ignore[no-any-return]

    with pytest.raises(errors.CompileError, match=r"output 'o0' of task .*too_many"):
        too_many(n=1)
    with pytest.raises(errors.CompileError, match="declares int and returns nothing"):
        nothing(n=1)
    with pytest.raises(errors.CompileError, match="returns a value and declares none"):
        undeclared(n=1)


def test_a_cycle_is_refused() -> None:
    @dynamic
    def circle(n: int) -> None:
        a, b = create_node(note, x=1), create_node(note, x=2)
        a >> b
        b >> a

    with pytest.raises(errors.CompileError, match="before and after"):
        circle(n=1)


def test_nodes_that_are_ordered_backwards_run_in_order() -> None:
    order: list[int] = []

    @task
    def say(x: int) -> None:
        order.append(x)

    @dynamic
    def backwards(n: int) -> None:
        late, early = create_node(say, x=2), create_node(say, x=1)
        early >> late

    backwards(n=1)
    assert order == [1, 2]


def test_an_async_function_cannot_be_dynamic() -> None:
    with pytest.raises(errors.CompileError, match="is async, and a dynamic task must be a plain function") as caught:

        @dynamic
        async def wrong(n: int) -> int:
            return n

    assert "@env.task" in caught.value.hint


def test_execution_mode_of_the_task_decorator() -> None:
    @task(execution_mode="dynamic")
    def fan(n: int) -> list[int]:
        return [double(x=i) for i in range(n)]

    assert fan(n=2) == [0, 2]


def test_hundreds_of_nodes() -> None:
    @dynamic
    def wide(n: int) -> int:
        return total(numbers=[double(x=i) for i in range(n)])  # type: ignore[no-any-return]

    assert wide(n=500) == 499 * 500


def test_an_entity_made_inside_lives_as_long_as_it_is_needed() -> None:
    @task
    def collect(x: int) -> int:
        gc.collect()
        return x

    @dynamic
    def makes(n: int) -> int:
        @task
        def local(x: int) -> int:
            return x + n

        return local(x=collect(x=1))  # type: ignore[no-any-return]

    assert makes(n=4) == 5
    assert makes(n=5) == 6
