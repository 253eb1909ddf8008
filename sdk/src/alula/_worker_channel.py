"""The worker's end of a stream to its executor: attempts and answers come in, calls and outcomes go out."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, BinaryIO

from msgspec import MsgspecError
from msgspec.structs import replace

from alula_kernel.contracts import (
    Attempt,
    CallEnd,
    CallFailedError,
    CallRequest,
    Calls,
    Controller,
    Trace,
    TraceRequest,
)
from alula_kernel.errors import ActionError
from alula_kernel.literals import Literal
from alula_kernel.specs import EntitySpec, Target
from alula_kernel.worker_protocol import (
    Answer,
    Begin,
    BeginTrace,
    Call,
    EndTrace,
    Message,
    Stop,
    Traced,
    Withdraw,
    encode_message,
    read_message,
)

Outputs = dict[str, Literal]


class EngineGoneError(BaseException):
    """The executor closed the channel while a call waited: nobody drives the run any more.

    Not an `Exception`, so that a task that catches those does not go on with a call that never ended.
    """

    def __init__(self) -> None:
        super().__init__("the engine is gone")


class Channel:
    """Both directions of the stream. A thread of its own reads; any thread may send.

    Another thread writes, as soon as there is something to write: an exception that a signal raises in the main thread,
    as a time limit does, must not cut a message in two.

    Args:
        stream_in: Messages of the executor; read blocking.
        stream_out: Messages to the executor.
        stop: Called in the reading thread when the executor stops the attempt, with the reason. None if it sends nothing but
            answers: the thread then starts with the first question.
    """

    def __init__(self, stream_in: BinaryIO, stream_out: BinaryIO, stop: Callable[[str], None] | None) -> None:
        self._in = stream_in
        self._out = stream_out
        self._stop = stop
        self._attempts: SimpleQueue[Attempt | None] = SimpleQueue()
        self._waiting: dict[int, Future[Any]] = {}
        self._engine_gone = False
        self._to_write: SimpleQueue[bytes | None] = SimpleQueue()
        self._sent = False
        self._all_written = threading.Event()
        self._reading, self._writing = threading.Lock(), threading.Lock()
        if stop is not None:
            _start(self._reading, self._read, "alula-channel-in")

    def next_attempt(self) -> Attempt | None:
        """Wait for the next attempt; None when the channel is closed."""
        return self._attempts.get()

    def send(self, message: Message) -> None:
        """Send a message soon. What the other end does not take any more is dropped."""
        self._sent = True
        self._to_write.put(encode_message(message))
        _start(self._writing, self._write, "alula-channel-out")

    def close(self) -> None:
        """Wait until everything is sent; what is sent after that is dropped."""
        if self._sent:
            self._to_write.put(None)
            _start(self._writing, self._write, "alula-channel-out")
            self._all_written.wait()

    def ask(self, number: int, message: Message) -> Future[Any]:
        """Send a message that is answered.

        Returns:
            A future of the outputs, or of the `Trace`; or of `CallFailedError` or `EngineGoneError`.
        """
        answer: Future[Any] = Future()
        self._waiting[number] = answer
        try:
            self.send(message)
            _start(self._reading, self._read, "alula-channel-in")
        except BaseException:  # a signal raised it
            self.withdraw(number)
            raise
        if self._engine_gone:  # else who notices that finds the number in the table
            self._fail(number)
        return answer

    def withdraw(self, number: int) -> None:
        """Say that nobody waits for a call any more."""
        if self._waiting.pop(number, None) is not None:
            self.send(Withdraw(number))

    def _write(self) -> None:
        while (data := self._to_write.get()) is not None:
            left = memoryview(data)
            try:
                while left:  # a stream without a buffer may take less
                    left = left[self._out.write(left) :]
                self._out.flush()
            except (OSError, ValueError):  # a stream that was closed here raises the latter
                self._miss_engine()
        self._all_written.set()

    def _read(self) -> None:
        try:
            while (message := read_message(self._in)) is not None:
                self._take(message)
        except (OSError, ValueError, MsgspecError):  # cut off, or not our protocol: either way nothing more can come
            pass
        finally:
            self._miss_engine()
            self._attempts.put(None)

    def _miss_engine(self) -> None:
        self._engine_gone = True
        for number in list(self._waiting):
            self._fail(number)

    def _take(self, message: Message) -> None:
        match message:
            case Begin(attempt):
                self._attempts.put(attempt)
            case Stop(reason):
                if self._stop is not None:
                    self._stop(reason)
            case Answer(number, outputs, error):
                waiting = self._still_waiting(number)
                if waiting is None:
                    return
                if error is None:
                    waiting.set_result(outputs)
                else:
                    waiting.set_exception(CallFailedError(error))
            case Traced(number, trace):
                waiting = self._still_waiting(number)
                if waiting is not None:
                    waiting.set_result(trace)

    def _fail(self, number: int) -> None:
        waiting = self._still_waiting(number)
        if waiting is not None:
            waiting.set_exception(EngineGoneError())

    def _still_waiting(self, number: int) -> Future[Any] | None:
        """Return the future of a question, which is answered now; None if it was withdrawn, or is about to be."""
        waiting = self._waiting.pop(number, None)
        return waiting if waiting is not None and waiting.set_running_or_notify_cancel() else None


def _start(alone: threading.Lock, work: Callable[[], None], name: str) -> None:
    """Start a thread, unless it runs already.

    A signal may raise an exception while it starts, when nobody knows whether it did. So any number may be started, and
    the first that takes the lock does the work.
    """

    def run() -> None:
        if alone.acquire(blocking=False):
            work()

    if not alone.locked():
        threading.Thread(target=run, name=name, daemon=True).start()


class ChannelController(Controller):
    """What an attempt may ask of an engine at the other end of a channel.

    Args:
        channel: The channel.
        specs_of: Returns the specs that the engine needs to run what is called.

    Attributes:
        engine_gone: Whether a call found the channel closed, so that the attempt did not get what it asked for.
    """

    def __init__(self, channel: Channel, specs_of: Callable[[Target], Iterable[EntitySpec]]) -> None:
        self._channel = channel
        self._specs_of = specs_of
        self._numbers = itertools.count(1)
        self._sent: dict[int, EntitySpec] = {}
        self.engine_gone = False

    async def call(self, request: CallRequest) -> Outputs:
        import asyncio

        number, answer = self.begin(request)
        try:
            outputs: Outputs = await asyncio.wrap_future(answer)
        except BaseException as failure:
            self._leave(number, failure)
            raise
        return outputs

    def call_blocking(self, request: CallRequest) -> Outputs:
        number, answer = self.begin(request)
        return self._wait(number, answer)  # type: ignore[no-any-return]

    def calls(self) -> Calls:
        return _ChannelCalls(self)

    def begin_trace(self, request: TraceRequest) -> Trace:
        number = next(self._numbers)
        return self._wait(number, self._channel.ask(number, BeginTrace(number, request)))  # type: ignore[no-any-return]

    def end_trace(self, trace: Trace, outputs: Outputs | None, error: ActionError | None) -> None:
        number = next(self._numbers)
        self._wait(number, self._channel.ask(number, EndTrace(number, trace, outputs, error)))

    async def enter_event_loop(self) -> None:
        """Do nothing: coroutine functions are in an event loop from the start, and plain functions need none."""

    def note_exception(self, exception: BaseException) -> None:
        """Do nothing: the exception object stays here, and its record is in the outcome."""

    def begin(self, request: CallRequest) -> tuple[int, Future[Any]]:
        """Send a call and return its number and the future of its outputs."""
        number = next(self._numbers)
        new = {id(spec): spec for spec in self._specs_of(request.target) if id(spec) not in self._sent}
        if new:  # each goes once per attempt
            self._sent.update(new)
            request = replace(request, entities=tuple(new.values()))
        return number, self._channel.ask(number, Call(number, request))

    def withdraw(self, number: int) -> None:
        """Say that nobody waits for a call any more."""
        self._channel.withdraw(number)

    def close(self) -> None:
        """Wait until everything is sent. Nothing more can be."""
        self._channel.close()

    def _wait(self, number: int, answer: Future[Any]) -> Any:
        try:
            return answer.result()
        except BaseException as failure:
            self._leave(number, failure)
            raise

    def _leave(self, number: int, failure: BaseException) -> None:
        if isinstance(failure, EngineGoneError):
            self.engine_gone = True
        elif not isinstance(failure, CallFailedError):
            self._channel.withdraw(number)


class _ChannelCalls(Calls):
    """Calls of one thread that are under way at the same time.

    Args:
        controller: What sends them.
    """

    def __init__(self, controller: ChannelController) -> None:
        self._controller = controller
        self._ended: SimpleQueue[tuple[int, Future[Any]]] = SimpleQueue()
        self._numbers: dict[int, int] = {}

    def begin(self, key: int, request: CallRequest) -> bool:
        number, answer = self._controller.begin(request)
        self._numbers[key] = number
        answer.add_done_callback(functools.partial(self._note, key))
        return answer.done()

    def _note(self, key: int, answer: Future[Any]) -> None:
        self._ended.put((key, answer))

    def next_end(self) -> CallEnd:
        key, answer = self._ended.get()
        del self._numbers[key]
        try:
            return CallEnd(key, answer.result(), None)
        except CallFailedError as failure:
            return CallEnd(key, None, failure)
        except EngineGoneError:
            self._controller.engine_gone = True
            raise

    def close(self, reason: str) -> None:
        for number in self._numbers.values():
            self._controller.withdraw(number)
        self._numbers.clear()
