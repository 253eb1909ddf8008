"""AU-27, AU-32, AU-33, EX-30, EX-31: plain Python that calls tasks, and the tree that it grows."""

from __future__ import annotations

import asyncio
import threading

import pytest

import alula
from alula import Resources, Run, TaskEnvironment, dynamic, errors, map_task, workflow

env = TaskEnvironment(name="plain")


@env.task
async def square(x: int) -> int:
    await asyncio.sleep(0)
    return x * x


@env.task
def double(x: int) -> int:
    return 2 * x


@env.task
async def broken(x: int) -> int:
    raise ValueError(f"broken {x}")


def names(run: Run) -> list[str]:
    return [a.name for a in run.actions]


def test_async_fan_out() -> None:
    @env.task
    async def main(n: int) -> list[int]:
        return await asyncio.gather(*(square(x=i) for i in range(n)))

    run = alula.run(main, n=4)
    assert run.result == [0, 1, 4, 9]
    assert names(run) == ["main", *["square"] * 4]
    assert asyncio.run(main(n=2)) == [0, 1]


def test_loops_conditions_and_calls_by_position() -> None:
    @env.task
    def main(n: int) -> int:
        total = 0
        while total < n:
            total = double(total) if total else 1
        return total

    run = alula.run(main, n=10)
    assert run.result == 16
    assert len(run.actions) == 5


def test_sync_calls_async_and_async_calls_sync() -> None:
    @env.task
    def sync_main(x: int) -> int:
        return asyncio.run(square(x=x))  # type: ignore[no-any-return]

    @env.task
    async def async_main(x: int) -> int:
        blocking = double(x)
        awaited = await double.aio(x)
        return blocking + awaited + await square(x)  # type: ignore[no-any-return]

    assert asyncio.run(async_main(x=3)) == 21
    run = alula.run(sync_main, x=3)
    assert run.result == 9
    assert names(run) == ["sync_main", "square"]


def test_children_from_threads() -> None:
    @env.task
    async def main(n: int) -> list[int]:
        return await asyncio.gather(*(asyncio.to_thread(double, i) for i in range(n)))

    run = alula.run(main, n=5)
    assert run.result == [0, 2, 4, 6, 8]
    assert names(run).count("double") == 5


def test_other_ways_to_wait() -> None:
    @env.task
    async def main() -> list[int]:
        found = [await done for done in asyncio.as_completed([square(x=1), square(x=2)])]
        tasks = {asyncio.create_task(square(x=i)) for i in (3, 4)}
        done, _pending = await asyncio.wait(tasks)
        return sorted([*found, *(t.result() for t in done), await asyncio.wait_for(square(x=5), 10)])

    assert asyncio.run(main()) == [1, 4, 9, 16, 25]


def test_a_cancelled_child_is_aborted() -> None:
    @env.task
    async def slow() -> int:
        await asyncio.sleep(60)
        return 1

    @env.task
    async def main() -> str:
        child = asyncio.ensure_future(slow())
        await asyncio.sleep(0.05)
        child.cancel()
        try:
            await child
        except asyncio.CancelledError:
            return "cancelled"
        return "not cancelled"

    run = alula.run(main)
    assert run.result == "cancelled"
    assert [a.phase.value for a in run.actions] == ["succeeded", "aborted"]


def test_workflows_launch_plans_dynamic_tasks_and_maps_are_children_too() -> None:
    @workflow
    def flow(x: int) -> int:
        return double(x=x)

    @dynamic
    def graph(n: int) -> list[int]:
        return [double(x=i) for i in range(n)]

    @env.task
    async def run_all() -> int:
        plan = alula.LaunchPlan.get_or_create(flow)
        results = [flow(x=1), await flow.aio(x=2), plan(x=3), *graph(n=3), *map_task(double)(x=[1, 2])]
        return sum(results)

    run = alula.run(run_all)
    assert run.result == 2 + 4 + 6 + 6 + 6
    assert [a.kind for a in run.actions if a.parent == "a0"] == ["workflow", "workflow", "launch_plan", "task", "map"]


def test_one_exception_is_both_ours_and_the_original() -> None:
    class Special(Exception):
        def __init__(self, number: int) -> None:
            super().__init__(f"special {number}")
            self.number = number

    @env.task
    def raises() -> None:
        raise Special(7)

    @env.task
    async def main() -> list[str]:
        caught: list[str] = []
        try:
            await broken(x=1)
        except ValueError as problem:
            caught.append(str(isinstance(problem, errors.RuntimeUserError)))
        try:
            await broken(x=2)
        except errors.RuntimeUserError as problem:
            caught += [problem.code, problem.kind, str(problem)]
        try:
            raises()
        except Special as problem:
            caught.append(str(problem.number))
        return caught

    assert asyncio.run(main()) == ["True", "ValueError", "user", "broken 2", "7"]


def test_a_failure_that_is_not_caught_fails_the_parent_with_the_childs_error() -> None:
    @env.task
    async def main() -> int:
        return await broken(x=3)  # type: ignore[no-any-return]

    run = alula.run(main)
    assert run.error is not None
    assert (run.error.code, run.error.message) == ("ValueError", "broken 3")
    assert run.error.action.startswith("a0.broken")
    with pytest.raises(ValueError, match="broken 3"):
        asyncio.run(main())


def test_trying_again_with_more_memory() -> None:
    @env.task
    async def needy(x: int) -> int:
        if alula.ctx().attempt.task.resources is None:  # type: ignore[union-attr]
            raise errors.OOMError(errors.ActionError(code="OutOfMemory", message="more"))
        return x

    @env.task
    async def main() -> int:
        try:
            return await needy(x=1)  # type: ignore[no-any-return]
        except errors.OOMError:
            return await needy.override(resources=Resources(memory="2Gi"))(x=2)  # type: ignore[no-any-return]

    assert asyncio.run(main()) == 2


# --- identity of children --------------------------------------------------------------------------------------------------


def test_children_have_the_same_ids_every_time() -> None:
    @env.task
    async def main(n: int) -> int:
        results = [await square(x=i % 2) for i in range(n)]
        return sum(results) + double(n)

    first, second = alula.run(main, n=4), alula.run(main, n=4)
    assert [a.id for a in first.actions] == [a.id for a in second.actions]
    assert len({a.id for a in first.actions}) == 6
    other = alula.run(main, n=3)
    assert {a.id for a in other.actions} < {a.id for a in first.actions} | {
        a.id for a in other.actions if a.name == "double"
    }


def test_ids_do_not_depend_on_resources_image_or_settings() -> None:
    @env.task
    async def main(big: bool) -> int:
        chosen = square.override(resources=Resources(cpu=8), retries=5) if big else square
        return await chosen(x=3)  # type: ignore[no-any-return]

    assert [a.id for a in alula.run(main, big=True).actions] == [a.id for a in alula.run(main, big=False).actions]


def test_children_that_succeeded_answer_at_once_when_the_parent_runs_again() -> None:
    calls: list[int] = []
    parents: list[int] = []

    @env.task
    def step(x: int) -> int:
        calls.append(x)
        return x

    @env.task(retries=2)
    async def main() -> int:
        parents.append(1)
        total = step(1) + await step.aio(2)
        if len(parents) < 3:
            raise OSError("crash after both steps")
        return total + step(3)

    run = alula.run(main)
    assert run.result == 6
    assert calls == [1, 2, 3]
    assert len(run.actions[0].attempts) == 3
    assert names(run) == ["main", "step", "step", "step"]


def test_a_child_that_failed_is_tried_again() -> None:
    calls: list[int] = []

    @env.task
    def flaky(x: int) -> int:
        calls.append(x)
        if len(calls) == 1:
            raise OSError("first")
        return x

    @env.task(retries=1)
    def main() -> int:
        return flaky(5)

    run = alula.run(main)
    assert run.result == 5
    assert [(a.name, a.phase.value) for a in run.actions] == [
        ("main", "succeeded"),
        ("flaky", "failed"),
        ("flaky", "succeeded"),
    ]


def test_nesting_does_not_use_up_slots() -> None:
    @env.task
    def leaf(x: int) -> int:
        return x

    @env.task
    def middle(x: int) -> int:
        return leaf(x) + leaf(x + 1)

    @env.task
    async def main() -> int:
        return sum(await asyncio.gather(*(middle.aio(i) for i in range(3))))

    run = alula.with_runcontext(max_action_concurrency=1).run(main)
    assert run.result == 9


# --- sync and async forms of the SDK itself ------------------------------------------------------------------------------------


def test_run_can_be_awaited() -> None:
    async def main() -> list[int]:
        runs = await asyncio.gather(
            alula.run.aio(square, x=2), alula.run.aio(double, x=3), alula.run_async(square, x=4)
        )
        return [run.result for run in runs]

    assert asyncio.run(main()) == [4, 6, 16]


def test_run_inside_a_running_event_loop_blocks_and_works() -> None:
    async def main() -> int:
        return alula.run(square, x=5).result  # type: ignore[no-any-return]

    assert asyncio.run(main()) == 25


def test_context_variables_are_carried() -> None:
    import contextvars

    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")

    @env.task
    def read() -> str:
        return variable.get()

    @env.task
    async def main() -> str:
        variable.set("set by the parent")
        return read() + "/" + await read.aio()  # type: ignore[no-any-return]

    assert asyncio.run(main()) == "set by the parent/set by the parent"


def test_runs_in_many_threads_and_loops_at_once() -> None:
    results: list[int] = []

    def work(n: int) -> None:
        results.append(asyncio.run(square(x=n)))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [n * n for n in range(10)]
