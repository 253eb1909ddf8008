"""datetime, date and timedelta. On the wire they are strings in ISO 8601."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any, TypeVar

from ... import types
from ...contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from ...errors import ValueConversionError
from ...literals import Literal, Scalar
from .base import BuiltinConverter
from .time_text import (
    DURATION_HINT,
    format_datetime,
    format_duration,
    parse_date,
    parse_datetime,
    parse_duration,
    parse_iso_datetime,
)

_LONGEST_UTC_CHARS = len("2000-01-01T00:00:00.000000+00:00")

T = TypeVar("T", datetime, date, timedelta)


class TimeConverter(BuiltinConverter[T]):
    """A converter of values that are a string on the wire.

    Args:
        python_type: The class; a subclass, as ``pandas.Timestamp``, gets its values back as that subclass.
    """

    __slots__ = ("_subclass",)

    plain_type: type
    simple: types.Simple

    def __init__(self, python_type: Any) -> None:
        self.python_type = python_type
        self.literal_type = self.simple
        self._subclass = None if python_type is self.plain_type else python_type

    def _wire_text(self, literal: Literal) -> str | None:
        if type(literal) is Scalar and type(literal.value) is str:
            return literal.value
        return None

    def to_text(self, value: T) -> str:
        """Show the value as Python prints it."""
        return str(value)


class DatetimeConverter(TimeConverter[datetime]):
    """Converts moments, aware and naive, to the microsecond; a named time zone is kept."""

    __slots__ = ()

    plain_type = datetime
    simple = types.DATETIME

    def to_literal(self, value: datetime, context: ConversionContext) -> Literal:
        """Convert a datetime.

        Raises:
            ValueConversionError: The value is something else.
        """
        if isinstance(value, datetime):
            return Scalar(format_datetime(value))
        raise self.refuse(value)

    def to_python(self, literal: Literal, context: ConversionContext) -> datetime:
        """Convert back.

        Raises:
            ValueConversionError: The literal is not a moment in ISO 8601.
        """
        text = self._wire_text(literal)
        if text is None:
            return self.unwrapped(literal, context)
        try:
            read = datetime.fromisoformat(text)
            # Python reads an offset of less than a second as none; with one, the text is longer than any other in UTC.
            cut_short = read.tzinfo is timezone.utc and len(text) > _LONGEST_UTC_CHARS
            moment = parse_iso_datetime(text) if cut_short else read
        except ValueError:
            moment = parse_iso_datetime(text)
        if moment is None:
            raise self.refuse(text)
        return moment if self._subclass is None else self._as_subclass(moment)

    def _as_subclass(self, moment: datetime) -> datetime:
        made = self._subclass.combine(moment.date(), moment.timetz())  # type: ignore[union-attr]
        return made.replace(fold=moment.fold)  # type: ignore[no-any-return]

    def from_plain(self, value: Any, context: ConversionContext) -> datetime:
        """Take a moment, a day (its midnight; YAML reads ``2026-01-31`` as one), or a text as `from_text` does.

        Raises:
            ValueConversionError: It is something else.
        """
        if isinstance(value, str):
            return self.from_text(value, context)
        if type(value) is date:
            value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - as naive as what was given
        return self.to_python(self.to_literal(value, context), context)

    def from_text(self, text: str, context: ConversionContext) -> datetime:
        """Take ISO 8601, ``now``, ``today``, and either with a duration, as ``now - 1d``.

        ``now`` and ``today`` are aware, in the time zone of this machine.

        Raises:
            ValueConversionError: It is something else.
        """
        return self.to_python(self.to_literal(parse_datetime(text), context), context)


class DateConverter(TimeConverter[date]):
    """Converts days; a datetime is refused, because its time of day would be lost."""

    __slots__ = ()

    plain_type = date
    simple = types.DATE

    def to_literal(self, value: date, context: ConversionContext) -> Literal:
        """Convert a day.

        Raises:
            ValueConversionError: The value is something else.
        """
        if not self.accepts(value):
            reason = "its time of day would be lost; call .date() on it" if isinstance(value, datetime) else ""
            raise self.refuse(value, reason)
        return Scalar(value.isoformat())

    def to_python(self, literal: Literal, context: ConversionContext) -> date:
        """Convert back.

        Raises:
            ValueConversionError: The literal is not a day in ISO 8601.
        """
        text = self._wire_text(literal)
        if text is None:
            return self.unwrapped(literal, context)
        try:
            return (self._subclass or date).fromisoformat(text)
        except ValueError:
            raise self.refuse(text) from None

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is a day without a time."""
        return isinstance(value, date) and not isinstance(value, datetime)

    def from_text(self, text: str, context: ConversionContext) -> date:
        """Take ISO 8601, ``today``, ``yesterday``, ``tomorrow``, and these with a duration, as ``today - 7d``.

        Raises:
            ValueConversionError: It is something else.
        """
        return self.to_python(Scalar(parse_date(text).isoformat()), context)


class TimedeltaConverter(TimeConverter[timedelta]):
    """Converts durations, exact to the microsecond."""

    __slots__ = ()

    plain_type = timedelta
    simple = types.TIMEDELTA

    def to_literal(self, value: timedelta, context: ConversionContext) -> Literal:
        """Convert a duration.

        Raises:
            ValueConversionError: The value is something else.
        """
        if isinstance(value, timedelta):
            return Scalar(format_duration(value))
        raise self.refuse(value)

    def to_python(self, literal: Literal, context: ConversionContext) -> timedelta:
        """Convert back.

        Raises:
            ValueConversionError: The literal is not a duration in ISO 8601.
        """
        text = self._wire_text(literal)
        if text is None:
            return self.unwrapped(literal, context)
        found = parse_duration(text)
        if self._subclass is None:
            return found
        return self._subclass(  # type: ignore[no-any-return]
            days=found.days, seconds=found.seconds, microseconds=found.microseconds
        )

    def from_plain(self, value: Any, context: ConversionContext) -> timedelta:
        """Take a duration, a number of seconds, or a text as `from_text` does.

        Raises:
            ValueConversionError: It is something else.
        """
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                value = timedelta(seconds=value)
            except (OverflowError, ValueError):  # beyond 999,999,999 days; not a number
                refusal = self.refuse(value)
                raise ValueConversionError(refusal.message, hint=DURATION_HINT) from None
        if isinstance(value, str):
            return self.from_text(value, context)
        return self.to_python(self.to_literal(value, context), context)

    def from_text(self, text: str, context: ConversionContext) -> timedelta:
        """Take ``90s``, ``1h 30m``, ``1.5 hours``, ``1:30:00``, a number of seconds, or ISO 8601 as ``PT1H30M``.

        Raises:
            ValueConversionError: It is something else.
        """
        return self.to_python(Scalar(format_duration(parse_duration(text))), context)


class TimeTransformer(TypeTransformer):
    """Makes the converters of datetime, date and timedelta."""

    name = "times"
    python_types = (datetime, date, timedelta)

    _python_types: dict[types.LiteralType, Any] = {
        types.DATETIME: datetime,
        types.DATE: date,
        types.TIMEDELTA: timedelta,
    }

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a class."""
        if issubclass(request.origin, timedelta):
            return TimedeltaConverter(request.python_type)
        if issubclass(request.origin, datetime):
            return DatetimeConverter(request.python_type)
        return DateConverter(request.python_type)

    def python_type(self, literal_type: types.LiteralType) -> Any | None:
        """Return the class of a simple literal type."""
        return self._python_types.get(literal_type)
