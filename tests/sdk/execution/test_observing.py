"""Observers of tasks and traced steps."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import alula
from alula.observing import Observer, Step, observe, stop_observing


class Notes(Observer):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.written: list[str] = []

    @contextlib.contextmanager
    def task(self, context: Any) -> Iterator[None]:
        """Note where a task begins and how it ends."""
        with self._noted(f"task {context.attempt.task.id.name.rpartition('.')[2]} {context.attempt_number}"):
            yield

    @contextlib.contextmanager
    def step(self, context: Any, step: Step) -> Iterator[None]:
        """Note where a step begins and how it ends."""
        assert step.action
        name = step.name.rpartition(".")[2]
        with self._noted(f"step {name}{' replayed' if step.replayed else ''}{' items' if step.gives_items else ''}"):
            yield

    @contextlib.contextmanager
    def _noted(self, what: str) -> Iterator[None]:
        self.written.append(what)
        try:
            yield
        except Exception as failure:
            self.written.append(f"{what} raised {type(failure).__name__}")
            raise
        self.written.append(f"{what} left")


@pytest.fixture
def notes() -> Iterator[Notes]:
    made = Notes()
    observe(made)
    yield made
    stop_observing(made)


@alula.trace
def double(number: int) -> int:
    return 2 * number


@alula.trace
async def awaited(number: int) -> int:
    return number + 1


@alula.trace
def counted(end: int) -> Iterator[int]:
    yield from range(end)


@alula.trace
async def counted_async(end: int) -> AsyncIterator[int]:
    for number in range(end):
        yield number


@alula.task
def plain(number: int) -> int:
    return double(number) + sum(counted(2))


@alula.task
async def coroutine(number: int) -> int:
    return await awaited(number) + sum([item async for item in counted_async(2)])


def test_tasks_and_steps_are_surrounded(notes: Notes) -> None:
    assert alula.run(plain, number=4).result == 9
    assert notes.written == [
        "task plain 1",
        *("step double", "step double left", "step counted items", "step counted items left"),
        "task plain 1 left",
    ]


def test_so_are_coroutines(notes: Notes) -> None:
    assert alula.run(coroutine, number=4).result == 6
    assert notes.written == [
        "task coroutine 1",
        *("step awaited", "step awaited left", "step counted_async items", "step counted_async items left"),
        "task coroutine 1 left",
    ]


def test_failures_are_seen_and_steps_that_do_not_run_again(notes: Notes) -> None:
    @alula.task(retries=1)
    def second_time(number: int) -> int:
        found = double(number)
        if alula.ctx().attempt_number == 1:  # type: ignore[union-attr]
            raise ValueError("not yet")
        return found

    assert alula.run(second_time, number=4).result == 8
    assert notes.written == [
        *("task second_time 1", "step double", "step double left", "task second_time 1 raised ValueError"),
        *("task second_time 2", "step double replayed", "step double replayed left", "task second_time 2 left"),
    ]


def test_an_observer_is_told_once_and_no_longer_than_asked(notes: Notes) -> None:
    observe(notes)
    alula.run(plain, number=1)
    stop_observing(notes)
    stop_observing(notes)
    alula.run(plain, number=2)
    assert notes.written.count("task plain 1") == 1


class Broken(Observer):
    """Fails on entering, on leaving, or both."""

    def __init__(self, *, entering: bool) -> None:
        self.entering = entering

    @contextlib.contextmanager
    def task(self, _context: Any) -> Iterator[None]:
        """Fail."""
        if self.entering:
            raise LookupError("on entering")
        try:
            yield
        finally:
            raise LookupError("on leaving")


class Swallowing(Observer):
    """Would keep exceptions back."""

    def task(self, _context: Any) -> contextlib.AbstractContextManager[object]:
        """Suppress everything."""
        return contextlib.suppress(Exception)


@pytest.mark.parametrize("entering", [True, False])
def test_what_an_observer_does_wrong_is_logged(caplog: pytest.LogCaptureFixture, entering: bool) -> None:
    broken = Broken(entering=entering)
    observe(broken)
    try:
        with caplog.at_level(logging.WARNING, "alula.task"):
            assert alula.run(plain, number=4).result == 9
    finally:
        stop_observing(broken)
    [record] = [record for record in caplog.records if "Broken" in record.getMessage()]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


def test_no_observer_keeps_a_failure_back() -> None:
    @alula.task
    def fails() -> int:
        raise ValueError("for all to see")

    swallowing = Swallowing()
    observe(swallowing)
    try:
        with pytest.raises(ValueError, match="for all to see"):
            fails()
        run = alula.run(fails)
        assert run.error is not None
        assert run.error.code == "ValueError"
    finally:
        stop_observing(swallowing)


def test_the_module_of_a_task_can_observe_it_in_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "observed_in_a_process.py").write_text(
        "import contextlib, pathlib\n"
        "import alula\n"
        "from alula.observing import Observer, observe\n"
        "class Writes(Observer):\n"
        "    @contextlib.contextmanager\n"
        "    def task(self, context):\n"
        "        yield\n"
        f"        pathlib.Path({str(tmp_path / 'seen')!r}).write_text(str(context.in_worker))\n"
        "observe(Writes())\n"
        "env = alula.TaskEnvironment('observed')\n"
        "@env.task\n"
        "def work() -> int:\n"
        "    return 1\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import observed_in_a_process as module  # type: ignore[import-not-found]

    from alula import observing

    stop_observing(*observing.observers)
    assert alula.with_runcontext(executor="process").run(module.work).result == 1
    assert (tmp_path / "seen").read_text() == "True"
