"""``alula cache``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Answer, Write

Run = Callable[..., Answer]

SCRIPT = """
from alula import task, workflow


@task(cache=True, cache_version="{version}")
def square(x: int, note: str = "n") -> int:
    return x * x


@task(cache=True, cache_version="1")
def other(x: int) -> int:
    return x


@task(cache=True, cache_version="1")
def fails(x: int) -> int:
    raise ValueError("no")


@workflow
def wf(x: int = 2, note: str = "n") -> int:
    return other(x=square(x=x, note=note))


@workflow
def bad(x: int) -> int:
    return fails(x=x)
"""

FRAMES = """
import pandas as pd

from alula import task, workflow


@task
def make(cells: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"x": cells})


@task(cache=True, cache_version="1")
def total(data: pd.DataFrame, factor: int) -> int:
    return int(data["x"].sum()) * factor


@workflow
def wf(cells: list[int], factor: int = 2) -> int:
    return total(data=make(cells=cells), factor=factor)
"""


@pytest.fixture(autouse=True)
def script(write: Write) -> Path:
    return write("sq.py", SCRIPT.replace("{version}", "1"))


def ran(alula: Run, *arguments: str, name: str = "") -> None:
    assert alula("run", *(("--name", name) if name else ()), *arguments).code == 0


def test_entries_are_listed_newest_first(alula: Run) -> None:
    ran(alula, "sq.py", "wf", name="one")
    ran(alula, "sq.py", "wf", "--x", "3", name="two")
    lines = alula("cache", "list").out.splitlines()
    assert lines[0].split() == ["KEY", "TASK", "VERSION", "MADE", "BY", "RUN"]
    assert [(line.split()[1], line.split()[-1]) for line in lines[1:]] == [
        *(("sq.other", "two"), ("sq.square", "two"), ("sq.other", "one"), ("sq.square", "one"))
    ]
    assert len(alula("cache", "list", "--limit", "1").out.splitlines()) == 2
    for name in ("square", "sq.square"):
        found = json.loads(alula("cache", "list", name, "--output", "json").out)
        assert [entry["outputs"] for entry in found] == [{"o0": 9}, {"o0": 4}]


def test_nothing_is_cached_at_first(alula: Run) -> None:
    assert alula("cache", "list") == Answer(0, "", "nothing is cached\n")
    assert alula("cache", "list", "x") == Answer(0, "", "nothing is cached for x\n")
    assert alula("cache", "show", "x").code == 2
    assert alula("cache", "explain", "x").code == 2


def test_an_entry_is_shown_by_task_and_by_key(alula: Run) -> None:
    ran(alula, "sq.py", "square", "--x", "5", name="mine")
    shown = alula("cache", "show", "square").out
    assert "task       sq.square\n" in shown
    assert "by         mine a0\n" in shown
    assert re.search(r"inputs, by content\n  note: [0-9a-f]{64}\n  x: [0-9a-f]{64}\n\noutputs\n  o0: 25\n", shown)
    key = json.loads(alula("cache", "show", "square", "--output", "json").out)["key"]
    assert alula("cache", "show", key[:10]).out == shown


def test_a_changed_input_is_explained(alula: Run) -> None:
    ran(alula, "sq.py", "square", "--x", "5", "--note", "a", name="one")
    ran(alula, "sq.py", "square", "--x", "5", "--note", "b", name="two")
    said = alula("cache", "explain", "square").out
    assert "sq.square was computed by the run two on " in said
    assert "It was a miss. The nearest earlier entry, by the run one, differs in this:\n" in said
    assert re.search(r"\n  input 'note' changed \(was [0-9a-f]{4}…, now [0-9a-f]{4}…\): a then, b now\n$", said)
    assert "'x'" not in said


def test_a_changed_cell_is_explained(alula: Run, write: Write) -> None:
    write("frames.py", FRAMES)
    ran(alula, "frames.py", "wf", "--cells", "[1, 2, 3]", name="one")
    assert "n1 total: cache hit" in alula("run", "frames.py", "wf", "--cells", "[1, 2, 3]").err
    ran(alula, "frames.py", "wf", "--cells", "[1, 2, 4]", name="two")
    said = alula("cache", "explain", "two").out
    assert said.startswith("total (a0.n1)\n")
    assert "input 'data' changed (was " in said
    assert "factor" not in said


def test_a_changed_version_is_explained(program: Run, write: Write) -> None:
    program("run", "sq.py", "square", "--x", "5")
    write("sq.py", SCRIPT.replace("{version}", "2"))
    program("run", "sq.py", "square", "--x", "5")
    assert "the cache version changed (was '1', now '2')" in program("cache", "explain", "square").out


def test_a_changed_interface_is_explained(program: Run, write: Write) -> None:
    program("run", "sq.py", "square", "--x", "5")
    write("sq.py", SCRIPT.replace("{version}", "1").replace('note: str = "n"', "note: float = 1.0"))
    program("run", "sq.py", "square", "--x", "5")
    said = program("cache", "explain", "square").out
    assert "the types of the inputs or outputs changed" in said
    assert "input 'note' changed" in said


def test_the_first_entry_is_explained(alula: Run) -> None:
    ran(alula, "sq.py", "square", "--x", "5")
    assert "It was a miss because nothing was cached for it before.\n" in alula("cache", "explain", "square").out


def test_a_run_is_explained_task_by_task(alula: Run) -> None:
    ran(alula, "sq.py", "wf", name="one")
    ran(alula, "sq.py", "wf", name="two")
    ran(alula, "sq.py", "wf", "--x", "-2", name="three")
    assert alula("cache", "explain", "two").out == (
        "square (a0.n0)\n  A cache hit: computed by one, action a0.n0.\n"
        "other (a0.n1)\n  A cache hit: computed by one, action a0.n1.\n"
    )
    said = alula("cache", "explain", "three").out
    assert "square (a0.n0)\n  sq.square was computed by the run three" in said
    assert said.endswith("other (a0.n1)\n  A cache hit: computed by one, action a0.n1.\n")


def test_runs_without_entries_are_explained(alula: Run, write: Write) -> None:
    assert alula("run", "--name", "poor", "sq.py", "bad", "--x", "1").code == 1
    assert "its outputs are not cached: it failed" in alula("cache", "explain", "poor").out
    assert alula("cache", "explain", "poor").out.endswith("because nothing was cached for it before, or is any more.\n")
    ran(alula, "--cache-overwrite", "sq.py", "square", "--x", "1", name="forced")
    assert "the run was told to overwrite the cache" in alula("cache", "explain", "forced").out
    ran(alula, "--no-cache", "sq.py", "square", "--x", "1", name="without")
    assert "the run was told not to use the cache" in alula("cache", "explain", "without").out
    write("plain.py", "from alula import task\n\n@task\ndef plain() -> int:\n    return 1\n")
    ran(alula, "plain.py", "plain", name="plain")
    assert alula("cache", "explain", "plain").out == "no task of the run plain is cached\n"


def test_a_miss_whose_task_failed_is_explained(program: Run, write: Write) -> None:
    odd = SCRIPT.replace("{version}", "1").replace("return x * x", "return 1 // (x % 2)")
    write("sq.py", odd)
    program("run", "--name", "one", "sq.py", "square", "--x", "5")
    program("run", "--name", "near", "sq.py", "square", "--x", "7", "--note", "m")
    program("run", "--name", "two", "sq.py", "square", "--x", "2", "--note", "m")
    said = program("cache", "explain", "two").out
    assert "its outputs are not cached: it failed" in said
    assert "The nearest earlier entry, by the run near, differs in this:\n" in said
    assert "input 'x' changed" in said
    assert ": 7 then, 2 now\n" in said
    assert "note" not in said
    write(
        "sq.py", odd.replace('cache_version="1")\ndef square', 'cache_version="2")\ndef square').replace("% 2", "% 1")
    )
    program("run", "--name", "three", "sq.py", "square", "--x", "5")
    said = program("cache", "explain", "three").out
    assert "by the run one, differs in this:\n    the cache version, or the types of" in said
    assert "input" not in said.partition("differs in this:")[2].replace("types of the inputs", "")


def test_an_unknown_name_lists_near_matches(alula: Run) -> None:
    ran(alula, "sq.py", "square", "--x", "1")
    for command in ("explain", "clear"):
        answer = alula("cache", command, "sqare")
        assert answer.code == 2
        assert "'sq.square'" in answer.err


def test_one_task_is_cleared(alula: Run) -> None:
    ran(alula, "sq.py", "wf")
    ran(alula, "sq.py", "wf", "--x", "3")
    assert alula("cache", "clear", "square") == Answer(0, "", "forgot 2 entries\n")
    assert "square" not in alula("cache", "list").out
    assert "other" in alula("cache", "list").out


def test_clearing_everything_asks_first(program: Run) -> None:
    program("run", "sq.py", "wf")
    assert program("cache", "clear", stdin="n\n").code == 1
    assert "--yes" in program("cache", "clear").err
    assert program("cache", "list").out
    assert program("cache", "clear", "--yes").err == "forgot 2 entries\n"
    assert program("cache", "list").out == ""


def test_a_damaged_cache_is_a_warning_and_the_run_goes_on(program: Run, alula_home: Path) -> None:
    program("run", "sq.py", "square", "--x", "3")
    (alula_home / "cache.db").write_bytes(b"no database" * 1_000)
    answer = program("run", "sq.py", "square", "--x", "3")
    assert (answer.code, answer.out) == (0, "o0: 9\n")
    assert "damaged" in answer.err


def test_an_unknown_cache_is_named(program: Run) -> None:
    answer = program("run", "sq.py", "square", "--x", "3", ALULA_CACHE="sqlit")
    assert answer.code == 2
    assert "unknown cache 'sqlit'\n  Did you mean 'sqlite'?" in answer.err
    assert "Traceback" not in answer.err


def test_a_home_that_is_a_file_is_named(program: Run, folder: Path) -> None:
    for arguments in (("run", "sq.py", "square", "--x", "3"), ("runs", "list"), ("cache", "list")):
        answer = program(*arguments, ALULA_HOME=str(folder / "sq.py"))
        assert answer.code == 2
        assert "error: ALULA_HOME is " in answer.err
        assert "Traceback" not in answer.err
