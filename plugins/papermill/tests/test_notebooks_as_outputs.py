"""The executed notebook as output and report, logs, secrets, caching."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

import alula
from alula_papermill import NotebookFailedError, NotebookTask

WriteNotebook = Callable[..., str]
RECORD = "from alula_papermill import record_outputs\n"


def test_the_executed_notebook_and_its_rendering_are_outputs(write: WriteNotebook, tmp_path: Path) -> None:
    path = write(RECORD + "print('printed', n)\nrecord_outputs(n=n + 1)", name="kept.ipynb")
    before = Path(path).read_bytes()
    task = NotebookTask("kept", path, inputs={"n": int}, outputs={"n": int}, output_notebooks=True)
    number, executed, rendered = task(n=41)
    assert number == 42
    cells = nbformat.reads(Path(executed).read_text(), as_version=4).cells
    assert cells[0].source == "# Inputs of the task\nn = 41"
    assert cells[1].outputs[0].text == "printed 41\n"
    assert "printed 41" in Path(rendered).read_text()
    assert Path(path).read_bytes() == before
    assert os.listdir(tmp_path) == ["kept.ipynb"]  # nothing is written beside the source


def test_the_rendering_may_leave_out_sources(write: WriteNotebook) -> None:
    task = NotebookTask("bare", write("print('shown' + '!')"), output_notebooks=True, report_mode=True)
    _, rendered = task()
    page = Path(rendered).read_text()
    assert "shown!" in page
    assert "&#39;shown&#39;" not in page


@pytest.mark.parametrize("fails", [False, True])
def test_the_executed_notebook_is_the_report_also_when_it_failed(write: WriteNotebook, fails: bool) -> None:
    path = write("print('before ' + 'the end')", "assert not fails")
    task = NotebookTask("reported", path, inputs={"fails": bool}, report=True)
    with pytest.raises(NotebookFailedError) if fails else contextlib.nullcontext():
        task(fails=fails)
    folder = Path(alula.current_app().settings.folder)
    pages = [page.read_text() for page in folder.rglob("report.html")]
    assert any("before the end" in page for page in pages)


def test_what_cells_print_is_printed_when_asked(write: WriteNotebook, capfd: pytest.CaptureFixture[str]) -> None:
    path = write("import sys\nprint('out of a cell')\nprint('error of a cell', file=sys.stderr)")
    NotebookTask("silent", path)()
    assert "of a cell" not in capfd.readouterr().out
    NotebookTask("loud", path, log_output=True)()
    captured = capfd.readouterr()
    assert "out of a cell\n" in captured.out
    assert "error of a cell\n" in captured.err


def test_secrets_are_masked_wherever_the_notebook_shows_them(
    write: WriteNotebook, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALULA_SECRET_TOKEN", "correct-horse-battery")
    path = write(
        "import os\nprint('the token is', os.environ['TOKEN'])\nos.environ['TOKEN']",
        "if fails: raise ValueError('refused: ' + os.environ['TOKEN'])",
    )
    task = NotebookTask(
        "secretive", path, inputs={"fails": bool}, output_notebooks=True, log_output=True, secret_requests=["token"]
    )
    executed, rendered = task(fails=False)
    for shown in (Path(executed).read_text(), Path(rendered).read_text(), capfd.readouterr().out):
        assert "[secret]" in shown
        assert "correct-horse-battery" not in shown
    with pytest.raises(NotebookFailedError, match=r"refused: \[secret\]") as caught:
        task(fails=True)
    assert "correct-horse-battery" not in f"{caught.value}{caught.value.__cause__}"


def test_caching_notices_when_the_notebook_changes_and_not_when_it_was_run(
    write: WriteNotebook, tmp_path: Path
) -> None:
    count = f"with open({str(tmp_path / 'count')!r}, 'a') as file: file.write('x')\n"

    def call(path: str) -> Any:
        return NotebookTask("cached", path, inputs={"n": int}, outputs={"n": int}, cache=True)(n=1)

    path = write(count, RECORD + "record_outputs(n=n)")
    assert (call(path), call(path)) == (1, 1)
    notebook = json.loads(Path(path).read_text())
    notebook["cells"][0] |= {
        "execution_count": 7,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}],
    }
    Path(path).write_text(json.dumps(notebook))
    assert call(path) == 1
    assert (tmp_path / "count").read_text() == "x"
    assert call(write(count, RECORD + "record_outputs(n=n + 1)")) == 2
    assert (tmp_path / "count").read_text() == "xx"
