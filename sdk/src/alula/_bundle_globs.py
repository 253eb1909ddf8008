"""Patterns of gitignore files, as gitignore(5), section "Pattern format", describes them.

A pattern decides about one entry, and not about what lies below it: that is left to whoever walks through the folders, as
in git. Libraries decide about whole paths, so that a folder that is taken back would take back all that lies in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "digit": "0-9",
    "lower": "a-z",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}


class Glob(NamedTuple):
    """One pattern.

    Attributes:
        left_out: Whether what it matches is left out; False where it is taken back with ``!``.
        folders_only: Whether it matches folders only.
        whole_path: Whether it is about the path from the folder of its file; if not, about the last name.
        regex: What it matches.
    """

    left_out: bool
    folders_only: bool
    whole_path: bool
    regex: re.Pattern[str]


def parse(lines: Iterable[str]) -> list[Glob]:
    """Return the patterns of a file; those that cannot match anything are dropped."""
    return [glob for line in lines if (glob := _glob(line)) is not None]


def decide(globs: list[Glob], path: str, is_folder: bool) -> bool | None:
    """Tell whether an entry is left out; None if no pattern is about it.

    Args:
        globs: Patterns of one file; the last one that matches decides.
        path: Path of the entry from the folder of that file, with ``/``.
        is_folder: Whether it is a folder.
    """
    name = path.rpartition("/")[2]
    for glob in reversed(globs):
        if (is_folder or not glob.folders_only) and glob.regex.fullmatch(path if glob.whole_path else name):
            return glob.left_out
    return None


def _glob(line: str) -> Glob | None:
    text = _without_trailing_spaces(line.rstrip("\r\n"))
    if not text or text.startswith("#"):
        return None
    left_out = not text.startswith("!")
    text = text if left_out else text[1:]
    folders_only = text.endswith("/")
    text = text[:-1] if folders_only else text
    whole_path = "/" in text
    try:
        regex = re.compile(_regex(text.removeprefix("/"), whole_path), re.DOTALL)
    except (ValueError, re.error):  # a backslash at the end, or a bracket that is not closed
        return None
    return Glob(left_out, folders_only, whole_path, regex) if text else None


def _without_trailing_spaces(text: str) -> str:
    stripped = text.rstrip(" ")
    backslashes = len(stripped) - len(stripped.rstrip("\\"))
    return f"{stripped} " if backslashes % 2 and len(stripped) < len(text) else stripped


def _regex(text: str, whole_path: bool) -> str:
    """Translate a pattern. In one with slashes, ``**`` as a whole part stands for any number of folders."""
    regex, at = [], 0
    while at < len(text):
        if whole_path and (at == 0 or text[at - 1] == "/"):
            if text.startswith("**/", at):
                regex.append("(?:[^/]+/)*")
                at += 3
                continue
            if text[at:] == "**":
                regex.append(".+")
                break
        char = text[at]
        at += 1
        if char == "*":
            regex.append("[^/]*")
        elif char == "?":
            regex.append("[^/]")
        elif char == "[":
            piece, at = _bracket(text, at)
            regex.append(piece)
        elif char == "\\":
            regex.append(re.escape(text[at : at + 1] or _refuse("a backslash at the end")))
            at += 1
        else:
            regex.append(re.escape(char))
    return "".join(regex)


def _bracket(text: str, at: int) -> tuple[str, int]:
    """Translate a bracket expression, and return where it ends."""
    negated = text[at : at + 1] in {"!", "^"}
    at += negated
    inside: list[str] = []
    first = True
    while first or text[at : at + 1] != "]":
        first = False
        if at >= len(text):
            _refuse("a bracket that is not closed")
        named = re.match(r"\[:(\w+):\]", text[at:])
        if named is not None:
            inside.append(_CLASSES.get(named[1]) or _refuse(f"the unknown class {named[1]}"))
            at += named.end()
            continue
        low, at = _member(text, at)
        if text[at : at + 1] == "-" and text[at + 1 : at + 2] not in {"", "]"}:
            high, at = _member(text, at + 1)
            inside.append(f"{re.escape(low)}-{re.escape(high)}" if low <= high else "")
        else:
            inside.append(re.escape(low))
    members = "".join(inside)
    if negated:
        return f"[^/{members}]", at + 1
    return (f"(?!/)[{members}]" if members else "(?!)"), at + 1


def _member(text: str, at: int) -> tuple[str, int]:
    if text[at] == "\\":
        at += 1
    return text[at : at + 1] or _refuse("a bracket that is not closed"), at + 1


def _refuse(what: str) -> str:
    raise ValueError(f"the pattern has {what}")
