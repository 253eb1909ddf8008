"""Graphs as SVG: one file without scripts or anything from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import NamedTuple

from ._graphs import Graph, GraphNode
from ._layout import Layout, layered

_CHARACTER = 7.3
"""Width of a character of the monospaced font at its size, in pixels; most fonts have 0.6 em."""
_LINE = 18.0
_PADDING = 10.0
_GAP = 24.0
_LAYER_GAP = 40.0
_TITLE_CHARS = 48

_STYLE = """
  text { font: 12px ui-monospace, Menlo, Consolas, monospace; fill: #1f2430; }
  .note, .label { font-size: 10px; fill: #667085; }
  .box { fill: #f7f9fc; stroke: #98a2b3; }
  .inputs, .outputs { fill: #eef4ff; stroke: #84adff; }
  .gate { fill: #fff6ed; stroke: #fdb022; }
  .failure { fill: #fef3f2; stroke: #fda29b; }
  .frame { fill: none; stroke: #98a2b3; stroke-dasharray: 4 3; }
  .edge { fill: none; stroke: #667085; }
  .order { stroke-dasharray: 3 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e7ec; } .note, .label { fill: #98a2b3; }
    .box { fill: #1d2433; } .inputs, .outputs { fill: #16294a; } .gate { fill: #3a2a12; } .failure { fill: #401a17; }
  }
"""


class _Part(NamedTuple):
    caption: str
    graph: Graph
    boxes: dict[str, _Box]
    layout: Layout


class _Box(NamedTuple):
    """A node with its size and what is inside it, measured from its upper left corner."""

    node: GraphNode
    width: float
    height: float
    lines: list[str]
    parts: list[tuple[_Part, float, float]]


def graph_svg(graph: Graph) -> str:
    """Show a graph as an SVG document."""
    boxes, layout = _measured(graph)
    width, height = layout.width + 2 * _PADDING, layout.height + 2 * _PADDING
    body = "\n".join(_drawn(graph, boxes, layout, _PADDING, _PADDING))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">\n<style>{_STYLE}</style>\n'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#667085"/></marker></defs>\n'
        f"{body}\n</svg>\n"
    )


def _measured(graph: Graph) -> tuple[dict[str, _Box], Layout]:
    boxes = {node.id: _box(node) for node in graph.nodes}
    sizes = {name: (box.width, box.height) for name, box in boxes.items()}
    edges = list(dict.fromkeys((edge.source, edge.target) for edge in graph.edges))
    return boxes, layered(sizes, edges, gap=_GAP, layer_gap=_LAYER_GAP)


def _box(node: GraphNode) -> _Box:
    notes = ", ".join([*([node.kind] if node.kind != "task" else []), *node.notes])
    lines = [_short(node.title), *([_short(notes)] if notes else [])]
    width = max(map(len, lines)) * _CHARACTER + 2 * _PADDING
    height = len(lines) * _LINE + _PADDING
    if not node.parts:
        return _Box(node, width, height, lines, [])
    parts: list[tuple[_Part, float, float]] = []
    x = _PADDING
    tallest = 0.0
    for caption, graph in node.parts:
        boxes, layout = _measured(graph)
        below = _LINE if caption else 0.0
        parts.append((_Part(_short(caption), graph, boxes, layout), x, height + below))
        x += max(layout.width, len(_short(caption)) * _CHARACTER) + _GAP
        tallest = max(tallest, layout.height + below)
    return _Box(node, max(width, x - _GAP + _PADDING), height + tallest + _PADDING, lines, parts)


def _drawn(graph: Graph, boxes: dict[str, _Box], layout: Layout, x: float, y: float) -> Iterator[str]:
    for edge in graph.edges:
        points = [(x + px, y + py) for px, py in layout.routes[edge.source, edge.target]]
        kind = "edge" if edge.label else "edge order"
        yield f'<path class="{kind}" d="{_path(points)}" marker-end="url(#arrow)"/>'
        if edge.label:
            (ax, ay), (bx, by) = points[-2:]
            yield _text((ax + bx) / 2 + 4, (ay + by) / 2, edge.label, "label")
    for name, box in boxes.items():
        left, top = layout.corners[name]
        yield from _drawn_box(box, x + left, y + top)


def _drawn_box(box: _Box, x: float, y: float) -> Iterator[str]:
    kind = "frame" if box.parts else f"box {box.node.kind}"
    tooltip = "\n".join(f"{name} = {text}" for name, text in box.node.bindings.items())
    title = f"<title>{html.escape(tooltip)}</title>" if tooltip else ""
    yield (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="6">'
        f"{title}</rect>"
    )
    for number, line in enumerate(box.lines):
        yield _text(x + _PADDING, y + 16 + number * _LINE, line, "note" if number else "")
    for part, left, top in box.parts:
        if part.caption:
            yield _text(x + left, y + top - 4, part.caption, "note")
        yield from _drawn(part.graph, part.boxes, part.layout, x + left, y + top)


def _path(points: list[tuple[float, float]]) -> str:
    """Join points by curves that leave and arrive vertically."""
    (x, y), *rest = points
    steps = [f"M{x:.1f} {y:.1f}"]
    for px, py in rest:
        middle = (y + py) / 2
        steps.append(f"C{x:.1f} {middle:.1f} {px:.1f} {middle:.1f} {px:.1f} {py:.1f}")
        x, y = px, py
    return "".join(steps)


def _text(x: float, y: float, text: str, kind: str) -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f'<text{attribute} x="{x:.1f}" y="{y:.1f}">{html.escape(text)}</text>'


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _TITLE_CHARS else f"{text[: _TITLE_CHARS - 3]}..."
