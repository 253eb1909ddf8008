"""Commit before dispatch: what anything depends on is on disk before."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from alula_kernel.contracts import Attempt
from alula_kernel.engine import FINAL, Action, Phase
from alula_kernel.specs import FAIL_AFTER_EXECUTABLE_NODES_COMPLETE, ListBinding, RetryPolicy


def watch(world: Any, journal: Any) -> list[str]:
    """Check at every submission and every new action what is on disk; return the ids of what was checked."""
    checked: list[str] = []

    def before_submit(attempt: Attempt) -> None:
        assert journal.disk[attempt.action] == (Phase.RUNNING, attempt.number), "an attempt ran before it was on disk"
        checked.append(attempt.id.partition("/")[2])

    world.remote.before_submit = before_submit
    return checked


def after(world: Any, journal: Any, flow: Any) -> list[str]:
    """Check that nodes are made only when those that they wait for are on disk as succeeded."""
    waits = {f"a0.{node.id}": [f"a0.{ref}" for ref in needs(node)] for node in flow.nodes}
    checked: list[str] = []

    def on_record(action: Action) -> None:
        if action.phase is Phase.QUEUED and action.id in waits:
            for upstream in waits[action.id]:
                assert journal.disk[upstream][0] is Phase.SUCCEEDED, f"{action.id} began before {upstream} was on disk"
                checked.append(action.id)

    journal.on_record = on_record
    return checked


def needs(node: Any) -> set[str]:
    from alula_kernel.specs import node_references

    return {reference.node for reference in node_references(node) if reference.node} | set(node.upstream)


async def short(attempt: Attempt) -> int:
    await asyncio.sleep(0.001 * (len(attempt.action) % 3))
    return 1


def inc(x: int) -> int:
    return x + 1


async def inc_async(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


@pytest.mark.parametrize("seconds", [0, 0.005])
def test_commit_before_dispatch(make_world: Any, make_journal: Any, seconds: float) -> None:
    journal = make_journal(seconds)
    world = make_world(store=journal)
    remote, plain, coroutine = world.remote_task(short, inputs=["x"]), world.task(inc), world.task(inc_async)
    kinds = [remote, plain, coroutine]
    nodes = [world.node(f"n{i}", kinds[i % 3], x=i) for i in range(9)]
    nodes += [world.node(f"m{i}", kinds[i % 3], x=world.ref(f"n{i}")) for i in range(9)]
    nodes += [world.node("end", remote, x=world.ref("m0"), upstream=[f"m{i}" for i in range(9)])]
    flow = world.workflow(*nodes, outputs=world.ref("end"))
    submitted, begun = watch(world, journal), after(world, journal, flow)
    result = world.run(flow)
    assert result.value == 1
    assert len(submitted) == 7
    assert len(begun) == 9 + 9
    assert {phase for phase, _ in journal.disk.values()} == {Phase.SUCCEEDED}
    assert journal.disk.keys() == result.actions.keys()


def test_plain_bodies_run_after_the_commit(make_world: Any, make_journal: Any) -> None:
    journal = make_journal()
    world = make_world(store=journal)
    seen: list[Any] = []

    def look(call: Any) -> int:
        seen.append(journal.disk[call.attempt.action])
        if call.attempt.number < 3:
            raise ValueError("again")
        return 1

    world.run(world.task(look, retries=RetryPolicy(user=5)))
    assert seen == [(Phase.RUNNING, 1), (Phase.RUNNING, 2), (Phase.RUNNING, 3)]
    assert journal.disk["a0"] == (Phase.SUCCEEDED, 3)


def test_children_of_calls_too(make_world: Any, make_journal: Any) -> None:
    """Also those that a plain function calls while the event loop around it stands still."""
    journal = make_journal(0.001)
    world = make_world(store=journal)
    seen: list[Any] = []

    def leaf(x: int, call: Any) -> int:
        seen.append(journal.disk[call.attempt.action][0])
        return x

    leaf_task = world.task(leaf)

    async def middle(x: int, call: Any) -> int:
        values = await asyncio.gather(*(call.aio(leaf_task, x=x) for _ in range(3)))
        # What a child gave is on disk before its parent sees it.
        phases = [phase for action, (phase, _) in journal.disk.items() if ".leaf-" in action]
        assert phases.count(Phase.SUCCEEDED) >= 3
        return sum(values)

    middle_task = world.task(middle)
    result = world.run(world.task(lambda call: call(middle_task, x=1) + call(leaf_task, x=5), "outer"))
    assert result.value == 8
    assert seen == [Phase.RUNNING] * 4


def test_handles_are_on_disk_while_the_attempt_runs(make_world: Any, make_journal: Any) -> None:
    journal = make_journal()
    world = make_world(store=journal)
    wait = world.remote.wait
    found: list[Any] = []

    async def look(handle: Any) -> Any:
        found.append(journal.handles["a0/1"])
        return await wait(handle)

    world.remote.wait = look
    assert world.run(world.remote_task(short)).value == 1
    assert found == [{"job": next(iter(world.remote.jobs))}]


def test_many_actions_share_a_commit(make_world: Any, make_journal: Any) -> None:
    journal = make_journal(0.002)
    world = make_world(store=journal)
    world.remote.submit_seconds = 0.001
    task = world.remote_task(short, inputs=["x"])
    flow = world.workflow(*(world.node(f"n{i}", task, x=i) for i in range(300)))
    world.run(flow)
    assert len(journal.disk) == 301
    assert journal.commits < 60, "300 attempts take three commits each, if each has its own"


def test_a_chain_commits_each_step(make_world: Any, make_journal: Any) -> None:
    journal = make_journal()
    world = make_world(store=journal)
    task = world.task(inc)
    nodes = [world.node("n0", task, x=0)]
    nodes += [world.node(f"n{i}", task, x=world.ref(f"n{i - 1}")) for i in range(1, 10)]
    world.run(world.workflow(*nodes))
    # Running and succeeded of ten nodes, and the end of the run; a handle of this process is of no use to another.
    assert journal.commits == 21


def test_failures_aborts_and_skips_are_on_disk_in_the_end(make_world: Any, make_journal: Any) -> None:
    journal = make_journal()
    world = make_world(store=journal)

    async def forever() -> int:
        await asyncio.sleep(3600)
        return 0

    def broken() -> int:
        raise ValueError("it broke")

    slow, bad, fine = world.task(forever), world.task(broken), world.task(inc)
    world.run(world.workflow(world.node("n0", slow), world.node("n1", bad)))
    assert {key: phase.value for key, (phase, _) in journal.disk.items()} == {
        "a0": "failed",
        "a0.n0": "aborted",
        "a0.n1": "failed",
    }
    journal.disk.clear()
    policy = FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
    world.run(world.workflow(world.node("n1", bad), world.node("n2", fine, x=world.ref("n1")), failure_policy=policy))
    assert journal.disk["a0.n2"][0] is Phase.SKIPPED


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_interrupt_is_on_disk(make_world: Any, make_journal: Any, asynchronous: bool) -> None:
    journal = make_journal()
    world = make_world(store=journal)

    def stop() -> int:
        raise KeyboardInterrupt

    async def stop_async() -> int:
        await asyncio.sleep(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.run(world.workflow(world.node("n0", world.task(stop_async if asynchronous else stop))))
    assert {phase for phase, _ in journal.disk.values()} == {Phase.ABORTED}


# --- a disk that fails ---------------------------------------------------------------------------------------------------


def build(world: Any) -> Any:
    remote, plain = world.remote_task(short, inputs=["x"]), world.task(inc)
    inner = world.workflow(world.node("i0", remote, x=world.ref("", "x")), inputs=["x"], outputs=world.ref("i0"))
    return world.workflow(
        world.node("n0", remote, x=1),
        world.node("n1", plain, x=world.ref("n0")),
        world.node("n2", inner, x=world.ref("n0")),
        world.node("m", world.map(remote), x=ListBinding((world.ref("n1"), world.ref("n2")))),
        outputs=world.ref("m"),
    )


def commits_of_a_run(make_world: Any, make_journal: Any) -> int:
    journal = make_journal()
    world = make_world(store=journal)
    assert world.run(build(world)).value == [1, 1]
    return journal.commits  # type: ignore[no-any-return]


def test_a_commit_that_fails_stops_the_run_wherever_it_is(make_world: Any, make_journal: Any) -> None:
    """At each commit in turn: nothing runs that is not on disk, and nothing is left running."""
    total = commits_of_a_run(make_world, make_journal)
    assert total > 10
    for number in range(1, total + 1):
        journal = make_journal()
        world = make_world(store=journal)
        flow = build(world)
        journal.fails_at = number
        watch(world, journal)
        after(world, journal, flow)
        with pytest.raises(OSError, match="the disk is full"):
            world.run(flow, name="r")
        assert all(job.done() for job in world.remote.jobs.values()), f"commit {number}"
        assert all(action.phase in FINAL for action in journal.actions("r")), f"commit {number}"
        submitted = {attempt.split("/")[1] for kind, attempt in world.remote.calls if kind == "submit"}
        assert submitted <= journal.disk.keys()


def test_a_commit_that_fails_is_no_failure_of_the_task(make_world: Any, make_journal: Any) -> None:
    """It is neither tried again nor caught by a parent that catches failures of its children."""
    journal = make_journal()
    world = make_world(store=journal)
    world.remote.submit_seconds = 0.01
    task = world.remote_task(short, retries=RetryPolicy(user=5, system=5))
    journal.fails_at = 2
    with pytest.raises(OSError, match="the disk is full"):
        world.run(task)
    assert world.remote.called("submit") == ["a0/1"]
    assert world.remote.called("cancel") == ["a0/1"], "its handle could not be stored"


def test_an_abort_between_submission_and_commit_stops_the_attempt(
    make_world: Any, make_journal: Any, in_loop: Any
) -> None:
    journal = make_journal()
    world = make_world(store=journal)

    async def forever(attempt: Attempt) -> int:
        await asyncio.sleep(3600)
        return 0

    task = world.remote_task(forever)

    async def scenario() -> None:
        running = asyncio.ensure_future(world.run_async(task, name="r"))
        while not world.remote.called("submit"):
            await asyncio.sleep(0)
            journal.seconds = 0.05 if journal.commits else 0
        await asyncio.sleep(0.01)
        assert world.remote.called("wait") == []
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    in_loop(scenario())
    assert world.remote.called("cancel") == ["a0/1"]
    assert world.remote.called("ended") == ["a0/1"]
    assert journal.disk["a0"][0] is Phase.ABORTED


# --- ends from outside ---------------------------------------------------------------------------------------------------


def test_a_result_that_comes_after_the_action_was_ended_is_dropped(make_world: Any, make_journal: Any) -> None:
    """Somebody else (an abort through the store) ended the action; dependents never see the late result."""
    journal = make_journal()
    world = make_world(store=journal)

    async def late(attempt: Attempt) -> int:
        action = journal.find(attempt.run, attempt.action)
        action.phase, action.message = Phase.ABORTED, "by the operator"
        return 1

    dependent = world.task(inc)
    flow = world.workflow(world.node("n0", world.remote_task(late)), world.node("n1", dependent, x=world.ref("n0")))
    result = world.run(flow)
    assert (result.error.code, result.error.message) == ("Aborted", "by the operator")
    assert result.error.action == "a0.n0"
    assert result.phases == {"a0.n0": "aborted"}
    assert result.actions["a0.n0"].outputs == {}
    assert world.log == []


def test_an_action_that_was_ended_is_not_tried_again(make_world: Any, make_journal: Any) -> None:
    journal = make_journal()
    world = make_world(store=journal)

    def fails(call: Any) -> int:
        action = journal.find(call.attempt.run, call.attempt.action)
        action.phase, action.message = Phase.ABORTED, "by the operator"
        raise ValueError("it broke")

    result = world.run(world.workflow(world.node("n0", world.task(fails, retries=RetryPolicy(user=5)))))
    assert world.log == ["fails"]
    assert result.error.code == "Aborted"
    assert result.phases == {"a0.n0": "aborted"}


def test_a_memory_store_is_never_asked_to_commit(world: Any) -> None:
    def refuse() -> None:
        raise AssertionError("nothing to commit")

    world.store.commit = refuse
    assert world.run(world.task(inc_async), {"x": 1}).value == 2
