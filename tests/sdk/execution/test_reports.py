"""OB-01, OB-06, DA-06: decks and reports."""

from __future__ import annotations

import asyncio
import html
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlparse

import pandas as pd
import pytest

import alula
from alula import (
    Deck,
    DeckField,
    File,
    MarkdownRenderer,
    PythonDependencyRenderer,
    Run,
    SourceCodeRenderer,
    TaskEnvironment,
    TopFrameRenderer,
    current_context,
    errors,
    report,
    task,
    workflow,
)

env = TaskEnvironment(name="reports")
NOTHING: tuple[DeckField, ...] = ()


def page_of(run: Run, action: int = 0) -> str:
    uri = run.actions[action].report
    assert uri, "no report was written"
    return Path(unquote(urlparse(uri).path)).read_text()


def tabs_of(page: str) -> dict[str, str]:
    """Return the HTML inside each frame by the title of its tab."""
    found = re.findall(r"<summary>(.*?)</summary><iframe([^>]*)>", page, re.DOTALL)
    tabs = {}
    for title, attributes in found:
        source = re.search(r'srcdoc="(.*?)"', attributes, re.DOTALL)
        assert source is not None
        tabs[html.unescape(title)] = html.unescape(source[1])
    return tabs


def test_a_deck_of_the_authors() -> None:
    @task(enable_deck=True, deck_fields=NOTHING)
    def shows() -> None:
        Deck("pca", "<b>first</b>").append("<i>second</i>")
        current_context().default_deck.append("main")
        assert [deck.name for deck in current_context().decks] == ["pca", "default"]

    tabs = tabs_of(page_of(alula.run(shows)))
    assert list(tabs) == ["pca", "default"]
    assert "<b>first</b>\n<i>second</i>" in tabs["pca"]


def test_html_of_the_authors_is_shown_in_a_sandbox_and_cannot_leave_it() -> None:
    evil = '</iframe><script>alert(document.cookie)</script>"\' onload="x"'

    @task(enable_deck=True, deck_fields=NOTHING)
    def shows() -> None:
        Deck(f"title {evil}", evil)

    page = page_of(alula.run(shows))
    assert page.count("<iframe") == page.count("</iframe>") == 1
    frame = re.search(r"<iframe([^>]*)>", page)
    assert frame is not None
    assert 'sandbox="allow-scripts"' in frame[1]
    assert "allow-same-origin" not in page
    assert "<script" not in page
    assert evil in tabs_of(page)[f"title {evil}"]


def test_two_decks_of_one_name_are_both_kept() -> None:
    @task(enable_deck=True, deck_fields=NOTHING)
    def shows() -> None:
        Deck("same", "one")
        Deck("same", "two")
        Deck("same (2)", "three")

    tabs = tabs_of(page_of(alula.run(shows)))
    assert list(tabs) == ["same", "same (2)", "same (2) (2)"]
    assert [text in tab for text, tab in zip(("one", "two", "three"), tabs.values(), strict=True)] == [True] * 3


def test_what_a_report_shows_by_itself() -> None:
    @task(enable_deck=True)
    def adds(x: int, words: list[str], frame: pd.DataFrame) -> tuple[int, str]:
        with report.time_block("adding"):
            return x + 1, "<b>escaped</b>"

    run = alula.run(adds, x=41, words=["<script>"], frame=pd.DataFrame({"column": [1, 2]}))
    tabs = tabs_of(page_of(run))
    assert list(tabs) == ["Input", "Output", "Source Code", "Dependencies", "Timeline"]
    assert "41" in tabs["Input"]
    assert "column" in tabs["Input"]
    assert "<script>" not in tabs["Input"]
    assert "42" in tabs["Output"]
    assert "<b>escaped" not in tabs["Output"]
    assert "with report.time_block" in tabs["Source Code"]
    assert "msgspec" in tabs["Dependencies"]
    assert "adding" in tabs["Timeline"]


def test_chosen_fields_and_renderers() -> None:
    @task(enable_deck=True, deck_fields=(DeckField.OUTPUT,))
    def frame() -> Annotated[pd.DataFrame, TopFrameRenderer(max_rows=1)]:
        return pd.DataFrame({"column": ["first", "second"]})

    tabs = tabs_of(page_of(alula.run(frame)))
    assert list(tabs) == ["Output"]
    assert "first" in tabs["Output"]
    assert "second" not in tabs["Output"]


def test_a_failing_task_keeps_its_report() -> None:
    @task(enable_deck=True)
    def fails() -> None:
        Deck("before", "until here")
        raise OSError

    tabs = tabs_of(page_of(alula.run(fails)))
    assert "until here" in tabs["before"]


def test_without_asking_nothing_is_written(caplog: pytest.LogCaptureFixture, alula_home: Path) -> None:
    @task
    def quiet() -> None:
        Deck("a", "b")
        Deck.publish()

    run = alula.run(quiet)
    assert run.actions[0].report == ""
    assert run.url == ""
    assert "was not asked for a report" in caplog.text
    assert not list(alula_home.rglob("*.html"))


@pytest.mark.parametrize(("settings", "written"), [({"disable_deck": False}, True), ({"disable_deck": True}, False)])
def test_the_older_switch(settings: dict[str, Any], written: bool) -> None:
    @task(**settings)
    def shows() -> None: ...

    assert bool(alula.run(shows).actions[0].report) is written


def test_every_action_has_a_report_of_its_own() -> None:
    @task(enable_deck=True, deck_fields=NOTHING)
    def shows(x: int) -> None:
        Deck("number", str(x))

    @workflow
    def flow() -> None:
        shows(x=1)
        shows(x=2)

    run = alula.run(flow)
    assert "1" in tabs_of(page_of(run, 1))["number"]
    assert "2" in tabs_of(page_of(run, 2))["number"]


def test_a_report_is_written_while_the_task_runs() -> None:
    pages: list[str] = []

    @task(enable_deck=True, deck_fields=NOTHING)
    def publishes() -> None:
        Deck("progress", "half")
        Deck.publish()
        prefix = current_context().output_prefix
        pages.append((Path(prefix) / "report.html").read_text())
        Deck("rest", "done")

    run = alula.run(publishes)
    assert list(tabs_of(pages[0])) == ["progress"]
    assert list(tabs_of(page_of(run))) == ["progress", "rest"]


def test_a_report_that_cannot_be_written_is_a_warning(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")

    @task(enable_deck=True)
    def works() -> int:
        return 5

    run = alula.with_runcontext(run_base_dir=str(blocked)).run(works)
    assert run.result == 5
    assert run.actions[0].report == ""
    assert "could not be written" in caplog.text


# --- names of Flyte 2 ----------------------------------------------------------------------------------------------------


def test_log_replace_tabs_and_flush() -> None:
    @env.task(report=True)
    def shows() -> None:
        report.log("<p>one</p>")
        report.log("<p>two</p>", do_flush=True)
        tab = report.get_tab("details")
        tab.log("<p>three</p>")
        assert report.get_tab("details") is tab
        other = report.get_tab("other")
        other.log("gone")
        other.replace("<p>four</p>")
        report.flush()

    tabs = tabs_of(page_of(alula.run(shows)))
    assert "<p>one</p>\n<p>two</p>" in tabs["main"]
    assert "<p>three</p>" in tabs["details"]
    assert "four" in tabs["other"]
    assert "gone" not in tabs["other"]


def test_awaitable_forms() -> None:
    @env.task(report=True)
    async def shows() -> None:
        await report.log.aio("<p>one</p>", do_flush=True)
        await report.get_tab("tab").log.aio("<p>two</p>")
        await report.get_tab("tab").replace.aio("<p>three</p>")
        await report.replace.aio("<p>zero</p>")
        await report.flush.aio()

    run = alula.run(shows)
    tabs = tabs_of(page_of(run))
    assert "zero" in tabs["main"]
    assert "one" not in tabs["main"]
    assert "three" in tabs["tab"]
    assert run.url == run.actions[0].report
    assert asyncio.iscoroutinefunction(report.log.aio)


def test_without_report_it_does_nothing_but_warn(caplog: pytest.LogCaptureFixture) -> None:
    @env.task
    def quiet() -> None:
        report.log("x")
        report.replace("y")
        report.flush()

    assert alula.run(quiet).actions[0].report == ""
    assert "report.log does nothing" in caplog.text
    report.log("outside of a task")
    assert report.get_tab("outside").html == ""


def test_a_dynamic_task_may_report() -> None:
    @alula.dynamic(enable_deck=True, deck_fields=(DeckField.INPUT,))
    def shows(x: int) -> None:
        Deck("made in the body", str(x))

    assert "made in the body" in tabs_of(page_of(alula.run(shows, x=1)))


# --- renderers -----------------------------------------------------------------------------------------------------------


def test_markdown_source_and_dependencies() -> None:
    shown = MarkdownRenderer().to_html("# Title\n\n- `code`\n\n<script>alert(1)</script>\n\n|a|b|\n|-|-|\n|1|2|")
    assert "<h1>Title</h1>" in shown
    assert "<code>code</code>" in shown
    assert "<table>" in shown
    assert "<script>" not in shown
    assert "&lt;b&gt;" in SourceCodeRenderer("T").to_html("<b>")
    assert "msgspec" in PythonDependencyRenderer().to_html()


def test_values_of_every_kind_have_previews(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))

    @task(enable_deck=True, deck_fields=(DeckField.INPUT,))
    def shows(a: int, b: list[dict[str, float]], c: File, d: pd.DataFrame, e: str) -> None: ...

    run = alula.run(shows, a=1, b=[{"x": 1.5}], c=File(str(picture)), d=pd.DataFrame({"q": [1]}), e="x" * 100_000)
    assert len(page_of(run)) < 100_000


def test_both_switches_are_refused() -> None:
    with pytest.raises(errors.UsageError, match="both given"):
        task(enable_deck=True, disable_deck=False)


def test_a_field_that_nobody_knows_is_refused() -> None:
    with pytest.raises(errors.UnknownNameError, match=r"test_reports\.py:\d+: unknown deck field 'Inputs'\n.*'?Input"):

        @task(enable_deck=True, deck_fields=(DeckField.OUTPUT, "Inputs"))  # type: ignore[arg-type]
        def wrong() -> int:
            return 1
