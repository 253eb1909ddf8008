"""``alula flyte check``: which names of Flyte's a code base uses, and what becomes of each."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from alula_flyte.check import Report, check
from alula_flyte.cli import group
from alula_flyte.names import row_of, tables
from alula_flyte.scan import unbound_names, uses_of
from alula_kernel.errors import UsageError

Write = Callable[[str, str], Path]

_MISSING = "flytekit.ContainerTask"
_UNKNOWN = "flytekit.no_such_name"


def _names(source: str) -> list[tuple[str, int]]:
    return [(use.found.name, use.line) for use in uses_of(source.encode())]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import flytekit\nflytekit.task", [("flytekit.task", 2)]),
        ("import flytekit as fk\n@fk.task\ndef f(): ...", [("flytekit.task", 2)]),
        ("from flytekit import task as t\nt(t)", [("flytekit.task", 1), ("flytekit.task", 2), ("flytekit.task", 2)]),
        ("from flytekit.types import file\nfile.FlyteFile.x", [("flytekit.types.file.FlyteFile", 2)]),
        ("import flytekit.types.file\nflytekit.types.file.FlyteFile", [("flytekit.types.file.FlyteFile", 2)]),
        ("import flytekit.types.file as f\nf.FlyteFile()", [("flytekit.types.file.FlyteFile", 2)]),
        ("import flyte\nflyte.io.File.from_local('x')", [("flyte.io.File", 2)]),
        ("from flytekit import *\n@task\ndef f(): print()", [("flytekit.task", 2)]),
        ("def f():\n    from flyte import run\n    return run", [("flyte.run", 2), ("flyte.run", 3)]),
        ("if TYPE_CHECKING:\n    import flyte\ndef f(x: 'flyte.io.File'): ...", [("flyte.io.File", 3)]),
        ("import flyte\nx: list['flyte.io.File']", [("flyte.io.File", 2)]),
        ("import flyte\nx: Literal['flyte.io.File']", []),
        ("import flyte\nx: Annotated[int, 'flyte.io.File']", []),
        ("import flyte\nx = 'flyte.io.File'", []),
        ("import flyte\nf'{flyte.ctx()}'", [("flyte.ctx", 2)]),
        ("from .flytekit import task\nfrom flytekits import x\nimport a.flytekit", []),
        ("from flytekit import (\n    task,\n    workflow,\n)", [("flytekit.task", 2), ("flytekit.workflow", 3)]),
        ("import flytekit.no.such", [("flytekit.no.such", 1)]),
        ("from flytekit.no.such import A", [("flytekit.no.such.A", 1)]),
        ("import flytekit\nflytekit.__name__", []),
    ],
)
def test_names_are_found(source: str, expected: list[tuple[str, int]]) -> None:
    assert _names(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "import flyte\ndef f(flyte): return flyte.run",
        "import flyte\nlambda flyte: flyte.run",
        "import flyte\ndef f():\n    flyte = g()\n    return flyte.run",
        "import flyte\n[flyte.run for flyte in x]",
        "import flyte\nclass A:\n    def run(self, flyte): return flyte.run",
        "def f():\n    import flyte\ndef g(): return flyte.run",
        "class A:\n    import flyte\n    def f(self): return flyte.run",
    ],
)
def test_other_variables_of_the_same_name_do_not_count(source: str) -> None:
    assert _names(source) == []


def test_a_name_that_may_be_of_flyte_counts() -> None:
    source = "try:\n    import flyte\nexcept ImportError:\n    flyte = None\nflyte.run"
    assert _names(source) == [("flyte.run", 5)]


def test_a_global_import_counts_everywhere() -> None:
    source = "def load():\n    global flyte\n    import flyte\ndef f(): return flyte.run"
    assert _names(source) == [("flyte.run", 4)]


def test_unbound_names() -> None:
    assert unbound_names(b"import a\ndef f(x, *y): return a, x, y, z, print") == {"z"}


def test_the_samples_are_what_they_are_meant_to_be() -> None:
    missing = row_of("flytekit", "ContainerTask")
    assert missing is not None
    assert missing.status == "missing"
    assert "no_such_name" not in tables()["flytekit"]


@pytest.fixture
def code_base(write: Write, tmp_path: Path) -> Path:
    """A folder with a little of everything."""
    write("code/a.py", "from flytekit import task, kwtypes, ContainerTask\n\nContainerTask()\n")
    write("code/sub/b.py", "import flytekit\n\nflytekit.no_such_name\nflytekit.task\n")
    write("code/none.py", "print('nothing of it')\n")
    write("code/broken.py", "import flytekit\ndef (\n")
    write("code/.venv/lib/c.py", "from flytekit import a\n")
    write("code/node_modules/c.py", "from flytekit import b\n")
    write("code/env/pyvenv.cfg", "")
    write("code/env/c.py", "from flytekit import c\n")
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "source": ["from flytekit import d"]},
        {
            "cell_type": "code",
            "source": ["%pip install flytekit\n", "from flytekit import task\n", "if True:\n", "  !ls\n"],
        },
        {"cell_type": "code", "source": "%%bash\nflytekit import"},
    ]
    (tmp_path / "code" / "n.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4}))
    (tmp_path / "code" / "latin.py").write_bytes(b"# coding: latin-1\nimport flyte\nflyte.run('\xe9')\n")
    (tmp_path / "code" / "wrong.py").write_bytes(b"import flyte\n'\xe9'\n")
    return tmp_path / "code"


@pytest.fixture
def report(code_base: Path) -> Report:
    return check(code_base)


def test_a_folder_is_reported(report: Report, code_base: Path) -> None:
    used = {one.name: one for one in report.names}
    assert [one.name for one in report.names][:2] == [_MISSING, _UNKNOWN]
    assert [str(place) for place in used[_MISSING].uses] == [f"{code_base}/a.py:1", f"{code_base}/a.py:3"]
    assert used[_UNKNOWN].status == "unknown"
    assert [str(place) for place in used["flytekit.task"].uses] == [
        f"{code_base}/a.py:1",
        f"{code_base}/n.ipynb: cell 2, line 2",
        f"{code_base}/sub/b.py:4",
    ]
    assert "flyte.run" in used
    assert (report.counts["missing"], report.counts["unknown"]) == (1, 1)
    assert report.files_with_flyte == 4
    assert not report.is_complete


def test_environments_and_hidden_folders_are_left_out(report: Report) -> None:
    assert not {one.name for one in report.names} & {"flytekit.a", "flytekit.b", "flytekit.c", "flytekit.d"}


def test_files_that_cannot_be_read_are_named(report: Report, code_base: Path) -> None:
    told = {file.path: file.problem for file in report.unreadable}
    assert set(told) == {f"{code_base}/broken.py", f"{code_base}/wrong.py"}
    assert told[f"{code_base}/broken.py"].startswith("line 2: ")


def test_a_notebook_that_is_none_is_named(write: Write) -> None:
    path = write("a.ipynb", "flytekit")
    (file,) = check(path).unreadable
    assert file.path == str(path)
    assert "no notebook" in file.problem


def test_what_git_ignores_is_left_out(write: Write, tmp_path: Path) -> None:
    write(".gitignore", "made/\n")
    write("made/a.py", "import flyte\nflyte.run\n")
    write("b.py", "import flyte\nflyte.run\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert check(tmp_path).files_with_flyte == 1
    assert check(tmp_path / "made").files_with_flyte == 1


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file or folder"):
        check(tmp_path / "none")


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(group, arguments, standalone_mode=False)


def test_the_command_prints_what_is_missing_first(code_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(code_base)
    done = _run("check", ".")
    assert done.return_value == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("4 of ")
    assert lines[1].endswith("1 unknown, 1 missing")
    assert [line for line in lines if line and not line.startswith(" ")][2:] == [
        "Missing",
        "Unknown",
        "Not readable",
        "Adapted",
        "Same",
    ]
    at = lines.index("Missing")
    assert lines[at + 1].startswith(f"  {_MISSING}: ")
    assert lines[at + 3 : at + 5] == ["      a.py:1", "      a.py:3"]
    assert "  flytekit.kwtypes -> alula.kwtypes (1)" in lines


def test_the_command_prints_json(code_base: Path) -> None:
    done = _run("check", str(code_base), "--output", "json")
    data = json.loads(done.stdout)
    assert data["counts"]["missing"] == 1
    assert data["names"][0]["name"] == _MISSING
    assert data["names"][0]["uses"][0] == {"path": f"{code_base}/a.py", "line": 1}
    assert len(data["unreadable"]) == 2


def test_nothing_missing_is_exit_code_0(write: Write) -> None:
    assert _run("check", str(write("a.py", "from flytekit import task\n"))).return_value == 0
    assert _run("check", str(write("b.py", "print()\n"))).return_value == 0


def test_nothing_is_imported(write: Write) -> None:
    path = write("a.py", "import flytekit\nimport no_such_module\nraise SystemExit(3)\n")
    assert check(path).is_complete
