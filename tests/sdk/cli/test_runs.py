"""The history of runs: what is kept, how it is shown, and what its database survives."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from alula._history import cut, find_run, forget_runs, list_runs, status_of
from alula_kernel.engine import Action, Phase, RunRecord, this_process
from alula_kernel.engine.sqlite_store import SqliteStore
from alula_kernel.errors import UnknownNameError
from alula_kernel.literals import ListLiteral, MapLiteral, Scalar
from alula_kernel.specs import EntityId

from .conftest import Answer, Write

Run = Callable[..., Answer]

SCRIPT = """
from alula import Deck, Resources, RetryStrategy, task, workflow


@task
def one(x: int) -> int:
    return x


@task(retries=2)
def fails(x: int) -> int:
    raise ValueError(f"no {x}")


@workflow
def wf(x: int = 2, text: str = "t") -> int:
    return one(x=x)


@workflow
def bad(x: int) -> int:
    return fails(x=one(x=x))
"""


@pytest.fixture(autouse=True)
def script(write: Write) -> None:
    write("prog.py", SCRIPT)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "home" / "runs.db")
    yield store
    store.close()


def record(name: str, **fields: object) -> RunRecord:
    base = {"entity": EntityId("task", "m.f"), "owner": this_process(), "started_at": time.time()}
    return RunRecord(name=name, **{**base, **fields})  # type: ignore[arg-type]


def statuses(history: SqliteStore) -> dict[str, str]:
    return {found.name: status_of(found) for found in list_runs(history)}


# --- the commands ----------------------------------------------------------------------------------------------------


def test_runs_are_listed_newest_first(alula: Run) -> None:
    for name in ("first", "second", "third"):
        alula("run", "--name", name, "prog.py", "wf")
    lines = alula("runs", "list").out.splitlines()
    assert lines[0].split() == ["RUN", "STATUS", "ENTITY", "STARTED", "TOOK"]
    assert [line.split()[0] for line in lines[1:]] == ["third", "second", "first"]
    assert [line.split()[:3] for line in alula("runs", "list", "--limit", "1").out.splitlines()[1:]] == [
        ["third", "succeeded", "prog.wf"]
    ]


def test_runs_are_filtered(alula: Run) -> None:
    alula("run", "--name", "good", "prog.py", "wf")
    alula("run", "--name", "poor", "prog.py", "bad", "--x", "1")
    assert [r["run"] for r in json.loads(alula("runs", "list", "--status", "failed", "--output", "json").out)] == [
        "poor"
    ]
    for entity in ("wf", "prog.wf"):
        assert [r["run"] for r in json.loads(alula("runs", "list", "--entity", entity, "--output", "json").out)] == [
            "good"
        ]
    assert alula("runs", "list", "--entity", "w%") == Answer(0, "", "no runs\n")
    assert alula("runs", "list", "--status", "funny").code == 2


def test_a_run_is_shown_with_its_tree_attempts_and_error(alula: Run) -> None:
    alula("run", "--name", "poor", "--label", "team=red", "prog.py", "bad", "--x", "7")
    shown = alula("runs", "show", "poor").out
    assert "status   failed\n" in shown
    assert "entity   prog.bad (workflow)\n" in shown
    assert "labels   team=red\n" in shown
    assert "inputs\n  x: 7\n" in shown
    assert re.search(
        r"actions\n  failed     bad \(workflow\) .*\n    succeeded  one .*\n    failed     fails \[3 attempts\]", shown
    )
    assert re.search(r"  fails #1  inline    user_failure  \d\d:\d\d:\d\d\.\d{3}  .* ValueError: no 7\n", shown)
    assert re.search(r"  fails #3  inline    user_failure", shown)
    assert "error in prog.fails\n  Traceback (most recent call last):\n" in shown
    assert shown.endswith("  ValueError: no 7\n")


def test_a_run_is_shown_with_inputs_and_outputs(alula: Run) -> None:
    alula("run", "prog.py", "wf", "--x", "3")
    shown = alula("runs", "show").out
    assert "inputs\n  text: t\n  x: 3\n\noutputs\n  o0: 3\n" in shown
    assert re.search(r"attempts\n  ATTEMPT .*\n  one #1   inline    succeeded  .*\n$", shown)


def test_of_many_attempts_those_that_failed_are_listed(alula: Run, write: Write) -> None:
    write(
        "many.py",
        "from __future__ import annotations\nfrom alula import map_task, task, workflow\n\n@task\ndef t(x: int) -> int:\n"
        "    return 6 // (x - 3)\n\n@workflow\ndef wf() -> list[int | None]:\n"
        "    return map_task(t, min_successes=1)(x=list(range(30)))\n",
    )
    alula("run", "many.py", "wf")
    shown = alula("runs", "show").out
    assert re.findall(r"^  t.* #\d .*", shown, re.MULTILINE) == re.findall(
        r"^  t\[3\] #1 +inline +user_failure.*", shown, re.MULTILINE
    )
    document = json.loads(alula("runs", "show", "--output", "json").out)
    (failed,) = [action for action in document["actions"] if action["phase"] == "failed"]
    assert failed["attempts"][0]["executor"] == "inline"
    assert failed["group"] is None


def test_a_run_is_found_by_the_beginning_of_its_name(alula: Run) -> None:
    alula("run", "--name", "alpha-one", "prog.py", "wf")
    alula("run", "--name", "alpha-two", "prog.py", "wf")
    assert "alpha-one" in alula("runs", "show", "alpha-o").out
    answer = alula("runs", "show", "alpha")
    assert answer.code == 2
    assert "'alpha-one'" in answer.err
    assert "'alpha-two'" in answer.err


def test_names_cannot_be_used_twice(alula: Run) -> None:
    assert alula("run", "--name", "mine", "prog.py", "wf").code == 0
    answer = alula("run", "--name", "mine", "prog.py", "wf")
    assert answer == Answer(
        2,
        "",
        "error: there is a run with the name 'mine' already\n  Choose another name, or forget the old run: alula runs delete "
        "mine\n",
    )
    assert alula("runs", "delete", "mine").err == "forgot 1 run\n"
    assert alula("run", "--name", "mine", "prog.py", "wf").code == 0


def test_unknown_runs_are_named(alula: Run) -> None:
    alula("run", "--name", "mine", "prog.py", "wf")
    for command in ("show", "delete"):
        answer = alula("runs", command, "mime")
        assert answer.code == 2
        assert answer.err == "error: unknown run 'mime'\n  Did you mean 'mine'?\n"


def test_nothing_to_show(alula: Run) -> None:
    assert alula("runs", "list") == Answer(0, "", "no runs\n")
    assert alula("runs", "list", "--output", "json").out == "[]\n"
    assert alula("runs", "show").code == 2


def test_clearing_asks_first(program: Run) -> None:
    program("run", "prog.py", "wf")
    refused = program("runs", "clear", stdin="n\n")
    assert refused.code == 1
    assert "Forget 1 run?" in refused.err
    assert program("runs", "clear").code == 1
    assert program("runs", "list").out
    assert program("runs", "clear", stdin="y\n").err.endswith("forgot 1 run\n")
    assert program("runs", "list").out == ""


def test_what_attempts_printed_goes_with_their_run(program: Run, write: Write, alula_home: Path) -> None:
    write("talk.py", "from alula import task\n\n@task\ndef t() -> None:\n    print('a line')\n")
    for name in ("first", "second", "first-2"):
        assert program("run", "--executor", "process", "--name", name, "talk.py", "t").code == 0
    assert "a line" in program("runs", "logs", "first").out
    assert program("runs", "delete", "first").code == 0
    left = [path.name.partition(".")[0] for path in (alula_home / "attempts/default/development").iterdir()]
    assert sorted(left) == ["first-2", "second"]
    assert "a line" in program("runs", "logs", "second").out
    assert program("runs", "clear", "--yes").code == 0
    assert list((alula_home / "attempts/default/development").iterdir()) == []


def test_a_report_is_named(alula: Run, write: Write) -> None:
    write("rep.py", "from alula import task\n\n@task(enable_deck=True)\ndef t(x: int) -> int:\n    return x\n")
    assert alula("run", "rep.py", "t", "--x", "1").code == 0
    assert re.search(r"reports\n  t: file:///.*\.html\n", alula("runs", "show").out)


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"", b"SQLite format 3\0" + b"\xff" * 5_000])
def test_a_damaged_history_is_moved_aside_and_the_run_goes_on(alula: Run, alula_home: Path, content: bytes) -> None:
    (alula_home / "runs.db").write_bytes(content)
    answer = alula("run", "prog.py", "wf")
    assert (answer.code, answer.out) == (0, "o0: 2\n")
    assert ("is damaged" in answer.err) is bool(content)
    assert len(alula("runs", "list").out.splitlines()) == 2
    aside = [path for path in alula_home.iterdir() if ".damaged-" in path.name]
    assert [path.read_bytes() for path in aside] == ([content] if content else [])


def test_a_history_that_cannot_be_written_is_a_warning(alula: Run, alula_home: Path) -> None:
    (alula_home / "runs.db").mkdir()
    answer = alula("run", "prog.py", "wf")
    assert (answer.code, answer.out) == (0, "o0: 2\n")
    assert answer.err.count("warning: cannot record the runs in ") == 1


def test_a_full_disk_is_a_warning(folder: Path, alula_home: Path) -> None:
    limited = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))\n"
        "from alula._cli import main\n"
        "sys.exit(main(['run', 'prog.py', 'wf']))\n"
    )
    done = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, cwd=folder, check=False)
    assert (done.returncode, done.stdout) == (0, "o0: 2\n"), done.stderr
    assert "warning: cannot record the runs in " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("version", [1, 99])
def test_a_history_of_another_version_is_moved_aside(alula: Run, alula_home: Path, version: int) -> None:
    with sqlite3.connect(alula_home / "runs.db") as connection:
        connection.execute("CREATE TABLE runs (name TEXT)")
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    answer = alula("run", "prog.py", "wf")
    assert answer.code == 0
    assert f"was written by another version of Alula (format {version}); it was moved to " in answer.err
    assert len(alula("runs", "list").out.splitlines()) == 2
    assert (alula_home / f"runs.db.format-{version}-1").exists()


def test_a_damaged_entry_is_left_out(alula: Run, alula_home: Path) -> None:
    alula("run", "--name", "good", "prog.py", "wf")
    alula("run", "--name", "torn", "prog.py", "wf")
    with sqlite3.connect(alula_home / "runs.db") as connection:
        connection.execute("UPDATE runs SET data = x'c1' WHERE name = 'torn'")
    connection.close()
    answer = alula("runs", "list")
    assert answer.code == 0
    assert [line.split()[0] for line in answer.out.splitlines()[1:]] == ["good"]
    assert "warning: the entry of the run 'torn' in " in answer.err
    assert alula("runs", "show", "torn").code == 1
    assert alula("runs", "clear", "--yes").code == 0


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_large_values_are_cut_to_previews_when_the_run_is_over(history: SqliteStore) -> None:
    values = {
        "text": Scalar("x" * 1_000_000),
        "list": ListLiteral([Scalar(i) for i in range(100_000)]),
        "map": MapLiteral({str(i): Scalar("y" * 100) for i in range(100)}),
        "small": Scalar(1),
    }
    kept = record("r", inputs=values)
    history.begin_run(kept)
    history.record("r", Action(id="a0", phase=Phase.SUCCEEDED, inputs=values, outputs=values))
    history.record("r", Action(id="a0.n0", phase=Phase.SUCCEEDED, inputs={"x": Scalar(1)}))
    history.commit_now()
    assert find_run(history, "r").inputs == values, "a run that is not over may have to be resumed"
    kept.status = "succeeded"
    history.change_run(kept)
    history.shorten(kept, cut)
    root, child = history.actions("r")
    assert child.inputs == {"x": Scalar(1)}
    for literals in (find_run(history, "r").inputs, root.inputs, root.outputs):
        assert literals["small"] == Scalar(1)
        assert literals["text"] == Scalar("x" * 1_000 + "... (1,000,000 characters)")
        assert all(isinstance(literal, Scalar) for literal in literals.values())
    history.close()
    assert Path(history.path).stat().st_size < 100_000


def test_environment_variables_are_dropped_when_the_run_is_over(alula: Run, alula_home: Path) -> None:
    assert alula("run", "--env", "TOKEN=verysecret", "prog.py", "wf").code == 0
    assert not any(b"verysecret" in path.read_bytes() for path in alula_home.glob("runs.db*"))


def test_only_the_owner_may_read_the_history(alula: Run, alula_home: Path) -> None:
    alula("run", "prog.py", "wf")
    assert (alula_home / "runs.db").stat().st_mode & 0o077 == 0


def test_of_many_actions_those_that_failed_are_kept(history: SqliteStore) -> None:
    kept = record("r")
    history.begin_run(kept)
    for i in range(20_000):
        history.record("r", Action(id=f"a{i}", phase=Phase.FAILED if i % 1_000 == 999 else Phase.SUCCEEDED))
    history.commit_now()
    history.shorten(kept, cut)
    found = history.actions("r")
    assert find_run(history, "r").action_count == 20_000
    assert len(found) == 5_000
    assert sum(action.phase is Phase.FAILED for action in found) == 20
    assert found[0].id == "a0"


def test_old_runs_are_dropped(tmp_path: Path) -> None:
    history = SqliteStore(tmp_path / "runs.db", most_runs=3)
    for number in range(6):
        history.begin_run(record(f"r{number}"))
        history.record(f"r{number}", Action(id="a0"))
        history.commit_now()
    assert history.names() == ["r5", "r4", "r3"]
    history.close()
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        assert connection.execute("SELECT count(*) FROM actions").fetchone() == (3,)
    connection.close()


def test_a_run_of_a_process_that_is_gone_is_lost(history: SqliteStore) -> None:
    host, pid, start = this_process().split(":")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    history.begin_run(record("mine"))
    history.begin_run(record("gone", owner=f"{host}:{dead.pid}:1"))
    history.begin_run(record("reused", owner=f"{host}:{pid}:{int(start) - 1}"))
    history.begin_run(record("elsewhere", owner=f"other-{host}:{dead.pid}:1"))
    history.begin_run(record("unsaid", owner=""))
    assert statuses(history) == {
        "mine": "running",
        "gone": "lost",
        "reused": "lost",
        "elsewhere": "running",
        "unsaid": "lost",
    }
    assert [found.name for found in list_runs(history, status="lost", limit=2)] == ["unsaid", "reused"]


def test_a_run_that_ended_since_it_was_read_is_not_lost(history: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    run = record("r", owner=f"{this_process().split(':')[0]}:{dead.pid}:1")
    history.begin_run(run)
    read = history.runs()
    run.status, run.ended_at = "succeeded", run.started_at
    history.change_run(run)
    monkeypatch.setattr(history, "runs", lambda **_filters: read)
    assert statuses(history) == {"r": "succeeded"}


def test_many_processes_write_at_once(folder: Path, alula_home: Path, program: Run) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: program("run", "--name", f"r{n}", "prog.py", "wf"), range(8)))
    assert {answer.code for answer in answers} == {0}
    assert not any("warning" in answer.err for answer in answers)
    assert len(program("runs", "list").out.splitlines()) == 9


def test_deleting_is_all_or_nothing(history: SqliteStore) -> None:
    history.begin_run(record("a"))
    with pytest.raises(UnknownNameError):
        forget_runs(history, ["a", "b"])
    assert history.names() == ["a"]


def test_reading_makes_no_database(history: SqliteStore) -> None:
    assert list_runs(history) == []
    assert history.names() == []
    assert not os.path.exists(history.path)


def test_the_owner_of_a_process_does_not_matter() -> None:
    from alula_kernel.engine import process_lives

    assert process_lives(f"{os.uname().nodename}:1:")
