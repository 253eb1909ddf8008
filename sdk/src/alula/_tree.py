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
    waiting: list[tuple[Action | str, int]] = [(root, 0) for root in reversed(children.get("", []))]
    while waiting:
        entry, depth = waiting.pop()
        if isinstance(entry, str):
            lines.append("  " * depth + entry)
            continue
        lines.append("  " * depth + describe(entry))
        below = children.get(entry.id, [])
        if below:
            waiting.extend(reversed(_below(below, depth + 1, most_children)))
    return "\n".join(lines)


def _below(children: list[Action], depth: int, most: int) -> list[tuple[Action | str, int]]:
    """Order children by group, each under a line with its name, and count those that there is no room for."""
    groups: dict[str, list[Action]] = {}
    for child in children:
        groups.setdefault(child.group, []).append(child)
    entries: list[tuple[Action | str, int]] = []
    for name, members in groups.items():
        inner = depth + bool(name)
        if name:
            entries.append((f"group      {name}", depth))
        entries += [(child, inner) for child in members[:most]]
        if len(members) > most:
            entries.append((f"... and {len(members) - most:,} more", inner))
    return entries


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
