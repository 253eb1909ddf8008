"""Runs and actions as styled text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from alula_kernel.literals import Literal

from .._cli.action_tree import COLORS, SYMBOLS, counted
from .._cli.tables import time_text
from .._history import LOST, status_of
from .._plain import preview, printable
from .._printed import short_id
from .._tree import duration_text

if TYPE_CHECKING:
    from alula_kernel.engine import Action, AttemptRecord, RunRecord

_LINE_CHARS = 400
_PREVIEW_LINES = 20
_NAME_CHARS = 20
_TOOK_CHARS = 14
_FEWEST_BAR_CHARS = 10


def style_of(phase: str) -> str:
    """Return the color of a phase or status."""
    return "red" if phase == LOST else COLORS.get(phase, "dim")


def symbol_of(phase: str) -> str:
    """Return the symbol of a phase or status."""
    return "?" if phase == LOST else SYMBOLS[phase][0]


def one_line(text: str) -> str:
    """Return a text as one line of bounded length without control characters."""
    return printable(" ".join(text[:_LINE_CHARS].split()))


def seconds_of(start: float | None, end: float | None, now: float) -> str:
    """Show how long something took, or takes so far; empty if it has not begun."""
    return "" if start is None else duration_text(max((now if end is None else end) - start, 0.0))


def action_label(action: Action, counts: Mapping[str, int], now: float) -> Text:
    """Show an action in the tree.

    Args:
        action: The action.
        counts: Its children by phase.
        now: Seconds since the epoch.
    """
    phase = action.phase.value
    text = Text(f"{symbol_of(phase)} ", style=style_of(phase), no_wrap=True, overflow="ellipsis")
    text.append(one_line(action.name) or action.id, style="default" if phase != "skipped" else "dim")
    notes = []
    if action.kind not in {"task", "gate"}:
        notes.append(f"({action.kind.replace('_', ' ')})")
    if action.kind == "map" and counts:
        notes.append(f"[{counted(Counter(counts))}]")
    if action.cache == "hit":
        notes.append("[cache hit]")
    if len(action.attempts) > 1:
        notes.append(f"[{len(action.attempts)} attempts]")
    if action.cache != "hit" and phase != "skipped":
        notes.append(seconds_of(action.started_at, action.ended_at, now))
    text.append("".join(f" {note}" for note in notes if note), style="dim")
    return text


def run_heading(record: RunRecord, counts: Mapping[str, Mapping[str, int]], waiting: Sequence[str], now: float) -> Text:
    """Show a run in two lines.

    Args:
        record: The run.
        counts: For each action its children by phase.
        waiting: Names of the questions that it asks.
        now: Seconds since the epoch.
    """
    status = status_of(record)
    total: Counter[str] = Counter()
    for phases in counts.values():
        total.update(phases)
    text = Text(f"{symbol_of(status)} {record.name} ", style="bold", no_wrap=True, overflow="ellipsis")
    text.append(status.replace("_", " "), style=style_of(status))
    text.append(f"  {record.entity.name}", style="default")
    text.append(f"  {seconds_of(record.started_at, record.ended_at, now)}\n", style="dim")
    parts = [f"{count:,} {phase.replace('_', ' ')}" for phase, count in sorted(total.items())]
    if record.action_count > sum(total.values()):
        parts.append(f"{record.action_count - sum(total.values()):,} not kept")
    text.append(", ".join(parts), style="dim")
    if waiting:
        text.append(f"  waits for an answer: {', '.join(map(one_line, waiting))} (a)", style="magenta")
    elif status == LOST:
        text.append(f"  its process is gone; go on with it: alula run --resume {record.name}", style="red")
    elif record.message:
        text.append(f"  {one_line(record.message)}")
    return text


def action_details(action: Action, now: float) -> Text:
    """Show everything about an action but what it printed."""
    text = Text()
    phase = action.phase.value
    text.append(f"{symbol_of(phase)} {one_line(action.name)}", style=f"bold {style_of(phase)}")
    text.append(f"  {phase.replace('_', ' ')}\n", style=style_of(phase))
    cached = action.cache + (f", from {action.cached_from}" if action.cached_from else "")
    facts = [
        ("id", short_id(action.id) or action.id),
        ("kind", action.kind.replace("_", " ")),
        ("entity", action.entity),
        ("group", action.group),
        ("created", time_text(action.created_at)),
        ("started", time_text(action.started_at)),
        ("ended", time_text(action.ended_at)),
        ("took", seconds_of(action.started_at, action.ended_at, now)),
        ("cache", cached),
        ("report", action.report),
        ("checkpoint", action.checkpoint),
        ("called at", action.location),
        ("message", action.message),
    ]
    for name, value in facts:
        if value and value != "-":
            text.append(f"{name:<10} ", style="dim")
            text.append(f"{printable(value)}\n")
    _add_literals(text, "inputs", action.inputs)
    _add_literals(text, "outputs", action.outputs)
    if action.attempts:
        text.append("\nattempts\n", style="bold")
        for attempt in action.attempts:
            _add_attempt(text, attempt, final=action.final, now=now)
    error = action.error or next((a.error for a in reversed(action.attempts) if a.error is not None), None)
    if error is not None and phase != "succeeded":
        place = f" in {error.name}" if error.name else ""
        text.append(f"\nerror{one_line(place) and place}\n", style="bold red")
        text.append(printable((error.traceback or f"{error.code}: {error.message}").rstrip()) + "\n")
    return text


def _add_literals(text: Text, title: str, literals: Mapping[str, Literal]) -> None:
    if not literals:
        return
    text.append(f"\n{title}\n", style="bold")
    for name, literal in literals.items():
        lines = preview(literal).splitlines() or [""]
        text.append(f"{name}: ", style="cyan")
        text.append("\n  ".join(lines[:_PREVIEW_LINES]) + ("\n  ..." if len(lines) > _PREVIEW_LINES else "") + "\n")


def _add_attempt(text: Text, attempt: AttemptRecord, *, final: bool, now: float) -> None:
    outcome = attempt.outcome or ("-" if final else "running")
    style = {"succeeded": "green", "running": "cyan", "-": "dim"}.get(outcome, "red")
    text.append(f"#{attempt.number} ", style="bold")
    text.append(outcome.replace("_", " "), style=style)
    ended = attempt.ended_at if attempt.ended_at is not None or not final else attempt.started_at
    text.append(f"  {attempt.executor}  {time_text(attempt.started_at)}  {seconds_of(attempt.started_at, ended, now)}")
    if attempt.interrupted:
        text.append("  lost with the engine that drove it", style="dim")
    if attempt.error is not None:
        text.append(f"  {one_line(f'{attempt.error.code}: {attempt.error.message}')}")
    text.append("\n")


def timeline(action: Action, children: Sequence[Action], total: int, now: float, width: int) -> Text:
    """Show when the children of an action ran, or its attempts if it has none, as bars.

    Args:
        action: The action.
        children: Its children, or the first of them.
        total: How many children it has.
        now: Seconds since the epoch.
        width: Columns that there is room for.
    """
    room = max(width - _NAME_CHARS - _TOOK_CHARS, _FEWEST_BAR_CHARS)
    bars = [(child.name, child.phase.value, child.started_at, child.ended_at) for child in children]
    if not children:
        bars = [
            (f"#{a.number}", "running" if not a.outcome else _phase_of(a.outcome), a.started_at, a.ended_at)
            for a in action.attempts
        ]
    starts = [start for _name, _phase, start, _end in bars if start is not None]
    text = Text(no_wrap=True, overflow="ellipsis")
    if not starts:
        return text.append("nothing has begun", style="dim")
    first = min(starts)
    last = max(now if end is None else end for _name, _phase, start, end in bars if start is not None)
    span = max(last - first, 1e-6)
    text.append(f"{'':<{_NAME_CHARS}} 0{duration_text(span):>{room - 1}}\n", style="dim")
    for name, phase, start, end in bars:
        shown = one_line(name)
        text.append(f"{shown if len(shown) <= _NAME_CHARS else shown[: _NAME_CHARS - 1] + '…':<{_NAME_CHARS}} ")
        if start is not None:
            begin = min(int((start - first) / span * room), room - 1)
            length = max(round(((now if end is None else end) - start) / span * room), 1)
            length = min(length, room - begin)
            text.append(" " * begin)
            text.append("█" * length, style=style_of(phase))
            text.append(f"{' ' * (room - begin - length)} {seconds_of(start, end, now)}", style="dim")
        text.append("\n")
    if total > len(children):
        text.append(f"... and {total - len(children):,} more\n", style="dim")
    return text


def _phase_of(outcome: str) -> str:
    return "succeeded" if outcome == "succeeded" else "failed"
