"""AU-11, AU-12, EX-11: maps over tasks, workflows and launch plans."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest

import alula
from alula import LaunchPlan, Run, current_app, dynamic, errors, map_task, task, workflow

Tree = list[tuple[str, str, str, int]]


@task
def double(x: int) -> int:
    return 2 * x


@task
def affine(x: int, factor: int = 10, offset: int = 0) -> int:
    return x * factor + offset


@task
def minus_one() -> int:
    return -1


@task
def even(x: int) -> int:
    if x % 2:
        raise ValueError(f"{x} is odd")
    return x


@workflow
def twice(x: int, y: int = 0) -> int:
    return affine(x=double(x=x), factor=1, offset=y)


def test_a_list_in_gives_a_list_out(tree_of: Callable[[Run], Tree]) -> None:
    @workflow
    def flow(xs: list[int]) -> list[int]:
        return map_task(double)(x=xs)

    run = alula.run(flow, xs=[1, 2, 3])
    assert run.result == [2, 4, 6]
    name = run.actions[1].name
    assert tree_of(run)[1:] == [
        ("a0.n0", name, "succeeded", 0),
        ("a0.n0[0]", f"{name}[0]", "succeeded", 1),
        ("a0.n0[1]", f"{name}[1]", "succeeded", 1),
        ("a0.n0[2]", f"{name}[2]", "succeeded", 1),
    ]
    assert "double" in name
    assert run.actions[1].kind == "map"


def test_at_top_level_in_a_task_and_in_a_dynamic_task() -> None:
    @task
    def outer(xs: list[int]) -> list[int]:
        return map_task(double)(x=xs)  # type: ignore[no-any-return]

    @dynamic
    def graph(xs: list[int]) -> list[int]:
        return map_task(double)(x=[double(x=x) for x in xs])  # type: ignore[no-any-return]

    assert map_task(double)(x=[1, 2]) == [2, 4]
    assert outer(xs=[1, 2]) == [2, 4]
    assert graph(xs=[1, 2]) == [4, 8]
    assert asyncio.run(map_task(double).aio(x=[3])) == [6]


def test_an_empty_list() -> None:
    assert map_task(double)(x=[]) == []


def test_several_lists_and_defaults() -> None:
    assert map_task(affine)(x=[1, 2], factor=[3, 4], offset=[5, 6]) == [8, 14]
    assert map_task(affine)(x=[1, 2]) == [10, 20]
    assert map_task(affine)(x=[1, 2], offset=[1, 1]) == [11, 21]


def test_bound_inputs_are_the_same_for_every_item() -> None:
    bound = functools.partial(affine, factor=2)
    assert map_task(bound)(x=[1, 2]) == [2, 4]
    assert map_task(functools.partial(bound, offset=1))(x=[1, 2]) == [3, 5]
    assert map_task(functools.partial(affine, 5))(factor=[1, 2]) == [5, 10]


def test_bound_inputs_may_be_promises_and_workflow_inputs() -> None:
    @workflow
    def flow(xs: list[int], factor: int) -> list[int]:
        return map_task(functools.partial(affine, factor=factor, offset=minus_one()))(x=xs)

    @dynamic
    def graph(xs: list[int]) -> list[int]:
        return map_task(functools.partial(affine, offset=minus_one(), factor=3))(x=xs)  # type: ignore[no-any-return]

    assert flow(xs=[1, 2], factor=2) == [1, 3]
    assert graph(xs=[1, 2]) == [2, 5]


def test_a_list_of_promises() -> None:
    @workflow
    def flow(x: int) -> list[int]:
        return map_task(double)(x=[x, double(x=x), 7])

    assert flow(x=1) == [2, 4, 14]


def test_everything_bound_is_a_map_of_one() -> None:
    assert map_task(functools.partial(affine, x=1, factor=2, offset=3))() == [5]


def test_workflows_and_launch_plans() -> None:
    plan = LaunchPlan.create("plan", twice, fixed_inputs={"y": 100})
    defaulted = LaunchPlan.create("defaulted", twice, default_inputs={"y": 7})

    @workflow
    def flow(xs: list[int]) -> tuple[list[int], list[int], list[int], list[int]]:
        return (
            map_task(twice)(x=xs),
            map_task(plan)(x=xs),
            map_task(defaulted)(x=xs),
            map_task(functools.partial(twice, y=1))(x=xs),
        )

    run = alula.run(flow, xs=[1, 2])
    assert run.result == ([2, 4], [102, 104], [9, 11], [3, 5])
    kinds = {a.kind for a in run.actions if a.parent == "a0.n1"}
    assert kinds == {"launch_plan"}
    assert list(map_task(plan).python_interface.inputs) == ["x"]


def test_several_outputs_and_none() -> None:
    @task
    def both(x: int) -> tuple[int, str]:
        return x, str(x)

    seen: list[int] = []

    @task
    def note(x: int) -> None:
        seen.append(x)

    assert map_task(both)(x=[1, 2]) == ([1, 2], ["1", "2"])
    assert map_task(note)(x=[1, 2]) is None
    assert seen == [1, 2]


def test_async_tasks_run_side_by_side_within_the_limit() -> None:
    running, most = 0, 0

    @task
    async def wait(x: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return x

    assert map_task(wait)(x=list(range(8))) == list(range(8))
    assert most == 8
    most = 0
    assert map_task(wait, concurrency=3)(x=list(range(8))) == list(range(8))
    assert most == 3
    most = 0
    assert map_task(wait, concurrency=0)(x=list(range(8))) == list(range(8))
    assert most == 8


# --- failures -------------------------------------------------------------------------------------------------------------


def test_one_failure_fails_the_map_with_the_items_own_error() -> None:
    with pytest.raises(ValueError, match="1 is odd") as caught:
        map_task(even)(x=[0, 1, 2, 3])
    assert isinstance(caught.value, ValueError)
    run = alula.run(map_task(even), x=[0, 1, 2, 3])
    assert run.error is not None
    assert run.error.action.endswith("[1]")


def test_failed_items_are_none_where_failures_are_tolerated() -> None:
    result = map_task(even, min_success_ratio=0.5)(x=[0, 1, 2, 3])
    assert result == [0, None, 2, None]
    assert map_task(even, min_successes=1)(x=[1, 2, 3]) == [None, 2, None]

    @workflow
    def flow() -> list[int | None]:
        return map_task(even, min_success_ratio=0.5)(x=[0, 1])

    assert flow() == [0, None]

    @workflow
    def strict() -> list[int]:
        return map_task(even, min_success_ratio=0.5)(x=[0, 1])

    with pytest.raises(errors.TypeMismatchError, match=r"expects list\[int\], found"):
        strict()


def test_ninety_of_a_hundred() -> None:
    ran: list[int] = []

    @task
    def fails_below(x: int, limit: int) -> int:
        ran.append(x)
        if x < limit:
            raise OSError(x)
        return x

    tolerant = map_task(functools.partial(fails_below, limit=5), min_success_ratio=0.9)(x=list(range(100)))
    assert tolerant == [None] * 5 + list(range(5, 100))
    ran.clear()
    with pytest.raises(errors.RuntimeUserError, match="11 of 100 items failed, so that the 90 successes") as caught:
        map_task(functools.partial(fails_below, limit=11), min_success_ratio=0.9)(x=list(range(100)))
    assert caught.value.code == "TooManyFailures"
    assert ran == list(range(11)), "it went on although the answer was certain"
    ran.clear()
    with pytest.raises(errors.RuntimeUserError, match="11 of 100"):
        map_task(functools.partial(fails_below, limit=11), min_success_ratio=0.9, run_all_sub_nodes=True)(
            x=list(range(100))
        )
    assert len(ran) == 100


def test_the_count_goes_before_the_ratio() -> None:
    assert map_task(even, min_successes=1, min_success_ratio=1.0)(x=[1, 2, 3]) == [None, 2, None]


def test_lists_of_unequal_length_are_refused() -> None:
    with pytest.raises(errors.RuntimeUserError, match="equal lengths: 'x' has 2, 'offset' has 1") as caught:
        map_task(affine)(x=[1, 2], offset=[1])
    assert caught.value.code == "InvalidArrayLength"


def test_retries_and_cache_are_those_of_each_item() -> None:
    tries: dict[int, int] = {}

    @task(retries=2, cache=True, cache_version="1")
    def flaky(x: int) -> int:
        tries[x] = tries.get(x, 0) + 1
        if tries[x] < x:
            raise OSError("again")
        return x

    assert map_task(flaky)(x=[1, 2, 3]) == [1, 2, 3]
    assert tries == {1: 1, 2: 2, 3: 3}
    run = alula.run(map_task(flaky), x=[3, 4, 1])
    assert run.error is not None, "4 needs four tries and has three"
    by_input = {a.inputs["x"].value: a.cache for a in run.actions if a.id.endswith("]")}  # type: ignore[union-attr]
    assert by_input[3] == "hit"
    assert flaky(x=1) == 1
    assert tries[1] == 1, "the task itself shares the items' cache"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: map_task(map_task(double)), "a map cannot be mapped again"),
        (lambda: map_task(lambda x: x), "map_task takes a task, workflow or launch plan, found function"),
        (lambda: map_task(functools.partial(double, y=1)), "unknown input 'y'"),
        (lambda: map_task(double, concurrency=-1), "concurrency must be at least 0, found -1"),
        (lambda: map_task(double, min_successes=-1), "min_successes must be at least 0"),
        (lambda: map_task(double, min_success_ratio=1.5), "min_success_ratio must be between 0 and 1, found 1.5"),
        (lambda: map_task(double)([1, 2]), "takes its inputs by name only"),
        (lambda: map_task(functools.partial(double, x=1))(x=[1]), "input 'x' of .* is bound already"),
        (lambda: map_task(double)(y=[1]), "unknown input 'y'"),
        (map_task(double), "needs the input 'x'"),
        (lambda: map_task(double)(x=3), r"expected list\[int\], found int 3"),
        (lambda: map_task(double)(x=["a"]), r"expected int, found str 'a'"),
    ],
)
def test_wrong_maps_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(errors.UsageError, match=message):
        make()


def test_wrong_types_in_a_workflow_are_refused_with_the_line() -> None:
    @workflow
    def scalar(x: int) -> list[int]:
        return map_task(double)(x=x)

    @workflow
    def bound(xs: list[int], factor: str) -> list[int]:
        return map_task(functools.partial(affine, factor=factor))(x=xs)

    with pytest.raises(
        errors.TypeMismatchError, match=r"input 'x' of map_task\(double\) expects list\[int\], found"
    ) as one:
        scalar(x=1)
    with pytest.raises(errors.TypeMismatchError, match=r"input 'factor' of map_task\(affine\) expects int") as two:
        bound(xs=[1], factor="a")
    assert one.value.location.startswith(f"{__file__}:")
    assert two.value.location.startswith(f"{__file__}:")


def test_promises_bound_outside_of_a_workflow_are_refused() -> None:
    kept: list[Any] = []

    @workflow
    def flow(x: int) -> int:
        kept.append(double(x=x))
        return double(x=x)

    flow(x=1)
    with pytest.raises(errors.UsageError, match="promise"):
        map_task(functools.partial(affine, factor=kept[0]))(x=[1])


def test_the_name_tells_maps_with_other_settings_apart() -> None:
    names = {map_task(double).name, map_task(double, concurrency=2).name, map_task(double, min_successes=1).name}
    assert len(names) == 3
    assert map_task(double).name == map_task(double).name
    assert map_task(double).spec(current_app()).id.kind == "task"


def test_ten_thousand_items() -> None:
    assert map_task(double)(x=list(range(10_000))) == list(range(0, 20_000, 2))
