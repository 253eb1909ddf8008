"""Arguments that say where Flyte's server is and how it runs: Alula needs none of them, and they are taken out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import libcst as cst
from libcst.metadata import CodeRange

from .bindings import Dotted
from .needless import refused_arguments
from .plan import Meaning, Note, Plan


def needless_arguments(plan: Plan, calls: Iterable[cst.CSTNode]) -> dict[cst.Call, list[cst.Arg]]:
    """Return the calls from which arguments are taken out, with the arguments.

    Args:
        plan: What becomes of the names of a source.
        calls: The nodes of the source.
    """
    found = {}
    for call in calls:
        meaning = meaning_of(call, plan) if isinstance(call, cst.Call) else None
        if isinstance(call, cst.Call) and meaning is not None:
            found[call] = refused_arguments(call, meaning.own)
    return {call: refused for call, refused in found.items() if refused}


def meaning_of(call: cst.Call, plan: Plan) -> Meaning | None:
    """Return what is called, also as ``.aio``, if it was a name of Flyte's and is Alula's now."""
    called: cst.CSTNode = call.func
    if isinstance(called, cst.Attribute) and called.attr.value == "aio":
        called = called.value
    return plan.meanings.get(called) if isinstance(called, Dotted) else None


def told(
    needless: Mapping[cst.Call, list[cst.Arg]], plan: Plan, positions: Mapping[cst.CSTNode, CodeRange]
) -> Iterator[Note]:
    """Return what is to be said about arguments that are taken out."""
    for call, arguments in needless.items():
        meaning = meaning_of(call, plan)
        for argument in arguments if meaning else ():
            name = argument.keyword.value if argument.keyword else "given by position"
            own = meaning.own.replace(":", ".") if meaning else ""
            yield Note(positions[argument].start.line, f"the argument {name} was taken out: {own} has no use for it")


def without(call: cst.Call, before: cst.Call, refused: list[cst.Arg]) -> cst.Call:
    """Return a call without some of its arguments.

    Args:
        call: The call.
        before: The same call in the tree that the arguments are from.
        refused: The arguments to take out.
    """
    kept = [new for new, old in zip(call.args, before.args, strict=True) if old not in refused]
    if not kept:
        return call.with_changes(args=[], whitespace_before_args=cst.SimpleWhitespace(""))
    last = call.args[-1]
    comma = _with_comment(last.comma, kept[-1].comma)
    kept[-1] = kept[-1].with_changes(comma=comma, whitespace_after_arg=last.whitespace_after_arg)
    return call.with_changes(args=kept)


def _with_comment(
    comma: cst.Comma | cst.MaybeSentinel, other: cst.Comma | cst.MaybeSentinel
) -> cst.Comma | cst.MaybeSentinel:
    """Return a comma with the comment that is behind another one."""
    spaces = [one.whitespace_after for one in (comma, other) if isinstance(one, cst.Comma)]
    parenthesized = [space for space in spaces if isinstance(space, cst.ParenthesizedWhitespace)]
    if len(parenthesized) < 2 or not isinstance(comma, cst.Comma):
        return comma
    return comma.with_changes(whitespace_after=parenthesized[0].with_changes(first_line=parenthesized[1].first_line))
