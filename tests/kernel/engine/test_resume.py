"""Resuming: an engine dies at a named point, a fresh one goes on over the same file, and nothing that succeeded runs again.

An engine dies here by a store and an executor that refuse everything from then on, so that it can neither record nor stop
anything; the attempts of `Remote` go on by themselves. `test_resume_crashes` kills real processes.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alula_kernel.builtin.inline import InlineExecutor
from alula_kernel.contracts import LOST, SYSTEM_FAILURE, Attempt, Handle, Outcome, TraceRequest
from alula_kernel.engine import Action, Engine, Phase, StoreError
from alula_kernel.engine.sqlite_store import SqliteStore
from alula_kernel.errors import ActionError, UnknownNameError, UsageError
from alula_kernel.specs import Backoff, ListBinding, RetryPolicy, TimeoutPolicy

DEAD = f"{os.uname().nodename}:999999999:1"
"""An owner that does not live."""


class Crash(StoreError):
    """The engine is dead, and only its last frames do not know it yet."""


class DyingStore(SqliteStore):
    """A store whose process dies when it writes.

    Attributes:
        dies: Asked before and after each write, with ``before`` or ``after`` and the actions that are written.
        dead: Whether it is dead.
        writes: How many writes there were.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.dies: Callable[[str, list[Action]], bool] = lambda when, actions: False
        self.dead = False
        self.writes = 0

    def _write_changes(self, connection: Any) -> None:
        actions = list(self._changed.values())
        self.check()
        self.writes += 1
        self.dead = self.dies("before", actions)
        self.check()
        super()._write_changes(connection)
        self.dead = self.dies("after", actions)
        self.check()

    def change_run(self, record: Any) -> None:
        self.check()
        super().change_run(record)

    def check(self) -> None:
        if self.dead:
            raise Crash("dead")


class Cluster:
    """A world whose engine can die and be started anew; what runs remotely, and the file, stay.

    Attributes:
        ran: The attempts whose code ran here, as ``action/number``.
    """

    def __init__(self, world: Any, path: Path) -> None:
        self.world = world
        self.path = path
        self.ran: list[str] = []
        self.store = self.start(DEAD)
        remote = world.remote
        for name in ("submit", "wait", "cancel"):
            setattr(remote, name, self._while_alive(getattr(remote, name)))

    def _while_alive(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*arguments: Any) -> Any:
            store = self.store  # of the engine that calls
            store.check()
            result = await method(*arguments)
            store.check()
            return result

        return call

    def start(self, owner: str = DEAD) -> DyingStore:
        """Start an engine over the file."""
        world = self.world
        self.store = world.store = DyingStore(self.path)
        world.inline = InlineExecutor(lambda spec: world.bodies[spec.id])
        world.engine = Engine(
            executors={"inline": world.inline, "remote": world.remote},
            entities=lambda entity_id: world.specs[entity_id],
            store=self.store,
            gate_keeper=world.gates,
            listeners=(world.events.append,),
            open_cache=lambda: world.cache,
            owner=owner,
        )
        return self.store

    async def run(self, spec: Any, inputs: Any = None, **options: Any) -> Any:
        return await self.world.run_async(spec, inputs, name="r", **options)

    async def crash(self, spec: Any, inputs: Any = None, **options: Any) -> None:
        """Run until the engine dies."""
        with pytest.raises(Crash):
            await self.run(spec, inputs, **options)

    async def resume(self) -> Any:
        """Start a fresh engine and go on with the run."""
        self.store.close()
        self.start()
        result = await self.world.engine.resume("r")
        if result.error is not None:
            return result.error
        return {name: self.world.to_plain(value) for name, value in result.outputs.items()}

    def kill_when(self, point: str, action_id: str) -> None:
        """Die at a point of the life of an action."""
        when, _, what = point.partition(" ")

        def dies(at: str, actions: list[Action]) -> bool:
            return at == when and any(a.id == action_id and _state(a) == what for a in actions)

        self.store.dies = dies

    def phases(self) -> dict[str, str]:
        """Return what the file says of each action."""
        reader = SqliteStore(self.path)
        try:
            return {action.id: action.phase.value for action in reader.actions("r")}
        finally:
            reader.close()

    def actions(self) -> dict[str, Action]:
        return {action.id: action for action in self.store.actions("r")}

    def note(self, attempt: Attempt) -> None:
        self.ran.append(f"{attempt.action}/{attempt.number}")


def _state(action: Action) -> str:
    last = action.attempts[-1] if action.attempts else None
    if action.phase is Phase.RUNNING and last is not None:
        return "graph" if last.graph is not None else "handle" if last.handle is not None else "running"
    return action.phase.value


@pytest.fixture
def cluster(make_world: Any, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(make_world(), tmp_path / "runs.db")
    yield made
    made.store.close()


def remote_add(cluster: Cluster, **spec: Any) -> Any:
    async def add(attempt: Attempt) -> int:
        cluster.note(attempt)
        await asyncio.sleep(0.002)
        return 1 + sum(cluster.world.to_plain(value) for value in attempt.inputs.values())

    return cluster.world.remote_task(add, inputs=["x"], **spec)


def inline_add(cluster: Cluster, **spec: Any) -> Any:
    def add(x: int, call: Any) -> int:
        cluster.note(call.attempt)
        return x + 1

    return cluster.world.task(add, **spec)


# --- one action, at each point of its life ---------------------------------------------------------------------------


POINTS = ["before running", "after running", "before handle", "after handle", "before succeeded", "after succeeded"]


@pytest.mark.parametrize("point", POINTS)
def test_a_remote_attempt_is_never_started_twice(cluster: Cluster, in_loop: Any, point: str) -> None:
    task = remote_add(cluster)
    world = cluster.world
    flow = world.workflow(
        world.node("n0", task, x=1), world.node("n1", task, x=world.ref("n0")), outputs=world.ref("n1")
    )

    async def scenario() -> None:
        cluster.kill_when(point, "a0.n0")
        await cluster.crash(flow)
        assert await cluster.resume() == {"o0": 3}
        assert sorted(cluster.ran) == ["a0.n0/1", "a0.n1/1"]
        assert [len(action.attempts) for action in cluster.actions().values()] == [0, 1, 1]

    in_loop(scenario())


@pytest.mark.parametrize("point", [p for p in POINTS if "handle" not in p])
def test_an_attempt_of_the_dead_process_is_made_again(cluster: Cluster, point: str) -> None:
    """It is a further attempt that spends no budget: the task may not be retried."""
    task = inline_add(cluster)
    world = cluster.world
    flow = world.workflow(
        world.node("n0", task, x=1), world.node("n1", task, x=world.ref("n0")), outputs=world.ref("n1")
    )
    cluster.kill_when(point, "a0.n0")
    with pytest.raises(Crash):
        world.run(flow, name="r")
    cluster.store.close()
    cluster.start()
    result = world.engine.resume_blocking("r")
    assert world.to_plain(result.outputs["o0"]) == 3
    counts = Counter(entry.partition("/")[0] for entry in cluster.ran)
    assert counts == {"a0.n0": 2 if point == "before succeeded" else 1, "a0.n1": 1}
    attempts = cluster.actions()["a0.n0"].attempts
    if point == "after succeeded":
        assert [a.outcome for a in attempts] == ["succeeded"]
    elif point != "before running":
        assert [(a.outcome, a.interrupted) for a in attempts] == [(LOST, True), ("succeeded", False)]


def test_an_attempt_that_still_runs_is_waited_for(cluster: Cluster, in_loop: Any) -> None:
    async def scenario() -> None:
        done = asyncio.Event()

        async def long(attempt: Attempt) -> int:
            cluster.note(attempt)
            await done.wait()
            return 7

        task = cluster.world.remote_task(long)
        running = asyncio.ensure_future(cluster.run(task))
        while ("wait", "r/a0/1") not in cluster.world.remote.calls:
            await asyncio.sleep(0.001)
        cluster.store.dead = True
        running.cancel()
        await asyncio.wait([running])
        resumed = asyncio.ensure_future(cluster.resume())
        while cluster.world.remote.called("wait").count("a0/1") < 2:
            await asyncio.sleep(0.001)
        done.set()
        assert await resumed == {"o0": 7}
        assert cluster.ran == ["a0/1"]
        assert cluster.world.remote.called("cancel") == []

    in_loop(scenario())


def test_what_was_reattached_can_be_aborted(cluster: Cluster, in_loop: Any) -> None:
    async def forever(attempt: Attempt) -> int:
        await asyncio.sleep(3600)
        return 0

    task = cluster.world.remote_task(forever)

    async def scenario() -> None:
        cluster.kill_when("after handle", "a0")
        await cluster.crash(task)
        resumed = asyncio.ensure_future(cluster.resume())
        while not cluster.world.remote.called("wait"):
            await asyncio.sleep(0.001)
        resumed.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await resumed
        assert cluster.world.remote.called("cancel") == ["a0/1"]
        assert cluster.phases() == {"a0": "aborted"}
        record = cluster.store.find_run("r")
        assert (record.status, record.message) == ("aborted", "enough")

    in_loop(scenario())


def test_the_time_limit_of_an_attempt_goes_on(cluster: Cluster, in_loop: Any) -> None:
    """The time before the crash counts."""

    async def forever(attempt: Attempt) -> int:
        await asyncio.sleep(3600)
        return 0

    task = cluster.world.remote_task(forever, timeout=TimeoutPolicy(runtime_seconds=1000))
    now = [0.0]

    async def scenario() -> None:
        cluster.kill_when("after handle", "a0")
        cluster.world.engine.clock = lambda: now[0]
        await cluster.crash(task)
        now[0] = 999.99
        cluster.store.close()
        cluster.start()
        cluster.world.engine.clock = lambda: now[0]
        result = await cluster.world.engine.resume("r")
        assert result.error is not None
        assert (result.error.code, result.root.phase) == ("Timeout", Phase.TIMED_OUT)
        assert cluster.world.remote.called("cancel") == ["a0/1"]

    in_loop(scenario())


def test_an_attempt_that_was_lost_spends_no_budget(cluster: Cluster, in_loop: Any) -> None:
    """Its executor knows nothing of it any more, as after a reboot."""
    task = remote_add(cluster, retries=RetryPolicy(user=0, system=0))

    async def scenario() -> None:
        cluster.kill_when("after handle", "a0")
        await cluster.crash(task, {"x": 1})
        cluster.world.remote.jobs.clear()
        assert await cluster.resume() == {"o0": 2}
        assert [(a.outcome, a.interrupted) for a in cluster.actions()["a0"].attempts] == [
            (LOST, True),
            ("succeeded", False),
        ]

    in_loop(scenario())


@pytest.mark.parametrize(("kind", "made"), [("user", 3), ("system", 6)])
def test_budgets_are_counted_on(cluster: Cluster, in_loop: Any, kind: str, made: int) -> None:
    """Two retries are two retries, however often the engine dies. What the platform did meanwhile is not counted."""

    async def fails(attempt: Attempt) -> Outcome | int:
        cluster.note(attempt)
        if kind == "user":
            raise ValueError("no")
        return Outcome(kind=SYSTEM_FAILURE, error=ActionError(code="X", message="no", kind="system"))

    task = cluster.world.remote_task(fails, retries=RetryPolicy(**{"user": 0, "system": 0, kind: 2}))

    async def scenario() -> None:
        for attempt in (1, 2, 3):
            cluster.store.dies = lambda when, actions, n=attempt: (
                when == "after"
                and any(
                    a.phase is Phase.RUNNING and len(a.attempts) == n and a.attempts[-1].handle is None for a in actions
                )
            )
            with pytest.raises(Crash):
                await (cluster.run(task) if attempt == 1 else cluster.world.engine.resume("r"))
            cluster.store.close()
            cluster.start()
        result = await cluster.world.engine.resume("r")
        assert result.error is not None
        assert cluster.ran == [f"a0/{n}" for n in range(1, made + 1)]
        assert result.root.phase is Phase.FAILED

    in_loop(scenario())


def test_a_retry_that_waited_goes_on(cluster: Cluster, in_loop: Any) -> None:
    failures = itertools.count()

    async def flaky(attempt: Attempt) -> int:
        cluster.note(attempt)
        if next(failures) == 0:
            raise ValueError("once")
        return 5

    backoff = Backoff(base_seconds=0.001)
    task = cluster.world.remote_task(flaky, retries=RetryPolicy(user=1, backoff=backoff))
    other = remote_add(cluster)
    flow = cluster.world.workflow(cluster.world.node("n0", task), cluster.world.node("n1", other, x=1), outputs={})

    async def scenario() -> None:
        cluster.kill_when("after retrying", "a0.n0")
        running = asyncio.ensure_future(cluster.run(flow))
        await asyncio.wait([running])
        if running.exception() is None:  # nothing else was written while it was in that phase
            return
        assert await cluster.resume() == {}
        assert sorted(entry for entry in cluster.ran if ".n0" in entry) == ["a0.n0/1", "a0.n0/2"]

    in_loop(scenario())


# --- graphs ----------------------------------------------------------------------------------------------------------


def everything(cluster: Cluster) -> Any:
    """A workflow with one of each: its value is 96."""
    world = cluster.world
    far, near = remote_add(cluster), inline_add(cluster)
    failures: Counter[str] = Counter()

    async def flaky(attempt: Attempt) -> int:
        cluster.note(attempt)
        await asyncio.sleep(0.001)
        failures[attempt.id] += 1
        if attempt.number == 1:
            raise ValueError("once")
        return 10

    def fan(call: Any) -> Any:
        cluster.note(call.attempt)
        nodes = [world.node(f"d{number}", far, x=number) for number in range(3)]
        both = ListBinding(tuple(world.ref(node.id) for node in nodes))
        return world.workflow(*nodes, world.node("s", total, values=both), outputs=world.ref("s"))

    def total(values: list[int], call: Any) -> int:
        cluster.note(call.attempt)
        return sum(values)

    total_task = world.task(total)

    async def parent(x: int, call: Any) -> int:
        cluster.note(call.attempt)
        values = await asyncio.gather(*(call.aio(far, x=number) for number in (x, x, 1)))
        return sum(values) + await call.aio(nested, x=2)  # type: ignore[no-any-return]

    def nested_parent(x: int, call: Any) -> int:
        cluster.note(call.attempt)
        return call(near, x=x) + call(far, x=x)  # type: ignore[no-any-return]

    total = total_task  # type: ignore[assignment]
    nested = world.task(nested_parent)
    inner = world.workflow(
        world.node("i0", far, x=world.ref("", "x")),
        world.node("i1", near, x=world.ref("i0")),
        inputs=["x"],
        outputs=world.ref("i1"),
    )
    taken = world.case(
        world.compare(world.ref("n1"), ">", 0), world.node("b0", far, x=world.ref("n1")), outputs=world.ref("b0")
    )
    other = world.case(None, world.node("b1", far, x=0), outputs=world.ref("b1"))
    items = ListBinding((world.ref("n0"), world.ref("n1"), world.ref("n2"), *map(world_literal(world), (4, 5))))
    nodes = [
        world.node("n0", far, x=1),
        world.node("n1", near, x=world.ref("n0")),
        world.node("n2", inner, x=world.ref("n0")),
        world.node("m", world.map(far), x=items),
        world.node("ms", total_task, values=world.ref("m")),
        world.node("br", world.branch(taken, other)),
        world.node("dy", world.task(fan, dynamic=True)),
        world.node("pa", world.task(parent), x=world.ref("n0")),
        world.node("fl", world.remote_task(flaky, retries=RetryPolicy(user=1))),
        world.node("ga", world.gate("sleep", duration_seconds=0.002), upstream=["n0"]),
    ]
    parts = ("ms", "br", "dy", "pa", "fl")
    summed = world.node("end", total_task, values=ListBinding(tuple(map(world.ref, parts))), upstream=["ga"])
    return world.workflow(*nodes, summed, outputs=world.ref("end"))


def world_literal(world: Any) -> Callable[[int], Any]:
    from alula_kernel.specs import LiteralBinding

    return lambda value: LiteralBinding(world.to_literal(value))


def undisturbed(make_world: Any, tmp_path: Path, in_loop: Any) -> tuple[Any, Counter[str], int]:
    """Return the value, the attempts that ran and the number of writes of a run that nothing disturbs."""
    cluster = Cluster(make_world(), tmp_path / "undisturbed.db")

    async def scenario() -> Any:
        return (await cluster.run(everything(cluster))).value

    value = in_loop(scenario())
    writes = cluster.store.writes
    cluster.store.close()
    return value, Counter(cluster.ran), writes


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_engine_that_dies_at_any_write(make_world: Any, tmp_path: Path, in_loop: Any, when: str) -> None:
    """Whichever write it is: the outputs are the same, what had succeeded does not run again, remote attempts run once."""
    value, ran, writes = undisturbed(make_world, tmp_path, in_loop)
    assert writes > 30
    assert set(ran.values()) == {1}
    for number in range(1, writes + 1):
        cluster = Cluster(make_world(), tmp_path / f"{when}-{number}.db")
        flow = everything(cluster)

        async def scenario(cluster: Cluster = cluster, flow: Any = flow, number: int = number) -> None:
            cluster.store.dies = lambda at, actions: at == when and cluster.store.writes == number
            try:
                await cluster.run(flow)
            except Crash:
                pass
            else:  # writes may be grouped in another way, and be fewer
                return
            before = len(cluster.ran)
            succeeded = {action for action, phase in cluster.phases().items() if phase == "succeeded"}
            outputs = await cluster.resume()
            place = f"{when} write {number}"
            assert outputs == {"o0": value}, place
            again = {entry.partition("/")[0] for entry in cluster.ran[before:]}
            assert not again & succeeded, place
            far = [entry for entry in cluster.ran if _is_far(cluster, entry)]
            assert sorted(far) == sorted(set(far)), place
            assert {action.phase for action in cluster.actions().values()} <= {Phase.SUCCEEDED, Phase.SKIPPED}, place
            assert cluster.store.find_run("r").status == "succeeded"

        in_loop(scenario())
        cluster.store.close()


def _is_far(cluster: Cluster, entry: str) -> bool:
    return f"r/{entry}" in cluster.world.remote.jobs


@pytest.mark.parametrize("first", [1, 2, 3, 5])
def test_an_engine_that_dies_again_and_again(make_world: Any, tmp_path: Path, in_loop: Any, first: int) -> None:
    """It lives a little longer each time, since a parent and its child need a few writes to get anywhere."""
    value, _ran, _writes = undisturbed(make_world, tmp_path, in_loop)
    cluster = Cluster(make_world(), tmp_path / "runs.db")
    flow = everything(cluster)

    def mortal(deaths: int) -> None:
        when, last = ("before", "after")[deaths % 2], first + deaths // 4
        cluster.store.dies = lambda at, actions: at == when and cluster.store.writes >= last

    async def scenario() -> None:
        mortal(0)
        await cluster.crash(flow)
        result = None
        for deaths in range(1, 500):
            cluster.store.close()
            cluster.start()
            mortal(deaths)
            try:
                result = await cluster.world.engine.resume("r")
                break
            except Crash:
                continue
        assert result is not None
        assert cluster.world.to_plain(result.outputs["o0"]) == value
        assert deaths > 3
        far = [entry for entry in cluster.ran if _is_far(cluster, entry)]
        assert sorted(far) == sorted(set(far)), "a remote attempt ran twice"

    in_loop(scenario())


# --- parents ---------------------------------------------------------------------------------------------------------


def test_a_parent_that_was_lost_finds_its_children(cluster: Cluster, in_loop: Any) -> None:
    """One has succeeded, one still runs, one was not called any more by the second time and is aborted."""
    world = cluster.world
    holds: dict[str, asyncio.Event] = {}

    async def held(attempt: Attempt) -> int:
        cluster.note(attempt)
        value = world.to_plain(attempt.inputs["x"])
        if value:
            await holds.setdefault(str(value), asyncio.Event()).wait()
        return value  # type: ignore[no-any-return]

    leaf = world.remote_task(held, inputs=["x"])
    numbers = [0, 1, 2]

    async def parent(call: Any) -> int:
        cluster.note(call.attempt)
        return sum(await asyncio.gather(*(call.aio(leaf, x=number) for number in numbers)))

    async def scenario() -> None:
        running = asyncio.ensure_future(cluster.run(world.task(parent)))
        while len(world.remote.called("wait")) < 3 or "succeeded" not in cluster.phases().values():
            await asyncio.sleep(0.001)
        cluster.store.dead = True
        running.cancel()
        await asyncio.wait([running])
        numbers.remove(2)
        resumed = asyncio.ensure_future(cluster.resume())
        while len(world.remote.called("wait")) < 4:
            await asyncio.sleep(0.001)
        holds["1"].set()
        assert await resumed == {"o0": 1}
        assert [entry for entry in cluster.ran if entry.startswith("a0/")] == ["a0/1", "a0/2"]
        assert len([entry for entry in cluster.ran if ".held-" in entry]) == 3
        children = [action for action in cluster.actions().values() if action.parent]
        assert Counter(action.phase.value for action in children) == {"succeeded": 2, "aborted": 1}
        (gone,) = (action for action in children if action.phase is Phase.ABORTED)
        assert gone.message == "nobody waits for it any more"
        assert world.remote.called("cancel") == [f"{gone.id}/1"]

    in_loop(scenario())


def test_the_order_of_calls_does_not_matter(cluster: Cluster) -> None:
    """Nor does the group that they are shown under."""
    leaf = inline_add(cluster)
    numbers = [1, 2, 3]
    to_plain = cluster.world.to_plain

    def parent(call: Any) -> int:
        total = 0
        for number in numbers:
            request = msgspec.structs.replace(call.request(leaf, {"x": number}), group=f"group {numbers[0]}")
            total += to_plain(call.controller.call_blocking(request)["o0"])
        return total

    task = cluster.world.task(parent)
    cluster.kill_when("before succeeded", "a0")
    with pytest.raises(Crash):
        cluster.world.run(task, name="r")
    cluster.store.close()
    cluster.start()
    numbers.reverse()
    result = cluster.world.engine.resume_blocking("r")
    assert cluster.world.to_plain(result.outputs["o0"]) == 9
    assert len(cluster.ran) == 3


def test_a_child_that_failed_in_a_lost_attempt_is_called_again(cluster: Cluster) -> None:
    broken = [True]

    def leaf(call: Any) -> int:
        cluster.note(call.attempt)
        if broken[0]:
            raise ValueError("no")
        return 1

    leaf_task = cluster.world.task(leaf)

    def parent(call: Any) -> int:
        try:
            return call(leaf_task)  # type: ignore[no-any-return]
        except Exception:
            return -1

    cluster.kill_when("before succeeded", "a0")
    with pytest.raises(Crash):
        cluster.world.run(cluster.world.task(parent), name="r")
    cluster.store.close()
    cluster.start()
    broken[0] = False
    result = cluster.world.engine.resume_blocking("r")
    assert cluster.world.to_plain(result.outputs["o0"]) == 1


def test_the_graph_of_a_dynamic_task_is_kept(cluster: Cluster, in_loop: Any) -> None:
    """Its code does not run again, which might give another graph."""
    world = cluster.world
    leaf = remote_add(cluster)
    sizes = iter([3, 5])

    def fan(call: Any) -> Any:
        cluster.note(call.attempt)
        nodes = [world.node(f"d{number}", leaf, x=number) for number in range(next(sizes))]
        return world.workflow(*nodes, outputs=ListBinding(tuple(world.ref(node.id) for node in nodes)))

    async def scenario() -> None:
        cluster.kill_when("before succeeded", "a0.d1")
        await cluster.crash(world.task(fan, dynamic=True))
        assert await cluster.resume() == {"o0": [1, 2, 3]}
        assert sorted(cluster.ran) == ["a0.d0/1", "a0.d1/1", "a0.d2/1", "a0/1"]
        assert cluster.actions()["a0"].attempts[0].graph is None

    in_loop(scenario())


# --- an engine that dies while it stops what it drives ---------------------------------------------------------------


def held_leaf(cluster: Cluster) -> tuple[Any, asyncio.Event]:
    """Make a remote task that returns its input plus one once the event is set; an input of -1 fails at once."""
    free = asyncio.Event()

    async def held(attempt: Attempt) -> int:
        cluster.note(attempt)
        value = cluster.world.to_plain(attempt.inputs["x"])
        if value == -1:
            raise ValueError("it broke")
        await free.wait()
        return value + 1  # type: ignore[no-any-return]

    return cluster.world.remote_task(held, inputs=["x"]), free


async def stop_and_die(cluster: Cluster, spec: Any, inputs: Any = None, waits: int = 1) -> None:
    """Run until so many attempts are waited for and what failed is recorded, and stop the run; the engine dies meanwhile."""
    running = asyncio.ensure_future(cluster.run(spec, inputs))
    while len(cluster.world.remote.called("wait")) < waits or "queued" in cluster.phases().values():
        await asyncio.sleep(0.001)
    running.cancel("enough")
    await asyncio.wait([running])
    assert cluster.store.dead


def test_an_attempt_that_a_dead_engine_had_begun_to_stop_runs_again(cluster: Cluster, in_loop: Any) -> None:
    """Its executor tells that it was cancelled, which nobody who lives has asked for."""
    world = cluster.world

    async def scenario() -> None:
        leaf, free = held_leaf(cluster)
        cancel = world.remote.cancel

        async def dies(handle: Handle) -> None:
            await cancel(handle)
            cluster.store.dead = True

        world.remote.cancel = dies
        await stop_and_die(cluster, world.workflow(world.node("n0", leaf, x=1), outputs=world.ref("n0")))
        assert cluster.phases() == {"a0": "running", "a0.n0": "running"}
        free.set()
        assert await cluster.resume() == {"o0": 2}
        assert cluster.ran == ["a0.n0/1", "a0.n0/2"]
        first, second = cluster.actions()["a0.n0"].attempts
        assert (first.outcome, first.interrupted, second.outcome) == ("cancelled", True, "succeeded")

    in_loop(scenario())


def test_what_was_stopped_with_its_parent_goes_on_with_it(cluster: Cluster, in_loop: Any) -> None:
    """The abort of a node is recorded, that of the workflow around it is not."""
    world = cluster.world

    async def scenario() -> None:
        leaf, free = held_leaf(cluster)
        inner = world.workflow(world.node("i0", leaf, x=1), outputs=world.ref("i0"))
        cluster.kill_when("after aborted", "a0.n0.i0")
        await stop_and_die(cluster, world.workflow(world.node("n0", inner), outputs=world.ref("n0")))
        assert cluster.phases() == {"a0": "running", "a0.n0": "running", "a0.n0.i0": "aborted"}
        free.set()
        assert await cluster.resume() == {"o0": 2}
        node = cluster.actions()["a0.n0.i0"]
        assert (node.phase, node.message, [a.outcome for a in node.attempts]) == (
            Phase.SUCCEEDED,
            "",
            ["cancelled", "succeeded"],
        )

    in_loop(scenario())


def test_items_that_were_stopped_with_their_map_go_on_with_it(cluster: Cluster, in_loop: Any) -> None:
    """One failed before, as the map allows: that is not why the others were stopped."""
    world = cluster.world

    async def scenario() -> None:
        leaf, free = held_leaf(cluster)
        target = world.map(leaf, min_success_ratio=0.6)
        flow = world.workflow(world.node("n0", target, x=[-1, 5, 6]), outputs=world.ref("n0"))
        cluster.kill_when("after aborted", "a0.n0[2]")
        await stop_and_die(cluster, flow, waits=3)
        free.set()
        assert await cluster.resume() == {"o0": [None, 6, 7]}
        assert Counter(entry.partition("/")[0] for entry in cluster.ran) == {
            "a0.n0[0]": 1,
            "a0.n0[1]": 2,
            "a0.n0[2]": 2,
        }

    in_loop(scenario())


# --- failures and leftovers ------------------------------------------------------------------------------------------


def test_a_node_that_failed_before_the_crash_stays_failed(cluster: Cluster, in_loop: Any) -> None:
    """The run fails with its error, and what still ran beside it is stopped."""
    world = cluster.world

    async def forever(attempt: Attempt) -> int:
        await asyncio.sleep(3600)
        return 0

    async def fails(attempt: Attempt) -> int:
        cluster.note(attempt)
        await asyncio.sleep(0.01)
        raise ValueError("it broke")

    flow = world.workflow(world.node("n0", world.remote_task(forever)), world.node("n1", world.remote_task(fails)))

    async def scenario() -> None:
        cluster.kill_when("after failed", "a0.n1")
        await cluster.crash(flow)
        error = await cluster.resume()
        assert (error.code, error.action) == ("ValueError", "a0.n1")
        assert cluster.ran == ["a0.n1/1"]
        assert cluster.phases() == {"a0": "failed", "a0.n0": "aborted", "a0.n1": "failed"}
        assert world.remote.called("cancel") == ["a0.n0/1"]
        assert cluster.store.find_run("r").error == error

    in_loop(scenario())


def test_an_engine_that_dies_while_it_cleans_up(cluster: Cluster, in_loop: Any) -> None:
    """A node was aborted since another one had failed: the run fails with that one's error."""
    world = cluster.world

    async def forever(attempt: Attempt) -> int:
        await asyncio.sleep(3600)
        return 0

    async def fails(attempt: Attempt) -> int:
        await asyncio.sleep(0.01)
        raise ValueError("it broke")

    flow = world.workflow(world.node("n0", world.remote_task(forever)), world.node("n1", world.remote_task(fails)))

    async def scenario() -> None:
        cluster.kill_when("after aborted", "a0.n0")
        running = asyncio.ensure_future(cluster.run(flow))
        await asyncio.wait([running])
        assert cluster.phases() == {"a0": "running", "a0.n0": "aborted", "a0.n1": "failed"}
        error = await cluster.resume()
        assert (error.code, error.action) == ("ValueError", "a0.n1")
        assert cluster.phases()["a0"] == "failed"

    in_loop(scenario())


def test_a_gate_waits_for_the_rest_of_its_time(cluster: Cluster, in_loop: Any) -> None:
    world = cluster.world
    flow = world.workflow(world.node("n0", world.gate("sleep", duration_seconds=1000.0)))

    async def scenario() -> None:
        cluster.kill_when("after paused", "a0.n0")
        await cluster.crash(flow)
        cluster.store.close()
        cluster.start()
        real = cluster.world.engine.clock
        cluster.world.engine.clock = lambda: real() + 999.99
        result = await cluster.world.engine.resume("r")
        assert result.error is None

    in_loop(scenario())


def test_the_answer_of_a_gate_is_asked_for_again(cluster: Cluster, in_loop: Any) -> None:
    world = cluster.world
    flow = world.workflow(world.node("n0", world.gate("approve", "go"), value=3), outputs=world.ref("n0"))
    world.gates.answers["go"] = True

    async def scenario() -> None:
        cluster.kill_when("after paused", "a0.n0")
        await cluster.crash(flow)
        assert await cluster.resume() == {"o0": 3}
        assert len(world.gates.asked) == 1

    in_loop(scenario())


def test_what_cannot_be_stopped_is_told(cluster: Cluster, in_loop: Any, caplog: pytest.LogCaptureFixture) -> None:
    world = cluster.world
    leaf = remote_add(cluster)
    called = [True]

    def parent(call: Any) -> int:
        return call(leaf, x=1) if called[0] else 0  # type: ignore[no-any-return]

    async def refuses(handle: Handle) -> None:
        raise OSError("no connection")

    async def scenario() -> None:
        task = world.task(parent)
        await asyncio.sleep(0)
        cluster.store.dies = lambda at, actions: at == "after" and any(_state(a) == "handle" for a in actions)
        with pytest.raises(Crash):
            await cluster.run(task)
        called[0] = False
        world.remote.cancel = refuses
        assert await cluster.resume() == {"o0": 0}
        assert "could not stop" in caplog.text
        assert sorted(cluster.phases().values()) == ["aborted", "succeeded"]

    in_loop(scenario())


# --- runs that are not resumed ---------------------------------------------------------------------------------------


def test_a_run_that_ended_stays_ended(cluster: Cluster) -> None:
    def broken() -> int:
        raise ValueError("no")

    cluster.world.run(inline_add(cluster), {"x": 1}, name="good")
    cluster.world.run(cluster.world.task(broken), name="poor")
    with pytest.raises(UsageError, match="the run 'good' has ended: succeeded"):
        cluster.world.engine.resume_blocking("good")
    with pytest.raises(UsageError, match="the run 'poor' has ended: failed"):
        cluster.world.engine.resume_blocking("poor")


def test_a_run_that_died_between_its_last_action_and_its_end(cluster: Cluster) -> None:
    cluster.kill_when("after succeeded", "a0")
    with pytest.raises(Crash):
        cluster.world.run(inline_add(cluster), {"x": 1}, name="r")
    cluster.store.close()
    cluster.start()
    result = cluster.world.engine.resume_blocking("r")
    assert cluster.world.to_plain(result.outputs["o0"]) == 2
    assert len(cluster.ran) == 1
    assert cluster.store.find_run("r").status == "succeeded"


def test_unknown_runs_are_named(cluster: Cluster) -> None:
    cluster.world.run(inline_add(cluster), {"x": 1}, name="mine")
    with pytest.raises(UnknownNameError, match="unknown run 'mime'"):
        cluster.world.engine.resume_blocking("mime")


def crashed(cluster: Cluster, owner: str = DEAD) -> Any:
    task = inline_add(cluster)
    cluster.start(owner)
    cluster.kill_when("after running", "a0")
    with pytest.raises(Crash):
        cluster.world.run(task, {"x": 1}, name="r")
    cluster.store.close()
    cluster.start()
    return task


def test_a_run_under_way_is_left_alone(cluster: Cluster) -> None:
    crashed(cluster, owner="")
    with pytest.raises(UsageError, match="the run 'r' is under way in the process"):
        cluster.world.engine.resume_blocking("r")


def test_of_two_that_resume_one_does(cluster: Cluster) -> None:
    crashed(cluster)
    find = cluster.store.find_run

    def late(name: str) -> Any:
        record = find(name)
        other = SqliteStore(cluster.path)
        assert other.claim_run(name, f"{DEAD}2", record.owner)
        other.close()
        return record

    cluster.store.find_run = late  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="has just been resumed"):
        cluster.world.engine.resume_blocking("r")
    assert cluster.ran == []


def test_another_interface_is_refused(cluster: Cluster) -> None:
    task = crashed(cluster)
    other = cluster.world.task(lambda y: y)
    cluster.world.specs[task.id] = msgspec.structs.replace(task, interface=other.interface)
    with pytest.raises(UsageError, match=r"has changed since .*its interface was \(x: int\) .* and is \(y: int\)"):
        cluster.world.engine.resume_blocking("r")
    assert cluster.store.find_run("r").owner == DEAD, "it can be resumed when the code is right again"


def test_other_nodes_are_refused(cluster: Cluster, in_loop: Any) -> None:
    world = cluster.world
    flow = world.workflow(world.node("n0", inline_add(cluster), x=1))
    cluster.kill_when("after running", "a0.n0")
    with pytest.raises(Crash):
        world.run(flow, name="r")
    cluster.store.close()
    cluster.start()
    changed = world.workflow(world.node("n0", world.task(lambda: 1, "other")))
    world.specs[flow.id] = msgspec.structs.replace(changed, id=flow.id)
    with pytest.raises(
        UsageError, match=r"the code has changed since the run 'r' began: action a0\.n0 is the task add-"
    ):
        world.engine.resume_blocking("r")


def test_inputs_are_those_of_the_first_time(cluster: Cluster) -> None:
    """A constant that differs now, as the time of day, changes nothing about what was begun."""
    world = cluster.world
    task = inline_add(cluster)
    flow = world.workflow(world.node("n0", task, x=1), outputs=world.ref("n0"))
    cluster.kill_when("after running", "a0.n0")
    with pytest.raises(Crash):
        world.run(flow, name="r")
    cluster.store.close()
    cluster.start()
    later = world.workflow(world.node("n0", task, x=100), outputs=world.ref("n0"))
    world.specs[flow.id] = msgspec.structs.replace(later, id=flow.id)
    result = world.engine.resume_blocking("r")
    assert world.to_plain(result.outputs["o0"]) == 2


def test_a_launch_plan_is_resumed_by_its_workflow(cluster: Cluster) -> None:
    world = cluster.world
    flow = world.workflow(
        world.node("n0", inline_add(cluster), x=world.ref("", "x")), inputs=["x"], outputs=world.ref("n0")
    )
    plan = world.launch_plan(flow, default_inputs={"x": world.to_literal(4)})
    cluster.kill_when("after running", "a0.n0")
    with pytest.raises(Crash):
        world.run(plan, name="r")
    cluster.store.close()
    cluster.start()
    assert world.to_plain(world.engine.resume_blocking("r").outputs["o0"]) == 5


def test_a_cached_output_that_was_kept_before_the_crash_answers(cluster: Cluster) -> None:
    from alula_kernel.specs import CacheSpec

    task = inline_add(cluster, cache=CacheSpec(version="1"))
    cluster.kill_when("before succeeded", "a0")
    with pytest.raises(Crash):
        cluster.world.run(task, {"x": 1}, name="r")
    cluster.store.close()
    cluster.start()
    result = cluster.world.engine.resume_blocking("r")
    assert cluster.world.to_plain(result.outputs["o0"]) == 2
    assert len(cluster.ran) == 1


def test_a_recorded_step_that_was_under_way_runs_again(cluster: Cluster) -> None:
    """One that had ended answers; what was left of the other is aborted when its parent ends."""
    world = cluster.world
    ran: list[str] = []

    def parent(call: Any) -> int:
        for name in ("first", "second"):
            trace = call.controller.begin_trace(TraceRequest(name=name, code="1", inputs={}))
            if trace.outputs is None:
                ran.append(name)
                call.controller.end_trace(trace, {"o0": world.to_literal(1)}, None)
        return len(ran)

    cluster.store.dies = lambda when, actions: (
        when == "before" and any(a.entity == "second" and a.phase is Phase.SUCCEEDED for a in actions)
    )
    with pytest.raises(Crash):
        world.run(world.task(parent), name="r")
    cluster.store.close()
    cluster.start()
    assert world.engine.resume_blocking("r").error is None
    assert ran == ["first", "second", "second"]
    assert {action.phase for action in cluster.actions().values()} <= {Phase.SUCCEEDED, Phase.ABORTED}


def test_an_attempt_that_was_being_stopped_when_the_engine_died(cluster: Cluster) -> None:
    """Why is not known: the action is tried again, and what stops it now, stops it."""
    task = inline_add(cluster)
    cluster.kill_when("after running", "a0")
    with pytest.raises(Crash):
        cluster.world.run(task, {"x": 1}, name="r")
    cluster.store.close()
    cluster.start()
    action = cluster.actions()["a0"]
    action.attempts[0].outcome = "cancelled"
    cluster.store.record("r", action)
    cluster.store.commit_now()
    result = cluster.world.engine.resume_blocking("r")
    assert cluster.world.to_plain(result.outputs["o0"]) == 2
    assert [attempt.outcome for attempt in cluster.actions()["a0"].attempts] == ["cancelled", "succeeded"]
