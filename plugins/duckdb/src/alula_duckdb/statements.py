"""What the queries of a task consist of, as DuckDB itself reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from alula_kernel.errors import CompileError

if TYPE_CHECKING:
    import duckdb


@dataclasses.dataclass(frozen=True)
class Statement:
    """One statement.

    Attributes:
        parsed: What DuckDB made of it.
        number: Which of the task's queries it belongs to, counted from 1.
        named: Names of its parameters that are written ``$name``, in lower case.
        positional: How many parameters are written ``?`` or ``$1``.
        is_insert: Whether it inserts rows, so that it may be run once for each of many lists of parameters.
        yields_rows: Whether it can have a result.
    """

    parsed: Any
    number: int
    named: frozenset[str]
    positional: int
    is_insert: bool
    yields_rows: bool

    @property
    def text(self) -> str:
        """The statement."""
        return str(self.parsed.query)


def parse(connection: duckdb.DuckDBPyConnection, queries: Sequence[str]) -> list[Statement]:
    """Take queries apart into statements.

    A question mark or dollar sign in a literal or comment is none of the parameters: DuckDB's own parser decides.

    Raises:
        CompileError: A query is no SQL, is empty, or mixes named and positional parameters; or the last statement has no
            result.
    """
    import duckdb

    statements = []
    for number, query in enumerate(queries, 1):
        try:
            parsed = connection.extract_statements(query)
        except duckdb.Error as error:
            raise CompileError(f"query {number} cannot be read: {error}") from error
        if not parsed:
            raise CompileError(f"query {number} is empty")
        statements += [_statement(statement, number) for statement in parsed]
    if not statements:
        raise CompileError("there is no query")
    if not statements[-1].yields_rows:
        raise CompileError(
            f"the last statement has no result: {_shortened(statements[-1].text)}",
            hint="End with a query that yields rows, as SELECT, FROM or INSERT ... RETURNING.",
        )
    return statements


def _statement(parsed: Any, number: int) -> Statement:
    import duckdb

    names = {str(name) for name in parsed.named_parameters}
    positions = {name for name in names if name.isdecimal()}
    return Statement(
        parsed=parsed,
        number=number,
        named=frozenset(name.lower() for name in names - positions),
        positional=len(positions),
        is_insert=parsed.type == duckdb.StatementType.INSERT,
        yields_rows=duckdb.ExpectedResultType.QUERY_RESULT in parsed.expected_result_type,
    )


def _shortened(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 80 else f"{words[:77]}..."
