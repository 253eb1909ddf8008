"""The built-in type transformers keep what the contract promises."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypedDict

import msgspec
import numpy as np
import pydantic
import pytest

from alula_kernel.builtin.types import builtin_transformers
from alula_kernel.contracts import TypeTransformer
from alula_kernel.literals import Bytes, Json, MapLiteral, Scalar, UnionLiteral
from alula_kernel.literals import Literal as LiteralValue
from alula_kernel.registry import TypeRegistry
from alula_kernel.testing import Sample, TypeTransformerConformance


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5


@dataclasses.dataclass
class Tree:
    name: str
    children: list[Tree] = dataclasses.field(default_factory=list)


class Pair(NamedTuple):
    left: int
    right: str


class Settings(TypedDict):
    name: str
    size: int


class Person(pydantic.BaseModel):
    name: str
    age: int


class Size(msgspec.Struct):
    width: int
    height: int


class Builtin(TypeTransformerConformance):
    """A family of built-in types, chosen by its first sample."""

    is_builtin = True
    given: Sequence[Sample]

    @pytest.fixture
    def samples(self) -> Sequence[Sample]:
        return self.given

    @pytest.fixture
    def transformer(self, type_registry: TypeRegistry) -> TypeTransformer:
        request = type_registry._request(self.given[0].python_type, ())
        return type_registry._find(request)


class TestInt(Builtin):
    given = [
        Sample(int, 7, plain=7, text="7"),
        Sample(int, -(2**63), plain=-(2**63), text=str(-(2**63))),
        Sample(int, 2**63 - 1),
        Sample(int, 0),
    ]


class TestFloat(Builtin):
    given = [
        Sample(float, 1.5, plain=1.5, text="1.5"),
        Sample(float, 2.0, plain=2, text="2"),
        Sample(float, 1e-300, text="1e-300"),
        Sample(float, float("nan"), text="nan"),
        Sample(float, float("-inf"), text="-inf"),
    ]


class TestBool(Builtin):
    given = [Sample(bool, True, plain=True, text="true"), Sample(bool, False, plain=False, text="no")]


class TestStr(Builtin):
    given = [
        Sample(str, "plain", plain="plain", text="plain"),
        Sample(str, "", text=""),
        Sample(str, "<script>alert('ä \N{SNOWMAN} \0')</script>"),
        Sample(str, "x" * 100_000),
    ]

    @pytest.fixture
    def wrong_values(self) -> Sequence[Any]:
        return [1, b"bytes", object(), ["list"]]

    @pytest.fixture
    def wrong_texts(self) -> Sequence[str]:
        return []  # every text is a str


class TestBytes(Builtin):
    given = [Sample(bytes, b"\x00\xff", plain="AP8="), Sample(bytes, b"", text=""), Sample(bytes, b"text", text="text")]

    @pytest.fixture
    def wrong_texts(self) -> Sequence[str]:
        return []  # every text is bytes in UTF-8

    @pytest.fixture
    def wrong_literals(self) -> Sequence[LiteralValue]:
        return [Scalar(1), MapLiteral({})]


class TestNone(Builtin):
    given = [Sample(type(None), None, plain=None, text="None")]


class TestDatetime(Builtin):
    given = [
        Sample(
            dt.datetime,
            dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.timezone.utc),
            plain="2026-01-02T03:04:05.000006Z",
            text="2026-01-02T03:04:05.000006+00:00",
        ),
        Sample(dt.datetime, dt.datetime(2026, 1, 2, 3, 4)),  # noqa: DTZ001 - naive ones travel too
    ]


class TestDate(Builtin):
    given = [Sample(dt.date, dt.date(2026, 1, 2), plain="2026-01-02", text="2026-01-02")]


class TestTimedelta(Builtin):
    given = [
        Sample(dt.timedelta, dt.timedelta(days=1, seconds=2), text="P1DT2S"),
        Sample(dt.timedelta, dt.timedelta(microseconds=-1)),
    ]
    takes_plain = False


class TestEnum(Builtin):
    given = [Sample(Colour, Colour.RED, plain="red", text="red"), Sample(Colour, Colour.GREEN)]


class TestLiteral(Builtin):
    given = [
        Sample(Literal["a", "b"], "a", plain="a", text="a"),
        Sample(Literal["a", "b"], "b"),
        Sample(Literal[1, 2], 2, plain=2, text="2"),
    ]


class TestList(Builtin):
    given = [
        Sample(list[int], [1, 2], plain=[1, 2], text="[1, 2]"),
        Sample(list[int], [], plain=[], text="[]"),
        Sample(list[list[str]], [["<script>"], []], plain=[["<script>"], []]),
    ]


class TestTuple(Builtin):
    given = [Sample(tuple[int, str], (1, "a"), plain=[1, "a"], text='[1, "a"]'), Sample(tuple[int, str], (2, "a"))]


class TestDict(Builtin):
    given = [
        Sample(dict[str, int], {"a": 1}, plain={"a": 1}, text='{"a": 1}'),
        Sample(dict[str, int], {}),
        Sample(dict[str, list[float]], {"<script>": [0.5]}),
    ]

    @pytest.fixture
    def wrong_literals(self) -> Sequence[LiteralValue]:
        return [Bytes(b"\x00"), Scalar("text")]


class TestOptional(Builtin):
    given = [Sample(int | None, 1, plain=1, text="1"), Sample(int | None, None, plain=None)]


class TestUnion(Builtin):
    given = [
        Sample(int | str, 1, plain=1, text="1"),
        Sample(int | str, "one", plain="one", text="one"),
    ]

    @pytest.fixture
    def wrong_values(self) -> Sequence[Any]:
        return [object(), b"bytes"]

    @pytest.fixture
    def wrong_texts(self) -> Sequence[str]:
        return []  # every text is a str

    @pytest.fixture
    def wrong_literals(self) -> Sequence[LiteralValue]:
        return [Bytes(b"\x00"), UnionLiteral("nobody", Bytes(b"\x00"))]


class TestDataclass(Builtin):
    given = [
        Sample(Point, Point(1, 2.5), plain={"x": 1, "y": 2.5}, text='{"x": 1, "y": 2.5}'),
        Sample(Point, Point(2), plain={"x": 2}),
        Sample(Tree, Tree("<script>", [Tree("leaf")]), plain={"name": "<script>", "children": [{"name": "leaf"}]}),
    ]


class TestNamedTuple(Builtin):
    given = [Sample(Pair, Pair(1, "a"), plain={"left": 1, "right": "a"}, text='{"left": 1, "right": "a"}')]


class TestTypedDict(Builtin):
    given = [
        Sample(Settings, {"name": "a", "size": 1}, plain={"name": "a", "size": 1}, text='{"name": "a", "size": 1}')
    ]


class TestPlainDict(Builtin):
    given = [
        Sample(
            dict, {"a": [1, None, {"b": 0.5}]}, plain={"a": [1, None, {"b": 0.5}]}, text='{"a": [1, null, {"b": 0.5}]}'
        ),
        Sample(dict, {}),
    ]

    @pytest.fixture
    def wrong_literals(self) -> Sequence[LiteralValue]:
        return [Bytes(b"\x00"), Scalar("text"), Json([1])]


class TestModel(Builtin):
    given = [
        Sample(
            Person,
            Person(name="<script>", age=1),
            plain={"name": "<script>", "age": 1},
            text='{"name": "<script>", "age": 1}',
        ),
        Sample(Person, Person(name="a", age=2), plain={"name": "a", "age": "2"}),
    ]


class TestStruct(Builtin):
    given = [Sample(Size, Size(1, 2), plain={"width": 1, "height": 2}, text='{"width": 1, "height": 2}')]


class TestArray(Builtin):
    given = [
        Sample(np.ndarray, np.arange(6).reshape(2, 3), plain=[[0, 1, 2], [3, 4, 5]], text="[[0, 1, 2], [3, 4, 5]]"),
        Sample(np.ndarray, np.array([0.5, float("nan")])),
        Sample(np.ndarray, np.array([])),
    ]

    def is_same(self, first: Any, second: Any) -> bool:
        return first.dtype == second.dtype and bool(np.array_equal(first, second, equal_nan=True))


def test_every_family_of_the_kernel_is_tried() -> None:
    """A new family of types comes with a subclass of the suite."""
    registry = TypeRegistry(builtin_transformers())
    tried = {
        registry._find(registry._request(suite.given[0].python_type, ())).name for suite in Builtin.__subclasses__()
    }
    assert tried >= {t.name for t in registry.transformers if t.python_types and t.name != "refusals"}
