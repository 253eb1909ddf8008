"""Results on stdout: outputs as text, or the whole run as one JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._plain import plain_map, preview

if TYPE_CHECKING:
    from alula_kernel.engine import Action, AttemptRecord
    from alula_kernel.errors import ActionError
    from alula_kernel.literals import Literal

    from .._history import RunRecord


def outputs_text(outputs: Mapping[str, Literal]) -> str:
    """Show outputs as ``name: value``, one below the other."""
    return "".join(f"{name}: {preview(literal)}\n" for name, literal in outputs.items())


def run_json(record: RunRecord) -> str:
    """Show a run as JSON; the reference of the command line describes it."""
    import json

    return f"{json.dumps(run_document(record), indent=2, ensure_ascii=False)}\n"


def run_document(record: RunRecord) -> dict[str, Any]:
    """Return a run as plain data."""
    return {
        **run_summary(record),
        "source": record.source,
        "inputs": plain_map(record.inputs),
        "outputs": plain_map(record.outputs),
        "error": _error(record.error),
        "message": record.message,
        "action_count": record.action_count or len(record.actions),
        "actions": [_action(action) for action in record.actions],
    }


def run_summary(record: RunRecord) -> dict[str, Any]:
    """Return what a list of runs shows of one."""
    return {
        "run": record.name,
        "entity": record.entity,
        "kind": record.kind,
        "phase": record.status,
        "project": record.project,
        "domain": record.domain,
        "labels": record.labels,
        "started_at": _moment(record.started_at),
        "ended_at": _moment(record.ended_at),
        "duration_seconds": _seconds(record.started_at, record.ended_at),
    }


def _action(action: Action) -> dict[str, Any]:
    return {
        "id": action.id,
        "parent": action.parent or None,
        "name": action.name,
        "kind": action.kind,
        "entity": action.entity or None,
        "phase": action.phase.value,
        "cache": action.cache or None,
        "cached_from": action.cached_from or None,
        "created_at": _moment(action.created_at),
        "started_at": _moment(action.started_at),
        "ended_at": _moment(action.ended_at),
        "duration_seconds": _seconds(action.created_at, action.ended_at),
        "inputs": plain_map(action.inputs),
        "outputs": plain_map(action.outputs),
        "error": _error(action.error),
        "message": action.message,
        "report": action.report or None,
        "location": action.location or None,
        "attempts": [_attempt(attempt) for attempt in action.attempts],
    }


def _attempt(attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "executor": attempt.executor,
        "outcome": attempt.outcome or None,
        "started_at": _moment(attempt.started_at),
        "ended_at": _moment(attempt.ended_at),
        "duration_seconds": _seconds(attempt.started_at, attempt.ended_at),
        "error": _error(attempt.error),
    }


def _error(error: ActionError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "code": error.code,
        "message": error.message,
        "kind": error.kind,
        "action": error.action or None,
        "name": error.name or None,
        "traceback": error.traceback or None,
    }


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    from datetime import datetime, timezone

    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()


def _seconds(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round(end - start, 6)
