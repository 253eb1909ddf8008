"""The built-in type transformers, a module for each family of types."""

from __future__ import annotations

from ...contracts import TypeTransformer
from .arrays import ArrayTransformer
from .enums import EnumTransformer, LiteralTransformer
from .mappings import MappingTransformer
from .models import ModelTransformer
from .record_classes import (
    AttrsTransformer,
    DataclassTransformer,
    NamedTupleTransformer,
    StructTransformer,
    TypedDictTransformer,
)
from .refusals import RefusingTransformer
from .scalars import ScalarTransformer
from .sequences import SequenceTransformer
from .times import TimeTransformer
from .unions import UnionTransformer

__all__ = ["builtin_transformers"]


def builtin_transformers() -> list[TypeTransformer]:
    """Return the transformers of every built-in type; none of them imports the library of its type until it is used."""
    return [
        ScalarTransformer(),
        TimeTransformer(),
        SequenceTransformer(),
        MappingTransformer(),
        EnumTransformer(),
        LiteralTransformer(),
        UnionTransformer(),
        DataclassTransformer(),
        NamedTupleTransformer(),
        TypedDictTransformer(),
        StructTransformer(),
        AttrsTransformer(),
        ModelTransformer(),
        ArrayTransformer(),
        RefusingTransformer(),
    ]
