"""Retries of Flyte 1, which repeat a task after a recoverable exception only; Alula's repeat it after any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import libcst as cst
from libcst.helpers import get_full_name_for_node
from libcst.metadata import CodeRange

from .arguments import meaning_of
from .bindings import Dotted, Statement
from .imports import Entry
from .plan import Meaning, Note, Plan

_ERROR = "RecoverableError"
_DECORATORS = frozenset({"task", "dynamic", "eager"})
_BY_HAND = "retries of Flyte 1 repeat a task after a recoverable exception only; see retry_on of alula.task"


@dataclass(frozen=True)
class Retries:
    """What is added because of retries.

    Attributes:
        calls: The calls that get an argument, and what its value is.
        imports: What must be imported for them, by the statement that shall.
        notes: What was added.
        left: What is to be looked at by hand.
    """

    calls: dict[cst.Call, str]
    imports: dict[Statement, Entry]
    notes: set[Note]
    left: set[Note]


def retries_of(plan: Plan, owners: Mapping[str, set[str]], positions: Mapping[cst.CSTNode, CodeRange]) -> Retries:
    """Find the tasks of Flyte 1 with retries that become tasks of Alula's.

    Args:
        plan: What becomes of the names of a source.
        owners: What its other names stand for.
        positions: Where its nodes are.
    """
    is_free = not owners.get(_ERROR, set()) - {f"alula:{_ERROR}"}
    entry = Entry("alula", _ERROR, "" if is_free else f"Alula{_ERROR}")
    result = Retries({}, {}, set(), set())
    is_first_generation = any(meaning.name.startswith("flytekit.") for meaning in plan.meanings.values())
    for call in (node for node in positions if isinstance(node, cst.Call)):
        line = positions[call].start.line
        meaning = meaning_of(call, plan) or _partial_of(call, plan)
        if meaning is not None and meaning.name.startswith("flytekit") and _short(meaning) in _DECORATORS:
            if any(argument.star == "**" for argument in call.args):
                result.left.add(Note(line, f"the arguments may have {_BY_HAND}"))
            elif _has_retries(call) and "retry_on" not in _keywords(call):
                error = f"{meaning.root}.{_ERROR}" if meaning.root else entry.local
                result.calls[call] = f"({error},)"
                result.notes.add(
                    Note(line, f"retry_on=({error},) was added: Flyte 1 repeats a task after no other exception")
                )
                if not meaning.root:
                    result.imports[meaning.statement] = entry
        elif _has_retries(call) and is_first_generation and _sets_retries(call, meaning):
            result.left.add(Note(line, _BY_HAND))
    return result


def _partial_of(call: cst.Call, plan: Plan) -> Meaning | None:
    """Return what ``task`` stands for in ``partial(task, retries=3)``."""
    is_partial = (get_full_name_for_node(call.func) or "").rpartition(".")[2] == "partial"
    first = call.args[0].value if is_partial and call.args else None
    return plan.meanings.get(first) if isinstance(first, Dotted) else None


def _short(meaning: Meaning) -> str:
    return meaning.name.rpartition(".")[2]


def _sets_retries(call: cst.Call, meaning: Meaning | None) -> bool:
    """Tell whether a call sets the retries of a task in another way than its decorator."""
    if isinstance(call.func, cst.Attribute) and call.func.attr.value == "with_overrides":
        return True
    return meaning is not None and _short(meaning) == "TaskMetadata"


def _keywords(call: cst.Call) -> dict[str, cst.Arg]:
    return {argument.keyword.value: argument for argument in call.args if argument.keyword}


def _has_retries(call: cst.Call) -> bool:
    given = _keywords(call).get("retries")
    return given is not None and not (isinstance(given.value, cst.Integer) and given.value.evaluated_value == 0)


def with_retry_on(call: cst.Call, value: str) -> cst.Call:
    """Return a call with an argument behind its retries.

    Args:
        call: A call that has the keyword argument ``retries``.
        value: The code of the value.
    """
    arguments = list(call.args)
    position = next(
        n for n, argument in enumerate(arguments) if argument.keyword and argument.keyword.value == "retries"
    )
    retries = arguments[position]
    before = arguments[position - 1].comma if position else None
    between = before.whitespace_after if isinstance(before, cst.Comma) else call.whitespace_before_args
    if not isinstance(between, cst.ParenthesizedWhitespace):
        between = cst.SimpleWhitespace(" ")
    added = cst.Arg(
        cst.parse_expression(value),
        cst.Name("retry_on"),
        equal=retries.equal,
        comma=_without_comment(retries.comma),
        whitespace_after_arg=retries.whitespace_after_arg,
    )
    comma = cst.Comma(whitespace_after=_with_comment_of(retries.comma, between))
    plain = retries.with_changes(comma=comma, whitespace_after_arg=cst.SimpleWhitespace(""))
    arguments[position : position + 1] = [plain, added]
    return call.with_changes(args=arguments)


def _without_comment(comma: cst.Comma | cst.MaybeSentinel) -> cst.Comma | cst.MaybeSentinel:
    if not isinstance(comma, cst.Comma):
        return comma
    return comma.with_changes(whitespace_after=_plain(comma.whitespace_after))


def _plain(space: cst.BaseParenthesizableWhitespace) -> cst.BaseParenthesizableWhitespace:
    if not isinstance(space, cst.ParenthesizedWhitespace):
        return space
    first = space.first_line.with_changes(comment=None, whitespace=cst.SimpleWhitespace(""))
    return space.with_changes(first_line=first)


def _with_comment_of(
    comma: cst.Comma | cst.MaybeSentinel, between: cst.BaseParenthesizableWhitespace
) -> cst.BaseParenthesizableWhitespace:
    """Return the space before another argument, with the comment that is behind a comma."""
    if not isinstance(between, cst.ParenthesizedWhitespace):
        return between
    first = cst.TrailingWhitespace()
    if isinstance(comma, cst.Comma) and isinstance(comma.whitespace_after, cst.ParenthesizedWhitespace):
        first = comma.whitespace_after.first_line
    return between.with_changes(first_line=first, empty_lines=[])
