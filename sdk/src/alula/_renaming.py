"""Giving nodes the names that authors chose, once a workflow is complete.

While a workflow is compiled, references hold the numbers under which nodes were made, because a node may be renamed after
it was referred to.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from alula_kernel.specs import (
    Binding,
    BranchCase,
    BranchTarget,
    Comparison,
    Condition,
    ListBinding,
    MapBinding,
    Node,
    Reference,
)

Names = Mapping[str, str]
"""New names by old ones."""


def renamed_node(node: Node, names: Names) -> Node:
    """Return a node with new names, its own and those that it refers to."""
    target = node.target
    if isinstance(target, BranchTarget):
        target = BranchTarget(tuple(_renamed_case(case, names) for case in target.cases))
    return replace(
        node,
        id=names.get(node.id, node.id),
        target=target,
        inputs=renamed_bindings(node.inputs, names),
        upstream=tuple(names.get(before, before) for before in node.upstream),
    )


def renamed_bindings(bindings: Mapping[str, Binding], names: Names) -> dict[str, Binding]:
    """Return bindings that refer to the new names."""
    return {key: _renamed(binding, names) for key, binding in bindings.items()}


def _renamed(binding: Binding, names: Names) -> Binding:
    match binding:
        case Reference():
            return replace(binding, node=names.get(binding.node, binding.node))
        case ListBinding(items):
            return ListBinding(tuple(_renamed(item, names) for item in items))
        case MapBinding(entries):
            return MapBinding(renamed_bindings(entries, names))
        case _:
            return binding


def _renamed_case(case: BranchCase, names: Names) -> BranchCase:
    return replace(
        case,
        condition=None if case.condition is None else _renamed_condition(case.condition, names),
        nodes=tuple(renamed_node(node, names) for node in case.nodes),
        outputs=renamed_bindings(case.outputs, names),
    )


def _renamed_condition(condition: Condition, names: Names) -> Condition:
    if isinstance(condition, Comparison):
        return replace(condition, left=_renamed(condition.left, names), right=_renamed(condition.right, names))
    return replace(
        condition,
        left=_renamed_condition(condition.left, names),
        right=_renamed_condition(condition.right, names),
    )
