"""Literals: typed values in their wire form.

A literal is a frozen msgspec struct. The same structs are encoded as msgpack (stores, caches, messages between
processes) and as JSON (people). `identity_bytes` is the canonical form that is hashed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Union

import msgspec

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1


class Scalar(msgspec.Struct, frozen=True, gc=False, tag="scalar", tag_field="kind"):
    """None, a boolean, an integer of 64 bits, a finite float or a string.

    Dates, times and durations are strings in ISO 8601; the literal type tells them from strings.
    """

    value: None | bool | int | float | str


class NonFinite(msgspec.Struct, frozen=True, tag="nonfinite", tag_field="kind"):
    """A float that JSON cannot express: ``nan``, ``inf`` or ``-inf``."""

    value: str


class Bytes(msgspec.Struct, frozen=True, tag="bytes", tag_field="kind"):
    """Raw bytes, inline."""

    value: bytes


class Json(msgspec.Struct, frozen=True, tag="json", tag_field="kind"):
    """Any value made of None, booleans, numbers, strings, lists and string-keyed maps."""

    value: Any


class Blob(msgspec.Struct, frozen=True, tag="blob", tag_field="kind", omit_defaults=True):
    """Bytes at a URI: a file or a directory.

    Attributes:
        uri: Where the bytes are.
        hash: SHA-256 of the content in hexadecimal, or whatever the author declared as the content's identity;
            None if it is not known, in which case the URI stands for the content.
        size: Bytes, if known.
        format: Format as declared, as ``csv``; empty for any.
        directory: Whether the URI is a prefix with many objects.
        name: The base name that the author gave.
        metadata: Free text that travels with the value.
    """

    uri: str
    hash: str | None = None
    size: int | None = None
    format: str = ""
    directory: bool = False
    name: str = ""
    metadata: dict[str, str] = {}


class Column(msgspec.Struct, frozen=True):
    """One column of a data frame.

    Attributes:
        name: The column's name.
        type: Its Arrow type as text, as ``int64`` or ``string``.
    """

    name: str
    type: str


class Dataset(msgspec.Struct, frozen=True, tag="dataset", tag_field="kind", omit_defaults=True):
    """A data frame at a URI.

    Attributes:
        uri: Where the bytes are.
        hash: As in `Blob`.
        size: Bytes, if known.
        format: How the bytes are encoded, as ``parquet``.
        columns: The columns in order; empty if not known.
        rows: Number of rows, if known.
        metadata: Free text that travels with the value.
    """

    uri: str
    hash: str | None = None
    size: int | None = None
    format: str = "parquet"
    columns: tuple[Column, ...] = ()
    rows: int | None = None
    metadata: dict[str, str] = {}


class ListLiteral(msgspec.Struct, frozen=True, tag="list", tag_field="kind"):
    """An ordered collection: a list or a tuple. Never changed after it was made."""

    items: list[Literal]


class MapLiteral(msgspec.Struct, frozen=True, tag="map", tag_field="kind"):
    """Named values: a dict with string keys, a dataclass, a model, a named tuple. Never changed after it was made."""

    entries: dict[str, Literal]


class UnionLiteral(msgspec.Struct, frozen=True, tag="union", tag_field="kind"):
    """A value of a union with more than one variant besides None.

    Attributes:
        variant: ``alula_kernel.types.display`` of the variant's literal type.
        value: The value as that variant.
    """

    variant: str
    value: Literal


class Hashed(msgspec.Struct, frozen=True, tag="hashed", tag_field="kind"):
    """A value whose identity the author computed with a `HashMethod`."""

    value: Literal
    hash: str


Literal = Union[  # noqa: UP007 - evaluated by msgspec on Python 3.10
    Scalar, NonFinite, Bytes, Json, Blob, Dataset, ListLiteral, MapLiteral, UnionLiteral, Hashed
]
LiteralMap = Mapping[str, Literal]

NONE = Scalar(None)

_msgpack_encoder = msgspec.msgpack.Encoder()
_canonical_encoder = msgspec.msgpack.Encoder(order="sorted")
_literal_decoder: msgspec.msgpack.Decoder[Literal] = msgspec.msgpack.Decoder(Literal)
_map_decoder = msgspec.msgpack.Decoder(dict[str, Literal])
_json_decoder: msgspec.json.Decoder[Literal] = msgspec.json.Decoder(Literal)


def encode(literal: Literal) -> bytes:
    """Encode a literal as msgpack."""
    return _msgpack_encoder.encode(literal)


def decode(data: bytes) -> Literal:
    """Decode a literal from msgpack.

    Raises:
        msgspec.ValidationError: The bytes are not a literal.
    """
    return _literal_decoder.decode(data)


def encode_map(literals: LiteralMap) -> bytes:
    """Encode named literals as msgpack."""
    return _msgpack_encoder.encode(literals)


def decode_map(data: bytes) -> dict[str, Literal]:
    """Decode named literals from msgpack.

    Raises:
        msgspec.ValidationError: The bytes are not a map of literals.
    """
    return _map_decoder.decode(data)


def to_json(literal: Literal) -> bytes:
    """Encode a literal as JSON."""
    return msgspec.json.encode(literal)


def from_json(data: bytes | str) -> Literal:
    """Decode a literal from JSON.

    Raises:
        msgspec.ValidationError: The text is not a literal.
    """
    return _json_decoder.decode(data)


def _identity(literal: Any) -> Any:
    """Reduce a literal to plain values that are equal if and only if the contents are equal."""
    kind = type(literal)
    if kind is Scalar:
        return literal.value
    if kind is ListLiteral:
        return [_identity(item) for item in literal.items]
    if kind is MapLiteral:
        return {"m": {k: _identity(v) for k, v in literal.entries.items()}}
    if kind is Hashed:
        return {"h": literal.hash}
    if kind is Blob or kind is Dataset:
        if literal.hash is not None:
            return {"h": literal.hash}
        return {"u": literal.uri}
    if kind is UnionLiteral:
        return {"v": literal.variant, "x": _identity(literal.value)}
    if kind is NonFinite:
        return {"f": literal.value}
    if kind is Bytes:
        return {"b": literal.value}
    return {"j": literal.value}


def identity_bytes(literal: Literal) -> bytes:
    """Return the canonical bytes of a literal's content.

    Blobs and datasets with a known hash are represented by the hash alone, so the place where the bytes happen to be
    does not matter; map entries are sorted by name.
    """
    return _canonical_encoder.encode(_identity(literal))


def content_hash(literal: Literal) -> str:
    """Return the SHA-256 of `identity_bytes` in hexadecimal."""
    import hashlib  # costs as much at start-up as all of this module

    return hashlib.sha256(_canonical_encoder.encode(_identity(literal))).hexdigest()


def map_hash(literals: LiteralMap) -> str:
    """Return the SHA-256 of named literals, independent of their order, in hexadecimal."""
    import hashlib  # costs as much at start-up as all of this module

    return hashlib.sha256(_canonical_encoder.encode({k: _identity(v) for k, v in literals.items()})).hexdigest()


def is_none(literal: Literal) -> bool:
    """Tell whether a literal is the None value."""
    return type(literal) is Scalar and literal.value is None


def unwrap(literal: Literal) -> Literal:
    """Strip `Hashed` and `UnionLiteral` wrappers."""
    while isinstance(literal, (Hashed, UnionLiteral)):
        literal = literal.value
    return literal


def size_bytes(literals: LiteralMap) -> int:
    """Return the size of named literals as they travel inline, in bytes of msgpack."""
    return len(_msgpack_encoder.encode(literals))
