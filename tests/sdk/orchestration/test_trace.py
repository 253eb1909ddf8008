"""AU-31: recorded steps, and what becomes of them when a task runs again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

import pytest

import alula
from alula import Run, TaskEnvironment, errors

env = TaskEnvironment(name="traces")
ran: list[Any] = []


class ModelError(Exception):
    """Raised by a step; at module level, so that it can be found by name."""


class Pair(NamedTuple):
    """Two results."""

    left: int
    right: str


@pytest.fixture(autouse=True)
def _nothing_ran() -> Iterator[None]:
    ran.clear()
    yield
    ran.clear()


@alula.trace
def ask(prompt: str, temperature: float = 0.5) -> str:
    ran.append(("ask", prompt))
    return f"answer to {prompt}"


@alula.trace
async def ask_async(prompt: str) -> dict[str, int]:
    ran.append(("ask_async", prompt))
    await asyncio.sleep(0)
    return {prompt: len(prompt)}


@alula.trace
def words(text: str) -> Iterator[str]:
    ran.append(("words", text))
    yield from text.split()


@alula.trace
async def words_async(text: str) -> AsyncIterator[str]:
    ran.append(("words_async", text))
    for word in text.split():
        yield word


@alula.trace
def refuses(prompt: str) -> str:
    ran.append(("refuses", prompt))
    raise ModelError("not today")


@alula.trace
def note(text: str) -> None:
    ran.append(("note", text))


@alula.trace
def pair(x: int) -> Pair:
    ran.append(("pair", x))
    return Pair(x, str(x))


@alula.trace
def two(x: int) -> tuple[int, str]:
    ran.append(("two", x))
    return x, str(x)


@alula.trace
def untyped(thing):  # type: ignore[no-untyped-def]
    ran.append(("untyped", thing))
    return {1, thing}


def fails_first(body: Callable[[], Any]) -> Run:
    """Run a body in a task whose first attempt fails after it, and give the run."""
    tries: list[int] = []

    @env.task(retries=1)
    def main() -> str:
        result = body()
        tries.append(1)
        if len(tries) == 1:
            raise OSError("after everything")
        return repr(result)

    run = alula.run(main)
    run.raise_for_error()
    assert len(tries) == 2
    return run


def fails_first_async(body: Callable[[], Any]) -> Run:
    tries: list[int] = []

    @env.task(retries=1)
    async def main() -> str:
        result = await body()
        tries.append(1)
        if len(tries) == 1:
            raise OSError("after everything")
        return repr(result)

    run = alula.run(main)
    run.raise_for_error()
    return run


# --- records ---------------------------------------------------------------------------------------------------------


def test_a_step_is_recorded_with_inputs_result_error_and_times() -> None:
    @env.task
    def main() -> str:
        with alula.group("model"):
            answer = ask("hello", temperature=0.1)
        with pytest.raises(ModelError):
            refuses("hello")
        return answer

    run = alula.run(main)
    first, second = run.actions[1:]
    assert (first.kind, first.name, first.phase.value, first.group) == ("trace", "ask", "succeeded", "model")
    assert set(first.inputs) == {"prompt", "temperature"}
    assert set(first.outputs) == {"o0"}
    assert first.parent == "a0"
    assert first.started_at is not None
    assert first.ended_at is not None
    assert (second.name, second.phase.value) == ("refuses", "failed")
    assert second.error is not None
    assert (second.error.code, second.error.message) == ("ModelError", "not today")
    assert "(trace)" in run.tree()


def test_outside_of_a_task_it_is_a_plain_call() -> None:
    assert ask("x") == "answer to x"
    assert asyncio.run(ask_async("x")) == {"x": 1}
    assert list(words("a b")) == ["a", "b"]
    with pytest.raises(ModelError):
        refuses("x")


def test_it_keeps_name_docstring_and_kind() -> None:
    import inspect

    assert ask.__name__ == "ask"
    assert inspect.iscoroutinefunction(ask_async)
    assert inspect.isgeneratorfunction(words)
    assert inspect.isasyncgenfunction(words_async)


def test_inputs_must_be_named() -> None:
    with pytest.raises(errors.CompileError, match=r"\*args"):

        @alula.trace
        def f(*args: int) -> int:
            return 1


# --- replay ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "times"),
    [
        (lambda: ask("a") + ask("a") + ask("b"), 3),
        (lambda: (list(words("a b c")), list(words(""))), 2),
        (lambda: note("a"), 1),
        (lambda: pair(1), 1),
        (lambda: two(1), 1),
        (lambda: untyped("x") == {1, "x"}, 1),
    ],
    ids=["function", "generator", "nothing returned", "named tuple", "tuple", "not annotated"],
)
def test_what_was_recorded_is_returned_when_the_task_runs_again(body: Callable[[], Any], times: int) -> None:
    run = fails_first(body)
    assert len(ran) == times
    replayed = run.result
    ran.clear()
    assert replayed == repr(body())


def test_coroutines_and_asynchronous_generators_are_replayed() -> None:
    async def body() -> Any:
        first, second = await asyncio.gather(ask_async("a"), ask_async("bc"))
        return first, second, [word async for word in words_async("d e")]

    run = fails_first_async(body)
    assert len(ran) == 3
    assert run.result == repr(({"a": 1}, {"bc": 2}, ["d", "e"]))


def test_the_order_of_different_steps_and_the_group_do_not_matter() -> None:
    tries: list[int] = []

    @env.task(retries=1)
    def main() -> list[str]:
        tries.append(1)
        first = len(tries) == 1
        with alula.group("first" if first else "second"):
            answers = [ask(prompt) for prompt in (["a", "b", "c"] if first else ["c", "b", "a", "d"])]
        if first:
            raise OSError("again")
        return answers

    assert main() == ["answer to c", "answer to b", "answer to a", "answer to d"]
    assert ran == [("ask", p) for p in "abcd"]


def test_an_error_that_was_caught_is_raised_again_without_running() -> None:
    def body() -> str:
        try:
            return refuses("a")
        except ModelError as problem:
            return f"fallback after {type(problem).__name__}: {problem}"

    assert fails_first(body).result == repr("fallback after ModelError: not today")
    assert ran == [("refuses", "a")]


def test_an_error_that_failed_the_attempt_is_tried_again() -> None:
    broken = [True, True]

    @alula.trace
    def flaky() -> str:
        ran.append("flaky")
        if broken:
            broken.pop()
            raise ConnectionError("no connection")
        return "connected"

    @env.task(retries=3)
    def main() -> str:
        answer = ask("first") + flaky()
        if ran.count("end") == 0:
            ran.append("end")
            raise OSError("after the step")
        return answer

    run = alula.run(main)
    assert run.result == "answer to firstconnected"
    assert ran == [("ask", "first"), "flaky", "flaky", "flaky", "end"]
    assert len(run.actions[0].attempts) == 4


def test_a_step_that_was_left_runs_again() -> None:
    tries: list[int] = []

    @env.task(retries=1)
    def main() -> list[str]:
        tries.append(1)
        if len(tries) == 1:
            next(words("a b"))
            raise OSError("again")
        return list(words("a b"))

    run = alula.run(main)
    assert run.result == ["a", "b"]
    assert len(ran) == 2
    assert [a.phase.value for a in run.actions[1:]] == ["aborted", "succeeded"]


def test_other_code_is_another_step() -> None:
    def make(version: int) -> Callable[[], int]:
        namespace: dict[str, Any] = {"ran": ran}
        exec(f"def step() -> int:\n    ran.append({version})\n    return {version}", namespace)
        return alula.trace(namespace["step"])  # type: ignore[no-any-return]

    tries: list[int] = []

    @env.task(retries=1)
    def main() -> int:
        tries.append(1)
        result = make(len(tries))()
        if len(tries) == 1:
            raise OSError("again")
        return result

    assert main() == 2
    assert ran == [1, 2]


def test_a_result_of_another_type_is_refused() -> None:
    @alula.trace
    def wrong() -> int:
        return "text"  # type: ignore[return-value]

    @env.task
    def main() -> int:
        return wrong()

    run = alula.run(main)
    assert run.error is not None
    assert run.error.code == "ValueConversionError"
    assert run.actions[1].phase.value == "failed"


def test_steps_and_children_can_be_mixed_and_nested() -> None:
    children: list[int] = []

    @env.task
    def child(x: int) -> int:
        children.append(x)
        return x

    @alula.trace
    def outer(x: int) -> int:
        ran.append("outer")
        return len(ask("inner")) + child(x)

    run = fails_first(lambda: outer(1) + child(1))
    assert run.result == repr(len("answer to inner") + 2)
    assert ran == ["outer", ("ask", "inner")]
    assert children == [1, 1]


def test_steps_in_threads_and_in_items_of_a_map() -> None:
    @env.task(retries=1)
    async def item(x: int) -> str:
        answer = await asyncio.to_thread(ask, f"item {x}")
        if ran.count(("ask", f"item {x}")) == 1 and ("failed", x) not in ran:
            ran.append(("failed", x))
            raise OSError("again")
        return answer

    @env.task
    async def main() -> list[str]:
        return [x async for x in alula.map.aio(item, range(5))]

    assert asyncio.run(main()) == [f"answer to item {x}" for x in range(5)]
    assert sum(entry[0] == "ask" for entry in ran) == 5
