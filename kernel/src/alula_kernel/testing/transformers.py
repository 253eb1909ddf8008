"""What every `TypeTransformer` promises."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest

from .. import literals
from ..contracts import ConversionContext, Converter, TypeTransformer
from ..errors import UsageError, ValueConversionError
from ..literals import Bytes, Literal, Scalar
from ..registry import TypeRegistry
from ..types import LiteralType, Opaque, display
from .scenarios import Conformance, needs
from .threads import in_threads

NOT_GIVEN: Any = object()
"""Stands for a field of `Sample` that was not given."""

HEAVY_MODULES = (
    "matplotlib",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pydantic",
    "pyspark",
    "scipy",
    "sklearn",
    "tensorflow",
    "torch",
)
"""Libraries that no plugin module may import before a value of theirs is converted."""

_LONGEST_MESSAGE = 1_000
_HOSTILE = "<script>alert('&')</script>"


class Outsider:
    """A value that no transformer takes; its text would do harm in a page that does not escape it."""

    def __repr__(self) -> str:
        return _HOSTILE


@dataclasses.dataclass(frozen=True)
class Sample:
    """A type and a value of it.

    Attributes:
        python_type: The type as annotated.
        value: A value of the type.
        plain: Plain data, as read from JSON, that describes an equal value; left out if there is none.
        text: What a person types on a command line for an equal value; left out if there is none.
    """

    python_type: Any
    value: Any
    plain: Any = NOT_GIVEN
    text: Any = NOT_GIVEN


class TypeTransformerConformance(Conformance):
    """What a type transformer promises. A subclass provides `transformer` and `samples`.

    Attributes:
        can_hash: Whether equal values always have equal content.
        heavy_modules: Libraries that may not be imported with the module of the transformer.
        is_builtin: Whether the transformer is among those of the fixture `type_registry` already.
        takes_plain: Whether values can be made of plain data; some sample then has `plain`.
        takes_text: Whether values can be made of text; some sample then has `text`.
        values_are_shared: Whether threads may convert one value at the same time.
    """

    can_hash = True
    heavy_modules: Sequence[str] = HEAVY_MODULES
    is_builtin = False
    takes_plain = True
    takes_text = True
    values_are_shared = True

    @pytest.fixture
    def transformer(self) -> TypeTransformer:
        """The transformer under test."""
        raise NotImplementedError("a subclass of TypeTransformerConformance provides the fixture transformer")

    @pytest.fixture
    def samples(self) -> Sequence[Sample]:
        """Values of every kind that the transformer handles; no two are equal."""
        raise NotImplementedError("a subclass of TypeTransformerConformance provides the fixture samples")

    @pytest.fixture
    def wrong_values(self) -> Sequence[Any]:
        """Values that belong to none of the types of the samples."""
        return [Outsider(), object(), _HOSTILE * 1_000]

    @pytest.fixture
    def wrong_texts(self) -> Sequence[str]:
        """Texts that describe no value of any of the types of the samples."""
        return [_HOSTILE * 1_000]

    @pytest.fixture
    def wrong_literals(self) -> Sequence[Literal]:
        """Literals that are not of any of the types of the samples."""
        return [Bytes(b"\x00"), literals.MapLiteral({"nobody": Scalar("nothing")})]

    @pytest.fixture
    def registry(self, type_registry: TypeRegistry, transformer: TypeTransformer) -> TypeRegistry:
        """A registry with the transformer under test and those of the kernel."""
        if not self.is_builtin:
            type_registry.register(transformer, "the plugin under test")
        return type_registry

    def is_same(self, first: Any, second: Any) -> bool:
        """Tell whether a value came back as it was. The default compares types and values; floats may both be nan."""
        if type(first) is not type(second):
            return False
        return bool(first == second) or (first != first and second != second)

    def test_T01_says_what_it_is(self, transformer: TypeTransformer) -> None:
        """It is a `TypeTransformer` with a name, and names its types as classes or as dotted strings."""
        assert isinstance(transformer, TypeTransformer)
        assert isinstance(transformer.name, str)
        assert transformer.name
        assert not isinstance(transformer.python_types, str)
        for python_type in transformer.python_types:
            assert not isinstance(python_type, str) or "." in python_type
        assert isinstance(transformer.priority, int)

    def test_T02_is_found(self, registry: TypeRegistry, samples: Sequence[Sample]) -> None:
        """The registry finds a converter for the type of every sample, and the same one again."""
        assert samples
        for sample in samples:
            converter = registry.converter(sample.python_type)
            assert isinstance(converter, Converter)
            assert registry.converter(sample.python_type) is converter
            assert converter.describe()

    def test_T03_literal_type(self, registry: TypeRegistry, samples: Sequence[Sample]) -> None:
        """The literal type of a Python type is always the same one, and equal after a trip through msgpack."""
        other = TypeRegistry(registry.transformers)
        for sample in samples:
            literal_type = registry.converter(sample.python_type).literal_type
            assert other.converter(sample.python_type).literal_type == literal_type
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(literal_type), type=LiteralType) == literal_type
            assert display(literal_type)

    def test_T04_round_trip(
        self, registry: TypeRegistry, samples: Sequence[Sample], conversion_context: ConversionContext
    ) -> None:
        """A value comes back from its literal as it was."""
        for sample, converter, literal in _converted(registry, samples, conversion_context):
            back = converter.to_python(literal, conversion_context)
            assert self.is_same(back, sample.value), f"{back!r} is not {sample.value!r}"

    def test_T05_through_msgpack(
        self, registry: TypeRegistry, samples: Sequence[Sample], conversion_context: ConversionContext
    ) -> None:
        """A literal is equal after a trip through msgpack, and so is its value."""
        for sample, converter, literal in _converted(registry, samples, conversion_context):
            travelled = literals.decode(literals.encode(literal))
            assert travelled == literal
            assert self.is_same(converter.to_python(travelled, conversion_context), sample.value)

    def test_T06_through_json(
        self, registry: TypeRegistry, samples: Sequence[Sample], conversion_context: ConversionContext
    ) -> None:
        """A value comes back from its literal after a trip through JSON."""
        for sample, converter, literal in _converted(registry, samples, conversion_context):
            travelled = literals.from_json(literals.to_json(literal))
            assert self.is_same(converter.to_python(travelled, conversion_context), sample.value)

    @needs("can_hash")
    def test_T07_stable_hash(
        self, registry: TypeRegistry, samples: Sequence[Sample], conversion_context: ConversionContext
    ) -> None:
        """A value has the same content hash whenever it is converted, also after it came back."""
        for _sample, converter, literal in _converted(registry, samples, conversion_context):
            back = converter.to_python(literal, conversion_context)
            again = converter.to_literal(back, conversion_context)
            assert literals.content_hash(again) == literals.content_hash(literal)

    @needs("can_hash")
    def test_T08_different_hashes(
        self, registry: TypeRegistry, samples: Sequence[Sample], conversion_context: ConversionContext
    ) -> None:
        """Different values of one type have different content hashes."""
        seen: dict[tuple[str, str], Any] = {}
        for sample, converter, literal in _converted(registry, samples, conversion_context):
            key = (display(converter.literal_type), literals.content_hash(literal))
            assert key not in seen, f"{sample.value!r} has the hash of {seen[key]!r}"
            seen[key] = sample.value

    def test_T09_wrong_value(
        self,
        registry: TypeRegistry,
        samples: Sequence[Sample],
        wrong_values: Sequence[Any],
        conversion_context: ConversionContext,
    ) -> None:
        """A value of another type is refused with `ValueConversionError` that names the type and what was found."""
        for sample in samples:
            converter = registry.converter(sample.python_type)
            for wrong in wrong_values:
                with pytest.raises(ValueConversionError) as caught:
                    converter.to_literal(wrong, conversion_context)
                text = str(caught.value)
                assert type(wrong).__name__ in text
                assert len(text) <= _LONGEST_MESSAGE
                parts = re.findall(
                    r"\w+", converter.describe()
                )  # the part that was expected, of `int | None` and the like
                assert any(part in text for part in parts)

    def test_T10_wrong_literal(
        self,
        registry: TypeRegistry,
        samples: Sequence[Sample],
        wrong_literals: Sequence[Literal],
        conversion_context: ConversionContext,
    ) -> None:
        """A literal of another type is refused with `ValueConversionError`."""
        for sample in samples:
            converter = registry.converter(sample.python_type)
            for wrong in wrong_literals:
                with pytest.raises(ValueConversionError):
                    converter.to_python(wrong, conversion_context)

    def test_T11_accepts(self, registry: TypeRegistry, samples: Sequence[Sample], wrong_values: Sequence[Any]) -> None:
        """`accepts` tells values of the type from others, raises nothing, and changes no value."""
        for sample in samples:
            converter = registry.converter(sample.python_type)
            before = repr(sample.value)
            assert converter.accepts(sample.value) is True
            assert repr(sample.value) == before
            for wrong in wrong_values:
                assert converter.accepts(wrong) is False

    @needs("takes_plain")
    def test_T12_from_plain(
        self, registry: TypeRegistry, samples: Sequence[Sample], conversion_context: ConversionContext
    ) -> None:
        """`from_plain` makes the value that plain data describes."""
        given = [sample for sample in samples if sample.plain is not NOT_GIVEN]
        assert given, "no sample has `plain`; set takes_plain = False if values cannot be made of plain data"
        for sample in given:
            value = registry.converter(sample.python_type).from_plain(sample.plain, conversion_context)
            assert self.is_same(value, sample.value), f"{value!r} is not {sample.value!r}"

    @needs("takes_text")
    def test_T13_from_text(
        self, registry: TypeRegistry, samples: Sequence[Sample], conversion_context: ConversionContext
    ) -> None:
        """`from_text` makes the value that a person typed."""
        given = [sample for sample in samples if sample.text is not NOT_GIVEN]
        assert given, "no sample has `text`; set takes_text = False if values cannot be made of text"
        for sample in given:
            value = registry.converter(sample.python_type).from_text(sample.text, conversion_context)
            assert self.is_same(value, sample.value), f"{value!r} is not {sample.value!r}"

    def test_T14_wrong_plain_data(
        self,
        registry: TypeRegistry,
        samples: Sequence[Sample],
        wrong_texts: Sequence[str],
        conversion_context: ConversionContext,
    ) -> None:
        """Text and plain data that describe no value are refused with a `UsageError` of bounded length."""
        for sample in samples:
            converter = registry.converter(sample.python_type)
            for text in wrong_texts:
                for make in (converter.from_text, converter.from_plain):
                    with pytest.raises(UsageError) as caught:
                        make(text, conversion_context)
                    assert len(str(caught.value)) <= _LONGEST_MESSAGE

    def test_T15_html(self, registry: TypeRegistry, samples: Sequence[Sample]) -> None:
        """`to_html` gives a fragment in which text of the value is escaped."""
        for sample in samples:
            shown = registry.converter(sample.python_type).to_html(sample.value)
            assert isinstance(shown, str)
            assert shown
            assert "<script" not in shown.lower()

    def test_T16_text(self, registry: TypeRegistry, samples: Sequence[Sample]) -> None:
        """`to_text` gives a short text."""
        for sample in samples:
            shown = registry.converter(sample.python_type).to_text(sample.value)
            assert isinstance(shown, str)
            assert len(shown) <= 1_100

    @needs("values_are_shared")
    def test_T17_threads_share_a_converter(
        self, registry: TypeRegistry, samples: Sequence[Sample], conversion_context: ConversionContext
    ) -> None:
        """Threads convert with one converter at the same time, and the same values."""

        def work(_: int) -> None:
            for sample, converter, literal in _converted(registry, samples, conversion_context):
                assert self.is_same(converter.to_python(literal, conversion_context), sample.value)

        in_threads(work, 4)

    def test_T18_inside_other_types(
        self, registry: TypeRegistry, samples: Sequence[Sample], conversion_context: ConversionContext
    ) -> None:
        """Values travel inside lists, dicts and optional types."""
        for sample in samples:
            inside: list[tuple[Any, Any, Callable[[Any], Any]]] = [
                (list[sample.python_type], [sample.value] * 2, lambda back: back[1]),  # type: ignore[name-defined]
                (dict[str, sample.python_type], {"key": sample.value}, lambda back: back["key"]),  # type: ignore[name-defined]
                (typing.Optional[sample.python_type], sample.value, lambda back: back),  # noqa: UP045 - may be a string
            ]
            for python_type, value, take_out in inside:
                converter = registry.converter(python_type)
                back = converter.to_python(converter.to_literal(value, conversion_context), conversion_context)
                assert self.is_same(take_out(back), sample.value)

    def test_T19_foreign_literal_type(self, transformer: TypeTransformer) -> None:
        """`python_type` of a literal type that is not the transformer's gives None."""
        assert transformer.python_type(Opaque("nobody.Nothing")) is None

    @needs("heavy_modules")
    def test_T20_light_module(self, transformer: TypeTransformer) -> None:
        """Importing the module of the transformer imports no heavy library."""
        code = (
            "import importlib, sys\n"
            f"sys.path[:] = {sys.path!r}\n"
            f"importlib.import_module({type(transformer).__module__!r})\n"
            f"print(*[name for name in {tuple(self.heavy_modules)!r} if name in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == []

    def test_T21_hashed(
        self, registry: TypeRegistry, samples: Sequence[Sample], conversion_context: ConversionContext
    ) -> None:
        """A literal in `Hashed`, as it comes from a task whose author computes its identity, is read as what is in it."""
        for sample, converter, literal in _converted(registry, samples, conversion_context):
            back = converter.to_python(literals.Hashed(literal, "identity"), conversion_context)
            assert self.is_same(back, sample.value), f"{back!r} is not {sample.value!r}"


def _converted(
    registry: TypeRegistry, samples: Sequence[Sample], context: ConversionContext
) -> Iterator[tuple[Sample, Converter[Any], Literal]]:
    """Yield every sample with its converter and its literal."""
    for sample in samples:
        converter = registry.converter(sample.python_type)
        yield sample, converter, converter.to_literal(sample.value, context)
