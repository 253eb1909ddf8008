"""Virtual environments from descriptions of images, built by uv."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from alula_kernel.canonical import fingerprint
from alula_kernel.errors import MissingDependencyError, UsageError
from alula_kernel.images import (
    ENVIRONMENT,
    AptPackages,
    BuildRequest,
    Commands,
    CondaPackages,
    CopiedFiles,
    DockerfileText,
    ImageBuilder,
    ImageDescription,
    Installs,
    PipPackages,
    PythonLayer,
    Requirements,
    UvProject,
    UvScript,
    Workdir,
)

from ._pythons import find_python, is_running
from ._repacking import RunningAlula, running_alula, wheels

FORMAT = 1
"""Counts up when environments of older versions of Alula cannot be used any more."""
OLDEST_UV = (0, 8, 20)
"""The oldest version of uv that understands what it is told."""
_RECORD = "alula-environment.json"
_TAIL_LINES = 25
_MAX_TAIL_CHARS = 4_000


class EnvironmentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a complete environment; written into it when it is.

    Attributes:
        name: Name of the image that it was first built for.
        python: Version of its Python.
        wanted: What was asked for, one line each.
        packages: What is installed, as ``name==version``.
        created_at: Seconds since the epoch.
    """

    name: str
    python: str
    wanted: list[str]
    packages: list[str]
    created_at: float


class UvBuilder(ImageBuilder):
    """Builds virtual environments with uv, each once, in ``<home>/environments/<digest>``.

    What decides is the version of Python, the layers that install Python packages, the commands, and the installation of
    Alula, which is also in the environment. An environment is complete when it has its record; one without, as a killed
    build leaves behind, is removed and built anew. Processes that want the same environment wait for the one that builds.
    """

    name = "uv"
    makes = ENVIRONMENT

    def find(self, request: BuildRequest) -> str:
        if needs_nothing(request.description):
            return sys.executable
        folder = _folder(request, running_alula())
        return str(_python_in(folder)) if _is_complete(folder) else ""

    def build(self, request: BuildRequest) -> str:
        if needs_nothing(request.description):
            return sys.executable
        running = running_alula()
        folder = _folder(request, running)
        python = _python_in(folder)
        if not _is_complete(folder):
            with _locked(folder, request) as lock:
                if not _is_complete(folder):
                    shutil.rmtree(folder, ignore_errors=True)
                    _Build(request, folder, running, lock).run()
        os.utime(folder / _RECORD)  # when it was last used
        return str(python)


def needs_nothing(description: ImageDescription) -> bool:
    """Tell whether the running Python is all that an image asks for, as far as this machine can give it."""
    here = not description.python_version or is_running(description.python_version)
    return here and not _steps(description)


def not_applied(description: ImageDescription) -> list[str]:
    """Return what an image asks for that an environment on this machine does not have."""
    found = [f"the base image {description.base}"] if description.base else []
    for layer in description.layers:
        match layer:
            case AptPackages(packages=packages):
                found.append(f"the Debian packages {', '.join(packages)}")
            case CondaPackages(packages=packages):
                found.append(f"the Conda packages {', '.join(packages)}")
            case CopiedFiles(source=source):
                found.append(f"the copy of {source}")
            case Workdir(path=path):
                found.append(f"the working directory {path}")
            case DockerfileText():
                found.append("its Dockerfile")
            case _:
                pass
    return found


def environments(home: Path) -> Iterator[tuple[Path, EnvironmentRecord | None]]:
    """Yield the environments of this machine, each with its record; None for one that is not complete."""
    for folder in sorted((home / "environments").glob("[0-9a-f]" * 64)):
        yield folder, _record_of(folder)


def last_used(folder: Path) -> float:
    """Return when an environment was last asked for, in seconds since the epoch."""
    record = folder / _RECORD
    return (record if record.exists() else folder).stat().st_mtime


def remove(folder: Path) -> bool:
    """Remove an environment unless it is being built or a process runs in it, and tell whether it was."""
    with open(_lock_path(folder), "a+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        if _is_in_use(folder):
            return False
        (folder / _RECORD).unlink(missing_ok=True)  # first, so that it is never taken for complete
        shutil.rmtree(folder)
        return True


def _is_in_use(folder: Path) -> bool:
    """Tell whether a process of this machine was started from an environment, where the system tells."""
    begin = f"{folder}/".encode()
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        try:
            if name.isdecimal() and Path("/proc", name, "cmdline").read_bytes().startswith(begin):
                return True
        except OSError:  # it has ended, or belongs to someone else
            continue
    return False


def _folder(request: BuildRequest, running: RunningAlula) -> Path:
    description = request.description
    layers = [
        msgspec.structs.replace(layer, secret_mounts=()) if isinstance(layer, Installs) else layer
        for layer in _steps(description)
    ]
    variables = description.environment if any(isinstance(layer, Commands) for layer in layers) else {}
    python = description.python_version or f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = fingerprint((FORMAT, python, layers, variables, running.digest))
    return Path(request.home) / "environments" / digest


def _steps(description: ImageDescription) -> list[PythonLayer | Commands]:
    """Return the layers of an image that an environment on this machine has, those of its start last."""
    steps = [layer for layer in description.layers if isinstance(layer, (PythonLayer, Commands))]
    if description.runtime_packages:
        steps.append(PipPackages(packages=description.runtime_packages))
    return steps


def _python_in(folder: Path) -> Path:
    return folder / "bin" / "python"


def _record_of(folder: Path) -> EnvironmentRecord | None:
    try:
        return msgspec.json.decode((folder / _RECORD).read_bytes(), type=EnvironmentRecord)
    except (OSError, msgspec.MsgspecError):
        return None


def _is_complete(folder: Path) -> bool:
    # The Python is a link to the one that it was built on, which may have been removed since.
    return (folder / _RECORD).exists() and _python_in(folder).exists()


def _lock_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


@contextlib.contextmanager
def _locked(folder: Path, request: BuildRequest) -> Iterator[int]:
    """Be the only one, of all processes and threads, that builds an environment.

    Yields:
        Descriptor of the lock. Programs that the build starts inherit it: should this process be killed, the lock is held
        until they have ended too, and nobody builds into a folder into which an orphan still writes.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(_lock_path(folder), "a+b", buffering=0) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().decode(errors="replace") or "another process"
            request.report(f"waiting for {holder}, which builds the environment of image {_shown(request)}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(f"process {os.getpid()}".encode())
        yield lock.fileno()


def _shown(request: BuildRequest) -> str:
    return repr(request.description.name) if request.description.name else request.description.tag


class _Build:
    """One build of an environment, by the process that holds its lock."""

    def __init__(self, request: BuildRequest, folder: Path, running: RunningAlula, lock: int) -> None:
        self.request = request
        self.description = request.description
        self.folder = folder
        self.running = running
        self.lock = lock
        self.title = f"the environment of image {_shown(request)}"
        self.uv = find_uv(self.title)
        self.python = str(_python_in(folder))
        self.pinned = True

    def run(self) -> None:
        """Build it, or leave nothing behind.

        Raises:
            UsageError: It cannot be built.
        """
        report, description = self.request.report, self.description
        missing = not_applied(description)
        if missing:
            report(f"image {_shown(self.request)}: on this machine, {'; '.join(missing)} is left out")
        version = description.python_version or f"{sys.version_info.major}.{sys.version_info.minor}"
        base = find_python(version, self.uv, f"image {_shown(self.request)}")
        report(f"building {self.title} with Python {version}")
        started = time.monotonic()
        try:
            self._uv(["venv", "--quiet", "--python", base, str(self.folder)], "uv cannot make it")
            alula = wheels(self.running, self.folder.parent / f"wheels-{self.running.digest[:16]}")
            files = self.folder / "alula-files"
            files.mkdir()
            (files / "pins.txt").write_text(self.running.pins, encoding="utf-8")
            self._layers(alula, files)
            self._check()
            self._finish()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        report(f"built {self.title} in {time.monotonic() - started:.1f} s")

    def _layers(self, alula: list[Path], files: Path) -> None:
        """Do what the layers say; with each that installs, Alula's own needs are looked after."""
        installed = False
        ours = ["--find-links", str(alula[0].parent), *map(str, alula)]
        for number, layer in enumerate(_steps(self.description)):
            if isinstance(layer, Commands):
                if not installed:
                    self._install(ours, "Alula", files)
                installed = True
                for command in layer.commands:
                    self._command(command)
                continue
            folder = files / str(number)
            folder.mkdir()
            wanted = _wanted(layer)
            self.request.report(f"installing {wanted}")
            self._install([*_options(layer), *ours, *self._requirements(layer, folder)], wanted, folder)
            installed = True
        if not installed:
            self._install(ours, "Alula", files)

    def _install(self, arguments: Sequence[str], wanted: str, folder: Path) -> None:
        """Install packages; what Alula needs in the version that runs, unless the author's packages need another."""
        command = ["pip", "install", "--python", self.python, *arguments]
        if self.pinned:
            pins = str(self.folder / "alula-files" / "pins.txt")
            done = self._start([self.uv, *command, "--constraints", pins], folder)
            if done.returncode == 0:
                return
            self.pinned = False
        self._uv(command, f"{wanted} cannot be installed", folder)

    def _requirements(self, layer: PythonLayer, folder: Path) -> list[str]:
        """Return what a layer installs, as arguments of uv; texts are written into files for it."""

        def written(name: str, text: str) -> str:
            path = folder / name
            path.write_text(text, encoding="utf-8")
            return str(path)

        match layer:
            case PipPackages(packages=packages):
                return list(packages)
            case Requirements(content=content, constraints=constraints):
                arguments = ["--requirements", written("requirements.txt", content)]
                return (
                    [*arguments, "--constraints", written("constraints.txt", constraints)] if constraints else arguments
                )
            case UvScript(metadata=metadata):
                return ["--requirements", written("script.py", metadata)]
            case UvProject(pyproject=pyproject, lock=lock):
                project = written("pyproject.toml", pyproject)
                if not lock:
                    return ["--requirements", project]
                written("uv.lock", lock)
                locked = str(folder / "locked.txt")
                export = ["export", "--frozen", "--no-emit-project", "--no-dev", "--no-hashes", "--quiet"]
                arguments = [*export, "--python", self.python, "--output-file", locked]
                self._uv(arguments, "the lock file cannot be read", folder)
                return ["--requirements", locked]

    def _command(self, command: str) -> None:
        """Run a command of the author's, if all that it starts is a program of the environment."""
        words = _programs(command)
        programs = self.folder / "bin"
        if not words or not all(word in {"pip", "uv"} or (programs / word).is_file() for word in words):
            self.request.report(
                f"left out on this machine, as it needs programs from outside the environment: {command}"
            )
            return
        self.request.report(f"running {command}")
        if "pip" in words and not (programs / "pip").exists():
            (programs / "pip").write_text(f'#!/bin/sh\nexec {shlex.quote(self.uv)} pip "$@"\n')
            (programs / "pip").chmod(0o755)
        self._checked(self._start(["/bin/sh", "-c", command], self.folder), f"the command {command!r} failed")

    def _check(self) -> None:
        code = "import alula, alula_kernel.worker_protocol"
        self._checked(self._start([self.python, "-c", code], self.folder), "Alula does not run in it")

    def _finish(self) -> None:
        listed = self._start([self.uv, "pip", "freeze", "--python", self.python], self.folder, quiet=True)
        version = self._start([self.python, "-c", "import platform; print(platform.python_version())"], self.folder)
        record = EnvironmentRecord(
            name=self.description.name,
            python=version.stdout.strip(),
            wanted=[_wanted(layer) for layer in self.description.python_layers()],
            packages=[line for line in listed.stdout.splitlines() if "==" in line],
            created_at=time.time(),
        )
        partial = self.folder / f"{_RECORD}.partial"
        with open(partial, "wb") as file:
            file.write(msgspec.json.encode(record))
            file.flush()
            os.fsync(file.fileno())
        partial.rename(self.folder / _RECORD)

    def _uv(self, arguments: Sequence[str], problem: str, folder: Path | None = None) -> None:
        self._checked(self._start([self.uv, *arguments], folder or self.folder.parent), problem)

    def _start(self, command: Sequence[str], folder: Path, *, quiet: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            pass_fds=(self.lock,),
        )

    def _environment(self) -> dict[str, str]:
        """Return the environment variables of what the build starts: nothing points to the program's own packages."""
        misleading = (
            "PYTHONPATH",
            "PYTHONHOME",
            "CONDA_PREFIX",
            "UV_PROJECT_ENVIRONMENT",
            "UV_SYSTEM_PYTHON",
            "UV_PYTHON",
        )
        kept = {name: value for name, value in os.environ.items() if name not in misleading}
        path = os.pathsep.join([str(self.folder / "bin"), os.path.dirname(self.uv), kept.get("PATH", os.defpath)])
        ours = {"PATH": path, "VIRTUAL_ENV": str(self.folder), "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
        return {**kept, **self.description.environment, **ours}

    def _checked(self, done: subprocess.CompletedProcess[str], problem: str) -> None:
        if done.returncode:
            lines = done.stdout.strip().splitlines()[-_TAIL_LINES:]
            tail = "\n".join(f"    {line}" for line in lines)[-_MAX_TAIL_CHARS:]
            raise UsageError(
                f"{self.title} cannot be built: {problem}\n{tail or '    (it printed nothing)'}",
                hint="Correct what the image asks for; the next run builds it anew.",
            )


def find_uv(wanted_by: str) -> str:
    """Return the path of the program ``uv``: of the installed package, or on PATH.

    Raises:
        MissingDependencyError: There is none, or it is too old.
    """
    found = _installed_uv()
    if found is None:
        raise MissingDependencyError(
            f"{wanted_by} is built by uv, which is not installed", hint="Install it: pip install uv"
        )
    answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", answer)[:3])
    if version < OLDEST_UV:
        oldest = ".".join(map(str, OLDEST_UV))
        raise MissingDependencyError(
            f"{wanted_by} needs uv {oldest} or newer, and {found} is {answer.strip() or 'none that answers'}",
            hint="Install a newer one: pip install --upgrade uv",
        )
    return found


def _installed_uv() -> str | None:
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")


def _wanted(layer: PythonLayer) -> str:
    """Name what a layer installs."""
    match layer:
        case PipPackages(packages=packages):
            return ", ".join(packages)
        case Requirements(name=name):
            return f"what {name} lists"
        case UvProject(lock=lock):
            return "the locked dependencies of a project" if lock else "the dependencies of a project"
        case UvScript():
            return "the dependencies of a script"


def _options(layer: Installs) -> list[str]:
    options = ["--index-url", layer.index_url] if layer.index_url else []
    for url in layer.extra_index_urls:
        options += ["--extra-index-url", url]
    options += ["--prerelease", "allow"] if layer.prerelease else []
    return [*options, *layer.extra_args]


def _programs(command: str) -> list[str]:
    """Return the programs that a shell command starts; none if that cannot be told."""
    if re.search(r"[`\n]|\$\(|<\(", command):
        return []
    words = shlex.shlex(command, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    programs = []
    expected = True
    try:
        for word in words:
            if set(word) <= set("();<>|&"):
                if set(word) & set("()<>"):
                    return []
                expected = True
            elif expected and not re.match(r"\w+=", word):
                programs.append(word)
                expected = False
    except ValueError:  # quotes that do not end
        return []
    return programs


__all__ = [
    "EnvironmentRecord",
    "UvBuilder",
    "environments",
    "find_uv",
    "last_used",
    "needs_nothing",
    "not_applied",
    "remove",
]
