"""What the plugin registers, its example and README, and code bundles."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alula_kernel.plugins import load_plugins
from alula_papermill import plugin

FOLDER = Path(__file__).parents[1]


def run(*arguments: str, cwd: Path) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "alula", "run", "--output", "json", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["outputs"]  # type: ignore[no-any-return]


def test_it_is_found_by_its_entry_point() -> None:
    found = {info.name: info for info in load_plugins().describe()}
    assert found["papermill"].distribution == "alula-papermill"
    assert found["papermill"].error == ""
    assert found["papermill"].registers == {"task_types": ["notebook"]}


def test_its_task_type_names_an_importable_class() -> None:
    (task_type,) = plugin.alula_task_types()
    module, _, name = task_type.task_class.rpartition(".")
    assert getattr(__import__(module, fromlist=[name]), name).task_type == task_type.name


def test_importing_the_plugin_is_cheap() -> None:
    heavy = ("alula", "papermill", "nbformat", "nbclient", "nbconvert", "jupyter_client", "ipykernel")
    code = (
        "import sys, alula_papermill.plugin as plugin\n"
        f"plugin.alula_task_types(); print([m for m in {heavy} if m in sys.modules])\n"
        "from alula_papermill import NotebookTask\n"
        f"NotebookTask('n', 'n.ipynb'); print([m for m in {heavy[1:]} if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]


def test_an_unknown_name_of_the_package_is_refused() -> None:
    import alula_papermill

    with pytest.raises(AttributeError, match="NotebookJob"):
        _ = alula_papermill.NotebookJob


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_the_example(executor: str, tmp_path: Path) -> None:
    for name in ("sales.py", "summary.ipynb"):
        shutil.copy(FOLDER / "examples" / name, tmp_path)
    outputs = run("--executor", executor, "sales.py", "sales", "--least", "3.5", cwd=tmp_path)
    assert list(outputs.values()) == ["ink", 12.5]


def test_the_programs_of_the_readme(tmp_path: Path, write: Callable[..., str]) -> None:
    workflow, cell = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    (tmp_path / "flow.py").write_text(workflow)
    write(cell, name="summary.ipynb")
    assert list(run("flow.py", "sales", cwd=tmp_path).values()) == ["ink", 12.5]


def test_the_notebook_is_in_the_bundle_and_found_there(tmp_path: Path, write: Callable[..., str]) -> None:
    (tmp_path / "notebooks").mkdir()
    path = write("from alula_papermill import record_outputs\nimport os\nrecord_outputs(where=os.getcwd())")
    shutil.move(path, tmp_path / "notebooks")
    (tmp_path / "bundled_flow.py").write_text(
        "from alula_papermill import NotebookTask\n"
        "where = NotebookTask('where', 'notebooks/book.ipynb', outputs={'where': str})\n"
    )
    code = (
        "import alula, bundled_flow, os, shutil, subprocess, sys\n"
        "from alula._bundle import code_for\n"
        "from alula.worker import run_attempt\n"
        "from alula_kernel.contracts import Attempt\n"
        "from alula_kernel.worker_protocol import load_outcome, store_attempt\n"
        "app = alula.current_app()\n"
        "reference = code_for(bundled_flow.where, 'loaded_modules')\n"
        "prefix = app.storage.uri(f'{app.settings.data_root}/attempt')\n"
        "attempt = Attempt(id='r/a/1', run='r', action='a', number=1, task=bundled_flow.where.spec(app), inputs={},\n"
        "    code=reference, output_prefix=prefix)\n"
        "uri = store_attempt(app.storage, attempt)\n"
        "shutil.rmtree('notebooks'); os.unlink('bundled_flow.py')\n"
        "subprocess.run([sys.executable, '-m', 'alula.worker', '--attempt', uri], cwd='/', check=True)\n"
        "print(load_outcome(app.storage, prefix).outputs['where'].value)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("/notebooks")
    assert not done.stdout.startswith(str(tmp_path))
