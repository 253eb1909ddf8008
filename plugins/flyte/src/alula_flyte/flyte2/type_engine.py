"""``flyte.types.TypeEngine`` and `TypeTransformer`: types that programs convert themselves, to messages of ``flyteidl2``."""

from __future__ import annotations

import asyncio
import concurrent.futures
import html
import typing
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from flyteidl2.core import types_pb2
from google.protobuf import json_format  # type: ignore[import-untyped, unused-ignore] # ships no types

import alula
from alula_kernel import contracts
from alula_kernel import literals as own
from alula_kernel import types as own_types
from alula_kernel.contracts import ConversionContext
from alula_kernel.errors import PluginError, ValueConversionError
from alula_kernel.registry import TypeRegistry

from ..registered_types import RegisteredTypes
from .messages import message_of_literal, message_of_type, own_literal, own_type

T = TypeVar("T")


class TypeTransformer(Generic[T]):
    """Converts values of a class, as a program says.

    Args:
        name: Its name.
        t: The class.
        enable_type_assertions: Whether values are checked to be of the class.
    """

    def __init__(self, name: str, t: Any, enable_type_assertions: bool = True) -> None:
        self.name = name
        self.python_type = t
        self.type_assertions_enabled = enable_type_assertions

    def assert_type(self, t: Any, v: Any) -> None:
        """Check that a value is of a class.

        Raises:
            TypeTransformerFailedError: It is not.
        """
        kind = typing.get_origin(t) or t
        if isinstance(kind, type) and not isinstance(v, kind):
            raise ValueConversionError(f"{self.name} takes values of {t}, found a {type(v).__qualname__}: {v!r:.200}")

    def get_literal_type(self, t: Any) -> Any:
        """Return the type of the literals."""
        raise NotImplementedError(f"{self.name} does not say which type its literals have")

    async def to_literal(self, python_val: T, python_type: Any, expected: Any) -> Any:
        """Make a literal of a value."""
        raise NotImplementedError(f"{self.name} makes no literals")

    async def to_python_value(self, lv: Any, expected_python_type: Any) -> Any:
        """Make a value of a literal."""
        raise NotImplementedError(f"{self.name} makes no values")

    def guess_python_type(self, literal_type: Any) -> Any:
        """Return the class for a type.

        Raises:
            ValueError: It is not one of its own.
        """
        raise ValueError(f"{self.name} does not say which class stands for {literal_type}")

    def schema_match(self, schema: dict[str, Any]) -> bool:
        """Tell whether a JSON schema describes its class."""
        of_class = getattr(self.python_type, "model_json_schema", None)
        return of_class is not None and of_class() == schema

    def to_html(self, python_val: T, expected_python_type: Any) -> str:
        """Show a value as HTML."""
        return html.escape(str(python_val))

    def __repr__(self) -> str:
        return f"<transformer {self.name} of {self.python_type}>"


def _finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a thread of its own: this one may have a loop that runs."""
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


class _Converter(contracts.Converter[Any]):
    """Converts by a transformer of a program's; as Alula does where that one only describes the type."""

    def __init__(self, python_type: Any, transformer: TypeTransformer[Any], plain: TypeRegistry) -> None:
        self.python_type = python_type
        self._transformer = transformer
        self._message = transformer.get_literal_type(python_type)
        self._plain = plain
        self.literal_type: own_types.LiteralType = own_type(self._message)

    def to_literal(self, value: Any, context: ConversionContext) -> own.Literal:
        if self._transformer.type_assertions_enabled:
            self._transformer.assert_type(self.python_type, value)
        try:
            made = _finish(self._transformer.to_literal(value, self.python_type, self._message))
        except NotImplementedError:
            return self._plain.converter(self.python_type).to_literal(value, context)
        return own_literal(made, context)

    def to_python(self, literal: own.Literal, context: ConversionContext) -> Any:
        given = message_of_literal(literal, self.literal_type, context)
        try:
            return _finish(self._transformer.to_python_value(given, self.python_type))
        except NotImplementedError:
            return self._plain.converter(self.python_type).to_python(literal, context)

    def accepts(self, value: Any) -> bool:
        kind = typing.get_origin(self.python_type) or self.python_type
        return isinstance(kind, type) and isinstance(value, kind)

    def to_html(self, value: Any) -> str:
        return self._transformer.to_html(value, self.python_type)


class _Registered(contracts.TypeTransformer):
    """The transformer of a class, as Alula has it."""

    def __init__(self, python_type: Any, transformer: TypeTransformer[Any]) -> None:
        self.name = f"flyte2:{python_type.__module__}.{python_type.__qualname__}"
        self.python_types: Sequence[type | str] = (python_type,)
        self.transformer = transformer

    def converter(self, request: contracts.TypeRequest) -> contracts.Converter[Any]:
        """Make the converter of a type."""
        others = TypeRegistry(one for one in request.registry.transformers if one is not self)
        return _Converter(request.python_type, self.transformer, others)


class TypeEngine(RegisteredTypes):
    """Knows what converts values of a type."""

    _registered: ClassVar[dict[Any, _Registered]] = {}

    @classmethod
    def register_additional_type(
        cls, transformer: TypeTransformer[Any], additional_type: Any, override: bool = False
    ) -> None:
        """Convert values of one more class by a transformer; errors are those of `register`."""
        registry = alula.current_app().registry  # it takes what is registered already, when it is made
        if additional_type in cls._registered and override:
            cls._registered[additional_type].transformer = transformer
            return
        made = _Registered(additional_type, transformer)
        try:
            registry.register(made, transformer.name)
        except PluginError as problem:
            raise ValueError(f"values of {additional_type} are converted already: {problem}") from None
        cls._registered[additional_type] = made

    @classmethod
    def get_transformer(cls, python_type: Any) -> Any:
        """Return what converts values of a type: a transformer of a program's, or Alula's converter."""
        for base in getattr(python_type, "__mro__", ()):
            if base in cls._registered:
                return cls._registered[base].transformer
        return alula.current_app().registry.converter(python_type)

    @classmethod
    def to_literal_type(cls, python_type: Any) -> Any:
        """Return the type of the literals of a Python type."""
        found = cls.get_transformer(python_type)
        if isinstance(found, TypeTransformer):
            return found.get_literal_type(python_type)
        made = message_of_type(found.literal_type)
        if hasattr(python_type, "model_json_schema"):
            json_format.ParseDict(python_type.model_json_schema(), made.metadata)
        return made

    @classmethod
    async def to_literal(cls, python_val: Any, python_type: Any, expected: Any = None) -> Any:
        """Make a literal of a value, in a thread."""
        return await asyncio.to_thread(_literal, python_val, python_type)

    @classmethod
    async def to_python_value(cls, lv: Any, expected_python_type: Any) -> Any:
        """Make a value of a literal, in a thread."""
        return await asyncio.to_thread(_value, lv, expected_python_type)

    @classmethod
    def guess_python_type(cls, flyte_type: Any) -> Any:
        """Return the Python type that best stands for a type."""
        for registered in cls._registered.values():
            try:
                return registered.transformer.guess_python_type(flyte_type)
            except (NotImplementedError, ValueError):
                continue  # not one of its own
        return alula.current_app().registry.python_type(own_type(flyte_type))


def _literal(value: Any, python_type: Any) -> Any:
    converter, context = alula.current_app().registry.converter(python_type), _conversion()
    return message_of_literal(converter.to_literal(value, context), converter.literal_type, context)


def _value(message: Any, python_type: Any) -> Any:
    context = _conversion()
    return alula.current_app().registry.converter(python_type).to_python(own_literal(message, context), context)


def _conversion() -> ConversionContext:
    running = alula.ctx()
    return running.conversion if running is not None else alula.current_app().conversion


class PydanticTransformer(TypeTransformer[Any]):
    """Describes models of pydantic's, which Alula converts itself."""

    def __init__(self) -> None:
        from pydantic import BaseModel

        super().__init__("Pydantic Transformer", BaseModel)

    def get_literal_type(self, t: Any) -> Any:
        """Return the type of a model's literals, with its JSON schema."""
        made = TypeEngine.to_literal_type(t)
        made.structure.CopyFrom(types_pb2.TypeStructure(tag=self.name))
        return made
