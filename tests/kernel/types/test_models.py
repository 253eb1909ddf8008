# ruff: noqa: UP007, UP045 - annotations are written as users write them
from __future__ import annotations

import uuid
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar, Union

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, PrivateAttr, RootModel, SecretStr, field_validator

from alula_kernel import types
from alula_kernel.builtin.types import builtin_transformers
from alula_kernel.contracts import Converter, TypeTransformer
from alula_kernel.errors import UnsupportedTypeError, ValueConversionError
from alula_kernel.hashing import HashMethod
from alula_kernel.literals import Blob, Hashed, Json, MapLiteral, Scalar, content_hash
from alula_kernel.registry import TypeRegistry

T = TypeVar("T")


class Kind(Enum):
    A = "a"


class Inner(BaseModel):
    size: int = Field(gt=0)


class Model(BaseModel):
    name: str
    inners: list[Inner] = []
    kind: Kind = Kind.A
    when: Optional[datetime] = None
    id: uuid.UUID = uuid.UUID(int=0)
    price: Decimal = Decimal("1.5")
    where: Path = Path("a/b")
    anything: Any = None
    parent: Optional[Model] = None


class Aliased(BaseModel):
    class_: str = Field(alias="class")
    size: int = Field(validation_alias=AliasChoices("sz", "extent"))


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)
    a: int
    when: date


class Names(RootModel[list[str]]):
    pass


class Box(BaseModel, Generic[T]):
    item: T


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str]


class Owner(BaseModel):
    pet: Annotated[Union[Cat, Dog], Field(discriminator="kind")]


class Splitting(BaseModel):
    tags: list[str]

    @field_validator("tags", mode="before")
    @classmethod
    def split(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value


inners = st.builds(Inner, size=st.integers(1, 2**63 - 1))
models = st.builds(
    Model,
    name=st.text(),
    inners=st.lists(inners, max_size=3),
    when=st.none() | st.datetimes(timezones=st.none() | st.just(timezone.utc)),
    id=st.uuids(),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    anything=st.none() | st.text() | st.lists(st.booleans()),
    parent=st.none() | st.builds(Model, name=st.text()),
)


@given(value=models)
def test_model(round_trip, value):
    round_trip(Model, value)


@given(value=st.lists(inners), other=inners)
def test_hash_tells_values_apart(registry, context, value, other):
    converter = registry.converter(list[Inner])
    before = content_hash(converter.to_literal(value, context))
    assert before == content_hash(converter.to_literal([inner.model_copy() for inner in value], context))
    assert before != content_hash(converter.to_literal([*value, other], context))


@pytest.mark.parametrize(
    ("python_type", "value"),
    [
        (Aliased, Aliased.model_validate({"class": "x", "sz": 3})),
        (Extra, Extra.model_validate({"a": 1, "b": [1, {"c": 2}]})),
        (Extra, Extra(a=1)),
        (Frozen, Frozen(a=1, when=date(2026, 1, 1))),
        (Names, Names(["a", "b"])),
        (Box[int], Box[int](item=1)),
        (Box[list[Inner]], Box[list[Inner]](item=[Inner(size=1)])),
        (Owner, Owner(pet=Dog(tricks=["sit"]))),
        (Owner, Owner(pet=Cat(lives=9))),
        (Union[Cat, Dog], Dog(tricks=[])),
        (Splitting, Splitting(tags=["a", "b"])),
    ],
)
def test_kinds_of_models(round_trip, python_type, value):
    round_trip(python_type, value)


def test_types_on_the_wire(registry):
    fields = {field.name: field for field in registry.converter(Model).literal_type.fields}
    assert fields["name"] == types.FieldType("name", types.STR)
    assert fields["kind"].type == types.EnumOf("Kind", ("a",))
    assert fields["when"].type == types.UnionOf((types.DATETIME, types.NONE))
    assert [fields[name].type for name in ("id", "price", "where", "anything")] == [types.JSON] * 4
    assert fields["parent"].type == types.UnionOf((types.RecordRef("Model"), types.NONE))
    assert [field.name for field in fields.values() if field.required] == ["name"]
    assert registry.converter(Names).literal_type == types.ListOf(types.STR)


def test_dicts_are_coerced_as_pydantic_does(registry, context):
    converter = registry.converter(Model)
    plain = {"name": "x", "inners": [{"size": "3"}], "when": "2026-01-31T00:00:00Z", "price": "2.50"}
    for value in (
        converter.from_plain(plain, context),
        converter.to_python(converter.to_literal(plain, context), context),
    ):
        assert value == Model.model_validate(plain)
    assert converter.from_text('{"name": "x"}', context) == Model(name="x")
    assert registry.converter(Splitting).from_plain({"tags": "a,b"}, context).tags == ["a", "b"]
    aliased = registry.converter(Aliased).from_plain({"class": "x", "extent": 2}, context)
    assert (aliased.class_, aliased.size) == ("x", 2)
    assert registry.converter(Names).from_text('["a"]', context) == Names(["a"])
    assert registry.converter(Names).from_plain(["a"], context) == Names(["a"])
    assert registry.converter(Owner).from_plain({"pet": {"kind": "cat", "lives": 1}}, context) == Owner(
        pet=Cat(lives=1)
    )


def test_validation_errors_have_field_paths(registry, context):
    converter = registry.converter(Model)
    with pytest.raises(
        ValueConversionError, match=r"inners\[1\]\.size: Input should be greater than 0, found 0"
    ) as raised:
        converter.from_plain({"name": "x", "inners": [{"size": 1}, {"size": 0}]}, context)
    assert isinstance(raised.value.__cause__, pydantic.ValidationError)
    with pytest.raises(ValueConversionError) as raised:
        converter.from_plain({"inners": [{"size": "many"}]}, context)
    assert "2 places" in str(raised.value)
    assert "name: Field required" in str(raised.value)
    assert "inners[0].size: Input should be a valid integer" in str(raised.value)
    with pytest.raises(ValueConversionError, match="expected Model, found int 5"):
        converter.to_literal(5, context)
    with pytest.raises(ValueConversionError, match="Names"):
        registry.converter(Names).from_plain(5, context)


def test_what_comes_from_another_producer_is_validated(registry, context):
    literal = MapLiteral({"size": Scalar(-1)})
    with pytest.raises(ValueConversionError, match="size: Input should be greater than 0"):
        registry.converter(Inner).to_python(literal, context)
    with pytest.raises(ValueConversionError, match="Inner misses the required field 'size'"):
        registry.converter(Inner).to_python(MapLiteral({}), context)


def test_changed_model_with_a_wrong_field(registry, context):
    value = Model(name="x")
    value.name = 5  # type: ignore[assignment]
    with pytest.raises(ValueConversionError, match="name: expected str, found int 5"):
        registry.converter(Model).to_literal(value, context)
    value = Model(name="x", anything={"a": 2**70})
    with pytest.raises(
        ValueConversionError, match=r"anything\['a'\]: expected plain data, found an integer of 72 bits"
    ):
        registry.converter(Model).to_literal(value, context)


class Handle:
    """What only a transformer of a plugin can convert."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and other.uri == self.uri

    def __hash__(self) -> int:
        return hash(self.uri)


class HandleConverter(Converter[Handle]):
    python_type = Handle
    literal_type = types.BlobOf("handle")

    def to_literal(self, value, context):
        return Blob(value.uri, hash="h" + value.uri)

    def to_python(self, literal, context):
        return Handle(literal.uri)

    def from_text(self, text, context):
        return Handle(text)


class HandleTransformer(TypeTransformer):
    name = "handles"
    python_types = (Handle,)

    def converter(self, request):
        return HandleConverter()


class Holder(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    handle: Handle
    handles: dict[str, Handle] = Field(default={}, alias="more")


def test_fields_that_a_plugin_converts(context):
    registry = TypeRegistry([*builtin_transformers(), HandleTransformer()])
    converter = registry.converter(list[Holder])
    value = [Holder(handle=Handle("a"), more={"x": Handle("b")})]
    literal = converter.to_literal(value, context)
    assert literal.items[0].entries["handle"] == Blob("a", hash="ha")
    assert converter.to_python(literal, context) == value
    assert converter.from_plain([{"handle": "a", "more": {"x": "b"}}], context) == value


def test_hash_methods_of_fields_count(registry, context):
    class Trained(BaseModel):
        weights: Annotated[list[float], HashMethod(lambda weights: "digest")]

    converter = registry.converter(Trained)
    literal = converter.to_literal(Trained(weights=[1.0]), context)
    assert isinstance(literal.entries["weights"], Hashed)
    assert converter.to_python(literal, context) == Trained(weights=[1.0])


def test_private_attributes_do_not_travel(registry, context):
    class Stateful(BaseModel):
        a: int
        _cache: dict[str, int] = PrivateAttr(default_factory=dict)

    value = Stateful(a=1)
    value._cache["x"] = 1
    converter = registry.converter(Stateful)
    back = converter.to_python(converter.to_literal(value, context), context)
    assert (back.a, back._cache) == (1, {})


def test_what_cannot_travel_is_refused(registry):
    class WithSecret(BaseModel):
        password: Optional[SecretStr]

    class WithObject(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        handle: Handle

    with pytest.raises(UnsupportedTypeError, match=r"WithSecret\.password: a secret is stored nowhere"):
        registry.converter(WithSecret)
    with pytest.raises(UnsupportedTypeError, match=r"WithObject\.handle: no type transformer handles Handle"):
        registry.converter(WithObject)


def test_undefined_types_are_refused(registry):
    class Unfinished(BaseModel):
        other: Nowhere  # type: ignore[name-defined] # noqa: F821

    with pytest.raises(UnsupportedTypeError, match="Unfinished has a field whose type is not defined"):
        registry.converter(Unfinished)


def test_models_of_pydantic_1_are_refused(registry):
    old = type("OldModel", (), {"__module__": "pydantic.main", "__qualname__": "BaseModel"})
    with pytest.raises(UnsupportedTypeError, match="pydantic 1"):
        registry.converter(type("Mine", (old,), {}))


def test_json_field_of_another_producer(registry, context):
    literal = MapLiteral({"name": Scalar("x"), "id": Scalar(str(uuid.UUID(int=5))), "price": Json("2.5")})
    value = registry.converter(Model).to_python(literal, context)
    assert (value.id, value.price) == (uuid.UUID(int=5), Decimal("2.5"))
    with pytest.raises(ValueConversionError, match=r"id: .*valid UUID"):
        registry.converter(Model).to_python(MapLiteral({"name": Scalar("x"), "id": Scalar("no")}), context)


def test_preview(registry):
    html = registry.converter(Model).to_html(Model(name="<b>"))
    assert "<th>name</th><td>&#x27;&lt;b&gt;&#x27;</td>" in html
    assert "Names" in registry.converter(Names).to_html(Names(["a"]))
