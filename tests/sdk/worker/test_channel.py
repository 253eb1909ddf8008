"""The worker's end of a channel: calls and answers, a word to stop, and an engine that is gone."""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from alula import _worker_signals, worker
from alula._app import current_app
from alula._bundle import code_for
from alula._worker_channel import Channel, EngineGoneError
from alula_kernel.contracts import CANCELLED, SUCCEEDED, TIMED_OUT, USER_FAILURE, Attempt, CallRequest, Outcome
from alula_kernel.errors import ActionError
from alula_kernel.literals import Scalar
from alula_kernel.specs import EntityId, EntityTarget
from alula_kernel.worker_protocol import (
    Answer,
    Begin,
    Call,
    Ended,
    Message,
    Stop,
    Withdraw,
    encode_message,
    load_outcome,
    outcome_uri,
    read_message,
)

from .conftest import HANG_SECONDS

TASKS = """
    import asyncio
    import os
    import time
    from pathlib import Path

    from alula import TaskEnvironment, task

    env = TaskEnvironment("e")

    @task
    def inc(x: int) -> int:
        return x + 1

    @task
    def calls(x: int) -> int:
        return inc(x=x) * 10

    @task
    def stubborn(x: int) -> int:
        try:
            return inc(x=x)
        except BaseException:
            return -1

    @env.task
    async def races(x: int) -> int:
        slow = asyncio.ensure_future(inc.aio(x=x))
        fast = asyncio.ensure_future(inc.aio(x=x + 1))
        done, left = await asyncio.wait([slow, fast], return_when=asyncio.FIRST_COMPLETED)
        for call in left:
            call.cancel()
        await asyncio.wait(left)
        return done.pop().result()

    @task
    def waits(mark: str) -> int:
        try:
            Path(mark).write_text("begun")
            time.sleep(600)
        finally:
            Path(mark).write_text("ended")
        return 1

    @env.task
    async def waits_async(mark: str) -> int:
        try:
            Path(mark).write_text("begun")
            await asyncio.sleep(600)
        finally:
            Path(mark).write_text("ended")
        return 1

    @task(timeout=0.2)
    def slow_call(x: int) -> int:
        return inc(x=x)

    @task
    def leaves_a_child(mark: str) -> int:
        import multiprocessing
        def computes() -> None:
            Path(mark).write_text("begun")
            sum(range(10**13))  # which looks for no signals while it computes
        process = multiprocessing.get_context("fork").Process(target=computes)
        process.start()
        while not Path(mark).exists():
            time.sleep(0.01)
        process.terminate()
        process.join()
        return process.exitcode
"""


class Executor:
    """A worker process and the executor's end of its channel."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        answers, to_worker = os.pipe()
        from_worker, results = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "alula.worker", "--channel", str(answers), str(results)],
            pass_fds=(answers, results),
            cwd="/",
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(answers)
        os.close(results)
        self._out: BinaryIO = os.fdopen(to_worker, "wb")
        self._in: BinaryIO = os.fdopen(from_worker, "rb")
        self._count = 0
        # Without it a worker that hangs would let `receive` wait for ever.
        self._watchdog = threading.Timer(HANG_SECONDS, self.process.kill)
        self._watchdog.daemon = True
        self._watchdog.start()

    def send(self, message: Message) -> None:
        self._out.write(encode_message(message))
        self._out.flush()

    def receive(self) -> Any:
        return read_message(self._in)

    def begin(self, task: Any, timeout_seconds: float | None = None, **inputs: Any) -> Attempt:
        self._count += 1
        attempt = Attempt(
            id=f"r/a0/{self._count}",
            run="r",
            action="a0",
            number=self._count,
            task=task.spec(current_app()),
            inputs={name: Scalar(value) for name, value in inputs.items()},
            timeout_seconds=timeout_seconds,
            code=code_for(task),
            output_prefix=str(self.folder / f"attempt-{self._count}"),
        )
        self.send(Begin(attempt))
        return attempt

    def hang_up(self) -> int:
        self._out.close()
        return self.process.wait(HANG_SECONDS)

    def close(self) -> None:
        self._watchdog.cancel()
        for stream in (self._out, self._in):
            stream.close()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[Executor]:
    made = Executor(tmp_path)
    yield made
    made.close()


@pytest.fixture
def tasks(project: Any) -> Any:
    return project.load("channel_tasks", TASKS)


def written(attempt: Attempt) -> Outcome | None:
    return load_outcome(current_app().storage, attempt.output_prefix)


def test_a_call_is_answered_and_the_outcome_is_written_before_it_is_sent(executor: Executor, tasks: Any) -> None:
    attempt = executor.begin(tasks.calls, x=1)
    call = executor.receive()
    assert isinstance(call, Call)
    assert call.request.target.entity == tasks.inc.id(current_app())
    assert [spec.id for spec in call.request.entities] == [tasks.inc.id(current_app())]
    executor.send(Answer(call.number, outputs={"o0": Scalar(7)}))
    ended = executor.receive()
    assert ended == Ended(Outcome(kind=SUCCEEDED, outputs={"o0": Scalar(70)}))
    assert written(attempt) == ended.outcome
    assert executor.hang_up() == 0


def test_one_worker_runs_one_attempt_after_the_other(executor: Executor, tasks: Any) -> None:
    for x in (1, 2, 3):
        executor.begin(tasks.inc, x=x)
        assert executor.receive().outcome.outputs == {"o0": Scalar(x + 1)}
    assert executor.hang_up() == 0


def test_a_failed_call_is_raised_in_the_task(executor: Executor, tasks: Any) -> None:
    executor.begin(tasks.calls, x=1)
    executor.send(Answer(executor.receive().number, error=ActionError(code="KeyError", message="no such key")))
    outcome = executor.receive().outcome
    assert (outcome.kind, outcome.error.code) == (USER_FAILURE, "KeyError")
    assert executor.hang_up() == 1


def test_a_coroutine_that_is_cancelled_withdraws_its_call(executor: Executor, tasks: Any) -> None:
    executor.begin(tasks.races, x=1)
    first, second = executor.receive(), executor.receive()
    executor.send(Answer(second.number, outputs={"o0": Scalar(5)}))
    assert executor.receive() == Withdraw(first.number)
    assert executor.receive().outcome.outputs == {"o0": Scalar(5)}


def test_a_time_limit_ends_a_call_that_waits(executor: Executor, tasks: Any) -> None:
    executor.begin(tasks.slow_call, timeout_seconds=0.2, x=1)
    call = executor.receive()
    assert executor.receive() == Withdraw(call.number)
    assert executor.receive().outcome.kind == TIMED_OUT


@pytest.mark.parametrize("name", ["waits", "waits_async"])
def test_an_attempt_that_is_stopped_cleans_up_and_ends_as_cancelled(
    executor: Executor, tasks: Any, tmp_path: Path, name: str
) -> None:
    mark = tmp_path / "mark"
    attempt = executor.begin(getattr(tasks, name), mark=str(mark))
    while not mark.exists() or not mark.read_text():
        pass
    executor.send(Stop("not needed any more"))
    outcome = executor.receive().outcome
    assert (outcome.kind, outcome.error.message) == (CANCELLED, "not needed any more")
    assert mark.read_text() == "ended"
    assert written(attempt) == outcome
    executor.begin(tasks.inc, x=1)
    assert executor.receive().outcome.kind == SUCCEEDED, "the worker can go on"


def test_an_attempt_that_waits_for_a_call_is_stopped(executor: Executor, tasks: Any) -> None:
    executor.begin(tasks.calls, x=1)
    call = executor.receive()
    executor.send(Stop())
    last = [executor.receive(), None]
    while not isinstance(last[0], Ended):
        last = [executor.receive(), last[0]]
    assert last[0].outcome.kind == CANCELLED
    assert last[1] in {None, Withdraw(call.number)}, "the end of an attempt withdraws its calls in any case"


@pytest.mark.parametrize("by_executor", [True, False])
def test_a_main_thread_that_does_not_notice_the_signal_is_woken(
    monkeypatch: pytest.MonkeyPatch, by_executor: bool
) -> None:
    """As if the signal had come between the thread's last look for signals and the moment when it begins to wait."""
    wake, late = _worker_signals._wake_main_thread, []

    def signalled(number: signal.Signals) -> None:
        if number == signal.SIGTERM:
            _thread.interrupt_main(number)  # noted, and nobody is woken
        else:
            wake(number)

    def stop() -> None:
        time.sleep(0.2)
        if by_executor:
            signals.stop("enough")
        else:
            signalled(signal.SIGTERM)
        if not ended.wait(HANG_SECONDS):
            late.append(True)
        waits.release()

    monkeypatch.setattr(_worker_signals, "_wake_main_thread", signalled)
    waits, ended = threading.Lock(), threading.Event()
    waits.acquire()
    stopper = threading.Thread(target=stop)
    with _worker_signals.StopSignals() as signals:
        stopper.start()
        with pytest.raises(_worker_signals.AttemptStopped) as stopped, signals.attempt():
            waits.acquire()
        ended.set()
        stopper.join()
    assert stopped.value.reason == ("enough" if by_executor else "stopped by SIGTERM")
    assert stopped.value.by_executor == by_executor
    assert not late


def test_a_word_to_stop_that_comes_late_stops_nothing(executor: Executor, tasks: Any) -> None:
    executor.begin(tasks.inc, x=1)
    executor.receive()
    executor.send(Stop())
    executor.begin(tasks.inc, x=2)
    assert executor.receive().outcome.kind == SUCCEEDED


class Ends:
    """A channel in this process, and the other ends of its pipes."""

    def __init__(self) -> None:
        answers, to_worker = os.pipe()
        from_worker, results = os.pipe()
        self.to_worker: BinaryIO = os.fdopen(to_worker, "wb", buffering=0)
        self.from_worker: BinaryIO = os.fdopen(from_worker, "rb")
        self._worker_ends = os.fdopen(answers, "rb"), os.fdopen(results, "wb")
        self.channel = Channel(*self._worker_ends, None)

    def ask(self, number: int) -> Future[Any]:
        request = CallRequest(target=EntityTarget(EntityId("task", "t")), inputs={})
        return self.channel.ask(number, Call(number, request))

    def close(self) -> None:
        for stream in (self.to_worker, *self._worker_ends, self.from_worker):
            stream.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


def test_the_answer_to_a_call_that_was_cancelled_just_now_is_dropped(ends: Ends) -> None:
    """As when an event loop has cancelled it, and the coroutine that withdraws it comes next."""
    cancelled, other = ends.ask(1), ends.ask(2)
    cancelled.cancel()
    for number in (1, 2):
        ends.to_worker.write(encode_message(Answer(number, outputs={"o0": Scalar(number)})))
    assert other.result(HANG_SECONDS) == {"o0": Scalar(2)}


def test_an_engine_that_is_gone_is_noticed_behind_a_cancelled_call(ends: Ends) -> None:
    cancelled, other = ends.ask(1), ends.ask(2)
    cancelled.cancel()
    ends.to_worker.close()
    assert isinstance(other.exception(HANG_SECONDS), EngineGoneError)
    assert ends.channel.next_attempt() is None


@pytest.mark.parametrize("started", [True, False], ids=["behind", "before"])
def test_an_exception_while_the_channel_starts_to_send_loses_nothing(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, started: bool
) -> None:
    """As a time limit or a signal raises it, while the main thread waits until the other has started."""

    class Interrupted(threading.Thread):
        def start(self) -> None:
            monkeypatch.undo()
            if started:
                super().start()
            raise KeyboardInterrupt

    monkeypatch.setattr(threading, "Thread", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        ends.ask(1)
    outcome = Outcome(kind=SUCCEEDED)
    ends.channel.send(Ended(outcome))
    closing = threading.Thread(target=ends.channel.close, daemon=True)
    closing.start()
    closing.join(HANG_SECONDS)
    assert not closing.is_alive()
    messages = [read_message(ends.from_worker) for _ in range(3)]
    assert isinstance(messages[0], Call)
    assert messages[1:] == [Withdraw(1), Ended(outcome)]


@pytest.mark.parametrize("name", ["calls", "stubborn", "races"])
def test_without_an_engine_a_call_ends_the_attempt_and_nothing_is_written(
    executor: Executor, tasks: Any, name: str
) -> None:
    attempt = executor.begin(getattr(tasks, name), x=1)
    executor.receive()
    assert executor.hang_up() == 1
    assert not current_app().storage.exists(outcome_uri(attempt.output_prefix))


def test_without_an_engine_an_attempt_that_calls_nothing_ends_well(
    executor: Executor, project: Any, tmp_path: Path
) -> None:
    module = project.load(
        "long_tasks",
        """
        import time
        from pathlib import Path

        from alula import task

        @task
        def waits_for(mark: str, go: str) -> int:
            Path(mark).write_text("begun")
            while not Path(go).exists():
                time.sleep(0.01)
            return 5
        """,
    )
    mark, go = tmp_path / "mark", tmp_path / "go"
    attempt = executor.begin(module.waits_for, mark=str(mark), go=str(go))
    while not mark.exists():
        pass
    executor._out.close()
    executor._in.close()
    go.write_text("")
    assert executor.process.wait(HANG_SECONDS) == 0
    outcome = written(attempt)
    assert outcome is not None
    assert outcome.outputs == {"o0": Scalar(5)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_and_writes_no_outcome(
    executor: Executor, tasks: Any, tmp_path: Path, number: signal.Signals
) -> None:
    mark = tmp_path / "mark"
    attempt = executor.begin(tasks.waits, mark=str(mark))
    while not mark.exists() or not mark.read_text():
        pass
    executor.process.send_signal(number)
    assert executor.process.wait(HANG_SECONDS) == -number
    assert mark.read_text() == "ended", "it could clean up"
    assert not current_app().storage.exists(outcome_uri(attempt.output_prefix))


def test_children_that_a_task_forks_end_by_their_signals(executor: Executor, tasks: Any, tmp_path: Path) -> None:
    """At once, and not when they next look for signals: a sleep that begins in that moment never does."""
    executor.begin(tasks.leaves_a_child, mark=str(tmp_path / "mark"))
    assert executor.receive().outcome.outputs == {"o0": Scalar(-signal.SIGTERM)}


def test_an_outcome_that_cannot_be_written_is_told(executor: Executor, tasks: Any, tmp_path: Path) -> None:
    (tmp_path / "attempt-1").write_text("a file where the folder should be")
    executor.begin(tasks.inc, x=1)
    outcome = executor.receive().outcome
    assert outcome.kind == "system_failure"
    assert "the outcome could not be written" in outcome.error.message


def test_garbage_on_the_channel_is_its_end(executor: Executor, tasks: Any) -> None:
    executor.send(Stop())
    executor._out.write(b"\0\0\0\3abc")
    assert executor.hang_up() == 0


def test_in_this_process_calls_are_part_of_the_attempt(tasks: Any) -> None:
    attempt = Attempt(
        id="r/a0/1",
        run="r",
        action="a0",
        number=1,
        task=tasks.calls.spec(current_app()),
        inputs={"x": Scalar(1)},
        code=code_for(tasks.calls),
    )
    assert worker.run_attempt(attempt) == Outcome(kind=SUCCEEDED, outputs={"o0": Scalar(20)})
