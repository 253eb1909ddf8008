from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from alula_kernel.contracts import brief


@dataclasses.dataclass
class Row:
    name: str
    value: Any = None


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("python_type", "value", "expected"),
    [
        (int, 5, "<pre>5</pre>"),
        (str, "<script>", "<pre>&#x27;&lt;script&gt;&#x27;</pre>"),
        (Row, Row("<i>", 1), "<tr><th>name</th><td>&#x27;&lt;i&gt;&#x27;</td></tr><tr><th>value</th><td>1</td></tr>"),
        (list[Row], [Row("a", 1)], "<tr><th>name</th><th>value</th></tr><tr><td>&#x27;a&#x27;</td><td>1</td></tr>"),
        (list[int], [7], "<tr><th>0</th><td>7</td></tr>"),
        (tuple[int, str], (7, "a"), "<tr><th>1</th><td>&#x27;a&#x27;</td></tr>"),
        (set[int], {7}, "<td>7</td>"),
        (dict[str, int], {"<k>": 7}, "<tr><th>&#x27;&lt;k&gt;&#x27;</th><td>7</td></tr>"),
        (dict, {"<k>": [7]}, "<tr><th>&lt;k&gt;</th><td>[7]</td></tr>"),
    ],
)
def test_html(registry, python_type, value, expected):
    assert expected in registry.converter(python_type).to_html(value)


def test_tables_are_bounded(registry):
    html = registry.converter(list[Row]).to_html([Row("x" * 10_000)] * 100_000)
    assert "99,950 more rows" in html
    assert len(html) < 30_000
    wide = dataclasses.make_dataclass("Wide", [(f"field{i}", int, 0) for i in range(100)])
    html = registry.converter(list[wide]).to_html([wide()])
    assert "80 more columns" in html
    assert "field19" in html
    assert "field20" not in html
    assert "99,950 more rows" in registry.converter(dict[str, int]).to_html({str(i): i for i in range(100_000)})


def test_fields_of_a_wide_record_are_rows(registry):
    wide = dataclasses.make_dataclass("Wide", [(f"field{i}", int, 0) for i in range(40)])
    assert "field39" in registry.converter(wide).to_html(wide())


@pytest.mark.parametrize(
    "value",
    ["x" * 10**7, b"x" * 10**7, list(range(10**6)), {i: i for i in range(10**5)}, {"a": "x" * 10**6}, Rude(), [Rude()]],
)
def test_any_value_is_shown_briefly(value):
    for limit in (80, 1_000):
        assert len(brief(value, limit)) <= limit + 40


def test_brief_says_how_long_a_text_is():
    assert brief("x" * 5_000, 100).endswith("(5,000 characters)")
    assert brief(b"x" * 5_000, 100).endswith("(5,000 bytes)")
    assert brief("short", 100) == "'short'"


def test_text_is_bounded(registry):
    assert len(registry.converter(list[str]).to_text(["x" * 1_000] * 1_000)) <= 1_000
    assert registry.converter(list[int]).to_text([1, 2]) == "[1, 2]"
    assert registry.converter(list[int]).to_text(range(10**6))[-3:] == "..."
    moment = dt.date(2024, 1, 2)
    assert registry.converter(list[dt.date]).to_text([moment]) == "[2024-01-02]"
    assert registry.converter(tuple[dt.date, str]).to_text((moment, "a")) == "(2024-01-02, 'a')"
    assert registry.converter(set[dt.date]).to_text({moment}) == "{2024-01-02}"
    assert registry.converter(dict[str, dt.date]).to_text({"a": moment}) == "{'a': 2024-01-02}"
    assert registry.converter(dict[dt.date, int]).to_text({moment: 1}) == "{2024-01-02: 1}"
    assert registry.converter(Row).to_text(Row("a", 1)) == "Row(name='a', value=1)"
