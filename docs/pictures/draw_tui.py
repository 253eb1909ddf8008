"""Draw the picture of the terminal view in the documentation: ``python docs/pictures/draw_tui.py``.

It runs a small workflow with a history of its own, opens it in ``alula tui`` without a terminal, and writes
``docs/how-to/tui.svg``.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPT = """
import time

from alula import map_task, task, workflow


@task(cache=True, cache_version="1")
def load(rows: int) -> list[int]:
    time.sleep(0.3)
    return list(range(rows))


@task
def clean(row: int) -> int:
    time.sleep(0.01)
    return row * 2


@task
def fit(rows: list[int], epochs: int) -> float:
    time.sleep(0.6)
    return sum(rows) / epochs


@task(retries=2)
def check(loss: float) -> str:
    time.sleep(0.1)
    raise ValueError(f"a loss of {loss} is too much")


@workflow
def train(rows: int = 40, epochs: int = 5) -> str:
    return check(loss=fit(rows=map_task(clean)(row=load(rows=rows)), epochs=epochs))
"""
PICTURE = Path(__file__).parents[1] / "how-to" / "tui.svg"


async def draw() -> None:
    """Open the run, choose the task that failed, and save what is on the screen."""
    from alula._app import current_app
    from alula._history import open_history
    from alula._tui.browser import Browser

    store = open_history(current_app().settings, sys.exit)
    browser = Browser(store, current_app(), "nightly-7")
    async with browser.run_test(size=(118, 30)) as pilot:
        await pilot.pause(1.5)
        await pilot.press("down", "down", "down", "down")
        await pilot.pause(1.0)
        picture = browser.export_screenshot(title="alula tui")
    # Without the fonts, which would be fetched from elsewhere: any other of fixed width does.
    PICTURE.write_text(re.sub(r"@font-face {.*?}\s*", "", picture, flags=re.DOTALL), encoding="utf-8")
    store.close()


def main() -> None:
    """Run the workflow, and draw it."""
    folder = Path(tempfile.gettempdir(), "train")  # its name is in the picture
    folder.mkdir()
    try:
        os.environ["ALULA_HOME"] = f"{folder}/home"
        os.chdir(folder)
        Path("train.py").write_text(SCRIPT, encoding="utf-8")
        command = [sys.executable, "-m", "alula", "run", "--name", "nightly-7", "train.py", "train"]
        subprocess.run(command, check=False, capture_output=True)
        asyncio.run(draw())
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
