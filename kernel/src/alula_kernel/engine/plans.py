"""Plans: what the engine works out once per workflow so that each run does only what differs."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import EngineError
from ..literals import Literal
from ..specs import (
    BranchTarget,
    EntityId,
    EntitySpec,
    EntityTarget,
    GateTarget,
    LaunchPlanSpec,
    MapTarget,
    Node,
    TaskSpec,
    WorkflowSpec,
    entity_ids,
    node_references,
)

Resolver = Callable[[EntityId], EntitySpec]


class NodePlan:
    """A node with its entity resolved and its overrides applied.

    Args:
        node: The node.
        resolve: Finds an entity's spec.
        suffix: Added to the node's id in the id of its action.

    Attributes:
        node: The node.
        action: Last part of the id of its action.
        spec: The entity that it runs; None for a branch or gate.
        entity: Qualified name of the entity; empty for a branch or gate.
        name: What people see.
        kind: Kind of its action.
        dependents: Positions of the nodes that wait for it.
        waits_for: How many nodes it waits for.
        defaults: Values of inputs that the node does not bind.
        group: Name under which people see its action together with others.
    """

    __slots__ = ("action", "defaults", "dependents", "entity", "group", "kind", "name", "node", "spec", "waits_for")

    def __init__(self, node: Node, resolve: Resolver, suffix: str = "") -> None:
        self.node = node
        self.action = node.id + suffix
        self.spec: EntitySpec | None = None
        self.entity = ""
        self.dependents: list[int] = []
        self.waits_for = 0
        self.defaults: dict[str, Literal] = {}
        self.group = ""
        target = node.target
        if isinstance(target, (EntityTarget, MapTarget)):
            spec = resolve(target.entity)
            if node.overrides is not None and isinstance(spec, TaskSpec):
                spec = node.overrides.apply(spec)
            self.spec = spec
            self.entity = spec.id.name
            self.kind = "map" if isinstance(target, MapTarget) else target.entity.kind
            self.name = node.name or _short(target.entity.name)
            self.defaults = input_defaults(spec, node.inputs)
        else:
            self.kind = "branch" if isinstance(target, BranchTarget) else "gate"
            signal = target.signal if isinstance(target, GateTarget) else ""
            self.name = node.name or signal or node.id


def input_defaults(spec: EntitySpec, given: object) -> dict[str, Literal]:
    """Return the default of each input that is not among the given ones."""
    return {
        name: variable.default
        for name, variable in spec.interface.inputs.items()
        if variable.default is not None and name not in given  # type: ignore[operator]
    }


def entities_behind(spec: WorkflowSpec, resolve: Resolver) -> tuple[EntitySpec, ...]:
    """Return the specs of everything that a graph runs, so that another process can run it."""
    found: dict[EntityId, EntitySpec] = {}
    waiting = list(entity_ids(spec))
    while waiting:
        entity_id = waiting.pop()
        if entity_id in found:
            continue
        inner = found[entity_id] = resolve(entity_id)
        if isinstance(inner, WorkflowSpec):
            waiting.extend(entity_ids(inner))
        elif isinstance(inner, LaunchPlanSpec):
            waiting.append(inner.workflow)
    return tuple(found.values())


class WorkflowPlan:
    """A workflow's nodes in topological order, with who waits for whom.

    Args:
        spec: The workflow.
        resolve: Finds an entity's spec.
        suffix: Added to the nodes' ids in the ids of their actions: a dynamic task that is tried again gives another
            graph, whose actions must not take the place of those of the first.

    Attributes:
        spec: The workflow.
        nodes: Its nodes.
        on_failure: Its failure handler, if it has one.
    """

    __slots__ = ("nodes", "on_failure", "spec")

    def __init__(self, spec: WorkflowSpec, resolve: Resolver, suffix: str = "") -> None:
        self.spec = spec
        self.nodes = plan_nodes(spec.nodes, resolve, suffix)
        self.on_failure = None if spec.on_failure is None else NodePlan(spec.on_failure, resolve, suffix)


def plan_nodes(nodes: tuple[Node, ...], resolve: Resolver, suffix: str = "") -> list[NodePlan]:
    """Plan nodes that may refer to each other; references to nodes outside are taken as satisfied.

    Raises:
        EngineError: A node refers to a later one, which no compiler lets pass.
    """
    plans = [NodePlan(node, resolve, suffix) for node in nodes]
    position = {node.id: index for index, node in enumerate(nodes)}
    for index, node in enumerate(nodes):
        needed = {ref.node for ref in node_references(node)}
        needed.update(node.upstream)
        for before in needed:
            found = position.get(before)
            if found is None:
                continue
            if found >= index:
                raise EngineError(f"node {node.id} refers to {before}, which comes after it")
            plans[found].dependents.append(index)
            plans[index].waits_for += 1
    return plans


def _short(name: str) -> str:
    return name.rpartition(".")[2]
