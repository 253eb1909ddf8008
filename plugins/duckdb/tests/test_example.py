"""The example runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_sales() -> None:
    example = Path(__file__).parents[1] / "examples" / "sales.py"
    done = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Oslo sold 620 in January 2026\n"
