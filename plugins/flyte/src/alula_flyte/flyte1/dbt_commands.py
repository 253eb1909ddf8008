"""``flytekitplugins.dbt``: commands of dbt as tasks. The program ``dbt`` does the work, with the adapter of its database."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from alula.errors import UsageError

from .interfaces import Interface
from .task_plugins import PythonInstanceTask

_PROGRAM = ("dbt", "--log-format", "json")
_HANDLED, _UNHANDLED = 1, 2  # exit codes: something in the project failed; the command could not do its work


class _DBTError(Exception):
    """An exit code of dbt that is not 0.

    Args:
        message: What failed.
        logs: What dbt logged, one object for each line.
    """

    def __init__(self, message: str, logs: list[dict[str, Any]]) -> None:
        super().__init__(message, logs)
        self.message = message
        self.logs = logs

    def __str__(self) -> str:
        told = [_text(line) for line in self.logs if line.get("info", {}).get("level") == "error"]
        return "\n".join([self.message, *filter(None, told)])


class DBTHandledError(_DBTError):
    """Exit code 1: a model, a test or a source failed."""


class DBTUnhandledError(_DBTError):
    """Exit code 2: the command could not do its work, as without a project."""


@dataclass
class BaseDBTInput:
    """What every command is told.

    Attributes:
        project_dir: Folder with ``dbt_project.yml``.
        profiles_dir: Folder with ``profiles.yml``.
        profile: The profile, instead of the project's.
        target: The profile's target; its default if not given.
        output_path: Where dbt writes what it found, below the project's folder.
        ignore_handled_error: Whether exit code 1 counts as a success.
        flags: More flags, by name: True for one without a value, a list for several, a dictionary for YAML.
    """

    project_dir: str
    profiles_dir: str
    profile: str
    target: str | None = None
    output_path: str = "target"
    ignore_handled_error: bool = False
    flags: dict[str, Any] | None = None

    def to_args(self) -> list[str]:
        """Return the arguments of the command line."""
        made = ["--project-dir", self.project_dir, "--profiles-dir", self.profiles_dir, "--profile", self.profile]
        if self.target is not None:
            made += ["--target", self.target]
        for flag, value in (self.flags or {}).items():
            if value:
                made += [f"--{flag}", *_values(value)]
        return made


def _values(value: Any) -> list[str]:
    if value is True:
        return []
    if isinstance(value, list):
        return [str(item) for item in value]
    return [json.dumps(value) if isinstance(value, dict) else str(value)]


@dataclass
class _Selection(BaseDBTInput):
    """What a command is told about parts of a project.

    Attributes:
        select: What is taken; everything if not given.
        exclude: What is left out.
    """

    select: list[str] | None = None
    exclude: list[str] | None = None

    def to_args(self) -> list[str]:
        """Return the arguments of the command line."""
        made = super().to_args()
        for flag, names in (("--select", self.select), ("--exclude", self.exclude)):
            if names is not None:
                made += [flag, *names]
        return made


@dataclass
class DBTRunInput(_Selection):
    """What ``dbt run`` is told."""


@dataclass
class DBTTestInput(_Selection):
    """What ``dbt test`` is told."""


@dataclass
class DBTFreshnessInput(_Selection):
    """What ``dbt source freshness`` is told."""


@dataclass
class BaseDBTOutput:
    """How a command ended.

    Attributes:
        command: Its command line.
        exit_code: Its exit code.
    """

    command: str
    exit_code: int


@dataclass
class _Results(BaseDBTOutput):
    """What a command found in the nodes of a project.

    Attributes:
        raw_run_result: Text of ``run_results.json``.
        raw_manifest: Text of ``manifest.json``.
    """

    raw_run_result: str
    raw_manifest: str


@dataclass
class DBTRunOutput(_Results):
    """What ``dbt run`` found."""


@dataclass
class DBTTestOutput(_Results):
    """What ``dbt test`` found."""


@dataclass
class DBTFreshnessOutput(BaseDBTOutput):
    """What ``dbt source freshness`` found.

    Attributes:
        raw_sources: Text of ``sources.json``.
    """

    raw_sources: str


class _DBTCommand(PythonInstanceTask[None]):
    """A command of dbt as a task: it takes ``input`` and gives ``output``.

    Args:
        name: Its name.
        settings: Settings of the task.
    """

    words: ClassVar[tuple[str, ...]]
    input_type: ClassVar[type[BaseDBTInput]]
    output_type: ClassVar[type[BaseDBTOutput]]
    files: ClassVar[dict[str, str]] = {"raw_run_result": "run_results.json", "raw_manifest": "manifest.json"}

    def __init__(self, name: str, **settings: Any) -> None:
        interface = Interface(inputs={"input": self.input_type}, outputs={"output": self.output_type})
        super().__init__(name, interface=interface, task_type=f"dbt-{self.words[-1]}", **settings)

    def execute(self, **inputs: Any) -> Any:
        """Run the command and read what it has written.

        Raises:
            DBTHandledError: It ended with exit code 1, and that is not ignored.
            DBTUnhandledError: It ended with exit code 2.
            UsageError: dbt is not installed here.
        """
        given: BaseDBTInput = inputs["input"]
        command = [*_PROGRAM, *self.words, *given.to_args()]
        shown = " ".join(command)
        exit_code, logs = _run([_program(), *command[1:]])
        if exit_code == _HANDLED and not given.ignore_handled_error:
            raise DBTHandledError(f"{shown} found failures", logs)
        if exit_code == _UNHANDLED:
            raise DBTUnhandledError(f"{shown} could not do its work", logs)
        folder = Path(given.project_dir, given.output_path)
        found = {field: (folder / file).read_text() for field, file in self.files.items()}
        return self.output_type(command=shown, exit_code=exit_code, **found)


class DBTRun(_DBTCommand):
    """``dbt run`` as a task."""

    words = ("run",)
    input_type = DBTRunInput
    output_type = DBTRunOutput


class DBTTest(_DBTCommand):
    """``dbt test`` as a task."""

    words = ("test",)
    input_type = DBTTestInput
    output_type = DBTTestOutput


class DBTFreshness(_DBTCommand):
    """``dbt source freshness`` as a task."""

    words = ("source", "freshness")
    input_type = DBTFreshnessInput
    output_type = DBTFreshnessOutput
    files: ClassVar[dict[str, str]] = {"raw_sources": "sources.json"}


def _program() -> str:
    """Return the program: that of this Python's environment, which need not be active, or the one on the path."""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])
    if (found := shutil.which(_PROGRAM[0], path=path)) is None:
        raise UsageError(
            "dbt is not installed here",
            hint="Install it with the adapter of the database: pip install dbt-core dbt-postgres",
        )
    return found


def _run(command: list[str]) -> tuple[int, list[dict[str, Any]]]:
    """Run dbt, print what it tells as it goes, and return its exit code and what it logged."""
    logs = []
    environment = {"DBT_USE_COLORS": "false", **os.environ}  # what it logs may become an error's message
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            for entry, text in _lines(process):
                if entry is not None:
                    logs.append(entry)
                print(text)  # noqa: T201 - the output of the command is the output of the task
        except BaseException:
            process.terminate()
            raise
    return process.returncode, logs


def _lines(process: subprocess.Popen[str]) -> Iterator[tuple[dict[str, Any] | None, str]]:
    assert process.stdout is not None
    for line in process.stdout:
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if isinstance(entry, dict):
            yield entry, _text(entry)
        else:
            yield None, line.rstrip()


def _text(entry: dict[str, Any]) -> str:
    return str(entry.get("info", {}).get("msg", ""))
