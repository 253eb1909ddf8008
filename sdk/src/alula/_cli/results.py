"""Results on stdout: outputs as text, or the whole run as one JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from alula_kernel.literals import Blob, Dataset, ListLiteral, MapLiteral, unwrap
from alula_kernel.types import ListOf, MapOf, Opaque, TupleOf, UnionOf

from .._history import status_of
from .._plain import plain_map, preview, printable

if TYPE_CHECKING:
    from alula_kernel.contracts import Converter
    from alula_kernel.engine import Action, AttemptRecord, RunRecord
    from alula_kernel.errors import ActionError
    from alula_kernel.literals import Literal
    from alula_kernel.types import LiteralType

    from .._interface import CompiledInterface


def outputs_text(outputs: Mapping[str, Literal], compiled: CompiledInterface | None = None) -> str:
    """Show outputs as ``name: value``, one below the other.

    Args:
        outputs: The outputs.
        compiled: The interface that they belong to; with it, types of plugins are shown as their converters show them.
    """
    return "".join(f"{name}: {_shown(name, literal, compiled)}\n" for name, literal in outputs.items())


def _shown(name: str, literal: Literal, compiled: CompiledInterface | None) -> str:
    converter: Converter[Any] | None = compiled.outputs.get(name) if compiled is not None else None
    if compiled is None or converter is None or not _has_own_type(converter.literal_type) or _points(literal):
        return preview(literal)
    try:
        return printable(converter.to_text(converter.to_python(literal, compiled.context)))
    except Exception:  # noqa: BLE001 - a plugin's may raise anything, and the run has succeeded
        return preview(literal)


def _has_own_type(literal_type: LiteralType) -> bool:
    """Tell whether a value is, or is a collection of, what only a converter knows how people write."""
    match literal_type:
        case Opaque():
            return True
        case ListOf(part) | MapOf(part):
            return _has_own_type(part)
        case TupleOf(parts) | UnionOf(parts):
            return any(map(_has_own_type, parts))
        case _:
            return False


def _points(literal: Literal) -> bool:
    """Tell whether showing a value would read what it points to."""
    literal = unwrap(literal)
    if isinstance(literal, ListLiteral):
        return any(map(_points, literal.items))
    if isinstance(literal, MapLiteral):
        return any(map(_points, literal.entries.values()))
    return isinstance(literal, (Blob, Dataset))


def run_json(record: RunRecord, actions: Sequence[Action]) -> str:
    """Show a run as JSON; the reference of the command line describes it."""
    import json

    return f"{json.dumps(run_document(record, actions), indent=2, ensure_ascii=False)}\n"


def run_document(record: RunRecord, actions: Sequence[Action]) -> dict[str, Any]:
    """Return a run as plain data."""
    return {
        **run_summary(record),
        "source": record.options.source,
        "inputs": plain_map(record.inputs),
        "outputs": plain_map(record.outputs),
        "error": _error(record.error),
        "message": record.message,
        "action_count": record.action_count or len(actions),
        "actions": [_action(action) for action in actions],
    }


def run_summary(record: RunRecord) -> dict[str, Any]:
    """Return what a list of runs shows of one."""
    return {
        "run": record.name,
        "entity": record.entity.name,
        "kind": record.entity.kind,
        "phase": status_of(record),
        "project": record.options.project,
        "domain": record.options.domain,
        "labels": record.options.labels,
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
        "checkpoint": action.checkpoint or None,
        "group": action.group or None,
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
        "interrupted": attempt.interrupted,
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
