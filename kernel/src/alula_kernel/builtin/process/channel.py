"""The engine's end of an attempt's channel: messages over a socket, without ever blocking the event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import msgspec

from ...worker_protocol import LENGTH_BYTES, Message, decode_message, encode_message

_READ_BYTES = 1 << 18


class Channel:
    """One end of a socket pair, in one event loop.

    Args:
        link: The end.
        loop: The event loop; all methods are called in it.
        received: Called with each message.
        closed: Called once when the other end is closed, or does not keep the protocol; not after `close`.
        owned: Whether `close` closes the socket too.
    """

    def __init__(
        self,
        link: socket.socket,
        loop: asyncio.AbstractEventLoop,
        received: Callable[[Message], None],
        closed: Callable[[], None],
        owned: bool = True,
    ) -> None:
        link.setblocking(False)
        self._link = link
        self._loop = loop
        self._received = received
        self._closed = closed
        self._owned = owned
        self._in = bytearray()
        self._out = bytearray()
        self._open = True
        # By number: of a socket that is new to it, the selector makes a text for an error that nobody sees.
        self._number = link.fileno()
        loop.add_reader(self._number, self._read)

    def send(self, message: Message) -> None:
        """Send a message, now or as soon as there is room; what the other end does not want any more is dropped."""
        if not self._open:
            return
        data = encode_message(message)
        if self._out:
            self._out += data
        else:
            self._keep(data, self._try_to_send(data))

    def send_first(self, data: bytes) -> None:
        """Send bytes before any message.

        Raises:
            OSError: The other end is gone.
        """
        try:
            sent = self._link.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        self._keep(data, sent)

    def _keep(self, data: bytes, sent: int) -> None:
        if sent < len(data):
            self._out += memoryview(data)[sent:]
            self._loop.add_writer(self._number, self._write)

    def close(self) -> None:
        """Close it. Idempotent."""
        if not self._open:
            return
        self._open = False
        if not self._loop.is_closed():
            self._loop.remove_reader(self._number)
            if self._out:
                self._loop.remove_writer(self._number)
        if self._owned:
            self._link.close()

    def _try_to_send(self, data: bytes | bytearray) -> int:
        try:
            return self._link.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:  # the reading side tells that it is gone
            return len(data)

    def _write(self) -> None:
        del self._out[: self._try_to_send(self._out)]
        if not self._out:
            self._loop.remove_writer(self._number)

    def _read(self) -> None:
        try:
            data = self._link.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._break()
            return
        self._in += data
        try:
            self._deliver()
        except msgspec.MsgspecError:
            self._break()

    def _deliver(self) -> None:
        begin, size = 0, len(self._in)
        while self._open and size - begin >= LENGTH_BYTES:
            start = begin + LENGTH_BYTES
            end = start + int.from_bytes(self._in[begin:start], "big")
            if end > size:
                break
            message = decode_message(bytes(self._in[start:end]))
            begin = end
            self._received(message)
        del self._in[:begin]

    def _break(self) -> None:
        if self._open:
            self.close()
            self._closed()
