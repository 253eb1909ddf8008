"""Runs with and without an event loop, in notebooks and threads, and how they are interrupted."""

from __future__ import annotations

import asyncio
import gc
import linecache
import subprocess
import sys
import textwrap
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from alula_kernel.contracts import CallFailedError
from alula_kernel.engine import Phase, run_blocking
from alula_kernel.engine.children import Children
from alula_kernel.engine.stepping import Stepper, become_task, step, within
from alula_kernel.errors import ActionError, EngineError


def inc(x: int) -> int:
    return x + 1


async def inc_async(x: int) -> int:
    await asyncio.sleep(0.001)
    return x + 1


def mixed_flow(world: Any) -> Any:
    plain, coroutine = world.task(inc), world.task(inc_async)
    return world.workflow(
        world.node("n0", plain, x=world.ref("", "x")),
        world.node("n1", coroutine, x=world.ref("n0")),
        world.node("n2", plain, x=world.ref("n1")),
        world.node("m", world.map(coroutine), x=[1, 2, 3], upstream=["n2"]),
        inputs=["x"],
        outputs=world.ref("n2"),
    )


# --- without an event loop -----------------------------------------------------------------------------------------------


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    folder = Path(__file__).parent
    prelude = f"import sys; sys.path.insert(0, {str(folder)!r})\nfrom conftest import *\nworld = World()\n"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", prelude + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_engine_imports_no_asyncio_and_plain_runs_need_none() -> None:
    code = """
        import sys
        from alula_kernel.builtin.inline import InlineExecutor
        from alula_kernel.contracts import SUCCEEDED, Outcome
        from alula_kernel.engine import Engine, MemoryStore
        from alula_kernel.literals import ListLiteral, Scalar
        from alula_kernel.specs import *
        from alula_kernel.types import INT

        variable = Variable(INT)
        inc = TaskSpec(id=EntityId("task", "m.inc"), interface=Interface({"x": variable}, {"o0": variable}))
        nested = TaskSpec(id=EntityId("task", "m.nested"), interface=Interface({"x": variable}, {"o0": variable}))
        flow = WorkflowSpec(
            id=EntityId("workflow", "m.flow"),
            interface=Interface({"x": variable}, {"o0": variable}),
            nodes=(
                Node(id="n0", target=EntityTarget(inc.id), inputs={"x": Reference("", "x")}),
                Node(id="n1", target=EntityTarget(nested.id), inputs={"x": Reference("n0", "o0")}),
                Node(
                    id="n2",
                    target=MapTarget(inc.id, mapped=("x",), results=("o0",)),
                    inputs={"x": ListBinding((Reference("n1", "o0"),))},
                ),
            ),
            outputs={"o0": Reference("n2", "o0")},
        )
        specs = {spec.id: spec for spec in (inc, nested, flow)}

        def body(attempt, controller):
            value = attempt.inputs["x"].value
            if attempt.task is nested:
                from alula_kernel.contracts import CallRequest
                request = CallRequest(target=EntityTarget(inc.id), inputs={"x": Scalar(value)})
                value = controller.call_blocking(request)["o0"].value
            return Outcome(kind=SUCCEEDED, outputs={"o0": Scalar(value + 1)})

        engine = Engine(
            executors={"inline": InlineExecutor(lambda spec: body)},
            entities=specs.__getitem__,
            store=MemoryStore(),
            open_cache=lambda: None,
            gate_keeper=None,
        )
        result = engine.run_blocking(flow, {"x": Scalar(0)})
        assert result.outputs["o0"] == ListLiteral([Scalar(4)]), result
        heavy = {"asyncio", "sqlite3", "numpy", "pandas", "fsspec", "concurrent.futures", "random", "secrets"}
        print(sorted(heavy & sys.modules.keys()))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_coroutine_that_waits_without_asking_is_refused() -> None:
    async def careless() -> None:
        await asyncio.sleep(0)

    with pytest.raises(EngineError, match="waited outside an asyncio task"):
        run_blocking(careless())


def test_step_stops_where_a_task_is_needed() -> None:
    reached: list[int] = []

    async def coroutine(stepper: Stepper) -> int:
        reached.append(1)
        await become_task(stepper)
        reached.append(2)
        await become_task(stepper)
        await asyncio.sleep(0)
        return 3

    stepper = Stepper()
    started = coroutine(stepper)
    assert step(started) == (False, None)
    assert reached == [1]
    assert stepper.in_task

    async def finish() -> int:
        return await asyncio.get_running_loop().create_task(started)

    assert asyncio.run(finish()) == 3
    assert step(coroutine_without_waiting()) == (True, 5)


def test_an_interrupt_just_before_it_waits_makes_no_task_of_it() -> None:
    async def coroutine(stepper: Stepper) -> None:
        await become_task(stepper)

    def interrupt(frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line" and "yield" in linecache.getline(frame.f_code.co_filename, frame.f_lineno):
            raise KeyboardInterrupt
        return interrupt

    stepper = Stepper()
    before = sys.gettrace()
    sys.settrace(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            step(coroutine(stepper))
    finally:
        sys.settrace(before)
    assert not stepper.in_task


async def coroutine_without_waiting() -> int:
    return 5


# --- with an event loop around it ----------------------------------------------------------------------------------------


def test_inside_a_running_loop_as_in_a_notebook(world: Any, in_loop: Any) -> None:
    flow = mixed_flow(world)

    async def cell() -> list[int]:
        outside = asyncio.get_running_loop()
        ticks: list[int] = []

        async def tick() -> None:
            while True:
                ticks.append(1)
                await asyncio.sleep(0)

        ticking = asyncio.ensure_future(tick())
        await asyncio.sleep(0)
        before = len(ticks)
        values = [world.run(flow, {"x": 1}).value, world.run(flow, {"x": 2}).value]
        assert len(ticks) == before, "the outer loop stands still"
        assert asyncio.get_running_loop() is outside
        await asyncio.sleep(0)
        assert len(ticks) > before
        values.append((await world.run_async(flow, {"x": 3})).value)
        ticking.cancel()
        return values

    assert in_loop(cell()) == [4, 5, 6]


def test_the_outer_loop_is_as_before_after_a_failure(world: Any, in_loop: Any) -> None:
    async def broken_async() -> int:
        await asyncio.sleep(0)
        raise KeyboardInterrupt

    async def cell() -> None:
        outside, task = asyncio.get_running_loop(), asyncio.current_task()
        with pytest.raises(KeyboardInterrupt):
            world.run(world.task(broken_async))
        assert asyncio.get_running_loop() is outside
        assert asyncio.current_task() is task
        await asyncio.sleep(0)

    in_loop(cell())


def test_several_threads_at_once(world: Any) -> None:
    flow = mixed_flow(world)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda x: world.run(flow, {"x": x}), range(64)))
    assert [result.value for result in results] == [x + 3 for x in range(64)]
    assert len({result.name for result in results}) == 64
    assert all(len(result.actions) == 8 for result in results)


def test_one_loop_per_thread_and_runs_in_loops_of_threads(world: Any) -> None:
    flow = mixed_flow(world)

    def work(x: int) -> list[int]:
        async def several() -> list[int]:
            results = await asyncio.gather(*(world.run_async(flow, {"x": x + i}) for i in range(4)))
            return [result.value for result in results]

        return asyncio.run(several())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, (0, 100, 200))) == [[x + i + 3 for i in range(4)] for x in (0, 100, 200)]


def test_what_the_code_leaves_running_is_cancelled_at_the_end(world: Any) -> None:
    ends: list[str] = []

    async def stray() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    async def careless() -> int:
        kept.append(asyncio.ensure_future(stray()))
        await asyncio.sleep(0)
        return 1

    kept: list[Any] = []
    assert world.run(world.task(careless)).value == 1
    assert ends == ["cancelled"]


# --- interrupts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exception", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_interrupt_ends_every_action(world: Any, exception: type[BaseException], asynchronous: bool) -> None:
    async def forever() -> int:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.001)
            world.log.append("cleaned")
        return 0

    def stop() -> int:
        raise exception

    async def stop_async() -> int:
        await asyncio.sleep(0.01)
        raise exception

    slow = world.task(forever)

    async def parent(call: Any) -> Any:
        return await asyncio.gather(call.aio(slow), call.aio(slow))

    flow = world.workflow(
        world.node("n0", slow),
        world.node("n1", world.task(parent)),
        world.node("n2", world.task(stop_async if asynchronous else stop)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(exception):
            world.run(flow, name="r")
        gc.collect()
    actions = world.actions("r")
    assert {action.phase for action in actions.values()} == {Phase.ABORTED}
    assert world.log.count("cleaned") == (3 if asynchronous else 0)
    if exception is KeyboardInterrupt:
        assert actions["a0"].message == "interrupted"


def test_an_interrupt_in_nested_loops(world: Any) -> None:
    async def forever() -> int:
        await asyncio.sleep(3600)
        return 0

    async def stop() -> int:
        await asyncio.sleep(0.01)
        raise KeyboardInterrupt

    slow, stopping = world.task(forever), world.task(stop)
    inner = world.workflow(world.node("i0", slow), world.node("i1", stopping))

    def parent(call: Any) -> int:
        try:
            return call(inner)
        finally:
            world.log.append("parent left")

    async def grandparent(call: Any) -> int:
        return call(parent_task)

    parent_task = world.task(parent)
    flow = world.workflow(world.node("n0", slow), world.node("n1", world.task(grandparent)))
    with pytest.raises(KeyboardInterrupt):
        world.run(flow, name="r")
    assert world.log[-1] == "parent left"
    assert {action.phase for action in world.actions("r").values()} == {Phase.ABORTED}
    assert len(world.actions("r")) == 7


@pytest.mark.parametrize("where", ["plain", "coroutine", "elsewhere", "nested", "many"])
def test_control_c(where: str) -> None:
    """A real signal, at a moment when the event loop waits or plain code sleeps; nothing is left behind or printed."""
    done = run_python(
        f"""
        import gc, os, signal, threading, time

        async def forever():
            await asyncio.sleep(3600)

        async def item(x):
            await asyncio.sleep(3600)

        def sleep():
            time.sleep(3600)

        async def elsewhere(attempt):
            await asyncio.sleep(3600)

        slow = world.task(forever)
        specs = {{
            "plain": world.task(sleep),
            "coroutine": slow,
            "elsewhere": world.remote_task(elsewhere),
            "nested": world.task(lambda call: call(slow), "nested"),
            "many": world.map_workflow(world.task(item), list(range(500))),
        }}
        signal.signal(signal.SIGINT, signal.default_int_handler)
        timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
        try:
            timer.start()
            world.run(specs[{where!r}], name="r")
        except KeyboardInterrupt:
            print("interrupted")
        timer.join()
        gc.collect()
        print(sorted({{action.phase.value for action in world.actions("r").values()}}))
        print({{action.message for action in world.actions("r").values()}})
        print(world.remote.called("cancel"), all(job.done() for job in world.remote.jobs.values()))
        print(threading.active_count())
        """
    )
    assert done.stderr == ""
    cancelled = "['a0/1']" if where == "elsewhere" else "[]"
    assert done.stdout.splitlines() == ["interrupted", "['aborted']", "{'interrupted'}", f"{cancelled} True", "1"]


def test_runs_leave_no_warnings() -> None:
    """Unawaited coroutines, unclosed loops and exceptions that nobody looked at would be told on the way or at exit."""
    done = run_python(
        """
        import gc

        def broken():
            raise ValueError("it broke")

        async def broken_async():
            await asyncio.sleep(0)
            raise ValueError("it broke")

        async def forever():
            await asyncio.sleep(3600)

        def interrupt():
            raise KeyboardInterrupt

        tasks = [world.task(f) for f in (broken, broken_async, forever, interrupt)]
        handler = world.task(lambda: None, "handler")
        for bad in tasks[:2]:
            for order in (False, True):
                nodes = [world.node("n0", tasks[2]), world.node("n1", bad), world.node("n2", tasks[2])]
                flow = world.workflow(*(reversed(nodes) if order else nodes), on_failure=world.node("fix", handler))
                assert world.run(flow).error is not None
        def parent(call):
            try:
                call(tasks[1])
            except Exception:
                pass
            return call(tasks[1])
        assert world.run(world.task(parent)).error is not None
        try:
            world.run(world.workflow(world.node("n0", tasks[2]), world.node("n1", tasks[3])))
        except KeyboardInterrupt:
            pass
        gc.collect()
        """
    )
    assert (done.stdout, done.stderr) == ("", "")


# --- the parts -----------------------------------------------------------------------------------------------------------


def failure() -> CallFailedError:
    return CallFailedError(ActionError(code="E", message="e"))


async def take(children: Children[int, int]) -> list[Any]:
    """Wait for all children and return what they gave, in the order in which they ended."""
    ends = []
    while children.running or children.ended:
        while children.ended:
            ends.append(children.ended.popleft())
        if children.running:
            await children.next_end()
    return ends


def test_no_end_of_a_child_is_lost(in_loop: Any) -> None:
    """Also when several end between two looks, and one of them not with a failure of an action."""

    async def child(number: int, stepper: Stepper) -> int:
        await become_task(stepper)
        await asyncio.sleep(0)
        if number == 3:
            raise EngineError("a bug")
        if number == 4:
            raise failure()
        if number == 5:
            raise asyncio.CancelledError
        return number

    async def scenario() -> list[Any]:
        children: Children[int, int] = Children(Stepper(in_task=True))
        for number in range(7):
            coroutine = child(number, Stepper())
            assert not children.start(number, coroutine)
            await children.adopt(number, coroutine)
        return await take(children)

    ends = in_loop(scenario())
    assert [key for key, _, _ in ends] == [0, 1, 2, 3, 4, 5, 6]
    assert [value for _, value, _ in ends] == [0, 1, 2, None, None, None, 6]
    kinds = [type(problem) for _, _, problem in ends]
    assert kinds[3:6] == [EngineError, CallFailedError, CallFailedError]
    assert ends[5][2].error.code == "Aborted"


def test_children_that_never_wait(in_loop: Any) -> None:
    async def child(number: int) -> int:
        if number == 1:
            raise failure()
        if number == 2:
            raise ValueError("raised where it stands")
        return number

    children: Children[int, int] = Children(Stepper())
    assert children.start(0, child(0))
    assert children.start(1, child(1))
    with pytest.raises(ValueError, match="raised where it stands"):
        children.start(2, child(2))
    assert [(key, value) for key, value, _ in children.ended] == [(0, 0), (1, None)]
    assert not children.running


def test_cancelled_children_are_told_why_and_waited_for(in_loop: Any) -> None:
    told: list[Any] = []

    async def child(stepper: Stepper) -> int:
        await become_task(stepper)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError as stop:
            await asyncio.sleep(0.001)
            told.append(stop.args)
            raise
        return 0

    async def scenario() -> None:
        children: Children[int, int] = Children(Stepper(in_task=True))
        for number in range(3):
            coroutine = child(Stepper())
            children.start(number, coroutine)
            await children.adopt(number, coroutine)
        await asyncio.sleep(0)
        await children.cancel("enough")
        assert told == [("enough",)] * 3
        assert not children.ended
        await children.cancel("again")

    in_loop(scenario())


def test_children_that_are_cancelled_before_their_first_turn_get_the_cancellation(in_loop: Any) -> None:
    told: list[Any] = []

    async def child(stepper: Stepper) -> int:
        try:
            await become_task(stepper)
        except asyncio.CancelledError as stop:
            await become_task(stepper)  # already one: waiting is possible
            await asyncio.sleep(0)
            told.append(stop.args)
            raise
        return 0

    async def scenario() -> None:
        children: Children[int, int] = Children(Stepper(in_task=True))
        coroutine = child(Stepper())
        children.start(0, coroutine)
        await children.adopt(0, coroutine)
        await children.cancel("enough")

    in_loop(scenario())
    assert told == [("enough",)]


def test_a_parent_that_is_cancelled_while_it_becomes_a_task_takes_its_child_along(in_loop: Any) -> None:
    told: list[str] = []

    async def child(stepper: Stepper) -> int:
        try:
            await become_task(stepper)
        except asyncio.CancelledError:
            told.append("child")
            raise
        return 0

    async def parent(stepper: Stepper) -> None:
        children: Children[int, int] = Children(stepper)
        coroutine = child(Stepper())
        children.start(0, coroutine)
        try:
            await children.adopt(0, coroutine)
        except asyncio.CancelledError:
            await children.cancel("enough")
            told.append("parent")
            raise

    async def scenario() -> None:
        coroutine = parent(Stepper())
        assert step(coroutine) == (False, None)
        task = asyncio.get_running_loop().create_task(coroutine)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    in_loop(scenario())
    assert told == ["child", "parent"]


def test_within(in_loop: Any) -> None:
    ends: list[str] = []

    async def slow() -> int:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            ends.append("ended")
        return 0

    async def stubborn() -> int:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
        return 7

    async def scenario() -> None:
        assert await within(60, coroutine_without_waiting()) == 5
        assert await within(None, coroutine_without_waiting()) == 5
        with pytest.raises(TimeoutError):
            await within(0.01, slow())
        assert ends == ["ended"]
        assert await within(0.01, stubborn()) == 7
        outer = asyncio.ensure_future(within(60, slow()))
        await asyncio.sleep(0.01)
        outer.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await outer
        assert ends == ["ended", "ended"]

    in_loop(scenario())


@pytest.mark.parametrize("turns", range(1, 7))
def test_within_never_loses_a_cancellation(in_loop: Any, turns: int) -> None:
    """It comes in every turn around the one in which the coroutine ends."""

    async def work() -> int:
        for _ in range(3):
            await asyncio.sleep(0)
        return 1

    async def scenario() -> None:
        outer = asyncio.ensure_future(within(60, work()))
        for _ in range(turns):
            await asyncio.sleep(0)
        cancelled = outer.cancel()
        await asyncio.wait([outer])
        assert outer.cancelled() == cancelled

    in_loop(scenario())


def test_interrupts_at_any_moment_do_not_spoil_later_runs() -> None:
    """They also hit the engine's own code, between any two steps of it."""
    done = run_python(
        """
        import signal, threading, time

        async def inc_async(x):
            await asyncio.sleep(0)
            return x + 1

        plain, coroutine = world.task(lambda x: x + 1, "inc"), world.task(inc_async)
        flow = world.workflow(
            world.node("n0", plain, x=1),
            world.node("n1", coroutine, x=world.ref("n0")),
            world.node("m", world.map(coroutine), x=[1, 2, 3], upstream=["n1"]),
            outputs=world.ref("n1"),
        )
        main, stop = threading.main_thread().ident, threading.Event()

        def interrupt():
            while not stop.wait(0.005):
                signal.pthread_kill(main, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        counts = {"finished": 0, "interrupted": 0}

        def loop():
            end = time.monotonic() + 1
            while time.monotonic() < end:
                try:
                    assert world.run(flow).value == 3
                    counts["finished"] += 1
                except KeyboardInterrupt:
                    counts["interrupted"] += 1

        signal.signal(signal.SIGINT, signal.SIG_IGN)
        thread.start()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            loop()
        except KeyboardInterrupt:
            pass
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stop.set()
        thread.join()
        assert counts["interrupted"], counts
        assert world.run(flow).value == 3
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            print("no loop")
        """
    )
    assert done.stdout == "no loop\n", done.stderr
