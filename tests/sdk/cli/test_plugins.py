"""``alula plugins``, with plugins that work and some that do not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Answer, Write

Run = Callable[..., Answer]

GOOD = """
from alula_kernel.contracts import TaskType
from alula_kernel.hookspecs import hookimpl


@hookimpl
def alula_task_types():
    return [TaskType("demo")]


@hookimpl
def alula_action_changed(event):
    pass
"""


@pytest.fixture
def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Install a distribution with one plugin, for programs that are started from now on."""
    site = folder / "site"
    site.mkdir()
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("PYTHONPATH", path)

    def install(name: str, source: str) -> None:
        module = name.replace("-", "_")
        (site / f"{module}.py").write_text(source)
        metadata = site / f"{module}-1.2.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (metadata / "entry_points.txt").write_text(f"[alula]\n{name.removeprefix('alula-')} = {module}\n")

    return install


def test_the_built_in_plugin_is_listed_with_what_it_registers(alula: Run) -> None:
    shown = alula("plugins", "list").out
    assert shown.splitlines()[0].split() == ["PLUGIN", "DISTRIBUTION", "STATE", "IMPORT"]
    assert "\nalula: caches\n  sqlite, memory\n" in shown
    found = json.loads(alula("plugins", "list", "--output", "json").out)
    assert found[0]["name"] == "alula"
    assert "inline" in found[0]["registers"]["executors"]
    assert found[0]["error"] == ""


def test_an_installed_plugin_is_listed_with_version_and_import_time(
    program: Run, install: Callable[[str, str], None]
) -> None:
    install("alula-demo", GOOD)
    shown = program("plugins", "list").out
    line = next(line for line in shown.splitlines() if line.startswith("demo "))
    assert line.split()[1:4] == ["alula-demo", "1.2", "ok"]
    assert line.endswith(" ms")
    assert "demo: task types\n  demo\n" in shown
    assert "demo: listens to changes of actions\n" in shown
    doctor = program("plugins", "doctor")
    assert doctor.code == 0
    assert "demo (alula-demo 1.2): ok\n" in doctor.out


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("raise RuntimeError('broken inside')", "RuntimeError"),
        ("import nosuchlib", "nosuchlib"),
        ("from alula_kernel.hookspecs import hookimpl\n@hookimpl\ndef alula_tsk_types(): ...", "alula_task_types"),
        (
            "from alula_kernel.hookspecs import hookimpl\n@hookimpl\ndef alula_caches():\n    return ['x']",
            "alula_caches",
        ),
    ],
    ids=["raises", "missing module", "unknown hook", "wrong object"],
)
@pytest.mark.usefixtures("hello")
def test_a_broken_plugin_is_named_and_stops_nothing(
    program: Run, install: Callable[[str, str], None], source: str, expected: str
) -> None:
    install("alula-broken", source)
    install("alula-demo", GOOD)
    doctor = program("plugins", "doctor")
    assert doctor.code == 1
    assert doctor.out.startswith("broken (alula-broken 1.2): ")
    assert expected in doctor.out.partition("demo (")[0]
    assert "demo (alula-demo 1.2): ok\n" in doctor.out
    assert doctor.err == ""
    shown = program("plugins", "list").out
    assert "\nbroken (alula-broken 1.2): " in shown
    answer = program("run", "hello.py", "hello")
    assert (answer.code, answer.out) == (0, "o0: Hello, world!\n")


def test_duplicates_are_named(program: Run, install: Callable[[str, str], None]) -> None:
    install("alula-demo", GOOD)
    install("alula-second", GOOD)
    doctor = program("plugins", "doctor")
    assert doctor.code == 1
    assert "alula-second 1.2" in doctor.out
    assert "alula-demo 1.2" in doctor.out


def test_a_plugin_that_is_switched_off_is_shown_as_such(program: Run, install: Callable[[str, str], None]) -> None:
    install("alula-broken", "raise RuntimeError")
    doctor = program("plugins", "doctor", ALULA_PLUGINS_DISABLED="broken")
    assert doctor.code == 0
    assert "broken (alula-broken 1.2): switched off\n" in doctor.out


def test_a_new_plugin_is_begun_where_it_is_wanted(alula: Run, folder: Path) -> None:
    answer = alula("plugins", "new", "alula-demo", "--directory", "made")
    assert answer.code == 0
    assert answer.out.startswith("made made/alula-demo\n\nnext:\n  pip install -e 'made/alula-demo[test]'\n")
    assert (folder / "made/alula-demo/pyproject.toml").is_file()
    again = alula("plugins", "new", "alula-demo", "--directory", "made")
    assert again.code == 2
    assert "made/alula-demo exists already" in again.err
    assert alula("plugins", "new", "not/a name").code == 2


@pytest.mark.parametrize("template", ["workflow", "plain"])
def test_a_new_project_runs_and_its_tests_pass(alula: Run, program: Run, folder: Path, template: str) -> None:
    answer = alula("init", "My-Words", "--template", template)
    assert answer.code == 0
    assert "made My-Words\n" in answer.out
    project = folder / "My-Words"
    for line in answer.out.partition("next:\n")[2].splitlines():
        command = line.split()
        if command[0] == "cd":
            assert folder / command[1] == project
            continue
        module = {"alula": ["-m", "alula"], "python": []}[command[0]]
        done = subprocess.run(
            [sys.executable, *module, *command[1:]], cwd=project, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        if command[0] == "alula":
            assert done.stdout == "o0: ['feather', 'slowly', 'wing']\n" or template == "plain"
    for command in ((project / "README.md").read_text().partition("```sh\n")[2].partition("```")[0]).splitlines():
        words = command.partition("#")[0].split()
        if words[0] == "alula":
            done = subprocess.run(
                [sys.executable, "-m", *words], cwd=project, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr


def test_a_project_is_not_made_over_another(alula: Run, write: Write) -> None:
    write("words/notes.txt", "mine")
    answer = alula("init", "words")
    assert answer.code == 2
    assert "words exists already" in answer.err
    assert alula("init", "words2", "--template", "nope").code == 2
    assert alula("init", "json").code == 2


# --- commands of plugins ---------------------------------------------------------------------------------------------

COMMANDS = """
import click
from alula_kernel.contracts import Command
from alula_kernel.hookspecs import hookimpl


@click.command()
@click.option("--loud", is_flag=True)
def greet(loud):
    "Greet whoever is there."
    click.echo("HELLO" if loud else "hello")
    return 0


@hookimpl
def alula_commands():
    return [Command("greet", f"{__name__}:greet", "Greet people."), Command("run", f"{__name__}:greet", "Not this one.")]
"""


def test_a_plugin_adds_a_command(program: Run, install: Callable[[str, str], None]) -> None:
    install("alula-demo", COMMANDS)
    assert program("greet", "--loud") == Answer(0, "HELLO\n", "")
    assert "Commands of plugins:\n  greet  Greet people.\n" in program("--help").out
    assert "Usage: alula greet" in program("greet", "--help").out


def test_a_plugin_does_not_replace_a_command(program: Run, install: Callable[[str, str], None]) -> None:
    install("alula-demo", COMMANDS)
    assert "Run a task, workflow or launch plan" in program("run", "--help").out


def test_near_matches_of_an_unknown_command_include_those_of_plugins(
    program: Run, install: Callable[[str, str], None]
) -> None:
    install("alula-demo", COMMANDS)
    assert "Did you mean 'greet' or" in program("gret").err
