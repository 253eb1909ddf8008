# ruff: noqa: DTZ001, UP007 - naive datetimes are values like others
from __future__ import annotations

import zoneinfo
from datetime import date, datetime, timedelta, timezone
from typing import Union

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alula_kernel import types
from alula_kernel.builtin.types.time_text import (
    format_duration,
    parse_date,
    parse_datetime,
    parse_duration,
    parse_iso_datetime,
)
from alula_kernel.errors import ValueConversionError
from alula_kernel.literals import NONE, Scalar, content_hash

offsets = st.builds(timezone, st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)))
zones = st.none() | offsets | st.timezones()


@example(value=datetime(2000, 1, 1, tzinfo=timezone(timedelta(microseconds=1))))
@example(value=datetime(2000, 1, 1, 0, 0, 0, 5, tzinfo=timezone(-timedelta(microseconds=1))))
@given(value=st.datetimes(timezones=zones))
def test_datetime(round_trip, value):
    back = round_trip(datetime, value)
    assert back.isoformat() == value.isoformat()
    assert back.utcoffset() == value.utcoffset()
    assert getattr(back.tzinfo, "key", None) == getattr(value.tzinfo, "key", None)


@given(value=st.dates())
def test_date(round_trip, value):
    round_trip(date, value)


@example(value=timedelta.min)
@example(value=timedelta.max)
@given(value=st.timedeltas())
def test_timedelta(round_trip, value):
    round_trip(timedelta, value)


@given(value=st.datetimes(timezones=st.just(zoneinfo.ZoneInfo("Europe/Paris")), allow_imaginary=False))
def test_named_zone_keeps_arithmetic(round_trip, value):
    back = round_trip(datetime, value)
    try:
        assert back + timedelta(days=180) == value + timedelta(days=180)
    except OverflowError:
        assert value.year == 9999


def test_zone_that_this_machine_does_not_know_leaves_the_offset(registry, context):
    back = registry.converter(datetime).to_python(Scalar("2026-07-01T12:00:00+02:00[Mars/Olympus]"), context)
    assert back == datetime(2026, 7, 1, 10, tzinfo=timezone.utc)


def test_changed_value_has_another_hash(registry, context):
    converter = registry.converter(datetime)
    naive = datetime(2026, 1, 1)
    aware = naive.replace(tzinfo=timezone.utc)
    later = naive + timedelta(microseconds=1)
    assert len({content_hash(converter.to_literal(v, context)) for v in (naive, aware, later)}) == 3


def test_datetime_for_a_date_is_refused(registry, context):
    with pytest.raises(ValueConversionError, match="time of day would be lost"):
        registry.converter(date).to_literal(datetime(2026, 1, 1), context)


@pytest.mark.parametrize("python_type", [datetime, date, timedelta])
def test_other_values_and_literals_are_refused(registry, context, python_type):
    converter = registry.converter(python_type)
    for value in ("2026-01-01", 5, None):
        with pytest.raises(ValueConversionError, match=f"expected {python_type.__name__}"):
            converter.to_literal(value, context)
    for literal in (Scalar("nonsense"), Scalar(5), NONE):
        with pytest.raises(ValueConversionError, match=f"expected {python_type.__name__}"):
            converter.to_python(literal, context)


def test_subclasses_come_back_as_such(round_trip):
    round_trip(pd.Timestamp, pd.Timestamp("2026-01-31T08:30:00.123456", tz="UTC"))
    round_trip(pd.Timedelta, pd.Timedelta(days=1, microseconds=5))


def test_union_of_date_and_datetime_goes_by_class(round_trip):
    either = Union[date, datetime]
    assert type(round_trip(either, datetime(2026, 1, 1))) is datetime
    assert type(round_trip(either, date(2026, 1, 1))) is date


NOW = datetime(2026, 3, 15, 13, 45, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T08:30:00", datetime(2026, 1, 31, 8, 30)),
        ("2026-01-31 08:30", datetime(2026, 1, 31, 8, 30)),
        ("2026-01-31", datetime(2026, 1, 31)),
        ("2026-01-31T08:30:00Z", datetime(2026, 1, 31, 8, 30, tzinfo=timezone.utc)),
        ("2026-01-31t08:30:00z", datetime(2026, 1, 31, 8, 30, tzinfo=timezone.utc)),
        ("2026-01-31T08:30:00.5+01:00", datetime(2026, 1, 31, 8, 30, 0, 500_000, timezone(timedelta(hours=1)))),
        (
            "2026-01-31T08:30:00,123456789-0530",
            datetime(2026, 1, 31, 8, 30, 0, 123456, timezone(-timedelta(hours=5.5))),
        ),
        ("2026-01-31T08:30:00+01", datetime(2026, 1, 31, 8, 30, tzinfo=timezone(timedelta(hours=1)))),
        (
            "2026-07-01T08:30:00[Europe/Paris]",
            datetime(2026, 7, 1, 8, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")),
        ),
        ("now", NOW),
        ("NOW", NOW),
        ("today", datetime(2026, 3, 15, tzinfo=timezone.utc)),
        ("yesterday", datetime(2026, 3, 14, tzinfo=timezone.utc)),
        ("tomorrow", datetime(2026, 3, 16, tzinfo=timezone.utc)),
        ("now - 1d", NOW - timedelta(days=1)),
        ("now-1d", NOW - timedelta(days=1)),
        ("now + PT1H30M", NOW + timedelta(hours=1.5)),
        ("today - 2 days 3h", datetime(2026, 3, 12, 21, tzinfo=timezone.utc)),
        ("2026-01-31T00:00:00 + 90 min", datetime(2026, 1, 31, 1, 30)),
    ],
)
def test_datetime_text(text, expected):
    found = parse_datetime(text, NOW)
    assert (found, found.tzinfo is None) == (expected, expected.tzinfo is None)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2026-13-01", "2026-02-30", "31.01.2026", "2026-01-31T25:00", "now -", "now - soon", "now + 9999999 weeks",
     "2026-01-31T08:30+99:00"],
)  # fmt: skip
def test_bad_datetime_text(text):
    with pytest.raises(ValueConversionError, match=r"expected (datetime|timedelta)") as raised:
        parse_datetime(text, NOW)
    assert raised.value.hint


def test_now_is_aware_and_in_the_present(registry, context):
    before = datetime.now(timezone.utc)
    now = registry.converter(datetime).from_text("now", context)
    assert before <= now <= datetime.now(timezone.utc)
    today = registry.converter(datetime).from_text("today", context)
    assert (today.hour, today.minute, today.second, today.utcoffset() is None) == (0, 0, 0, False)
    assert timedelta() <= now - today < timedelta(days=1, hours=2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", date(2026, 1, 31)),
        ("2026-01-31T00:00:00", date(2026, 1, 31)),
        ("today", date(2026, 3, 15)),
        ("yesterday", date(2026, 3, 14)),
        ("today - 7d", date(2026, 3, 8)),
        ("2026-01-31 + 1 day", date(2026, 2, 1)),
    ],
)
def test_date_text(text, expected):
    assert parse_date(text, date(2026, 3, 15)) == expected


@pytest.mark.parametrize(("text", "message"), [("soon", "expected date"), ("2026-01-31T08:30:00", "has a time of day")])
def test_bad_date_text(text, message):
    with pytest.raises(ValueConversionError, match=message):
        parse_date(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("1h 30m", timedelta(minutes=90)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5 hours", timedelta(minutes=90)),
        ("2 days, 3 hours and 4 minutes", timedelta(days=2, hours=3, minutes=4)),
        ("1w", timedelta(weeks=1)),
        ("250ms", timedelta(milliseconds=250)),
        ("7us", timedelta(microseconds=7)),
        ("7\u00b5s", timedelta(microseconds=7)),
        ("-5m", timedelta(minutes=-5)),
        ("+5m", timedelta(minutes=5)),
        ("90", timedelta(seconds=90)),
        ("0.1", timedelta(milliseconds=100)),
        (".5", timedelta(milliseconds=500)),
        ("1:30", timedelta(minutes=90)),
        ("1:30:15.5", timedelta(minutes=90, seconds=15.5)),
        ("2 days, 4:13:02", timedelta(days=2, hours=4, minutes=13, seconds=2)),
        ("PT1H30M", timedelta(minutes=90)),
        ("P1DT12H", timedelta(days=1.5)),
        ("P2W", timedelta(weeks=2)),
        ("-PT0.000001S", timedelta(microseconds=-1)),
        ("PT0,5S", timedelta(seconds=0.5)),
        ("pt5m", timedelta(minutes=5)),
        ("PT0S", timedelta()),
        ("0", timedelta()),
    ],
)
def test_duration_text(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", " ", "soon", "P", "PT", "P1Y", "P1M", "5 parsecs", "1h soon", "h", "1::2", "9" * 30, "9" * 5000]
)
def test_bad_duration_text(text):
    with pytest.raises(ValueConversionError, match="expected timedelta") as raised:
        parse_duration(text)
    assert "1h 30m" in raised.value.hint


@given(value=st.timedeltas())
def test_written_durations_are_read_exactly(value):
    assert parse_duration(format_duration(value)) == value


@given(text=st.text(alphabet="0123456789PTHMSWDwdhms.:,+- and", max_size=30))
def test_any_text_is_a_duration_or_refused(text):
    try:
        assert isinstance(parse_duration(text), timedelta)
    except ValueConversionError:
        pass


@given(text=st.text(alphabet="0123456789TZ[]:.,+- /nowtdayUC", max_size=40))
def test_any_text_is_a_moment_or_refused(text):
    try:
        assert isinstance(parse_datetime(text, NOW), datetime)
    except ValueConversionError:
        assert parse_iso_datetime(text) is None


@pytest.mark.parametrize(
    ("python_type", "plain", "expected"),
    [
        (timedelta, 90, timedelta(seconds=90)),
        (timedelta, 0.5, timedelta(seconds=0.5)),
        (timedelta, "1h", timedelta(hours=1)),
        (timedelta, timedelta(1), timedelta(1)),
        (datetime, date(2026, 1, 31), datetime(2026, 1, 31)),
        (datetime, "2026-01-31", datetime(2026, 1, 31)),
        (date, "2026-01-31", date(2026, 1, 31)),
        (date, date(2026, 1, 31), date(2026, 1, 31)),
    ],
)
def test_plain_data(registry, context, python_type, plain, expected):
    assert registry.converter(python_type).from_plain(plain, context) == expected


@pytest.mark.parametrize(
    ("python_type", "plain"),
    [(timedelta, True), (timedelta, float("nan")), (timedelta, 1e300), (datetime, 5), (date, 5), (date, NOW)],
)
def test_bad_plain_data(registry, context, python_type, plain):
    with pytest.raises(ValueConversionError, match="expected"):
        registry.converter(python_type).from_plain(plain, context)


def test_types_on_the_wire(registry):
    assert [registry.converter(t).literal_type for t in (datetime, date, timedelta)] == [
        types.DATETIME,
        types.DATE,
        types.TIMEDELTA,
    ]
