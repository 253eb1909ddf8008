"""What every `Store` promises."""

from __future__ import annotations

import asyncio
import itertools
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from ..engine import Action, AttemptRecord, Phase, RunOptions, RunRecord, Store, StoreError
from ..errors import ActionError, UsageError
from ..literals import Bytes, Literal, Scalar
from ..specs import EntityId, Interface, TaskSpec, Variable, WorkflowSpec
from ..types import INT
from .caches import EVERY_LITERAL
from .scenarios import Conformance, needs
from .threads import in_threads

_ERROR = ActionError(code="ValueError", message="no", traceback="Traceback ...", action="a0.n0", name="m.f")


def run_record(name: str, **fields: Any) -> RunRecord:
    """Make the record of a run to try a store with.

    Args:
        name: Name of the run.
        fields: Other fields; ``entity`` as a qualified name.
    """
    entity = EntityId("workflow", fields.pop("entity", "module.flow"))
    fields.setdefault("options", RunOptions(name=name))
    return RunRecord(name=name, entity=entity, **{"owner": "host:1:1", "started_at": 1.5, **fields})


def full_action(action_id: str = "a0") -> Action:
    """Make an action in which every field is set."""
    graph = WorkflowSpec(id=EntityId("workflow", "m.dynamic"), interface=Interface(), nodes=())
    task = TaskSpec(id=EntityId("task", "m.f"), interface=Interface({"x": Variable(INT)}))
    attempts = [
        AttemptRecord(
            number=1,
            executor="pod",
            started_at=2.0,
            ended_at=3.0,
            outcome="user_failure",
            error=_ERROR,
            handle={"pod": "p"},
        ),
        AttemptRecord(number=2, executor="pod", started_at=4.0, graph=graph, entities=(task,), interrupted=True),
    ]
    return Action(
        id=action_id,
        parent="a0",
        name="f",
        kind="task",
        entity="m.f",
        phase=Phase.RETRYING,
        inputs=EVERY_LITERAL,
        outputs={"o0": Scalar(1)},
        error=_ERROR,
        attempts=attempts,
        cache="miss",
        cache_digest="00",
        cached_from="run/a0",
        report="file:///report",
        checkpoint="file:///checkpoint",
        location="m.py:1",
        message="text",
        group="g",
        created_at=1.0,
        started_at=2.0,
        ended_at=None,
    )


def commit(store: Store) -> None:
    """Make what was recorded durable, in whichever of the two ways the store has."""
    if not store.commit_now():
        asyncio.run(_committed(store))


async def _committed(store: Store) -> None:
    pending = store.commit()
    if pending is not None:
        await pending


def commit_for_ever(store: Store, run: str) -> None:
    """Record and commit actions one after the other, and print the id of each when it is durable; for a process of its own."""
    for number in itertools.count():
        action = Action(id=f"a0.n{number}", parent="a0", outputs={"o0": Bytes(b"0123456789abcdef" * 64)})
        for phase in (Phase.RUNNING, Phase.SUCCEEDED):
            action.phase = phase
            store.record(run, action)
            commit(store)
        print(action.id, flush=True)  # noqa: T201 - how the test learns what must be there


def _same(first: Action | None, second: Action) -> bool:
    return first is not None and msgspec.to_builtins(first) == msgspec.to_builtins(second)


class StoreConformance(Conformance):
    """What a store promises. A subclass provides `open_store` and, if it has something to damage, `damage`.

    Attributes:
        is_persistent: Whether what was committed outlives the process, and is seen by others.
        can_be_damaged: Whether the fixture `damage` exists.
    """

    is_persistent = True
    can_be_damaged = True

    @pytest.fixture
    def open_store(self) -> Callable[[], Store]:
        """A function that opens the store under test: always the same one within a test, empty at first.

        It can be pickled, as ``functools.partial(MyStore, path)``, since one scenario opens the store in another process.
        """
        raise NotImplementedError("a subclass of StoreConformance provides the fixture open_store")

    @pytest.fixture
    def damage(self) -> Callable[[Store, str, str], None]:
        """A function that damages what is stored of an action, by run and id, as a bad disk would."""
        raise NotImplementedError("a subclass provides the fixture damage or sets can_be_damaged = False")

    @pytest.fixture
    def store(self, open_store: Callable[[], Store]) -> Iterator[Store]:
        """The store under test, open."""
        store = open_store()
        yield store
        store.close()

    # --- actions -----------------------------------------------------------------------------------------------------

    def test_S01_says_whether_it_is_durable(self, store: Store) -> None:
        """It is a `Store` that says truly whether it is durable."""
        assert isinstance(store, Store)
        assert store.durable is self.is_persistent

    def test_S02_nothing(self, store: Store) -> None:
        """What was never recorded is not found: neither runs nor actions."""
        assert store.find_run("r") is None
        assert list(store.runs()) == []
        assert store.find("r", "a0") is None
        assert list(store.actions("r")) == []
        assert list(store.open_actions("r")) == []
        store.forget("r")

    def test_S03_find_what_was_recorded(self, store: Store) -> None:
        """`find` gives an action as it was recorded last, before the commit as well as after it."""
        store.begin_run(run_record("r"))
        action = Action(id="a0", name="f")
        store.record("r", action)
        assert _same(store.find("r", "a0"), action)
        commit(store)
        assert _same(store.find("r", "a0"), action)
        action.phase, action.outputs = Phase.SUCCEEDED, {"o0": Scalar(1)}
        store.record("r", action)
        assert _same(store.find("r", "a0"), action)
        commit(store)
        assert _same(store.find("r", "a0"), action)
        assert store.find("r", "a0.n0") is None

    def test_S04_every_field(self, store: Store) -> None:
        """Every field of an action comes back, attempts, errors and every kind of literal included."""
        store.begin_run(run_record("r"))
        store.record("r", full_action())
        commit(store)
        assert _same(store.find("r", "a0"), full_action())
        assert _same(store.actions("r")[0], full_action())

    def test_S05_large_action(self, store: Store) -> None:
        """An action with 4 MB of outputs comes back equal."""
        outputs: dict[str, Literal] = {"o0": Bytes(b"0123456789abcdef" * 2**18)}
        store.begin_run(run_record("r"))
        store.record("r", Action(id="a0", outputs=outputs))
        commit(store)
        found = store.find("r", "a0")
        assert found is not None
        assert found.outputs == outputs

    def test_S06_order_of_creation(self, store: Store) -> None:
        """`actions` gives the actions of a run in the order in which they were created, however they changed since."""
        store.begin_run(run_record("r"))
        actions = [Action(id=f"a0.n{number}") for number in (3, 1, 2, 0, 10)]
        for action in actions[:3]:
            store.record("r", action)
        commit(store)
        actions[0].phase = Phase.RUNNING
        store.record("r", actions[0])
        for action in actions[3:]:
            store.record("r", action)
        assert [action.id for action in store.actions("r")] == [action.id for action in actions]
        commit(store)
        actions[1].phase = Phase.SUCCEEDED
        store.record("r", actions[1])
        commit(store)
        found = list(store.actions("r"))
        assert [action.id for action in found] == [action.id for action in actions]
        assert [action.phase.value for action in found] == ["running", "succeeded", "queued", "queued", "queued"]

    def test_S07_open_actions(self, store: Store) -> None:
        """`open_actions` gives those whose phase is not final, as they were recorded last."""
        store.begin_run(run_record("r"))
        actions = {phase.value: Action(id=f"a0.{phase.value}", phase=phase) for phase in Phase}
        for action in actions.values():
            store.record("r", action)
        commit(store)
        actions["queued"].phase = Phase.ABORTED
        store.record("r", actions["queued"])
        found = [action.id for action in store.open_actions("r")]
        assert found == ["a0.running", "a0.retrying", "a0.paused"]

    def test_S08_runs_are_apart(self, store: Store) -> None:
        """Actions of one id in several runs are different actions."""
        for run in ("r", "s"):
            store.begin_run(run_record(run))
            store.record(run, Action(id="a0", name=run))
        commit(store)
        found = [store.find(run, "a0") for run in ("r", "s")]
        assert [action.name for action in found if action is not None] == ["r", "s"]
        assert [action.name for action in store.actions("s")] == ["s"]

    def test_S09_forget(self, store: Store) -> None:
        """`forget` drops one run with its actions, any number of times, and its name is free again."""
        for run in ("r", "s"):
            store.begin_run(run_record(run))
            store.record(run, Action(id="a0"))
        commit(store)
        store.record("r", Action(id="a0.n0"))
        store.forget("r")
        store.forget("r")
        assert store.find_run("r") is None
        assert store.find("r", "a0") is None
        assert list(store.actions("r")) == []
        assert store.find("s", "a0") is not None
        store.begin_run(run_record("r"))
        commit(store)
        assert list(store.actions("r")) == []

    def test_S10_commit_of_nothing(self, store: Store) -> None:
        """A commit with nothing to write is done at once, in both ways."""
        commit(store)

        async def again() -> None:
            await _committed(store)
            await _committed(store)

        asyncio.run(again())

    def test_S11_commits_of_many_tasks(self, store: Store) -> None:
        """Many tasks of an event loop commit at the same time; one that is cancelled takes no other along."""
        store.begin_run(run_record("r"))

        async def work(number: int) -> None:
            action = Action(id=f"a0[{number}]")
            for phase in (Phase.RUNNING, Phase.SUCCEEDED):
                action.phase = phase
                store.record("r", action)
                await _committed(store)

        async def scenario() -> None:
            tasks = [asyncio.ensure_future(work(number)) for number in range(100)]
            await asyncio.sleep(0)
            tasks[50].cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert [end for end in (*ended[:50], *ended[51:]) if end is not None] == []

        asyncio.run(scenario())
        assert sum(action.phase is Phase.SUCCEEDED for action in store.actions("r")) >= 99

    def test_S12_loops_one_after_the_other(self, store: Store) -> None:
        """A commit does not depend on the event loop of an earlier one that has closed, or stands still."""
        store.begin_run(run_record("r"))

        async def one(number: int) -> None:
            store.record("r", Action(id=f"a0[{number}]"))
            await _committed(store)

        async def waits() -> None:
            store.record("r", Action(id="a0"))
            pending = asyncio.ensure_future(_committed(store))
            await asyncio.sleep(0)
            thread = threading.Thread(target=lambda: asyncio.run(one(2)))
            thread.start()
            thread.join()  # this loop stands still meanwhile
            await pending

        asyncio.run(one(0))
        asyncio.run(one(1))
        asyncio.run(waits())
        assert {action.id for action in store.actions("r")} == {"a0", "a0[0]", "a0[1]", "a0[2]"}

    def test_S13_threads(self, store: Store) -> None:
        """Threads record, commit and find at the same time, each in a run of its own and all in one."""
        for run in ("r0", "r1", "r2", "r3", "all"):
            store.begin_run(run_record(run))

        def work(thread: int) -> None:
            for number in range(25):
                for run in (f"r{thread}", "all"):
                    action = Action(id=f"a0[{thread}].n{number}", outputs={"o0": Scalar(number)})
                    store.record(run, action)
                    commit(store)
                    assert _same(store.find(run, action.id), action)

        in_threads(work, 4)
        assert len(store.actions("all")) == 100
        assert [action.id for action in store.actions("r2")] == [f"a0[2].n{number}" for number in range(25)]

    # --- durability --------------------------------------------------------------------------------------------------

    @needs("is_persistent")
    def test_S14_seen_by_another(self, store: Store, open_store: Callable[[], Store]) -> None:
        """What was committed is seen by another store that is open, and what was only recorded is not."""
        other = open_store()
        try:
            store.begin_run(run_record("r"))
            action = Action(id="a0", phase=Phase.RUNNING)
            store.record("r", action)
            assert other.find_run("r") == run_record("r")
            assert other.find("r", "a0") is None
            commit(store)
            assert _same(other.find("r", "a0"), action)
            action.phase = Phase.SUCCEEDED
            store.record("r", action)
            assert [found.phase for found in other.open_actions("r")] == [Phase.RUNNING]
            commit(store)
            assert list(other.open_actions("r")) == []
        finally:
            other.close()

    @needs("is_persistent")
    def test_S15_opened_again(self, open_store: Callable[[], Store]) -> None:
        """What was committed is there when the store is closed and opened again; what was only recorded is not."""
        first = open_store()
        first.begin_run(run_record("r"))
        first.record("r", full_action())
        commit(first)
        first.record("r", Action(id="a0.n0"))
        first.close()
        first.close()
        second = open_store()
        try:
            assert second.find_run("r") == run_record("r")
            assert [action.id for action in second.actions("r")] == ["a0"]
            assert _same(second.find("r", "a0"), full_action())
            second.record("r", Action(id="a0.n1"))
            commit(second)
            assert [action.id for action in second.actions("r")] == ["a0", "a0.n1"]
        finally:
            second.close()

    @needs("is_persistent")
    def test_S16_killed(self, open_store: Callable[[], Store]) -> None:
        """A process that is killed in the middle of its commits leaves everything that it was told is durable."""
        store = open_store()
        try:
            store.begin_run(run_record("r"))
            for round_ in range(3):
                store.forget("r")
                store.begin_run(run_record("r"))
                told = _killed_after(open_store, 20 + 7 * round_)
                found = {action.id: action for action in store.actions("r")}
                assert all(found[action_id].phase is Phase.SUCCEEDED for action_id in told)
                assert len(found) <= len(told) + 2, "nothing is there that was not begun"
        finally:
            store.close()

    @needs("is_persistent", "can_be_damaged")
    def test_S17_damage(
        self, store: Store, open_store: Callable[[], Store], damage: Callable[[Store, str, str], None]
    ) -> None:
        """What is damaged is refused with `StoreError` that names run and action, and never taken for missing."""
        store.begin_run(run_record("r"))
        for action_id in ("a0", "a0.n0"):
            store.record("r", Action(id=action_id, phase=Phase.SUCCEEDED))
        commit(store)
        damage(store, "r", "a0.n0")
        with pytest.raises(StoreError, match=r"a0\.n0.*'r'"):
            store.find("r", "a0.n0")
        with pytest.raises(StoreError, match="'r'"):
            store.actions("r")
        assert store.find("r", "a0") is not None

    # --- runs --------------------------------------------------------------------------------------------------------

    def test_S18_begin_and_end_a_run(self, store: Store) -> None:
        """Every field of a run comes back: as it began, and as it ended."""
        record = run_record(
            "r",
            entity="pkg.mod.flow",
            interface=Interface({"x": Variable(INT, default=Scalar(1))}, {"o0": Variable(INT)}),
            inputs=EVERY_LITERAL,
            options=RunOptions(name="r", labels={"a": "b"}, environment={"E": "1"}, max_parallelism=3, source="/f.py"),
        )
        store.begin_run(record)
        assert store.find_run("r") == record
        record.status, record.ended_at, record.outputs = "failed", 2.5, {"o0": Scalar(1)}
        record.error, record.message = _ERROR, "text"
        store.record("r", Action(id="a0", phase=Phase.FAILED))
        store.change_run(record)
        assert store.find_run("r") == record
        assert store.find("r", "a0") is not None

    def test_S19_name_taken(self, store: Store) -> None:
        """A name that another run has is refused with `UsageError`, and the other run stays as it is."""
        store.begin_run(run_record("r", entity="m.first"))
        with pytest.raises(UsageError, match="there is a run with the name 'r' already"):
            store.begin_run(run_record("r", entity="m.second"))
        found = store.find_run("r")
        assert found is not None
        assert found.entity.name == "m.first"

    def test_S20_one_of_many_gets_the_name(self, store: Store) -> None:
        """Of threads that begin a run of one name at the same time one succeeds."""
        won: list[int] = []
        start = threading.Barrier(4)

        def work(thread: int) -> None:
            start.wait()
            try:
                store.begin_run(run_record("r", owner=f"host:{thread}:1"))
            except UsageError:
                return
            won.append(thread)

        in_threads(work, 4)
        assert len(won) == 1
        found = store.find_run("r")
        assert found is not None
        assert found.owner == f"host:{won[0]}:1"

    def test_S21_runs_newest_first(self, store: Store) -> None:
        """`runs` gives runs, newest first: all, those of a status, those of an entity by its name or the end of it."""
        for number, entity in enumerate(["m.flow", "m.other", "pkg.m.flow", "m.fl_w"]):
            store.begin_run(run_record(f"r{number}", entity=entity))
        ended = run_record("r1", entity="m.other", status="succeeded", ended_at=3.0)
        store.change_run(ended)
        assert [record.name for record in store.runs()] == ["r3", "r2", "r1", "r0"]
        assert list(store.runs(status="succeeded")) == [ended]
        assert [record.name for record in store.runs(entity="flow")] == ["r2", "r0"]
        assert [record.name for record in store.runs(entity="m.flow")] == ["r2", "r0"]
        assert [record.name for record in store.runs(entity="fl_w")] == ["r3"]
        assert list(store.runs(entity="low")) == []
        assert [record.name for record in store.runs(status="running", entity="fl%")] == []

    def test_S22_one_of_many_claims_a_run(self, store: Store) -> None:
        """Of threads that claim a run from its owner one succeeds, and is the owner then."""
        store.begin_run(run_record("r", owner="dead:1:1"))
        won: list[int] = []
        start = threading.Barrier(4)

        def work(thread: int) -> None:
            start.wait()
            if store.claim_run("r", f"host:{thread}:1", "dead:1:1"):
                won.append(thread)

        in_threads(work, 4)
        assert len(won) == 1
        found = store.find_run("r")
        assert found is not None
        assert found.owner == f"host:{won[0]}:1"

    def test_S23_what_cannot_be_claimed(self, store: Store) -> None:
        """A run that is over, that somebody else drives, or that is not there is not claimed."""
        store.begin_run(run_record("r"))
        assert store.claim_run("r", "host:2:1", "host:9:1") is False
        store.change_run(run_record("r", status="succeeded", ended_at=3.0))
        assert store.claim_run("r", "host:2:1", "host:1:1") is False
        assert store.claim_run("s", "host:2:1", "host:1:1") is False

    def test_S24_close_again(self, open_store: Callable[[], Store]) -> None:
        """`close` may be called again, and without the store having been used."""
        store = open_store()
        store.close()
        store.close()


def _killed_after(open_store: Callable[[], Store], count: int) -> list[str]:
    """Let a process commit actions, kill it without warning, and return the ids that it was told are durable."""
    code = (
        "import pickle, sys\n"
        "from alula_kernel.testing.stores import commit_for_ever\n"
        "commit_for_ever(pickle.load(sys.stdin.buffer)(), 'r')\n"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write(pickle.dumps(open_store))
        process.stdin.close()
        told = [process.stdout.readline().decode().strip() for _ in range(count)]
        process.kill()
        # What it still managed to print before it died was durable, too; the last line may be torn.
        told += process.stdout.read().decode().split("\n")[:-1]
    assert told[0], "the process ended before its first commit"
    return told
