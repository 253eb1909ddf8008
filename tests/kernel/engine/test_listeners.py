"""Listeners hear every change in order, and cannot break a run."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import defaultdict
from typing import Any

import pytest

from alula_kernel.contracts import ActionEvent
from alula_kernel.engine import TRANSITIONS, Phase
from alula_kernel.specs import RetryPolicy


def busy_flow(world: Any) -> Any:
    def flaky(x: int, call: Any) -> int:
        if call.attempt.number == 1:
            raise ValueError("again")
        return x

    async def slow(x: int) -> int:
        await asyncio.sleep(0.001)
        if x == 3:
            raise ValueError("three")
        return x

    slow_task = world.task(slow)
    return world.workflow(
        world.node("n0", world.task(flaky, retries=RetryPolicy(user=1)), x=1),
        world.node("m", world.map(slow_task, min_success_ratio=0.5), x=list(range(6))),
        world.node("b", world.branch(world.case(None, world.node("c", slow_task, x=1), outputs=1))),
    )


def test_every_change_in_order(world: Any) -> None:
    result = world.run(busy_flow(world), name="r")
    by_action: dict[str, list[ActionEvent]] = defaultdict(list)
    for event in world.events:
        by_action[event.action].append(event)
        assert event.run == "r"
    assert by_action.keys() == result.actions.keys()
    for action_id, events in by_action.items():
        action = result.actions[action_id]
        phases = [Phase(event.phase) for event in events]
        assert phases[0] is Phase.QUEUED
        assert phases[-1] is action.phase
        assert all(after in TRANSITIONS[before] for before, after in itertools.pairwise(phases))
        assert [event.at for event in events] == sorted(event.at for event in events)
        assert {(event.parent, event.name, event.kind) for event in events} == {
            (action.parent, action.name, action.kind)
        }
        assert events[-1].error == action.error
        assert events[-1].attempt == len(action.attempts)


def test_parents_are_announced_before_children_and_end_after_them(world: Any) -> None:
    result = world.run(busy_flow(world))
    order = [(event.action, event.phase) for event in world.events]
    for action in result.actions.values():
        if action.parent:
            parent = result.actions[action.parent]
            assert order.index((parent.id, "queued")) < order.index((action.id, "queued"))
            assert order.index((parent.id, parent.phase.value)) > order.index((action.id, action.phase.value))


def test_a_change_is_in_the_store_before_it_is_announced(make_world: Any) -> None:
    seen: list[tuple[str, str]] = []

    def listener(event: ActionEvent) -> None:
        seen.append((event.phase, worlds[0].store.find(event.run, event.action).phase.value))

    worlds = [make_world(listeners=[listener])]
    worlds[0].run(worlds[0].task(lambda: 1, "one"))
    assert seen == [("queued", "queued"), ("running", "running"), ("succeeded", "succeeded")]


def test_a_listener_that_raises_harms_nobody(make_world: Any, caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: ActionEvent) -> None:
        raise RuntimeError("no network")

    world = make_world(listeners=[broken])
    with caplog.at_level(logging.WARNING, "alula.engine"):
        result = world.run(busy_flow(world), name="r")
    assert result.error is None
    assert len(world.events) > 20, "the next listener hears everything"
    warnings = [record for record in caplog.records if "failed in run r" in record.getMessage()]
    assert len(warnings) == 1, "it is told once, not for every event"
    assert "no network" in warnings[0].getMessage()
    assert "broken" in warnings[0].getMessage()


def test_an_interrupt_in_a_listener_is_one(make_world: Any) -> None:
    def interrupted(event: ActionEvent) -> None:
        if event.phase == "running" and event.action == "a0.n0":
            raise KeyboardInterrupt

    world = make_world(listeners=[interrupted])
    with pytest.raises(KeyboardInterrupt):
        world.run(world.workflow(world.node("n0", world.task(lambda: 1, "one"))), name="r")
    assert world.actions("r")["a0"].phase is Phase.ABORTED


def test_failures_and_aborts_are_told_with_their_reason(world: Any) -> None:
    async def forever() -> int:
        await asyncio.sleep(3600)
        return 0

    def broken() -> int:
        raise ValueError("it broke")

    world.run(world.workflow(world.node("n0", world.task(forever)), world.node("n1", world.task(broken))))
    last = {event.action: event for event in world.events}
    assert last["a0.n1"].error.message == "it broke"
    assert last["a0.n0"].error is None
    assert last["a0.n0"].message.endswith("broken failed")
    assert last["a0"].error.action == "a0.n1"
