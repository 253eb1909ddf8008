"""Executed notebooks as HTML."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode


def to_html(notebook: NotebookNode, title: str, *, without_sources: bool = False) -> str:
    """Render a notebook as a page.

    Args:
        notebook: The notebook.
        title: Title of the page.
        without_sources: Whether the sources of cells are left out.
    """
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(exclude_input=without_sources)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about pictures without descriptions, for whoever writes the notebook
        body, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": title}})
    return str(body)
