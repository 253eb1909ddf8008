"""The runs of this machine that ``alula run`` has made or is making, with what went in and what came out."""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from typing import Any

import msgspec

from alula_kernel.engine import RunRecord
from alula_kernel.errors import ActionError, UnknownNameError, ValueConversionError
from alula_kernel.literals import Literal, Scalar
from alula_kernel.types import LiteralType

from ._app import current_app
from ._history import STATUSES, find_run, list_runs, open_history, status_of
from ._logger import logger

__all__ = ["PastRun", "get", "runs"]


class PastRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it was when it was asked for.

    Attributes:
        name: Its name.
        entity: Qualified name of what was run.
        status: ``running``, ``succeeded``, ``failed``, ``aborted``, ``timed_out``, or ``lost`` if its process ended without
            saying how; ``alula runs resume`` goes on with it.
        started_at: When it began, in UTC.
        ended_at: When it ended, in UTC; None while it is not over.
        error: Why it failed.
    """

    name: str
    entity: str
    status: str
    started_at: dt.datetime
    ended_at: dt.datetime | None
    error: ActionError | None
    _record: RunRecord

    def inputs(self) -> dict[str, Any]:
        """Return its inputs by name, with defaults, as Python values of the type that best stands for each.

        Of a run that is over, values of more than 4 KiB that are no files and no data frames are kept as the text that
        ``alula runs show`` shows, and are that text here.

        Raises:
            UnsupportedTypeError: Only the class of the author can express one.
            StorageError: Its data is not there any more.
        """
        types = {name: variable.type for name, variable in self._record.interface.inputs.items()}
        return _values(self._record.inputs, types)

    def outputs(self) -> dict[str, Any]:
        """Return its outputs by name, in the same way; none before it has succeeded."""
        types = {name: variable.type for name, variable in self._record.interface.outputs.items()}
        return _values(self._record.outputs, types)


def runs(*, limit: int | None = None, status: str = "", entity: str = "") -> list[PastRun]:
    """Return runs, newest first.

    Args:
        limit: Most runs to return; None for all.
        status: Only those of this status.
        entity: Only those of this entity, by its qualified name or the last part of it.

    Raises:
        UnknownNameError: There is no such status.
        StoreError: The runs cannot be read.
    """
    if status and status not in STATUSES:
        raise UnknownNameError.among("status of a run", status, STATUSES)
    with closing(open_history(current_app().settings, logger.warning)) as store:
        return [_past(record) for record in list_runs(store, limit=limit, status=status, entity=entity)]


def get(name: str = "") -> PastRun:
    """Return one run.

    Args:
        name: Its name, or the beginning of it if that is unique; empty for the newest run.

    Raises:
        UnknownNameError: There is none, or several begin like that.
        StoreError: It cannot be read.
    """
    with closing(open_history(current_app().settings, logger.warning)) as store:
        return _past(find_run(store, name))


def _past(record: RunRecord) -> PastRun:
    return PastRun(
        name=record.name,
        entity=record.entity.name,
        status=status_of(record),
        started_at=_moment(record.started_at),
        ended_at=None if record.ended_at is None else _moment(record.ended_at),
        error=record.error,
        _record=record,
    )


def _moment(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.timezone.utc)


def _values(literals: dict[str, Literal], types: dict[str, LiteralType]) -> dict[str, Any]:
    return {name: _value(literal, types[name]) for name, literal in literals.items()}


def _value(literal: Literal, literal_type: LiteralType) -> Any:
    app = current_app()
    converter = app.registry.converter(app.registry.python_type(literal_type))
    try:
        return converter.to_python(literal, app.conversion)
    except ValueConversionError:
        if isinstance(literal, Scalar) and isinstance(literal.value, str):  # what was kept of a large value
            return literal.value
        raise
