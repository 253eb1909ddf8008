"""``alula flyte check``: which names of Flyte's a code base uses, and what becomes of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from .lookup import Found
from .scan import uses_of
from .sources import Source, Unreadable, files_of, read

Verdict = Literal["missing", "unknown", "adapted", "same"]

_VERDICTS: tuple[Verdict, ...] = ("missing", "unknown", "adapted", "same")
"""What may become of a name, in the order in which it is told."""


class Place(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """Where a name is used.

    Attributes:
        path: The file.
        line: The line, counted from 1; in a notebook that of the cell.
        cell: The cell of a notebook, counted from 1; 0 for a file.
    """

    path: str
    line: int
    cell: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if not self.cell else f"{self.path}: cell {self.cell}, line {self.line}"


class UsedName(msgspec.Struct, frozen=True, kw_only=True):
    """A name of Flyte's that a code base uses.

    Attributes:
        name: The name with its module.
        status: What becomes of it; ``unknown`` if no table has it.
        own: The name that code written for Alula uses, or nothing.
        note: How it is adapted, or why it is missing.
        instead: What to use instead.
        uses: Where it is used, in the order of files and lines; imports count.
    """

    name: str
    status: Verdict
    own: str
    note: str
    instead: str
    uses: list[Place]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a code base uses of Flyte.

    Attributes:
        files_read: How many files of Python were looked at.
        files_with_flyte: How many of them use names of Flyte's.
        counts: How many names of each status there are.
        names: The names, the missing ones first and the most used first.
        unreadable: Files that may use Flyte and could not be read.
    """

    files_read: int
    files_with_flyte: int
    counts: dict[Verdict, int]
    names: list[UsedName]
    unreadable: list[Unreadable]

    @property
    def is_complete(self) -> bool:
        """Whether everything is known, and nothing of it missing."""
        return not (self.counts["missing"] or self.counts["unknown"] or self.unreadable)


def check(path: Path) -> Report:
    """Read a file, or all files below a folder.

    Raises:
        UsageError: There is no such file or folder.
    """
    files = files_of(path)
    places: dict[str, list[Place]] = defaultdict(list)
    found: dict[str, Found] = {}
    unreadable: list[Unreadable] = []
    for name in files:
        for source in _sources(name, unreadable):
            try:
                uses = uses_of(source.code)
            except (SyntaxError, ValueError, RecursionError) as problem:
                unreadable.append(Unreadable(source.path, _told(problem, source)))
                continue
            for use in uses:
                places[use.found.name].append(Place(source.path, use.line, source.cell))
                found.setdefault(use.found.name, use.found)
    names = sorted(
        (_used(found[name], sorted(set(places[name]))) for name in places),
        key=lambda used: (_VERDICTS.index(used.status), -len(used.uses), used.name),
    )
    counted = Counter(used.status for used in names)
    return Report(
        files_read=len(files),
        files_with_flyte=len({place.path for used in names for place in used.uses}),
        counts={verdict: counted[verdict] for verdict in _VERDICTS},
        names=names,
        unreadable=unreadable,
    )


def _sources(name: str, unreadable: list[Unreadable]) -> list[Source]:
    try:
        return list(read(name))
    except (OSError, ValueError) as problem:
        unreadable.append(Unreadable(name, str(problem)))
        return []


def _told(problem: Exception, source: Source) -> str:
    where = f"cell {source.cell}, " if source.cell else ""
    if isinstance(problem, SyntaxError):
        return f"{where}line {problem.lineno}: {problem.msg}" if problem.lineno else f"{where}{problem.msg}"
    return f"{where}{problem}"


def _used(found: Found, places: list[Place]) -> UsedName:
    row = found.row
    return UsedName(
        name=found.name,
        status=row.status if row else "unknown",
        own=row.own.replace(":", ".") if row else "",
        note=row.note if row else "no table of alula-flyte has it",
        instead=row.instead if row else "",
        uses=places,
    )


def as_text(report: Report) -> str:
    """Return a report for people to read."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.files_with_flyte} of {report.files_read} files use Flyte"
    if report.names:
        yield ", ".join(f"{count} {verdict}" for verdict, count in reversed(report.counts.items()))
    for title, verdict in (("Missing", "missing"), ("Unknown", "unknown")):
        yield from _titled(title, [line for used in _of(report, verdict) for line in _failing(used)])
    yield from _titled("Not readable", [f"{file.path}: {file.problem}" for file in report.unreadable])
    for title, verdict in (("Adapted", "adapted"), ("Same", "same")):
        yield from _titled(title, [_working(used) for used in _of(report, verdict)])


def _of(report: Report, verdict: str) -> list[UsedName]:
    return [used for used in report.names if used.status == verdict]


def _titled(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        yield from (f"  {line}" for line in lines)


def _failing(used: UsedName) -> Iterator[str]:
    yield f"{used.name}: {used.note}" if used.note else used.name
    if used.instead:
        yield f"  {used.instead}"
    yield from (f"    {place}" for place in used.uses)


def _working(used: UsedName) -> str:
    own = f" -> {used.own}" if used.own and used.own != used.name else ""
    note = f": {used.note}" if used.note else ""
    return f"{used.name}{own} ({len(used.uses)}){note}"
