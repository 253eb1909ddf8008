"""Resolving bindings and conditions against the outputs that are there."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ..errors import ActionError
from ..literals import (
    NONE,
    Hashed,
    Json,
    ListLiteral,
    Literal,
    MapLiteral,
    NonFinite,
    Scalar,
    UnionLiteral,
    unwrap,
)
from ..specs import Binding, Comparison, Condition, ListBinding, LiteralBinding, MapBinding, Reference

Scope = dict[str, Mapping[str, Literal]]
"""Outputs by node id; the workflow's inputs are under the empty id."""

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


class BindingError(Exception):
    """A binding cannot be resolved: an attribute, key or index is not there, or values cannot be compared.

    Attributes:
        error: The failure to record.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.error = ActionError(code=code, message=message, recoverable=False)


def resolve(binding: Binding, scope: Scope) -> Literal:
    """Return the literal that a binding stands for.

    Raises:
        BindingError: It refers to a value that was not given, or a path leads nowhere.
    """
    kind = type(binding)
    if kind is Reference:
        try:
            value = scope[binding.node][binding.output]  # type: ignore[union-attr]
        except KeyError:
            raise _missing(binding) from None  # type: ignore[arg-type]
        if binding.path:  # type: ignore[union-attr]
            value = follow(value, binding.path, binding)  # type: ignore[union-attr, arg-type]
        return _as_variant(value, binding.variant) if binding.variant else value  # type: ignore[union-attr]
    if kind is LiteralBinding:
        return binding.value  # type: ignore[union-attr]
    if kind is ListBinding:
        return ListLiteral([resolve(item, scope) for item in binding.items])  # type: ignore[union-attr]
    assert isinstance(binding, MapBinding)
    return MapLiteral({name: resolve(item, scope) for name, item in binding.entries.items()})


def _as_variant(value: Literal, variant: str) -> Literal:
    """Say of which variant of a union a value is: a text and a time look alike."""
    if isinstance(value, Hashed):
        return msgspec.structs.replace(value, value=_as_variant(value.value, variant))
    return value if isinstance(value, UnionLiteral) or value == NONE else UnionLiteral(variant, value)


def _missing(reference: Reference) -> BindingError:
    if reference.node:
        return BindingError("OutputMissing", f"node {reference.node} gave no output {reference.output!r}")
    return BindingError("InputMissing", f"the workflow's input {reference.output!r} was not given")


def follow(value: Literal, path: tuple[str | int, ...], reference: Reference) -> Literal:
    """Follow attributes, keys and indexes into a value.

    Raises:
        BindingError: A step leads nowhere.
    """
    for depth, key in enumerate(path):
        value = unwrap(value)
        try:
            if isinstance(value, ListLiteral):
                value = value.items[_index(key)]
            elif isinstance(value, MapLiteral):
                value = value.entries[str(key)]
            elif isinstance(value, Json):
                value = _plain(value.value[key])
            else:
                raise TypeError(key)
        except (LookupError, TypeError, ValueError):
            where = "".join(f"[{k!r}]" for k in path[:depth])
            name = f"{reference.node}.{reference.output}" if reference.node else reference.output
            raise BindingError("AttributeNotFound", f"{name}{where} has no {key!r}; {_contents(value)}") from None
    return value


def _index(key: str | int) -> int:
    if isinstance(key, str):
        raise TypeError(key)
    return key


def _plain(value: Any) -> Literal:
    return Scalar(value) if value is None or isinstance(value, (bool, int, float, str)) else Json(value)


def _contents(value: Literal) -> str:
    if isinstance(value, ListLiteral):
        return f"it is a list of {len(value.items)}"
    if isinstance(value, MapLiteral):
        return f"it has {', '.join(repr(k) for k in list(value.entries)[:20]) or 'no entries'}"
    if isinstance(value, Json):
        return f"it is {type(value.value).__name__}"
    return "it has no parts"


def holds(condition: Condition, scope: Scope) -> bool:
    """Tell whether a condition is true.

    Raises:
        BindingError: A path leads nowhere, or the operands are not primitives that can be compared.
    """
    if not isinstance(condition, Comparison):
        left = holds(condition.left, scope)
        if condition.operator == "and":
            return left and holds(condition.right, scope)
        return left or holds(condition.right, scope)
    left_value, right_value = (_primitive(resolve(side, scope)) for side in (condition.left, condition.right))
    if not _comparable(left_value, right_value, condition.operator):
        raise BindingError(
            "NotComparable",
            f"cannot compare {type(left_value).__name__} {condition.operator} {type(right_value).__name__}",
        )
    return OPERATORS[condition.operator](left_value, right_value)


def _primitive(literal: Literal) -> None | bool | int | float | str:
    literal = unwrap(literal)
    if isinstance(literal, Scalar):
        return literal.value
    if isinstance(literal, NonFinite):
        return float(literal.value)
    raise BindingError("NotComparable", f"a {type(literal).__name__.lower()} cannot be compared; use a primitive")


def _comparable(left: object, right: object, sign: str) -> bool:
    if type(left) is type(right):
        return left is not None or sign in {"==", "!="}
    numbers = (int, float)
    if type(left) in numbers and type(right) in numbers:
        return True
    return sign in {"==", "!="} and (left is None or right is None)
