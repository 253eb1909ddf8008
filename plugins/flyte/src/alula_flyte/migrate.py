"""``alula flyte migrate``: the sources of a code base, rewritten to Alula's own names."""

from __future__ import annotations

import difflib
import io
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import tokenize
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import libcst as cst

from .rewrite import Rewritten, rewrite
from .sources import Unreadable, files_of, read

_WORTH_PROCESSES = 24
"""Files for which it takes less time to start processes than to rewrite them one after the other."""

_PLACES = 3
"""Places that are shown of something to know."""

_IMPORT = re.compile(rb"^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)", re.MULTILINE)
_ATTRIBUTE = re.compile(rb"\b(\w+)\.([A-Za-z]\w*)")
_NAME = re.compile(r"\w+")


@dataclass(frozen=True)
class Migration:
    """What a rewrite does to a code base.

    Attributes:
        files_read: How many files were looked at.
        rewritten: The result for each file that uses Flyte.
        before: The code of each of them.
        unreadable: Files that may use Flyte and could not be read or rewritten; notebooks are among them.
    """

    files_read: int
    rewritten: dict[str, Rewritten]
    before: dict[str, bytes]
    unreadable: list[Unreadable]

    @property
    def changed(self) -> dict[str, bytes]:
        """The new code of each file that changes."""
        return {path: one.code for path, one in self.rewritten.items() if one.code != self.before[path]}


def migrate(path: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Migration:
    """Rewrite a file, or all files below a folder, in memory; many of them in several processes.

    Args:
        path: The file or folder.
        progress: Told after each file that uses Flyte how many are done, and how many there are.

    Raises:
        UsageError: There is no such file or folder.
    """
    files = files_of(path)
    users = _imported_from(name for name in files if name.endswith(".py"))
    result = Migration(len(files), {}, {}, [])
    bound: dict[str, set[str]] = {}
    for name in files:
        try:
            for source in read(name):
                if source.cell:
                    raise ValueError("notebooks are not rewritten")
                result.before[name] = source.code
                bound[name] = _bound(name, source.code, users)
        except (OSError, SyntaxError, ValueError) as problem:
            result.unreadable.append(Unreadable(name, _told(problem)))
    each = _each_rewritten(result.before.values(), bound.values())
    for done, (name, one) in enumerate(zip(bound, each, strict=True), 1):
        if isinstance(one, str):
            result.unreadable.append(Unreadable(name, one))
        else:
            result.rewritten[name] = one
        progress(done, len(bound))
    return result


def _each_rewritten(codes: Collection[bytes], bound: Iterable[set[str]]) -> Iterator[Rewritten | str]:
    """Rewrite sources and yield the results in order, for one that cannot be rewritten what the problem is."""
    if len(codes) < _WORTH_PROCESSES:
        yield from map(_try_to_rewrite, codes, bound)
        return
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_try_to_rewrite, codes, bound)


def _try_to_rewrite(code: bytes, bound: set[str]) -> Rewritten | str:
    try:
        return rewrite(code, bound)
    except (SyntaxError, ValueError, RecursionError, cst.ParserSyntaxError) as problem:
        return _told(problem)


def _told(problem: Exception) -> str:
    if isinstance(problem, cst.ParserSyntaxError):
        return f"line {problem.raw_line}: {problem.message}"
    if isinstance(problem, SyntaxError) and problem.lineno:
        return f"line {problem.lineno}: {problem.msg}"
    return str(problem)


def _imported_from(files: Iterable[str]) -> dict[str, set[str]]:
    """Return the names that sources take from modules, by the last name of the module.

    A name that is imported from a module must stay bound there. Which file a module is depends on where Python is
    started, so all modules of a name are taken for the same one: at worst a name stays that need not.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for name in files:
        try:
            data = Path(name).read_bytes()
        except OSError:
            continue
        for module, names in _IMPORT.findall(data):
            last = module.decode().rpartition(".")[2]
            found[last] |= set(_NAME.findall(names.decode(errors="replace"))) | ({"*"} if b"*" in names else set())
        for module, attribute in _ATTRIBUTE.findall(data):
            found[module.decode(errors="replace")].add(attribute.decode(errors="replace"))
    return found


def _bound(path: str, code: bytes, users: dict[str, set[str]]) -> set[str]:
    """Return the local names that a source must go on binding."""
    stem = Path(path).stem
    names = users.get(Path(path).parent.resolve().name if stem == "__init__" else stem, set())
    if stem == "__init__" or "*" in names:
        imported = (match[1].decode(errors="replace") for match in _IMPORT.findall(code))
        return {"*", *names, *(name for names in imported for name in _NAME.findall(names))}
    return set(names)


def diff(migration: Migration) -> Iterator[str]:
    """Return the changes as the lines of a unified diff, without line ends."""
    for path, code in migration.changed.items():
        before, after = (_text(one).splitlines() for one in (migration.before[path], code))
        yield from difflib.unified_diff(before, after, f"a/{_relative(path)}", f"b/{_relative(path)}", lineterm="")


def _text(code: bytes) -> str:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(code).readline)
    return code.decode(encoding)


def _relative(path: str) -> str:
    return path.lstrip("/")


def write(migration: Migration) -> None:
    """Write the files that change, each at once and with its mode kept.

    Raises:
        OSError: A file cannot be written; those before it are.
    """
    for path, code in migration.changed.items():
        _replace(os.path.realpath(path), code)


def _replace(path: str, code: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=f".{os.path.basename(path)}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(code)
        shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def summary(migration: Migration, *, written: bool) -> str:
    """Return what was done, what to know and what is left, as text.

    Args:
        migration: What was done.
        written: Whether the files were written.
    """
    return "\n".join(_lines(migration, written)) + "\n"


def _lines(migration: Migration, written: bool) -> Iterator[str]:
    changed = migration.changed
    names = {name for path in changed for name in migration.rewritten[path].names}
    verb = "rewritten" if written else "to rewrite"
    yield f"{len(changed)} of {migration.files_read} files {verb}; names of Flyte's that become Alula's: {len(names)}"
    notes = [(path, note) for path, one in migration.rewritten.items() for note in one.notes]
    left = [(path, note) for path, one in migration.rewritten.items() for note in one.left]
    if notes:
        yield "\nTo know:"
        yield from _gathered(((f"{path}:{note.line}", note.text) for path, note in notes), most=_PLACES)
    if left or migration.unreadable:
        yield "\nLeft to do by hand:"
        yield from _gathered((f"{path}:{note.line}", note.text) for path, note in left)
        yield from (f"  {file.path}: {file.problem}" for file in migration.unreadable)


def _gathered(told: Iterable[tuple[str, str]], most: int = sys.maxsize) -> Iterator[str]:
    """Return each text once, with the places where it applies, or so many of them."""
    places: dict[str, list[str]] = defaultdict(list)
    for place, text in told:
        places[text].append(place)
    for text, where in sorted(places.items(), key=lambda item: -len(item[1])):
        yield f"  {text}"
        yield from (f"      {place}" for place in where[:most])
        if len(where) > most:
            yield f"      and {len(where) - most:,} more"
