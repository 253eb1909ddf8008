"""Completion: commands, options, files, the entities of a file and their inputs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

import pytest

from alula._cli import COMPLETION_VARIABLE

from .conftest import Answer, Write

Run = Callable[..., Answer]

SCRIPT = '''
import enum

from alula import task, workflow

print("loading")


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@task
def train(epochs: int, learning_rate: float = 0.1, fast: bool = False, color: Color = Color.RED) -> int:
    """Train it."""
    return epochs


@task
def test(x: int) -> int:
    return x


@workflow
def broken(x: int) -> str:
    return train(epochs=x)
'''


@pytest.fixture(autouse=True)
def script(write: Write) -> None:
    write("jobs.py", SCRIPT)


@pytest.fixture
def complete(program: Run) -> Callable[[str], list[str]]:
    """Complete the last word of a line as bash would ask for it."""

    def complete(line: str) -> list[str]:
        words = line.split(" ")
        answer = program(
            **{COMPLETION_VARIABLE: "bash_complete", "COMP_WORDS": line.strip(), "COMP_CWORD": str(len(words) - 1)}
        )
        assert answer.err == ""
        return [item.partition(",")[2] for item in answer.out.splitlines()]

    return complete


def test_commands(complete: Callable[[str], list[str]]) -> None:
    assert complete("alula ru") == ["run", "run-script", "runs"]
    assert complete("alula runs ") == ["clear", "delete", "list", "logs", "show"]


def test_options_of_the_run(complete: Callable[[str], list[str]]) -> None:
    assert complete("alula run --cache") == ["--cache-overwrite"]
    assert complete("alula run --output ") == ["text", "json", "python"]


def test_entities_of_a_file(complete: Callable[[str], list[str]]) -> None:
    assert complete("alula run jobs.py ") == ["train", "test", "broken"]
    assert complete("alula run jobs.py t") == ["train", "test"]
    assert complete("alula run -m jobs te") == ["test"]


def test_inputs_of_an_entity(complete: Callable[[str], list[str]]) -> None:
    assert complete("alula run jobs.py train --") == [
        *("--epochs", "--learning-rate", "--learning_rate", "--fast", "--color", "--help")
    ]
    assert complete("alula run jobs.py train --epochs 1 --col") == ["--color"]


def test_values_of_an_input(complete: Callable[[str], list[str]]) -> None:
    assert complete("alula run jobs.py train --color ") == ["red", "blue"]
    assert complete("alula run jobs.py train --fast ") == ["true", "false"]


def test_what_cannot_be_loaded_has_no_completions(complete: Callable[[str], list[str]], write: Write) -> None:
    write("bad.py", "def f(:\n")
    assert complete("alula run bad.py ") == []
    assert complete("alula run nope.py x") == []
    assert complete("alula run jobs.py broken --") == []


def test_files(program: Run) -> None:
    variables = {COMPLETION_VARIABLE: "bash_complete", "COMP_WORDS": "alula run jo", "COMP_CWORD": "2"}
    assert program(**variables).out == "file,jo\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell(alula: Run, shell: str) -> None:
    answer = alula("completion", shell)
    assert answer.code == 0
    assert f"{COMPLETION_VARIABLE}={shell}_complete" in answer.out


def test_bash_takes_its_script(program: Run) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [bash, "-n"], input=program("completion", "bash").out, text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_shell_is_refused(alula: Run) -> None:
    assert alula("completion", "csh").code == 2
