"""What notebooks take and give: every type, tagged cells and none, several outputs, mistakes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import alula
from alula_kernel.errors import CompileError, UnknownNameError, UsageError
from alula_papermill import NotebookFailedError, NotebookTask, load_input, record_outputs

WriteNotebook = Callable[..., str]
RECORD = "from alula_papermill import record_outputs\n"


@dataclasses.dataclass
class Point:
    x: int
    y: float


def test_every_type_arrives_as_the_object_that_it_is(write: WriteNotebook, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inner.txt").write_text("inner")
    values: dict[str, Any] = {
        "text": "quotes \" and ' and\nlines, \\ and \N{SNOWMAN}",
        "number": 2**62,
        "real": float("inf"),
        "flag": True,
        "nothing": None,
        "numbers": [1, 2],
        "nested": {"a": {"b": 1.5}, "c": {}},
        "when": dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.timezone.utc),
        "point": Point(1, 2.5),
        "points": [Point(3, 4.5)],
        "frame": pd.DataFrame({"a": [1, 2]}),
        "file": alula.File(str(tmp_path / "lines.txt")),
        "folder": alula.Directory(str(tmp_path / "folder")),
    }
    types: dict[str, Any] = {
        "text": str,
        "number": int,
        "real": float,
        "flag": bool,
        "nothing": int | None,
        "numbers": list[int],
        "nested": dict[str, dict[str, float]],
        "when": dt.datetime,
        "point": Point,
        "points": list[Point],
        "frame": pd.DataFrame,
        "file": alula.File,
        "folder": alula.Directory,
    }
    path = write(
        "import alula, datetime, math, os, pandas",
        "assert text == 'quotes \" and \\' and\\nlines, \\\\ and \\N{SNOWMAN}', text\n"
        "assert number == 2**62 and type(number) is int\n"
        "assert math.isinf(real) and flag is True and nothing is None\n"
        "assert numbers == [1, 2] and nested == {'a': {'b': 1.5}, 'c': {}}\n"
        "assert when == datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc)\n"
        "assert (point.x, point.y, type(points[0]) is type(point)) == (1, 2.5, True)\n"
        "assert isinstance(frame, pandas.DataFrame) and list(frame['a']) == [1, 2]\n"
        "assert isinstance(file, alula.File) and open(file).read() == 'one\\ntwo\\n'\n"
        "assert isinstance(folder, alula.Directory) and os.listdir(folder) == ['inner.txt']\n",
        RECORD + f"record_outputs(**{{name + '_': globals()[name] for name in {list(values)!r}}})",
    )
    back = NotebookTask("types", path, inputs=types, outputs={f"{name}_": kind for name, kind in types.items()})
    given = dict(zip(values, back(**values), strict=True))
    for name in ("text", "number", "real", "flag", "nothing", "numbers", "nested", "when", "point", "points"):
        assert given[name] == values[name], name
    assert given["frame"].equals(values["frame"])
    assert Path(given["file"]).read_text() == "one\ntwo\n"
    assert (Path(given["folder"]) / "inner.txt").read_text() == "inner"


@pytest.mark.parametrize("tagged", [True, False])
def test_inputs_come_after_the_tagged_cell_or_first(write: WriteNotebook, tagged: bool) -> None:
    first = ("parameters", "n = 1\nname = 'default'") if tagged else "assert n == 5"
    path = write(first, RECORD + "record_outputs(doubled=n * 2, name=name)")
    task = NotebookTask(
        "doubled", path, inputs={"n": int, "name": (str, "given")}, outputs={"doubled": int, "name": str}
    )
    assert task(n=5) == (10, "given")


def test_a_cell_of_inputs_that_papermill_left_is_replaced(write: WriteNotebook) -> None:
    path = write(("parameters", "n = 1"), ("injected-parameters", "n = 2"), RECORD + "record_outputs(n=n)")
    assert NotebookTask("again", path, inputs={"n": int}, outputs={"n": int})(n=3) == 3


def test_a_notebook_of_an_older_minor_format_runs(tmp_path: Path) -> None:
    source = (RECORD + "record_outputs(n=n)").splitlines(keepends=True)
    cell = {"cell_type": "code", "metadata": {}, "source": source, "execution_count": None, "outputs": []}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 2}
    (tmp_path / "old.ipynb").write_text(json.dumps(notebook))
    assert NotebookTask("old", str(tmp_path / "old.ipynb"), inputs={"n": int}, outputs={"n": int})(n=4) == 4


def test_it_is_a_node_of_a_workflow_with_outputs_by_name(write: WriteNotebook) -> None:
    path = write(RECORD + "record_outputs(total=sum(numbers))", RECORD + "record_outputs(count=len(numbers))")
    stats = NotebookTask("stats", path, inputs={"numbers": list[int]}, outputs={"total": int, "count": int})

    @alula.task
    def mean(total: int, count: int) -> float:
        return total / count

    @alula.workflow
    def pipeline(numbers: list[int]) -> float:
        found = stats(numbers=numbers)
        return mean(total=found.total, count=found.count)

    assert pipeline(numbers=[1, 2, 6]) == 3.0


def test_it_belongs_to_an_environment_and_is_called_by_its_tasks(write: WriteNotebook) -> None:
    path = write("import os", RECORD + "record_outputs(out=os.environ['GREETING'] + name)")
    env = alula.TaskEnvironment("notebooks", env_vars={"GREETING": "hello "})
    greet = NotebookTask("greet", path, inputs={"name": str}, outputs={"out": str}, task_environment=env)

    @env.task
    def both(name: str) -> str:
        return greet(name=greet(name=name))

    assert greet in env.tasks
    assert both(name="Ada") == "hello hello Ada"


def test_awaiting_it_in_an_event_loop(write: WriteNotebook) -> None:
    path = write(RECORD + "record_outputs(n=n + 1)")
    env = alula.TaskEnvironment("looped")
    add = NotebookTask("add", path, inputs={"n": int}, outputs={"n": int}, task_environment=env)

    @env.task
    async def twice(n: int) -> int:
        return await add.aio(n=await add.aio(n=n))  # type: ignore[no-any-return]

    assert alula.run(twice, n=1).outputs() == (3,)


def test_cells_find_the_context_and_modules_beside_the_notebook(write: WriteNotebook, tmp_path: Path) -> None:
    (tmp_path / "beside_the_notebook.py").write_text(
        "import alula\n\n@alula.task\ndef square(n: int) -> int:\n    return n * n\n"
    )
    path = write(
        "import alula, beside_the_notebook\ncontext = alula.current_context()",
        "squared = beside_the_notebook.square(n=n)",
        RECORD + "record_outputs(run=alula.current_context().run_name, same=context.run_name, squared=squared)",
    )
    task = NotebookTask("context", path, inputs={"n": int}, outputs={"run": str, "same": str, "squared": int})
    run, same, squared = task(n=3)
    assert run == same != ""
    assert squared == 9


def test_cells_may_await_tasks(write: WriteNotebook, tmp_path: Path) -> None:
    (tmp_path / "awaited_by_cells.py").write_text(
        "import alula\nenv = alula.TaskEnvironment('awaited')\n\n"
        "@env.task\nasync def double(n: int) -> int:\n    return n * 2\n"
    )
    path = write("from awaited_by_cells import double", RECORD + "record_outputs(n=await double(n=n))")
    assert NotebookTask("awaits", path, inputs={"n": int}, outputs={"n": int})(n=4) == 8


# --- mistakes --------------------------------------------------------------------------------------------------------


def test_an_output_that_is_missing_is_named(write: WriteNotebook) -> None:
    task = NotebookTask("missing", write(RECORD + "record_outputs(a=1)"), outputs={"a": int, "b": int})
    with pytest.raises(NotebookFailedError, match=r"recorded no value for the output 'b' of .*; it recorded a"):
        task()


def test_an_output_that_is_unknown_is_named_with_its_cell(write: WriteNotebook) -> None:
    task = NotebookTask("unknown", write("pass", RECORD + "record_outputs(totl=1)"), outputs={"total": int})
    with pytest.raises(NotebookFailedError, match=r"cell 2 of .* failed: UnknownNameError: .*'totl'") as caught:
        task()
    assert "total" in str(caught.value)
    assert (caught.value.cell, caught.value.line) == (2, 2)


def test_an_output_of_the_wrong_type_is_named_with_its_cell(write: WriteNotebook) -> None:
    task = NotebookTask("wrong", write(RECORD + "record_outputs(total='x')"), outputs={"total": int}, retries=3)
    with pytest.raises(NotebookFailedError, match=r"cell 1 of .*ValueConversionError: output 'total'.*int") as caught:
        task()
    assert caught.value.line == 2


def test_outside_of_a_task_nothing_is_recorded_and_nothing_loaded() -> None:
    record_outputs(anything=1)
    with pytest.raises(UsageError, match="no task runs this notebook"):
        load_input("x")


def test_a_name_that_output_notebooks_needs_is_refused(write: WriteNotebook) -> None:
    with pytest.raises(CompileError, match="'out_nb'") as caught:
        NotebookTask("taken", write("1"), outputs={"out_nb": int}, output_notebooks=True)
    assert caught.value.location.startswith(__file__)


def test_unknown_settings_are_refused(write: WriteNotebook) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'retries'"):
        NotebookTask("unknown", write("1"), retrys=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "is no notebook"),
        ("[]", "is no notebook: it has no 'nbformat'"),
        ('{"nbformat": 3, "worksheets": []}', "of format 3, expected 4"),
    ],
)
def test_what_is_no_notebook_is_told_when_it_is_compiled(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.ipynb").write_text(text)
    task = NotebookTask("bad", tmp_path / "bad.ipynb")

    @alula.workflow
    def pipeline() -> None:
        task()

    with pytest.raises(UsageError, match=message) as caught:
        pipeline()
    assert caught.value.location.startswith(__file__)


def test_a_relative_path_is_seen_from_the_file_of_the_task() -> None:
    task = NotebookTask("relative", "no/such.ipynb")
    assert task.notebook_path == str(Path(__file__).parent / "no" / "such.ipynb")
    with pytest.raises(UsageError, match="does not exist"):
        task()


def test_another_language_takes_what_can_be_written_and_records_nothing(write: WriteNotebook) -> None:
    path = write("1", kernelspec={"name": "ir", "language": "R", "display_name": "R"})
    with pytest.raises(UsageError, match="only notebooks in Python can record the output 'n'"):
        NotebookTask("r", path, outputs={"n": int}, kernel_name="ir")()
    with pytest.raises(UsageError, match="no Jupyter kernel 'ir'"):
        NotebookTask("r", path, inputs={"n": int}, kernel_name="ir")(n=1)
