"""Between Alula's literals and types and the messages of ``flyteidl2``, for programs that convert types of their own."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flyteidl2.core import literals_pb2, types_pb2
from google.protobuf import json_format  # type: ignore[import-untyped, unused-ignore] # ships no types

import alula
from alula_kernel import literals as own
from alula_kernel import types as own_types
from alula_kernel.contracts import ConversionContext
from alula_kernel.errors import ValueConversionError
from alula_kernel.uris import uri_of

_SIMPLE: dict[int, own_types.LiteralType] = {
    types_pb2.NONE: own_types.NONE,
    types_pb2.INTEGER: own_types.INT,
    types_pb2.FLOAT: own_types.FLOAT,
    types_pb2.STRING: own_types.STR,
    types_pb2.BOOLEAN: own_types.BOOL,
    types_pb2.DATETIME: own_types.DATETIME,
    types_pb2.DURATION: own_types.TIMEDELTA,
    types_pb2.BINARY: own_types.Opaque("Binary"),
    types_pb2.ERROR: own_types.Opaque("Error"),
    types_pb2.STRUCT: own_types.JSON,
}
_TIMES: dict[own_types.LiteralType, type] = {own_types.DATETIME: dt.datetime, own_types.TIMEDELTA: dt.timedelta}
_SEVERAL = types_pb2.BlobType.MULTIPART


def own_type(message: Any) -> own_types.LiteralType:
    """Return Alula's type for a ``LiteralType``.

    Raises:
        ValueConversionError: It says nothing.
    """
    kind = message.WhichOneof("type")
    said: Any = getattr(message, kind) if kind else None
    match kind:
        case "simple" if said == types_pb2.STRUCT and "properties" in message.metadata:
            schema = json_format.MessageToDict(message.metadata)
            return _type_of_schema(schema, schema.get("$defs", {}), schema.get("title", ""))
        case "simple":
            return _SIMPLE[message.simple]
        case "collection_type":
            return own_types.ListOf(own_type(said))
        case "map_value_type":
            return own_types.MapOf(own_type(said))
        case "blob":
            return own_types.BlobOf(message.blob.format, message.blob.dimensionality == _SEVERAL)
        case "enum_type":
            return own_types.EnumOf("", tuple(message.enum_type.values))
        case "union_type":
            return own_types.UnionOf(tuple(own_type(variant) for variant in message.union_type.variants))
        case "structured_dataset_type" | "schema":
            return own_types.DatasetOf(format=getattr(said, "format", ""))
    raise ValueConversionError("a LiteralType says nothing of a type")


_OF_SCHEMA: dict[str, own_types.LiteralType] = {
    "boolean": own_types.BOOL,
    "integer": own_types.INT,
    "null": own_types.NONE,
    "number": own_types.FLOAT,
    "string": own_types.STR,
}


def _type_of_schema(schema: dict[str, Any], named: dict[str, Any], name: str = "") -> own_types.LiteralType:
    """Return the type that a JSON schema describes; plain data for what it does not tell."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _type_of_schema(named[name], {key: value for key, value in named.items() if key != name}, name)
    if "enum" in schema and all(isinstance(value, str) for value in schema["enum"]):
        return own_types.EnumOf(name, tuple(schema["enum"]))
    if "anyOf" in schema:
        return own_types.UnionOf(tuple(_type_of_schema(one, named) for one in schema["anyOf"]))
    if "properties" in schema:
        required = schema.get("required", ())
        return own_types.Record(
            schema.get("title", name) or "Record",
            tuple(
                own_types.FieldType(key, _type_of_schema(value, named), key in required)
                for key, value in schema["properties"].items()
            ),
        )
    if isinstance(schema.get("items"), dict):
        return own_types.ListOf(_type_of_schema(schema["items"], named))
    if isinstance(schema.get("additionalProperties"), dict):
        return own_types.MapOf(_type_of_schema(schema["additionalProperties"], named))
    return _OF_SCHEMA.get(schema.get("type", ""), own_types.JSON)


def message_of_type(literal_type: own_types.LiteralType) -> Any:
    """Return the ``LiteralType`` for one of Alula's types; of plain data for one that Flyte does not have."""
    match literal_type:
        case own_types.ListOf(item):
            return types_pb2.LiteralType(collection_type=message_of_type(item))
        case own_types.MapOf(value):
            return types_pb2.LiteralType(map_value_type=message_of_type(value))
        case own_types.BlobOf(format, directory):
            return types_pb2.LiteralType(blob=_blob_type(format, directory))
        case own_types.EnumOf(_, values):
            return types_pb2.LiteralType(enum_type=types_pb2.EnumType(values=[str(value) for value in values]))
        case own_types.UnionOf(variants):
            several = types_pb2.UnionType(variants=[message_of_type(variant) for variant in variants])
            return types_pb2.LiteralType(union_type=several)
        case own_types.DatasetOf(_, format):
            return types_pb2.LiteralType(structured_dataset_type=types_pb2.StructuredDatasetType(format=format))
        case own_types.Opaque():
            return types_pb2.LiteralType(blob=_blob_type("PythonPickle", False))
    number = next((number for number, simple in _SIMPLE.items() if simple == literal_type), types_pb2.STRUCT)
    return types_pb2.LiteralType(simple=number)


def _blob_type(format: str, directory: bool) -> Any:
    return types_pb2.BlobType(
        format=format, dimensionality=_SEVERAL if directory else types_pb2.BlobType.BlobDimensionality.SINGLE
    )


def own_literal(message: Any, context: ConversionContext) -> own.Literal:
    """Return Alula's literal for a ``Literal``.

    Args:
        message: The message.
        context: For times, which are stored as text.

    Raises:
        ValueConversionError: It holds nothing, or an error.
    """
    made = _own_value(message, context)
    return own.Hashed(made, message.hash) if message.hash else made


def _own_value(message: Any, context: ConversionContext) -> own.Literal:
    kind = message.WhichOneof("value")
    if kind == "collection":
        return own.ListLiteral([own_literal(item, context) for item in message.collection.literals])
    if kind == "map":
        return own.MapLiteral({name: own_literal(item, context) for name, item in message.map.literals.items()})
    if kind != "scalar":
        raise ValueConversionError("a Literal holds nothing")
    kind = message.scalar.WhichOneof("value")
    said: Any = getattr(message.scalar, kind) if kind else None
    match kind:
        case "none_type":
            return own.NONE
        case "primitive":
            return _own_primitive(said, context)
        case "blob":
            kind_of_blob = said.metadata.type
            several = kind_of_blob.dimensionality == _SEVERAL
            return own.Blob(uri_of(said.uri), format=kind_of_blob.format, directory=several)
        case "binary":
            return own.MapLiteral({"tag": own.Scalar(said.tag), "value": own.Bytes(said.value)})
        case "structured_dataset":
            known = said.metadata.structured_dataset_type.format
            return own.Dataset(uri_of(said.uri), format=known or "parquet")
        case "union":
            return own_literal(said.value, context)
        case "generic":
            return own.Json(json_format.MessageToDict(said))
    raise ValueConversionError("a Scalar holds nothing that a task could take")


def _own_primitive(primitive: Any, context: ConversionContext) -> own.Literal:
    kind = primitive.WhichOneof("value")
    if not kind:
        raise ValueConversionError("a Primitive holds nothing")
    value = getattr(primitive, kind)
    if kind == "datetime":
        value = value.ToDatetime(dt.timezone.utc)
    elif kind == "duration":
        value = value.ToTimedelta()
    return alula.current_app().registry.converter(type(value)).to_literal(value, context)


def message_of_literal(literal: own.Literal, literal_type: own_types.LiteralType, context: ConversionContext) -> Any:
    """Return the ``Literal`` for one of Alula's literals.

    Args:
        literal: The literal.
        literal_type: Its type, by which a time is told from a text.
        context: For times.
    """
    match literal:
        case own.Hashed(value, identity):
            made = message_of_literal(value, literal_type, context)
            made.hash = identity
            return made
        case own.UnionLiteral(_, value):
            return message_of_literal(value, own_types.JSON, context)
        case own.ListLiteral(items):
            item = literal_type.item if isinstance(literal_type, own_types.ListOf) else own_types.JSON
            parts = [message_of_literal(one, item, context) for one in items]
            return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=parts))
        case own.MapLiteral({"tag": own.Scalar(tag), "value": own.Bytes(data)}):
            return _scalar(binary=literals_pb2.Binary(value=data, tag=str(tag)))
        case own.MapLiteral(entries):
            inner = literal_type.value if isinstance(literal_type, own_types.MapOf) else own_types.JSON
            values = {name: message_of_literal(one, inner, context) for name, one in entries.items()}
            return literals_pb2.Literal(map=literals_pb2.LiteralMap(literals=values))
        case own.Scalar(None):
            return _scalar(none_type=literals_pb2.Void())
        case own.Scalar(plain):
            time = _TIMES.get(literal_type)
            if time is not None:
                plain = alula.current_app().registry.converter(time).to_python(literal, context)
            return _scalar(primitive=_primitive(plain))
        case own.NonFinite(text):
            return _scalar(primitive=literals_pb2.Primitive(float_value=float(text)))
        case own.Bytes(data):
            return _scalar(binary=literals_pb2.Binary(value=data))
        case own.Json(value):
            made = literals_pb2.Literal()
            json_format.ParseDict(value, made.scalar.generic)
            return made
        case own.Blob():
            metadata = literals_pb2.BlobMetadata(type=_blob_type(literal.format, literal.directory))
            return _scalar(blob=literals_pb2.Blob(metadata=metadata, uri=literal.uri))
        case own.Dataset():
            known = literals_pb2.StructuredDatasetMetadata(
                structured_dataset_type=types_pb2.StructuredDatasetType(format=literal.format)
            )
            return _scalar(structured_dataset=literals_pb2.StructuredDataset(uri=literal.uri, metadata=known))
    raise ValueConversionError(f"Flyte has no literal for {literal!r:.200}")


def _scalar(**value: Any) -> Any:
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(**value))


def _primitive(plain: Any) -> Any:
    match plain:
        case bool():
            return literals_pb2.Primitive(boolean=plain)
        case int():
            return literals_pb2.Primitive(integer=plain)
        case float():
            return literals_pb2.Primitive(float_value=plain)
        case dt.datetime():
            made = literals_pb2.Primitive()
            made.datetime.FromDatetime(plain)
            return made
        case dt.timedelta():
            made = literals_pb2.Primitive()
            made.duration.FromTimedelta(plain)
            return made
    return literals_pb2.Primitive(string_value=str(plain))
