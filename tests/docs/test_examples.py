"""Every example in the documentation runs, page by page and in order.

A page is one test. Its blocks are told apart by how they are fenced:

=============================================  =================================================================
fence                                          what happens
=============================================  =================================================================
``python``                                     executed; all blocks of a page share one module
``python`` that starts with ``>>>``            executed as a doctest
``{code-block} python`` with ``:caption: F``   written to the file F in the page's folder, for the commands below
``python title="F"``                           the same, for pages that are read where MyST is not known (README.md)
``console``                                    lines after ``$`` are run by bash in the page's folder and the lines
                                               below each must be its output, with ``...`` for any text; a command
                                               that fails must be followed by ``$ echo $?``
any other, such as ``sh`` or ``text``          left alone
=============================================  =================================================================

``% skip: next`` before a block leaves it out; say why in the same comment.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sybil import Document, Example, Region
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser
from sybil.parsers.myst.lexers import DirectiveLexer

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "README.md",
        "kernel/README.md",
        "sdk/README.md",
        "plugins/duckdb/README.md",
        "plugins/flyte/README.md",
        "docs/**/*.md",
    )
    for path in ROOT.glob(pattern)
    if "_build" not in path.parts
)
TITLED = re.compile(r'\w+ title="(?P<title>[^"]+)"$\n', re.MULTILINE)
COMMAND_TIMEOUT_SECONDS = 120


@pytest.mark.parametrize("page", PAGES)
def test_page(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # The commands of this environment come first, and they print as they do where no terminal is.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.syspath_prepend(str(tmp_path))

    document = Document.parse(
        str(ROOT / page),
        SkipParser(),
        parse_files,
        parse_python,
        CodeBlockParser("console", run_commands),
    )
    # A real module, because dataclasses, type hints and pickles look theirs up by name.
    module = ModuleType("page_" + re.sub(r"\W", "_", page.removesuffix(".md")))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    document.namespace = module.__dict__
    try:
        for example in document.examples():
            example.evaluate()
    finally:
        forget_modules_of(tmp_path)


def forget_modules_of(folder: Path) -> None:
    """Let the files of a page not be found as modules by whatever is tested next in this process."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(f"{folder}{os.sep}"):
            del sys.modules[name]


def parse_python(document: Document) -> Iterator[Region]:
    """Find the Python blocks that are executed: all but those that are files."""
    for region in PythonCodeBlockParser()(document):
        if "caption" not in region.lexemes.get("options", {}):
            yield region


def parse_files(document: Document) -> Iterator[Region]:
    """Find the blocks that are files: ``{code-block}`` directives with a caption, and fences with a title."""
    for region in DirectiveLexer("code-block", arguments=r".+")(document):
        if caption := region.lexemes["options"].get("caption"):
            yield _file_region(region, caption)
    for region in RawFencedCodeBlockLexer(TITLED)(document):
        yield _file_region(region, region.lexemes["title"])


def _file_region(region: Region, name: str) -> Region:
    region.parsed = region.lexemes["source"]
    region.evaluator = write_file
    region.lexemes["file"] = name.strip("`")
    return region


def write_file(example: Example) -> None:
    """Write a block to the file that its caption or title names."""
    path = Path(example.region.lexemes["file"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(example.parsed, encoding="utf-8")


def run_commands(example: Example) -> str | None:
    """Run the commands of a ``console`` block and compare what they print; return what differs."""
    status, printed = 0, ""
    for command, expected in split_session(example.parsed):
        if status != 0 and command != "echo $?":
            break
        done = subprocess.run(
            ["bash", "-c", f"(exit {status})\n{command}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_TIMEOUT_SECONDS,
            check=False,
        )
        status, printed = done.returncode, done.stdout
        if expected and not matches(expected, printed):
            return f"$ {command}\nexpected:\n{expected}\nprinted (exit status {status}):\n{printed}"
    if status == 0:
        return None
    return f"exit status {status}, where the page has no `$ echo $?` below the command; printed:\n{printed}"


def split_session(text: str) -> Iterator[tuple[str, str]]:
    """Split a console session into commands and the output shown below each ('' where none is shown)."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command = f"{command}\n{more.removeprefix('> ')}"
        yield command, output.strip("\n")


def matches(expected: str, printed: str) -> bool:
    """Tell whether ``printed`` is ``expected``, where ``...`` stands for any text and spaces at line ends are free."""

    def tidy(text: str) -> str:
        return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())

    pattern = ".*".join(re.escape(piece) for piece in tidy(expected).split("..."))
    return re.fullmatch(pattern, tidy(printed), flags=re.DOTALL) is not None


def test_the_documentation_has_pages() -> None:
    assert "README.md" in PAGES
    assert "docs/index.md" in PAGES


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a\nb", "a\nb\n", True),
        ("a\n...\nb", "a\nx\ny\nb\n", True),
        ("took ... s", "took 0.31 s\n", True),
        ("a", "ab", False),
        ("a.b", "axb", False),
    ],
)
def test_outputs_are_compared_with_ellipses(expected: str, printed: str, same: bool) -> None:
    assert matches(expected, printed) is same


def test_a_console_session_is_split_into_commands_and_outputs() -> None:
    session = "$ one\n$ two \\\n>  --flag\nout 1\nout 2\n\n$ echo $?\n2\n"
    assert list(split_session(session)) == [("one", ""), ("two \\\n --flag", "out 1\nout 2"), ("echo $?", "2")]
