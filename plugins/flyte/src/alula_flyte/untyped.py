"""Values that Flyte pickles without being asked to, and that Alula wants to be told of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import libcst as cst
from libcst.helpers import get_full_name_for_node
from libcst.metadata import CodeRange

from .plan import Note

_DECORATORS = frozenset({"task", "dynamic", "workflow"})


def pickled_values(positions: Mapping[cst.CSTNode, CodeRange]) -> Iterator[Note]:
    """Return the parameters and results of tasks and workflows that Flyte pickles because of their types.

    Only what can be told from one source is: parameters without annotation, and classes of the source that are plain
    ones.

    Args:
        positions: Where the nodes of the source are.
    """
    classes = {node.name.value for node in positions if isinstance(node, cst.ClassDef) and _is_plain(node)}
    for function in positions:
        if not isinstance(function, cst.FunctionDef) or not _is_task(function):
            continue
        for parameter in (*function.params.params, *function.params.kwonly_params):
            line = positions[parameter].start.line
            name = parameter.name.value
            if parameter.annotation is None:
                yield Note(
                    line, f"the parameter {name} has no annotation: Flyte pickles it, and Alula wants to be told"
                )
            else:
                yield from _of_class(parameter.annotation, classes, line)
        if function.returns is not None:
            yield from _of_class(function.returns, classes, positions[function.returns].start.line)


def _of_class(annotation: cst.Annotation, classes: set[str], line: int) -> Iterator[Note]:
    if isinstance(annotation.annotation, cst.Name) and (name := annotation.annotation.value) in classes:
        yield Note(line, f"values of {name} are pickled by Flyte: write alula.Pickle[{name}]")


def _is_task(function: cst.FunctionDef) -> bool:
    for decorator in function.decorators:
        name = get_full_name_for_node(decorator.decorator) or ""
        if name.rpartition(".")[2] in _DECORATORS:
            return True
    return False


def _is_plain(node: cst.ClassDef) -> bool:
    """Tell whether a class has no bases and decorators, which could make it one that is converted."""
    return not (node.bases or node.keywords or node.decorators)
