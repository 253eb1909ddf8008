"""Notebooks as they are written: reading them, what of them counts, and putting inputs into them."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from alula_kernel.errors import UsageError

if TYPE_CHECKING:
    from nbformat import NotebookNode

INJECTED = "injected-parameters"
"""Tag of the cell with the inputs, as papermill and what shows its notebooks know it."""
_PARAMETERS = "parameters"


class NotebookSource:
    """A notebook in a file, which may be gone where its task is unpickled.

    Args:
        path: Where the file is.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._text = ""

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_text": self.text()}

    @property
    def folder(self) -> str:
        """The folder of the file; empty if it is gone."""
        folder = os.path.dirname(self.path)
        return folder if os.path.isdir(folder) else ""

    def text(self) -> str:
        """Return what the file holds.

        Raises:
            UsageError: It cannot be read.
        """
        try:
            with open(self.path, encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            if self._text:
                return self._text
            raise UsageError(
                f"the notebook {self.path} does not exist",
                hint="A relative notebook_path is seen from the folder of the file that makes the task.",
            ) from None
        except (OSError, UnicodeDecodeError) as problem:
            raise UsageError(f"the notebook {self.path} cannot be read: {problem}") from problem

    def check(self) -> dict[str, Any]:
        """Read it without the libraries of Jupyter.

        Returns:
            The notebook as plain data.

        Raises:
            UsageError: It is none, or of an older format.
        """
        try:
            found = json.loads(self.text())
        except ValueError as problem:
            raise UsageError(f"{self.path} is no notebook: {problem}") from None
        if not isinstance(found, dict) or not isinstance(version := found.get("nbformat"), int):
            raise UsageError(f"{self.path} is no notebook: it has no 'nbformat'")
        if version < 4 or not isinstance(found.get("cells"), list):
            raise UsageError(
                f"{self.path} is a notebook of format {version}, expected 4",
                hint="Convert it: jupyter nbconvert --to notebook --inplace NOTEBOOK",
            )
        return found

    def content(self) -> str:
        """Return what decides what it does: its cells' kinds, tags and sources, and the language.

        Outputs and counts of executions are left out, so that it is the same after somebody has run it.
        """
        found = self.check()
        cells = [
            (cell.get("cell_type"), cell.get("metadata", {}).get("tags", []), "".join(cell.get("source", "")))
            for cell in found["cells"]
        ]
        return json.dumps([found.get("metadata", {}).get("kernelspec", {}).get("language", ""), cells])

    def read(self) -> NotebookNode:
        """Read it with the libraries of Jupyter."""
        import nbformat

        self.check()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", nbformat.warnings.MissingIDFieldWarning)  # upgrading gives cells their ids
            notebook: NotebookNode = nbformat.v4.upgrade(nbformat.reads(self.text(), as_version=4))
        return notebook


def language_of(notebook: NotebookNode) -> str:
    """Return the language of a notebook; Python if it does not say."""
    metadata = notebook.metadata
    named = metadata.get("kernelspec", {}).get("language") or metadata.get("language_info", {}).get("name")
    return str(named or "python")


def inject(notebook: NotebookNode, values: Mapping[str, Any], loaded: Iterable[str], language: str) -> None:
    """Put inputs into a notebook: after the cell that is tagged ``parameters``, at the top if there is none.

    A cell with inputs that is there already, as in a notebook that papermill wrote, is taken out.

    Args:
        notebook: The notebook, which is changed.
        values: Inputs that are written into the cell.
        loaded: Names of the inputs that the cell loads.
        language: The language of the cell.

    Raises:
        UsageError: papermill does not know how values are written in the language.
    """
    import nbformat
    from papermill.exceptions import PapermillException
    from papermill.translators import papermill_translators

    try:
        translator = papermill_translators.find_translator("", language)
    except PapermillException:
        raise UsageError(f"papermill cannot write inputs into a notebook in {language}") from None
    lines = [translator.comment("Inputs of the task")]
    lines += [translator.assign(name, translator.translate(value)) for name, value in values.items()]
    loaded = list(loaded)
    if loaded:
        lines += ["from alula_papermill import load_input", ""]
        lines += [f'{name} = load_input("{name}")' for name in loaded]
    kept = [cell for cell in notebook.cells if not has_tag(cell, INJECTED)]
    place = next((number for number, cell in enumerate(kept, 1) if has_tag(cell, _PARAMETERS)), 0)
    cell = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": [INJECTED]})
    notebook.cells = [*kept[:place], cell, *kept[place:]]


def has_tag(cell: NotebookNode, tag: str) -> bool:
    """Tell whether a cell has a tag; cells need not have tags at all."""
    return tag in cell.metadata.get("tags", [])
