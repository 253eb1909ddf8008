"""Phases change only as the table says, and a final phase stays."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from alula_kernel.engine import FINAL, TRANSITIONS, Action, ActionTable, MemoryStore, Phase
from alula_kernel.errors import ActionError, EngineError


def make_table() -> tuple[ActionTable, list[Any]]:
    events: list[Any] = []
    ticks = itertools.count(100)
    return ActionTable("run", MemoryStore(), (events.append,), lambda: float(next(ticks))), events


def in_phase(table: ActionTable, phase: Phase) -> Action:
    action = table.create(Action(id="a0"))
    action.phase = phase
    return action


@pytest.mark.parametrize(("before", "after"), list(itertools.product(Phase, Phase)))
def test_every_pair_of_phases(before: Phase, after: Phase) -> None:
    table, events = make_table()
    action = in_phase(table, before)
    events.clear()
    if after in TRANSITIONS[before]:
        assert table.change_phase(action, after, message="why")
        assert (action.phase, action.message) == (after, "why")
        assert [event.phase for event in events] == [after.value]
    elif before in FINAL:
        assert not table.change_phase(action, after, message="why")
        assert (action.phase, action.message) == (before, "")
        assert not events
    else:
        with pytest.raises(EngineError, match=f"cannot go from {before} to {after}"):
            table.change_phase(action, after, message="why")
        assert (action.phase, action.message) == (before, "")
        assert not events


def test_final_phases_are_those_that_nothing_follows() -> None:
    assert {Phase.SUCCEEDED, Phase.FAILED, Phase.ABORTED, Phase.TIMED_OUT, Phase.SKIPPED} == FINAL
    for phase in set(Phase) - FINAL:
        assert TRANSITIONS[phase] >= {Phase.FAILED, Phase.ABORTED, Phase.TIMED_OUT}, f"{phase} must be able to end"


def test_every_phase_can_be_reached() -> None:
    reached = {Phase.QUEUED}
    for _ in Phase:
        reached |= {after for before in reached for after in TRANSITIONS[before]}
    assert reached == set(Phase)


def test_a_late_result_changes_nothing() -> None:
    table, _ = make_table()
    action = in_phase(table, Phase.RUNNING)
    assert table.change_phase(action, Phase.TIMED_OUT, error=ActionError(code="Timeout", message="too long"))
    ended_at = action.ended_at
    assert not table.change_phase(action, Phase.SUCCEEDED, outputs={"o0": 1})
    assert action.phase is Phase.TIMED_OUT
    assert action.outputs == {}
    assert action.ended_at == ended_at


def test_times_are_set_once() -> None:
    table, _ = make_table()
    action = table.create(Action(id="a0"))
    assert action.created_at == 100
    table.change_phase(action, Phase.RUNNING)
    started_at = action.started_at
    assert started_at is not None
    assert action.ended_at is None
    table.change_phase(action, Phase.RETRYING)
    table.change_phase(action, Phase.RUNNING)
    assert action.started_at == started_at
    table.change_phase(action, Phase.SUCCEEDED)
    assert action.ended_at is not None
    assert action.ended_at > started_at


def test_phases_are_their_text() -> None:
    """Stores and consoles use the text; the hash must be that of the text."""
    for phase in Phase:
        assert str(phase) == phase.value == phase
        assert {phase.value: 1}[phase] == 1


def test_the_memory_store_keeps_runs_apart() -> None:
    store = MemoryStore()
    first, second = Action(id="a0"), Action(id="a0")
    store.record("one", first)
    store.record("two", second)
    store.record("one", Action(id="a0.n0"))
    assert store.find("one", "a0") is first
    assert store.find("two", "a0") is second
    assert store.find("two", "a0.n0") is None
    assert store.find("three", "a0") is None
    assert [action.id for action in store.actions("one")] == ["a0", "a0.n0"]
    assert store.commit() is None
    store.forget("one")
    store.forget("one")
    assert store.actions("one") == []
    assert store.find("two", "a0") is second
