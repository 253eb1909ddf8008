"""The type registry: which converter handles a Python type.

A converter is looked up once per type and then shared. The order of a look-up, the first answer wins:

1. a `Converter` or `TypeTransformer` inside ``Annotated[...]``,
2. a transformer that names the class (or special form, as ``typing.Union``) itself, then its origin (``list`` of
   ``list[int]``),
3. a transformer that names one of its base classes, nearest first,
4. a transformer whose `matches` says yes, highest priority first.

Where the one that is found refuses the type, one that `takes_refused` is asked, if there is any.

``NewType`` and type aliases stand for what they name; ``HashMethod`` in ``Annotated`` wraps whatever was found.
"""

from __future__ import annotations

import enum
import keyword
import sys
import threading
import types as python_types
import typing
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import msgspec

from .contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from .errors import PluginError, UnsupportedTypeError, ValueConversionError
from .hashing import HashingConverter, HashMethod
from .literals import Literal
from .types import (
    JSON,
    EnumOf,
    ListOf,
    LiteralType,
    MapOf,
    Record,
    RecordRef,
    TupleOf,
    UnionOf,
    display,
)

__all__ = ["MAX_DEPTH", "HashMethod", "RecursiveConverter", "TypeRegistry", "too_deep", "type_name"]

MAX_DEPTH = 100
"""How many levels a value may be nested, in recursive types and in plain data.

Well below where Python's stack ends: a level of a recursive record takes up to eight calls, and the literal made here must
still be encoded, hashed and converted back, perhaps from a stack that is deep already.
"""


def type_name(python_type: Any) -> str:
    """Name a Python type as its author writes it, without modules: ``list[int]``, ``Box[str]``, ``int | None``."""
    origin = typing.get_origin(python_type)
    if origin is Annotated:
        return type_name(python_type.__origin__)
    if origin is None:
        return _plain_name(python_type)
    args = typing.get_args(python_type)
    if origin is typing.Union or origin is python_types.UnionType:
        return " | ".join(type_name(arg) for arg in args)
    if origin is typing.Literal:
        return f"Literal[{', '.join(repr(getattr(arg, 'value', arg)) for arg in args)}]"
    if not args and not hasattr(python_type, "__args__"):  # typing.List
        return _plain_name(origin)
    inner = ", ".join(type_name(arg) for arg in args) or "()"
    return f"{_plain_name(origin)}[{inner}]"


def _plain_name(python_type: Any) -> str:
    if python_type is type(None) or python_type is None:
        return "None"
    if python_type is ...:
        return "..."
    for attribute in ("__qualname__", "__name__", "_name"):
        name = getattr(python_type, attribute, None)
        if isinstance(name, str):
            return name.rpartition("<locals>.")[2]
    return str(python_type)


def too_deep() -> ValueConversionError:
    """Build the error for a value that is nested too deeply."""
    return ValueConversionError(
        f"the value is nested more than {MAX_DEPTH} levels deep",
        hint="Flatten it, as into a list of nodes, or write it to a File.",
    )


class _Depth(threading.local):
    """How many recursive converters are at work on this thread.

    Kept per thread rather than handed on, because `Converter` methods have no argument for it and only recursive types
    need it; every change is undone before the converter returns.
    """

    level = 0


_depth = _Depth()


def _descend() -> None:
    if _depth.level >= MAX_DEPTH:
        raise too_deep()
    _depth.level += 1


class RecursiveConverter(Converter[Any]):
    """Stands for a type inside its own definition; its converter exists only when the definition is complete.

    Args:
        python_type: The type.
    """

    __slots__ = ("literal_type", "python_type", "target")

    target: Converter[Any]

    def __init__(self, python_type: Any) -> None:
        self.python_type = python_type
        self.literal_type = RecordRef(type_name(python_type))

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert as the complete converter does.

        Raises:
            ValueConversionError: As there, or the value is nested too deeply.
        """
        _descend()
        try:
            return self.target.to_literal(value, context)
        except RecursionError:
            raise too_deep() from None
        finally:
            _depth.level -= 1

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Convert back as the complete converter does.

        Raises:
            ValueConversionError: As there, or the literal is nested too deeply.
        """
        _descend()
        try:
            return self.target.to_python(literal, context)
        except RecursionError:
            raise too_deep() from None
        finally:
            _depth.level -= 1

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Make a value as the complete converter does.

        Raises:
            ValueConversionError: As there, or the data is nested too deeply.
        """
        _descend()
        try:
            return self.target.from_plain(value, context)
        except RecursionError:
            raise too_deep() from None
        finally:
            _depth.level -= 1

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Make a value as the complete converter does."""
        return self.target.from_text(text, context)

    def accepts(self, value: Any) -> bool:
        """Tell as the complete converter does."""
        return self.target.accepts(value)

    def to_html(self, value: Any) -> str:
        """Show as the complete converter does."""
        return self.target.to_html(value)

    def to_text(self, value: Any) -> str:
        """Show as the complete converter does."""
        return self.target.to_text(value)

    def describe(self) -> str:
        """Name the type."""
        return type_name(self.python_type)


class _Building(msgspec.Struct):
    """A type whose converter is being made.

    Attributes:
        key: Key of the type.
        index: Position on the stack of types being made.
        lowest: Lowest position that its definition refers back to; below `index`, its converter is valid only as a part
            of the definition that it refers to.
        recursive: Whether it, or something in it, refers to itself.
        reference: What stands for the type inside its own definition, once it was asked for.
    """

    key: Any
    index: int
    lowest: int
    recursive: bool = False
    reference: RecursiveConverter | None = None


class TypeRegistry:
    """Finds converters.

    Converters are memoised, so asking again costs a dictionary look-up. Safe to use from several threads.

    Args:
        transformers: Transformers to begin with; their source is "alula-kernel".
    """

    def __init__(self, transformers: Iterable[TypeTransformer] = ()) -> None:
        self._lock = threading.RLock()
        self._transformers: list[TypeTransformer] = []
        self._sources: dict[str, str] = {}
        self._by_name: dict[str, TypeTransformer] = {}
        self._by_last_name: dict[str, list[str]] = {}
        self._memo: dict[Any, Converter[Any]] = {}
        # Where a cycle of types is entered decides which of them is written out and which is a reference, so recursive
        # types are made anew inside others. Else a literal type would depend on what was looked up before.
        self._recursive_memo: dict[Any, Converter[Any]] = {}
        # Annotated types of the memo. Some keys hold the address of a piece of metadata, which must not be reused.
        self._kept: dict[Any, Any] = {}
        self._stack: list[_Building] = []
        self._parts: dict[Any, Converter[Any]] = {}
        self._guessed: dict[LiteralType, Any] = {}
        for transformer in transformers:
            self.register(transformer, "alula-kernel")

    @property
    def transformers(self) -> tuple[TypeTransformer, ...]:
        """The registered transformers, in order of registration."""
        return tuple(self._transformers)

    def source(self, transformer: TypeTransformer) -> str:
        """Tell which distribution or plugin registered a transformer."""
        return self._sources[transformer.name]

    def register(self, transformer: TypeTransformer, source: str = "") -> None:
        """Add a transformer. Types that were looked up before are looked up again when they are next asked for.

        Args:
            transformer: The transformer.
            source: Who registers it, for messages, as ``alula-duckdb 0.1.0``.

        Raises:
            PluginError: Its name, or a class that it claims, is taken; nothing was added.
        """
        source = source or type(transformer).__module__
        names = [_dotted(claimed) for claimed in transformer.python_types]
        with self._lock:
            if transformer.name in self._sources:
                raise PluginError(
                    f"{source} and {self._sources[transformer.name]} both register a type transformer named "
                    f"{transformer.name!r}",
                    hint=_DUPLICATE_HINT,
                )
            for name in names:
                if (other := self._by_name.get(name)) is not None:
                    raise PluginError(
                        f"type transformer {transformer.name!r} of {source} and {other.name!r} of "
                        f"{self._sources[other.name]} both handle {name}",
                        hint=_DUPLICATE_HINT,
                    )
            self._transformers.append(transformer)
            self._sources[transformer.name] = source
            for name in names:
                self._by_name[name] = transformer
                self._by_last_name.setdefault(name.rpartition(".")[2], []).append(name)
            self._memo = {}
            self._recursive_memo = {}
            self._kept = {}
            self._guessed = {}

    def converter(self, python_type: Any) -> Converter[Any]:
        """Return the converter of a Python type.

        Args:
            python_type: A type as annotated, ``Annotated`` included; string annotations are resolved by the caller.

        Raises:
            UnsupportedTypeError: No transformer handles it, or the one that does refuses it.
        """
        key = _type_key(python_type)
        known = self._memo.get(key)
        return known if known is not None else self._build(python_type, key)

    def _build(self, python_type: Any, key: Any) -> Converter[Any]:
        with self._lock:
            if not self._stack and (known := self._recursive_memo.get(key)) is not None:
                return known
            for open_type in self._stack:
                if open_type.key == key and _may_be_referred_to(python_type):
                    return self._reference(open_type, python_type)
            if key in self._parts:
                return self._part_again(key, python_type)
            building = _Building(key, len(self._stack), len(self._stack))
            parts_before = len(self._parts)
            self._stack.append(building)
            try:
                converter = self._resolve(python_type)
            except BaseException:
                while len(self._parts) > parts_before:  # they may refer to what failed
                    self._parts.popitem()
                raise
            finally:
                self._stack.pop()
                if not self._stack:
                    self._parts = {}
            if building.reference is not None:
                building.reference.target = converter
            recursive = building.recursive or building.reference is not None
            if self._stack:
                parent = self._stack[-1]
                parent.lowest = min(parent.lowest, building.lowest)
                parent.recursive = parent.recursive or recursive
            if building.lowest < building.index:
                if isinstance(converter.literal_type, Record):
                    self._parts[key] = converter
            else:
                (self._recursive_memo if recursive else self._memo)[key] = converter
                self._kept[key] = python_type
        return converter

    def _reference(self, open_type: _Building, python_type: Any) -> Converter[Any]:
        self._stack[-1].lowest = min(self._stack[-1].lowest, open_type.index)
        self._stack[-1].recursive = True
        if open_type.reference is None:
            open_type.reference = RecursiveConverter(_strip(python_type)[0])
        return open_type.reference

    def _part_again(self, key: Any, python_type: Any) -> Converter[Any]:
        """Refer to a record that this build has made before.

        Without this, classes that all refer to each other, as those of a syntax tree, would be expanded along every path
        between them, which grows with the factorial of their number.
        """
        self._stack[-1].lowest = 0
        self._stack[-1].recursive = True
        again = RecursiveConverter(_strip(python_type)[0])
        again.target = self._parts[key]
        return again

    def _resolve(self, python_type: Any) -> Converter[Any]:
        base, metadata = _strip(python_type)
        for extra in metadata:
            if isinstance(extra, Converter):
                found = extra
                break
            transformer = _as_transformer(extra)
            if transformer is not None:
                found = transformer.converter(self._request(base, metadata))
                break
        else:
            if not metadata and base is not python_type:
                return self.converter(base)
            found = self._found(self._request(base, metadata))
        hash_method = next((extra for extra in metadata if isinstance(extra, HashMethod)), None)
        return found if hash_method is None else HashingConverter(found, hash_method)

    def _request(self, base: Any, metadata: tuple[Any, ...]) -> TypeRequest:
        return TypeRequest(
            python_type=base,
            origin=typing.get_origin(base) or base,
            args=typing.get_args(base),
            metadata=metadata,
            registry=self,
        )

    def _found(self, request: TypeRequest) -> Converter[Any]:
        try:
            return self._find(request).converter(request)
        except UnsupportedTypeError:
            last = next((transformer for transformer in self._transformers if transformer.takes_refused), None)
            if last is None:
                raise
            return last.converter(request)

    def _find(self, request: TypeRequest) -> TypeTransformer:
        if isinstance(request.python_type, (str, typing.ForwardRef)):
            raise UnsupportedTypeError(
                f"the annotation {str(request.python_type)!r} is a string that was not resolved",
                hint="Make the name importable from the module of the function, at its top level.",
            )
        found = self._named(request.python_type) or self._named(request.origin)
        if found is None and isinstance(request.origin, type):
            for base in _bases(request.origin):
                if (found := self._named(base)) is not None:
                    break
        return found or self._matching(request)

    def _named(self, python_type: Any) -> TypeTransformer | None:
        try:
            name = _dotted(python_type)
        except TypeError:
            return None
        found = self._by_name.get(name)
        if found is not None or not isinstance(python_type, type):
            return found
        # A class is often claimed by its public name (pandas.DataFrame) and defined elsewhere
        # (pandas.core.frame.DataFrame). If it is the same class, the module of the public name is imported already.
        for public in self._by_last_name.get(python_type.__name__, ()):
            module_name, _, attribute = public.rpartition(".")
            module = sys.modules.get(module_name)
            if module is not None and getattr(module, attribute, None) is python_type:
                return self._by_name[public]
        return None

    def _matching(self, request: TypeRequest) -> TypeTransformer:
        matching = [transformer for transformer in self._transformers if transformer.matches(request)]
        if matching:
            return max(matching, key=lambda transformer: transformer.priority)
        name = type_name(request.python_type)
        module = getattr(request.origin, "__module__", "")
        where = f" of module {module}" if module and module != "builtins" else ""
        raise UnsupportedTypeError(
            f"no type transformer handles {name}{where}",
            hint=f"Use a supported type (int, str, list[T], a dataclass, File ...), annotate it as Pickle[{name}], or "
            "install a plugin that handles it.",
        )

    def python_type(self, literal_type: LiteralType) -> Any:
        """Return the Python type that best stands for a literal type.

        Transformers are asked first, highest priority and then first registration first. Collections and unions that
        none of them knows are put together from their parts; a record becomes a dataclass with the same fields, a set of
        values a ``typing.Literal``.

        Raises:
            UnsupportedTypeError: It is a type that only the author's Python class can express.
        """
        with self._lock:
            found = self._guessed.get(literal_type)
            if found is None:
                found = self._guessed[literal_type] = self._guess(literal_type, {})
            return found

    def _guess(self, literal_type: LiteralType, records: dict[str, Any]) -> Any:
        for transformer in sorted(self._transformers, key=lambda transformer: -transformer.priority):
            found = transformer.python_type(literal_type)
            if found is not None:
                return found
        match literal_type:
            case ListOf(item):
                return list[self._guess_part(item, records)]  # type: ignore[misc]
            case MapOf(value):
                return dict[str, self._guess_part(value, records)]  # type: ignore[misc]
            case TupleOf(items):
                return tuple[tuple(self._guess_part(item, records) for item in items)]  # type: ignore[misc]
            case UnionOf(variants):
                return typing.Union[tuple(self._guess(variant, records) for variant in variants)]  # noqa: UP007
            case EnumOf(_, values):
                return typing.Literal[values]
            case Record():
                return self._guess_record(literal_type, records)
            case RecordRef(name) if name in records:
                return records[name]
        raise UnsupportedTypeError(
            f"no Python type is known for {display(literal_type)}",
            hint="Say which type is wanted, or install the plugin that made the value.",
        )

    def _guess_part(self, literal_type: LiteralType, records: dict[str, Any]) -> Any:
        """Guess the type of a part; plain data in a larger value may be anything, alone it is most often a dict."""
        return Any if literal_type == JSON else self._guess(literal_type, records)

    def _guess_record(self, record: Record, records: dict[str, Any]) -> Any:
        if not all(field.name.isidentifier() and not keyword.iskeyword(field.name) for field in record.fields):
            hints = {field.name: self._guess_part(field.type, records) for field in record.fields}
            return typing.TypedDict(record.name, hints)  # type: ignore[operator] # fields known only here
        import dataclasses

        # The class exists before the types of its fields are known, because they may refer to it.
        fields = [
            (field.name, Any) if field.required else (field.name, Any, dataclasses.field(default=None))
            for field in record.fields
        ]
        made = dataclasses.make_dataclass(record.name, fields, kw_only=True)
        made.__module__ = __name__  # as Python 3.12 and newer set it
        records = {**records, record.name: made}
        for field in record.fields:
            guessed = self._guess_part(field.type, records)
            made.__annotations__[field.name] = guessed if field.required else typing.Optional[guessed]  # noqa: UP045
        return made


_DUPLICATE_HINT = "Uninstall one of the two; the one registered first is in use."


def _as_transformer(extra: Any) -> TypeTransformer | None:
    """Return the transformer that a piece of ``Annotated`` metadata is or makes, if it is one."""
    if isinstance(extra, TypeTransformer):
        return extra
    if isinstance(extra, type) and issubclass(extra, TypeTransformer):
        return extra()
    return None


def _strip(python_type: Any) -> tuple[Any, tuple[Any, ...]]:
    """Take ``Annotated``, ``NewType`` and type aliases off a type, and return what stood in ``Annotated``."""
    metadata: tuple[Any, ...] = ()
    while True:
        if typing.get_origin(python_type) is Annotated:
            metadata = (*python_type.__metadata__, *metadata)
            python_type = python_type.__origin__
        elif isinstance(python_type, typing.NewType):
            python_type = python_type.__supertype__
        elif type(python_type).__name__ == "TypeAliasType":
            python_type = python_type.__value__
        elif type(typing.get_origin(python_type)).__name__ == "TypeAliasType":
            alias = typing.get_origin(python_type)
            python_type = alias.__value__[typing.get_args(python_type)]
        elif python_type is None:
            python_type = type(None)
        else:
            return python_type, metadata


def _may_be_referred_to(python_type: Any) -> bool:
    """Tell whether a type may stand as a name inside its own definition: a class of the user's or an alias.

    Collections and unions are written out wherever they stand; every cycle goes through a class or an alias.
    """
    if type(python_type).__name__ == "TypeAliasType":
        return True
    base, _ = _strip(python_type)
    origin = typing.get_origin(base) or base
    return isinstance(origin, type) and origin.__module__ not in {"builtins", "collections", "collections.abc", "types"}


def _type_key(python_type: Any) -> Any:
    """Return a key that is equal only for types written alike: order of unions, types of literals, metadata.

    Python's own equality will not do: ``list[int | str] == list[str | int]``, though they differ on the wire, and which
    one is looked up first must not decide.
    """
    if issubclass(type(python_type), type):
        return python_type
    origin = typing.get_origin(python_type)
    if origin is None or not hasattr(python_type, "__args__"):  # typing.Tuple is not tuple[()]
        return _value_key(python_type)
    if origin is Annotated:
        metadata = tuple(_value_key(extra) for extra in python_type.__metadata__)
        return (Annotated, _type_key(python_type.__origin__), metadata)
    args = typing.get_args(python_type)
    if origin is typing.Literal:
        return (origin, tuple(_value_key(arg) for arg in args))
    origin = typing.Union if origin is python_types.UnionType else origin
    return (origin, tuple(_type_key(arg) for arg in args))


def _value_key(value: Any) -> Any:
    """Return a key of any value: itself and its type if it is hashable, else what it consists of or looks like."""
    try:
        hash(value)
    except TypeError:
        if isinstance(value, dict):
            return (dict, tuple((_value_key(k), _value_key(v)) for k, v in value.items()))
        if isinstance(value, (list, set)):
            return (type(value), tuple(_value_key(item) for item in value))
        return (type(value), repr(value))
    return (type(value), value)


def _dotted(python_type: Any) -> str:
    """Return ``module.name`` of a class or special form; a string is returned as it is.

    Raises:
        TypeError: It has no name.
    """
    if isinstance(python_type, str):
        return python_type
    name = getattr(python_type, "__qualname__", None) or getattr(python_type, "_name", None)
    module = getattr(python_type, "__module__", None)
    if not isinstance(name, str) or not isinstance(module, str):
        raise TypeError(f"{python_type!r} has no name")
    return f"{module}.{name}"


def _bases(python_type: type) -> Iterator[type]:
    """Yield the base classes by which a class may be handled, nearest first.

    An enum is one whatever its members' type is, and declared fields count for more than a built-in base: a named tuple is
    not any tuple, a typed dictionary not any dict. `object` is no help, everything derives from it.
    """
    if issubclass(python_type, enum.Enum):
        yield enum.Enum
    declared = any(hasattr(python_type, mark) for mark in _MARKS_OF_FIELDS)
    for base in python_type.__mro__[1:]:
        if base is not object and not (declared and base.__module__ == "builtins"):
            yield base


_MARKS_OF_FIELDS = ("__dataclass_fields__", "__attrs_attrs__", "_field_defaults", "__required_keys__")
