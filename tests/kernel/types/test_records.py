# ruff: noqa: UP045 - annotations are written as users write them
from __future__ import annotations

import collections
import dataclasses
import typing
from dataclasses import InitVar, dataclass, field
from datetime import date
from enum import Enum
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, Optional, TypedDict, TypeVar

import attrs
import msgspec
import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st

from alula_kernel import types
from alula_kernel.errors import UnsupportedTypeError, ValueConversionError
from alula_kernel.hashing import HashMethod
from alula_kernel.literals import Hashed, Json, ListLiteral, MapLiteral, Scalar, UnionLiteral, content_hash

T = TypeVar("T")
U = TypeVar("U")


class Optimizer(Enum):
    SGD = "sgd"
    ADAM = "adam"


@dataclass
class Layer:
    size: int
    name: str = "dense"


@dataclass
class Config:
    lr: float
    layers: list[Layer]
    optimizer: Optimizer = Optimizer.ADAM
    start: Optional[date] = None
    extra: dict[str, Any] = field(default_factory=dict)
    anything: Any = None


@dataclass(frozen=True)
class Frozen:
    a: int
    b: tuple[int, ...] = (1, 2)


@dataclass
class KeywordOnly:
    a: int
    _: dataclasses.KW_ONLY
    b: str = "x"
    c: float


@dataclass
class Base:
    a: int
    shared: ClassVar[int] = 7


@dataclass
class Derived(Base):
    b: str = "b"


@dataclass(frozen=True)
class Slotted:
    __slots__ = ("a", "b")
    a: int
    b: str


@dataclass
class Computed:
    side: float
    area: float = field(init=False)
    log: list[str] = field(default_factory=list, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.area = self.side**2
        self.log = [*self.log, "made"]
        self.runtime = "set by __post_init__, no field"


@dataclass
class WithInitVar:
    value: int
    factor: InitVar[int]

    def __post_init__(self, factor: int) -> None:
        self.value *= factor


@dataclass
class WithDefaultInitVar:
    value: int
    factor: InitVar[int] = 2

    def __post_init__(self, factor: int) -> None:
        self.value *= factor


@dataclass(init=False)
class OwnInit:
    a: int
    b: tuple[int, ...] = (1, 2)
    c: list[int] = field(default_factory=list)

    def __init__(self, text: str) -> None:
        self.a = len(text)


@dataclass
class Checked:
    percent: int

    def __post_init__(self) -> None:
        if not 0 <= self.percent <= 100:
            raise ValueError("percent is not between 0 and 100")


@dataclass
class Box(Generic[T]):
    item: T
    more: list[T] = field(default_factory=list)


@dataclass
class Pair(Generic[T, U]):
    first: Box[T]
    second: U


@dataclass
class IntBox(Box[int]):
    label: str = ""


@dataclass
class DictLike(dict):  # type: ignore[type-arg]
    a: int


class Point(NamedTuple):
    x: int
    y: float = 0.5


class Movie(TypedDict):
    name: str
    year: typing_extensions.NotRequired[int]


class Partial(TypedDict, total=False):
    a: int
    b: typing_extensions.Required[str]


class Extended(Partial):
    c: float


class Later(typing_extensions.TypedDict):
    when: typing_extensions.ReadOnly[typing_extensions.NotRequired[date]]


class Struct(msgspec.Struct, frozen=True):
    a: int
    b: list[str] = []
    c: str = "c"


class CheckedStruct(msgspec.Struct):
    a: int

    def __post_init__(self) -> None:
        self.a = abs(self.a)


@attrs.define
class Attrs:
    a: int
    b: str = "b"
    _hidden: int = attrs.field(default=3, alias="hidden")
    computed: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.computed = self.a * 2


@attrs.frozen
class AttrsFrozen:
    a: int
    items: list[int] = attrs.field(factory=list)


@dataclass
class Inner:
    thing: complex


@dataclass
class Outer:
    inners: list[Inner]


layers = st.builds(Layer, st.integers(-(2**63), 2**63 - 1), st.text())
configs = st.builds(
    Config,
    st.floats(allow_nan=False),
    st.lists(layers, max_size=3),
    st.sampled_from(Optimizer),
    st.none() | st.dates(),
    st.dictionaries(st.text(), st.none() | st.integers(0, 9), max_size=3),
    st.none() | st.text() | st.lists(st.booleans()),
)


@given(value=configs)
def test_dataclass(round_trip, value):
    round_trip(Config, value)


@given(value=st.lists(layers), other=layers)
def test_hash_tells_values_apart(registry, context, value, other):
    converter = registry.converter(list[Layer])
    before = content_hash(converter.to_literal(value, context))
    assert before == content_hash(converter.to_literal([dataclasses.replace(layer) for layer in value], context))
    assert before != content_hash(converter.to_literal([*value, other], context))


@pytest.mark.parametrize(
    "value",
    [
        Frozen(1),
        KeywordOnly(1, c=2.5),
        Derived(1),
        Slotted(1, "x"),
        Computed(2.0),
        Point(1),
        Struct(1, ["x"]),
        CheckedStruct(-1),
        Attrs(1, hidden=9),
        AttrsFrozen(1, [2]),
        IntBox(1, [2], "x"),
        WithDefaultInitVar(3),
        DictLike(1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_kinds_of_classes(round_trip, value):
    round_trip(type(value), value)


@given(value=st.builds(Point, st.integers(0, 9), st.floats(allow_nan=False)))
def test_named_tuple(round_trip, value):
    round_trip(Point, value)


@given(value=st.fixed_dictionaries({"name": st.text()}, optional={"year": st.integers(0, 9)}))
def test_typed_dict(round_trip, value):
    round_trip(Movie, value)


@given(value=st.builds(Attrs, st.integers(-9, 9), st.text(), st.integers(0, 9)))
def test_attrs(round_trip, value):
    round_trip(Attrs, value)


@given(value=st.builds(Struct, st.integers(-9, 9), st.lists(st.text()), st.text()))
def test_struct(round_trip, value):
    round_trip(Struct, value)


@pytest.mark.parametrize(
    ("python_type", "value"),
    [
        (Box[int], Box(1, [2])),
        (Box[Optional[str]], Box(None, ["a"])),
        (Pair[int, list[str]], Pair(Box(1), ["a"])),
        (Box[Box[int]], Box(Box(1))),
        (list[Box[date]], [Box(date(2026, 1, 1))]),
    ],
)
def test_generic_dataclasses(round_trip, registry, python_type, value):
    round_trip(python_type, value)


def test_generic_classes_are_named_with_their_arguments(registry, context):
    assert registry.converter(Box[int]).literal_type.name == "Box[int]"
    assert registry.converter(Pair[int, list[str]]).literal_type.name == "Pair[int, list[str]]"
    with pytest.raises(ValueConversionError, match="item: expected int, found str"):
        registry.converter(Box[int]).to_literal(Box("a"), context)
    with pytest.raises(UnsupportedTypeError, match=r"Box\.item: the type variable T stands for no type"):
        registry.converter(Box)


def test_types_on_the_wire(registry):
    assert registry.converter(Derived).literal_type == types.Record(
        "Derived", (types.FieldType("a", types.INT), types.FieldType("b", types.STR, required=False))
    )
    required = {f.name: f.required for f in registry.converter(KeywordOnly).literal_type.fields}
    assert required == {"a": True, "b": False, "c": True}
    required = {f.name: f.required for f in registry.converter(Attrs).literal_type.fields}
    assert required == {"a": True, "b": False, "_hidden": False, "computed": False}
    required = {f.name: f.required for f in registry.converter(Struct).literal_type.fields}
    assert required == {"a": True, "b": False, "c": False}
    required = {f.name: f.required for f in registry.converter(Point).literal_type.fields}
    assert required == {"x": True, "y": False}


@pytest.mark.parametrize(
    ("python_type", "required"),
    [
        (Movie, {"name": True, "year": False}),
        (Partial, {"a": False, "b": True}),
        (Extended, {"a": False, "b": True, "c": True}),
        (Later, {"when": False}),
    ],
)
def test_required_keys_of_typed_dictionaries(registry, python_type, required):
    assert {f.name: f.required for f in registry.converter(python_type).literal_type.fields} == required


def test_absent_keys_stay_absent(round_trip, registry, context):
    assert round_trip(Partial, {"b": "x"}) == {"b": "x"}
    assert registry.converter(Movie).to_literal({"name": "x"}, context) == MapLiteral({"name": Scalar("x")})


def test_state_after_a_round_trip_is_exact(round_trip):
    value = Computed(2.0)
    value.area = 5.0
    value.log.append("changed")
    back = round_trip(Computed, value)
    assert (back.area, back.log) == (5.0, ["made", "changed"])
    assert back.runtime == value.runtime


def test_fields_that_init_changes_are_not_changed_twice(round_trip):
    assert round_trip(WithInitVar, WithInitVar(3, 2)).value == 6
    assert round_trip(WithDefaultInitVar, WithDefaultInitVar(3)).value == 6


def test_class_with_its_own_init(registry, context):
    value = OwnInit("four")
    value.c = [1]
    converter = registry.converter(OwnInit)
    assert converter.to_python(converter.to_literal(value, context), context) == value
    restored = converter.to_python(MapLiteral({"a": Scalar(1)}), context)
    assert (restored.a, restored.b, restored.c) == (1, (1, 2), [])
    assert restored.c is not converter.to_python(MapLiteral({"a": Scalar(1)}), context).c


def test_missing_fields_get_their_defaults(registry, context):
    literal = MapLiteral({"lr": Scalar(0.1), "layers": ListLiteral([MapLiteral({"size": Scalar(3)})])})
    assert registry.converter(Config).to_python(literal, context) == Config(0.1, [Layer(3)])
    with pytest.raises(ValueConversionError, match=r"layers\[0\]: Layer misses the required field 'size'"):
        registry.converter(Config).to_python(
            MapLiteral({"lr": Scalar(0.1), "layers": ListLiteral([MapLiteral({})])}), context
        )


def test_unknown_entries_of_a_literal_are_left_out(registry, context):
    literal = MapLiteral({"a": Scalar(1), "b": Scalar("x"), "new": Scalar(None)})
    assert registry.converter(Derived).to_python(literal, context) == Derived(1, "x")


def test_wrapped_and_plain_literals(registry, context):
    converter = registry.converter(Layer)
    literal = MapLiteral({"size": Hashed(Scalar(3), "x")})
    assert converter.to_python(Hashed(literal, "y"), context) == Layer(3)
    assert converter.to_python(UnionLiteral("Layer", literal), context) == Layer(3)
    assert converter.to_python(Json({"size": 3}), context) == Layer(3)
    for other in (Scalar(1), ListLiteral([]), Json([1])):
        with pytest.raises(ValueConversionError, match="expected Layer"):
            converter.to_python(other, context)


def test_dicts_are_coerced(registry, context):
    converter = registry.converter(Config)
    literal = converter.to_literal(
        {"lr": 1, "layers": [{"size": 3.0}], "optimizer": "SGD", "start": "2026-01-31"}, context
    )
    value = converter.to_python(literal, context)
    assert value == Config(1.0, [Layer(3)], Optimizer.SGD, date(2026, 1, 31))
    assert type(value.lr) is float
    mixed = converter.to_literal({"lr": 1.0, "layers": [Layer(3)], "start": date(2026, 1, 31)}, context)
    assert converter.to_python(mixed, context).layers == [Layer(3)]


@pytest.mark.parametrize(
    ("value", "message", "location"),
    [
        (Config(0.1, [Layer(1), Layer("x")]), "expected int, found str 'x'", "layers[1].size"),  # type: ignore[arg-type]
        (Config("fast", []), "expected float, found str 'fast'", "lr"),  # type: ignore[arg-type]
        (Config(0.1, [], extra={"when": date(2026, 1, 1)}), "expected plain data", "extra['when']"),
        ({"lr": 0.1, "layers": [{"size": "x"}]}, "expected int, found str 'x'", "layers[0].size"),
        ({"lr": 0.1}, "Config misses the required field 'layers'", ""),
        ({}, "Config misses the required fields 'lr', 'layers'", ""),
        ({"lr": 0.1, "layers": [], "optimiser": "sgd"}, "Did you mean 'optimizer'", ""),
        ({"lr": 0.1, "layers": [], "zzz": "sgd"}, "Its fields: lr, layers, optimizer", ""),
        ([1], "expected Config, found list", ""),
        (Layer(1), "expected Config, found Layer", ""),
        (None, "expected Config, found None", ""),
    ],
)
def test_messages_say_where_and_what(registry, context, value, message, location):
    with pytest.raises(ValueConversionError) as raised:
        registry.converter(Config).to_literal(value, context)
    assert message in str(raised.value)
    assert raised.value.location == location


def test_field_without_a_value(registry, context):
    with pytest.raises(ValueConversionError, match="expected OwnInit, found one without the field 'c'"):
        registry.converter(OwnInit).to_literal(OwnInit("x"), context)


def test_refusal_of_the_class_is_told(registry, context):
    converter = registry.converter(list[Checked])
    with pytest.raises(
        ValueConversionError, match=r"\[0\]: Checked refused its fields: ValueError: percent is not"
    ) as raised:
        converter.from_plain([{"percent": 200}], context)
    assert isinstance(raised.value.__cause__, ValueError)
    with pytest.raises(ValueConversionError, match="percent is not between"):
        converter.to_python(ListLiteral([MapLiteral({"percent": Scalar(200)})]), context)


def test_named_tuples_take_tuples_and_lists(registry, context):
    converter = registry.converter(Point)
    assert converter.to_python(converter.to_literal((1, 2.5), context), context) == Point(1, 2.5)
    assert converter.from_plain([1, 2], context) == Point(1, 2.0)
    with pytest.raises(ValueConversionError, match="expected Point, found tuple"):
        converter.to_literal((1, 2, 3), context)


def test_typed_dictionary_messages(registry, context):
    converter = registry.converter(Movie)
    for value, message in (
        ({}, "misses the required field 'name'"),
        ({"name": "x", "yaer": 1}, "Did you mean 'year'"),
        ({"name": 1}, "name: expected str"),
        ([], "expected Movie, found list"),
    ):
        with pytest.raises(ValueConversionError, match=message):
            converter.to_literal(value, context)


def test_text(registry, context):
    converter = registry.converter(Layer)
    assert converter.from_text('{"size": 3, "name": "x"}', context) == Layer(3, "x")
    assert registry.converter(Point).from_text("[1, 2]", context) == Point(1, 2.0)
    assert registry.converter(Movie).from_text('{"name": "x"}', context) == {"name": "x"}
    with pytest.raises(ValueConversionError, match="not valid JSON"):
        converter.from_text("size=3", context)
    with pytest.raises(ValueConversionError, match="expected Layer"):
        converter.from_text('"x"', context)


def test_hash_methods_of_fields_count(registry, context):
    @dataclass
    class Model:
        weights: Annotated[list[float], HashMethod(lambda weights: "digest")]
        name: str

    converter = registry.converter(Model)
    one, other = (converter.to_literal(Model(weights, "x"), context) for weights in ([1.0], [2.0]))
    assert content_hash(one) == content_hash(other)
    assert content_hash(one) != content_hash(converter.to_literal(Model([1.0], "y"), context))
    assert converter.to_python(one, context) == Model([1.0], "x")


def test_unsupported_fields_are_named(registry):
    with pytest.raises(
        UnsupportedTypeError, match=r"Outer\.inners: .*Inner\.thing: no type transformer handles complex"
    ):
        registry.converter(Outer)


def test_names_that_cannot_be_resolved(registry):
    @dataclass
    class Local:
        other: Nowhere  # type: ignore[name-defined] # noqa: F821

    with pytest.raises(UnsupportedTypeError, match=r"Nowhere.*\n.*top level of the module"):
        registry.converter(Local)


def test_class_inside_a_function_may_refer_to_itself(registry, context):
    @dataclass
    class Tree:
        children: list[Tree]

    converter = registry.converter(Tree)
    value = Tree([Tree([]), Tree([Tree([])])])
    assert converter.to_python(converter.to_literal(value, context), context) == value


def test_builtin_generics_with_forward_references(registry, context):
    namespace: dict[str, Any] = {}
    source = (
        "from dataclasses import dataclass, field\n"
        "from typing import Literal, Optional\n"
        "@dataclass\n"
        "class Leaf:\n"
        "    leaves: list['Leaf'] = field(default_factory=list)\n"
        "    named: dict[str, 'Leaf'] = field(default_factory=dict)\n"
        "    maybe: Optional[tuple[list['Leaf'], Literal['a']]] = None\n"
    )
    exec(compile(source, "<leaf>", "exec", dont_inherit=True), namespace)  # annotations that are no strings
    namespace["Leaf"].__module__ = __name__
    converter = registry.converter(namespace["Leaf"])
    value = namespace["Leaf"]([namespace["Leaf"]()], {"a": namespace["Leaf"]()}, ([namespace["Leaf"]()], "a"))
    assert converter.to_python(converter.to_literal(value, context), context) == value


def test_untyped_named_tuple_is_refused(registry):
    with pytest.raises(
        UnsupportedTypeError, match=r"does not declare the types of its fields\n  Use typing.NamedTuple"
    ):
        registry.converter(collections.namedtuple("Untyped", "a b"))


def test_accepts(registry):
    converter = registry.converter(Layer)
    assert converter.accepts(Layer(1))
    assert converter.accepts({"size": 1})
    assert not converter.accepts({"name": "x"})
    assert not converter.accepts({"size": 1, "other": 2})
    assert not converter.accepts("x")
    assert registry.converter(Movie).accepts({"name": "x", "year": 1})
    assert not registry.converter(Movie).accepts({"year": 1})


def test_subclass_of_the_declared_class_becomes_the_declared_class(registry, context):
    converter = registry.converter(Base)
    assert converter.to_python(converter.to_literal(Derived(1), context), context) == Base(1)


def test_typing_is_what_users_write(registry):
    assert registry.converter(typing.Optional[Layer]).accepts(None)
