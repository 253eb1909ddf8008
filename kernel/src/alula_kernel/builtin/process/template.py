"""A template: a process that has loaded the code, and forks a child for each attempt.

It stays single-threaded, so that forking is safe; where the user's code started threads while it was imported that a fork
would lose, or the system does not fork well, the child begins anew in a fresh interpreter instead. It waits for its children's ends, notes
them in files, and sees to their limits, all of which goes on when the engine that started it dies. It ends when the
engine is gone and so is its last child.
"""

from __future__ import annotations

import gc
import os
import resource
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable

import msgspec

from ...processes import ProcessId, fork, fork_loses_threads, tree_memory_bytes
from .endings import memory_stop, timeout_stop
from .files import AttemptFiles, ExitRecord
from .orders import Keep, RunOnce, Setup, receive_order
from .worker import MAXRSS_BYTES, Worker, carry_out, order_text

SAMPLE_SECONDS = 0.025
"""How often the memory of a child with a limit is looked at."""
GRACE_SECONDS = 5.0
"""How long a child may take to end after SIGTERM."""

_ORPHAN_CHECK_SECONDS = 10.0


class _Child:
    """A child that runs.

    Args:
        process: The child.
        files: Its files.
        order: What it was told to do.
        channel: This process's end of its channel, closed when it has ended; None for a kept worker.
    """

    __slots__ = ("channel", "deadline", "files", "kill_at", "order", "peak", "process", "stopping")

    def __init__(
        self, process: ProcessId, files: AttemptFiles, order: RunOnce | Keep, channel: socket.socket | None
    ) -> None:
        self.process = process
        self.files = files
        self.order = order
        self.channel = channel
        self.peak = 0
        self.stopping = False
        seconds = order.timeout_seconds if isinstance(order, RunOnce) else None
        self.deadline = None if seconds is None else time.monotonic() + seconds
        self.kill_at: float | None = None


def serve_template(link: socket.socket, worker: Worker) -> None:
    """Load the code and fork children until the engine is gone and the last of them has ended."""
    received = receive_order(link)
    if received is None:
        return
    setup, _ = received
    assert isinstance(setup, Setup)
    template = _Template(link, worker, setup)
    template.load(lambda: worker.load_code(setup.code))
    template.serve()


class _Template:
    """The loop of a template.

    Args:
        link: Where orders come from.
        worker: What runs tasks.
        setup: How it was set up.
    """

    def __init__(self, link: socket.socket, worker: Worker, setup: Setup) -> None:
        self._link: socket.socket | None = link
        self._worker = worker
        self._setup = setup
        self._spawn = setup.spawn or sys.platform == "darwin"
        self._own = ProcessId.own()
        self._engine = os.getppid()
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(link, selectors.EVENT_READ)
        self._bell, ringer = socket.socketpair()
        self._bell.setblocking(False)
        ringer.setblocking(False)
        self._ringer = ringer
        self._selector.register(self._bell, selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(ringer.fileno(), warn_on_full_buffer=False)

    def serve(self) -> None:
        """Serve until there is nothing left to do."""
        idle_since = time.monotonic()
        while self._link is not None or self._children:
            events = self._selector.select(self._patience(idle_since))
            for key, _ in events:
                if key.fileobj is self._bell:
                    self._reap()
                else:
                    self._obey()
            if not events and self._link is not None and os.getppid() != self._engine:
                self._let_go()  # the engine is gone, and somebody else still holds its end of the socket
            if self._children:
                self._look_after(time.monotonic())
                idle_since = time.monotonic()
            elif events:
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since >= self._setup.idle_seconds:
                return

    def _patience(self, idle_since: float) -> float:
        """Return how long to sleep at most."""
        now = time.monotonic()
        until = now + _ORPHAN_CHECK_SECONDS
        if not self._children:
            until = min(until, idle_since + self._setup.idle_seconds)
        for child in self._children.values():
            if child.order.memory_limit_bytes:
                until = min(until, now + SAMPLE_SECONDS)
            for moment in (child.deadline, child.kill_at):
                if moment is not None:
                    until = min(until, moment)
        return max(until - now, 0.0)

    def load(self, load: Callable[[], None]) -> None:
        """Load what the children are to have, unless they begin in a fresh interpreter anyway."""
        if self._spawn:
            return
        try:
            load()
        except BaseException:  # noqa: BLE001 - code of the user's may raise anything
            traceback.print_exc()  # each attempt meets it again, and tells
        self._spawn = fork_loses_threads()
        # What is here now is shared with the children, and the collector would touch and so copy all of it.
        gc.collect()
        gc.freeze()

    # --- orders ------------------------------------------------------------------------------------------------------

    def _obey(self) -> None:
        assert self._link is not None
        received = receive_order(self._link)
        if received is None:
            self._let_go()
            return
        order, channel = received
        assert isinstance(order, (RunOnce, Keep))
        assert channel is not None
        task = order.task
        if task is not None:
            self.load(lambda: self._worker.load_task(task))
        pid = fork()
        if not pid:
            self._be_child(order, channel)
        once = isinstance(order, RunOnce)
        if not once:
            channel.close()
        files = AttemptFiles(f"{self._setup.root}/{order.files}")
        self._children[pid] = _Child(ProcessId.of(pid), files, order, channel if once else None)

    def _let_go(self) -> None:
        assert self._link is not None
        self._selector.unregister(self._link)
        self._link.close()
        self._link = None

    def _be_child(self, order: RunOnce | Keep, channel: socket.socket) -> None:
        """Go on as the child; never returns."""
        try:
            if self._spawn:
                channel.set_inheritable(True)
                command = self._setup.command
                alone = msgspec.structs.replace(order, task=None)  # it comes with the attempt
                text = (str(channel.fileno()), order_text(alone), self._setup.root)
                os.execvpe(command[0], [*command, "--child", *text], self._worker.environment())
            self._selector.close()
            for other in (self._link, self._bell, self._ringer, *(child.channel for child in self._children.values())):
                if other is not None:
                    other.close()
            carry_out(order, channel, self._worker, self._setup.root, self._own)
        except BaseException:  # noqa: BLE001 - nothing may go on as if it were the template
            traceback.print_exc()
        finally:
            os._exit(71)

    # --- children ----------------------------------------------------------------------------------------------------

    def _reap(self) -> None:
        """Note the ends of children."""
        try:
            while self._bell.recv(4096):
                pass
        except BlockingIOError:
            pass
        while (collected := _collect()) is not None:
            pid, status, usage = collected
            self._worker.child_ended(killed=os.WIFSIGNALED(status))
            child = self._children.pop(pid, None)
            if child is not None:
                peak = max(child.peak, usage.ru_maxrss * MAXRSS_BYTES)
                seconds = usage.ru_utime + usage.ru_stime
                self._bury(child, ExitRecord(status=status, peak_memory_bytes=peak, cpu_seconds=seconds))

    def _bury(self, child: _Child, record: ExitRecord) -> None:
        """Write down how a child ended, and only then let the engine see the end of the channel."""
        if not child.files.has_outcome:
            try:
                child.files.write_exit(record)
            except OSError:
                traceback.print_exc()
        if child.channel is not None:
            try:
                # Also for descendants that hold it and live in a session of their own.
                child.channel.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            child.channel.close()

    def _look_after(self, now: float) -> None:
        """See to the limits of the children."""
        for child in self._children.values():
            if child.deadline is not None and now >= child.deadline:
                child.deadline = None
                self._stop_late(child, now)
            if child.kill_at is not None and now >= child.kill_at:
                child.kill_at = None
                child.process.signal_group(signal.SIGKILL)
            if child.order.memory_limit_bytes and not child.stopping:
                self._weigh(child)

    def _stop_late(self, child: _Child, now: float) -> None:
        """Stop a child whose time is up, counted from when it began the attempt and not from when it was forked."""
        assert isinstance(child.order, RunOnce)
        if child.files.has_outcome:
            return
        seconds = child.order.timeout_seconds or 0.0
        begun_at = child.files.begun_at()
        left = seconds if begun_at is None else begun_at + seconds - time.time()
        if left > 0:
            child.deadline = now + min(left, seconds)
            return
        child.files.stop(timeout_stop(seconds))
        child.kill_at = now + GRACE_SECONDS
        child.process.signal_group(signal.SIGTERM)

    def _weigh(self, child: _Child) -> None:
        limit = child.order.memory_limit_bytes
        used = tree_memory_bytes(child.process.pid, limit)
        child.peak = max(child.peak, used)
        if used > limit:
            child.stopping = True
            child.files.stop(memory_stop(limit, used))
            child.process.signal_group(signal.SIGKILL)


def _collect() -> tuple[int, int, resource.struct_rusage] | None:
    """Take the exit status of a child that has ended, and end what it left behind in its process group."""
    try:
        if not hasattr(os, "waitid"):
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid:
                _kill_group(pid)
            return (pid, status, usage) if pid else None
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return None
        # While it is a zombie, its number and that of its group are its own.
        _kill_group(ended.si_pid)
        return os.wait4(ended.si_pid, 0)
    except ChildProcessError:
        return None


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
