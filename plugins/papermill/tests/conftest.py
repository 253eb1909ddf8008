"""Fixtures of the plugin's tests: notebooks are written where they are needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

WriteNotebook = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> WriteNotebook:
    """Write a notebook of code cells; one given as a pair has a tag before its source."""

    def write(*cells: str | tuple[str, str], name: str = "book.ipynb", **metadata: Any) -> str:
        made = []
        for cell in cells:
            tag, source = cell if isinstance(cell, tuple) else ("", cell)
            made.append(nbformat.v4.new_code_cell(source))
            if tag:
                made[-1].metadata["tags"] = [tag]
        notebook: NotebookNode = nbformat.v4.new_notebook(cells=made, metadata=metadata)
        nbformat.write(notebook, tmp_path / name)
        return str(tmp_path / name)

    return write
