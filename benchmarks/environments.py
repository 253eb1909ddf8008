"""The Python environments that are measured: where their interpreter is, and how commands are run and timed in them."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from series import Timing

ROOT = Path(__file__).parents[1]
PROBES = Path(__file__).parent / "probes"
PEERS = ("flytekit", "flyte")

_TIMEOUT_SECONDS = 600
# Those of the calling shell would change what is measured: without bytecode files every import compiles anew, and a
# search path would add folders to look into.
_LEFT_OUT = ("PYTHON", "ALULA_", "FLYTE", "VIRTUAL_ENV", "COVERAGE")

_DESCRIBE = """
import importlib.metadata, json, pathlib, sys
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
def origin(name):
    try:
        text = importlib.metadata.distribution(name).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return ""
    return "editable" if json.loads(text or "{}").get("dir_info", {}).get("editable") else "wheel"
print(json.dumps({
    "python": sys.version.split()[0],
    "distributions": len(list(importlib.metadata.distributions())),
    "origin": origin("alula"),
    "versions": {name: version(name) for name in ("alula", "alula-kernel", "flytekit", "flyte")},
}))
"""


class CommandFailedError(Exception):
    """A command that is to be measured does not work."""


@dataclasses.dataclass(frozen=True)
class Environment:
    """A Python environment.

    Attributes:
        python: Its interpreter.
        home: Folder that takes the place of the home folder, with what the systems under test keep in it.
    """

    python: Path
    home: Path

    def command(self, name: str) -> str:
        """Return the path of a command that is installed in it."""
        return str(self.python.parent / name)

    def variables(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment variables of its processes.

        Args:
            extra: Further ones.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
        path = f"{self.python.parent}{os.pathsep}{kept.get('PATH', '')}"
        own = {"HOME": str(self.home), "ALULA_HOME": str(self.home / ".alula"), "PATH": path, "NO_COLOR": "1"}
        return {**kept, **own, **(extra or {})}

    def output(self, *command: str, extra: Mapping[str, str] | None = None) -> str:
        """Run a command and return what it prints.

        Raises:
            CommandFailedError: It fails; the message has what it printed.
        """
        (self.home / ".alula").mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            command,
            env=self.variables(extra),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            shown = " ".join(command)
            raise CommandFailedError(f"{shown}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}".strip())
        return done.stdout

    def time(self, *command: str, extra: Mapping[str, str] | None = None) -> Timing:
        """Run a command that is known to work and return how long its process lived, in milliseconds.

        Raises:
            CommandFailedError: It fails.
        """
        variables = self.variables(extra)
        before = _processor_seconds()
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=variables,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
        )
        # Waiting with a timeout would look only now and then, up to 50 ms apart, and round the time up to that.
        guard = threading.Timer(_TIMEOUT_SECONDS, process.kill)
        guard.start()
        try:
            status = process.wait()
            wall = time.perf_counter() - started
        finally:
            guard.cancel()
        if status != 0:
            raise CommandFailedError(f"{' '.join(command)}: exit status {status}")
        return Timing(wall * 1e3, (_processor_seconds() - before) * 1e3)

    def probe(self, name: str, case: str, repetitions: int) -> dict[str, Timing]:
        """Run a case of a probe and return its timings in microseconds; empty if the probe does not know the case."""
        printed = self.output(str(self.python), str(PROBES / f"{name}_probe.py"), case, str(repetitions)).strip()
        figures: dict[str, list[float]] = json.loads(printed.splitlines()[-1]) if printed else {}
        return {figure: Timing(*times) for figure, times in figures.items()}

    def describe(self) -> dict[str, object]:
        """Return its versions and how Alula is installed in it."""
        facts: dict[str, object] = json.loads(self.output(str(self.python), "-c", _DESCRIBE))
        return facts

    def has(self, module: str) -> bool:
        """Tell whether a module can be imported in it."""
        try:
            self.output(str(self.python), "-c", f"import {module}")
        except (CommandFailedError, OSError):
            return False
        return True


def _processor_seconds() -> float:
    """Return what the processes that this one has waited for, and those that they have, took of the processors."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def current_environment(home: Path) -> Environment:
    """Return the environment that this program runs in."""
    # Not resolved: the link is what makes it a virtual environment.
    return Environment(Path(sys.executable), home)


def fresh_environment(folder: Path, home: Path) -> Environment:
    """Make a virtual environment in which kernel and SDK are installed from wheels, as a user has them.

    Args:
        folder: Where to make it.
        home: As in `Environment`.

    Raises:
        subprocess.CalledProcessError: It cannot be made; what failed is printed.
    """
    variables = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
    python = folder / "bin" / "python"
    projects = [str(ROOT / "kernel"), str(ROOT / "sdk")]
    for command in _installation(folder, python, projects):
        subprocess.run(command, env=variables, check=True, stdout=sys.stderr)
    return Environment(python, home)


def _installation(folder: Path, python: Path, projects: Sequence[str]) -> list[list[str]]:
    if uv := shutil.which("uv"):
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--no-cache", "--python", str(python)]
        return [[uv, "venv", "--quiet", "--python", sys.executable, str(folder)], [*install, *projects]]
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return [[sys.executable, "-m", "venv", str(folder)], [*install, *projects]]


def peer_environments(given: Path | None, here: Environment, home: Path) -> dict[str, Environment]:
    """Return the environments in which the peers are installed, by the peer's name.

    Args:
        given: Interpreter to look at; None for the one that this program runs in.
        here: The environment that this program runs in.
        home: As in `Environment`.
    """
    chosen = Environment(given, home) if given is not None else dataclasses.replace(here, home=home)
    return {name: chosen for name in PEERS if chosen.has(name)}
