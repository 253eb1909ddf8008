"""Tables as text."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> str:
    """Align rows in columns; on a terminal, lines are cut to its width.

    Args:
        rows: The rows; every cell is one line.
        header: What stands above the columns; empty for nothing.
    """
    lines = [list(header), *map(list, rows)] if header else list(map(list, rows))
    cells = [[cell.replace("\n", " ") for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    width = _terminal_width()
    out = []
    for line in cells:
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        out.append(text if width is None or len(text) <= width else f"{text[: width - 1]}…")
    return "\n".join(out)


def _terminal_width() -> int | None:
    """Return the width of the terminal that stdout is, or None if it is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else None
    except (OSError, ValueError):
        return None


def time_text(seconds: float | None) -> str:
    """Show a moment in local time, to the second; a dash for None."""
    if seconds is None:
        return "-"
    import time

    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
