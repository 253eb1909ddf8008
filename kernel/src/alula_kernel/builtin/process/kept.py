"""A kept worker: one process that runs attempt after attempt, or several coroutines side by side."""

from __future__ import annotations

import contextlib
import contextvars
import io
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, cast

from ...processes import ProcessId
from ...worker_protocol import Ended, OpenCalls
from .files import AttemptFiles, Claim, Ledger
from .orders import Keep, Order, RunOnce, receive_order
from .worker import (
    Logs,
    Worker,
    begin,
    cpu_seconds,
    hang_up,
    limit_memory,
    run_one,
    send,
    show_gpus,
    with_usage,
)

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator


def keep_running(order: Order, link: socket.socket, worker: Worker, root: str, template: ProcessId) -> None:
    """Run attempts until the engine is gone or there was none for a while.

    Args:
        order: The order that started this process.
        link: Where orders to run an attempt come from.
        worker: What runs tasks.
        root: Folder of all attempts.
        template: Who waits for the end of this process.
    """
    assert isinstance(order, Keep)
    limit_memory(order.memory_limit_bytes)
    show_gpus(order.gpus)
    files = AttemptFiles(f"{root}/{order.files}")
    claim = Claim(ProcessId.own(), template, order.files)
    ledger = Ledger(files.base, claim)
    logs = Logs(files)
    baseline = _Baseline(f"{files.base}.tmp", logs)
    try:
        if order.concurrency > 1:
            import asyncio

            asyncio.run(_Together(order, link, worker, root, claim, ledger, baseline).serve())
            return
        _yield_to_others()
        selector = selectors.DefaultSelector()
        selector.register(link, selectors.EVENT_READ)
        while selector.select(order.idle_seconds):
            received = receive_order(link)
            if received is None:
                return
            run, _ = received
            assert isinstance(run, RunOnce)
            calls = _Calls(link)
            streams = cast("BinaryIO", _CallStream(calls, 0)), cast("BinaryIO", _CallStream(calls, 1))
            contextvars.Context().run(run_one, run, link, worker, root, ledger.take, ledger.note, streams, logs)
            calls.close()
            baseline.restore()
    finally:
        shutil.rmtree(baseline.temporary, ignore_errors=True)
        logs.give_to(files)
        ledger.close()


def _yield_to_others() -> None:
    """Do not interrupt who runs on a processor when this process wakes up there; see sched(7), "SCHED_BATCH".

    Many short attempts follow each other here. If each order interrupted the engine that has just sent it, the engine,
    which keeps all workers busy, would lose half of its time.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # a sandbox may forbid it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


class _Calls:
    """The channel for the calls of one attempt, which is asked for when the first call is made: most attempts make none.

    Args:
        link: Socket to the engine, from which nobody else reads while the attempt runs.
    """

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._lock = threading.Lock()
        self._channel: socket.socket | None = None
        self._streams: tuple[BinaryIO, BinaryIO] | None = None

    def stream(self, index: int) -> BinaryIO:
        """Return where answers come from (0), or where calls go to (1).

        Raises:
            BrokenPipeError: The engine is gone.
        """
        with self._lock:
            if self._streams is None:
                send(self._link, OpenCalls())
                received = receive_order(self._link)
                if received is None or received[1] is None:
                    raise BrokenPipeError("the engine is gone")
                self._channel = received[1]
                self._streams = self._channel.makefile("rb"), self._channel.makefile("wb")
            return self._streams[index]

    def close(self) -> None:
        """Close it, if it was opened."""
        if self._channel is not None and self._streams is not None:
            hang_up(self._channel, *self._streams)


class _CallStream:
    """One direction of `_Calls`, as far as workers use it. Not an `io` class: those flush when they are forgotten."""

    def __init__(self, calls: _Calls, index: int) -> None:
        self._calls = calls
        self._index = index

    def read(self, size: int = -1) -> bytes:
        """Read as a buffered stream does."""
        return self._calls.stream(self._index).read(size)

    def write(self, data: bytes) -> int:
        """Write as a buffered stream does."""
        return self._calls.stream(self._index).write(data)

    def flush(self) -> None:
        """Send what was written."""
        self._calls.stream(self._index).flush()


class _Baseline:
    """What the process was like before the first attempt, to which it returns after each one.

    Args:
        temporary: Folder for the temporary files of attempts.
        logs: Where the process prints to.
    """

    def __init__(self, temporary: str, logs: Logs) -> None:
        os.makedirs(temporary, exist_ok=True)
        self.temporary = temporary
        os.environ["TMPDIR"] = temporary
        tempfile.tempdir = None
        # What is behind `os.environ`: to compare its decoded form would take a third of an attempt that does nothing.
        self._variables: dict[Any, Any] = os.environ._data  # type: ignore[attr-defined]
        self._environment = dict(os.environb)
        self._kept_variables = dict(self._variables)
        self._folder = os.getcwd()
        self._mask = os.umask(0)
        os.umask(self._mask)
        self._logs = logs
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._path = list(sys.path)
        self._arguments = list(sys.argv)
        self._handlers = {
            number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
        }

    def restore(self) -> None:
        """Undo what an attempt changed."""
        if self._variables != self._kept_variables:
            os.environb.clear()
            os.environb.update(self._environment)
        os.chdir(self._folder)
        os.umask(self._mask)
        sys.stdin, sys.stdout, sys.stderr = self._streams
        self._logs.redirect()
        sys.path[:] = self._path
        sys.argv[:] = self._arguments
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._handlers.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        tempfile.tempdir = None
        self._empty()

    def _empty(self) -> None:
        try:
            with os.scandir(self.temporary) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path, ignore_errors=True)
                    else:
                        os.unlink(entry.path)
        except FileNotFoundError:
            os.makedirs(self.temporary, exist_ok=True)


_printed: contextvars.ContextVar[tuple[TextIO, TextIO] | None] = contextvars.ContextVar("alula_printed", default=None)


class _Routed(io.TextIOBase):
    """A standard stream that writes to the file of the attempt whose code prints.

    Args:
        outside: Where it writes outside of attempts.
        index: 0 for standard output, 1 for standard error.
    """

    def __init__(self, outside: TextIO, index: int) -> None:
        self._outside = outside
        self._index = index

    def _target(self) -> TextIO:
        files = _printed.get()
        return self._outside if files is None else files[self._index]

    def write(self, text: str) -> int:
        return self._target().write(text)

    def flush(self) -> None:
        self._target().flush()

    def fileno(self) -> int:
        return self._outside.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._outside.encoding


@contextlib.contextmanager
def _printed_to(files: AttemptFiles) -> Iterator[None]:
    """Let what the code of this context prints go to the files of its attempt."""
    paths = (files.stdout, files.stderr)
    with contextlib.ExitStack() as stack:
        out, err = (
            stack.enter_context(open(path, "a", buffering=1, encoding="utf-8", errors="backslashreplace"))
            for path in paths
        )
        token = _printed.set((out, err))
        try:
            yield
        finally:
            _printed.reset(token)
    for path in paths:
        if not os.path.getsize(path):
            os.unlink(path)


class _Together:
    """Attempts of coroutine functions, side by side in one event loop.

    What they print goes to files of their own as far as Python prints it; what other code writes to the descriptors goes
    to the worker's own file. The process returns to its baseline whenever no attempt runs.

    Args:
        order: The order that started this process.
        link: Where orders to run an attempt come from.
        worker: What runs tasks.
        root: Folder of all attempts.
        claim: Who this process is. Each attempt has a claim of its own here, whose time tells when it began.
        ledger: Where outcomes are noted.
        baseline: What the process was like at first.
    """

    def __init__(
        self,
        order: Keep,
        link: socket.socket,
        worker: Worker,
        root: str,
        claim: Claim,
        ledger: Ledger,
        baseline: _Baseline,
    ) -> None:
        self._order = order
        self._link = link
        self._worker = worker
        self._root = root
        self._claim = claim
        self._ledger = ledger
        self._baseline = baseline
        self._running: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Serve until the engine is gone or there was nothing to do for a while."""
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._leaving = self._loop.create_future()
        self._streams: tuple[Any, Any] = _Routed(sys.stdout, 0), _Routed(sys.stderr, 1)
        sys.stdout, sys.stderr = self._streams
        self._loop.add_reader(self._link, self._obey)
        self._be_idle()
        await self._leaving
        self._loop.remove_reader(self._link)
        if self._running:
            await asyncio.wait(self._running)

    def _leave(self) -> None:
        if not self._leaving.done():
            self._leaving.set_result(None)

    def _be_idle(self) -> None:
        self._idle = self._loop.call_later(self._order.idle_seconds, self._leave)

    def _obey(self) -> None:
        self._idle.cancel()
        received = receive_order(self._link)
        if received is None:
            self._leave()
            return
        run, channel = received
        assert isinstance(run, RunOnce)
        assert channel is not None
        task = self._loop.create_task(self._run(run, channel))
        self._running.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not self._running:
            self._baseline.restore()
            sys.stdout, sys.stderr = self._streams
            self._be_idle()

    async def _run(self, run: RunOnce, channel: socket.socket) -> None:
        begun = begin(run, channel, self._root, lambda files: files.take(self._claim))
        if begun is None:
            channel.close()
            return
        attempt, files = begun
        before = cpu_seconds()
        stream_in, stream_out = channel.makefile("rb"), channel.makefile("wb")
        with _printed_to(files):
            outcome = await self._worker.run_attempt_async(attempt, stream_in, stream_out)
            outcome = with_usage(outcome, before, run.memory_limit_bytes)
            self._ledger.note(files, outcome)
        send(channel, Ended(outcome))
        hang_up(channel, stream_in, stream_out)
