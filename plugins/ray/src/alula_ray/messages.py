"""What an engine and its bridges say to each other: frames of four bytes of length, big-endian, and as many of msgpack."""

from __future__ import annotations

from typing import IO, Any

import msgspec

_LENGTH_BYTES = 4


class UnreachableError(Exception):
    """Nobody answers at the address of a cluster, or what answered is gone."""


class VersionError(Exception):
    """The cluster runs another version of Ray or Python than this environment."""


class BridgeError(Exception):
    """A bridge could not do what it was asked for, for a reason that Ray told.

    Args:
        message: The reason.
        error_class: Name of the class of Ray's exception.
    """

    def __init__(self, message: str, error_class: str) -> None:
        super().__init__(message)
        self.error_class = error_class


class Request(msgspec.Struct, frozen=True):
    """Engine to bridge: do something.

    Attributes:
        number: Tells it from others.
        method: Name of what is to be done.
        arguments: Arguments by name.
    """

    number: int
    method: str
    arguments: dict[str, Any] = {}


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bridge to engine: what came of a request.

    Attributes:
        number: Number of the request.
        result: What was asked for.
        error: Why there is no result; empty if there is one.
        error_class: Name of the class of the exception.
        more: Whether another reply to the same request follows.
    """

    number: int
    result: Any = None
    error: str = ""
    error_class: str = ""
    more: bool = False


_requests = msgspec.msgpack.Decoder(Request)
_replies = msgspec.msgpack.Decoder(Reply)
_encode = msgspec.msgpack.Encoder().encode


def encode(message: Request | Reply) -> bytes:
    """Encode a message together with its length."""
    data = _encode(message)
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data


def read_request(stream: IO[bytes]) -> Request | None:
    """Read the next request; None at the end of the stream."""
    data = _read_frame(stream)
    return None if data is None else _requests.decode(data)


def read_reply(stream: IO[bytes]) -> Reply | None:
    """Read the next reply; None at the end of the stream."""
    data = _read_frame(stream)
    return None if data is None else _replies.decode(data)


def _read_frame(stream: IO[bytes]) -> bytes | None:
    head = stream.read(_LENGTH_BYTES)
    if len(head) < _LENGTH_BYTES:
        return None
    size = int.from_bytes(head, "big")
    data = stream.read(size)
    return data if len(data) == size else None
