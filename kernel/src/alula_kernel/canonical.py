"""The canonical form of structs: what is hashed for versions, keys and tags.

msgspec leaves a field out of an encoding if its value is the very object of the default. An equal one may be another
object: after it travelled, was computed, or on another version of Python, where the empty tuple is not always the same.
Equal values can therefore have different encodings, and nothing may be hashed but what comes from here.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec


def plain(value: Any) -> Any:
    """Reduce structs, and what they hold, to dictionaries, lists and scalars that are equal for equal values.

    Fields with the value of their default are left out where the struct asks for it (``omit_defaults``), so that a field
    with a default can be added without changing what is there. Sets and objects of other classes are refused when the
    result is encoded.
    """
    if isinstance(value, msgspec.Struct):
        return _fields(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _fields(struct: msgspec.Struct) -> dict[str, Any]:
    # Not `msgspec.structs.fields`: it resolves annotations, which may name what only type checkers import.
    config, defaults = struct.__struct_config__, struct.__struct_defaults__
    required = len(struct.__struct_fields__) - len(defaults)
    fields = {} if config.tag_field is None else {config.tag_field: config.tag}
    for index, (name, encoded) in enumerate(
        zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True)
    ):
        value = getattr(struct, name)
        if index < required or not config.omit_defaults or not _is_default(value, defaults[index - required]):
            fields[encoded] = plain(value)
    return fields


def _is_default(value: Any, default: Any) -> bool:
    """Tell whether a value is what its field has if nothing is given; for a field without a default it never is."""
    factory = getattr(default, "factory", None)
    return bool(value == (default if factory is None else factory()))


def fingerprint(value: Any) -> str:
    """Return the SHA-256 of the canonical form of a value, in hexadecimal; the order of names does not count."""
    return hashlib.sha256(msgspec.msgpack.encode(plain(value), order="sorted")).hexdigest()


def canonical_json(value: Any) -> str:
    """Return the canonical form of a value as JSON, with names in order."""
    return msgspec.json.encode(plain(value), order="sorted").decode()
