"""Between Alula's literals and types and Flyte 1's models of them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

import alula
from alula_kernel import literals as own
from alula_kernel import types as own_types
from alula_kernel.contracts import ConversionContext
from alula_kernel.errors import ValueConversionError
from alula_kernel.uris import uri_of

from . import literal_types as models
from .literals import (
    Binary,
    Blob,
    BlobMetadata,
    Literal,
    LiteralCollection,
    LiteralMap,
    Primitive,
    Scalar,
    StructuredDataset,
    StructuredDatasetMetadata,
    Void,
)

_SIMPLE: dict[int, own_types.LiteralType] = {
    models.SimpleType.NONE: own_types.NONE,
    models.SimpleType.INTEGER: own_types.INT,
    models.SimpleType.FLOAT: own_types.FLOAT,
    models.SimpleType.STRING: own_types.STR,
    models.SimpleType.BOOLEAN: own_types.BOOL,
    models.SimpleType.DATETIME: own_types.DATETIME,
    models.SimpleType.DURATION: own_types.TIMEDELTA,
    models.SimpleType.BINARY: own_types.Opaque("Binary"),
    models.SimpleType.ERROR: own_types.Opaque("Error"),
    models.SimpleType.STRUCT: own_types.JSON,
}
_COLUMNS = {
    models.SimpleType.INTEGER: ("int64", r"u?int\d+"),
    models.SimpleType.FLOAT: ("double", r"float|halffloat|double"),
    models.SimpleType.STRING: ("string", r"string|large_string"),
    models.SimpleType.BOOLEAN: ("bool", r"bool"),
    models.SimpleType.DATETIME: ("timestamp[us]", r"(timestamp|date).*"),
    models.SimpleType.DURATION: ("duration[us]", r"duration.*"),
}
"""What Arrow calls columns of each of Flyte's types, and the pattern of all of Arrow's types that become one of it."""
_TIMES: dict[own_types.LiteralType, type] = {own_types.DATETIME: dt.datetime, own_types.TIMEDELTA: dt.timedelta}


def own_type(model: models.LiteralType) -> own_types.LiteralType:
    """Return Alula's type for one of Flyte's.

    Raises:
        ValueConversionError: It says nothing.
    """
    if model.simple is not None:
        return _SIMPLE[model.simple]
    if model.collection_type is not None:
        return own_types.ListOf(own_type(model.collection_type))
    if model.map_value_type is not None:
        return own_types.MapOf(own_type(model.map_value_type))
    if model.blob is not None:
        several = model.blob.dimensionality == models.BlobType.BlobDimensionality.MULTIPART
        return own_types.BlobOf(model.blob.format, several)
    if model.enum_type is not None:
        return own_types.EnumOf("", tuple(model.enum_type.values))
    if model.union_type is not None:
        return own_types.UnionOf(tuple(own_type(variant) for variant in model.union_type.variants))
    if model.structured_dataset_type is not None:
        return own_types.DatasetOf(
            _own_columns(model.structured_dataset_type.columns), model.structured_dataset_type.format
        )
    if model.schema is not None:
        return own_types.DatasetOf()
    raise ValueConversionError("a LiteralType says nothing of a type")


def model_type(literal_type: own_types.LiteralType) -> models.LiteralType:
    """Return Flyte's type for one of Alula's; for one that Flyte 1 does not have, plain data."""
    match literal_type:
        case own_types.ListOf(item):
            return models.LiteralType(collection_type=model_type(item))
        case own_types.MapOf(value):
            return models.LiteralType(map_value_type=model_type(value))
        case own_types.BlobOf(format, directory):
            kinds = models.BlobType.BlobDimensionality
            blob = models.BlobType(format, kinds.MULTIPART if directory else kinds.SINGLE)
            return models.LiteralType(blob=blob)
        case own_types.EnumOf(_, values):
            return models.LiteralType(enum_type=models.EnumType([str(value) for value in values]))
        case own_types.UnionOf(variants):
            return models.LiteralType(union_type=models.UnionType([model_type(variant) for variant in variants]))
        case own_types.DatasetOf(columns, format):
            dataset = models.StructuredDatasetType(model_columns(columns), format)
            return models.LiteralType(structured_dataset_type=dataset)
        case own_types.Opaque():
            return models.LiteralType(blob=models.BlobType("PythonPickle"))
    number = next((number for number, simple in _SIMPLE.items() if simple == literal_type), models.SimpleType.STRUCT)
    return models.LiteralType(simple=number)


def model_columns(columns: Sequence[own.Column]) -> list[models.DatasetColumn]:
    """Return Flyte's columns for Alula's; of plain data, if Flyte has no type for one."""
    kinds = (
        next((kind for kind, (_, pattern) in _COLUMNS.items() if re.fullmatch(pattern, column.type)), None)
        for column in columns
    )
    plain = models.SimpleType.STRUCT
    return [
        models.DatasetColumn(column.name, models.LiteralType(simple=plain if kind is None else kind))
        for column, kind in zip(columns, kinds, strict=True)
    ]


def _own_columns(columns: Sequence[models.DatasetColumn]) -> tuple[own.Column, ...]:
    """Return Alula's columns for Flyte's; none, which means any, if one is not of a type that says enough."""
    kinds = [column.literal_type.simple for column in columns]
    if any(kind not in _COLUMNS for kind in kinds):
        return ()
    return tuple(own.Column(column.name, _COLUMNS[kind][0]) for column, kind in zip(columns, kinds, strict=True))


def own_literal(model: Literal, context: ConversionContext) -> own.Literal:
    """Return Alula's literal for one of Flyte's.

    Args:
        model: Flyte's.
        context: For times, which are stored as text.

    Raises:
        ValueConversionError: It holds nothing, or an error.
    """
    if model.hash is not None:
        bare = Literal(model.scalar, model.collection, model.map)
        return own.Hashed(own_literal(bare, context), model.hash)
    if model.collection is not None:
        return own.ListLiteral([own_literal(item, context) for item in model.collection.literals])
    if model.map is not None:
        return own.MapLiteral({name: own_literal(item, context) for name, item in model.map.literals.items()})
    if model.scalar is None:
        raise ValueConversionError("a Literal holds nothing")
    return _own_scalar(model.scalar, context)


def _own_scalar(scalar: Scalar, context: ConversionContext) -> own.Literal:
    value = scalar.value
    if scalar.none_type is not None:
        return own.NONE
    if isinstance(value, Primitive):
        plain = value.value
        return alula.current_app().registry.converter(type(plain)).to_literal(plain, context)
    if isinstance(value, Blob):
        several = value.metadata.type.dimensionality == models.BlobType.BlobDimensionality.MULTIPART
        return own.Blob(uri_of(value.uri), format=value.metadata.type.format, directory=several)
    if isinstance(value, Binary):
        return own.MapLiteral({"tag": own.Scalar(value.tag), "value": own.Bytes(value.value)})
    if isinstance(value, StructuredDataset):
        known = value.metadata.structured_dataset_type if value.metadata is not None else None
        return own.Dataset(uri_of(value.uri or ""), format=(known.format if known is not None else "") or "parquet")
    if scalar.schema is not None:
        return own.Dataset(uri_of(scalar.schema.uri))
    if scalar.union is not None:
        return own_literal(scalar.union.value, context)
    if scalar.generic is not None:
        return own.Json(_plain(scalar.generic))
    raise ValueConversionError("a Scalar holds nothing that a task could take")


def _plain(generic: Any) -> Any:
    """Return plain data; programs may also give a message of protobuf's that holds such."""
    if not hasattr(generic, "DESCRIPTOR"):
        return generic
    from google.protobuf import json_format

    return json_format.MessageToDict(generic)


def model_literal(literal: own.Literal, literal_type: own_types.LiteralType, context: ConversionContext) -> Literal:
    """Return Flyte's literal for one of Alula's.

    Args:
        literal: Alula's.
        literal_type: Its type, by which a time is told from a text.
        context: For times.
    """
    match literal:
        case own.Hashed(value, identity):
            made = model_literal(value, literal_type, context)
            made.hash = identity
            return made
        case own.UnionLiteral(_, value):
            return model_literal(value, own_types.JSON, context)
        case own.ListLiteral(items):
            item = literal_type.item if isinstance(literal_type, own_types.ListOf) else own_types.JSON
            return Literal(collection=LiteralCollection([model_literal(one, item, context) for one in items]))
        case own.MapLiteral({"tag": own.Scalar(tag), "value": own.Bytes(data)}):
            return Literal(scalar=Scalar(binary=Binary(data, str(tag))))
        case own.MapLiteral(entries):
            inner = literal_type.value if isinstance(literal_type, own_types.MapOf) else own_types.JSON
            values = {name: model_literal(one, inner, context) for name, one in entries.items()}
            return Literal(map=LiteralMap(values))
    return Literal(scalar=_model_scalar(literal, literal_type, context))


def _model_scalar(literal: own.Literal, literal_type: own_types.LiteralType, context: ConversionContext) -> Scalar:
    match literal:
        case own.Scalar(None):
            return Scalar(none_type=Void())
        case own.Scalar(plain):
            time = _TIMES.get(literal_type)
            if time is not None:
                plain = alula.current_app().registry.converter(time).to_python(literal, context)
            return Scalar(primitive=_primitive(plain))
        case own.NonFinite(text):
            return Scalar(primitive=Primitive(float_value=float(text)))
        case own.Bytes(data):
            return Scalar(binary=Binary(data))
        case own.Json(value):
            return Scalar(generic=value)
        case own.Blob():
            kinds = models.BlobType.BlobDimensionality
            kind = models.BlobType(literal.format, kinds.MULTIPART if literal.directory else kinds.SINGLE)
            return Scalar(blob=Blob(BlobMetadata(kind), literal.uri))
        case own.Dataset():
            known = models.StructuredDatasetType(format=literal.format)
            return Scalar(structured_dataset=StructuredDataset(literal.uri, StructuredDatasetMetadata(known)))
    raise ValueConversionError(f"Flyte 1 has no literal for {literal!r}")


def _primitive(plain: Any) -> Primitive:
    match plain:
        case bool():
            return Primitive(boolean=plain)
        case int():
            return Primitive(integer=plain)
        case float():
            return Primitive(float_value=plain)
        case dt.datetime():
            return Primitive(datetime=plain)
        case dt.timedelta():
            return Primitive(duration=plain)
    return Primitive(string_value=str(plain))
