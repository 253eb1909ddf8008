"""Time limits of attempts, in the queue, and of code that does not want to stop."""

from __future__ import annotations

import _thread
import asyncio
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from alula_kernel.builtin.time_limits import TimeLimitExceeded, run_within
from alula_kernel.contracts import LOST, SUCCEEDED, CallFailedError, Handle, Outcome
from alula_kernel.engine import Phase
from alula_kernel.specs import RetryPolicy, TimeoutPolicy

SOON = TimeoutPolicy(runtime_seconds=0.2)
LATER = TimeoutPolicy(runtime_seconds=60)


def in_thread(function: Callable[[], Any]) -> Any:
    """Run a function in another thread and return or raise what it does."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append((function(), None))
        except BaseException as error:
            results.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    value, error = results[0]
    if error is not None:
        raise error
    return value


def in_this_thread(function: Callable[[], Any]) -> Any:
    return function()


both_threads = pytest.mark.parametrize("run_in", [in_this_thread, in_thread])


def spin() -> int:
    while True:
        pass


def sleep() -> int:
    time.sleep(30)
    return 0


def short_sleeps() -> int:
    for _ in range(3000):
        time.sleep(0.01)
    return 0


async def sleep_async() -> int:
    await asyncio.sleep(30)
    return 0


# --- attempts in this process --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run_in", "body"),
    [
        (in_this_thread, spin),
        (in_this_thread, sleep),
        (in_this_thread, short_sleeps),
        (in_this_thread, sleep_async),
        (in_thread, spin),
        (in_thread, short_sleeps),
        (in_thread, sleep_async),
    ],
)
def test_an_attempt_is_stopped(world: Any, run_in: Any, body: Any) -> None:
    flow = world.workflow(world.node("n0", world.task(body, timeout=SOON)))
    result = run_in(lambda: world.run(flow))
    assert (result.error.code, result.error.message) == ("Timeout", "ran longer than 0.2 s")
    assert result.phases == {"a0.n0": "timed_out"}
    assert result.root.phase is Phase.FAILED
    assert result.actions["a0.n0"].attempts[0].outcome == "timed_out"


@both_threads
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_timeout_is_an_attempt_and_is_tried_again(world: Any, run_in: Any, asynchronous: bool) -> None:
    def slow_once(call: Any) -> int:
        return short_sleeps() if call.attempt.number == 1 else 7

    async def slow_once_async(call: Any) -> int:
        return await sleep_async() if call.attempt.number == 1 else 7

    body = slow_once_async if asynchronous else slow_once
    result = run_in(lambda: world.run(world.task(body, timeout=SOON, retries=RetryPolicy(user=1))))
    assert result.value == 7
    assert [attempt.outcome for attempt in result.root.attempts] == ["timed_out", "succeeded"]


@both_threads
def test_attempts_in_time_are_left_alone(world: Any, run_in: Any) -> None:
    async def quick_async() -> int:
        await asyncio.sleep(0.001)
        return 1

    nodes = [world.node("a", world.task(lambda: 1, "quick", timeout=LATER))]
    nodes.append(world.node("b", world.task(quick_async, timeout=LATER)))
    result = run_in(lambda: world.run(world.workflow(*nodes)))
    assert result.error is None
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_alarm_that_was_not_noticed_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the first had come between the thread's last look for signals and the moment when it begins to wait."""
    set_timer, timers = signal.setitimer, list[threading.Timer]()

    def late(which: int, seconds: float, interval: float = 0.0) -> object:
        if seconds and not timers:
            timers.append(threading.Timer(seconds, _thread.interrupt_main, [signal.SIGALRM]))  # noted; nobody is woken
            timers[0].start()
            return set_timer(which, seconds + interval if interval else 0.0, interval)
        return set_timer(which, seconds, interval)

    monkeypatch.setattr(signal, "setitimer", late)
    waits, hung = threading.Lock(), list[bool]()
    waits.acquire()
    watchdog = threading.Timer(60, lambda: (hung.append(True), waits.release()))
    watchdog.start()
    assert run_within(0.2, waits.acquire) == (False, None)
    assert not hung
    watchdog.cancel()
    timers[0].join()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_zero_is_no_limit(world: Any) -> None:
    seen: list[Any] = []
    policy = TimeoutPolicy(runtime_seconds=0, queued_seconds=0, deadline_seconds=0)
    task = world.task(lambda call: seen.append(call.attempt.timeout_seconds), "t", timeout=policy)
    assert world.run(task).error is None
    assert seen == [None]


def test_siblings_of_what_timed_out_are_not_harmed(world: Any) -> None:
    """The exception is raised in the code that is late, also while an event loop with others runs around it."""

    async def other() -> int:
        await asyncio.sleep(0.3)
        return 5

    flow = world.workflow(
        world.node("n0", world.task(other)),
        world.node("n1", world.task(spin, timeout=SOON)),
        outputs=world.ref("n0"),
        failure_policy="fail_after_executable_nodes_complete",
    )
    result = world.run(flow)
    assert result.phases == {"a0.n0": "succeeded", "a0.n1": "timed_out"}


@both_threads
def test_cleanup_runs_and_plain_except_does_not_stop_a_timeout(world: Any, run_in: Any) -> None:
    def cleanup() -> int:
        try:
            while True:
                try:
                    short_sleeps()
                except Exception:
                    world.log.append("swallowed")
        finally:
            world.log.append("cleaned")

    result = run_in(lambda: world.run(world.task(cleanup, timeout=SOON)))
    assert result.root.phase is Phase.TIMED_OUT
    assert world.log == ["cleanup", "cleaned"]


def test_a_coroutine_that_catches_the_cancellation_has_timed_out_all_the_same(world: Any) -> None:
    async def stubborn() -> int:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            pass
        return 1

    assert world.run(world.task(stubborn, timeout=SOON)).root.phase is Phase.TIMED_OUT


@both_threads
@pytest.mark.parametrize("inner_policy", [LATER, TimeoutPolicy()])
def test_the_limit_of_a_parent_stops_its_children(world: Any, run_in: Any, inner_policy: TimeoutPolicy) -> None:
    """The child does not take the parent's time limit for its own."""
    child = world.task(short_sleeps, "child", timeout=inner_policy, retries=RetryPolicy(user=5))

    def parent(call: Any) -> int:
        try:
            return call(child)
        except CallFailedError:
            world.log.append("went on")
            return 0

    result = run_in(lambda: world.run(world.task(parent, timeout=SOON)))
    assert result.root.phase is Phase.TIMED_OUT
    assert world.log == ["parent", "child"]
    (inner,) = [action for action in result.actions.values() if action.parent]
    assert inner.phase is Phase.ABORTED
    assert inner.attempts[0].outcome == "cancelled"


def test_the_limit_of_a_parent_stops_coroutines_that_it_called(world: Any) -> None:
    """In the main thread; in others an event loop that waits is not interrupted."""
    child = world.task(sleep_async, "child")

    def parent(call: Any) -> int:
        return call(child)

    result = world.run(world.task(parent, timeout=SOON))
    assert result.root.phase is Phase.TIMED_OUT
    assert {action.phase for action in result.actions.values()} == {Phase.TIMED_OUT, Phase.ABORTED}


@both_threads
def test_the_limit_of_a_child_leaves_its_parent_the_rest_of_its_time(world: Any, run_in: Any) -> None:
    child = world.task(short_sleeps, "child", timeout=SOON)

    def parent(call: Any) -> str:
        with pytest.raises(CallFailedError) as caught:
            call(child)
        time.sleep(0.2)
        return caught.value.error.code

    result = run_in(lambda: world.run(world.task(parent, timeout=LATER)))
    assert result.value == "Timeout"

    def slow_parent(call: Any) -> int:
        with pytest.raises(CallFailedError):
            call(child)
        return short_sleeps()

    result = run_in(lambda: world.run(world.task(slow_parent, timeout=TimeoutPolicy(runtime_seconds=0.4))))
    assert result.root.phase is Phase.TIMED_OUT
    assert result.error.message == "ran longer than 0.4 s"


# --- run_within ----------------------------------------------------------------------------------------------------------


@both_threads
def test_run_within_returns_and_raises(run_in: Any) -> None:
    assert run_in(lambda: run_within(60, lambda: 5)) == (True, 5)
    assert run_in(lambda: run_within(0.05, short_sleeps)) == (False, None)
    with pytest.raises(ValueError, match="broken"):
        run_in(lambda: run_within(60, lambda: int("broken")))


@both_threads
@pytest.mark.parametrize(("outer", "inner", "late"), [(0.05, 60, "outer"), (60, 0.05, "inner"), (0.05, 0.05, "outer")])
def test_nested_limits_stop_their_own_function(run_in: Any, outer: float, inner: float, late: str) -> None:
    def function() -> str:
        in_time, _ = run_within(inner, short_sleeps)
        assert not in_time
        return "inner"

    in_time, result = run_in(lambda: run_within(outer, function))
    if outer != inner:
        assert (in_time, result) == ((True, "inner") if late == "inner" else (False, None))


@both_threads
def test_deeply_nested_limits(run_in: Any) -> None:
    reached: list[int] = []

    def nest(depth: int) -> int:
        reached.append(depth)
        if depth == 5:
            return short_sleeps()
        in_time, _ = run_within(0.1 if depth == 2 else 60, lambda: nest(depth + 1))
        assert in_time == (depth != 2)
        return 0

    run_in(lambda: nest(0))
    assert reached == [0, 1, 2, 3, 4, 5]


@both_threads
def test_the_exception_never_arrives_late(run_in: Any) -> None:
    """Functions that end about when their time is up: afterwards nothing may be raised any more."""

    def scenario() -> set[bool]:
        seen = set()
        for i in range(150):
            seconds = 0.001 + (i % 10) * 0.000_1

            def busy(until: float = time.monotonic() + seconds) -> None:
                while time.monotonic() < until:
                    pass

            seen.add(run_within(seconds, busy)[0])
            for _ in range(50):
                pass
        end = time.monotonic() + 0.05
        while time.monotonic() < end:
            pass
        return seen

    assert run_in(scenario) <= {True, False}


def test_an_alarm_of_somebody_else_still_comes() -> None:
    rang: list[float] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(time.monotonic()))
    try:
        started = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        assert run_within(60, lambda: time.sleep(0.3)) == (True, None)
        assert len(rang) == 1
        assert rang[0] - started >= 0.09
        signal.setitimer(signal.ITIMER_REAL, 600)
        assert run_within(0.05, sleep) == (False, None)
        assert len(rang) == 1
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] < 600
        signal.raise_signal(signal.SIGALRM)
        assert len(rang) == 2
        assert run_within(0.05, lambda: [signal.raise_signal(signal.SIGALRM), 7][1]) == (True, 7)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@both_threads
def test_code_that_swallows_the_exception_is_stopped_again(monkeypatch: pytest.MonkeyPatch, run_in: Any) -> None:
    monkeypatch.setattr("alula_kernel.builtin.time_limits._AGAIN_SECONDS", 0.05)
    swallowed: list[int] = []

    def stubborn() -> None:
        while len(swallowed) < 3:
            try:
                short_sleeps()
            except TimeLimitExceeded:
                swallowed.append(1)
        short_sleeps()

    assert run_in(lambda: run_within(0.05, stubborn)) == (False, None)
    assert len(swallowed) == 3


def test_no_threads_are_left() -> None:
    in_thread(lambda: [run_within(60, lambda: 1) for _ in range(20)])
    end = time.monotonic() + 30
    while any(thread.name == "alula-time-limit" for thread in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.01)


# --- executors that enforce nothing themselves ---------------------------------------------------------------------------


async def forever(attempt: Any) -> int:
    await asyncio.sleep(3600)
    return 0


def test_the_engine_stops_attempts_elsewhere(world: Any) -> None:
    task = world.remote_task(forever, timeout=SOON, retries=RetryPolicy(user=1))
    result = world.run(world.workflow(world.node("n0", task)))
    assert world.remote.called("cancel") == ["a0.n0/1", "a0.n0/2"]
    assert world.remote.called("ended") == ["a0.n0/1", "a0.n0/2"]
    assert result.phases == {"a0.n0": "timed_out"}
    assert [attempt.outcome for attempt in result.actions["a0.n0"].attempts] == ["timed_out", "timed_out"]


def test_an_attempt_elsewhere_that_ends_in_time(world: Any) -> None:
    async def quick(attempt: Any) -> int:
        assert attempt.timeout_seconds == 60
        await asyncio.sleep(0.001)
        return 3

    assert world.run(world.remote_task(quick, timeout=LATER)).value == 3
    assert world.remote.called("cancel") == []


def test_an_attempt_that_succeeds_while_it_is_stopped_has_succeeded(world: Any) -> None:
    async def finishing(attempt: Any) -> int:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
        return 9

    result = world.run(world.remote_task(finishing, timeout=SOON))
    assert result.value == 9
    assert world.remote.called("cancel") == ["a0/1"]


@pytest.mark.parametrize("what", ["cancel", "wait"])
def test_an_executor_that_fails_to_stop_an_attempt(world: Any, what: str, caplog: pytest.LogCaptureFixture) -> None:
    task = world.remote_task(forever, timeout=SOON)
    wait = world.remote.wait

    async def failing_cancel(handle: Handle) -> None:
        raise OSError("no connection")

    async def failing_wait(handle: Handle) -> Outcome:
        await wait(handle)
        raise OSError("no connection")

    if what == "cancel":
        world.remote.cancel = failing_cancel
    else:
        world.remote.wait = failing_wait
    result = world.run(task)
    assert result.root.phase is Phase.TIMED_OUT
    assert "executor remote could not stop" in caplog.text


def test_an_abort_reaches_an_attempt_with_a_time_limit(world: Any, in_loop: Any) -> None:
    task = world.remote_task(forever, timeout=LATER)

    async def scenario() -> None:
        running = asyncio.ensure_future(world.run_async(task, name="r"))
        while not world.remote.called("wait"):
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert world.remote.called("cancel") == ["a0/1"]
        assert world.remote.called("ended") == ["a0/1"]

    in_loop(scenario())
    assert world.actions("r")["a0"].phase is Phase.ABORTED


def test_an_executor_without_an_event_loop_that_enforces_nothing(make_world: Any) -> None:
    """The engine enters an event loop for it."""
    from alula_kernel.contracts import TaskExecutor

    class Plain(TaskExecutor):
        name = "plain"
        task_types = ("plain",)
        needs_event_loop = False
        cancelled: list[Any] = []

        async def submit(self, attempt: Any, controller: Any) -> Any:
            return {"id": attempt.id}

        async def wait(self, handle: Any) -> Outcome:
            while handle not in self.cancelled:
                await asyncio.sleep(0.001)
            return Outcome(kind=LOST)

        async def cancel(self, handle: Any) -> None:
            self.cancelled.append(handle)

    world = make_world(executors=[Plain()])
    result = world.run(world.task(lambda: 0, "t", type="plain", timeout=SOON))
    assert result.root.phase is Phase.TIMED_OUT


@pytest.mark.parametrize("body", [spin, short_sleeps, sleep_async])
def test_a_deadline_is_told_as_it_was_set(world: Any, body: Any) -> None:
    task = world.task(
        body, retries=RetryPolicy(user=5), timeout=TimeoutPolicy(deadline_seconds=0.2, runtime_seconds=60)
    )
    result = world.run(task)
    assert result.root.phase is Phase.TIMED_OUT
    assert result.error.message == "did not succeed within 0.2 s"
    assert [attempt.error.message for attempt in result.root.attempts] == ["did not succeed within 0.2 s"]


def test_the_limit_of_a_graph_is_told_as_it_was_set(world: Any) -> None:
    graph = world.workflow(world.node("n0", world.task(sleep_async)))
    for timeout, message in (
        (SOON, "ran longer than 0.2 s"),
        (TimeoutPolicy(deadline_seconds=0.2, runtime_seconds=60), "did not succeed within 0.2 s"),
    ):
        result = world.run(world.task(lambda: graph, "dynamic", dynamic=True, timeout=timeout))
        assert (result.root.phase, result.error.message) == (Phase.TIMED_OUT, message)


# --- in the queue --------------------------------------------------------------------------------------------------------


def test_the_longest_wait_for_a_slot(world: Any) -> None:
    async def slow() -> int:
        await asyncio.sleep(0.5)
        return 1

    waiting = world.task(lambda: 0, "waiting", timeout=TimeoutPolicy(queued_seconds=0.05), retries=RetryPolicy(user=9))
    flow = world.workflow(
        world.node("n0", world.task(slow)),
        world.node("n1", waiting),
        outputs=world.ref("n0"),
        failure_policy="fail_after_executable_nodes_complete",
    )
    result = world.run(flow, max_parallelism=1)
    assert result.phases == {"a0.n0": "succeeded", "a0.n1": "timed_out"}
    assert result.actions["a0.n1"].error.message == "waited longer than 0.05 s to start"
    assert result.actions["a0.n1"].attempts == []


def test_the_deadline_counts_in_the_queue(world: Any) -> None:
    async def slow() -> int:
        await asyncio.sleep(0.5)
        return 1

    waiting = world.task(lambda: 0, "waiting", timeout=TimeoutPolicy(queued_seconds=60, deadline_seconds=0.05))
    flow = world.workflow(world.node("n0", world.task(slow)), world.node("n1", waiting))
    result = world.run(flow, max_parallelism=1)
    assert result.phases == {"a0.n0": "aborted", "a0.n1": "timed_out"}


def test_a_wait_in_time(world: Any) -> None:
    async def slow() -> int:
        await asyncio.sleep(0.02)
        return 1

    task = world.task(slow, timeout=TimeoutPolicy(queued_seconds=60))
    nodes = [world.node(f"n{i}", task) for i in range(5)]
    assert world.run(world.workflow(*nodes), max_parallelism=1).error is None


def test_a_free_slot_is_taken_at_once(world: Any) -> None:
    task = world.task(lambda: 1, "t", timeout=TimeoutPolicy(queued_seconds=1e-9))
    assert world.run(task, max_parallelism=1).value == 1


def test_a_user_exception_called_timeout_is_a_plain_failure(world: Any) -> None:
    """As `requests.Timeout`: its class name is the code that the engine's own timeouts have."""

    class Timeout(Exception):
        pass

    def request() -> int:
        raise Timeout("the server did not answer")

    result = world.run(world.task(request))
    assert result.root.phase is Phase.FAILED
    assert result.error.code == "Timeout"


def test_the_plain_function_of_a_coroutine_task_has_the_rest_of_the_time(world: Any) -> None:
    """A body may be a plain function that returns something to await."""

    async def rest() -> Outcome:
        await asyncio.sleep(30)
        return Outcome(kind=SUCCEEDED)

    task = world.task(lambda: 0, "t", timeout=TimeoutPolicy(runtime_seconds=0.2), outputs=())
    world.bodies[task.id] = lambda attempt, controller: rest()
    assert world.run(task).root.phase is Phase.TIMED_OUT
