"""The tree of actions as events tell it, and the lines that show it in a limited space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from alula_kernel.contracts import ActionEvent

from .._plain import printable
from .._tree import duration_text

_FINAL = {"succeeded", "failed", "timed_out", "aborted", "skipped"}
SYMBOLS = {
    "queued": ("○", "."),
    "running": ("●", "*"),
    "retrying": ("↻", "~"),
    "paused": ("‖", "="),
    "succeeded": ("✓", "+"),
    "failed": ("✗", "x"),
    "timed_out": ("✗", "x"),
    "aborted": ("✗", "x"),
    "skipped": ("-", "-"),
}
"""For each phase its symbol, and the one for terminals that cannot show it."""
COLORS = {
    "running": "cyan",
    "retrying": "yellow",
    "paused": "magenta",
    "succeeded": "green",
    "failed": "red",
    "timed_out": "red",
    "aborted": "red",
}
"""The colors of phases; the others have none."""
_MOST_CHILDREN = 12
_SHOWN_ITEMS = 4


class Line(NamedTuple):
    """One line of the tree.

    Attributes:
        text: The line.
        color: Its color; None for the terminal's own.
        dim: Whether it matters little.
    """

    text: str
    color: str | None = None
    dim: bool = False


class _Shown:
    """One action in the tree."""

    __slots__ = ("attempt", "began", "cache", "children", "counts", "ended", "kind", "name", "phase")

    def __init__(self, event: ActionEvent) -> None:
        self.name = printable(event.name)
        self.kind = event.kind
        self.phase = event.phase
        self.attempt = 0
        self.cache = ""
        self.began: float | None = None
        self.ended: float | None = None
        self.children: dict[str, _Shown] = {}
        self.counts: Counter[str] = Counter()  # for a map: how many items are in a phase

    def change(self, event: ActionEvent) -> None:
        self.phase = event.phase
        self.attempt = event.attempt
        self.cache = event.cache
        if self.began is None and event.phase != "queued":
            self.began = event.at
        if event.phase in _FINAL:
            self.ended = event.at


class ActionTree:
    """The tree of one run.

    Items of a map are counted, and kept only while they run or if they are among the first to fail.

    Args:
        plain_symbols: Whether the terminal can show nothing but ASCII.
    """

    def __init__(self, *, plain_symbols: bool = False) -> None:
        self._symbol = 1 if plain_symbols else 0
        self._roots: dict[str, _Shown] = {}
        self._by_id: dict[str, _Shown] = {}

    def apply(self, event: ActionEvent) -> None:
        """Take note of a change."""
        parent = self._by_id.get(event.parent)
        shown = self._by_id.get(event.action)
        before = "" if shown is None else shown.phase
        if shown is None:
            shown = self._by_id[event.action] = _Shown(event)
            siblings = self._roots if parent is None else parent.children
            siblings[event.action] = shown
        shown.change(event)
        if parent is not None and parent.kind == "map":
            self._count(event, parent, before)

    def _count(self, event: ActionEvent, parent: _Shown, before: str) -> None:
        if before:
            parent.counts[before] -= 1
        parent.counts[event.phase] += 1
        failed = parent.counts["failed"] + parent.counts["timed_out"] + parent.counts["aborted"]
        if event.phase in _FINAL and (event.phase in {"succeeded", "skipped"} or failed > _SHOWN_ITEMS):
            parent.children.pop(event.action, None)
            self._forget(event.action)

    def _forget(self, action: str) -> None:
        gone = self._by_id.pop(action, None)
        for child in gone.children if gone is not None else ():
            self._forget(child)

    def lines(self, now: float, most: int) -> list[Line]:
        """Show the tree.

        Args:
            now: Seconds since the epoch, for what is under way.
            most: Most lines.
        """
        lines = [line for root in self._roots.values() for line in self._lines(root, 0, now)]
        if len(lines) <= most:
            return lines
        # What runs or failed matters most; of the rest the beginning stays.
        wanted = [index for index, line in enumerate(lines) if line.color in {"cyan", "yellow", "magenta", "red"}]
        others = [index for index, line in enumerate(lines) if index not in set(wanted)]
        kept = sorted([*wanted, *others][: most - 1])
        return [*(lines[index] for index in kept), Line(f"  ... {len(lines) - len(kept):,} more lines", dim=True)]

    def _lines(self, shown: _Shown, depth: int, now: float) -> Iterator[Line]:
        yield Line(
            "  " * depth + self._text(shown, now), COLORS.get(shown.phase), dim=shown.phase in {"queued", "skipped"}
        )
        children = list(shown.children.values())
        if shown.kind == "map" or len(children) > _MOST_CHILDREN:
            counts = shown.counts if shown.kind == "map" else Counter(child.phase for child in children)
            if shown.kind != "map":
                yield Line("  " * (depth + 1) + counted(counts), dim=True)
            live = [c for c in children if c.phase in {"running", "retrying", "paused", "failed", "timed_out"}]
            children = live[:_SHOWN_ITEMS] if shown.phase != "succeeded" else []
        for child in children:
            yield from self._lines(child, depth + 1, now)

    def _text(self, shown: _Shown, now: float) -> str:
        parts = [SYMBOLS[shown.phase][self._symbol], shown.name]
        if shown.kind not in {"task", "gate"}:
            parts.append(f"({shown.kind.replace('_', ' ')})")
        if shown.kind == "map":
            parts.append(f"[{counted(shown.counts)}]")
        if shown.cache == "hit":
            parts.append("[cache hit]")
        if shown.attempt > 1:
            parts.append(f"[attempt {shown.attempt}]")
        if shown.began is not None and shown.cache != "hit" and shown.phase != "skipped":
            parts.append(duration_text((shown.ended or now) - shown.began))
        return " ".join(parts)


def counted(counts: Counter[str]) -> str:
    """Show how many of the items of a map are in which phase."""
    total = sum(counts.values())
    parts = [f"{counts['succeeded']:,} of {total:,} done"]
    for phase, word in (
        ("running", "running"),
        ("retrying", "retrying"),
        ("failed", "failed"),
        ("timed_out", "timed out"),
    ):
        if counts[phase]:
            parts.append(f"{counts[phase]:,} {word}")
    return ", ".join(parts)
