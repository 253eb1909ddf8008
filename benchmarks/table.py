"""The table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from results import Result
from series import Series


def figure(value: float) -> str:
    """Show a number with three digits that count."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3f}"


def _with_spread(series: Series) -> str:
    return f"{figure(series.median)} ± {figure(series.spread)}"


def table(results: Sequence[Result], peers: Iterable[str]) -> str:
    """Show results as a table, followed by what else was measured beside each.

    Args:
        results: The results.
        peers: Names of the peers that have a column.
    """
    peers = list(peers)
    header = [
        "",
        "what",
        "unit",
        "Alula",
        "processor",
        "floor",
        "ratio",
        "bar",
        "dream",
        "met",
        "bar's ratio",
        "met",
        *peers,
    ]
    rows = [
        [
            result.budget.id,
            result.title,
            result.budget.unit,
            _with_spread(result.ours.wall),
            figure(result.ours.processor.median),
            figure(result.floor.wall.median),
            f"{figure(result.ratio)}x",
            figure(result.budget.bar),
            figure(result.budget.dream),
            result.verdict,
            "-" if result.budget.bar_ratio is None else f"{figure(result.budget.bar_ratio)}x",
            result.verdict_by_ratio,
            *(figure(result.peers[name].wall.median) if name in result.peers else "-" for name in peers),
        ]
        for result in results
    ]
    return "\n".join([*_aligned(header, rows), "", *(_beside(result) for result in results)])


def _aligned(header: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    left = {0, 1, 2, 9, 11}

    def line(row: list[str]) -> str:
        cells = (
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    return [line(header), line(["-" * width for width in widths]), *map(line, rows)]


def _beside(result: Result) -> str:
    parts = [f"floor: {result.floor_name}"]
    parts += [
        f"{name}: {figure(timings.wall.median)} {result.budget.unit}" for name, timings in result.references.items()
    ]
    parts += [result.note] if result.note else []
    name = f"{result.budget.id} ({result.variant})" if result.variant else result.budget.id
    return f"{name}: {'; '.join(parts)}"
