"""One attempt as the engine that submitted it sees it: its place in the queue, its channel, its calls, its end."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from ...contracts import (
    SUCCEEDED,
    SYSTEM_FAILURE,
    TIMED_OUT,
    Attempt,
    CallFailedError,
    CallRequest,
    Controller,
    Handle,
    Outcome,
    depth_of,
)
from ...errors import MAX_MESSAGE_CHARS, ActionError, UsageError
from ...processes import ProcessId
from ...worker_protocol import (
    Answer,
    BeginTrace,
    Call,
    Ended,
    EndTrace,
    Message,
    OpenCalls,
    Stop,
    Taken,
    Traced,
    Withdraw,
)
from .admission import Admission, Need, Ticket
from .channel import Channel
from .endings import outcome_of, timeout_stop
from .files import AttemptFiles
from .orders import RunOnce

_TRIES = 4
_BUSY_SECONDS = 0.005
_FIRST_LOOK_SECONDS = 0.002
_LONGEST_LOOK_SECONDS = 0.1
_GRACE_SECONDS = 5.0
_LATE_SECONDS = 1.0


class Place(Protocol):
    """Where attempts are begun: a template, or a kept worker.

    Attributes:
        keeps_workers: Whether the process of an attempt runs others before and after it.
    """

    @property
    def keeps_workers(self) -> bool: ...

    def begin(self, running: Running) -> Channel:
        """Have it begun, and return its channel.

        Raises:
            BlockingIOError: Try again soon.
            OSError: It cannot be.
        """

    def open_calls(self, running: Running) -> Channel:
        """Give it the channel for its calls that it did not get at first."""

    def explain(self) -> str:
        """Return what is known of why processes did not start, in words that go behind a sentence."""

    def rest(self) -> None:
        """Note that the attempt waits for others."""

    def come_back(self) -> None:
        """Note that it goes on."""

    def leave(self, clean: bool) -> None:
        """Note that it has ended; `clean` tells whether its process said so itself, and so is ready for another."""


class Running:
    """An attempt that this process submitted. All methods but `granted` are called in its event loop.

    Args:
        attempt: The attempt.
        controller: What answers its calls.
        files: Its files.
        name: Beginning of the names of its files, relative to the folder of all attempts.
        root: Folder of all attempts.
        admission: Who lets it begin.
        need: What it needs.
        handle: How it is found again.
        forget: Called when it has ended and that was told, or nobody is there any more to be told.

    Attributes:
        outcome: Its outcome; None before it has ended.
    """

    def __init__(
        self,
        attempt: Attempt,
        controller: Controller,
        files: AttemptFiles,
        name: str,
        root: str,
        admission: Admission,
        need: Need,
        handle: Handle,
        forget: Callable[[Running], None],
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.attempt = attempt
        self.controller = controller
        self.files = files
        self.name = name
        self.handle = handle
        self.need = need
        self.ticket = Ticket(need, self.granted, depth_of(attempt.action))
        self.outcome: Outcome | None = None
        self._listeners: list[asyncio.Future[None]] = []
        self._root = root
        self._admission = admission
        self._forget = forget
        self._place: Place | None = None
        self._channel: Channel | None = None
        self._for_calls: Channel | None = None
        self._clean = False
        self._tries = 0
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._waiting: set[int] = set()
        self._returned: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None

    # --- beginning ---------------------------------------------------------------------------------------------------

    def prepare(self, place: Awaitable[Place]) -> None:
        """Find the place where it is to run, and then queue up."""

        async def find() -> None:
            try:
                found = await place
            except Exception as problem:  # noqa: BLE001 - an interpreter that cannot be built, a template that cannot start
                self._give_up(problem)
            else:
                self.enter(found)

        self._spawn_task(find())

    def enter(self, place: Place) -> None:
        """Queue up for the machine."""
        if self.outcome is not None:
            place.leave(clean=True)
            return
        self._place = place
        longest = self.attempt.task.timeout.queued_seconds
        if longest:
            self._patience = self.loop.call_later(longest, self._tire, longest)
        self._admission.enter(self.ticket)

    def _tire(self, seconds: float) -> None:
        """Give up waiting for the machine."""
        if not self._tries:
            error = ActionError(code="Timeout", message=f"waited longer than {seconds:g} s to start")
            self._decide(Outcome(kind=TIMED_OUT, error=error))

    def _decide(self, outcome: Outcome) -> None:
        """End it with an outcome that no process of it has told."""
        if self.files.close():
            self.files.write_outcome(outcome)
            self.finish(outcome)
        else:  # one has begun it just now
            self._follow()

    def granted(self) -> None:
        """Go on: it was given processors, to begin or to come back from its calls. Called in any thread."""
        if asyncio._get_running_loop() is self.loop:
            self._go_on()
            return
        try:
            self.loop.call_soon_threadsafe(self._go_on)
        except RuntimeError:  # the loop is closed: whoever submitted it is gone
            self._admission.leave(self.ticket)

    def _go_on(self) -> None:
        if self.outcome is not None:
            self._admission.leave(self.ticket)
        elif self._returned is not None:
            if not self._returned.done():
                self._returned.set_result(None)
        elif self._channel is None:
            self._begin()

    def _begin(self) -> None:
        if self.outcome is not None:
            return
        self._tries += 1
        assert self._place is not None
        try:
            self._channel = self._place.begin(self)
        except BlockingIOError:
            self._tries -= 1
            self.loop.call_later(_BUSY_SECONDS, self._begin)
        except OSError as problem:
            self._give_up(problem)
        else:
            self._watch_time()

    def channel_over(self, link: socket.socket, owned: bool = True) -> Channel:
        """Return the channel of this attempt over a socket, whose end tells that its process has ended."""
        return Channel(link, self.loop, self._receive, self._hang_up, owned)

    def channel_for_calls(self, link: socket.socket) -> Channel:
        """Return one more channel of this attempt over a socket, whose end tells nothing."""
        return Channel(link, self.loop, self._receive, lambda: None)

    def order(self) -> RunOnce:
        """Return what its process is told."""
        return RunOnce(
            files=self.name,
            memory_limit_bytes=self.need.memory_limit_bytes,
            timeout_seconds=self.attempt.timeout_seconds,
            gpus=",".join(self.ticket.gpus) if self._admission.machine.gpus else None,
        )

    def _watch_time(self) -> None:
        """Stop it if it runs too long, where no template sees to that and it does not see to it itself."""
        assert self._place is not None
        seconds = self.attempt.timeout_seconds
        if seconds is not None and self._place.keeps_workers:
            self._timer = self.loop.call_later(seconds + _LATE_SECONDS, self._exceed, seconds)

    def _exceed(self, seconds: float) -> None:
        longest = seconds + _LATE_SECONDS
        begun_at = self.files.begun_at()
        left = longest if begun_at is None else begun_at + longest - time.time()
        if left > 0:  # its worker took a while to get to it
            self._timer = self.loop.call_later(min(left, longest), self._exceed, seconds)
            return
        self.files.stop(timeout_stop(seconds))
        self._spawn_task(end_process(self.files))

    # --- messages ----------------------------------------------------------------------------------------------------

    def _receive(self, message: Message) -> None:
        match message:
            case Call(number, request):
                self._calls[number] = self._spawn_task(self._serve(number, request))
            case Withdraw(number):
                if (call := self._calls.get(number)) is not None:
                    call.cancel("nobody waits for it any more")
            case BeginTrace(number, request):
                self._send(Traced(number, self.controller.begin_trace(request)))
            case EndTrace(number, trace, outputs, error):
                self.controller.end_trace(trace, outputs, error)
                self._send(Answer(number))
            case Taken():  # by a process that another engine started
                self._clean = True
                self.close_channel()
                self._follow()
            case OpenCalls():
                assert self._place is not None
                self._for_calls = self._place.open_calls(self)
            case Ended(outcome):
                self._clean = True
                self.finish(outcome if outcome.kind == SUCCEEDED else outcome_of(self.files, self._root) or outcome)

    def _send(self, message: Message) -> None:
        channel = self._for_calls or self._channel
        if channel is not None:
            channel.send(message)

    def close_channel(self) -> None:
        """Hear no more of its process, nor answer it."""
        for channel in (self._channel, self._for_calls):
            if channel is not None:
                channel.close()
        self._channel = self._for_calls = None

    def _hang_up(self) -> None:
        """Find out what the end of the channel means."""
        if self.outcome is not None:
            return
        self.close_channel()
        if self.files.begun:
            self._follow()
        elif self._tries < _TRIES:  # it was on its way to a process that has ended
            self._begin()
        else:
            self._give_up(OSError("its processes ended before they began it"))

    def _follow(self) -> None:
        """Wait for its end by its files alone."""
        self._spawn_task(self._conclude())

    async def _conclude(self) -> None:
        self.finish(await follow(self.files, self._root))

    def _give_up(self, problem: Exception) -> None:
        explained = "" if self._place is None else self._place.explain()
        message = f"no process could be started for it: {problem}{explained}"[:MAX_MESSAGE_CHARS]
        final = isinstance(problem, UsageError)  # nothing changes that before the next attempt
        error = ActionError(code=type(problem).__name__, message=message, kind="system", recoverable=not final)
        self._decide(Outcome(kind=SYSTEM_FAILURE, error=error))

    # --- calls -------------------------------------------------------------------------------------------------------

    async def _serve(self, number: int, request: CallRequest) -> None:
        """Run a child action and answer. Meanwhile the processors are others'; they are taken again before the answer."""
        assert self._place is not None
        self._waiting.add(number)
        self._place.rest()
        self._admission.rest(self.ticket)
        if self._returned is not None and not self._returned.done():
            self._returned.set_result(None)  # what has come need not wait for processors: it calls again already
        try:
            try:
                answer = Answer(number, await self.controller.call(request))
            except CallFailedError as failure:
                answer = Answer(number, error=failure.error)
            except Exception as failure:  # noqa: BLE001 - whatever the engine could not do
                error = ActionError(code=type(failure).__name__, message=str(failure), kind="system")
                answer = Answer(number, error=error)
        finally:
            self._waiting.discard(number)
            returning = None if self._waiting or self.outcome is not None else self._come_back()
            del self._calls[number]
        if returning is not None:
            await asyncio.shield(returning)
        self._send(answer)

    def _come_back(self) -> asyncio.Future[None] | None:
        """Take the processors again; None if it has them."""
        assert self._place is not None
        self._place.come_back()
        if self._returned is None or self._returned.done():
            self._returned = self.loop.create_future()
        return None if self._admission.come_back(self.ticket) else self._returned

    def _spawn_task(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def ask_to_stop(self, reason: str) -> None:
        """Tell its process to end it, where others run in the same."""
        self._send(Stop(reason))

    # --- the end -----------------------------------------------------------------------------------------------------

    def finish(self, outcome: Outcome) -> None:
        """Note its outcome and release what it held."""
        if self.outcome is not None:
            return
        self.outcome = outcome
        self._admission.leave(self.ticket)
        self.let_go()
        if self._listeners:
            self._forget(self)
        for listener in self._listeners:
            if not listener.done():
                listener.set_result(None)

    async def wait(self) -> Outcome:
        """Wait for its outcome."""
        if self.outcome is None:
            listener = self.loop.create_future()
            self._listeners.append(listener)
            await listener
        assert self.outcome is not None
        self._forget(self)
        return self.outcome

    def let_go(self) -> None:
        """Release what it holds in this process."""
        for timer in (self._timer, self._patience):
            if timer is not None:
                timer.cancel()
        self.close_channel()
        if self._place is not None:
            self._place.leave(self._clean)
        if not self.loop.is_closed():
            for call in list(self._calls.values()):
                call.cancel("the attempt that called it has ended")
            if self._returned is not None and not self._returned.done():
                self._returned.set_result(None)  # nobody gives it processors any more

    def abandon(self) -> None:
        """Release what it holds, since its event loop is closed and nobody waits for it any more."""
        self._admission.leave(self.ticket)
        self.let_go()
        self._forget(self)


async def follow(files: AttemptFiles, root: str, submitter: ProcessId | None = None) -> Outcome:
    """Wait for the end of an attempt by its files.

    Args:
        files: Its files.
        root: Folder of all attempts.
        submitter: The engine that submitted it; once that is gone, nobody begins it any more.
    """
    pause = _FIRST_LOOK_SECONDS
    while (outcome := outcome_of(files, root)) is None:
        if submitter is not None and not files.begun and not submitter.alive:
            files.close()
            continue
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_LOOK_SECONDS)
    return outcome


async def end_process(files: AttemptFiles) -> None:
    """Ask the process of an attempt to end, and force it if that takes too long."""
    claim = files.claim()
    if claim is None or files.has_outcome or not claim.process.signal_group(signal.SIGTERM):
        return
    pause, waited = _FIRST_LOOK_SECONDS, 0.0
    # A kept worker whose code caught the signal may have gone on to another attempt.
    while claim.process.alive and not files.has_outcome:
        if waited >= _GRACE_SECONDS:
            claim.process.signal_group(signal.SIGKILL)
        await asyncio.sleep(pause)
        waited += pause
        pause = min(pause * 1.5, _LONGEST_LOOK_SECONDS)
