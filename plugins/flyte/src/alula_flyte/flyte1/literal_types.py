"""Flyte 1's model of types, ``flytekit.models.types``, for programs that convert types of their own.

Instances are compared by value. There is no protobuf behind them.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar


class SimpleType:
    """Types without parameters, as numbers."""

    NONE = 0
    INTEGER = 1
    FLOAT = 2
    STRING = 3
    BOOLEAN = 4
    DATETIME = 5
    DURATION = 6
    BINARY = 7
    ERROR = 8
    STRUCT = 9


@dataclasses.dataclass
class BlobType:
    """A file or folder.

    Attributes:
        format: Its format; empty for any.
        dimensionality: Whether it is one file or several.
    """

    class BlobDimensionality:
        """One file or several."""

        SINGLE: ClassVar[int] = 0
        MULTIPART: ClassVar[int] = 1

    format: str = ""
    dimensionality: int = BlobDimensionality.SINGLE


@dataclasses.dataclass
class EnumType:
    """One of a few texts.

    Attributes:
        values: The texts.
    """

    values: list[str]


class SchemaColumnType:
    """Types of columns, as numbers."""

    INTEGER = 0
    FLOAT = 1
    STRING = 2
    BOOLEAN = 3
    DATETIME = 4
    DURATION = 5


@dataclasses.dataclass
class SchemaColumn:
    """A column of a schema.

    Attributes:
        name: Its name.
        type: Its type.
    """

    name: str
    type: int


@dataclasses.dataclass
class SchemaType:
    """A schema.

    Attributes:
        columns: Its columns.
    """

    SchemaColumn: ClassVar[type] = SchemaColumn

    columns: list[Any] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class DatasetColumn:
    """A column of a data frame.

    Attributes:
        name: Its name.
        literal_type: Its type.
    """

    name: str
    literal_type: Any


@dataclasses.dataclass
class StructuredDatasetType:
    """A data frame.

    Attributes:
        columns: Its columns; empty for any.
        format: How it is stored; empty for any.
        external_schema_type: What kind of schema describes it.
        external_schema_bytes: That schema.
    """

    DatasetColumn: ClassVar[type] = DatasetColumn

    columns: list[Any] = dataclasses.field(default_factory=list)
    format: str = ""
    external_schema_type: str = ""
    external_schema_bytes: bytes = b""


@dataclasses.dataclass
class UnionType:
    """One of several types.

    Attributes:
        variants: The types.
    """

    variants: list[Any]


@dataclasses.dataclass
class TypeStructure:
    """More about a type.

    Attributes:
        tag: Name of what converts it.
        dataclass_type: Types of fields.
    """

    tag: str = ""
    dataclass_type: dict[str, Any] | None = None


@dataclasses.dataclass
class TypeAnnotation:
    """What an author wrote about a type.

    Attributes:
        annotations: It, as plain data.
    """

    annotations: dict[str, Any]


@dataclasses.dataclass
class LiteralType:
    """A type: exactly one of the first eight is given.

    Attributes:
        simple: A number of `SimpleType`.
        schema: A schema.
        collection_type: Type of the items of a list.
        map_value_type: Type of the values of a map with texts as keys.
        blob: A file or folder.
        enum_type: One of a few texts.
        union_type: One of several types.
        structured_dataset_type: A data frame.
        metadata: Plain data about it.
        structure: More about it.
        annotation: What an author wrote about it.
    """

    simple: int | None = None
    schema: SchemaType | None = None
    collection_type: LiteralType | None = None
    map_value_type: LiteralType | None = None
    blob: BlobType | None = None
    enum_type: EnumType | None = None
    union_type: UnionType | None = None
    structured_dataset_type: StructuredDatasetType | None = None
    metadata: dict[str, Any] | None = None
    structure: TypeStructure | None = None
    annotation: TypeAnnotation | None = None
