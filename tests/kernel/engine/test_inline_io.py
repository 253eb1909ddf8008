"""The limit on what travels inline with an action."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula_kernel.contracts import CallFailedError
from alula_kernel.engine.inline_io import check_inline_size
from alula_kernel.literals import Bytes, ListLiteral, Literal, MapLiteral, Scalar, size_bytes
from alula_kernel.specs import RetryPolicy

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
literals = st.recursive(
    st.builds(Scalar, scalars) | st.builds(Bytes, st.binary()),
    lambda inner: (
        st.builds(ListLiteral, st.lists(inner, max_size=4))
        | st.builds(MapLiteral, st.dictionaries(st.text(max_size=4), inner, max_size=4))
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=20), literals, max_size=5), st.integers(0, 400))
def test_exactly_what_is_larger_is_refused(values: dict[str, Literal], limit: int) -> None:
    if not values or size_bytes(values) <= limit:
        check_inline_size(values, limit, "inputs")
    else:
        with pytest.raises(CallFailedError) as caught:
            check_inline_size(values, limit, "inputs")
        assert caught.value.error.code == "InlineIOMaxBytesBreached"
        assert not caught.value.error.recoverable


@given(st.dictionaries(st.text(max_size=20), st.builds(Scalar, scalars), min_size=1, max_size=5))
def test_at_the_limit(values: dict[str, Literal]) -> None:
    size = size_bytes(values)
    check_inline_size(values, size, "outputs")
    with pytest.raises(CallFailedError):
        check_inline_size(values, size - 1, "outputs")


def test_inputs_that_are_too_large(world: Any) -> None:
    task = world.task(lambda x, y: 0, "t", max_inline_bytes=10_000, retries=RetryPolicy(user=5))
    result = world.run(world.workflow(world.node("n0", task, x=1, y="z" * 20_000)))
    assert result.error.code == "InlineIOMaxBytesBreached"
    assert result.error.message.startswith("the inputs take 20,0")
    assert "more than the 10,000 that may travel inline; the largest is 'y'" in result.error.message
    assert result.error.action == "a0.n0"
    assert world.log == []
    assert world.run(task, {"x": 1, "y": "z" * 9_000}).error is None


def test_outputs_that_are_too_large(world: Any) -> None:
    task = world.task(lambda x: "z" * x, "t", max_inline_bytes=10_000, retries=RetryPolicy(user=5))
    result = world.run(task, {"x": 20_000})
    assert result.error.code == "InlineIOMaxBytesBreached"
    assert "the outputs take" in result.error.message
    assert world.log == ["t"], "trying again would give the same"
    assert world.run(task, {"x": 5_000}).value == "z" * 5_000


def test_bytes_and_lists(world: Any) -> None:
    task = world.task(lambda x: 0, "t", max_inline_bytes=1_000)
    literal = ListLiteral([Scalar(i) for i in range(1_000)])
    assert world.run(task, {"x": literal}).error.code == "InlineIOMaxBytesBreached"
    assert world.run(task, {"x": Bytes(b"x" * 1_001)}).error.code == "InlineIOMaxBytesBreached"
    assert world.run(task, {"x": Bytes(b"x" * 500)}).error is None


def test_without_a_limit(world: Any) -> None:
    task = world.task(lambda x: x, "t")
    assert len(world.run(task, {"x": "z" * 20_000_000}).value) == 20_000_000
