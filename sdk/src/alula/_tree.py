"""Showing a run's actions as text."""

from __future__ import annotations

from collections.abc import Iterable

from alula_kernel.engine import Action


def tree_text(actions: Iterable[Action], *, most_children: int = 20) -> str:
    """Show actions as an indented list: phase, name, attempts, cache, time.

    Args:
        actions: The actions, parents before children.
        most_children: Children of one action that are shown; the rest is counted.
    """
    children: dict[str, list[Action]] = {}
    for action in actions:
        children.setdefault(action.parent, []).append(action)
    lines: list[str] = []
    waiting = [(root, 0) for root in reversed(children.get("", []))]
    while waiting:
        action, depth = waiting.pop()
        lines.append("  " * depth + describe(action))
        below = children.get(action.id, [])
        if len(below) > most_children:
            lines.append("  " * (depth + 1) + f"... and {len(below) - most_children:,} more")
            below = below[:most_children]
        waiting.extend((child, depth + 1) for child in reversed(below))
    return "\n".join(lines)


def describe(action: Action) -> str:
    """Show one action in a line."""
    parts = [f"{action.phase.value:<10} {action.name}"]
    if action.kind != "task":
        parts.append(f"({action.kind.replace('_', ' ')})")
    if action.cache in {"hit", "populated", "overwritten"}:
        parts.append(f"[cache {action.cache}]")
    if len(action.attempts) > 1:
        parts.append(f"[{len(action.attempts)} attempts]")
    if action.ended_at is not None:
        parts.append(duration_text(action.ended_at - action.created_at))
    return " ".join(parts)


def duration_text(seconds: float) -> str:
    """Show a duration: ``3 ms``, ``1.2 s``, ``2 min 05 s``."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} \N{MICRO SIGN}s"
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
