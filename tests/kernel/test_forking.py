"""Whether a forked child would miss threads of its parent, asked in processes of their own."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASK = "\nfrom alula_kernel.processes import fork_loses_threads\nprint(fork_loses_threads())"

THREAD = """
import threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
"""

ENDED = """
import threading
thread = threading.Thread(target=int)
thread.start()
thread.join()
"""

# More than a few rows, so that several processors compute; a child does so as well.
LINEAR_ALGEBRA = """
import os
import numpy
numbers = numpy.ones((300, 300))
assert (numbers @ numbers)[0, 0] == 300
pid = os.fork()
if not pid:
    os._exit(0 if (numbers @ numbers)[0, 0] == 300 else 1)
assert os.waitpid(pid, 0)[1] == 0
numbers @ numbers
"""

DATA_FRAMES = """
import pandas
import pyarrow
import pyarrow.parquet
pandas.DataFrame({"a": [1.0, 2.0]}).sum()
"""


@pytest.mark.parametrize(
    ("program", "loses"),
    [("", False), (THREAD, True), (ENDED, False), (LINEAR_ALGEBRA, False), (DATA_FRAMES, False)],
    ids=["nothing", "a thread", "a thread that has ended", "linear algebra", "data frames"],
)
def test_threads_that_a_fork_would_lose(program: str, loses: bool) -> None:
    command = [sys.executable, "-W", "error:This process:DeprecationWarning", "-c", program + ASK]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{loses}\n"), done.stderr
