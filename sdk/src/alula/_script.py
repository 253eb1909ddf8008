"""Running a Python script that knows nothing of Alula, as a run of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO, Any

from alula_kernel.errors import UsageError

from ._aio import WithAio
from ._data.directory import Directory
from ._data.file import File
from ._overrides import Duration
from ._resources import Resources
from ._run import Run, Runner, with_runcontext
from ._shell import ScriptFailedError
from ._state import call_site
from ._task import task

_KEPT_ERROR_CHARS = 4_000


@task(name="alula.python_script")
def python_script(script: File, args: list[str] = [], path: str = "", output_dir: str = "") -> Directory | None:  # noqa: B006 - never changed
    """Run a Python script in a process of its own.

    Args:
        script: The script.
        args: Its arguments.
        path: Where the script lies; it runs there if it still does, so that it finds its modules and files.
        output_dir: Folder that the script writes to, which becomes the output; empty for none.
    """
    there = path if path and os.path.isfile(path) else os.fspath(script)
    _run_to_end([sys.executable, "-u", there, *args])
    if not output_dir:
        return None
    if not os.path.isdir(output_dir):
        raise UsageError(f"the script left no folder {output_dir}", hint="output_dir names a folder that it writes.")
    return Directory(output_dir)


def _run_to_end(command: list[str]) -> None:
    """Run a command and pass on what it prints, while it prints it.

    Raises:
        ScriptFailedError: It ended with another exit code than 0.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # so that a time limit or Ctrl-C ends what the script has started as well
    )
    errors: list[str] = []
    assert process.stdout is not None
    assert process.stderr is not None
    listener = threading.Thread(target=_pass_errors_on, args=(process.stderr, errors), daemon=True)
    listener.start()
    try:
        for line in process.stdout:
            print(line, end="")  # noqa: T201 - the output of the script is the output of the task
        process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        listener.join()
        process.stdout.close()
        process.stderr.close()
    if process.returncode:
        raise ScriptFailedError(process.returncode, "".join(errors)[-_KEPT_ERROR_CHARS:])


def _pass_errors_on(stream: IO[str], kept: list[str]) -> None:
    size = 0
    for line in stream:
        print(line, end="", file=sys.stderr)  # noqa: T201 - the output of the script is the output of the task
        kept.append(line)
        size += len(line)
        while size - len(kept[0]) > _KEPT_ERROR_CHARS:
            size -= len(kept.pop(0))


def _prepared(
    script: os.PathLike[str] | str,
    args: Sequence[str],
    resources: Resources | None,
    timeout: Duration | None,
    env_vars: Mapping[str, str] | None,
    name: str,
    output_dir: str,
) -> tuple[Runner, Any, dict[str, Any]]:
    path = os.path.abspath(os.path.expanduser(os.fspath(script)))
    if not os.path.isfile(path):
        raise UsageError(f"the script {path} does not exist", location=call_site())
    changed: dict[str, Any] = {"short_name": os.path.basename(path)}
    if resources is not None:
        changed["resources"] = resources
    if timeout is not None:
        changed["timeout"] = timeout
    inputs = {"script": File(path), "args": [str(arg) for arg in args], "path": path, "output_dir": output_dir}
    return with_runcontext(name=name, env_vars=env_vars), python_script.override(**changed), inputs


def _run_python_script(
    script: os.PathLike[str] | str,
    args: Sequence[str] = (),
    *,
    resources: Resources | None = None,
    timeout: Duration | None = None,
    env_vars: Mapping[str, str] | None = None,
    name: str = "",
    output_dir: str = "",
) -> Run:
    """Run a Python script that needs nothing of Alula in it, in a process of its own, and return the run.

    What the script prints is passed on. It fails the run if it ends with another exit code than 0.

    Args:
        script: Path of the script.
        args: Its arguments.
        resources: Resources that it needs.
        timeout: Longest time, as seconds or timedelta.
        env_vars: Environment variables.
        name: Name of the run.
        output_dir: Folder that the script writes to, which becomes the run's output.

    Raises:
        UsageError: There is no such script, or an option cannot be one; nothing has run.
    """
    runner, chosen, inputs = _prepared(script, args, resources, timeout, env_vars, name, output_dir)
    return runner.run(chosen, **inputs)


run_python_script = WithAio(_run_python_script)

__all__ = ["python_script", "run_python_script"]
