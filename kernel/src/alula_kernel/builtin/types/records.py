"""Named fields: what the converters of dataclasses, models, named tuples and typed dictionaries share."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from ...contracts import ConversionContext, Converter, TypeRequest, brief
from ...errors import UnsupportedTypeError, ValueConversionError
from ...literals import Json, Literal, MapLiteral
from ...registry import too_deep, type_name
from ...types import FieldType, Record
from .base import StructureConverter
from .plain import PLAIN
from .previews import table


class RecordField(msgspec.Struct, frozen=True):
    """One field of a record.

    Attributes:
        name: Its name, in Python and on the wire.
        converter: Converts its values.
        required: Whether a record cannot be made without it.
    """

    name: str
    converter: Converter[Any]
    required: bool = True


class RecordConverter(StructureConverter[Any]):
    """Converts objects with named fields.

    Subclasses say how an object's fields are read (`_read`) and how an object is made (`_make`). A dict with the fields
    is taken wherever an object is.

    Args:
        request: The type.
        fields: The fields in order of declaration.
    """

    __slots__ = ("_readers", "_required", "_writers", "by_name", "cls", "fields")

    example = '{"name": "value"}'

    def __init__(self, request: TypeRequest, fields: Sequence[RecordField]) -> None:
        self.python_type = request.python_type
        self.cls = request.origin
        self.fields = tuple(fields)
        self.by_name = {field.name: field for field in fields}
        self.literal_type = Record(
            type_name(request.python_type),
            tuple(FieldType(field.name, field.converter.literal_type, field.required) for field in fields),
        )
        self._writers = tuple((field.name, field.converter.to_literal) for field in fields)
        self._readers = tuple((field.name, field.converter.to_python) for field in fields)
        self._required = frozenset(field.name for field in fields if field.required)

    def _make(self, values: dict[str, Any]) -> Any:
        """Make an object from the Python values of its fields.

        Raises:
            Exception: Whatever the class raises; it becomes a `ValueConversionError`.
        """
        return self.cls(**values)

    def _restore(self, values: dict[str, Any]) -> Any:
        """Make an object equal to the one that had these values; the default makes it as any other."""
        return self._make(values)

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert an object, or a dict with its fields.

        Raises:
            ValueConversionError: The value is neither, or a field is not of its type; the location says which.
        """
        if not isinstance(value, self.cls):
            value = self._coerce(value, context)
        entries: dict[str, Literal] = {}
        name = ""
        try:
            for name, convert in self._writers:
                entries[name] = convert(getattr(value, name), context)
        except ValueConversionError as error:
            raise error.within(name) from error.__cause__
        except AttributeError as error:
            raise ValueConversionError(
                f"expected {self.describe()}, found one without the field {name!r}",
                hint="Give the field a value before the object is returned or passed on.",
            ) from error
        except RecursionError:
            raise too_deep() from None
        return MapLiteral(entries)

    def _coerce(self, value: Any, context: ConversionContext) -> Any:
        if isinstance(value, Mapping):
            return self.from_plain(value, context)
        raise self.refuse(value)

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Convert back. Fields that the literal has not get their defaults; those that the class has not are left out.

        Raises:
            ValueConversionError: The literal is not a map, a field is missing or not of its type, or the class refused
                the values.
        """
        if type(literal) is not MapLiteral:
            if type(literal) is Json and isinstance(literal.value, dict):
                return self.from_plain(PLAIN.to_python(literal, context), context)
            return self.unwrapped(literal, context)
        entries = literal.entries
        values: dict[str, Any] = {}
        name = ""
        try:
            for name, convert in self._readers:
                entry = entries.get(name)
                if entry is not None:
                    values[name] = convert(entry, context)
        except ValueConversionError as error:
            raise error.within(name) from error.__cause__
        except RecursionError:
            raise too_deep() from None
        if not self._required <= values.keys():
            raise self._missing([field.name for field in self.fields if field.required and field.name not in values])
        return self._construct(self._restore, values)

    def _construct(self, make: Callable[[dict[str, Any]], Any], values: dict[str, Any]) -> Any:
        try:
            return make(values)
        except ValueConversionError:
            raise
        except Exception as error:  # the class is the user's and may raise anything
            raise ValueConversionError(
                f"{self.describe()} refused its fields: {type(error).__name__}: {error}",
            ) from error

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is an object of the class, or a dict whose keys are its fields."""
        return isinstance(value, self.cls) or self._describes(value)

    def _describes(self, value: Any) -> bool:
        return isinstance(value, dict) and self.by_name.keys() >= value.keys() >= self._required

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take an object, a dict of plain data for its fields, or its JSON.

        Raises:
            ValueConversionError: It is something else, a field is missing, unknown, or not described by its data, or the
                class refused the values.
        """
        if isinstance(value, self.cls):
            return value
        if isinstance(value, str):
            return self.from_text(value, context)
        if not isinstance(value, Mapping):
            raise self.refuse(value)
        return self._from_mapping(value, context)

    def _from_mapping(self, mapping: Mapping[Any, Any], context: ConversionContext) -> Any:
        self._check_names(mapping)
        values: dict[str, Any] = {}
        name = ""
        try:
            for name, item in mapping.items():
                values[name] = self.by_name[name].converter.from_plain(item, context)
        except ValueConversionError as error:
            raise error.within(name) from error.__cause__
        except RecursionError:
            raise too_deep() from None
        return self._construct(self._make, values)

    def _check_names(self, mapping: Mapping[Any, Any]) -> None:
        for name in mapping:
            if name not in self.by_name:
                import difflib

                near = difflib.get_close_matches(str(name), self.by_name, n=1)
                fields = ", ".join(list(self.by_name)[:20]) or "none"
                raise ValueConversionError(
                    f"{self.describe()} has no field {name!r}",
                    hint=f"Did you mean {near[0]!r}?" if near else f"Its fields: {fields}.",
                )
        missing = [field.name for field in self.fields if field.required and field.name not in mapping]
        if missing:
            raise self._missing(missing)

    def _missing(self, names: Sequence[str]) -> ValueConversionError:
        word = "field" if len(names) == 1 else "fields"
        return ValueConversionError(f"{self.describe()} misses the required {word} {', '.join(map(repr, names))}")

    def cells(self, value: Any) -> list[str]:
        """Show each field as text, for a row of a table."""
        return [brief(self._field_value(value, field.name), 200) for field in self.fields]

    def _field_value(self, value: Any, name: str) -> Any:
        return value.get(name) if isinstance(value, dict) else getattr(value, name, None)

    def to_html(self, value: Any) -> str:
        """Show the fields as a table."""
        rows = zip((field.name for field in self.fields), self.cells(value), strict=True)
        return table(rows, total_rows=len(self.fields))


def field_hints(cls: Any, python_type: Any, names: Collection[str]) -> dict[str, Any]:
    """Return the types of a class's fields, strings resolved and type variables replaced.

    Other annotations of the class are not looked at: ``typing.get_type_hints`` of Python 3.10 fails on ``InitVar`` and
    ``KW_ONLY``, and a ``ClassVar`` may name what is imported for type checkers only.

    Args:
        cls: The class.
        python_type: The class, or the class with arguments, as ``Box[int]``.
        names: The fields.

    Raises:
        UnsupportedTypeError: A name in an annotation cannot be found.
    """
    # A class made inside a function does not find itself by name, nor, on some versions of Python, its own type variables.
    known = {base.__name__: base for base in reversed(cls.__mro__)}
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        annotations = {k: v for k, v in vars(base).get("__annotations__", {}).items() if k in names}
        if not annotations:
            continue
        parameters = {parameter.__name__: parameter for parameter in getattr(base, "__type_params__", ())}
        module = sys.modules.get(base.__module__)
        namespace = vars(module) if module else {}
        holder: Any = types.SimpleNamespace(__annotations__=annotations)
        try:
            found = typing.get_type_hints(holder, namespace, known | parameters, include_extras=True)
            holder.__annotations__ = {name: _with_references(hint) for name, hint in found.items()}
            if holder.__annotations__ != found:
                found = typing.get_type_hints(holder, namespace, known | parameters, include_extras=True)
        except NameError as error:
            raise UnsupportedTypeError(
                f"a field of {base.__qualname__} has an annotation that cannot be resolved: {error}",
                hint="Define or import the name at the top level of the module, outside functions and `if TYPE_CHECKING`.",
            ) from error
        hints.update(found)
    variables = _type_variables(python_type)
    return {name: substitute(hint, variables) for name, hint in hints.items()} if variables else hints


def _with_references(hint: Any) -> Any:
    """Make forward references of the strings in a type, which Python 3.10 leaves in ``list["Node"]``."""
    args = getattr(hint, "__args__", ())
    if typing.get_origin(hint) is typing.Literal:
        return hint
    made = tuple(typing.ForwardRef(arg) if isinstance(arg, str) else _with_references(arg) for arg in args)
    if made == args:
        return hint
    if isinstance(hint, types.UnionType):
        return typing.Union[made]  # noqa: UP007 - made of a tuple
    origin: Any = typing.get_origin(hint)
    return origin[made] if isinstance(hint, types.GenericAlias) else hint.copy_with(made)


def _type_variables(python_type: Any) -> dict[Any, Any]:
    """Map the type variables of a generic class and of its bases to what stands for them."""
    origin = typing.get_origin(python_type) or python_type
    args = typing.get_args(python_type)
    own = dict(zip(getattr(origin, "__parameters__", ()), args, strict=False))
    found = dict(own)
    for base in getattr(origin, "__orig_bases__", ()):
        if typing.get_origin(base) not in {None, typing.Generic, typing.Protocol}:
            found.update(_type_variables(substitute(base, own)))
    return found


def substitute(hint: Any, variables: Mapping[Any, Any]) -> Any:
    """Replace type variables in a type by what stands for them; those that nothing stands for stay."""
    if type(hint).__name__ == "TypeVar":
        return variables.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    if not parameters or issubclass(type(hint), type):
        return hint
    return hint[tuple(variables.get(parameter, parameter) for parameter in parameters)]
