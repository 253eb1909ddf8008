"""What an engine tells its templates and kept workers to do, over a socket that also carries each attempt's channel."""

from __future__ import annotations

import array
import socket
from typing import Union

import msgspec

from ...contracts import CodeReference
from ...specs import TaskSpec

_LENGTH_BYTES = 4


class Setup(msgspec.Struct, frozen=True, kw_only=True, tag="setup"):
    """The first message to a template.

    Attributes:
        root: Folder of all attempts.
        code: What it loads before it forks.
        command: How a worker is started that does not come from a fork.
        idle_seconds: It ends after so long without anything to do.
        spawn: Whether each attempt gets a process that loads everything itself.
    """

    root: str
    code: CodeReference
    command: tuple[str, ...]
    idle_seconds: float
    spawn: bool = False


class RunOnce(msgspec.Struct, frozen=True, kw_only=True, tag="run", omit_defaults=True):
    """Run one attempt in a process of its own; its channel comes along.

    Attributes:
        files: Beginning of the names of its files, relative to the folder of all attempts.
        memory_limit_bytes: The most memory it may use; 0 for no limit.
        timeout_seconds: How long it may run; None for no limit.
        gpus: The GPUs that it was given, as ``CUDA_VISIBLE_DEVICES`` takes them; None to leave that alone.
        task: Its task, if the template meets it for the first time.
    """

    files: str
    memory_limit_bytes: int = 0
    timeout_seconds: float | None = None
    gpus: str | None = None
    task: TaskSpec | None = None


class Keep(msgspec.Struct, frozen=True, kw_only=True, tag="keep", omit_defaults=True):
    """Start a worker that runs attempt after attempt, each as a `RunOnce` over the socket that comes along.

    Attributes:
        files: Beginning of the names of its own files, relative to the folder of all attempts.
        memory_limit_bytes: The most memory it may use; 0 for no limit.
        idle_seconds: It ends after so long without an attempt.
        concurrency: How many attempts it runs at a time.
        gpus: The GPUs that it was given.
        task: The task of its first attempt, if the template meets it for the first time.
    """

    files: str
    memory_limit_bytes: int = 0
    idle_seconds: float
    concurrency: int = 1
    gpus: str | None = None
    task: TaskSpec | None = None


class Calls(msgspec.Struct, frozen=True, tag="calls"):
    """The channel for the calls of the attempt that runs comes along: what a kept worker gets for an `OpenCalls`."""


Order = Union[Setup, RunOnce, Keep, Calls]  # noqa: UP007 - evaluated by msgspec

encode_order = msgspec.msgpack.Encoder().encode
_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
decode_order = _orders.decode


def send_order(link: socket.socket, order: Order, channel: int | None = None) -> None:
    """Send an order, and with it a descriptor.

    It goes whole or not at all. For one that is larger than the socket takes at once, as with a task that has a lot to
    tell, this waits for the receiver.

    Raises:
        BlockingIOError: The receiver is behind.
        OSError: The receiver is gone.
    """
    ancillary = (
        [] if channel is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [channel]).tobytes())]
    )
    data = frame_order(order)
    sent = link.sendmsg([data], ancillary)
    if sent < len(data):
        link.setblocking(True)
        try:
            link.sendall(memoryview(data)[sent:])
        finally:
            link.setblocking(False)


def frame_order(order: Order) -> bytes:
    """Encode an order together with its length, as `receive_order` takes it."""
    data = encode_order(order)
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data


def receive_order(link: socket.socket) -> tuple[Order, socket.socket | None] | None:
    """Wait for an order and what came with it; None when the sender is gone."""
    try:
        head, ancillary, _flags, _address = link.recvmsg(_LENGTH_BYTES, socket.CMSG_SPACE(_LENGTH_BYTES))
    except ConnectionError:
        return None
    channel = None
    for _level, _kind, data in ancillary:
        (descriptor,) = array.array("i", data)
        channel = socket.socket(fileno=descriptor)
        channel.set_inheritable(False)
    if not head:
        return None
    length = receive_exactly(link, _LENGTH_BYTES - len(head), head)
    order = None if length is None else receive_exactly(link, int.from_bytes(length, "big"))
    return None if order is None else (decode_order(order), channel)


def receive_exactly(link: socket.socket, size: int, begun: bytes = b"") -> bytes | None:
    """Read so many bytes more and nothing behind them; None if the stream ends before."""
    pieces = [begun]
    while size > 0:
        piece = link.recv(min(size, 1 << 20))
        if not piece:
            return None
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces) if begun or len(pieces) != 2 else pieces[1]
