"""AU-29, AU-34: `alula.map`, blocking and awaited, in tasks and at top level."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

import alula
from alula import App, TaskEnvironment, dynamic, errors, task, workflow
from alula_kernel.contracts import ActionEvent

env = TaskEnvironment(name="maps")


@env.task
def add(a: int, b: int = 10) -> int:
    return a + b


@env.task
async def square(x: int) -> int:
    await asyncio.sleep(0)
    return x * x


@env.task
async def fussy(x: int) -> int:
    await asyncio.sleep(0)
    if x == 2:
        raise ValueError("two")
    return x


def collect(results: Any) -> list[Any]:
    async def all_of() -> list[Any]:
        return [result async for result in results]

    return asyncio.run(all_of())


# --- results ---------------------------------------------------------------------------------------------------------


def test_results_come_in_the_order_of_the_items() -> None:
    @env.task
    async def slower_first(x: int) -> int:
        await asyncio.sleep(0.03 - 0.01 * x)
        return x

    @env.task
    def blocking() -> list[int]:
        return list(alula.map(slower_first, range(4)))

    @env.task
    async def awaited() -> list[int]:
        return [x async for x in alula.map.aio(slower_first, range(4))]

    assert blocking() == [0, 1, 2, 3]
    assert asyncio.run(awaited()) == [0, 1, 2, 3]


def test_unordered_results_come_as_they_are_there() -> None:
    @env.task
    async def until(x: int) -> int:
        ended.append(x)
        while ended and x == 0 and len(ended) < 3:
            await asyncio.sleep(0.001)
        return x

    ended: list[int] = []

    @env.task
    def blocking() -> list[int]:
        return list(alula.map(until, range(3), ordered=False))

    @env.task
    async def awaited() -> list[int]:
        return [x async for x in alula.map.aio(until, range(3), ordered=False)]

    for entity in (blocking, awaited):
        ended.clear()
        result = alula.run(entity).result
        assert sorted(result) == [0, 1, 2]
        assert result != [0, 1, 2]


def test_children_of_a_plain_task_run_at_once() -> None:
    together = 0
    most = 0

    @env.task
    async def meet(x: int) -> int:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await asyncio.sleep(0.02)
        together -= 1
        return x

    @env.task
    def main(limit: int) -> list[int]:
        return list(alula.map(meet, range(6), concurrency=limit))

    assert main(limit=0) == list(range(6))
    assert most == 6
    most = 0
    assert main(limit=2) == list(range(6))
    assert most == 2


def test_no_more_than_concurrency_run_at_once_in_a_coroutine() -> None:
    together: list[int] = []
    most = 0

    @env.task
    async def meet(x: int) -> int:
        nonlocal most
        together.append(x)
        most = max(most, len(together))
        await asyncio.sleep(0.001)
        together.remove(x)
        return x

    @env.task
    async def main() -> int:
        return sum([x async for x in alula.map.aio(meet, range(20), concurrency=3)])

    assert asyncio.run(main()) == sum(range(20))
    assert most == 3


def test_items_are_taken_as_results_are_consumed() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        for number in itertools.count():
            taken += 1
            yield number

    @env.task
    def main() -> int:
        results = alula.map(add, endless(), concurrency=5)
        return sum(itertools.islice(results, 100))

    assert main() == sum(range(100)) + 1000
    assert taken <= 100 + 5 * 4

    async def first() -> int:
        async with contextlib.aclosing(alula.map.aio(square, endless(), concurrency=2)) as results:  # type: ignore[type-var]
            async for result in results:
                if result > 50:
                    return result  # type: ignore[no-any-return]
        raise AssertionError

    taken = 0
    assert asyncio.run(first()) == 64
    assert taken <= 9 + 2 * 4


def test_a_slow_first_item_does_not_let_results_pile_up() -> None:
    begun: list[int] = []

    @env.task
    async def first_is_slow(x: int) -> int:
        begun.append(x)
        while x == 0 and len(begun) < 8:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.001)
        return x

    @env.task
    async def main() -> list[int]:
        results = alula.map.aio(first_is_slow, range(40), concurrency=2)
        first = await anext(results)  # type: ignore[call-overload]
        assert len(begun) <= 2 * 4 + 1
        return [first, *[x async for x in results]]

    assert asyncio.run(main()) == list(range(40))


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [0, 1, 3])
def test_failures_are_values_of_both_classes(concurrency: int) -> None:
    @env.task
    def main() -> list[str]:
        results = list(alula.map(fussy, range(4), concurrency=concurrency))
        assert isinstance(results[2], ValueError)
        assert isinstance(results[2], errors.RuntimeUserError)
        return [str(result) for result in results]

    run = alula.run(main)
    assert run.result == ["0", "1", "two", "3"]
    assert [a.phase.value for a in run.actions].count("failed") == 1


def test_the_first_failure_is_raised_and_cancels_the_rest() -> None:
    @env.task
    async def fails_or_waits(x: int) -> int:
        await asyncio.sleep(0 if x == 1 else 60)
        raise LookupError("one")

    @env.task
    def blocking() -> str:
        try:
            list(alula.map(fails_or_waits, range(3), return_exceptions=False))
        except LookupError as problem:
            return str(problem)
        return "nothing"

    @env.task
    async def awaited() -> str:
        try:
            [x async for x in alula.map.aio(fails_or_waits, range(3), return_exceptions=False)]
        except LookupError as problem:
            return str(problem)
        return "nothing"

    for entity in (blocking, awaited):
        run = alula.run(entity)
        assert run.result == "one"
        phases = sorted(a.phase.value for a in run.actions[1:])
        assert phases == ["aborted", "aborted", "failed"]


def test_a_value_of_the_wrong_type_is_the_failure_of_its_item() -> None:
    @env.task
    def main() -> list[str]:
        return [type(x).__name__ for x in alula.map(add, [1, "two", 3])]

    assert main() == ["int", "ValueConversionError", "int"]
    assert [type(x).__name__ for x in collect(alula.map.aio(add, [1, "two", 3]))] == [
        "int",
        "ValueConversionError",
        "int",
    ]
    with pytest.raises(errors.ValueConversionError, match="'a'"):
        list(alula.map(add, [1, "two"], return_exceptions=False))


def test_leaving_a_map_cancels_what_is_under_way() -> None:
    @env.task
    async def waits(x: int) -> int:
        await asyncio.sleep(60 if x else 0)
        return x

    @env.task
    def main() -> int:
        for result in alula.map(waits, range(3)):
            return result  # type: ignore[no-any-return]
        return -1

    run = alula.run(main)
    assert run.result == 0
    assert [a.phase.value for a in run.actions] == ["succeeded", "succeeded", "aborted", "aborted"]


def test_a_map_that_outlives_its_task_is_over() -> None:
    kept: list[Iterator[Any]] = []

    @env.task
    async def waits(x: int) -> int:
        await asyncio.sleep(60 if x else 0)
        return x

    @env.task
    def main() -> int:
        kept.append(alula.map(waits, range(2)))
        return next(kept[0])  # type: ignore[no-any-return]

    run = alula.run(main)
    assert [a.phase.value for a in run.actions] == ["succeeded", "succeeded", "aborted"]
    kept.clear()


# --- what is mapped --------------------------------------------------------------------------------------------------


def test_partials_several_iterables_and_other_entities() -> None:
    @workflow
    def flow(x: int) -> int:
        return add(a=x)

    @env.task
    def main() -> list[list[int]]:
        return [
            list(alula.map(add, [1, 2], [3, 4])),
            list(alula.map(functools.partial(add, b=1), [1, 2])),
            list(alula.map(functools.partial(add, 5), [1, 2])),
            list(alula.map(add.override(retries=1), (x for x in (1, 2)))),
            list(alula.map(add, [1, 2], itertools.repeat(7))),
            list(alula.map(flow, [1, 2])),
            list(alula.map(alula.LaunchPlan.get_or_create(flow), [3])),
            list(alula.map(add, [])),
        ]

    assert main() == [[4, 6], [2, 3], [6, 7], [11, 12], [8, 9], [11, 12], [13], []]


def test_what_cannot_be_mapped_is_refused_before_anything_runs() -> None:
    def plain(x: int) -> int:
        return x

    for arguments, message in [
        ((plain, [1]), "plain"),
        ((add,), "needs something to go through"),
        ((add, [1], [2], [3]), "3 iterables"),
        ((add, [1, 2], [1]), "different lengths: 2, 1"),
        ((functools.partial(add, c=1), [1]), "unknown input 'c'"),
        ((functools.partial(add, 1, a=1), [1]), "too many values"),
    ]:
        with pytest.raises(errors.UsageError, match=message):
            alula.map(*arguments)
    with pytest.raises(errors.UsageError, match="concurrency"):
        alula.map(add, [1], concurrency=-1)

    @env.task
    def both(a: int, b: int) -> int:
        return a + b

    with pytest.raises(errors.UsageError, match="needs the input 'b'"):
        alula.map(both, [1])
    with pytest.raises(errors.UsageError, match="ended after 2 items"):
        list(alula.map(both, (x for x in range(3)), (x for x in range(2))))


def test_workflows_map_with_map_task() -> None:
    @workflow
    def flow() -> int:
        return next(alula.map(add, [1]))  # type: ignore[no-any-return]

    with pytest.raises(errors.CompileError, match="map_task"):
        flow()

    @dynamic
    def graph() -> int:
        return next(alula.map(add, [1]))  # type: ignore[no-any-return]

    with pytest.raises(errors.CompileError, match="map_task"):
        graph()


# --- the tree --------------------------------------------------------------------------------------------------------


def test_at_top_level_a_map_is_one_run() -> None:
    events: list[ActionEvent] = []
    app = alula.current_app()
    app.listen(events.append)
    try:
        assert list(alula.map(add, range(3))) == [10, 11, 12]
        assert collect(alula.map.aio(square, range(3))) == [0, 1, 4]
    finally:
        app.close()
    runs = {event.run for event in events}
    assert len(runs) == 2
    roots = [(e.name, e.kind, e.phase) for e in events if e.action == "a0"]
    assert roots == [
        (name, "map", phase) for name in ("add_map", "square_map") for phase in ("queued", "running", "succeeded")
    ]
    assert {e.parent for e in events if e.action != "a0"} == {"a0"}
    assert not any(app.engine.store.actions(run) for run in runs)


def test_at_top_level_a_failure_that_is_raised_fails_the_run() -> None:
    ends: list[tuple[str, str]] = []

    def note(event: ActionEvent) -> None:
        if event.action == "a0":
            ends.append((event.phase, event.error.code if event.error is not None else event.message))

    app = alula.current_app()
    app.listen(note)
    try:
        with pytest.raises(ValueError, match="two"):
            list(alula.map(fussy, range(4), return_exceptions=False))
        with pytest.raises(ValueError, match="two"):
            collect(alula.map.aio(fussy, range(4), return_exceptions=False))
        results = alula.map(square, range(4))
        next(results)
        results.close()  # type: ignore[attr-defined]
    finally:
        app.close()
    assert [end for end in ends if end[0] not in {"queued", "running"}] == [
        ("failed", "ValueError"),
        ("failed", "ValueError"),
        ("aborted", "the map was left before its end"),
    ]


def test_a_map_works_inside_a_running_event_loop() -> None:
    async def main() -> list[int]:
        before = asyncio.get_running_loop()
        found = []
        for result in alula.map(square, range(4), concurrency=2):
            assert asyncio.get_running_loop() is before
            found.append(result)
        return found

    assert asyncio.run(main()) == [0, 1, 4, 9]


def test_cached_items_are_hits() -> None:
    app = App()
    ran: list[int] = []

    @task(cache=True, cache_version="1")
    def once(x: int) -> int:
        ran.append(x)
        return x

    @env.task
    def main() -> list[int]:
        return list(alula.map(once, [1, 2, 3]))

    try:
        assert alula.run(main, app=app).result == [1, 2, 3]
        run = alula.run(main, app=app)
    finally:
        app.close()
    assert ran == [1, 2, 3]
    assert [a.cache for a in run.actions[1:]] == ["hit"] * 3


# --- slots -----------------------------------------------------------------------------------------------------------


def test_nesting_ten_levels_deep_with_one_slot() -> None:
    @env.task
    def down(level: int) -> int:
        return 1 + sum(alula.map(down, [level - 1])) if level else 0

    @env.task
    async def down_async(level: int) -> int:
        return 1 + sum([x async for x in alula.map.aio(down_async, [level - 1])]) if level else 0

    runner = alula.with_runcontext(max_action_concurrency=1)
    assert runner.run(down, 10).result == 10
    assert runner.run(down_async, 10).result == 10


def test_a_thousand_parents_of_three_children_with_two_slots() -> None:
    together: list[int] = []
    most = 0

    @env.task
    async def leaf(x: int) -> int:
        nonlocal most
        together.append(x)
        most = max(most, len(together))
        await asyncio.sleep(0)
        together.remove(x)
        return x

    @env.task
    async def parent(x: int) -> int:
        return sum([y async for y in alula.map.aio(leaf, [3 * x, 3 * x + 1, 3 * x + 2])])

    @env.task
    async def main(n: int) -> int:
        return sum(await asyncio.gather(*(parent(x) for x in range(n))))

    run = alula.with_runcontext(max_action_concurrency=2).run(main, 1_000)
    assert run.result == sum(range(3_000))
    assert most <= 2


# --- replay ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["blocking", "awaited"])
def test_finished_items_answer_at_once_when_the_parent_runs_again(form: str) -> None:
    ran: list[int] = []
    tries: list[int] = []

    @env.task
    def step(x: int) -> int:
        ran.append(x)
        return x

    def items() -> list[int]:
        tries.append(1)
        return list(range(20)) if len(tries) == 1 else list(reversed(range(25)))

    @env.task(retries=1)
    def blocking() -> int:
        with alula.group("first" if len(tries) == 0 else "renamed"):
            total = sum(alula.map(step, items(), group_name=f"try-{len(tries)}"))
        if len(tries) == 1:
            raise OSError("after twenty steps")
        return total

    @env.task(retries=1)
    async def awaited() -> int:
        total = sum([x async for x in alula.map.aio(step, items(), concurrency=3)])
        if len(tries) == 1:
            raise OSError("after twenty steps")
        return total

    run = alula.run(blocking if form == "blocking" else awaited)
    assert run.result == sum(range(25))
    assert sorted(ran) == list(range(25))


def test_as_completed_over_calls() -> None:
    @env.task
    async def main() -> list[int]:
        return [await done for done in asyncio.as_completed([square(x) for x in range(5)])]

    assert sorted(asyncio.run(main())) == [0, 1, 4, 9, 16]
