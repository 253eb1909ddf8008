# ruff: noqa: UP007, UP045 - old and new spellings of a type are the subject
from __future__ import annotations

import dataclasses
import sys
import threading
import types as python_types
import typing
from typing import Annotated, Any, NewType, Optional, Union

import msgspec
import pytest
from typing_extensions import TypeAliasType

from alula_kernel import types
from alula_kernel.builtin.types import builtin_transformers
from alula_kernel.contracts import Converter, TypeRequest, TypeTransformer
from alula_kernel.errors import PluginError, UnsupportedTypeError
from alula_kernel.literals import Scalar
from alula_kernel.registry import TypeRegistry, type_name


class Temperature:
    def __init__(self, degrees: float) -> None:
        self.degrees = degrees


class Fever(Temperature):
    pass


class MarkConverter(Converter[Any]):
    """Remembers who made it."""

    def __init__(self, made_by: str, request: TypeRequest) -> None:
        self.made_by = made_by
        self.request = request
        self.python_type = request.python_type
        self.literal_type = types.FLOAT

    def to_literal(self, value, context):
        return Scalar(value.degrees)

    def to_python(self, literal, context):
        return self.python_type(literal.value)


class MarkTransformer(TypeTransformer):
    def __init__(self, name: str, *python_types: type | str, priority: int = 0, takes: type | None = None) -> None:
        self.name = name
        self.python_types = python_types
        self.priority = priority
        self.takes = takes

    def matches(self, request):
        return self.takes is not None and request.origin is self.takes

    def converter(self, request):
        return MarkConverter(self.name, request)


class DefaultTransformer(TypeTransformer):
    name = "default"

    def converter(self, request):
        return MarkConverter("default", request)


def made_by(registry: TypeRegistry, python_type: Any) -> str:
    return registry.converter(python_type).made_by  # type: ignore[attr-defined]


def test_class_is_found_by_itself_and_by_name():
    by_class = TypeRegistry([MarkTransformer("c", Temperature)])
    by_name = TypeRegistry([MarkTransformer("n", f"{__name__}.Temperature")])
    assert made_by(by_class, Temperature) == "c"
    assert made_by(by_name, Temperature) == "n"


def test_class_is_found_by_its_public_name(monkeypatch):
    public = python_types.ModuleType("weather")
    public.Temperature = Temperature  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "weather", public)
    registry = TypeRegistry([MarkTransformer("public", "weather.Temperature")])
    assert made_by(registry, Temperature) == "public"
    with pytest.raises(UnsupportedTypeError):  # another class of that name
        registry.converter(type("Temperature", (), {}))


def test_exact_class_goes_before_base_class_and_base_before_matches():
    transformers = [MarkTransformer("base", Temperature), MarkTransformer("matches", takes=Fever, priority=100)]
    assert made_by(TypeRegistry(transformers), Fever) == "base"
    assert made_by(TypeRegistry([*transformers, MarkTransformer("exact", Fever)]), Fever) == "exact"
    assert made_by(TypeRegistry(transformers[1:]), Fever) == "matches"


def test_origin_is_looked_up_and_the_request_has_its_parts():
    T = typing.TypeVar("T")

    class Box(typing.Generic[T]):
        pass

    registry = TypeRegistry([MarkTransformer("box", Box)])
    request = registry.converter(Annotated[Box[int], "x"]).request  # type: ignore[attr-defined]
    assert (request.origin, request.args, request.metadata) == (Box, (int,), ("x",))
    assert request.python_type == Box[int]
    assert request.registry is registry


def test_matches_goes_by_priority_then_by_registration():
    low, high = MarkTransformer("low", takes=Fever), MarkTransformer("high", takes=Fever, priority=5)
    assert made_by(TypeRegistry([low, high]), Fever) == "high"
    assert made_by(TypeRegistry([low, MarkTransformer("late", takes=Fever)]), Fever) == "low"


def test_annotated_transformer_class_instance_and_converter_win(registry):
    instance = MarkTransformer("instance")
    assert made_by(registry, Annotated[int, instance]) == "instance"
    assert made_by(registry, Annotated[int, DefaultTransformer]) == "default"
    converter = registry.converter(Annotated[Temperature, instance])
    assert registry.converter(Annotated[int, "other", converter]) is converter


def test_metadata_does_not_hide_the_type(registry):
    assert registry.converter(Annotated[int, "pounds"]).literal_type == types.INT


def test_converters_are_memoised(registry):
    assert registry.converter(int) is registry.converter(int)
    assert registry.converter(list[int]) is registry.converter(list[int])
    assert registry.converter(Annotated[int, "a"]) is registry.converter(Annotated[int, "a"])
    assert registry.converter(Annotated[int, {"a": [1]}]) is registry.converter(Annotated[int, {"a": [1]}])


def test_metadata_without_hash_is_told_apart(registry):
    import numpy as np

    plain = registry.converter(Annotated[np.ndarray, {"allow_pickle": False}])
    pickled = registry.converter(Annotated[np.ndarray, {"allow_pickle": True}])
    assert (plain.allow_pickle, pickled.allow_pickle) == (False, True)


def test_order_of_variants_does_not_depend_on_what_was_looked_up_first():
    for first, second in ([(int, str), (str, int)], [(str, int), (int, str)]):
        registry = TypeRegistry(builtin_transformers())
        registry.converter(list[Union[first]])  # type: ignore[valid-type]
        kinds = registry.converter(list[Union[second]]).literal_type.item.variants  # type: ignore[valid-type, union-attr]
        assert [kind.kind for kind in kinds] == [cls.__name__ for cls in second]


def test_equal_literals_of_other_type_are_told_apart(registry):
    assert registry.converter(typing.Literal[1]).literal_type.values == (1,)
    assert registry.converter(typing.Literal[True]).literal_type.values[0] is True


def test_duplicate_class_names_both_sources_and_adds_nothing():
    registry = TypeRegistry()
    registry.register(MarkTransformer("first", Temperature), "alula-weather 1.0")
    with pytest.raises(PluginError) as raised:
        registry.register(MarkTransformer("second", Fever, f"{__name__}.Temperature"), "alula-climate 2.1")
    for part in ("'first'", "alula-weather 1.0", "'second'", "alula-climate 2.1", f"{__name__}.Temperature"):
        assert part in str(raised.value)
    assert made_by(registry, Fever) == "first"  # by its base class; the second was not added


def test_duplicate_name_is_refused():
    registry = TypeRegistry([MarkTransformer("same", Temperature)])
    with pytest.raises(PluginError, match=r"other 1\.0 and alula-kernel both register .* named 'same'"):
        registry.register(MarkTransformer("same"), "other 1.0")


def test_registration_is_seen_by_types_that_were_looked_up_before():
    registry = TypeRegistry([MarkTransformer("base", Temperature)])
    assert made_by(registry, Fever) == "base"
    exact = MarkTransformer("exact", Fever)
    registry.register(exact)
    assert made_by(registry, Fever) == "exact"
    assert registry.transformers[-1] is exact
    assert registry.source(exact) == __name__


def test_unknown_type_says_what_was_found_and_what_to_do(registry):
    with pytest.raises(UnsupportedTypeError) as raised:
        registry.converter(dict[str, Temperature])
    message = str(raised.value)
    for part in ("Temperature", __name__, "Pickle[Temperature]", "plugin", "supported type"):
        assert part in message


def test_string_annotation_is_refused(registry):
    for annotation in ("Model", typing.ForwardRef("Model")):
        with pytest.raises(UnsupportedTypeError, match="string that was not resolved"):
            registry.converter(annotation)


def test_type_variable_is_refused(registry):
    with pytest.raises(UnsupportedTypeError, match="type variable T"):
        registry.converter(list[typing.TypeVar("T")])  # type: ignore[misc]


UserId = NewType("UserId", int)
Names = TypeAliasType("Names", list[str])


class LazyAlias:
    """A recursive alias as the statement ``type Tree = int | dict[str, Tree]`` of Python 3.12 makes it."""

    @property
    def __value__(self) -> Any:
        return Union[int, dict[str, Tree]]


LazyAlias.__name__ = "TypeAliasType"
Tree: Any = LazyAlias()


def test_new_types_and_aliases_stand_for_what_they_name(registry, round_trip):
    assert registry.converter(UserId).literal_type == types.INT
    assert registry.converter(Annotated[UserId, "x"]).literal_type == types.INT
    assert registry.converter(Names).literal_type == types.ListOf(types.STR)
    round_trip(dict[str, UserId], {"a": 1})


def test_none_stands_for_its_type(registry):
    assert registry.converter(None).literal_type == types.NONE


@dataclasses.dataclass
class Node:
    value: int
    next: Optional[Node] = None
    children: list[Node] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Husband:
    name: str
    wife: Optional[Wife] = None


@dataclasses.dataclass
class Wife:
    name: str
    husband: Optional[Husband] = None


def test_recursive_dataclass(registry, round_trip):
    round_trip(Node, Node(1, Node(2), [Node(3, children=[Node(4)])]))
    literal_type = registry.converter(Node).literal_type
    assert literal_type.fields[1].type == types.UnionOf((types.RecordRef("Node"), types.NONE))
    msgspec.msgpack.encode(literal_type)


def test_types_around_a_recursive_one_hold_its_whole_definition(registry):
    registry.converter(Node)
    for python_type in (list[Node], Optional[Node]):
        literal_type = registry.converter(python_type).literal_type
        inner = literal_type.item if isinstance(literal_type, types.ListOf) else literal_type.variants[0]
        assert inner == registry.converter(Node).literal_type


@pytest.mark.parametrize("first", [Husband, Wife])
def test_mutual_recursion_does_not_depend_on_what_was_looked_up_first(first):
    registry = TypeRegistry(builtin_transformers())
    registry.converter(first)
    wife = registry.converter(Wife).literal_type
    assert isinstance(wife, types.Record)
    husband = wife.fields[1].type.variants[0]  # type: ignore[union-attr]
    assert husband == types.Record(
        "Husband",
        (
            types.FieldType("name", types.STR),
            types.FieldType("wife", types.UnionOf((types.RecordRef("Wife"), types.NONE)), required=False),
        ),
    )


def test_mutual_recursion_round_trip(round_trip):
    round_trip(Husband, Husband("a", Wife("b", Husband("c"))))


def test_classes_that_all_refer_to_each_other_are_compiled_in_time():
    names = [f"Kind{i}" for i in range(30)]
    module = python_types.ModuleType("clique")
    module.Optional = Optional  # type: ignore[attr-defined]
    sys.modules["clique"] = module
    try:
        for name in names:
            namespace: dict[str, Any] = {other.lower(): None for other in names}
            namespace["__annotations__"] = {other.lower(): f"Optional[{other}]" for other in names}
            namespace["__module__"] = "clique"
            setattr(module, name, dataclasses.dataclass(type(name, (), namespace)))
        registry = TypeRegistry(builtin_transformers())
        converter = registry.converter(module.Kind0)
        value = module.Kind0(kind7=module.Kind7(kind3=module.Kind3(kind0=module.Kind0())))
        assert converter.to_python(converter.to_literal(value, None), None) == value
    finally:
        del sys.modules["clique"]


def test_recursive_alias(round_trip):
    round_trip(Tree, {"a": 1, "b": {"c": 2}})


def test_failed_type_leaves_nothing_behind(registry):
    @dataclasses.dataclass
    class Bad:
        name: str
        thing: Temperature

    for _ in range(2):
        with pytest.raises(UnsupportedTypeError, match=r"Bad\.thing: .*Temperature"):
            registry.converter(Bad)
    assert registry.converter(Node).literal_type.name == "Node"


def test_threads_get_the_same_converter():
    registry = TypeRegistry(builtin_transformers())
    barrier = threading.Barrier(8)
    found: list[Converter[Any]] = []

    def look_up() -> None:
        barrier.wait()
        found.append(registry.converter(dict[str, list[Node]]))

    threads = [threading.Thread(target=look_up) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    value = {"a": [Node(1, Node(2))]}
    for converter in found:
        assert converter.to_python(converter.to_literal(value, None), None) == value
        assert converter.literal_type == found[0].literal_type


@pytest.mark.parametrize(
    ("python_type", "name"),
    [
        (int, "int"),
        (None, "None"),
        (list[int], "list[int]"),
        (Optional[int], "int | None"),
        (Union[int, str], "int | str"),
        (dict[str, list[Node]], "dict[str, list[Node]]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Annotated[list[int], "x"], "list[int]"),
        (typing.Literal["a", 1], "Literal['a', 1]"),
        (Any, "Any"),
        (UserId, "UserId"),
        (typing.Sequence[int], "Sequence[int]"),
    ],
)
def test_type_name(python_type, name):
    assert type_name(python_type) == name


@pytest.mark.parametrize(
    "python_type",
    [
        int,
        type(None),
        list[int],
        dict[str, float],
        tuple[int, str],
        Union[int, str, None],
        list[dict[str, Any]],
        dict[str, Any],
        typing.Literal["a", "b"],
    ],
)
def test_python_type_of_a_literal_type(registry, python_type):
    literal_type = registry.converter(python_type).literal_type
    guessed = registry.python_type(literal_type)
    assert registry.converter(guessed).literal_type == literal_type
    assert registry.python_type(literal_type) == guessed


def test_python_type_of_a_record_is_a_dataclass_with_its_fields(registry):
    literal_type = registry.converter(Node).literal_type
    guessed = registry.python_type(literal_type)
    literal = registry.converter(Node).to_literal(Node(1, Node(2)), None)
    value = registry.converter(guessed).to_python(literal, None)
    assert (value.value, value.next.value, value.next.next, value.children) == (1, 2, None, [])
    assert types.mismatch(literal_type, registry.converter(guessed).literal_type) is None


def test_python_type_of_a_record_with_names_that_are_no_identifiers(registry):
    Headers = typing.TypedDict("Headers", {"content-type": str})
    guessed = registry.python_type(registry.converter(Headers).literal_type)
    assert registry.converter(guessed).literal_type == registry.converter(Headers).literal_type


def test_python_type_of_a_plugins_own_type_is_the_plugins(registry):
    class GuessingTransformer(MarkTransformer):
        def python_type(self, literal_type):
            return Temperature if literal_type == types.Opaque("weather.Temperature") else None

    with pytest.raises(UnsupportedTypeError, match="no Python type is known"):
        registry.python_type(types.Opaque("weather.Temperature"))
    extended = TypeRegistry([*builtin_transformers(), GuessingTransformer("guessing", Temperature)])
    assert extended.python_type(types.ListOf(types.Opaque("weather.Temperature"))) == list[Temperature]
