"""Places for the nodes of a directed acyclic graph, in layers from top to bottom.

The method is that of Sugiyama, Tagawa and Toda (1981), "Methods for visual understanding of hierarchical system
structures": layers by the longest path, stand-ins where an edge passes a layer, order within a layer by the barycentre of
the neighbours. Coordinates deviate from the paper: each layer in turn is moved as near to the mean of its neighbours as
the order and the distances allow, which is isotonic regression, solved exactly by pooling adjacent violators (Barlow,
Bartholomew, Bremner and Brunk, 1972, "Statistical inference under order restrictions", section 1.2).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

_SWEEPS = 6
_STAND_IN_WIDTH = 10.0


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where everything is, in the units of the sizes; x grows to the right, y downwards.

    Attributes:
        corners: Upper left corner of each node.
        routes: For each edge, the points that it passes, from the bottom of its source to the top of its target.
        width: Width of the whole.
        height: Height of the whole.
    """

    corners: Mapping[str, tuple[float, float]]
    routes: Mapping[tuple[str, str], Sequence[tuple[float, float]]]
    width: float
    height: float


def layered(
    sizes: Mapping[str, tuple[float, float]], edges: Sequence[tuple[str, str]], *, gap: float, layer_gap: float
) -> Layout:
    """Lay out a graph.

    Args:
        sizes: Width and height of each node.
        edges: Pairs of nodes, without cycles and repetitions.
        gap: Least distance between nodes of a layer.
        layer_gap: Distance between layers.
    """
    layer_of = _layers(sizes, edges)
    cells = list(sizes)
    layers: list[list[int]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    number = {name: index for index, name in enumerate(cells)}
    for name in cells:
        layers[layer_of[name]].append(number[name])
    widths = [sizes[name][0] for name in cells]
    above: list[list[int]] = [[] for _ in cells]
    below: list[list[int]] = [[] for _ in cells]
    chains: dict[tuple[str, str], list[int]] = {}
    for source, target in edges:
        chain = [number[source]]
        for layer in range(layer_of[source] + 1, layer_of[target]):
            layers[layer].append(len(widths))
            chain.append(len(widths))
            widths.append(_STAND_IN_WIDTH)
            above.append([])
            below.append([])
        chain.append(number[target])
        for upper, lower in itertools.pairwise(chain):
            below[upper].append(lower)
            above[lower].append(upper)
        chains[source, target] = chain
    _order(layers, above, below)
    centres = _centres(layers, above, below, widths, gap)
    tops, height = _tops(layers, cells, sizes, layer_gap)
    left = min((centres[i] - widths[i] / 2 for i in range(len(widths))), default=0.0)
    centres = [centre - left for centre in centres]
    layer_at = {cell: layer for layer, row in enumerate(layers) for cell in row}
    return Layout(
        corners={name: (centres[i] - sizes[name][0] / 2, tops[layer_at[i]][0]) for name, i in number.items()},
        routes={
            edge: _route(chain, centres, [tops[layer_at[i]] for i in chain], sizes[edge[0]][1])
            for edge, chain in chains.items()
        },
        width=max((centres[i] + widths[i] / 2 for i in range(len(widths))), default=0.0),
        height=height,
    )


def _layers(sizes: Mapping[str, object], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Put every node one layer below the lowest of those that come before it."""
    after: dict[str, list[str]] = {name: [] for name in sizes}
    waits = dict.fromkeys(sizes, 0)
    for source, target in edges:
        after[source].append(target)
        waits[target] += 1
    layer_of = dict.fromkeys(sizes, 0)
    ready = [name for name, count in waits.items() if not count]
    for name in ready:  # grows while it is walked through
        for target in after[name]:
            layer_of[target] = max(layer_of[target], layer_of[name] + 1)
            waits[target] -= 1
            if not waits[target]:
                ready.append(target)
    return layer_of


def _order(layers: list[list[int]], above: list[list[int]], below: list[list[int]]) -> None:
    """Sort each layer by the mean position of its neighbours, sweeping down and up."""
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        neighbours = above if down else below
        rows = range(1, len(layers)) if down else range(len(layers) - 2, -1, -1)
        for row in rows:
            fixed = layers[row - 1 if down else row + 1]
            place = {cell: float(index) for index, cell in enumerate(fixed)}
            mean = {
                cell: _mean([place[n] for n in neighbours[cell]], float(index))
                for index, cell in enumerate(layers[row])
            }
            layers[row].sort(key=mean.__getitem__)


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _centres(
    layers: list[list[int]], above: list[list[int]], below: list[list[int]], widths: list[float], gap: float
) -> list[float]:
    centres = [0.0] * len(widths)
    for row in layers:
        x = 0.0
        for cell in row:
            centres[cell] = x + widths[cell] / 2
            x += widths[cell] + gap
    for sweep in range(_SWEEPS):
        neighbours = above if sweep % 2 == 0 else below
        for row in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [_mean([centres[n] for n in neighbours[cell]], centres[cell]) for cell in row]
            distances = [(widths[a] + widths[b]) / 2 + gap for a, b in itertools.pairwise(row)]
            for cell, centre in zip(row, _nearest(wanted, distances), strict=True):
                centres[cell] = centre
    return centres


def _nearest(wanted: list[float], distances: list[float]) -> list[float]:
    """Return the places with at least these distances whose squared deviations from the wanted ones are least."""
    offsets = [0.0]
    for distance in distances:
        offsets.append(offsets[-1] + distance)
    pools: list[tuple[float, int]] = []  # sum and number of the members of each pool
    for place, offset in zip(wanted, offsets, strict=False):
        total, count = place - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before, members = pools.pop()
            total, count = total + before, count + members
        pools.append((total, count))
    level = [total / count for total, count in pools for _ in range(count)]
    return [place + offset for place, offset in zip(level, offsets, strict=False)]


def _tops(
    layers: list[list[int]], cells: list[str], sizes: Mapping[str, tuple[float, float]], layer_gap: float
) -> tuple[list[tuple[float, float]], float]:
    """Return top and bottom of each layer, and the height of the whole."""
    tops = []
    y = 0.0
    for row in layers:
        tall = max((sizes[cells[cell]][1] for cell in row if cell < len(cells)), default=0.0)
        tops.append((y, y + tall))
        y += tall + layer_gap
    return tops, max(0.0, y - layer_gap)


def _route(
    chain: list[int], centres: list[float], spans: list[tuple[float, float]], source_height: float
) -> list[tuple[float, float]]:
    points = [(centres[chain[0]], spans[0][0] + source_height)]
    for cell, (top, bottom) in zip(chain[1:-1], spans[1:-1], strict=True):
        points += [(centres[cell], top), (centres[cell], bottom)]
    points.append((centres[chain[-1]], spans[-1][0]))
    return points
