"""The graphs of entities: what they consist of, as text and as Mermaid. `_drawing` makes them SVG.

A graph has nodes and edges; a node that holds a sub-workflow, the cases of a conditional or the item of a map has graphs
of its own inside. Edges join nodes of one graph only: what a case needs from outside is an edge to the conditional.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping

from alula_kernel.errors import UnknownNameError
from alula_kernel.specs import (
    Binding,
    BranchTarget,
    Comparison,
    Condition,
    EntityId,
    EntitySpec,
    EntityTarget,
    GateTarget,
    LaunchPlanSpec,
    ListBinding,
    LiteralBinding,
    MapBinding,
    MapTarget,
    Node,
    Reference,
    ScheduleSpec,
    TaskSpec,
    WorkflowSpec,
    node_references,
    references,
)

from ._plain import preview

Resolver = Callable[[EntityId], EntitySpec]

INPUTS = "inputs"
OUTPUTS = "outputs"
_VALUE_CHARS = 30
_MOST_DEPTH = 12


@dataclasses.dataclass(frozen=True)
class GraphNode:
    """One node.

    Attributes:
        id: Unique in its graph.
        title: What people see.
        kind: ``task``, ``workflow``, ``launch plan``, ``map``, ``conditional``, ``gate``, ``inputs``, ``outputs`` or
            ``failure``, the node that runs after a failure.
        bindings: What each of its inputs is bound to, as text.
        notes: What else is to be known, as ``cached`` or ``3 retries``.
        parts: The graphs inside it, each with what stands above it.
    """

    id: str
    title: str
    kind: str
    bindings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    parts: tuple[tuple[str, Graph], ...] = ()


@dataclasses.dataclass(frozen=True)
class Edge:
    """An edge between two nodes of one graph.

    Attributes:
        source: Id of the node that comes first.
        target: Id of the node that comes after it.
        label: The inputs that data flows to; empty for a mere ordering.
    """

    source: str
    target: str
    label: str = ""


@dataclasses.dataclass(frozen=True)
class Graph:
    """Nodes in topological order, and the edges between them."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[Edge, ...] = ()


def graph_of(spec: EntitySpec, resolve: Resolver) -> Graph:
    """Make the graph of an entity, with inputs and outputs as nodes.

    Args:
        spec: The entity.
        resolve: Finds the entities that it refers to.
    """
    if isinstance(spec, TaskSpec):
        return Graph((GraphNode(spec.id.name, _short(spec.id), "task", notes=_notes(spec)),))
    if isinstance(spec, LaunchPlanSpec):
        workflow = resolve(spec.workflow)
        fixed = {
            name: preview(value, _VALUE_CHARS) for name, value in {**spec.default_inputs, **spec.fixed_inputs}.items()
        }
        schedule = (_schedule_text(spec.schedule),) if spec.schedule is not None else ()
        inner = graph_of(workflow, resolve)
        return Graph((GraphNode(spec.id.name, spec.id.name, "launch plan", fixed, schedule, (("", inner),)),))
    inner = _inner_graph(spec.nodes, resolve, 0)
    nodes, edges = list(inner.nodes), list(inner.edges)
    if spec.interface.inputs:
        nodes.insert(0, GraphNode(INPUTS, ", ".join(spec.interface.inputs), "inputs"))
        edges += _edges_from_inputs(spec)
    if spec.outputs:
        nodes.append(GraphNode(OUTPUTS, ", ".join(spec.outputs), "outputs", _bindings(spec.outputs, {})))
        edges += _edges({ref.node for b in spec.outputs.values() for ref in references(b)}, OUTPUTS, spec.outputs, ())
    if spec.on_failure is not None:
        nodes.append(dataclasses.replace(_node(spec.on_failure, resolve, {}, 0), kind="failure"))
    return Graph(tuple(nodes), tuple(edges))


def _schedule_text(schedule: ScheduleSpec) -> str:
    if schedule.cron:
        return f"cron {schedule.cron} {schedule.timezone}"
    return f"every {schedule.interval_seconds:g} s"


def _edges_from_inputs(spec: WorkflowSpec) -> Iterator[Edge]:
    for node in spec.nodes:
        if any(not ref.node for ref in node_references(node)):
            names = [name for name, b in node.inputs.items() if any(not ref.node for ref in references(b))]
            yield Edge(INPUTS, node.id, ", ".join(names) or "if")


def _inner_graph(nodes: tuple[Node, ...], resolve: Resolver, depth: int) -> Graph:
    titles = {node.id: _title(node) for node in nodes}
    ids = set(titles)
    edges: list[Edge] = []
    for node in nodes:
        needed = {ref.node for ref in node_references(node)} & ids
        edges += _edges(needed, node.id, node.inputs, tuple(before for before in node.upstream if before in ids))
    return Graph(tuple(_node(node, resolve, titles, depth) for node in nodes), tuple(edges))


def _edges(needed: set[str], target: str, inputs: Mapping[str, Binding], upstream: tuple[str, ...]) -> Iterator[Edge]:
    for source in sorted(needed - {""}):
        names = [name for name, binding in inputs.items() if any(ref.node == source for ref in references(binding))]
        yield Edge(source, target, ", ".join(names) or "if")
    for source in upstream:
        if source not in needed:
            yield Edge(source, target)


def _node(node: Node, resolve: Resolver, titles: Mapping[str, str], depth: int) -> GraphNode:
    kind, notes, parts = _inside(node, resolve, titles, depth)
    return GraphNode(node.id, _title(node), kind, _bindings(node.inputs, titles), notes, parts)


def _inside(
    node: Node, resolve: Resolver, titles: Mapping[str, str], depth: int
) -> tuple[str, tuple[str, ...], tuple[tuple[str, Graph], ...]]:
    """Return the kind of a node, its notes and its parts."""
    target = node.target
    if isinstance(target, EntityTarget):
        kind, notes, parts = _entity(target.entity, node, resolve, depth)
        return kind, notes, parts
    if isinstance(target, MapTarget):
        kind, notes, parts = _entity(target.entity, node, resolve, depth)
        item = parts[0][1] if parts else Graph((GraphNode("item", _short(target.entity), kind),))
        return "map", (*notes, *_map_notes(target)), ((f"for each item of {', '.join(target.mapped)}", item),)
    if isinstance(target, BranchTarget):
        captions = itertools.chain(["if"], itertools.repeat("elif"))
        found = []
        for case, word in zip(target.cases, captions, strict=False):
            caption = "else" if case.condition is None else f"{word} {condition_text(case.condition, titles)}"
            if case.error is not None:
                caption = f"{caption}: fail with {case.error!r}"
            found.append((caption, _inner_graph(case.nodes, resolve, depth + 1)))
        return "conditional", (), tuple(found)
    assert isinstance(target, GateTarget)
    wait = (f"{target.duration_seconds:g} s",) if target.gate == "sleep" else ()
    return "gate", wait, ()


def _entity(
    entity: EntityId, node: Node, resolve: Resolver, depth: int
) -> tuple[str, tuple[str, ...], tuple[tuple[str, Graph], ...]]:
    kind = entity.kind.replace("_", " ")
    try:
        spec = resolve(entity)
    except UnknownNameError:  # a reference to what is registered elsewhere
        return kind, (), ()
    if isinstance(spec, TaskSpec):
        return kind, _notes(node.overrides.apply(spec) if node.overrides is not None else spec), ()
    if depth >= _MOST_DEPTH:
        return kind, ("...",), ()
    workflow = resolve(spec.workflow) if isinstance(spec, LaunchPlanSpec) else spec
    assert isinstance(workflow, WorkflowSpec)
    return kind, (), (("", _inner_graph(workflow.nodes, resolve, depth + 1)),)


def _notes(spec: TaskSpec) -> tuple[str, ...]:
    found = []
    if spec.type != "python":
        found.append(spec.type)
    if spec.dynamic:
        found.append("dynamic")
    if spec.cache is not None:
        found.append("cached")
    if spec.retries.user:
        found.append(f"{spec.retries.user} retries")
    if spec.timeout.runtime_seconds is not None:
        found.append(f"timeout {spec.timeout.runtime_seconds:g} s")
    return tuple(found)


def _map_notes(target: MapTarget) -> Iterator[str]:
    if target.concurrency:
        yield f"{target.concurrency} at once"
    if target.min_successes is not None:
        yield f"{target.min_successes} must succeed"
    elif target.min_success_ratio < 1:
        yield f"{target.min_success_ratio:.0%} must succeed"


def _title(node: Node) -> str:
    target = node.target
    if isinstance(target, (EntityTarget, MapTarget)):
        return node.name or _short(target.entity)
    if isinstance(target, GateTarget):
        return f"{target.gate} {target.signal}".strip()
    return node.name or node.id


def _short(entity: EntityId) -> str:
    return entity.name.rpartition(".")[2]


# --- bindings and conditions as text ---------------------------------------------------------------------------------


def _bindings(bindings: Mapping[str, Binding], titles: Mapping[str, str]) -> dict[str, str]:
    return {name: binding_text(binding, titles) for name, binding in bindings.items()}


def binding_text(binding: Binding, titles: Mapping[str, str]) -> str:
    """Show what an input is bound to.

    Args:
        binding: The binding.
        titles: What people see for a node id; others are shown as they are.
    """
    match binding:
        case LiteralBinding(value):
            return preview(value, _VALUE_CHARS)
        case Reference(node, output, path):
            steps = "".join(f"[{step!r}]" for step in path)
            return f"{node}.{output}{steps}" if node else f"{output}{steps}"
        case ListBinding(items):
            return f"[{', '.join(binding_text(item, titles) for item in items)}]"
        case MapBinding(entries):
            return f"{{{', '.join(f'{k}: {binding_text(v, titles)}' for k, v in entries.items())}}}"


def condition_text(condition: Condition, titles: Mapping[str, str]) -> str:
    """Show a condition as Python would write it."""
    if isinstance(condition, Comparison):
        left, right = binding_text(condition.left, titles), binding_text(condition.right, titles)
        return f"{left} {condition.operator} {right}"
    return f"({condition_text(condition.left, titles)} {condition.operator} {condition_text(condition.right, titles)})"


# --- text ------------------------------------------------------------------------------------------------------------


def graph_text(graph: Graph) -> str:
    """Show a graph as an indented list, in the order in which it may run."""
    return "".join(f"{line}\n" for line in _text_lines(graph, 0))


def _text_lines(graph: Graph, depth: int) -> Iterator[str]:
    pad = "  " * depth
    for node in graph.nodes:
        bound = ", ".join(f"{name}={text}" for name, text in node.bindings.items())
        label = node.title if node.id in {node.title, INPUTS, OUTPUTS, "item"} else f"{node.id} {node.title}"
        notes = f" [{', '.join(node.notes)}]" if node.notes else ""
        yield f"{pad}{node.kind} {label}{notes}" + (f"  <- {bound}" if bound else "")
        after = [edge.source for edge in graph.edges if edge.target == node.id and not edge.label]
        if after:
            yield f"{pad}  after {', '.join(after)}"
        for caption, part in node.parts:
            if caption:
                yield f"{pad}  {caption}"
            yield from _text_lines(part, depth + 1 + bool(caption))


# --- Mermaid ---------------------------------------------------------------------------------------------------------

_MERMAID_SHAPES = {
    "inputs": ("([", "])"),
    "outputs": ("([", "])"),
    "gate": ("{{", "}}"),
    "failure": ("[/", "/]"),
}


def graph_mermaid(graph: Graph) -> str:
    """Show a graph as a Mermaid flowchart."""
    return "".join(f"{line}\n" for line in ("flowchart TD", *_mermaid_lines(graph, "", 1)))


def _mermaid_lines(graph: Graph, prefix: str, depth: int) -> Iterator[str]:
    pad = "  " * depth
    names = {node.id: f"{prefix}{index}" if prefix else f"n{index}" for index, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        name = names[node.id]
        title = f"{node.title} ({node.kind})" if node.kind not in {"task", "inputs", "outputs"} else node.title
        if node.notes:
            title = f"{title} [{', '.join(node.notes)}]"
        if not node.parts:
            left, right = _MERMAID_SHAPES.get(node.kind, ("[", "]"))
            yield f'{pad}{name}{left}"{_mermaid_text(title)}"{right}'
            continue
        yield f'{pad}subgraph {name}["{_mermaid_text(title)}"]'
        for index, (caption, part) in enumerate(node.parts):
            yield from _mermaid_part(caption, part, f"{name}p{index}", depth + 1)
        yield f"{pad}end"
    for edge in graph.edges:
        label = f'|"{_mermaid_text(edge.label)}"|' if edge.label else ""
        yield f"{pad}{names[edge.source]} {'-->' if edge.label else '-.->'}{label} {names[edge.target]}"


def _mermaid_part(caption: str, part: Graph, name: str, depth: int) -> Iterator[str]:
    pad = "  " * depth
    if not part.nodes:
        yield f'{pad}{name}["{_mermaid_text(caption)}"]'
    elif not caption:
        yield from _mermaid_lines(part, f"{name}n", depth)
    else:
        yield f'{pad}subgraph {name}["{_mermaid_text(caption)}"]'
        yield from _mermaid_lines(part, f"{name}n", depth + 1)
        yield f"{pad}end"


def _mermaid_text(text: str) -> str:
    """Escape what Mermaid would take for its own, as its entity codes."""
    return "".join(c if c.isalnum() or c in " .,_-:()=" else f"#{ord(c)};" for c in text)
