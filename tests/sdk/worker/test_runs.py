"""Runs whose tasks go to worker processes, over a channel: the same results as in this process."""

from __future__ import annotations

from typing import Any

import pytest

import alula
from alula import errors

ARITHMETIC = """
    import asyncio
    import os
    import threading

    from alula import TaskEnvironment, dynamic, map_task, task, workflow

    env = TaskEnvironment("sums")

    @task
    def add(a: int, b: int) -> int:
        return a + b

    @task
    def fails(message: str) -> int:
        raise ValueError(message)

    @task
    def nested(n: int) -> int:
        return n if n == 0 else add(a=n, b=nested(n=n - 1))

    @env.task
    async def side_by_side(n: int) -> list[int]:
        return await asyncio.gather(*[add.aio(a=i, b=1) for i in range(n)])

    @env.task
    async def survives(n: int) -> str:
        try:
            await fails.aio(message="no good")
        except ValueError as failure:
            return f"caught {failure}"
        return "nothing"

    @task
    def from_threads(n: int) -> list[int]:
        import contextvars
        from concurrent.futures import ThreadPoolExecutor

        contexts = [contextvars.copy_context() for _ in range(n)]
        with ThreadPoolExecutor(n) as pool:
            return list(pool.map(lambda i: contexts[i].run(add, a=i, b=i), range(n)))

    @dynamic
    def doubled(n: int) -> list[int]:
        return [add(a=i, b=i) for i in range(n)]

    @task
    def whereabouts() -> tuple[int, bool]:
        return os.getpid(), threading.current_thread() is threading.main_thread()

    @workflow
    def flow(n: int) -> list[int]:
        return map_task(add)(a=doubled(n=n), b=[1, 2, 3])
"""


@pytest.fixture
def arithmetic(project: Any) -> Any:
    return project.load("arithmetic", ARITHMETIC)


def test_a_task_runs_in_the_main_thread_of_another_process(arithmetic, elsewhere) -> None:
    import os

    process, in_main_thread = elsewhere.run(arithmetic.whereabouts).result
    assert process != os.getpid()
    assert in_main_thread


def test_calls_of_tasks_become_actions_of_the_run(arithmetic, elsewhere) -> None:
    run = elsewhere.run(arithmetic.nested, n=3)
    assert run.result == 6
    assert sorted(action.name for action in run.actions) == ["add"] * 3 + ["nested"] * 4
    assert len(elsewhere.executor.attempts) == 7


def test_coroutines_call_side_by_side(arithmetic, elsewhere) -> None:
    assert elsewhere.run(arithmetic.side_by_side, n=4).result == [1, 2, 3, 4]


def test_threads_call_at_the_same_time(arithmetic, elsewhere) -> None:
    assert elsewhere.run(arithmetic.from_threads, n=3).result == [0, 2, 4]


def test_a_failed_call_is_caught_by_its_own_class(arithmetic, elsewhere) -> None:
    assert elsewhere.run(arithmetic.survives, n=1).result == "caught no good"


def test_a_dynamic_task_hands_its_graph_to_the_engine(arithmetic, elsewhere) -> None:
    assert elsewhere.run(arithmetic.flow, n=3).result == [1, 4, 7]


def test_a_failure_shows_the_users_own_traceback(arithmetic, elsewhere) -> None:
    run = elsewhere.run(arithmetic.fails, message="out of cheese")
    assert run.error is not None
    assert (run.error.code, run.error.message, run.error.kind) == ("ValueError", "out of cheese", "user")
    assert "arithmetic.py" in run.error.traceback
    assert "alula/_body" not in run.error.traceback
    with pytest.raises(errors.RuntimeUserError, match="out of cheese"):
        run.raise_for_error()


def test_each_spec_is_sent_once_per_attempt(arithmetic, elsewhere) -> None:
    elsewhere.run(arithmetic.side_by_side, n=3)
    assert sorted(len(call.request.entities) for call in elsewhere.executor.calls) == [0, 0, 1]


def test_the_code_of_an_inline_run_goes_nowhere(arithmetic) -> None:
    assert alula.run(arithmetic.nested, n=2).result == 3


# --- which task an id stands for ------------------------------------------------------------------------------------


def test_tasks_of_a_factory_are_told_apart_by_their_variables(project, elsewhere) -> None:
    module = project.load(
        "factories",
        """
        from alula import task, workflow

        def times(factor: int):
            @task
            def multiply(x: int) -> int:
                return x * factor
            return multiply

        once, twice, thrice = times(1), times(2), times(3)

        @task
        def mixed(x: int) -> int:
            return thrice(x=x) * 100 + once(x=x) * 10 + twice(x=x)

        @workflow
        def flow(x: int) -> tuple[int, int, int]:
            return twice(x=x), mixed(x=x), thrice(x=x)
        """,
    )
    run = elsewhere.run(module.flow, x=2)
    assert run.result == (4, 624, 6)
    assert str(module.thrice.id(elsewhere.app)).endswith("@~thrice")


def test_a_factory_in_another_module(project, elsewhere) -> None:
    project.write(
        "toolbox.py",
        """
        from alula import task

        def adding(n: int):
            @task
            def add(x: int) -> int:
                return x + n
            return add
        """,
    )
    module = project.load(
        "uses_toolbox",
        """
        from alula import workflow
        from toolbox import adding

        one, ten = adding(1), adding(10)

        @workflow
        def flow(x: int) -> int:
            return ten(x=one(x=x))
        """,
    )
    assert elsewhere.run(module.flow, x=0).result == 11


def test_two_tasks_of_one_name_are_refused_and_not_mixed_up(project, elsewhere) -> None:
    for name, number in (("left", 1), ("right", 2)):
        project.write(
            f"{name}.py",
            f"""
            from alula import TaskEnvironment

            env = TaskEnvironment("numbers")

            @env.task
            def number() -> int:
                return {number}
            """,
        )
    module = project.load(
        "chooses",
        """
        from alula import task

        @task
        def choose() -> int:
            import right
            return right.number()

        @task
        def choose_both() -> int:
            import left
            import right
            return left.number() * 10 + right.number()
        """,
    )
    assert elsewhere.run(module.choose).result == 2
    with pytest.raises(
        errors.RuntimeUserError, match=r"two tasks are called numbers\.number: right:number and left:number"
    ):
        elsewhere.run(module.choose_both).raise_for_error()


def test_tasks_in_packages(project, elsewhere) -> None:
    project.write("shop/__init__.py", "")
    project.write("shop/prices.py", "RATE = 3\n")
    module = project.load(
        "shop.orders",
        """
        from alula import task

        from .prices import RATE

        class Orders:
            @staticmethod
            def plain(x: int) -> int:
                return x

        @task
        def price(amount: int) -> int:
            return amount * RATE
        """,
    )
    assert elsewhere.run(module.price, amount=5).result == 15


def test_tasks_without_a_function(project, elsewhere) -> None:
    module = project.load(
        "shells",
        """
        from alula import ShellTask, workflow

        hello = ShellTask(name="hello", script="echo hello {inputs.name} > greeting", inputs={"name": str})

        @workflow
        def greet(name: str):
            hello(name=name)
        """,
    )
    assert elsewhere.run(module.greet, name="you").error is None


def test_a_local_task_cannot_be_called_from_another_process(project, elsewhere) -> None:
    module = project.load(
        "locals_inside",
        """
        from alula import task

        @task
        def outer(x: int) -> int:
            @task
            def inner(y: int) -> int:
                return y + 1
            return inner(y=x)
        """,
    )
    run = elsewhere.run(module.outer, x=1)
    assert run.error is not None
    assert "no variable of a module holds it" in run.error.message
