"""What a failed notebook tells, retries, limits of time, and that no kernel is left."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import alula
from alula_kernel.errors import TaskTimeoutError
from alula_papermill import NotebookFailedError, NotebookTask

WriteNotebook = Callable[..., str]


@pytest.fixture
def kernel_file(tmp_path: Path) -> Path:
    """Where the cells of a test write the number of their kernel's process."""
    return tmp_path / "kernel"


def pid_cell(kernel_file: Path) -> str:
    return f"import os, pathlib\npathlib.Path({str(kernel_file)!r}).write_text(f'{{os.getpid()}}.')"


def process_in(kernel_file: Path, seconds: float = 60) -> int:
    """Wait until a kernel has written its number."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if kernel_file.exists() and (text := kernel_file.read_text()).endswith("."):
            return int(text[:-1])
        time.sleep(0.05)
    raise AssertionError("no kernel came so far")


def wait_for_end(process: int, seconds: float = 20) -> None:
    """Wait until a process is gone, or waits for nobody but its parent."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.05)
    raise AssertionError(f"the kernel {process} is still there")


def test_the_error_names_cell_and_line_and_has_the_traceback(write: WriteNotebook) -> None:
    path = write(
        ("parameters", "n = 0"),
        "def divide(n):\n    return 1 / n",
        "# a comment\n\nresult = divide(n)",
        "print(result)",
    )
    with pytest.raises(NotebookFailedError) as caught:
        NotebookTask("failing", path, inputs={"n": int})(n=0)
    error = caught.value
    assert str(error) == f"cell 3 of {path} failed: ZeroDivisionError: division by zero\n  line 3: result = divide(n)"
    assert (error.cell, error.line, error.exception) == (3, 3, "ZeroDivisionError")
    shown = str(error.__cause__)
    assert "return 1 / n" in shown
    assert "\x1b" not in shown


def test_a_cell_that_is_no_python_is_named(write: WriteNotebook) -> None:
    with pytest.raises(NotebookFailedError, match=r"cell 2 of .* failed: SyntaxError") as caught:
        NotebookTask("syntax", write("1", "x = 1\ny = = 2"))()
    assert caught.value.line == 2


def test_the_error_pickles() -> None:
    error = NotebookFailedError("cell 1 failed", cell=1, line=2, exception="KeyError")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.cell, copy.line, copy.exception) == ("cell 1 failed", 1, 2, "KeyError")


def test_a_failed_notebook_is_retried_in_a_new_kernel(write: WriteNotebook, tmp_path: Path) -> None:
    path = write(
        f"import pathlib, os\ntried = pathlib.Path({str(tmp_path / 'tried')!r})\n"
        "with tried.open('a') as file: file.write(f'{os.getpid()}\\n')",
        "assert len(tried.read_text().split()) == 2",
    )
    NotebookTask("flaky", path, retries=3)()
    kernels = (tmp_path / "tried").read_text().split()
    assert len(set(kernels)) == 2


def test_what_is_not_to_be_retried_is_not(write: WriteNotebook, tmp_path: Path) -> None:
    path = write(
        f"with open({str(tmp_path / 'tried')!r}, 'a') as file: file.write('x')",
        "import alula\nraise alula.NonRecoverableError('never again')",
    )
    with pytest.raises(NotebookFailedError, match="never again"):
        NotebookTask("final", path, retries=3)()
    assert (tmp_path / "tried").read_text() == "x"


def test_a_cell_has_a_limit_of_time(write: WriteNotebook, kernel_file: Path) -> None:
    path = write(pid_cell(kernel_file), "import time\ntime.sleep(600)")
    with pytest.raises(NotebookFailedError, match=r"cell 2 of .* ran longer than its execution_timeout"):
        NotebookTask("slow", path, execution_timeout=2)()
    wait_for_end(process_in(kernel_file))


def test_a_kernel_that_dies_is_told_with_its_cell(write: WriteNotebook) -> None:
    path = write("1", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(NotebookFailedError, match=r"the kernel died in cell 2 of"):
        NotebookTask("dying", path)()


@pytest.mark.parametrize("in_thread", [False, True])
def test_the_timeout_of_the_task_ends_the_kernel(write: WriteNotebook, kernel_file: Path, in_thread: bool) -> None:
    path = write(pid_cell(kernel_file), "while True: pass")
    raised: list[BaseException] = []

    def call(limit: float) -> None:
        try:
            NotebookTask(f"endless{limit}", path, timeout=limit)()
        except BaseException as problem:
            raised.append(problem)

    for limit in (6, 24, 96):
        if in_thread:
            thread = threading.Thread(target=call, args=(limit,))
            thread.start()
            thread.join()
        else:
            call(limit)
        assert isinstance(raised[-1], TaskTimeoutError)
        if kernel_file.exists():  # else the time was up before the kernel had begun
            break
    wait_for_end(process_in(kernel_file))


@pytest.mark.parametrize("executor", ["inline", "process"])
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGKILL])
def test_no_kernel_outlives_the_one_who_started_it(
    write: WriteNotebook, tmp_path: Path, kernel_file: Path, executor: str, signal_number: int
) -> None:
    path = write(
        pid_cell(kernel_file) + "\nimport subprocess\nchild = subprocess.Popen(['sleep', '600'])", "while True: pass"
    )
    (tmp_path / "endless_flow.py").write_text(
        textwrap.dedent(f"""
        from alula_papermill import NotebookTask

        endless = NotebookTask("endless", {path!r})
        """)
    )
    command = [sys.executable, "-m", "alula", "run", "--executor", executor, "endless_flow.py", "endless"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        kernel = process_in(kernel_file)
        started = psutil.Process(kernel).children()
        if executor == "process" and signal_number == signal.SIGKILL:
            psutil.Process(kernel).parent().kill()  # the attempt's own process, which nobody can ask anything any more
        else:
            os.kill(process.pid, signal_number)
        wait_for_end(kernel)
        for child in started:
            wait_for_end(child.pid)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(60)


def test_a_kernel_that_is_ended_from_outside_ends_the_task(write: WriteNotebook, kernel_file: Path) -> None:
    endless = NotebookTask("ended", write(pid_cell(kernel_file), "while True: pass"))
    ending = alula.TaskEnvironment("ending")

    @ending.task
    async def both() -> None:
        import asyncio

        waiting = asyncio.ensure_future(asyncio.to_thread(endless))
        await asyncio.to_thread(process_in, kernel_file)
        os.kill(process_in(kernel_file), signal.SIGTERM)  # as an operator would
        with pytest.raises(Exception, match="the kernel died"):
            await waiting

    alula.run(both)
    wait_for_end(process_in(kernel_file))
