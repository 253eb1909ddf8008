"""Inputs of an entity: options, their values, files of inputs, and what is wrong with them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Answer, Write

Run = Callable[..., Answer]

SHOW = """
import dataclasses
import datetime
import enum
from typing import Any, Literal, Optional, Union

import alula
from alula import Directory, File, LaunchPlan, task, workflow


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Config:
    rate: float
    layers: list[int]


@task
def number(x: int, learning_rate: float = 0.1) -> str:
    return f"{x} {learning_rate}"


@task
def switch(on: bool, dry_run: bool = False, maybe: Optional[bool] = None) -> str:
    return f"{on} {dry_run} {maybe}"


@task
def negatives(x: bool = True, no_x: int = 0) -> str:
    return f"{x} {no_x}"


@task
def text(value: str) -> int:
    return len(value)


@task
def echo(value: str) -> str:
    return value


@task
def raw(value: bytes) -> int:
    return len(value)


@task
def config(config: Config) -> str:
    return f"{config.rate} {config.layers}"


@task
def many(xs: list[int], table: dict[str, float], anything: dict, pair: tuple[int, str] = (1, "a")) -> str:
    return f"{xs} {table} {anything} {pair}"


@task
def choose(color: Color, mode: Literal["fast", "slow"] = "fast", when: datetime.date = datetime.date(2026, 1, 1)) -> str:
    return f"{color.name} {mode} {when}"


@task
def either(value: Union[int, str]) -> str:
    return type(value).__name__


@task
def clash(name: str, output: str, env: str, help: str, m: str, verbose: str, inputs_file: str = "none") -> str:
    return f"{name} {output} {env} {help} {m} {verbose} {inputs_file}"


@task
def size(file: File) -> int:
    with open(file) as opened:
        return len(opened.read())


@task
def entries(folder: Directory) -> int:
    import os

    return len(os.listdir(folder))


@task
def nothing() -> None:
    pass


@task
def point(x: int, y: int) -> tuple[int, str]:
    return x, str(y)


@workflow
def wf(x: int, learning_rate: float = 0.5) -> str:
    return number(x=x, learning_rate=learning_rate)


plan = LaunchPlan.get_or_create(wf, "my_plan", default_inputs={"x": 7}, fixed_inputs={"learning_rate": 0.25})
"""


@pytest.fixture(autouse=True)
def show(write: Write) -> Path:
    return write("show.py", SHOW)


def out(answer: Answer) -> str:
    assert answer.code == 0, answer.err
    return answer.out.removeprefix("o0: ").rstrip("\n")


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (("number", "--x", "3"), "3 0.1"),
        (("number", "--x=-3", "--learning-rate", "-1e-3"), "-3 -0.001"),
        (("number", "--x", "-3", "--learning_rate", "2"), "-3 2.0"),
        (("number", "--x", "1", "--learning-rate", "nan"), "1 nan"),
        (("number", "--x", "1", "--learning-rate", "inf"), "1 inf"),
        (("switch", "--on"), "True False None"),
        (("switch", "--no-on", "--dry-run"), "False True None"),
        (("switch", "--on", "false", "--dry_run", "true"), "False True None"),
        (("switch", "--on=no", "--no-dry_run", "--maybe"), "False False True"),
        (("switch", "--on", "--no-maybe"), "True False False"),
        (("switch", "--no_on", "--no_dry_run"), "False False None"),
        (("switch", "--on", "--maybe", "null"), "True False None"),
        (("negatives", "--no-x", "5"), "True 5"),
        (("echo", "--value", ""), ""),
        (("echo", "--value", "--no-value"), "--no-value"),
        (("echo", "--value=a=b"), "a=b"),
        (("echo", "--value", "@@handle"), "@handle"),
        (("config", "--config", '{"rate": 1, "layers": [2, 3]}'), "1.0 [2, 3]"),
        (("many", "--xs", "[]", "--table", "{}", "--anything", '{"a": [null]}'), "[] {} {'a': [None]} (1, 'a')"),
        (
            ("many", "--xs", "[1]", "--table", '{"a": 1}', "--anything", "{}", "--pair", '[2, "b"]'),
            "[1] {'a': 1.0} {} (2, 'b')",
        ),
        (("choose", "--color", "blue", "--mode", "slow", "--when", "2026-02-03"), "BLUE slow 2026-02-03"),
        (("either", "--value", "5"), "int"),
        (("either", "--value", "five"), "str"),
        (("wf", "--x", "1"), "1 0.5"),
        (("plan",), "7 0.25"),
        (("my_plan", "--x", "8"), "8 0.25"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_values(alula: Run, arguments: tuple[str, ...], printed: str) -> None:
    assert out(alula("run", "show.py", *arguments)) == printed


def test_inputs_may_have_the_names_of_options(alula: Run) -> None:
    given = ["--name", "a", "--output", "json", "--env", "c", "--help", "d", "--m", "e", "--verbose", "f"]
    assert out(alula("run", "--name", "my-run", "show.py", "clash", *given, "--inputs-file", "g")) == "a json c d e f g"
    assert "my-run" in alula("runs", "list").out


def test_several_outputs_have_a_line_each(alula: Run) -> None:
    assert alula("run", "show.py", "point", "--x", "1", "--y", "2").out == "o0: 1\no1: 2\n"


def test_no_outputs_print_nothing(alula: Run) -> None:
    answer = alula("run", "show.py", "nothing")
    assert (answer.code, answer.out) == (0, "")


def test_files_and_folders_are_paths(alula: Run, write: Write) -> None:
    write("data/notes.txt", "twelve chars")
    assert out(alula("run", "show.py", "size", "--file", "data/notes.txt")) == "12"
    assert out(alula("run", "show.py", "size", "--file", "@data/notes.txt")) == "12"
    assert out(alula("run", "show.py", "entries", "--folder", "data")) == "1"


def test_a_file_may_be_a_uri(alula: Run, write: Write) -> None:
    path = write("notes.txt", "abc")
    assert out(alula("run", "show.py", "size", "--file", path.as_uri())) == "3"


# --- values from files -----------------------------------------------------------------------------------------------


def test_text_is_taken_from_a_file_as_it_is(alula: Run, write: Write) -> None:
    write("notes.json", '{"a": 1}\n')
    assert out(alula("run", "show.py", "text", "--value", "@notes.json")) == "9"


def test_bytes_are_taken_from_a_file(alula: Run, folder: Path) -> None:
    (folder / "raw.bin").write_bytes(b"\xff\x00\xfe")
    assert out(alula("run", "show.py", "raw", "--value", "@raw.bin")) == "3"


@pytest.mark.parametrize(
    ("name", "content"),
    [("c.json", '{"rate": 2, "layers": [1]}'), ("c.yaml", "rate: 2\nlayers: [1]\n"), ("c.yml", "rate: 2\nlayers:\n- 1\n"),
     ("c", ' {"rate": 2, "layers": [1]} \n')],
)  # fmt: skip
def test_structures_are_taken_from_json_and_yaml_files(alula: Run, write: Write, name: str, content: str) -> None:
    write(name, content)
    assert out(alula("run", "show.py", "config", "--config", f"@{name}")) == "2.0 [1]"


def test_numbers_are_taken_from_files(alula: Run, write: Write) -> None:
    write("n.txt", "42\n")
    assert out(alula("run", "show.py", "number", "--x", "@n.txt")) == "42 0.1"


def test_values_are_taken_from_stdin(program: Run) -> None:
    assert out(program("run", "show.py", "text", "--value", "@-", stdin="four")) == "4"


def test_megabytes_of_text(alula: Run, folder: Path) -> None:
    (folder / "large.txt").write_text("x" * 20_000_000)
    shown = alula("run", "show.py", "echo", "--value", "@large.txt").out
    assert len(shown) < 1_200
    assert shown.endswith("... (20,000,000 characters)\n")
    assert sum(path.stat().st_size for path in Path(os.environ["ALULA_HOME"]).glob("runs.db*")) < 1_000_000


# --- files of inputs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"), [("in.json", '{"x": 4, "learning_rate": 2}'), ("in.yaml", "x: 4\nlearning_rate: 2\n")]
)
def test_inputs_are_taken_from_a_file(alula: Run, write: Write, name: str, content: str) -> None:
    write(name, content)
    assert out(alula("run", "--inputs-file", name, "show.py", "wf")) == "4 2.0"
    assert out(alula("run", "--inputs-file", name, "show.py", "wf", "--x", "5")) == "5 2.0"


def test_inputs_are_taken_from_stdin(program: Run) -> None:
    assert out(program("run", "--inputs-file", "-", "show.py", "wf", stdin="x: 3")) == "3 0.5"
    assert out(program("run", "--inputs-file", "-", "show.py", "wf", stdin='{"x": 3}')) == "3 0.5"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("in.json", "[1]", "in.json: expected a map of input names to values, found list"),
        ("in.json", '{"x": ', "in.json is not valid JSON"),
        ("in.yaml", "x: [", "in.yaml is neither valid JSON nor YAML"),
        ("in.yaml", "", "in.yaml: expected a map of input names to values, found NoneType"),
        ("in.yaml", "x: 1\non: 2\n", "in.yaml: expected the name of an input, found True\n  Put the name in quotes"),
        ("in.json", '{"y": 1}', "in.json: unknown input 'y'"),
        ("in.json", '{"x": "five"}', "in.json: x: expected int, found str 'five'"),
        ("in.json", '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ("in.json", '{"x": 1e400}', "in.json: x: "),
    ],
    ids=["list", "cut", "yaml", "empty", "yaml keys", "unknown", "type", "deep", "infinite"],
)
def test_a_bad_file_of_inputs_is_named(alula: Run, write: Write, name: str, content: str, expected: str) -> None:
    write(name, content)
    answer = alula("run", "--inputs-file", name, "show.py", "number")
    assert answer.code == 2
    assert expected in answer.err
    assert "Traceback" not in answer.err


def test_a_missing_file_of_inputs_is_named(alula: Run) -> None:
    answer = alula("run", "--inputs-file", "nope.json", "show.py", "number")
    assert (answer.code, answer.err.splitlines()[0]) == (
        2,
        "error: cannot read the file 'nope.json': No such file or directory",
    )


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("number",), "task show.number needs the input 'x'"),
        (("point",), "task show.point needs the inputs 'x', 'y'"),
        (("number", "--x", "five"), "--x: expected int, found str 'five'"),
        (("number", "--x", "1.5"), "--x: expected int"),
        (("number", "--x", ""), "--x: expected int"),
        (("number", "--x", str(2**63)), "--x: expected int between -2**63 and 2**63 - 1"),
        (("number", "--x", str(-(2**63) - 1)), "--x: expected int between -2**63 and 2**63 - 1"),
        (("number", "--x", "1", "--x", "2"), "--x: given more than once\n  A list is written as JSON"),
        (("number", "--x"), "'--x' requires an argument"),
        (("number", "--y", "1"), "task show.number has no option --y"),
        (("number", "--learning-rat", "1"), "Did you mean --learning-rate?"),
        (("nothing", "--x", "1"), "task show.nothing has no option --x\n  It has no inputs."),
        (
            ("number", "--x", "1", "extra"),
            "unexpected argument 'extra' after number\n  Inputs are given as --NAME VALUE.",
        ),
        (("switch", "--on", "perhaps"), "--on: expected bool, found str 'perhaps'"),
        (("switch", "--on=perhaps"), "--on: expected bool, found str 'perhaps'"),
        (("config", "--config", "{"), "--config: expected Config"),
        (("config", "--config", '{"rate": 1}'), "--config: "),
        (("config", "--config", '{"rate": 1, "layers": [1, "x"]}'), "--config.layers[1]: expected int, found str 'x'"),
        (("many", "--xs", "[" * 100_000), "--xs: "),
        (("many", "--xs", "1,2", "--table", "{}", "--anything", "{}"), "Give it as JSON"),
        (("choose", "--color", "green"), "--color: expected Color, found str 'green'"),
        (("choose", "--color", "red", "--when", "soon"), "--when: expected date"),
        (
            ("echo", "--value", "@nope.txt"),
            "--value: cannot read the file 'nope.txt': No such file or directory\n  A text that",
        ),
        (("echo", "--value", "@."), "--value: cannot read the file '.': Is a directory"),
        (("size", "--file", "nope.txt"), "--file: there is no file nope.txt"),
        (("size", "--file", "."), "--file: there is no file . (a directory is there)"),
        (("size", "--file", "nope://bucket/x"), "--file: no storage backend serves the scheme 'nope'"),
        (("size", "--file", "file:///nope/x"), "--file: there is nothing at file:///nope/x"),
        (("my_plan", "--learning-rate", "1"), "has no option --learning-rate"),
        (("number", "--x", "1", "--no-cache"), "Write it before the file: alula run --no-cache ... show.py number"),
        (
            ("--x", "1"),
            "--x stands where an entity is expected\n  Name the entity first: alula run show.py ENTITY --x ...",
        ),
        (("--output", "json", "number"), "Options of the run come before the file: alula run --output ... show.py"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)
def test_bad_inputs_have_one_message(alula: Run, arguments: tuple[str, ...], expected: str) -> None:
    answer = alula("run", "show.py", *arguments)
    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert expected in answer.err
    assert len(answer.err) < 1_500
    assert "Traceback" not in answer.err
    assert answer.out == ""
    assert alula("runs", "list").out == ""


def test_a_file_that_is_not_text_is_refused_as_text(alula: Run, folder: Path) -> None:
    (folder / "raw.bin").write_bytes(b"a\xff")
    answer = alula("run", "show.py", "echo", "--value", "@raw.bin")
    assert (answer.code, answer.err) == (2, "error: --value: raw.bin is not UTF-8 text (byte 1 is 0xff)\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--label", "x"), "--label: expected KEY=VALUE, found 'x'"),
        (("--env", "=x"), "--env: expected KEY=VALUE, found '=x'"),
        (("--answer", "x"), "--answer: expected KEY=VALUE, found 'x'"),
        (("--max-parallelism", "0"), "--max-parallelism"),
        (("--output", "xml"), "--output"),
        (("--name", "Not A Name"), "'Not A Name' cannot be the name of a run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_options_of_the_run(alula: Run, arguments: tuple[str, ...], expected: str) -> None:
    answer = alula("run", *arguments, "show.py", "number", "--x", "1")
    assert answer.code == 2
    assert expected in answer.err
    assert "Traceback" not in answer.err


# --- help ------------------------------------------------------------------------------------------------------------


def test_help_shows_types_defaults_and_docs(alula: Run, write: Write) -> None:
    write(
        "doc.py",
        '''
import dataclasses
import enum
from typing import Optional

from alula import LaunchPlan, task, workflow


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@task
def train(epochs: int, rate: float = 0.5, color: Color = Color.RED, shuffle: bool = True, note: Optional[str] = None) -> float:
    """Train the model.

    It takes a while.

    Args:
        epochs: How often the data is seen.
        rate: How fast it learns.
    """
    return 0.0


@workflow
def wf(epochs: int) -> float:
    """Run all of it.

    Parameters
    ----------
    epochs : int
        Rounds.
    """
    return train(epochs=epochs)


daily = LaunchPlan.get_or_create(wf, "daily", default_inputs={"epochs": 3})
''',
    )
    shown = " ".join(alula("run", "doc.py", "train", "--help").out.split())
    for part in (
        "Usage: alula run doc.py train [OPTIONS]",
        "Train the model. It takes a while.",
        "--epochs INT How often the data is seen. [required]",
        "--rate FLOAT How fast it learns. [default: 0.5]",
        "--color red|blue [default: red]",
        "--shuffle / --no-shuffle [default: true]",
        "--note str | None [default: null]",
    ):
        assert part in shown
    assert "Args" not in shown
    assert "--epochs INT Rounds. [required]" in " ".join(alula("run", "doc.py", "wf", "--help").out.split())
    assert "--epochs INT Rounds. [default: 3]" in " ".join(alula("run", "doc.py", "daily", "--help").out.split())


# --- what arrives in the run -----------------------------------------------------------------------------------------


def test_options_of_the_run_arrive(alula: Run, write: Write) -> None:
    write(
        "opts.py",
        """
import os

from alula import task


@task
def color() -> str:
    return os.environ["COLOR"]
""",
    )
    answer = alula(
        *("run", "--name", "mine", "--label", "team=red", "--label", "x=", "--env", "COLOR=a=b"), "opts.py", "color"
    )
    assert answer.out == "o0: a=b\n"
    shown = json.loads(alula("runs", "show", "mine", "--output", "json").out)
    assert shown["labels"] == {"team": "red", "x": ""}
