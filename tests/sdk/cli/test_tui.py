"""The terminal view, driven by Textual's own pilot over stores that real runs wrote."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from alula._app import current_app
from alula._history import open_history
from alula._tui.action_tree import RunTree
from alula._tui.answer import AnswerScreen
from alula._tui.browser import Browser
from alula._tui.output import OutputView
from alula._tui.run_screen import RunScreen
from alula._tui.runs_screen import RunsScreen
from alula_kernel.builtin.inline import InlineExecutor
from alula_kernel.engine import Action, AttemptRecord, Phase, RunRecord, this_process
from alula_kernel.engine.sqlite_store import SqliteStore
from alula_kernel.specs import EntityId

from .conftest import PROGRAM, Answer, Write

pytestmark = pytest.mark.one_python

Run = Callable[..., Answer]
HANG_SECONDS = 60

SCRIPT = """
import os
import time

import alula
from alula import TaskEnvironment, approve, map_task, task, workflow

env = TaskEnvironment(name="env")


@task(cache=True, cache_version="1")
def one(x: int) -> int:
    return x


@task(retries=1)
def fails(x: int) -> int:
    print("trying", x)
    raise ValueError(f"no {x} [bold]markup[/bold]")


@task
def waits(x: int) -> int:
    print("\\x1b[31mbefore\\x1b[0m", x, flush=True)
    while not os.path.exists("go"):
        time.sleep(0.02)
    print("0%\\r100%", flush=True)
    return x


@workflow
def wf(x: int = 2, text: str = "a text") -> int:
    return one(x=x)


@workflow
def bad(x: int = 7) -> int:
    return fails(x=one(x=x))


@workflow
def live() -> int:
    return waits(x=1)


@workflow
def mapped() -> list[int]:
    return map_task(one)(x=list(range(5)))


@workflow
def gated(x: int = 1) -> int:
    return approve(one(x=x), "sure")


@alula.trace
async def step(x: int) -> int:
    return x


@env.task
async def child(x: int) -> int:
    return await step(x)


@env.task(report=True)
async def parent() -> int:
    with alula.group("stage"):
        await child(1)
    return await child(2)
"""


@pytest.fixture(autouse=True)
def script(write: Write) -> None:
    write("prog.py", SCRIPT)


@pytest.fixture
def begin(folder: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Begin runs that the test ends by making the file ``go``; all are over when it is."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        nowhere = subprocess.DEVNULL
        begun.append(
            subprocess.Popen([*PROGRAM, "run", *arguments], cwd=folder, stdin=nowhere, stdout=nowhere, stderr=nowhere)
        )
        return begun[-1]

    yield start
    (folder / "go").touch()
    for process in begun:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(HANG_SECONDS)


class View:
    """The program under test, as a person sees it.

    Args:
        browser: The program.
        pilot: What presses keys.
    """

    def __init__(self, browser: Browser, pilot: Pilot[None]) -> None:
        self.browser = browser
        self.press = pilot.press
        self._pilot = pilot

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something is so."""
        end = time.monotonic() + HANG_SECONDS
        while not condition():
            assert time.monotonic() < end, self.all_text()
            await self._pilot.pause(0.05)

    async def until_shown(self, *texts: str) -> None:
        """Wait until texts are on the screen."""
        await self.until(lambda: all(text in self.all_text() for text in texts))

    def text(self, selector: str) -> str:
        """Return the text of a widget."""
        widget = self.browser.screen.query_one(selector)
        assert isinstance(widget, Static)
        return str(widget.render())

    def all_text(self) -> str:
        """Return what is on the screen, and of the output what there is to scroll to."""
        screen = self.browser.screen
        parts = [str(widget.render()) for widget in screen.query(Static)]
        parts += [line for log in screen.query(OutputView) for line in log.lines]
        parts += self.tree_lines() if isinstance(screen, RunScreen) else []
        parts += [" ".join(row) for row in self.rows()] if isinstance(screen, RunsScreen) else []
        parts += [notification.message for notification in self.browser._notifications]
        return "\n".join(parts)

    @property
    def tree(self) -> RunTree:
        return self.browser.screen.query_one(RunTree)

    def tree_lines(self) -> list[str]:
        """Return the labels of the nodes that are not hidden in a closed one."""
        lines = []
        waiting = [(self.tree.root, 0)]
        while waiting:
            node, depth = waiting.pop()
            lines.append("  " * depth + str(node.label))
            if node.is_expanded:
                waiting.extend((child, depth + 1) for child in reversed(node.children))
        return lines

    def rows(self) -> list[list[str]]:
        """Return the rows of the list of runs."""
        table: DataTable[Any] = self.browser.screen.query_one(DataTable)
        return [[str(cell) for cell in table.get_row_at(index)] for index in range(table.row_count)]

    def names(self) -> list[str]:
        """Return the names of the runs in the list."""
        return [row[1] for row in self.rows()]


@asynccontextmanager
async def browsing(run: str = "") -> AsyncIterator[View]:
    store = open_history(current_app().settings, pytest.fail)
    browser = Browser(store, current_app(), run)
    try:
        async with browser.run_test(size=(140, 45)) as pilot:
            yield View(browser, pilot)
    finally:
        store.close()


def played(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


# --- the list of runs ------------------------------------------------------------------------------------------------


def test_runs_are_listed_newest_first_and_filtered(alula: Run) -> None:
    alula("run", "--name", "first", "--label", "team=red", "prog.py", "wf")
    alula("run", "--name", "second", "prog.py", "bad")
    alula("run", "--name", "third", "prog.py", "mapped")

    async def scenario() -> None:
        async with browsing() as view:
            await view.until(lambda: view.names() == ["third", "second", "first"])
            assert [row[0] for row in view.rows()] == ["✓ succeeded", "✗ failed", "✓ succeeded"]
            assert [row[2] for row in view.rows()] == ["prog.mapped", "prog.bad", "prog.wf"]
            assert "3 runs" in view.text("#heading")
            await view.press("s", "s")
            await view.until(lambda: view.names() == ["third", "first"])
            assert "status: succeeded" in view.text("#heading")
            await view.press("slash", *"team=r")
            await view.until(lambda: view.names() == ["first"])
            await view.press("escape")
            await view.until(lambda: len(view.names()) == 3)
            assert isinstance(view.browser.screen.focused, DataTable)

    played(scenario)


def test_new_runs_appear_and_the_cursor_stays_with_its_run(alula: Run, program: Run) -> None:
    alula("run", "--name", "first", "prog.py", "wf")
    alula("run", "--name", "second", "prog.py", "wf")

    async def scenario() -> None:
        async with browsing() as view:
            await view.until(lambda: view.names() == ["second", "first"])
            await view.press("down")
            await asyncio.to_thread(program, "run", "--name", "third", "prog.py", "wf")
            await view.until(lambda: view.names() == ["third", "second", "first"])
            await view.press("enter")
            await view.until(lambda: isinstance(view.browser.screen, RunScreen))
            await view.until_shown("first succeeded")
            await view.press("escape")
            await view.until(lambda: isinstance(view.browser.screen, RunsScreen))

    played(scenario)


def test_no_runs() -> None:
    async def scenario() -> None:
        async with browsing() as view:
            await view.until_shown("0 runs")
            await view.press("enter", "q")

    played(scenario)


def test_a_run_of_a_process_that_is_gone_is_lost(alula_home: Path) -> None:
    store = SqliteStore(alula_home / "runs.db")
    store.begin_run(RunRecord(name="gone", entity=EntityId("task", "m.f"), started_at=time.time()))
    store.close()

    async def scenario() -> None:
        async with browsing() as view:
            await view.until(lambda: [row[:2] for row in view.rows()] == [["? lost", "gone"]])
            await view.press("enter")
            await view.until_shown("alula run --resume gone")

    played(scenario)


# --- a run -----------------------------------------------------------------------------------------------------------


def test_a_failed_run(alula: Run) -> None:
    alula("run", "--name", "mine", "prog.py", "bad")

    async def scenario() -> None:
        async with browsing("mine") as view:
            await view.until_shown("mine failed", "✗ fails [2 attempts]")
            await view.until(lambda: "no 7 [bold]markup[/bold]" in view.text("#about"))
            lines = [line.rpartition(" ")[0].rpartition(" ")[0] for line in view.tree_lines()]
            assert lines == ["✗ bad (workflow)", "  ✓ one", "  ✗ fails [2 attempts]"]
            await view.press("down", "down")
            await view.until(lambda: "✗ fails" in view.text("#about"))
            about = view.text("#about")
            assert "inputs\nx: 7\n" in about
            assert "#1 user failure  inline  " in about
            assert "#2 user failure  inline  " in about
            assert "raise ValueError(" in about
            assert "ValueError: no 7 [bold]markup[/bold]" in about
            await view.press("up", "t")
            await view.until(lambda: "#1" in view.text("#bars") and "█" in view.text("#bars"))
            await view.press("up")
            await view.until(lambda: {"one", "fails"} <= set(view.text("#bars").split()))

    played(scenario)


def test_details_of_values_caches_groups_traces_and_reports(alula: Run) -> None:
    alula("run", "prog.py", "wf")
    alula("run", "--name", "hit", "prog.py", "wf")
    alula("run", "--name", "plain", "prog.py", "parent")

    async def scenario() -> None:
        async with browsing("hit") as view:
            await view.until_shown("✓ one [cache hit]")
            assert "text: a text\n" in view.text("#about")
            await view.press("down")
            await view.until(lambda: "cache      hit, from " in view.text("#about"))
            assert "outputs\no0: 2\n" in view.text("#about")
        async with browsing("plain") as view:
            await view.until_shown("▪ stage", "step (trace)")
            lines = [" ".join(line.split()[:3]) for line in view.tree_lines()]
            assert lines[1] == "▪ stage"
            assert lines[2].startswith("✓ child")
            assert lines[3] == "✓ step (trace)"
            assert ".html" in view.text("#about")

    played(scenario)


def test_what_attempts_printed(program: Run, alula: Run) -> None:
    program("run", "--executor", "process", "--name", "kept", "prog.py", "bad")
    alula("run", "--name", "inline", "prog.py", "bad")

    async def scenario() -> None:
        async with browsing("kept") as view:
            await view.press("o")
            await view.until_shown("it has no attempts of its own", "✗ fails")
            await view.press("down", "down")
            lines = ["==> fails #1 (n1) <==", "trying 7", "==> fails #2 (n1) <==", "trying 7"]
            await view.until(lambda: list(filter(None, view.browser.screen.query_one(OutputView).lines)) == lines)
        async with browsing("inline") as view:
            await view.press("o")
            await view.until_shown("✗ fails")
            await view.press("down", "down")
            await view.until_shown("the executor inline runs tasks in the process of the run", "fails #2")

    played(scenario)


def test_a_live_run_of_another_process(
    begin: Callable[..., subprocess.Popen[bytes]], folder: Path, alula_home: Path
) -> None:
    run = begin("--executor", "process", "--name", "mine", "prog.py", "live")

    async def scenario() -> None:
        async with browsing() as view:
            await view.until(lambda: [row[:2] for row in view.rows()] == [["● running", "mine"]])
            await view.press("enter")
            await view.until_shown("mine running", "● waits")
            await view.press("down", "o")
            await view.until_shown("before 1")
            await view.press("d")
            await view.until(lambda: "#1 running  process" in view.text("#about"))
            await view.press("o")
            (folder / "go").touch()
            await view.until_shown("mine succeeded", "✓ waits", "100%")
            assert "0%" not in view.browser.screen.query_one(OutputView).lines

    played(scenario)
    assert run.wait(HANG_SECONDS) == 0


def test_a_question_is_answered(begin: Callable[..., subprocess.Popen[bytes]], folder: Path) -> None:
    (folder / "ask.py").write_text(
        "import alula\n\nenv = alula.TaskEnvironment(name='ask')\n\n\n@env.task\nasync def ask() -> int:\n"
        "    number = await alula.new_condition.aio('number', data_type=int, prompt='How many?')\n"
        "    return await number.wait.aio()\n"
    )
    run = begin("--executor", "process", "--name", "mine", "ask.py", "ask")

    async def scenario() -> None:
        async with browsing() as view:
            await view.until(lambda: view.names() == ["mine"])
            await view.press("enter")
            await view.until_shown("waits for an answer: number (a)")
            await view.press("a")
            await view.until(lambda: isinstance(view.browser.screen, AnswerScreen))
            assert "How many?" in view.all_text()
            await view.press(*"many", "enter")
            await view.until_shown("expected int, found str 'many'")
            view.browser.screen.query_one(Input).value = ""
            await view.press("4", "2", "enter")
            await view.until(lambda: isinstance(view.browser.screen, RunScreen))
            await view.until_shown("mine succeeded", "o0: 42")
            await view.press("a")
            await view.until_shown("the run waits for no answer")

    played(scenario)
    assert run.wait(HANG_SECONDS) == 0


def test_a_run_that_is_forgotten_meanwhile(alula: Run) -> None:
    alula("run", "--name", "mine", "prog.py", "wf")

    async def scenario() -> None:
        async with browsing("mine") as view:
            await view.until_shown("mine succeeded")
            with_it = SqliteStore(Path(current_app().settings.path("runs.db")))
            with_it.forget("mine")
            with_it.close()
            await view.until_shown("the run mine was forgotten")
            await view.press("escape")
            await view.until_shown("0 runs")

    played(scenario)


def test_what_cannot_be_read_is_said(alula: Run, alula_home: Path) -> None:
    import sqlite3

    alula("run", "--name", "mine", "prog.py", "wf")
    with sqlite3.connect(alula_home / "runs.db") as connection:
        connection.execute("UPDATE actions SET data = x'c1'")
    connection.close()

    async def scenario() -> None:
        async with browsing("mine") as view:
            await view.until_shown("an action of the run 'mine'", "is damaged")
            await view.press("escape")
            await view.until(lambda: view.names() == ["mine"])

    played(scenario)


# --- large runs ------------------------------------------------------------------------------------------------------

ITEMS = 100_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a run whose map has 100,000 items, of which every 10,000th failed; it is as if still under way."""
    path = tmp_path_factory.mktemp("large") / "runs.db"
    store = SqliteStore(path)
    store.begin_run(RunRecord(name="large", entity=EntityId("workflow", "m.wf"), owner=this_process(), started_at=1.0))
    now = time.time()
    store.record("large", Action(id="a0", name="wf", kind="workflow", phase=Phase.RUNNING, started_at=now))
    store.record("large", Action(id="a0.n0", parent="a0", name="item", kind="map", phase=Phase.RUNNING, started_at=now))
    for item in range(ITEMS):
        phase = Phase.FAILED if item % 10_000 == 9_999 else Phase.SUCCEEDED
        store.record(
            "large",
            Action(
                id=f"a0.n0[{item}]", parent="a0.n0", name=f"item[{item}]", phase=phase, started_at=now, ended_at=now + 1
            ),
        )
    store.commit_now()
    store.close()
    return path


def test_a_map_of_100000_items_is_loaded_in_pages(large: Path, alula_home: Path) -> None:
    async def scenario() -> None:
        store = SqliteStore(large)
        browser = Browser(store, current_app(), "large")
        async with browser.run_test(size=(140, 45)) as pilot:
            view = View(browser, pilot)
            await view.until_shown("item (map) [99,990 of 100,000 done, 10 failed]")
            assert len(view.tree_lines()) == 2, "a map is closed at first"
            await view.press("down", "enter")
            await view.until_shown("▪ failed", "✗ item[99999]", "✓ item[99]", "... 99,890 more (enter)")
            # The run, the map, the group and what failed, a page, and the rest.
            assert len(view.tree_lines()) == 2 + 1 + 10 + 100 + 1
            assert view.tree_lines()[2:4] == ["    ▪ failed", "      ✗ item[9999] 1.0 s"]
            await view.press("end", "enter")
            await view.until_shown("✓ item[199]", "... 99,790 more (enter)")
            assert view.tree_lines()[-1].strip().startswith("...")
            assert len(view.tree_lines()) == 2 + 1 + 10 + 200 + 1
            await view.press("home", "down", "t")
            await view.until(lambda: "... and 99,790 more" in view.text("#bars"))
        store.close()

    played(scenario)


def test_a_million_lines_are_cut_to_the_last_ones(alula_home: Path) -> None:
    class Printing(InlineExecutor):
        """An executor that keeps output."""

        name = "printing"
        survives_engine = True

        async def logs(self, handle: Any, *, follow: bool = True) -> AsyncIterator[bytes]:
            for start in range(0, 1_000_000, 1_000):
                yield b"".join(b"line %d\n" % number for number in range(start, start + 1_000))

    store = SqliteStore(alula_home / "runs.db")
    store.begin_run(RunRecord(name="r", entity=EntityId("task", "m.f"), status="succeeded", ended_at=1.0))

    attempt = AttemptRecord(number=1, executor="printing", started_at=0.0, outcome="succeeded", ended_at=1.0, handle={})
    store.record("r", Action(id="a0", name="f", phase=Phase.SUCCEEDED, attempts=[attempt]))
    store.commit_now()
    current_app().executors["printing"] = Printing(lambda task: pytest.fail(str(task)))

    async def scenario() -> None:
        async with browsing("r") as view:
            await view.press("o")
            await view.until_shown("line 999999")
            assert len(view.browser.screen.query_one(OutputView).lines) <= 10_001

    played(scenario)
    store.close()


# --- the command -----------------------------------------------------------------------------------------------------


def test_it_needs_a_terminal(alula: Run) -> None:
    answer = alula("tui")
    assert answer.code == 2
    assert answer.err == "error: alula tui needs a terminal\n  Elsewhere: alula runs list, alula runs show\n"


def test_a_missing_textual_is_named(alula: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "textual", None)
    answer = alula("tui")
    assert answer.code == 2
    assert 'pip install "alula[tui]"' in answer.err


def test_on_a_terminal(folder: Path, alula: Run) -> None:
    import os
    import pty
    import select

    alula("run", "--name", "mine", "prog.py", "wf")
    outer, inner = pty.openpty()
    process = subprocess.Popen([*PROGRAM, "tui"], stdin=inner, stdout=inner, stderr=inner, cwd=folder)
    os.close(inner)
    shown, press_at, end = b"", 0.0, time.monotonic() + HANG_SECONDS
    while time.monotonic() < end:
        if select.select([outer], [], [], 0.2)[0]:
            try:
                shown += os.read(outer, 65_536)
            except OSError:  # the program has closed the terminal
                break
        if b"mine" in shown and time.monotonic() >= press_at:  # a key that comes too early is lost
            press_at = time.monotonic() + 1
            os.write(outer, b"q")
    os.close(outer)
    try:
        assert process.wait(HANG_SECONDS) == 0
    finally:
        process.kill()
    assert b"prog.wf" in shown


def test_an_unknown_run_is_named_before_anything_is_drawn(
    alula: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    alula("run", "--name", "mine", "prog.py", "wf")
    monkeypatch.setattr(type(sys.stdin), "isatty", lambda _self: True, raising=False)
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _self: True, raising=False)
    answer = alula("tui", "mime")
    assert (answer.code, answer.out) == (2, "")
    assert "Did you mean 'mine'?" in answer.err


def test_no_other_command_loads_textual(program: Run, alula: Run) -> None:
    import sys

    alula("run", "--name", "mine", "prog.py", "wf")
    for arguments in (["runs", "show", "--logs"], ["runs", "list"], ["tui", "--help"], ["run", "prog.py", "wf"]):
        code = f"import sys; from alula._cli import main; main({arguments!r}); sys.exit('textual' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0, arguments
