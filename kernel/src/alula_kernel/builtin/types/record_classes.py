"""Dataclasses, attrs classes, msgspec structs, named tuples and typed dictionaries."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ...contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from ...errors import UnsupportedTypeError, ValueConversionError
from ...literals import Literal, MapLiteral
from ...registry import type_name
from .members import member_converter
from .records import RecordConverter, RecordField, field_hints


class FieldPlan(msgspec.Struct, frozen=True):
    """What is known of a field before its converter is looked up.

    Attributes:
        name: Its name.
        required: Whether an object cannot be made without it.
        argument: Name of the argument of ``__init__``; None if there is none.
        default: What it is without an argument, where ``__init__`` is not used: a constant, or a function in a tuple.
    """

    name: str
    required: bool = True
    argument: str | None = None
    default: Any = None


def record_fields(request: TypeRequest, plans: Sequence[FieldPlan]) -> list[RecordField]:
    """Look up the converters of fields.

    Raises:
        UnsupportedTypeError: A field has no converter; the location says which.
    """
    name = type_name(request.python_type)
    hints = field_hints(request.origin, request.python_type, {plan.name for plan in plans})
    return [
        RecordField(
            plan.name, member_converter(request, hints.get(plan.name, Any), f"{name}.{plan.name}"), plan.required
        )
        for plan in plans
    ]


class ClassConverter(RecordConverter):
    """Converts objects whose class has an ``__init__`` with an argument for each field, or for most of them.

    What is converted back has the exact state of what was converted: ``__init__`` runs, with ``__post_init__``, and fields
    that it did not take, or changed, are then set.

    Args:
        request: The type.
        fields: The fields.
        plans: What is known of them, in the same order.
        exact: Whether ``__init__`` does nothing but store its arguments.
        bypass: Whether ``__init__`` cannot be called with the fields alone, so that it is not called at all.
    """

    __slots__ = ("_arguments", "_bypass", "_defaults", "_exact")

    def __init__(
        self,
        request: TypeRequest,
        fields: Sequence[RecordField],
        plans: Sequence[FieldPlan],
        *,
        exact: bool,
        bypass: bool,
    ) -> None:
        super().__init__(request, fields)
        self._arguments = {plan.name: plan.argument for plan in plans}
        self._defaults = {plan.name: plan.default for plan in plans if not plan.required}
        self._exact = exact and all(plan.argument == plan.name for plan in plans)
        self._bypass = bypass

    def _make(self, values: dict[str, Any]) -> Any:
        if self._exact:
            return self.cls(**values)
        if self._bypass:
            return self._assigned(self.cls.__new__(self.cls), {**self._default_values(values), **values})
        made = self.cls(
            **{argument: values[name] for name, argument in self._arguments.items() if argument and name in values}
        )
        return self._assigned(made, {name: item for name, item in values.items() if not self._arguments[name]})

    def _restore(self, values: dict[str, Any]) -> Any:
        made = self._make(values)
        return made if self._exact or self._bypass else self._assigned(made, values)

    def _default_values(self, values: dict[str, Any]) -> dict[str, Any]:
        return {
            name: default[0]() if isinstance(default, tuple) else default
            for name, default in self._defaults.items()
            if name not in values
        }

    def _assigned(self, made: Any, values: dict[str, Any]) -> Any:
        for name, item in values.items():
            object.__setattr__(made, name, item)  # frozen classes refuse setattr
        return made


def _dataclass_plans(cls: Any) -> Iterator[FieldPlan]:
    for field in dataclasses.fields(cls):
        if field.default_factory is not dataclasses.MISSING:
            yield FieldPlan(field.name, False, field.name if field.init else None, (field.default_factory,))
        elif field.default is not dataclasses.MISSING:
            yield FieldPlan(field.name, False, field.name if field.init else None, _constant(field.default))
        else:
            # A field that __post_init__ computes is there in every object, but need not be given.
            yield FieldPlan(field.name, field.init, field.name if field.init else None)


def _constant(value: Any) -> Any:
    """Write a default so that a tuple is not taken for a function's wrapper."""
    return (lambda: value,) if isinstance(value, tuple) else value


def _init_only_required(cls: Any) -> bool:
    """Tell whether a dataclass has an ``InitVar`` without a default, which no stored field can supply."""
    stored = {field.name for field in dataclasses.fields(cls)}
    return any(
        _is_init_var(field.type)
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
        for name, field in cls.__dataclass_fields__.items()
        if name not in stored
    )


def _is_init_var(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.partition("[")[0].rpartition(".")[2] == "InitVar"
    return annotation is dataclasses.InitVar or isinstance(annotation, dataclasses.InitVar)


class DataclassTransformer(TypeTransformer):
    """Makes the converters of dataclasses."""

    name = "dataclasses"

    def matches(self, request: TypeRequest) -> bool:
        """Tell whether the type is a dataclass."""
        return isinstance(request.origin, type) and dataclasses.is_dataclass(request.origin)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a dataclass.

        Raises:
            UnsupportedTypeError: A field has no converter; the location says which.
        """
        cls = request.origin
        plans = list(_dataclass_plans(cls))
        fields = record_fields(request, plans)
        generated = cls.__dataclass_params__.init
        return ClassConverter(
            request,
            fields,
            plans,
            exact=generated and not hasattr(cls, "__post_init__"),
            bypass=not generated or _init_only_required(cls),
        )


class AttrsTransformer(TypeTransformer):
    """Makes the converters of attrs classes, without importing attrs."""

    name = "attrs"

    def matches(self, request: TypeRequest) -> bool:
        """Tell whether the type is an attrs class."""
        return hasattr(request.origin, "__attrs_attrs__")

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of an attrs class.

        Raises:
            UnsupportedTypeError: A field has no converter; the location says which.
        """
        import sys

        cls = request.origin
        nothing = sys.modules["attr"].NOTHING  # attrs is imported, or the class would not exist
        plans = [
            FieldPlan(
                attribute.name,
                attribute.init and attribute.default is nothing,
                (getattr(attribute, "alias", None) or attribute.name.lstrip("_")) if attribute.init else None,
            )
            for attribute in cls.__attrs_attrs__
        ]
        fields = record_fields(request, plans)
        return ClassConverter(request, fields, plans, exact=False, bypass=False)


class StructTransformer(TypeTransformer):
    """Makes the converters of msgspec structs."""

    name = "msgspec"
    python_types = (msgspec.Struct,)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a struct.

        Raises:
            UnsupportedTypeError: A field has no converter; the location says which.
        """
        cls = request.origin
        defaults = cls.__struct_defaults__
        first_default = len(cls.__struct_fields__) - len(defaults)
        plans = [
            FieldPlan(name, index < first_default or defaults[index - first_default] is msgspec.NODEFAULT, name)
            for index, name in enumerate(cls.__struct_fields__)
        ]
        fields = record_fields(request, plans)
        return ClassConverter(request, fields, plans, exact=True, bypass=False)


class NamedTupleConverter(RecordConverter):
    """Converts named tuples; a plain tuple with as many items is taken too."""

    __slots__ = ()

    def _coerce(self, value: Any, context: ConversionContext) -> Any:
        if type(value) is tuple and len(value) == len(self.fields):
            return self.cls(*value)
        return super()._coerce(value, context)

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take a named tuple, a dict of plain data for its fields, a list of plain data in their order, or JSON.

        Raises:
            ValueConversionError: It is something else, or does not describe the fields.
        """
        if type(value) in (list, tuple) and len(value) == len(self.fields):
            value = {field.name: item for field, item in zip(self.fields, value, strict=True)}
        return super().from_plain(value, context)


class NamedTupleTransformer(TypeTransformer):
    """Makes the converters of ``typing.NamedTuple`` classes."""

    name = "named tuples"

    def matches(self, request: TypeRequest) -> bool:
        """Tell whether the type is a named tuple."""
        cls = request.origin
        return isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_field_defaults")

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a named tuple.

        Raises:
            UnsupportedTypeError: A field has no type, or no converter; the location says which.
        """
        cls = request.origin
        if not any("__annotations__" in vars(base) for base in cls.__mro__):
            raise UnsupportedTypeError(
                f"{type_name(cls)} does not declare the types of its fields",
                hint="Use typing.NamedTuple or a dataclass.",
            )
        plans = [FieldPlan(name, name not in cls._field_defaults, name) for name in cls._fields]
        return NamedTupleConverter(request, record_fields(request, plans))


class TypedDictConverter(RecordConverter):
    """Converts typed dictionaries; keys that may be left out are, on the wire too."""

    __slots__ = ()

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert a dict.

        Raises:
            ValueConversionError: The value is not a dict, a key is missing or unknown, or a value is not of its type.
        """
        if not isinstance(value, Mapping):
            raise self.refuse(value)
        self._check_names(value)
        entries: dict[str, Literal] = {}
        name = ""
        try:
            for name, convert in self._writers:
                if name in value:
                    entries[name] = convert(value[name], context)
        except ValueConversionError as error:
            raise error.within(name) from error.__cause__
        return MapLiteral(entries)

    def _make(self, values: dict[str, Any]) -> Any:
        return values

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is a dict whose keys are declared."""
        return self._describes(value)

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take a dict of plain data, or its JSON.

        Raises:
            ValueConversionError: It is something else, or does not describe the values.
        """
        if isinstance(value, str):
            return self.from_text(value, context)
        if not isinstance(value, Mapping):
            raise self.refuse(value)
        return self._from_mapping(value, context)


class TypedDictTransformer(TypeTransformer):
    """Makes the converters of ``typing.TypedDict`` classes."""

    name = "typed dictionaries"

    def matches(self, request: TypeRequest) -> bool:
        """Tell whether the type is a typed dictionary, of ``typing`` or of ``typing_extensions``."""
        cls = request.origin
        return isinstance(cls, type) and issubclass(cls, dict) and hasattr(cls, "__required_keys__")

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a typed dictionary.

        Raises:
            UnsupportedTypeError: A value has no converter; the location says which.
        """
        cls = request.origin
        fields: list[RecordField] = []
        for name, hint in field_hints(cls, request.python_type, cls.__annotations__).items():
            required = name in cls.__required_keys__
            while (qualifier := _qualifier(hint)) is not None:
                # Python does not see NotRequired in an annotation that is a string, so it counts for more.
                required = {"NotRequired": False, "Required": True}.get(qualifier, required)
                hint = typing.get_args(hint)[0]
            where = f"{type_name(request.python_type)}.{name}"
            fields.append(RecordField(name, member_converter(request, hint, where), required))
        return TypedDictConverter(request, fields)


def _qualifier(hint: Any) -> str | None:
    name = getattr(typing.get_origin(hint), "_name", None)
    return name if name in {"Required", "NotRequired", "ReadOnly"} else None
