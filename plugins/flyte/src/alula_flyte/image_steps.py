"""Steps and arguments of Flyte's images that say nothing to Alula: a rewrite takes them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import libcst as cst
from libcst.metadata import CodeRange

from .own_names import IMAGE, IMAGE_ARGUMENTS
from .plan import Note, Plan

_STEPS = {
    "with_code_bundle": "code reaches workers by itself",
    "with_dockerignore": "the file is Docker's",
    "with_local_rs_controller": "it is a part of Flyte",
    "with_local_v2": "it is Flyte itself",
    "with_local_v2_plugins": "these are plugins of Flyte",
    "with_pixi_project": "nothing here runs pixi: give the packages by with_pip_packages",
    "with_poetry_project": "nothing here runs poetry: give the packages by with_pip_packages",
}
"""Methods that are left out, each with the reason."""
_MADE_BY = frozenset(
    {"clone", "from_base", "from_debian_base", "from_dockerfile", "from_uv_script", "with_commands", "with_uv_project"}
    | {"with_apt_packages"}
)


def needless_steps(plan: Plan, nodes: Iterable[cst.CSTNode]) -> set[cst.Call]:
    """Return the calls in whose place stands what they are called on.

    Args:
        plan: What becomes of the names of a source.
        nodes: The nodes of the source.
    """
    if not _has_images(plan):
        return set()
    return {node for node in nodes if isinstance(node, cst.Call) and _method(node) in _STEPS}


def needless_settings(plan: Plan, nodes: Iterable[cst.CSTNode]) -> dict[cst.Call, list[cst.Arg]]:
    """Return the calls from which arguments are taken out, with the arguments.

    Args:
        plan: What becomes of the names of a source.
        nodes: The nodes of the source.
    """
    if not _has_images(plan):
        return {}
    calls = [node for node in nodes if isinstance(node, cst.Call) and _method(node) in _MADE_BY]
    found = {call: [one for one in call.args if one.keyword and one.keyword.value in IMAGE_ARGUMENTS] for call in calls}
    return {call: arguments for call, arguments in found.items() if arguments}


def told_of_steps(
    steps: Iterable[cst.Call], settings: Mapping[cst.Call, list[cst.Arg]], positions: Mapping[cst.CSTNode, CodeRange]
) -> Iterator[Note]:
    """Return what is to be said about what is taken out."""
    for call in steps:
        name = _method(call)
        line = positions[cst.ensure_type(call.func, cst.Attribute).attr].start.line
        yield Note(line, f"the step {name} of an image was taken out: {_STEPS[name]}")
    for arguments in settings.values():
        for argument in arguments:
            name = argument.keyword.value if argument.keyword else ""
            yield Note(
                positions[argument].start.line, f"the argument {name} was taken out: Alula's images have no use for it"
            )


def _has_images(plan: Plan) -> bool:
    return any(meaning.own == IMAGE for meaning in plan.meanings.values())


def _method(call: cst.Call) -> str:
    return call.func.attr.value if isinstance(call.func, cst.Attribute) else ""
