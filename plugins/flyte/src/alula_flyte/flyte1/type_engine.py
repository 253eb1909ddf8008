"""``flytekit.extend.TypeEngine`` and `TypeTransformer`: types that programs convert themselves."""

from __future__ import annotations

import asyncio
import concurrent.futures
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import alula
from alula_kernel import contracts
from alula_kernel import literals as own
from alula_kernel import types as own_types
from alula_kernel.contracts import ConversionContext
from alula_kernel.errors import PluginError, ValueConversionError

from ..registered_types import RegisteredTypes
from .contexts import FlyteContext
from .literal_types import LiteralType
from .literals import Literal, LiteralMap
from .model_conversion import model_literal, model_type, own_literal, own_type

T = TypeVar("T")
TypeTransformerFailedError = ValueConversionError
"""What a transformer raises when a value is not one of its own."""


class TypeTransformer(ABC, Generic[T]):
    """Converts values of a class, as a program says.

    Args:
        name: Its name.
        t: The class.
        enable_type_assertions: Whether values are checked to be of the class.
    """

    def __init__(self, name: str, t: Any, enable_type_assertions: bool = True, **_options: Any) -> None:
        self._name = name
        self._t = t
        self._type_assertions_enabled = enable_type_assertions

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def python_type(self) -> Any:
        """The class."""
        return self._t

    @property
    def type_assertions_enabled(self) -> bool:
        """Whether values are checked to be of the class."""
        return self._type_assertions_enabled

    def assert_type(self, t: Any, v: Any) -> None:
        """Check that a value is of a class.

        Raises:
            TypeTransformerFailedError: It is not.
        """
        kind = typing.get_origin(t) or t
        if isinstance(kind, type) and not isinstance(v, kind):
            raise TypeTransformerFailedError(
                f"{self._name} takes values of {t}, found a {type(v).__qualname__}: {v!r:.200}"
            )

    @abstractmethod
    def get_literal_type(self, t: type[T]) -> LiteralType:
        """Return the type of the literals."""

    @abstractmethod
    def to_literal(self, ctx: FlyteContext, python_val: T, python_type: type[T], expected: LiteralType) -> Literal:
        """Make a literal of a value."""

    @abstractmethod
    def to_python_value(self, ctx: FlyteContext, lv: Literal, expected_python_type: type[T]) -> T:
        """Make a value of a literal."""

    def guess_python_type(self, literal_type: LiteralType) -> type[T]:
        """Return the class for a type.

        Raises:
            ValueError: It is not one of its own.
        """
        raise ValueError(f"{self._name} does not say which class stands for {literal_type}")

    def to_html(self, ctx: FlyteContext, python_val: T, expected_python_type: type[T]) -> str:
        """Show a value as HTML."""
        import html

        return html.escape(str(python_val))

    def __repr__(self) -> str:
        return f"<transformer {self._name} of {self._t}>"


class AsyncTypeTransformer(TypeTransformer[T]):
    """The same with coroutines."""

    @abstractmethod
    async def async_to_literal(
        self, ctx: FlyteContext, python_val: T, python_type: type[T], expected: LiteralType
    ) -> Literal:
        """Make a literal of a value."""

    @abstractmethod
    async def async_to_python_value(self, ctx: FlyteContext, lv: Literal, expected_python_type: type[T]) -> T:
        """Make a value of a literal."""

    def to_literal(self, ctx: FlyteContext, python_val: T, python_type: type[T], expected: LiteralType) -> Literal:
        """Make a literal of a value."""
        return _finish(self.async_to_literal(ctx, python_val, python_type, expected))

    def to_python_value(self, ctx: FlyteContext, lv: Literal, expected_python_type: type[T]) -> T:
        """Make a value of a literal."""
        return _finish(self.async_to_python_value(ctx, lv, expected_python_type))


def _finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread of its own: this one may have a loop that runs."""
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


class SimpleTransformer(TypeTransformer[T]):
    """Converts by two functions.

    Args:
        name: Its name.
        t: The class.
        lt: The type of the literals.
        to_literal_transformer: Makes a literal.
        from_literal_transformer: Makes a value.
    """

    def __init__(
        self,
        name: str,
        t: type[T],
        lt: LiteralType,
        to_literal_transformer: Callable[[T], Literal],
        from_literal_transformer: Callable[[Literal], T],
    ) -> None:
        super().__init__(name, t)
        self._literal_type = lt
        self._to_literal = to_literal_transformer
        self._from_literal = from_literal_transformer

    def get_literal_type(self, t: type[T] | None = None) -> LiteralType:
        """Return the type of the literals."""
        return self._literal_type

    def to_literal(self, ctx: FlyteContext, python_val: T, python_type: type[T], expected: LiteralType) -> Literal:
        """Make a literal of a value."""
        self.assert_type(self._t, python_val)
        return self._to_literal(python_val)

    def to_python_value(self, ctx: FlyteContext, lv: Literal, expected_python_type: type[T]) -> T:
        """Make a value of a literal."""
        return self._from_literal(lv)


class _Converter(contracts.Converter[Any]):
    """Converts by a transformer of a program's."""

    def __init__(self, python_type: Any, transformer: TypeTransformer[Any]) -> None:
        self.python_type = python_type
        self._transformer = transformer
        self._model = transformer.get_literal_type(python_type)
        self.literal_type: own_types.LiteralType = own_type(self._model)

    def to_literal(self, value: Any, context: ConversionContext) -> own.Literal:
        if self._transformer.type_assertions_enabled:
            self._transformer.assert_type(self.python_type, value)
        made = self._transformer.to_literal(FlyteContext.current_context(), value, self.python_type, self._model)
        return own_literal(made, context)

    def to_python(self, literal: own.Literal, context: ConversionContext) -> Any:
        given = model_literal(literal, self.literal_type, context)
        return self._transformer.to_python_value(FlyteContext.current_context(), given, self.python_type)

    def accepts(self, value: Any) -> bool:
        kind = typing.get_origin(self.python_type) or self.python_type
        return isinstance(kind, type) and isinstance(value, kind)

    def to_html(self, value: Any) -> str:
        return self._transformer.to_html(FlyteContext.current_context(), value, self.python_type)


class RegisteredTransformer(contracts.TypeTransformer):
    """Transformers of a program's, as Alula has them: one for each class of a name, of which functions may make several.

    Args:
        python_type: The first class.
    """

    def __init__(self, python_type: Any) -> None:
        self.name = _name(python_type)
        self.python_types: Sequence[type | str] = (python_type,)
        self.by_class: dict[Any, TypeTransformer[Any]] = {}

    def converter(self, request: contracts.TypeRequest) -> contracts.Converter[Any]:
        """Make the converter of a type."""
        bases = getattr(request.origin, "__mro__", (request.origin,))
        found = next((self.by_class[base] for base in bases if base in self.by_class), None)
        return _Converter(request.python_type, found or next(iter(self.by_class.values())))


def _name(python_type: Any) -> str:
    return f"flyte1:{python_type.__module__}.{python_type.__qualname__}"


class TypeEngine(RegisteredTypes):
    """Knows what converts values of a type."""

    _registered: ClassVar[dict[str, RegisteredTransformer]] = {}

    @classmethod
    def register_additional_type(
        cls, transformer: TypeTransformer[Any], additional_type: Any, override: bool = False
    ) -> None:
        """Convert values of one more class by a transformer; errors are those of `register`."""
        registry = alula.current_app().registry  # it takes what is registered already, when it is made
        known = cls._registered.get(_name(additional_type))
        if known is not None:
            if additional_type in known.by_class and not override:
                raise ValueError(
                    f"values of {additional_type} are converted already, by {known.by_class[additional_type]}"
                )
            known.by_class[additional_type] = transformer
            return
        made = RegisteredTransformer(additional_type)
        made.by_class[additional_type] = transformer
        try:
            registry.register(made, transformer.name)
        except PluginError as problem:
            raise ValueError(f"values of {additional_type} are converted already: {problem}") from None
        cls._registered[made.name] = made

    @classmethod
    def get_transformer(cls, python_type: Any) -> Any:
        """Return what converts values of a type: a transformer of a program's, or Alula's converter."""
        if isinstance(python_type, type):
            known = cls._registered.get(_name(python_type))
            if known is not None and python_type in known.by_class:
                return known.by_class[python_type]
        return alula.current_app().registry.converter(python_type)

    @classmethod
    def to_literal_type(cls, python_type: Any) -> LiteralType:
        """Return the type of the literals of a Python type."""
        return model_type(alula.current_app().registry.converter(python_type).literal_type)

    @classmethod
    def to_literal(
        cls, ctx: FlyteContext, python_val: Any, python_type: Any, expected: LiteralType | None = None
    ) -> Literal:
        """Make a literal of a value."""
        app = alula.current_app()
        converter = app.registry.converter(python_type)
        context = _conversion()
        return model_literal(converter.to_literal(python_val, context), converter.literal_type, context)

    @classmethod
    def to_python_value(cls, ctx: FlyteContext, lv: Literal, expected_python_type: Any) -> Any:
        """Make a value of a literal."""
        context = _conversion()
        converter = alula.current_app().registry.converter(expected_python_type)
        return converter.to_python(own_literal(lv, context), context)

    @classmethod
    async def async_to_literal(
        cls, ctx: FlyteContext, python_val: Any, python_type: Any, expected: LiteralType | None = None
    ) -> Literal:
        """Make a literal of a value, in a thread."""
        return await asyncio.to_thread(cls.to_literal, ctx, python_val, python_type, expected)

    @classmethod
    async def async_to_python_value(cls, ctx: FlyteContext, lv: Literal, expected_python_type: Any) -> Any:
        """Make a value of a literal, in a thread."""
        return await asyncio.to_thread(cls.to_python_value, ctx, lv, expected_python_type)

    @classmethod
    def literal_map_to_kwargs(cls, ctx: FlyteContext, lm: LiteralMap, python_types: dict[str, Any]) -> dict[str, Any]:
        """Make values of literals by name."""
        return {name: cls.to_python_value(ctx, lm.literals[name], kind) for name, kind in python_types.items()}

    @classmethod
    def dict_to_literal_map(
        cls, ctx: FlyteContext, d: dict[str, Any], type_hints: dict[str, Any] | None = None
    ) -> LiteralMap:
        """Make literals of values by name."""
        hints = type_hints or {}
        return LiteralMap({k: cls.to_literal(ctx, v, hints.get(k, type(v))) for k, v in d.items()})

    @classmethod
    def guess_python_type(cls, flyte_type: LiteralType) -> Any:
        """Return the Python type that best stands for a type."""
        return alula.current_app().registry.python_type(own_type(flyte_type))


def _conversion() -> ConversionContext:
    running = alula.ctx()
    return running.conversion if running is not None else alula.current_app().conversion
