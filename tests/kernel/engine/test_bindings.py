"""Attributes of values that nodes pass on, and conditions."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula_kernel.engine.bindings import OPERATORS, BindingError, holds, resolve
from alula_kernel.literals import Blob, Hashed, Json, ListLiteral, Literal, MapLiteral, NonFinite, Scalar, UnionLiteral
from alula_kernel.specs import Comparison, Junction, LiteralBinding, Reference

TREE = MapLiteral(
    {
        "leaves": ListLiteral([Scalar(1), MapLiteral({"size": Scalar(2)})]),
        "any": Json({"a": [1, {"b": "deep"}], "n": None}),
        "wrapped": UnionLiteral("x", Hashed(ListLiteral([Scalar("in")]), "hash")),
        "file": Blob("memory://x"),
        "empty": MapLiteral({}),
    }
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), TREE),
        (("leaves", 0), Scalar(1)),
        (("leaves", -1, "size"), Scalar(2)),
        (("any",), TREE.entries["any"]),
        (("any", "a"), Json([1, {"b": "deep"}])),
        (("any", "a", 1, "b"), Scalar("deep")),
        (("any", "n"), Scalar(None)),
        (("wrapped", 0), Scalar("in")),
    ],
)
def test_paths(path: tuple[str | int, ...], value: Literal) -> None:
    assert resolve(Reference("n0", "o0", path), {"n0": {"o0": TREE}}) == value


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("nothing",), "n0.o0 has no 'nothing'; it has 'leaves', 'any', 'wrapped', 'file', 'empty'"),
        (("leaves", 2), "n0.o0['leaves'] has no 2; it is a list of 2"),
        (("leaves", "size"), "n0.o0['leaves'] has no 'size'; it is a list of 2"),
        (("leaves", 0, "size"), "n0.o0['leaves'][0] has no 'size'; it has no parts"),
        (("empty", "x"), "n0.o0['empty'] has no 'x'; it has no entries"),
        (("any", "b"), "n0.o0['any'] has no 'b'; it is dict"),
        (("any", "a", 7), "n0.o0['any']['a'] has no 7; it is list"),
        (("any", "a", "x"), "n0.o0['any']['a'] has no 'x'; it is list"),
        (("file", "path"), "n0.o0['file'] has no 'path'; it has no parts"),
    ],
)
def test_paths_that_lead_nowhere_say_where_they_end(path: tuple[str | int, ...], message: str) -> None:
    with pytest.raises(BindingError) as caught:
        resolve(Reference("n0", "o0", path), {"n0": {"o0": TREE}})
    assert caught.value.error.code == "AttributeNotFound"
    assert caught.value.error.message == message
    assert not caught.value.error.recoverable


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Scalar("a"), UnionLiteral("str", Scalar("a"))),
        (Scalar(None), Scalar(None)),
        (UnionLiteral("datetime", Scalar("a")), UnionLiteral("datetime", Scalar("a"))),
        (Hashed(Scalar("a"), "h"), Hashed(UnionLiteral("str", Scalar("a")), "h")),
    ],
)
def test_a_value_for_a_union_says_of_which_variant_it_is(value: Literal, expected: Literal) -> None:
    assert resolve(Reference("n0", "o0", (), "str"), {"n0": {"o0": value}}) == expected
    whole = MapLiteral({"k": value})
    assert resolve(Reference("n0", "o0", ("k",), "str"), {"n0": {"o0": whole}}) == expected


def test_values_that_were_not_given() -> None:
    with pytest.raises(BindingError, match="the workflow's input 'x' was not given"):
        resolve(Reference("", "x"), {"": {}})
    with pytest.raises(BindingError, match="node n0 gave no output 'o1'"):
        resolve(Reference("n0", "o1"), {"n0": {}})
    with pytest.raises(BindingError, match="node n9 gave no output 'o0'"):
        resolve(Reference("n9", "o0"), {})


def test_a_workflows_own_input_is_named_without_a_node() -> None:
    with pytest.raises(BindingError, match=r"^data has no 'k'; it is a list of 0$"):
        resolve(Reference("", "data", ("k",)), {"": {"data": ListLiteral([])}})


def compare(left: Literal, operator: str, right: Literal) -> bool:
    return holds(Comparison(operator, LiteralBinding(left), LiteralBinding(right)), {})


numbers = st.integers(-5, 5) | st.floats(-5, 5)


@given(numbers, numbers, st.sampled_from(sorted(OPERATORS)))
def test_numbers_compare_as_in_python(left: float, right: float, operator: str) -> None:
    assert compare(Scalar(left), operator, Scalar(right)) == OPERATORS[operator](left, right)


@given(st.text(max_size=3), st.text(max_size=3), st.sampled_from(sorted(OPERATORS)))
def test_strings_compare_as_in_python(left: str, right: str, operator: str) -> None:
    assert compare(Scalar(left), operator, Scalar(right)) == OPERATORS[operator](left, right)


@pytest.mark.parametrize(("text", "number"), [("inf", math.inf), ("-inf", -math.inf), ("nan", math.nan)])
@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_floats_without_a_json_form_compare_too(text: str, number: float, operator: str) -> None:
    assert compare(NonFinite(text), operator, Scalar(0.5)) == OPERATORS[operator](number, 0.5)


@pytest.mark.parametrize(
    ("left", "operator", "right", "result"),
    [
        (Scalar(None), "==", Scalar(None), True),
        (Scalar(None), "!=", Scalar(1), True),
        (Scalar("x"), "==", Scalar(None), False),
        (Scalar(True), "==", Scalar(True), True),
        (Scalar(False), "<", Scalar(True), True),
        (UnionLiteral("int", Scalar(1)), "==", Hashed(Scalar(1), "h"), True),
    ],
)
def test_other_primitives(left: Literal, operator: str, right: Literal, result: bool) -> None:
    assert compare(left, operator, right) is result


@pytest.mark.parametrize(
    ("left", "operator", "right", "message"),
    [
        (Scalar(1), "==", Scalar("1"), "cannot compare int == str"),
        (Scalar(True), "==", Scalar(1), "cannot compare bool == int"),
        (Scalar(None), "<", Scalar(1), "cannot compare NoneType < int"),
        (Scalar(None), "<", Scalar(None), "cannot compare NoneType < NoneType"),
        (ListLiteral([]), "==", ListLiteral([]), "a listliteral cannot be compared; use a primitive"),
    ],
)
def test_what_cannot_be_compared(left: Literal, operator: str, right: Literal, message: str) -> None:
    with pytest.raises(BindingError) as caught:
        compare(left, operator, right)
    assert caught.value.error.code == "NotComparable"
    assert caught.value.error.message == message


@given(
    st.recursive(st.booleans(), lambda inner: st.tuples(st.sampled_from(["and", "or"]), inner, inner), max_leaves=12)
)
def test_junctions(tree: Any) -> None:
    def condition(part: Any) -> Any:
        if isinstance(part, bool):
            return Comparison("==", LiteralBinding(Scalar(part)), LiteralBinding(Scalar(True)))
        return Junction(part[0], condition(part[1]), condition(part[2]))

    def truth(part: Any) -> bool:
        if isinstance(part, bool):
            return part
        left, right = truth(part[1]), truth(part[2])
        return (left and right) if part[0] == "and" else (left or right)

    assert holds(condition(tree), {}) is truth(tree)


def test_junctions_look_no_further_than_they_must() -> None:
    """The second condition may refer to something that is only there if the first holds."""
    broken = Comparison("==", Reference("", "nothing"), LiteralBinding(Scalar(1)))
    true = Comparison("==", LiteralBinding(Scalar(1)), LiteralBinding(Scalar(1)))
    false = Comparison("!=", LiteralBinding(Scalar(1)), LiteralBinding(Scalar(1)))
    assert holds(Junction("or", true, broken), {"": {}}) is True
    assert holds(Junction("and", false, broken), {"": {}}) is False
    with pytest.raises(BindingError):
        holds(Junction("and", true, broken), {"": {}})
