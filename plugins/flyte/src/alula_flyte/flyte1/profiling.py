"""``flytekitplugins.memray``: the memory that a task allocates, as a page of its deck."""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import alula
from alula.errors import ArgumentError

_REPORTERS = ("flamegraph", "table")


def memray_profiling(
    task_function: Callable[..., Any] | None = None,
    native_traces: bool = False,
    trace_python_allocators: bool = False,
    follow_fork: bool = False,
    memory_interval_ms: int = 10,
    memray_html_reporter: str = "flamegraph",
    memray_reporter_args: Sequence[str] | None = None,
) -> Callable[..., Any]:
    """Have memray watch a function, and put its report into the deck of the task.

    Args:
        task_function: The function.
        native_traces: Whether frames of compiled code are recorded.
        trace_python_allocators: Whether allocations of Python's own allocators count each.
        follow_fork: Whether forked processes are watched as well.
        memory_interval_ms: How often the size of the process is recorded, in milliseconds.
        memray_html_reporter: ``"flamegraph"`` or ``"table"``.
        memray_reporter_args: More options of the reporter.

    Raises:
        ArgumentError: There is no such reporter, or an option does not begin with two dashes.
    """
    if memray_html_reporter not in _REPORTERS:
        raise ArgumentError(
            f"memray_html_reporter must be {' or '.join(map(repr, _REPORTERS))}, found {memray_html_reporter!r}"
        )
    wrong = [option for option in memray_reporter_args or () if "--" not in option]
    if wrong:
        raise ArgumentError(
            f"memray_reporter_args takes options of `memray {memray_html_reporter}`, found {wrong[0]!r}"
        )

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            import memray  # there where it is used

            with tempfile.TemporaryDirectory(prefix="alula-memray-") as folder:
                recorded = Path(folder) / "allocations.bin"
                with memray.Tracker(
                    recorded,
                    native_traces=native_traces,
                    trace_python_allocators=trace_python_allocators,
                    follow_fork=follow_fork,
                    memory_interval_ms=memory_interval_ms,
                ):
                    result = function(*args, **kwargs)
                page = _report(memray_html_reporter, recorded, memray_reporter_args or ())
            alula.Deck(f"Memray {memray_html_reporter.capitalize()}", page)
            return result

        return watched

    return decorate if task_function is None else decorate(task_function)


def _report(reporter: str, recorded: Path, options: Sequence[str]) -> str:
    page = recorded.with_suffix(".html")
    command = [sys.executable, "-m", "memray", reporter, "-o", str(page), *options, str(recorded)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ArgumentError(f"memray cannot make its {reporter}: {(done.stderr or done.stdout).strip()}")
    return page.read_text(encoding="utf-8")
