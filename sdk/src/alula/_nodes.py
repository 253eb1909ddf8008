"""Making nodes explicitly."""

from __future__ import annotations

from typing import Any

from alula_kernel.errors import CompileError, UsageError

from ._compile import Compilation, NodeBuilder
from ._entity import Entity
from ._state import STATE, call_site


def create_node(entity: Any, *args: Any, **kwargs: Any) -> NodeBuilder:
    """Make a node that runs an entity, for ordering it or for its outputs by name.

    Args:
        entity: A task, workflow or launch plan.
        args: Not accepted.
        kwargs: Its inputs.

    Returns:
        The node: ``node.o0`` is a promise, ``a >> b`` orders two nodes.

    Raises:
        CompileError: It is not called in a workflow.
        UsageError: It is not an entity, or inputs are given by position.
    """
    if not isinstance(entity, Entity):
        raise UsageError(
            f"create_node takes a task, workflow or launch plan, found {type(entity).__qualname__}",
            location=call_site(),
        )
    if args:
        raise UsageError("create_node takes inputs by name only", location=call_site())
    state = STATE.get()
    if not isinstance(state, Compilation):
        raise CompileError("create_node is used outside of a workflow", location=call_site())
    return state.node_for(entity, (), kwargs)[0]
