"""pydantic models, version 2. pydantic is not imported here: whoever has a model has imported it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from ... import types
from ...contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from ...errors import UnsupportedTypeError, ValueConversionError
from ...literals import Hashed, Json, Literal, MapLiteral
from ...registry import type_name
from .base import StructureConverter
from .plain import decode_plain, encode_plain, plain_value
from .previews import table
from .records import RecordConverter, RecordField


class ModelConverter(RecordConverter):
    """Converts pydantic models; what is converted back is validated by the model.

    Values of extra fields, where the model allows them, are plain data. Private attributes do not travel.

    Args:
        request: The type.
        fields: The fields.
        keys: The name by which validation knows each field.
    """

    __slots__ = ("_extra", "_foreign", "_keys", "_validate")

    def __init__(self, request: TypeRequest, fields: list[RecordField], keys: Mapping[str, str]) -> None:
        super().__init__(request, fields)
        self._keys = dict(keys)
        self._extra = self.cls.model_config.get("extra") == "allow"
        self._validate: Callable[[dict[str, Any]], Any] = self.cls.model_validate
        # pydantic reads plain data by itself, with aliases and the model's own validators; but not our files and frames.
        self._foreign = {f.name: f.converter for f in fields if not _is_native(f.converter.literal_type)}

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert a model, or a dict that its validation accepts.

        Raises:
            ValueConversionError: The value is neither, or a field cannot be converted; the location says which.
        """
        literal = super().to_literal(value, context)
        extra = getattr(value, "__pydantic_extra__", None) if self._extra else None
        if extra and isinstance(literal, MapLiteral):
            for name, item in extra.items():
                try:
                    literal.entries[name] = Json(encode_plain(item))
                except ValueConversionError as error:
                    raise error.within(name) from None
        return literal

    def _restore(self, values: dict[str, Any]) -> Any:
        keys = self._keys
        return self._validated({keys[name]: item for name, item in values.items()})

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Convert back and validate.

        Raises:
            ValueConversionError: The literal is not a map, a field is missing or not of its type, or validation failed.
        """
        if self._extra and type(literal) is MapLiteral:
            extra = {name: plain_value(item) for name, item in literal.entries.items() if name not in self.by_name}
            if extra:
                declared = MapLiteral({k: item for k, item in literal.entries.items() if k in self.by_name})
                made = super().to_python(declared, context)
                made.__pydantic_extra__.update(extra)
                return made
        return super().to_python(literal, context)

    def _describes(self, value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        known = {*self._keys.values(), *self._keys}
        given = {name for name in self._required if name in value or self._keys[name] in value}
        return given == self._required and (self._extra or value.keys() <= known)

    def _from_mapping(self, mapping: Mapping[Any, Any], context: ConversionContext) -> Any:
        values = dict(mapping)
        for name, converter in self._foreign.items():
            key = self._keys[name] if self._keys[name] in values else name
            if key in values:
                try:
                    values[key] = converter.from_plain(values[key], context)
                except ValueConversionError as error:
                    raise error.within(name) from error.__cause__
        return self._validated(values)

    def _validated(self, values: dict[str, Any]) -> Any:
        try:
            return self._validate(values)
        except ValueError as error:
            raise validation_failure(self.describe(), error) from error
        except RecursionError:
            raise self.refuse(values, "it is nested too deeply") from None


def validation_failure(name: str, error: ValueError) -> ValueConversionError:
    """Turn a pydantic ``ValidationError`` into ours, with a path for each field that failed.

    Args:
        name: Name of the model.
        error: The error; any other ``ValueError`` is shown as it is.
    """
    details = error.errors(include_url=False, include_context=False) if hasattr(error, "errors") else []
    if not details:
        return ValueConversionError(f"{name} refused its fields: {error}")
    lines = []
    for detail in details[:10]:
        path = _path(detail["loc"])
        found = "" if detail["type"] == "missing" else f", found {_short(detail['input'])}"
        lines.append(f"{path}: {detail['msg']}{found}" if path else f"{detail['msg']}{found}")
    more = f" (and {len(details) - 10} more)" if len(details) > 10 else ""
    if len(lines) == 1:
        return ValueConversionError(f"{name} does not fit: {lines[0]}")
    return ValueConversionError(f"{name} does not fit in {len(details)} places:", hint="\n  ".join(lines) + more)


def _path(steps: tuple[Any, ...]) -> str:
    path = ""
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return path if len(path) <= 100 else f"{path[:97]}..."


def _short(value: Any) -> str:
    from ...contracts import brief

    return brief(value, 80)


class AdaptedConverter(StructureConverter[Any]):
    """Converts values that pydantic can write as JSON and that nobody else knows, as ``UUID`` or ``Decimal``.

    Args:
        python_type: The type of the field.
        adapter: pydantic's ``TypeAdapter`` for it.
    """

    __slots__ = ("_adapter",)

    def __init__(self, python_type: Any, adapter: Any) -> None:
        self.python_type = python_type
        self.literal_type = types.JSON
        self._adapter = adapter

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert a value as pydantic writes it in JSON.

        Raises:
            ValueConversionError: pydantic cannot write it.
        """
        try:
            plain = self._adapter.dump_python(value, mode="json", warnings="error")
        except ValueError as error:
            raise self.refuse(value, str(error)) from error
        return Json(encode_plain(plain))

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Convert back as pydantic reads JSON.

        Raises:
            ValueConversionError: pydantic cannot read it.
        """
        while type(literal) is Hashed:
            literal = literal.value
        return self.from_plain(decode_plain(literal.value) if type(literal) is Json else plain_value(literal), context)

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take what pydantic reads.

        Raises:
            ValueConversionError: pydantic cannot read it.
        """
        try:
            return self._adapter.validate_python(value)
        except ValueError as error:
            raise validation_failure(self.describe(), error) from error

    def accepts(self, value: Any) -> bool:
        """Tell whether pydantic takes the value unchanged."""
        try:
            self._adapter.validate_python(value, strict=True)
        except ValueError:
            return False
        return True


class RootModelConverter(StructureConverter[Any]):
    """Converts pydantic root models: on the wire they are what they hold.

    Args:
        request: The type.
        root: Converts what it holds.
    """

    __slots__ = ("cls", "root")

    def __init__(self, request: TypeRequest, root: Converter[Any]) -> None:
        self.python_type = request.python_type
        self.cls = request.origin
        self.root = root
        self.literal_type = root.literal_type

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert a root model.

        Raises:
            ValueConversionError: The value is something else.
        """
        if not isinstance(value, self.cls):
            value = self.from_plain(value, context)
        return self.root.to_literal(value.root, context)

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Convert back and validate.

        Raises:
            ValueConversionError: The literal is of another type, or validation failed.
        """
        return self.from_plain(self.root.to_python(literal, context), context)

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take a root model, or what it holds.

        Raises:
            ValueConversionError: Validation failed.
        """
        if isinstance(value, self.cls):
            return value
        if not _is_native(self.root.literal_type):
            value = self.root.from_plain(value, context)
        try:
            return self.cls.model_validate(value)
        except ValueError as error:
            raise validation_failure(self.describe(), error) from error

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Take what describes the value it holds.

        Raises:
            ValueConversionError: It describes something else, or validation failed.
        """
        return self.from_plain(self.root.from_text(text, context), context)

    def to_html(self, value: Any) -> str:
        """Show what it holds."""
        return table([[type(value).__name__, self.root.to_text(value.root)]], total_rows=1)


class ModelTransformer(TypeTransformer):
    """Makes the converters of pydantic models, with a converter of the registry for each field.

    A field whose type the registry does not know is plain data on the wire, as pydantic writes and reads it in JSON.
    """

    name = "pydantic"
    python_types = ("pydantic.main.BaseModel",)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a model.

        Raises:
            UnsupportedTypeError: It is a model of pydantic 1, has a type that is not defined yet, a secret, or a field
                that neither the registry nor pydantic can convert.
        """
        cls = request.origin
        if not hasattr(cls, "model_fields"):
            raise UnsupportedTypeError(
                f"{type_name(cls)} is a model of pydantic 1", hint="Install pydantic 2 or newer."
            )
        if not cls.__pydantic_complete__:
            self._complete(cls)
        fields: list[RecordField] = []
        keys: dict[str, str] = {}
        annotated: Any = Annotated  # a checker wants its arguments written out
        for name, info in cls.model_fields.items():
            parts = (info.annotation, *info.metadata)
            annotation = annotated[parts] if info.metadata else info.annotation
            converter = self._field_converter(request, name, annotation)
            fields.append(RecordField(name, converter, info.is_required()))
            keys[name] = _validation_key(cls, name, info)
        if getattr(cls, "__pydantic_root_model__", False):
            return RootModelConverter(request, fields[0].converter)
        return ModelConverter(request, fields, keys)

    def _complete(self, cls: Any) -> None:
        try:
            cls.model_rebuild()
        except Exception as error:  # pydantic raises several classes of its own
            raise UnsupportedTypeError(
                f"{type_name(cls)} has a field whose type is not defined: {error}",
                hint="Define or import the type at the top level of the module.",
            ) from error

    def _field_converter(self, request: TypeRequest, name: str, annotation: Any) -> Converter[Any]:
        where = f"{type_name(request.python_type)}.{name}"
        if _holds_secret(annotation):
            raise UnsupportedTypeError(
                "a secret is stored nowhere and does not travel between tasks",
                hint="Ask for it in the task that uses it.",
                location=where,
            )
        try:
            return request.registry.converter(annotation)
        except UnsupportedTypeError as unsupported:
            from pydantic import TypeAdapter

            try:
                return AdaptedConverter(annotation, TypeAdapter(annotation))
            except Exception:  # noqa: BLE001 - pydantic raises several classes of its own
                raise UnsupportedTypeError(unsupported.message, hint=unsupported.hint, location=where) from unsupported


def _validation_key(cls: Any, name: str, info: Any) -> str:
    """Return the name under which `model_validate` looks for a field."""
    config = cls.model_config
    if config.get("populate_by_name") or config.get("validate_by_name"):
        return name
    alias = info.validation_alias
    choices = getattr(alias, "choices", [alias])
    return next((choice for choice in choices if isinstance(choice, str)), name)


def _is_native(literal_type: types.LiteralType) -> bool:
    """Tell whether pydantic reads values of a type from plain data: whether there is no file, frame or plugin's own in it."""
    match literal_type:
        case types.BlobOf() | types.DatasetOf() | types.Opaque():
            return False
        case types.ListOf(inner) | types.MapOf(inner):
            return _is_native(inner)
        case types.TupleOf(items) | types.UnionOf(items):
            return all(_is_native(item) for item in items)
        case types.Record(_, fields):
            return all(_is_native(field.type) for field in fields)
        case _:
            return True


def _holds_secret(annotation: Any) -> bool:
    import typing

    if any(_holds_secret(arg) for arg in typing.get_args(annotation)):
        return True
    bases = getattr(annotation, "__mro__", ())
    return any(
        base.__module__ == "pydantic.types" and base.__name__ in {"SecretStr", "SecretBytes", "Secret"}
        for base in bases
    )
