"""Where attempts begin: in a new child of a template, or in a kept worker that has a seat free."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import os
import socket
import threading
from collections.abc import Callable

from ...errors import EngineError
from ...specs import ReuseSpec, TaskSpec
from ...worker_protocol import Begin, encode_message
from .admission import Need
from .channel import Channel
from .orders import Calls, Keep, RunOnce, frame_order, send_order
from .running import Running
from .templates import Template, TemplateGoneError, TemplateKey, Templates

_Turn = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Seat]"]
_count = itertools.count(1)
_TEMPLATES = 3
"""Templates that may be gone when an attempt is given to them, before it is told that none can be had."""
KEPT_FOLDER = ".kept"
"""Folder of the files of kept workers, in the folder of all attempts; no project is called so."""


class FreshPlace:
    """A new child of a template for each attempt.

    Args:
        templates: The templates.
        key: Which of them.
        task: The attempt's task.
    """

    __slots__ = ("_task", "_template", "_templates", "key")
    keeps_workers = False

    def __init__(self, templates: Templates, key: TemplateKey, task: TaskSpec) -> None:
        self._templates = templates
        self.key = key
        self._task = task
        self._template: Template | None = None

    def begin(self, running: Running) -> Channel:
        return begin_with_channel(running, self.send)

    def open_calls(self, running: Running) -> Channel:
        raise EngineError("a process with a channel of its own asked for one")

    def send(self, order: RunOnce | Keep, remote: socket.socket) -> None:
        """Give the template an order; one that has ended is replaced.

        Raises:
            BlockingIOError: It is behind; try again soon.
            OSError: It cannot be started.
        """
        for left in reversed(range(_TEMPLATES)):
            template = self._template = self._templates.get(self.key)
            try:
                template.send(order, self._task, remote)
            except TemplateGoneError:
                self._templates.discard(template)
                if not left:
                    raise
            else:
                return

    def explain(self) -> str:
        words = "" if self._template is None else self._template.last_words()
        return f"; the last that was printed there:\n{words}" if words else ""

    def rest(self) -> None:
        pass

    def come_back(self) -> None:
        pass

    def leave(self, clean: bool) -> None:
        pass


def begin_with_channel(running: Running, send: Callable[[RunOnce, socket.socket], None]) -> Channel:
    """Have an attempt begun with a channel of its own.

    Args:
        running: The attempt.
        send: Sends the order and the other end of the channel.

    Raises:
        BlockingIOError: Try again soon.
        OSError: It cannot be.
    """
    local, remote = socket.socketpair()
    channel = running.channel_over(local)
    with remote:
        try:
            # First, so that it is there when the process looks.
            channel.send(Begin(running.attempt))
            send(running.order(), remote)
        except BaseException:
            channel.close()
            raise
    return channel


class _KeptWorker:
    """A worker that runs attempt after attempt.

    Args:
        fresh: Where it is started.
        order: What it is told.

    Attributes:
        seats: Attempts that it runs, or is about to.
        resting: How many of them wait for others.
    """

    def __init__(self, fresh: FreshPlace, order: Keep) -> None:
        self.seats = 0
        self.resting = 0
        link, remote = socket.socketpair()
        link.setblocking(False)
        self.link = link
        with remote:
            try:
                fresh.send(order, remote)
            except BaseException:
                link.close()
                raise


class Pool:
    """The kept workers of one environment. Safe across threads.

    There are more than the policy says only while attempts wait for others that need a worker of the same pool, which
    would otherwise wait for each other for ever.

    Args:
        fresh: Where workers are started.
        reuse: The policy.
        need: What an attempt needs.
    """

    def __init__(self, fresh: FreshPlace, reuse: ReuseSpec, need: Need) -> None:
        self._fresh = fresh
        self.reuse = reuse
        self._need = need
        self._workers: list[_KeptWorker] = []
        self._queue: list[tuple[int, int, _Turn]] = []
        self._lock = threading.Lock()
        for _ in range(reuse.min_replicas):
            self._hire()

    async def seat(self, depth: int) -> Seat:
        """Wait for a seat. The deepest in the tree of a run comes first, since others may wait for it in their seats.

        Args:
            depth: How deep it is.

        Raises:
            OSError: No worker can be started.
        """
        with self._lock:
            found = None if self._queue else self._free_worker()
            if found is not None:
                found.seats += 1
                return Seat(self, found)
            loop = asyncio.get_running_loop()
            turn: asyncio.Future[Seat] = loop.create_future()
            heapq.heappush(self._queue, (-depth, next(_count), (loop, turn)))
        return await turn

    def take(self) -> Seat | None:
        """Return a seat if one is free now."""
        with self._lock:
            found = None if self._queue else self._free_worker()
            if found is None:
                return None
            found.seats += 1
            return Seat(self, found)

    def _free_worker(self) -> _KeptWorker | None:
        for worker in self._workers:
            if worker.seats < self.reuse.concurrency:
                return worker
        blocked = sum(worker.seats == worker.resting for worker in self._workers)
        return self._hire() if len(self._workers) - blocked < self.reuse.max_replicas else None

    def _hire(self) -> _KeptWorker:
        reuse, need = self.reuse, self._need
        warm = len(self._workers) < reuse.min_replicas
        order = Keep(
            files=f"{KEPT_FOLDER}/{os.getpid()}-{next(_count)}",
            memory_limit_bytes=need.memory_limit_bytes,
            idle_seconds=reuse.idle_seconds if warm else reuse.scaledown_seconds,
            concurrency=reuse.concurrency,
        )
        worker = _KeptWorker(self._fresh, order)
        self._workers.append(worker)
        return worker

    def explain(self) -> str:
        """Return what is known of why workers did not start."""
        return self._fresh.explain()

    def replace(self, worker: _KeptWorker) -> _KeptWorker:
        """Put a new worker in the place of one that has ended, and return it with a seat taken.

        Raises:
            OSError: It cannot be started.
        """
        with self._lock:
            worker.seats -= 1
            self._dismiss(worker)
            found = self._free_worker() or self._hire()
            found.seats += 1
            return found

    def leave(self, worker: _KeptWorker, clean: bool) -> None:
        """Give a seat back. A worker of which it is not known what it does is used no more."""
        with self._lock:
            worker.seats -= 1
            if not clean and self.reuse.concurrency == 1:
                self._dismiss(worker)
            self._serve_queue()

    def rest(self, worker: _KeptWorker, change: int) -> None:
        """Note that an attempt waits for others, or goes on."""
        with self._lock:
            worker.resting += change
            self._serve_queue()

    def _serve_queue(self) -> None:
        while self._queue:
            loop, turn = self._queue[0][2]
            if turn.cancelled() or loop.is_closed():
                heapq.heappop(self._queue)
                continue
            try:
                found = self._free_worker()
            except OSError as problem:
                heapq.heappop(self._queue)
                _call(loop, _set_exception, turn, problem)
                continue
            if found is None:
                return
            heapq.heappop(self._queue)
            found.seats += 1
            _call(loop, _set_seat, turn, Seat(self, found))

    def _dismiss(self, worker: _KeptWorker) -> None:
        if worker in self._workers:
            self._workers.remove(worker)
            worker.link.close()

    def close(self) -> None:
        """Let the workers go: each ends when it has nothing left to do."""
        with self._lock:
            for worker in list(self._workers):
                self._dismiss(worker)


class Seat:
    """A place in a kept worker.

    Args:
        pool: Its pool.
        worker: The worker.
    """

    __slots__ = ("_left", "_pool", "_resting", "_worker")
    keeps_workers = True

    def __init__(self, pool: Pool, worker: _KeptWorker) -> None:
        self._pool = pool
        self._worker = worker
        self._resting = False
        self._left = False

    def begin(self, running: Running) -> Channel:
        while True:
            try:
                if self._pool.reuse.concurrency > 1:
                    return begin_with_channel(running, self._send)
                return self._begin_over_link(running)
            except BlockingIOError:
                raise
            except OSError:  # it has ended, as after a while without anything to do
                self._worker = self._pool.replace(self._worker)

    def _send(self, order: RunOnce, remote: socket.socket) -> None:
        send_order(self._worker.link, order, remote.fileno())

    def _begin_over_link(self, running: Running) -> Channel:
        """Have an attempt begun over the worker's own socket, since it runs one at a time: that is a third cheaper."""
        channel = running.channel_over(self._worker.link, owned=False)
        try:
            channel.send_first(frame_order(running.order()) + encode_message(Begin(running.attempt)))
        except OSError:
            channel.close()
            raise
        return channel

    def open_calls(self, running: Running) -> Channel:
        local, remote = socket.socketpair()
        with remote, contextlib.suppress(OSError):  # it has ended meanwhile, which its own socket tells
            send_order(self._worker.link, Calls(), remote.fileno())
        return running.channel_for_calls(local)

    def explain(self) -> str:
        return self._pool.explain()

    def rest(self) -> None:
        if not self._resting:
            self._resting = True
            self._pool.rest(self._worker, 1)

    def come_back(self) -> None:
        if self._resting:
            self._resting = False
            self._pool.rest(self._worker, -1)

    def leave(self, clean: bool) -> None:
        if not self._left:
            self._left = True
            self.come_back()
            self._pool.leave(self._worker, clean)


def _call(loop: asyncio.AbstractEventLoop, function: object, *arguments: object) -> None:
    try:
        loop.call_soon_threadsafe(function, *arguments)  # type: ignore[arg-type]
    except RuntimeError:  # it is closed
        pass


def _set_seat(turn: asyncio.Future[Seat], seat: Seat) -> None:
    if turn.done():
        seat.leave(clean=True)
    else:
        turn.set_result(seat)


def _set_exception(turn: asyncio.Future[Seat], problem: Exception) -> None:
    if not turn.done():
        turn.set_exception(problem)
