"""The kernel of an attempt: ``python -m alula_papermill.kernel`` is IPython's, in a process that belongs to the attempt."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
from typing import Any

from .exchange import Exchange, of_this_kernel


def main() -> None:
    """Run the kernel until it is told to end, or the process of the attempt dies."""
    exchange = of_this_kernel()
    assert exchange is not None, "a notebook task starts the kernel"
    threading.Thread(target=_end_with_attempt, args=(exchange,), name="alula-attempt", daemon=True).start()
    sys.path[:] = exchange.search_path()
    from ipykernel.kernelapp import IPKernelApp

    from alula.worker import joined_attempt

    # What runs cells begins inside the block, and so every cell finds the attempt's context.
    with joined_attempt(exchange.attempt()):
        application = IPKernelApp.instance()
        application.initialize()
        application.shell.events.register("post_run_cell", lambda result: _note_refusal(exchange, result))
        application.start()


def _end_with_attempt(exchange: Exchange) -> None:
    """Wait for the end of the attempt's process, which has locked a file, and end this one and what it has started."""
    with open(exchange.file("lock"), "r+b") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        os.killpg(os.getpgrp(), signal.SIGKILL)


def _note_refusal(exchange: Exchange, result: Any) -> None:
    from alula_kernel.errors import NonRecoverableError, UsageError

    if isinstance(result.error_before_exec or result.error_in_exec, (NonRecoverableError, UsageError)):
        exchange.refuse()


if __name__ == "__main__":
    main()
