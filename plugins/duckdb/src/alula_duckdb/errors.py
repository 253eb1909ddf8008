"""Errors of queries."""

from __future__ import annotations

from typing import Any

from alula_kernel.errors import AlulaError


class QueryFailedError(AlulaError):
    """DuckDB could not run a query.

    Args:
        message: What DuckDB says.
        query: The query.
        number: Which of the task's queries it is, counted from 1.
    """

    def __init__(self, message: str, *, query: str, number: int) -> None:
        super().__init__(f"query {number} failed: {message}")
        self.message = message
        self.query = query
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.message, self.query, self.number)


def _rebuild(message: str, query: str, number: int) -> QueryFailedError:
    return QueryFailedError(message, query=query, number=number)
