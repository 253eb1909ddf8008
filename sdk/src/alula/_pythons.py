"""Finding a Python of a wanted version on this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from alula_kernel.errors import UsageError

OLDEST = (3, 10)
"""The oldest Python that Alula runs on."""


def is_running(version: str) -> bool:
    """Tell whether a version, as ``3.12`` or ``3.12.1``, is that of the running Python."""
    running = [str(part) for part in sys.version_info[:3]]
    wanted = version.split(".")
    return running[: len(wanted)] == wanted


def find_python(version: str, uv: str, wanted_by: str) -> str:
    """Return the path of a Python of a version; nothing is downloaded.

    It is looked for in the running program, on PATH, among pyenv's versions, and among those that uv manages.

    Args:
        version: The version, as ``3.12`` or ``3.12.1``.
        uv: Path of the program ``uv``.
        wanted_by: What wants it, for the message.

    Raises:
        UsageError: There is none, or Alula does not run on it.
    """
    match = re.fullmatch(r"(\d+)\.(\d+)(?:\.\d+)?", version)
    if match is None:
        raise UsageError(f"{wanted_by} asks for Python {version!r}", hint="Write it as 3.12 or 3.12.1.")
    if (int(match[1]), int(match[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise UsageError(f"{wanted_by} asks for Python {version}", hint=f"Alula needs Python {oldest} or newer.")
    seen = []
    for candidate in _candidates(version, f"{match[1]}.{match[2]}", uv):
        found = _version_of(candidate)
        if found == version or found.startswith(f"{version}."):
            return str(candidate)
        seen += [found] if found else []
    others = f"; there is {', '.join(dict.fromkeys(seen))}" if seen else ""
    raise UsageError(
        f"{wanted_by} asks for Python {version}, which is not on this machine{others}",
        hint=f"Install it, for example with `uv python install {version}`, or ask for Python "
        f"{sys.version_info.major}.{sys.version_info.minor}.",
    )


def _candidates(version: str, minor: str, uv: str) -> Iterator[Path]:
    if is_running(version):
        yield Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        # pyenv's shims fail for a version that its settings do not select; its versions are looked at below.
        if folder and Path(folder) != pyenv / "shims" and (program := shutil.which(f"python{minor}", path=folder)):
            yield Path(program)
    yield from sorted(pyenv.glob(f"versions/{minor}.*/bin/python"), key=_patch, reverse=True)
    answer = subprocess.run(
        [uv, "python", "find", "--managed-python", "--no-python-downloads", version],
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode == 0 and answer.stdout.strip():
        yield Path(answer.stdout.strip())


def _patch(python: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", python.parent.parent.name))


def _version_of(python: Path) -> str:
    """Return the version of a Python, or an empty string if it does not run."""
    try:
        answer = subprocess.run(
            [str(python), "-I", "-c", "import platform; print(platform.python_version())"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
