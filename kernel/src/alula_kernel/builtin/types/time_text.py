"""Dates, times and durations as text: what people type, and ISO 8601."""

from __future__ import annotations

import functools
import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo

from ...errors import ValueConversionError

_DATETIME = r"""(?x)
    (?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)
    (?:[Tt\ ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?
       \ ?(?P<offset>[Zz]|[+-]\d\d(?::?\d\d(?::\d\d(?:\.\d{1,6})?)?)?)?
       (?:\[(?P<zone>[\w+/-]+)\])?
    )?
"""
_OFFSET = r"([+-])(\d\d)(?::?(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?"
_RELATIVE = r"(?P<start>.+?)\s+(?P<sign>[+-])\s+(?P<duration>.+)|(?P<word>[a-z]+)(?P<sign2>[+-])(?P<rest>.+)"
_ISO_DURATION = r"""(?xi)
    (?P<sign>[+-])?P(?=[\dT])
    (?:(?P<W>\d+(?:[.,]\d+)?)W)?
    (?:(?P<D>\d+(?:[.,]\d+)?)D)?
    (?:T(?=\d)
       (?:(?P<H>\d+(?:[.,]\d+)?)H)?
       (?:(?P<M>\d+(?:[.,]\d+)?)M)?
       (?:(?P<S>\d+(?:[.,]\d+)?)S)?
    )?
"""
_CLOCK_DURATION = (
    r"(?i)(?P<sign>[+-])?\s*(?:(?P<D>\d+)\s*d(?:ays?)?,?\s*)?(?P<H>\d+):(?P<M>\d\d)(?::(?P<S>\d\d(?:\.\d+)?))?"
)
_AMOUNT = r"(?i)(\d+(?:\.\d*)?|\.\d+)\s*([a-z\u00b5\u03bc]+)[\s,]*(?:and\s+)?"
_NUMBER = r"\d+(?:\.\d*)?|\.\d+"


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern when it is first needed; compiling all of them at import would take a millisecond."""
    return re.compile(pattern, re.ASCII)


_SECOND = 1_000_000
_MICROSECONDS_OF = {
    "W": 604_800 * _SECOND,
    "D": 86_400 * _SECOND,
    "H": 3_600 * _SECOND,
    "M": 60 * _SECOND,
    "S": _SECOND,
}
_UNITS = {
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), _MICROSECONDS_OF["W"]),
    **dict.fromkeys(("d", "day", "days"), _MICROSECONDS_OF["D"]),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), _MICROSECONDS_OF["H"]),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), _MICROSECONDS_OF["M"]),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), _SECOND),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1_000),
    **dict.fromkeys(("us", "\u00b5s", "\u03bcs", "microsecond", "microseconds"), 1),
}

DURATION_HINT = "Use 90s, 1h 30m, 1.5 hours, 2 days, 1:30:00, a number of seconds, or ISO 8601 as PT1H30M."
DATETIME_HINT = "Use ISO 8601 as 2026-01-31T08:30:00+01:00, now, today, or either with a duration, as now - 1d."
DATE_HINT = "Use 2026-01-31, today, or either with a duration, as today - 7d."


def format_duration(duration: timedelta) -> str:
    """Write a duration in ISO 8601, exact to the microsecond, as ``P1DT3723.5S``."""
    sign = "-" if duration < timedelta() else ""
    duration = abs(duration)
    text = f"{sign}P{duration.days}D" if duration.days else f"{sign}P"
    if duration.seconds or duration.microseconds or not duration.days:
        fraction = f".{duration.microseconds:06d}" if duration.microseconds else ""
        text += f"T{duration.seconds}{fraction}S"
    return text


def parse_duration(text: str) -> timedelta:
    """Read a duration: ISO 8601 (years and months excepted), ``1h 30m``, ``1.5 hours``, ``1:30:00``, or seconds.

    Raises:
        ValueConversionError: The text is no duration, or is beyond 999,999,999 days.
    """
    stripped = text.strip()
    try:
        found = _iso_duration(stripped)
        if found is None:
            found = _human_duration(stripped)
        if found is not None:
            return timedelta(microseconds=found)
    except (OverflowError, ValueError):  # more days, or more digits, than Python takes
        pass
    raise ValueConversionError(f"expected timedelta, found {text[:100]!r}", hint=DURATION_HINT)


def _iso_duration(text: str) -> int | None:
    match = _compiled(_ISO_DURATION).fullmatch(text) or _compiled(_CLOCK_DURATION).fullmatch(text)
    if match is None:
        return None
    groups = match.groupdict()
    total = sum(_scaled(groups[unit], size) for unit, size in _MICROSECONDS_OF.items() if groups.get(unit))
    return -total if groups["sign"] == "-" else total


def _human_duration(text: str) -> int | None:
    negative = text.startswith("-")
    rest = text.lstrip("+-").strip() if text[:1] in {"+", "-"} else text
    if _compiled(_NUMBER).fullmatch(rest):
        total = _scaled(rest, _SECOND)
        return -total if negative else total
    total = 0
    position = 0
    while position < len(rest):
        match = _compiled(_AMOUNT).match(rest, position)
        if match is None or (size := _UNITS.get(match[2].lower())) is None:
            return None
        total += _scaled(match[1], size)
        position = match.end()
    if not position:
        return None
    return -total if negative else total


def _scaled(number: str, size: int) -> int:
    """Multiply a decimal number by an integer exactly, rounded to the nearest integer."""
    whole, _, fraction = number.replace(",", ".").partition(".")
    total = int(whole or 0) * size
    if fraction:
        scale = 10 ** len(fraction)
        total += (int(fraction) * size * 2 + scale) // (2 * scale)
    return total


def format_datetime(moment: datetime) -> str:
    """Write a moment in ISO 8601 with its offset and, where the zone has a name, that name (RFC 9557 section 4.1).

    The name keeps arithmetic across a change to summer time right after a round trip.
    """
    zone = getattr(moment.tzinfo, "key", None)
    return f"{moment.isoformat()}[{zone}]" if isinstance(zone, str) else moment.isoformat()


def parse_iso_datetime(text: str) -> datetime | None:
    """Read ISO 8601, or what `format_datetime` wrote; None if the text is neither. A date alone is its midnight."""
    match = _compiled(_DATETIME).fullmatch(text.strip())
    if match is None:
        return None
    number = {name: int(match[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")}
    microsecond = int(f"{match['fraction'] or ''}000000"[:6])
    try:
        zone = _offset(match["offset"]) if match["offset"] else None
        moment = datetime(**number, microsecond=microsecond, tzinfo=zone)
    except ValueError:
        return None
    return _in_zone(moment, match["zone"]) if match["zone"] else moment


def _offset(text: str) -> tzinfo:
    match = _compiled(_OFFSET).fullmatch(text)
    if match is None:
        return timezone.utc
    sign, hours, minutes, seconds, fraction = match.groups()
    offset = timedelta(
        hours=int(hours),
        minutes=int(minutes or 0),
        seconds=int(seconds or 0),
        microseconds=int(f"{fraction or ''}000000"[:6]),
    )
    if not offset:
        return timezone.utc
    return timezone(-offset if sign == "-" else offset)


def _in_zone(moment: datetime, name: str) -> datetime:
    """Attach a named zone; a zone that this machine does not know leaves the offset, which names the same moment."""
    import zoneinfo

    try:
        zone = zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return moment
    if moment.tzinfo is None:
        return moment.replace(tzinfo=zone)
    for fold in (0, 1):
        local = moment.replace(tzinfo=zone, fold=fold)
        if local.utcoffset() == moment.utcoffset():
            return local
    return moment  # the rules of the zone have changed since it was written


def parse_datetime(text: str, now: datetime | None = None) -> datetime:
    """Read a moment as people type it: ISO 8601, ``now``, ``today``, and either of these plus or minus a duration.

    Args:
        text: The text.
        now: What ``now`` means; without it the present, in this machine's time zone.

    Raises:
        ValueConversionError: The text is no moment.
    """
    stripped = text.strip()
    word = stripped.lower()
    if word in {"now", "today", "yesterday", "tomorrow"}:
        present = datetime.now().astimezone() if now is None else now
        if word == "now":
            return present
        days = {"today": 0, "yesterday": -1, "tomorrow": 1}[word]
        day = present.date() + timedelta(days=days)
        if now is None:  # the offset at midnight may differ from the present one
            return datetime.combine(day, time()).astimezone()
        return datetime.combine(day, time(), present.tzinfo)
    if (moment := parse_iso_datetime(stripped)) is not None:
        return moment
    if (match := _compiled(_RELATIVE).fullmatch(word)) is not None:
        start = parse_datetime(match["start"] or match["word"], now)
        duration = parse_duration(match["duration"] or match["rest"])
        try:
            return start - duration if "-" in {match["sign"], match["sign2"]} else start + duration
        except OverflowError:
            pass
    raise ValueConversionError(f"expected datetime, found {text[:100]!r}", hint=DATETIME_HINT)


def parse_date(text: str, today: date | None = None) -> date:
    """Read a day as people type it: ISO 8601, ``today``, ``yesterday``, ``tomorrow``, plus or minus a duration.

    Args:
        text: The text.
        today: What ``today`` means; without it the present day in this machine's time zone.

    Raises:
        ValueConversionError: The text is no day, or has a time of day.
    """
    try:
        now = None if today is None else datetime.combine(today, time(), timezone.utc)
        moment = parse_datetime(text, now)
    except ValueConversionError as error:
        # A duration inside has its own message, which helps more.
        hint = DATE_HINT if error.hint == DATETIME_HINT else error.hint
        raise ValueConversionError(error.message.replace("datetime", "date"), hint=hint) from None
    iso = parse_iso_datetime(text)
    if iso is not None and (iso.time() != time() or iso.tzinfo is not None):
        raise ValueConversionError(f"expected date, found {text[:100]!r}: it has a time of day", hint=DATE_HINT)
    return moment.date()
