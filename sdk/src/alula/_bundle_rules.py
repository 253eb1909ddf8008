"""Which files of a source folder are left out of a bundle: the rules of git, of ``.alulaignore``, and standard ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from ._bundle_globs import Glob, decide, parse

IGNORE_FILES = (".gitignore", ".alulaignore")
"""Files with rules, in any folder; what the later one says goes before."""

STANDARD_RULES = (
    ".git",
    ".hg",
    ".svn",
    "__pycache__",
    "*.py[cod]",
    "*.egg-info",
    ".eggs",
    ".venv",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
    ".tox",
    ".nox",
    ".ipynb_checkpoints",
    ".idea",
    ".vscode",
    ".DS_Store",
    "node_modules",
)
"""What is left out anywhere, unless a rule of the user's takes it back with ``!``."""


Rules = list[tuple[str, list[Glob]]]
"""Patterns with the folder from which they count; what the later ones say goes before."""


class SourceFiles:
    """The files of a source folder that belong to its code.

    Rules are those of gitignore(5), "Pattern format": a rule counts from the folder of its file downwards, the last one that
    matches decides, deeper files go before, and what lies in a folder that is left out cannot be taken back. Rules of the
    folders above count up to the root of the git repository. We deviate in that files which git tracks although a rule
    names them are left out as well.

    Args:
        root: Absolute path of the folder.
        left_out: Absolute paths of folders that are left out whatever the rules say.
    """

    def __init__(self, root: str, left_out: Iterable[str] = ()) -> None:
        self._root = root
        self._left_out = {os.path.realpath(folder) for folder in left_out}
        self._outer = [(root, parse(STANDARD_RULES)), *_rules_above(root)]

    def __iter__(self) -> Iterator[str]:
        """Yield the paths of files and links, relative to the folder, sorted, with ``/``."""
        yield from self.below(self._root)

    def below(self, folder: str) -> Iterator[str]:
        """Yield those in one folder inside of it, sorted."""
        rules = list(self._outer)
        inner = os.path.relpath(folder, self._root)
        above = self._root
        for part in [] if inner == os.curdir else inner.split(os.sep):
            rules += _rules_in(above)
            above = os.path.join(above, part)
        yield from sorted(self._walk(folder, rules))

    def _walk(self, folder: str, rules: Rules) -> Iterator[str]:
        rules = [*rules, *_rules_in(folder)]
        with os.scandir(folder) as entries:
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                if _is_out(entry.path, is_folder, rules):
                    continue
                if is_folder:
                    if not self._is_foreign(entry.path):
                        yield from self._walk(entry.path, rules)
                elif entry.is_symlink() or entry.is_file():
                    yield os.path.relpath(entry.path, self._root).replace(os.sep, "/")

    def _is_foreign(self, folder: str) -> bool:
        """Tell whether a folder is a virtual environment, by whatever name, or left out by the caller."""
        return os.path.exists(os.path.join(folder, "pyvenv.cfg")) or os.path.realpath(folder) in self._left_out


def is_standard(path: str) -> bool:
    """Tell whether a standard rule leaves out a path that is relative to a source folder, or a folder above it."""
    parts = path.split("/")
    globs = parse(STANDARD_RULES)
    return any(decide(globs, part, index < len(parts) - 1) for index, part in enumerate(parts))


def _is_out(path: str, is_folder: bool, rules: Rules) -> bool:
    for base, globs in reversed(rules):
        decided = decide(globs, os.path.relpath(path, base).replace(os.sep, "/"), is_folder)
        if decided is not None:
            return decided
    return False


def _rules_above(root: str) -> Rules:
    """Return the rules of the folders around a folder, up to the root of its git repository; none if it is in none."""
    found: Rules = []
    folder = root
    while not os.path.exists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return []
        folder = above
        found = [*_rules_in(folder), *found]
    return [(folder, _globs_of(os.path.join(folder, ".git", "info", "exclude"))), *found]


def _rules_in(folder: str) -> Rules:
    return [(folder, _globs_of(os.path.join(folder, name))) for name in IGNORE_FILES]


def _globs_of(path: str) -> list[Glob]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            return parse(file)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return []
