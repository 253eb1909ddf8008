"""What the tutorial shows of the examples: each command is run in a checkout, and its output is as on the page.

The pages' other blocks are run by ``tests/docs``, which knows no checkout; these are marked there to be left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_python

ROOT = Path(__file__).parents[2]
MARK = "% run by tests/examples/test_tutorial.py, where the folder examples is\n% skip: next\n"
SESSION = re.compile(re.escape(MARK) + r"```console\n\$ (?P<command>.+)\n(?P<output>(?:.+\n)+)```")
PAGES = sorted(page.name for page in (ROOT / "docs" / "tutorial").glob("*.md") if MARK in page.read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_page(page: str, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    text = (ROOT / "docs" / "tutorial" / page).read_text("utf-8")
    sessions = list(SESSION.finditer(text))
    assert len(sessions) == text.count(MARK)
    for session in sessions:
        done = subprocess.run(
            ["bash", "-c", session["command"].replace("alula", f"{sys.executable} -m alula", 1)],
            cwd=tmp_path,
            env={**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},  # in the order of a terminal
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=True,
        )
        pattern = ".*".join(re.escape(piece) for piece in session["output"].strip().split("..."))
        assert re.fullmatch(pattern, done.stdout.strip(), re.DOTALL), f"{session['command']}\n{done.stdout}"


def test_there_are_pages() -> None:
    assert PAGES == ["model-training.md", "order-files.md", "python-orchestration.md"]
