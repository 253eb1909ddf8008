"""How an executor and a worker talk: two files under the attempt's output prefix, and messages where there is a pipe.

The files are the contract that every executor can use. Before the worker starts, `store_attempt` writes the attempt to
``<output_prefix>/attempt.msgpack``; when the attempt has ended, the worker writes ``<output_prefix>/outcome.msgpack``,
which `load_outcome` reads. Both appear whole or not at all.

Where executor and worker share a stream, they also exchange messages: each is four bytes of length, big-endian, and
that many bytes of msgpack, a map whose ``type`` tells the message. The outcome is written to its file before it is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Union

import msgspec

from .contracts import Attempt, CallRequest, Outcome, Trace, TraceRequest
from .errors import ActionError, StorageError
from .literals import Literal

if TYPE_CHECKING:
    from .storage import Storage

LENGTH_BYTES = 4
"""Bytes of the length in front of each message."""


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """Executor to worker: run this attempt."""

    attempt: Attempt


class Taken(msgspec.Struct, frozen=True, tag="taken"):
    """Worker to executor: another worker has begun the attempt before, and this one leaves it alone."""


class OpenCalls(msgspec.Struct, frozen=True, tag="open_calls"):
    """Worker to executor: the attempt is about to call, and wants the stream for that which it did not get at first."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Executor to worker: end the attempt, it is cancelled."""

    reason: str = ""


class Call(msgspec.Struct, frozen=True, tag="call"):
    """Worker to executor: the running code calls an entity.

    Attributes:
        number: Number of the call, unique in its attempt.
        request: What is called.
    """

    number: int
    request: CallRequest


class Withdraw(msgspec.Struct, frozen=True, tag="withdraw"):
    """Worker to executor: nobody waits for this call any more; its action is to be aborted."""

    number: int


class BeginTrace(msgspec.Struct, frozen=True, tag="begin_trace"):
    """Worker to executor: the running code begins a recorded step; answered by `Traced`.

    Attributes:
        number: Number among the attempt's calls.
        request: The step.
    """

    number: int
    request: TraceRequest


class Traced(msgspec.Struct, frozen=True, tag="traced"):
    """Executor to worker: a recorded step was begun, or has ended before.

    Attributes:
        number: Number of the `BeginTrace`.
        trace: The step.
    """

    number: int
    trace: Trace


class EndTrace(msgspec.Struct, frozen=True, tag="end_trace"):
    """Worker to executor: a recorded step has ended; answered by an `Answer` once that is recorded.

    Attributes:
        number: Number among the attempt's calls.
        trace: What `Traced` told.
        outputs: What it gave; None if it gave nothing that can be used again.
        error: Why it failed; None if it did not.
    """

    number: int
    trace: Trace
    outputs: dict[str, Literal] | None = None
    error: ActionError | None = None


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """Executor to worker: how a call ended.

    Attributes:
        number: Number of the call.
        outputs: Its outputs, if it succeeded.
        error: Why it failed; None if it succeeded.
    """

    number: int
    outputs: dict[str, Literal] = {}
    error: ActionError | None = None


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """Worker to executor: the attempt has ended."""

    outcome: Outcome


Message = Union[Begin, Taken, OpenCalls, Stop, Call, Withdraw, BeginTrace, Traced, EndTrace, Answer, Ended]  # noqa: UP007 - evaluated by msgspec

_encode = msgspec.msgpack.Encoder().encode
_messages: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode_message(message: Message) -> bytes:
    """Encode a message together with its length."""
    data = _encode(message)
    return len(data).to_bytes(LENGTH_BYTES, "big") + data


def decode_message(data: bytes) -> Message:
    """Decode a message without its length.

    Raises:
        msgspec.MsgspecError: It is none.
    """
    return _messages.decode(data)


def read_message(stream: BinaryIO) -> Message | None:
    """Read the next message from a blocking stream; None at its end, also in the middle of a message."""
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    size = int.from_bytes(head, "big")
    data = stream.read(size)
    return None if len(data) < size else decode_message(data)


def attempt_uri(output_prefix: str) -> str:
    """Return where the description of an attempt lies."""
    return f"{output_prefix}/attempt.msgpack"


def outcome_uri(output_prefix: str) -> str:
    """Return where the outcome of an attempt lies, once it has ended."""
    return f"{output_prefix}/outcome.msgpack"


def store_attempt(storage: Storage, attempt: Attempt) -> str:
    """Write an attempt for a worker and return its URI.

    Raises:
        StorageError: It cannot be written.
    """
    uri = attempt_uri(attempt.output_prefix)
    _write(storage, uri, _encode(attempt))
    return uri


def load_attempt(storage: Storage, uri: str) -> Attempt:
    """Read an attempt.

    Raises:
        StorageError: It cannot be read, or is none.
    """
    with storage.open(uri) as stream:
        data = stream.read()
    try:
        return msgspec.msgpack.decode(data, type=Attempt)
    except msgspec.MsgspecError as problem:
        raise StorageError(f"{uri} is no attempt: {problem}") from problem


def store_outcome(storage: Storage, attempt: Attempt, outcome: Outcome) -> None:
    """Write how an attempt ended.

    Raises:
        StorageError: It cannot be written.
    """
    _write(storage, outcome_uri(attempt.output_prefix), _encode(outcome))


def load_outcome(storage: Storage, output_prefix: str) -> Outcome | None:
    """Read how an attempt ended; None if it has not said so.

    Raises:
        StorageError: There is an outcome that cannot be read.
    """
    uri = outcome_uri(output_prefix)
    try:
        return _outcome_at(storage, uri)
    except StorageError:
        if not storage.exists(uri):
            return None
        return _outcome_at(storage, uri)  # it may have been written just after it was looked for


def _outcome_at(storage: Storage, uri: str) -> Outcome:
    with storage.open(uri) as stream:
        return msgspec.msgpack.decode(stream.read(), type=Outcome)


def _write(storage: Storage, uri: str, data: bytes) -> None:
    with storage.open(uri, "wb") as stream:
        stream.write(data)
