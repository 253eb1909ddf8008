"""Where executors keep what they know of attempts on this machine: below a folder for each run, that goes with the run.

Paths are relative to the folder of all attempts, `attempts_folder`.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .contracts import Attempt

_SAFE = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]{0,99}")


def attempts_folder(home: str) -> str:
    """Return the folder of all attempts.

    Args:
        home: Folder of an application, as `ExecutorContext.home`.
    """
    return f"{home}/attempts"


@functools.lru_cache
def run_folder(project: str, domain: str, run: str, started_at: float) -> str:
    """Return the folder of a run.

    Args:
        project: Its project.
        domain: Its domain.
        run: Its name.
        started_at: When it began, in seconds since the epoch: one of the same name may have been there before, and was
            forgotten; what it left is not this one's.
    """
    begun = f".{round(started_at * 1e6):x}" if started_at else ""
    return "/".join([_safe(project), _safe(domain), f"{_safe(run)}{begun}"])


def attempt_path(attempt: Attempt) -> str:
    """Return the beginning of the names of all files of an attempt, in the folder of its run."""
    run, _, rest = attempt.id.partition("/")
    action, _, number = rest.partition("/")
    folder = run_folder(attempt.project, attempt.domain, run, attempt.run_started_at)
    return f"{folder}/{_safe(action)}-{_safe(number)}"


def _safe(text: str) -> str:
    """Return a text that can be the name of a file: itself, or its hash."""
    if _SAFE.fullmatch(text):
        return text
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:32]
