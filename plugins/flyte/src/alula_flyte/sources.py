"""The Python sources of a code base: which files there are, and what is in them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from alula_kernel.errors import UsageError

_SKIPPED = frozenset({"node_modules", "site-packages", "venv", "__pycache__", "build", "dist"})
"""Folders with nothing that somebody wrote here; hidden folders are skipped as well."""

_SUFFIXES = (".py", ".ipynb")


class Source(msgspec.Struct, frozen=True):
    """Python code to read.

    Attributes:
        path: The file, as given and joined.
        code: The code in the file's encoding.
        cell: The cell of a notebook, counted from 1; 0 for a file.
    """

    path: str
    code: bytes
    cell: int = 0


class Unreadable(msgspec.Struct, frozen=True):
    """A file that could not be read, or is no Python.

    Attributes:
        path: The file, as given and joined.
        problem: What is wrong with it.
    """

    path: str
    problem: str


def files_of(path: Path, suffixes: Sequence[str] = _SUFFIXES) -> list[str]:
    """Return the files with Python code in a folder, sorted; of a file itself.

    Hidden folders, environments and what git ignores are left out.

    Raises:
        UsageError: There is no such file or folder.
    """
    if path.is_file():
        return [str(path)]
    if not path.is_dir():
        raise UsageError(f"there is no file or folder {path}")
    found = []
    for folder, names, files in os.walk(path):
        names[:] = sorted(name for name in names if not _is_skipped(folder, name))
        found += [
            os.path.normpath(os.path.join(folder, name)) for name in sorted(files) if name.endswith(tuple(suffixes))
        ]
    ignored = _ignored(path, found)
    # A folder that git ignores as a whole, and that somebody names, is meant.
    return [name for name in found if name not in ignored] if len(ignored) < len(found) else found


def _is_skipped(folder: str, name: str) -> bool:
    if name.startswith(".") or name in _SKIPPED:
        return True
    return os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))


def _ignored(path: Path, files: Sequence[str]) -> set[str]:
    """Return those of the files that git ignores; none where there is no git."""
    absolute = {os.path.abspath(name): name for name in files}
    try:
        done = subprocess.run(
            ["git", "-C", str(path), "check-ignore", "-z", "--stdin"],
            input="\0".join(absolute).encode(errors="surrogateescape"),
            capture_output=True,
            check=False,
        )
    except OSError:
        return set()
    if done.returncode != 0:
        return set()
    named = done.stdout.decode(errors="surrogateescape").split("\0")
    return {absolute[name] for name in named if name in absolute}


def read(path: str) -> Iterator[Source]:
    """Read a file of Python, or the code cells of a notebook; nothing if the word Flyte is not in it.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is named as a notebook, and is none.
    """
    data = Path(path).read_bytes()
    if b"flyte" not in data:
        return
    if not path.endswith(".ipynb"):
        yield Source(path, data)
        return
    for number, cell in enumerate(_cells(data), start=1):
        if cell.get("cell_type") == "code":
            yield Source(path, _code(cell.get("source", "")).encode(), number)


def _cells(data: bytes) -> list[dict[str, Any]]:
    try:
        notebook = json.loads(data)
        return [cell for cell in notebook["cells"] if isinstance(cell, dict)]
    except (KeyError, TypeError, ValueError) as problem:
        raise ValueError(f"this is no notebook of Jupyter's version 4: {problem!r}") from problem


def _code(source: str | list[str]) -> str:
    """Return the Python of a cell, line for line; what is meant for the shell or the notebook is left empty."""
    text = source if isinstance(source, str) else "".join(source)
    if text.lstrip().startswith("%%"):
        return ""
    lines = text.split("\n")
    return "\n".join(_emptied(line) if line.lstrip().startswith(("%", "!", "?")) else line for line in lines)


def _emptied(line: str) -> str:
    """Return a line that does nothing, at the same indentation: it may be all there is in a block."""
    return line[: len(line) - len(line.lstrip())] + "pass"
