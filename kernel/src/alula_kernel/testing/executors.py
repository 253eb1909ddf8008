"""What every `TaskExecutor` promises."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec
import pytest

from ..contracts import (
    CANCELLED,
    LOST,
    OUTCOME_KINDS,
    SUCCEEDED,
    SYSTEM_FAILURE,
    TIMED_OUT,
    USER_FAILURE,
    Attempt,
    Controller,
    Handle,
    Outcome,
    TaskExecutor,
)
from ..errors import UsageError
from ..literals import Literal, Scalar
from ..specs import TaskSpec
from .attempts import NoCalls, sample_attempt
from .scenarios import Conformance, needs

T = TypeVar("T")

HANDLE_BYTES = 4_096
"""Largest handle, in bytes of JSON."""


class AttemptMaker(Protocol):
    """Makes an attempt of a kind, as `alula_kernel.testing.sample_attempt` does."""

    def __call__(self, kind: str, inputs: Mapping[str, Any] | None = None, **fields: Any) -> Attempt:
        """Make an attempt of a kind with plain inputs and other fields."""


class TaskExecutorConformance(Conformance):
    """What an executor promises. A subclass provides `open_executor` and, for tasks of its own, `make_attempt`.

    Kinds of tasks that cannot be expressed are switched off: an executor of queries will find a query that echoes, adds,
    fails and sleeps, but none that exits.

    Attributes:
        can_exit: Whether tasks can call ``sys.exit`` (kind ``exit``).
        can_give_up: Whether tasks can say that a retry is of no use (kind ``give_up``).
        cancels_running: Whether an attempt that runs can be stopped.
        enforces_timeout: What the executor says of itself.
        has_logs: Whether `logs` yields what a task prints (kind ``print``).
        has_traceback: Whether failures carry the traceback of the user's code.
        isolates_process: Whether a task that ends its process harms nobody else (kind ``die``).
        leaves_loop_free: Whether the event loop goes on while a task computes or waits.
        limit_seconds: How long a scenario may take before the suite gives up: far more than it needs on a busy machine.
            The default suits executors that start an attempt within a second.
        needs_event_loop: What the executor says of itself.
        outlives_waiting: Whether an attempt goes on when nobody waits for it any more.
        runs_together: Whether tasks run at the same time.
        sets_environment: Whether environment variables reach the task (kind ``environment``).
        shares_files: Whether tasks write to files that the test can read (kind ``append``).
        survives_restart: Whether `wait` works in another executor object with only the handle.
        validates: Whether `validate` refuses the task of the fixture `invalid_task`.
    """

    can_exit = True
    can_give_up = True
    cancels_running = True
    enforces_timeout = True
    has_logs = True
    has_traceback = True
    isolates_process = True
    leaves_loop_free = True
    limit_seconds = 60.0
    needs_event_loop = True
    outlives_waiting = True
    runs_together = True
    sets_environment = True
    shares_files = True
    survives_restart = True
    validates = True

    @pytest.fixture
    def open_executor(self) -> Callable[[], TaskExecutor]:
        """A function that makes the executor under test; called twice it makes a second one for the same place."""
        raise NotImplementedError("a subclass of TaskExecutorConformance provides the fixture open_executor")

    @pytest.fixture
    def make_attempt(self) -> AttemptMaker:
        """A function that makes an attempt which the executor understands, of the kinds of `sample_attempt`."""
        return sample_attempt

    @pytest.fixture
    def invalid_task(self) -> TaskSpec:
        """A task that the executor must refuse before anything runs."""
        raise NotImplementedError("a subclass provides the fixture invalid_task or sets validates = False")

    def run(self, scenario: Coroutine[Any, Any, T]) -> T:
        """Run a scenario in an event loop of its own, for `limit_seconds` at most."""

        async def limited() -> T:
            return await asyncio.wait_for(scenario, self.limit_seconds)

        return asyncio.run(limited())

    @pytest.fixture
    def executor(self, open_executor: Callable[[], TaskExecutor]) -> Iterator[TaskExecutor]:
        """The executor under test."""
        executor = open_executor()
        yield executor
        executor.close()

    def lost_handle(self, handle: Handle) -> Handle:
        """Return a handle of the form of a real one that nobody gave out. The default changes every text in it."""
        return {key: f"{value}-lost" if isinstance(value, str) else value for key, value in handle.items()}

    def test_E01_says_what_it_is(self, executor: TaskExecutor) -> None:
        """It is a `TaskExecutor` with a name and task types, and says truly what the flags of the suite say."""
        assert isinstance(executor, TaskExecutor)
        assert executor.name
        assert not isinstance(executor.task_types, str)
        assert executor.enforces_timeout == self.enforces_timeout
        assert executor.needs_event_loop == self.needs_event_loop

    def test_E02_success(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """An attempt that succeeds gives `SUCCEEDED` and its outputs, and no error."""
        outcome = self.run(_finish(executor, make_attempt("add", {"a": 2, "b": 3})))
        assert outcome.kind == SUCCEEDED, outcome.error
        assert outcome.outputs == {"o0": Scalar(5)}
        assert outcome.error is None

    @pytest.mark.parametrize("value", ["", "ä \N{SNOWMAN} 'quoted' \"twice\" \\ \n", "x" * 100_000])
    def test_E03_values_arrive_unchanged(self, executor: TaskExecutor, make_attempt: AttemptMaker, value: str) -> None:
        """Inputs and outputs arrive unchanged, whatever characters they have and up to 100 kB at least."""
        outcome = self.run(_finish(executor, make_attempt("echo", {"value": value})))
        assert outcome.kind == SUCCEEDED, outcome.error
        assert outcome.outputs == {"o0": Scalar(value)}

    def test_E04_handle_is_small_json(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """A handle is JSON of at most 4 kB, whatever the inputs, and works after a trip through JSON."""

        async def scenario() -> tuple[Handle, Outcome]:
            handle = await executor.submit(make_attempt("echo", {"value": "x" * 50_000}), NoCalls())
            travelled = msgspec.json.decode(msgspec.json.encode(handle))
            return handle, await executor.wait(travelled)

        handle, outcome = self.run(scenario())
        assert isinstance(handle, dict)
        assert len(msgspec.json.encode(handle)) <= HANDLE_BYTES
        assert outcome.kind == SUCCEEDED, outcome.error

    def test_E05_handle_without_secrets(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """A handle contains neither inputs nor environment variables."""

        async def scenario() -> Handle:
            attempt = make_attempt(
                "echo",
                {"value": "a-secret-input"},
                environment={"TOKEN": "a-secret-of-the-run"},
                task_environment={"KEY": "a-secret-of-the-task"},
            )
            handle = await executor.submit(attempt, NoCalls())
            await executor.wait(handle)
            return handle

        assert b"a-secret" not in msgspec.json.encode(self.run(scenario()))

    def test_E06_user_failure(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """A task that raises gives `USER_FAILURE` with the message, marked as the user's and worth a retry."""
        outcome = self.run(_finish(executor, make_attempt("fail", {"message": "deliberate failure"})))
        assert outcome.kind == USER_FAILURE
        assert outcome.outputs == {}
        assert outcome.error is not None
        assert "deliberate failure" in outcome.error.message
        assert outcome.error.code
        assert outcome.error.kind == "user"
        assert outcome.error.recoverable

    @needs("has_traceback")
    def test_E07_traceback(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """A failure has the name of the exception's class as its code, and the traceback of the user's code."""
        outcome = self.run(_finish(executor, make_attempt("fail", {"message": "deliberate failure"})))
        assert outcome.error is not None
        assert outcome.error.code == "ValueError"
        assert "raise ValueError" in outcome.error.traceback
        assert outcome.error.traceback.rstrip().endswith("deliberate failure")

    @needs("can_give_up")
    def test_E08_give_up(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """A task that raises `NonRecoverableError` gives a failure that is not worth a retry."""
        outcome = self.run(_finish(executor, make_attempt("give_up", {"message": "no use"})))
        assert outcome.kind == USER_FAILURE
        assert outcome.error is not None
        assert not outcome.error.recoverable

    @needs("can_exit")
    def test_E09_exit(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """A task that calls ``sys.exit`` fails, and the next attempt runs as ever."""

        async def scenario() -> tuple[Outcome, Outcome]:
            first = await _finish(executor, make_attempt("exit", {"status": 3}))
            return first, await _finish(executor, make_attempt("echo", {"value": "next"}))

        first, second = self.run(scenario())
        assert first.kind == USER_FAILURE
        assert first.error is not None
        assert second.kind == SUCCEEDED, second.error

    @needs("isolates_process")
    def test_E10_die(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """A task whose process ends at once fails with an error that tells so, and the next attempt runs as ever."""

        async def scenario() -> tuple[Outcome, Outcome]:
            first = await _finish(executor, make_attempt("die", {"status": 3}))
            return first, await _finish(executor, make_attempt("echo", {"value": "next"}))

        first, second = self.run(scenario())
        assert first.kind in {USER_FAILURE, SYSTEM_FAILURE}
        assert first.error is not None
        assert first.error.message
        assert second.kind == SUCCEEDED, second.error

    def test_E11_wait_again(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """`wait` may be called again, and at the same time, and gives the same outcome."""

        async def scenario() -> list[Outcome]:
            handle = await executor.submit(make_attempt("add", {"a": 1, "b": 1}), NoCalls())
            together = await asyncio.gather(executor.wait(handle), executor.wait(handle))
            return [*together, await executor.wait(handle)]

        first, second, third = self.run(scenario())
        assert first.kind == SUCCEEDED, first.error
        assert first.outputs == second.outputs == third.outputs == {"o0": Scalar(2)}

    def test_E12_submit_again(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """`submit` of an attempt id that was submitted before, running or ended, gives the same attempt."""

        async def scenario() -> list[Outcome]:
            attempt = make_attempt("add", {"a": 1, "b": 1})
            again = make_attempt("add", {"a": 100, "b": 100}, id=attempt.id)
            handles = [await executor.submit(a, NoCalls()) for a in (attempt, again)]
            outcomes = [await executor.wait(handle) for handle in handles]
            return [*outcomes, await executor.wait(await executor.submit(again, NoCalls()))]

        for outcome in self.run(scenario()):
            assert outcome.kind == SUCCEEDED, outcome.error
            assert outcome.outputs == {"o0": Scalar(2)}

    @needs("shares_files")
    def test_E13_runs_once(self, executor: TaskExecutor, make_attempt: AttemptMaker, tmp_path: Path) -> None:
        """An attempt that was submitted again runs once."""

        async def scenario() -> None:
            attempt = make_attempt("append", {"path": str(tmp_path / "ran"), "text": "x"})
            for _ in range(2):
                handles = [await executor.submit(attempt, NoCalls()) for _ in range(3)]
                await asyncio.gather(*(executor.wait(handle) for handle in handles))

        self.run(scenario())
        assert (tmp_path / "ran").read_text() == "x"

    def test_E14_many(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """Of twenty attempts at once each gives its own outputs."""

        async def scenario() -> list[Outcome]:
            attempts = [make_attempt("echo", {"value": f"value {n}"}) for n in range(20)]
            return await asyncio.gather(*(_finish(executor, attempt) for attempt in attempts))

        outcomes = self.run(scenario())
        assert [outcome.outputs for outcome in outcomes] == [{"o0": Scalar(f"value {n}")} for n in range(20)]

    @needs("runs_together")
    def test_E15_together(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """An attempt that waits does not keep another from running."""

        async def scenario() -> Outcome:
            slow = await executor.submit(make_attempt("sleep", {"seconds": self.limit_seconds * 2}), NoCalls())
            waiting = asyncio.ensure_future(executor.wait(slow))
            await asyncio.sleep(0)
            outcome = await _finish(executor, make_attempt("echo", {"value": "quick"}))
            await executor.cancel(slow)
            await waiting
            return outcome

        assert self.run(scenario()).kind == SUCCEEDED

    def test_E16_cancel_before_wait(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """An attempt that is cancelled before anybody waits gives `CANCELLED`, or its outcome if it had ended."""

        async def scenario() -> Outcome:
            handle = await executor.submit(make_attempt("echo", {"value": "x"}), NoCalls())
            await executor.cancel(handle)
            return await executor.wait(handle)

        assert self.run(scenario()).kind in {CANCELLED, SUCCEEDED}

    @needs("cancels_running")
    def test_E17_cancel_while_running(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """An attempt that is cancelled while it runs is stopped and gives `CANCELLED`, however often it is cancelled."""

        async def scenario() -> tuple[Outcome, Outcome]:
            handle = await executor.submit(make_attempt("sleep", {"seconds": self.limit_seconds * 2}), NoCalls())
            waiting = asyncio.ensure_future(executor.wait(handle))
            await asyncio.sleep(0.2)
            await asyncio.gather(executor.cancel(handle), executor.cancel(handle))
            outcome = await waiting
            await executor.cancel(handle)
            return outcome, await executor.wait(handle)

        first, second = self.run(scenario())
        assert first.kind == CANCELLED
        assert first.error is not None
        assert second.kind == CANCELLED

    def test_E18_cancel_after_the_end(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """Cancelling an attempt that has ended changes nothing."""

        async def scenario() -> Outcome:
            handle = await executor.submit(make_attempt("add", {"a": 1, "b": 2}), NoCalls())
            await executor.wait(handle)
            await executor.cancel(handle)
            return await executor.wait(handle)

        outcome = self.run(scenario())
        assert outcome.kind == SUCCEEDED
        assert outcome.outputs == {"o0": Scalar(3)}

    def test_E19_lost(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """A handle that means nothing gives `LOST` with an error of the system, and cancelling it does nothing."""

        async def scenario() -> Outcome:
            handle = await executor.submit(make_attempt("echo", {"value": "x"}), NoCalls())
            await executor.wait(handle)
            lost = self.lost_handle(handle)
            await executor.cancel(lost)
            return await executor.wait(lost)

        outcome = self.run(scenario())
        assert outcome.kind == LOST
        assert outcome.error is not None
        assert outcome.error.kind == "system"

    @needs("enforces_timeout")
    def test_E20_timeout(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """An attempt that runs longer than it may is stopped and gives `TIMED_OUT`, and the next one runs as ever."""

        async def scenario() -> tuple[Outcome, float, Outcome]:
            started = time.monotonic()
            slow = make_attempt("sleep", {"seconds": self.limit_seconds * 2}, timeout_seconds=0.3)
            outcome = await _finish(executor, slow)
            took = time.monotonic() - started
            return outcome, took, await _finish(executor, make_attempt("echo", {"value": "next"}))

        outcome, took, following = self.run(scenario())
        assert outcome.kind == TIMED_OUT
        assert outcome.error is not None
        assert took >= 0.3
        assert following.kind == SUCCEEDED, following.error

    @needs("enforces_timeout")
    def test_E21_in_time(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """A limit that is not reached changes nothing."""
        outcome = self.run(_finish(executor, make_attempt("add", {"a": 1, "b": 1}, timeout_seconds=self.limit_seconds)))
        assert outcome.kind == SUCCEEDED, outcome.error
        assert outcome.outputs == {"o0": Scalar(2)}

    @needs("survives_restart")
    def test_E22_wait_elsewhere(
        self, executor: TaskExecutor, open_executor: Callable[[], TaskExecutor], make_attempt: AttemptMaker
    ) -> None:
        """Another executor object gets the outcome with nothing but the handle, of attempts that run and that ended."""

        async def scenario() -> list[Outcome]:
            ended = await executor.submit(make_attempt("add", {"a": 1, "b": 1}), NoCalls())
            await executor.wait(ended)
            running = await executor.submit(make_attempt("sleep", {"seconds": 0.5}), NoCalls())
            second = open_executor()
            try:
                return [await second.wait(ended), await second.wait(running)]
            finally:
                second.close()

        ended, running = self.run(scenario())
        assert ended.outputs == {"o0": Scalar(2)}
        assert running.kind == SUCCEEDED, running.error

    @needs("survives_restart", "cancels_running")
    def test_E23_cancel_elsewhere(
        self, executor: TaskExecutor, open_executor: Callable[[], TaskExecutor], make_attempt: AttemptMaker
    ) -> None:
        """Another executor object stops an attempt with nothing but the handle."""

        async def scenario() -> Outcome:
            handle = await executor.submit(make_attempt("sleep", {"seconds": self.limit_seconds * 2}), NoCalls())
            second = open_executor()
            try:
                await second.cancel(handle)
                return await second.wait(handle)
            finally:
                second.close()

        assert self.run(scenario()).kind == CANCELLED

    @needs("leaves_loop_free")
    def test_E24_the_loop_goes_on(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """The event loop goes on while an attempt runs."""

        async def scenario() -> int:
            handle = await executor.submit(make_attempt("sleep", {"seconds": 1.0}), NoCalls())
            waiting = asyncio.ensure_future(executor.wait(handle))
            turns = 0
            while not waiting.done():
                await asyncio.sleep(0.01)
                turns += 1
            return turns

        assert self.run(scenario()) >= 10

    @needs("outlives_waiting")
    def test_E25_stop_waiting(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """Whoever stops waiting does not stop the attempt; another `wait` gets its outcome."""

        async def scenario() -> Outcome:
            handle = await executor.submit(make_attempt("sleep", {"seconds": 0.5}), NoCalls())
            waiting = asyncio.ensure_future(executor.wait(handle))
            await asyncio.sleep(0.1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return await executor.wait(handle)

        outcome = self.run(scenario())
        assert outcome.kind == SUCCEEDED, outcome.error

    @needs("has_logs")
    def test_E26_logs(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """`logs` yields what the attempt printed, and ends when the attempt has ended."""

        async def scenario() -> bytes:
            handle = await executor.submit(make_attempt("print", {"text": "a line for the log"}), NoCalls())
            await executor.wait(handle)
            return b"".join([piece async for piece in executor.logs(handle)])

        assert b"a line for the log" in self.run(scenario())

    def test_E27_logs_of_nothing(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """`logs` of an attempt that printed nothing ends, and is an asynchronous iterator of bytes."""

        async def scenario() -> list[bytes]:
            handle = await executor.submit(make_attempt("echo", {"value": "x"}), NoCalls())
            await executor.wait(handle)
            return [piece async for piece in executor.logs(handle)]

        assert all(isinstance(piece, bytes) for piece in self.run(scenario()))

    @needs("sets_environment")
    def test_E28_environment(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """Environment variables of the run and of the task reach the task; those of the task win."""

        async def scenario() -> list[dict[str, Literal]]:
            outcomes = []
            for name in ("ALULA_TEST_RUN", "ALULA_TEST_BOTH"):
                attempt = make_attempt(
                    "environment",
                    {"name": name},
                    environment={"ALULA_TEST_RUN": "run", "ALULA_TEST_BOTH": "run"},
                    task_environment={"ALULA_TEST_BOTH": "task"},
                )
                outcomes.append((await _finish(executor, attempt)).outputs)
            return outcomes

        assert self.run(scenario()) == [{"o0": Scalar("run")}, {"o0": Scalar("task")}]

    def test_E29_validate(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """`validate` accepts a task that the executor runs."""
        executor.validate(make_attempt("echo", {"value": "x"}).task)

    @needs("validates")
    def test_E30_validate_refuses(self, executor: TaskExecutor, invalid_task: TaskSpec) -> None:
        """`validate` refuses a task that cannot run here with a `UsageError` that says why."""
        with pytest.raises(UsageError) as caught:
            executor.validate(invalid_task)
        assert caught.value.message

    def test_E31_close_again(self, open_executor: Callable[[], TaskExecutor]) -> None:
        """`close` may be called again, and without the executor having been used."""
        executor = open_executor()
        executor.close()
        executor.close()

    def test_E32_outcomes_travel(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """Outcomes are of a known kind, and equal after a trip through msgpack."""

        async def scenario() -> list[Outcome]:
            kinds = [("echo", {"value": "x"}), ("fail", {"message": "deliberate"})]
            return [await _finish(executor, make_attempt(kind, inputs)) for kind, inputs in kinds]

        for outcome in self.run(scenario()):
            assert outcome.kind in OUTCOME_KINDS
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(outcome), type=Outcome) == outcome

    @needs("not needs_event_loop")
    def test_E33_asks_for_the_event_loop(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """An executor that says it needs no event loop uses none before it has asked its controller for one."""
        controller = _AskedForLoop()
        scenario = _finish(executor, make_attempt("add", {"a": 1, "b": 1}), controller)
        try:
            asked_for = scenario.send(None)
        except StopIteration:  # it ran to its end without an event loop
            asked_for = controller
        scenario.close()
        assert asked_for is controller

    def test_E34_run(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """`run` gives the outcome that `submit` and `wait` give, of a success and of a failure."""

        async def scenario() -> tuple[Outcome, Outcome]:
            added = await _run(executor, make_attempt("add", {"a": 2, "b": 3}))
            return added, await _run(executor, make_attempt("fail", {"message": "deliberate"}))

        added, failed = self.run(scenario())
        assert added.kind == SUCCEEDED, added.error
        assert added.outputs == {"o0": Scalar(5)}
        assert failed.kind == USER_FAILURE
        assert failed.error is not None
        assert "deliberate" in failed.error.message

    @needs("survives_restart", "cancels_running")
    def test_E35_stop_run(self, executor: TaskExecutor, make_attempt: AttemptMaker) -> None:
        """Whoever stops waiting for `run` stops the attempt."""

        async def scenario() -> Outcome:
            attempt = make_attempt("sleep", {"seconds": self.limit_seconds * 2})
            running = asyncio.ensure_future(_run(executor, attempt))
            await asyncio.sleep(0.2)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            return await executor.wait(await executor.submit(attempt, NoCalls()))

        assert self.run(scenario()).kind == CANCELLED


class _AskedForLoop(NoCalls):
    """A controller that answers the wish for an event loop by handing itself to whoever steps the coroutine."""

    async def enter_event_loop(self) -> None:
        await _Handing(self)


class _Handing:
    def __init__(self, what: object) -> None:
        self._what = what

    def __await__(self) -> Generator[object, None, None]:
        yield self._what


async def _run(executor: TaskExecutor, attempt: Attempt) -> Outcome:
    running = executor.run(attempt, NoCalls())
    return running if isinstance(running, Outcome) else await running


async def _finish(executor: TaskExecutor, attempt: Attempt, controller: Controller | None = None) -> Outcome:
    return await executor.wait(await executor.submit(attempt, controller or NoCalls()))
