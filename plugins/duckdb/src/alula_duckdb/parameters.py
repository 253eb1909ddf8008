"""Parameters: which input gives which, and their values for each statement."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from alula_kernel.errors import CompileError, UnknownNameError, UsageError, ValueConversionError
from alula_kernel.types import ListOf, LiteralType, Simple, TupleOf

from .statements import Statement


@dataclasses.dataclass(frozen=True)
class ParameterPlan:
    """Where parameters come from.

    Attributes:
        named: Name of the input for each ``$name``, by its name in lower case.
        positional: Name of the input that lists the values of ``?``; empty if there are none.
    """

    named: Mapping[str, str]
    positional: str


def plan_parameters(
    statements: Sequence[Statement], values: Mapping[str, LiteralType], tables: Sequence[str]
) -> ParameterPlan:
    """Decide which input gives which parameter.

    An input is the value of the parameter ``$input``. The values of ``?`` come from the one input of a list type, or of
    text that is a list in JSON, which no query names.

    Args:
        statements: The statements.
        values: The types of inputs that are values, by name.
        tables: The names of inputs that are tables or files; ``$name`` of one of them is where its file is.

    Raises:
        CompileError: A parameter has no input, or an input is neither a parameter nor a table.
    """
    inputs = {name.lower(): name for name in (*tables, *values)}
    used: dict[str, str] = {}
    for statement in statements:
        for parameter in sorted(statement.named):
            if parameter not in inputs:
                problem = UnknownNameError.among(f"parameter in query {statement.number}:", f"${parameter}", inputs)
                raise CompileError(problem.message, hint=f"{problem.hint} Parameters are named like inputs.")
            used[parameter] = inputs[parameter]
    free = [name for name in values if name.lower() not in used]
    asking = next((statement for statement in statements if statement.positional), None)
    if asking is None:
        if free:
            raise CompileError(
                f"input {free[0]!r} is in none of the queries",
                hint=f"Write ${free[0]} in a query, or remove the input.",
            )
        return ParameterPlan(used, "")
    lists = [name for name in free if _may_list(values[name])]
    if len(lists) != 1 or len(free) != 1:
        found = f"there are {', '.join(map(repr, free))}" if free else "there is none"
        raise CompileError(
            f"query {asking.number} has parameters written ?, whose values come from one input that lists them, and {found}",
            hint="Declare one input of a list type for them, or write $name for the input `name`.",
        )
    return ParameterPlan(used, lists[0])


def _may_list(literal_type: LiteralType) -> bool:
    if isinstance(literal_type, Simple):
        return literal_type.kind in {"json", "str"}
    return isinstance(literal_type, (ListOf, TupleOf))


Bound = dict[str, Any] | list[Any] | None
"""Parameters of one execution; None for none."""


def bind(statements: Sequence[Statement], plan: ParameterPlan, inputs: Mapping[str, Any]) -> list[list[Bound]]:
    """Return the parameters of each statement, once for each time that it is run.

    A statement is run once, but an INSERT with a list of lists of values once for each of them.

    Raises:
        ValueConversionError: The values for ``?`` do not fit the statements.
    """
    listed = _listed(inputs[plan.positional], plan.positional) if plan.positional else []
    shares = _shares([s for s in statements if s.positional], listed, plan.positional)
    bound: list[list[Bound]] = []
    for statement in statements:
        if statement.positional:
            bound.append(list(shares.pop(0)))
        elif statement.named:
            bound.append([{name: inputs[plan.named[name.lower()]] for name in statement.parsed.named_parameters}])
        else:
            bound.append([None])
    return bound


def _listed(value: Any, name: str) -> list[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ValueConversionError(f"input {name!r} must be a list in JSON, and cannot be read: {error}") from error
    if not isinstance(value, (list, tuple)):
        raise ValueConversionError(f"input {name!r} must list the values of ?, found {type(value).__qualname__}")
    return list(value)


def _shares(statements: Sequence[Statement], listed: list[Any], name: str) -> list[list[list[Any]]]:
    """Divide listed values among statements; of a single statement they may be its own values or a list with these."""
    if len(statements) == 1:
        # A list with the rows of an INSERT comes first: it could also be one row with a list of lists in it.
        share = listed[0] if len(listed) == 1 and _are_rows(statements[0], listed[0]) else listed
        rows = _rows(statements[0], share)
        if rows is None and len(listed) == 1:
            rows = _rows(statements[0], listed[0])
        if rows is not None:
            return [rows]
    elif len(listed) == len(statements):
        divided = [_rows(statement, share) for statement, share in zip(statements, listed, strict=True)]
        if None not in divided:
            return [rows for rows in divided if rows is not None]
    wanted = ", ".join(f"{s.positional} for query {s.number}" for s in statements)
    shape = "a list of values" if len(statements) == 1 else "a list with a list of values for each query with ?"
    raise ValueConversionError(
        f"input {name!r} does not fit the parameters: expected {wanted}, found {_shown(listed)}",
        hint=f"Give {shape}; for an INSERT, a list of rows of values.",
    )


def _rows(statement: Statement, share: Any) -> list[list[Any]] | None:
    """Return the parameters of each run of a statement; None if the share does not fit."""
    if not isinstance(share, (list, tuple)):
        return None
    if _are_rows(statement, share):
        return [list(row) for row in share]
    return [list(share)] if len(share) == statement.positional else None


def _are_rows(statement: Statement, share: Any) -> bool:
    """Tell whether it lists what is inserted by each run of a statement."""
    return (
        statement.is_insert
        and isinstance(share, (list, tuple))
        and all(isinstance(row, (list, tuple)) and len(row) == statement.positional for row in share)
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def check_inputs(query_input: Any) -> None:
    """Refuse what is no query as the value of the input ``query``.

    Raises:
        UsageError: It is neither text nor a list of texts.
    """
    queries = [query_input] if isinstance(query_input, str) else query_input
    if not isinstance(queries, (list, tuple)) or not all(isinstance(query, str) for query in queries):
        raise UsageError(f"the input 'query' must be a query or a list of queries, found {_shown(query_input)}")
