"""``flyteplugins.papermill``: what differs from alula-papermill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("alula_papermill")


def test_an_integer_may_be_recorded_as_any_number(write: Callable[[str, str], Path], run: Callable[[str], str]) -> None:
    import nbformat

    cell = nbformat.v4.new_code_cell("from flyteplugins.papermill import record_outputs\nrecord_outputs(n=4.75, x=2)")
    write("book.ipynb", nbformat.writes(nbformat.v4.new_notebook(cells=[cell])))
    out = run(
        """
        import flyte
        from flyteplugins.papermill import NotebookTask

        env = flyte.TaskEnvironment("books")
        book = NotebookTask(
            name="book", notebook_path="book.ipynb", task_environment=env, outputs={"n": int, "x": float}, progress_bar=False
        )
        print(tuple(flyte.run(book).outputs()))
        """
    )
    assert out.splitlines()[-1] == "(4, 2.0)"
