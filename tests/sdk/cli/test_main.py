"""The command as a whole: help, version, unknown commands, start-up."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alula import __version__
from alula._cli.commands import COMMANDS

from .conftest import PROGRAM, Answer, Write

Run = Callable[..., Answer]


def test_help_lists_every_command(alula: Run) -> None:
    answer = alula("--help")
    assert answer.code == 0
    for name, (_home, line) in COMMANDS.items():
        assert f"{name} " in answer.out
        assert line in answer.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_begins_as_the_list_says(alula: Run, name: str) -> None:
    answer = alula(name, "--help")
    assert answer.code == 0
    assert f"Usage: alula {name}" in answer.out
    first_words = COMMANDS[name][1].split()[:2]
    assert " ".join(first_words).rstrip(",.") in " ".join(answer.out.split())


def test_the_version_is_that_of_the_distribution(alula: Run) -> None:
    assert alula("--version") == Answer(0, f"alula {__version__}\n", "")


def test_nothing_at_all_shows_the_help_and_is_wrong_use(alula: Run) -> None:
    answer = alula()
    assert answer.code == 2
    assert "Commands:" in answer.err
    assert answer.out == ""


def test_an_unknown_command_lists_near_matches(alula: Run) -> None:
    answer = alula("rum", "hello.py")
    assert answer.code == 2
    assert answer.err == "error: unknown command 'rum'\n  Did you mean 'run' or 'runs'?\n"


def test_a_file_in_the_place_of_a_command_leads_to_run(alula: Run) -> None:
    answer = alula("hello.py")
    assert answer.code == 2
    assert "alula run hello.py" in answer.err


def test_an_unknown_option_is_one_line_and_the_way_to_the_help(alula: Run) -> None:
    answer = alula("run", "--frob", "hello.py")
    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert "--frob" in answer.err
    assert answer.err.endswith("See: alula run --help\n")


def loaded_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


HEAVY = {"asyncio", "rich", "yaml", "docstring_parser", "pandas", "numpy", "pyarrow", "pydantic", "fsspec", "sqlite3"}


def test_help_loads_no_command_and_nothing_heavy() -> None:
    loaded = loaded_after("from alula._cli import main\nmain(['--help'])")
    assert not loaded & HEAVY
    assert "alula_kernel" not in loaded or "alula_kernel.engine" not in loaded
    assert "alula._cli.run" not in loaded


@pytest.mark.usefixtures("hello")
def test_running_loads_nothing_heavy_but_the_database_of_runs() -> None:
    loaded = loaded_after("from alula._cli import main\nassert main(['run', 'hello.py', 'hello']) == 0")
    assert loaded & HEAVY == {"sqlite3"}
    assert {"tempfile", "json", "alula._cli.live", "alula._cli.runs"} & loaded == set()


UNUSED_BY_HELLO = {
    *("dataclasses", "hashlib", "shutil", "random", "secrets", "subprocess", "importlib.metadata", "entrypoints"),
    *("alula_kernel.cachekeys", "alula_kernel.storage", "alula_kernel.builtin.sqlite_cache"),
    *(f"alula_kernel.builtin.types.{family}" for family in ("times", "sequences", "mappings", "enums", "unions")),
    *(f"alula_kernel.builtin.types.{family}" for family in ("record_classes", "models", "arrays")),
    *(
        f"alula.{part}"
        for part in ("_resources", "_images", "_report", "_launch_plan", "_map", "_conditional", "_shell")
    ),
}
"""What costs milliseconds to import or to define, and what a run of plain tasks with texts has no use for."""


@pytest.mark.usefixtures("hello")
def test_running_loads_nothing_that_the_program_does_not_use() -> None:
    run = "from alula._cli import main\nassert main(['run', 'hello.py', 'hello']) == 0"
    loaded_after(run)  # the first run reads the metadata of what is installed, and keeps it
    assert (loaded_after(run) - loaded_after("import click, msgspec")) & UNUSED_BY_HELLO == set()


@pytest.mark.usefixtures("hello")
def test_a_reader_that_stops_reading_is_no_error(folder: Path) -> None:
    script = f"{' '.join(PROGRAM)} run hello.py | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, cwd=folder)
    assert done.stderr == ""


@pytest.mark.usefixtures("hello")
def test_python_dash_m_alula_is_the_same(program: Run) -> None:
    answer = program("run", "hello.py", "hello", "--name", "Ada")
    assert answer.code == 0
    assert answer.out == "o0: Hello, Ada!\n"


def test_the_users_code_has_the_garbage_collector(program: Run, write: Write) -> None:
    write(
        "collects.py",
        """
import gc
import weakref

from alula import task, workflow

AT_IMPORT = gc.isenabled()


class Cyclic:
    def __init__(self) -> None:
        self.itself = self


KEPT = Cyclic()
weakref.finalize(KEPT, print, "finalized")


@task
def collects() -> list[bool]:
    made = weakref.ref(Cyclic())
    gc.collect()
    return [AT_IMPORT, gc.isenabled(), made() is None]
""",
    )
    answer = program("run", "collects.py", "collects")
    assert answer.out == "o0: [True, True, True]\nfinalized\n"


@pytest.mark.usefixtures("hello")
def test_a_call_of_main_leaves_the_garbage_collector_alone(alula: Run) -> None:
    frozen = gc.get_freeze_count()
    assert alula("run", "hello.py", "hello").code == 0
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen
