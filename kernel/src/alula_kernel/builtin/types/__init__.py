"""The built-in type transformers, a module for each family of types."""

from __future__ import annotations

import collections
import enum
import types as python_types
from collections import abc

import msgspec

from ...contracts import TypeTransformer
from ...types import BlobOf, Simple
from .lazy import LazyTransformer
from .refusals import RefusingTransformer
from .scalars import ScalarTransformer

__all__ = ["LazyTransformer", "builtin_transformers"]

_SEQUENCES = (
    *(tuple, list, collections.deque, set, frozenset),
    *(abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable, abc.Set, abc.MutableSet),
)
_MAPPINGS = (
    *(dict, collections.OrderedDict, collections.defaultdict, collections.Counter),
    *(abc.Mapping, abc.MutableMapping),
)


def builtin_transformers() -> list[TypeTransformer]:
    """Return the transformers of every built-in type.

    The module of a family is imported when a type of it is met, and the library of a type when it is used.
    """
    here = __package__
    records = f"{here}.record_classes"
    return [
        ScalarTransformer(),
        LazyTransformer(
            "times",
            f"{here}.times.TimeTransformer",
            ("datetime.datetime", "datetime.date", "datetime.timedelta"),
            Simple,
        ),
        LazyTransformer("sequences", f"{here}.sequences.SequenceTransformer", _SEQUENCES),
        LazyTransformer("mappings", f"{here}.mappings.MappingTransformer", _MAPPINGS),
        LazyTransformer("enums", f"{here}.enums.EnumTransformer", (enum.Enum,)),
        LazyTransformer(
            "literals", f"{here}.enums.LiteralTransformer", ("typing.Literal", "typing_extensions.Literal")
        ),
        LazyTransformer("unions", f"{here}.unions.UnionTransformer", ("typing.Union", python_types.UnionType)),
        LazyTransformer("dataclasses", f"{records}.DataclassTransformer", mark="__dataclass_fields__"),
        LazyTransformer("named tuples", f"{records}.NamedTupleTransformer", mark="_field_defaults"),
        LazyTransformer("typed dictionaries", f"{records}.TypedDictTransformer", mark="__required_keys__"),
        LazyTransformer("msgspec", f"{records}.StructTransformer", (msgspec.Struct,)),
        LazyTransformer("attrs", f"{records}.AttrsTransformer", mark="__attrs_attrs__"),
        LazyTransformer("pydantic", f"{here}.models.ModelTransformer", ("pydantic.main.BaseModel",)),
        LazyTransformer("numpy", f"{here}.arrays.ArrayTransformer", ("numpy.ndarray",), BlobOf),
        RefusingTransformer(),
    ]
