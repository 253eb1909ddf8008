"""Flyte 1's model of values, ``flytekit.models.literals``, for programs that convert types of their own.

Instances are compared by value. There is no protobuf behind them.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from .literal_types import BlobType, LiteralType, SchemaType, StructuredDatasetType


def _first(value: Any) -> Any:
    """Return the first field that is given."""
    given = (getattr(value, field.name) for field in dataclasses.fields(value))
    return next((one for one in given if one is not None), None)


@dataclasses.dataclass
class Primitive:
    """A plain value: exactly one is given.

    Attributes:
        integer: A whole number.
        float_value: A number.
        string_value: A text.
        boolean: True or False.
        datetime: A time.
        duration: A length of time.
    """

    integer: int | None = None
    float_value: float | None = None
    string_value: str | None = None
    boolean: bool | None = None
    datetime: dt.datetime | None = None
    duration: dt.timedelta | None = None

    @property
    def value(self) -> Any:
        """The one that is given."""
        return _first(self)


@dataclasses.dataclass
class Binary:
    """Bytes.

    Attributes:
        value: The bytes.
        tag: What they are, as ``msgpack``.
    """

    value: bytes
    tag: str = ""


@dataclasses.dataclass
class BlobMetadata:
    """What is known of a blob.

    Attributes:
        type: Its type.
    """

    type: BlobType


@dataclasses.dataclass
class Blob:
    """A file or folder.

    Attributes:
        metadata: What is known of it.
        uri: Where it is.
    """

    metadata: BlobMetadata
    uri: str


@dataclasses.dataclass
class Void:
    """No value."""


@dataclasses.dataclass
class Schema:
    """A stored table.

    Attributes:
        uri: Where it is.
        type: Its type.
    """

    uri: str
    type: SchemaType


@dataclasses.dataclass
class Union:
    """A value of one of several types.

    Attributes:
        value: The value.
        stored_type: Its type.
    """

    value: Literal
    stored_type: LiteralType


@dataclasses.dataclass
class StructuredDatasetMetadata:
    """What is known of a data frame.

    Attributes:
        structured_dataset_type: Its type.
    """

    structured_dataset_type: StructuredDatasetType | None = None


@dataclasses.dataclass
class StructuredDataset:
    """A stored data frame.

    Attributes:
        uri: Where it is.
        metadata: What is known of it.
    """

    uri: str | None = None
    metadata: StructuredDatasetMetadata | None = None


@dataclasses.dataclass
class Scalar:
    """A single value: exactly one is given.

    Attributes:
        primitive: A plain one.
        blob: A file or folder.
        binary: Bytes.
        schema: A stored table.
        union: One of several types.
        none_type: None.
        error: An error.
        generic: Plain data, as JSON has it.
        structured_dataset: A data frame.
    """

    primitive: Primitive | None = None
    blob: Blob | None = None
    binary: Binary | None = None
    schema: Schema | None = None
    union: Union | None = None
    none_type: Void | None = None
    error: Any = None
    generic: Any = None
    structured_dataset: StructuredDataset | None = None

    @property
    def value(self) -> Any:
        """The one that is given."""
        return _first(self)


@dataclasses.dataclass
class LiteralCollection:
    """A list.

    Attributes:
        literals: Its items.
    """

    literals: list[Literal]


@dataclasses.dataclass
class LiteralMap:
    """A map.

    Attributes:
        literals: Its values.
    """

    literals: dict[str, Literal]


@dataclasses.dataclass
class Literal:
    """A value: exactly one of the first three is given.

    Attributes:
        scalar: A single value.
        collection: A list.
        map: A map.
        hash: What stands for it in the key of a cache.
        metadata: Texts about it.
        offloaded_metadata: Not used.
    """

    scalar: Scalar | None = None
    collection: LiteralCollection | None = None
    map: LiteralMap | None = None
    hash: str | None = None
    metadata: dict[str, str] | None = None
    offloaded_metadata: Any = None

    @property
    def value(self) -> Any:
        """The one that is given."""
        return self.scalar or self.collection or self.map

    def set_metadata(self, metadata: dict[str, str]) -> None:
        """Set the texts about it."""
        self.metadata = metadata
