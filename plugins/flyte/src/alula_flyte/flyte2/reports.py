"""What ``flyte.report`` has beside `alula.report`: a timeline of rows, and texts for them."""

from __future__ import annotations

import datetime as dt
import html
from typing import Any

from alula import ctx, report

_SHOWN_CHARS = 20_000


def abbreviate(value: Any, limit: int = 300) -> str:
    """Return a value as HTML; what is longer than the limit is shown when it is clicked."""
    text = "" if value is None else str(value)
    if len(text) <= limit:
        return html.escape(text)
    return (
        f"<details><summary>{html.escape(text[:limit])}... (+{len(text) - limit})</summary>"
        f"<pre>{html.escape(text[:_SHOWN_CHARS])}</pre></details>"
    )


def duration_ms(start_iso: Any, end_iso: Any) -> str:
    """Return the time between two ISO 8601 times as ``"12 ms"``; nothing if one of them is none."""
    try:
        start, end = (dt.datetime.fromisoformat(str(time).replace("Z", "+00:00")) for time in (start_iso, end_iso))
        return f"{(end - start).total_seconds() * 1000:.0f} ms"
    except (TypeError, ValueError):
        return ""


def current_report() -> Any:
    """Return the report of the running task.

    Raises:
        RuntimeError: No task runs.
    """
    context = ctx()
    if context is None:
        raise RuntimeError("there is a report in a running task only")
    return context.report


class Timeline:
    """Rows in a tab of the running task's report, in the order of time; nothing outside of a task.

    Args:
        tab_name: The tab.
    """

    def __init__(self, tab_name: str = "main") -> None:
        self._tab_name = tab_name

    def heading(self, text: Any) -> None:
        """Add a heading."""
        self._add(f"<h3>{html.escape(str(text))}</h3>")

    def row(self, *, icon: str = "•", label: Any = "", meta: str = "", detail: str = "", error: Any = None) -> None:
        """Add a row.

        Args:
            icon: What it begins with.
            label: What it is about.
            meta: What is shown small beside it.
            detail: More, as HTML.
            error: What went wrong.
        """
        parts = [icon, f"<b>{html.escape(str(label))}</b>", f"<small>{html.escape(meta)}</small>", detail]
        if error:
            parts.append(f'<span style="color:#d33">{abbreviate(error, 200)}</span>')
        self._add(f"<div>{' '.join(filter(None, parts))}</div>")

    def _add(self, content: str) -> None:
        report.get_tab(self._tab_name).log(content)
