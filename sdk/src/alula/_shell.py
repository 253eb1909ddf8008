"""Tasks that run a shell script."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alula_kernel.errors import AlulaError, UnknownNameError, UsageError

from ._interface import PythonInterface
from ._leftovers import working_folder
from ._state import call_site
from ._task import Task

_PLACEHOLDER = re.compile(r"\{(inputs|outputs|ctx)\.([A-Za-z_]\w*)\}")


@dataclasses.dataclass(frozen=True)
class OutputLocation:
    """Where a script leaves an output.

    Args:
        var: Name of the output.
        var_type: Its Python type: `File`, `Directory`, or a type that is read from the file's text.
        location: Path, which may name inputs as ``{inputs.x}``.
    """

    var: str
    var_type: Any
    location: os.PathLike[str] | str


@dataclasses.dataclass(frozen=True)
class ProcessResult:
    """What a script printed.

    Attributes:
        returncode: Its exit code.
        output: Its standard output, as it is.
        error: Its standard error, as it is.
    """

    returncode: int
    output: str
    error: str


class ScriptFailedError(AlulaError):
    """A script ended with another exit code than 0.

    Args:
        returncode: The exit code.
        error: The end of its standard error.
    """

    def __init__(self, returncode: int, error: str) -> None:
        super().__init__(f"the script ended with exit code {returncode}\n{error}".rstrip())
        self.returncode = returncode
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.returncode, self.error)


class ShellTask(Task):
    """Runs a script. ``{inputs.x}`` and ``{outputs.y}`` in it stand for inputs and output paths, quoted for the shell.

    Args:
        name: Its name.
        debug: Whether the script is printed before it runs.
        script: The script.
        script_file: Path of the script, instead of `script`.
        task_config: Config of a plugin.
        shell: The shell.
        inputs: Python type of each input.
        output_locs: Where the script leaves outputs.
        settings: Settings of the task, as `alula.task` takes them: ``retries``, ``timeout``, ``cache`` ...

    Attributes:
        script_file: The path that was given.
        result: What the script printed when it last ran in this process; None if it did not, as in a run whose tasks have
            processes of their own.

    Raises:
        UsageError: Neither or both of `script` and `script_file` are given, or the script names an unknown input.
    """

    task_type = "shell"

    def __init__(
        self,
        name: str,
        debug: bool = False,
        script: str | None = None,
        script_file: str | None = None,
        task_config: Any = None,
        shell: str = "/bin/sh",
        inputs: Mapping[str, Any] | None = None,
        output_locs: list[OutputLocation] | None = None,
        **settings: Any,
    ) -> None:
        from ._settings_of import task_settings

        location = call_site()
        if (script is None) == (script_file is None):
            raise UsageError(f"shell task {name!r} needs either script or script_file", location=location)
        self.script_file = script_file
        self.result: ProcessResult | None = None
        if script is None:
            path = Path(str(script_file)).expanduser()
            if not path.is_file():
                raise UsageError(f"script_file {str(path)!r} does not exist", location=location)
            script = path.read_text()
        self._script = script
        self._shell = shell
        self._debug = debug
        self._outputs = list(output_locs or [])
        outputs = {o.var: o.var_type for o in self._outputs}
        self._captured = not outputs
        interface = PythonInterface(dict(inputs or {}), {}, outputs, _tuple_of(outputs))
        super().__init__(name, interface, task_settings(settings, location), task_config)
        self._location = location
        for group, key in _PLACEHOLDER.findall(script):
            known = {"inputs": interface.inputs, "outputs": outputs}.get(group)
            if known is not None and key not in known:
                raise UnknownNameError.among(f"{group[:-1]} in the script of {name!r}", key, known, location=location)

    @property
    def location(self) -> str:
        return self._location

    def source(self) -> str:
        return "\0".join([self._shell, self._script, *(f"{o.var}={os.fspath(o.location)}" for o in self._outputs)])

    @property
    def script(self) -> str:
        """The script."""
        return self._script

    def execute(self, **inputs: Any) -> Any:
        with working_folder() as folder:
            values = {name: _shell_text(value) for name, value in inputs.items()}
            paths = {o.var: self._output_path(o, values, folder) for o in self._outputs}
            script = self._fill(values, paths, folder)
            if self._debug:
                print(script)  # noqa: T201 - asked for by debug=True
            self.result = subproc_execute([self._shell, "-c", script])
            if self.result.output:
                print(self.result.output, end="")  # noqa: T201 - the output of the script is the output of the task
            outputs = [self._output(o, paths[o.var]) for o in self._outputs]
            if not outputs:
                return None
            return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _fill(self, values: Mapping[str, str], paths: Mapping[str, str], folder: str) -> str:
        def text(match: re.Match[str]) -> str:
            group, key = match.groups()
            if group == "inputs":
                return shlex.quote(values[key])
            if group == "outputs":
                return shlex.quote(paths[key])
            return shlex.quote(_context_text(key, folder))

        return _PLACEHOLDER.sub(text, self._script)

    def _output_path(self, output: OutputLocation, values: Mapping[str, str], folder: str) -> str:
        def text(match: re.Match[str]) -> str:
            group, key = match.groups()
            return values[key] if group == "inputs" else _context_text(key, folder)

        path = _PLACEHOLDER.sub(text, os.fspath(output.location))
        return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)

    def _output(self, output: OutputLocation, path: str) -> Any:
        from ._data.directory import Directory
        from ._data.file import File
        from ._data.surroundings import current_conversion, current_types

        if not os.path.exists(path):
            raise UsageError(f"the script of {self.title} left no {output.var!r} at {path}")
        converter, context = current_types().converter(output.var_type), current_conversion()
        python_type = converter.python_type
        origin = getattr(python_type, "__origin__", python_type)
        if isinstance(origin, type) and issubclass(origin, (File, Directory)):
            # Stored now, because the folder that it is in goes away with the attempt.
            return converter.to_python(converter.to_literal(origin(path), context), context)
        return converter.from_text(Path(path).read_text().rstrip("\n"), context)


class RawShellTask(Task):
    """Runs a script that is given as an input; made by `get_raw_shell_task`.

    Its inputs are ``env`` (environment variables), ``script_args`` (arguments in one string, as in a shell) and
    ``script_file`` (path of the script, run by bash). Its output ``out`` is the directory in which it ran.

    Args:
        name: Its name.
        settings: Settings of the task, as `alula.task` takes them.
    """

    task_type = "shell"

    def __init__(self, name: str, **settings: Any) -> None:
        from ._data.directory import Directory
        from ._settings_of import task_settings

        location = call_site()
        interface = PythonInterface(
            {"env": dict[str, str], "script_args": str, "script_file": str}, {}, {"out": Directory}
        )
        super().__init__(name, interface, task_settings(settings, location))
        self._location = location

    @property
    def location(self) -> str:
        return self._location

    def execute(self, **inputs: Any) -> Any:
        from ._context import current_context
        from ._data.directory import Directory

        script = Path(inputs["script_file"]).expanduser().absolute()
        if not script.is_file():
            raise UsageError(f"script_file {str(script)!r} does not exist")
        folder = current_context().working_directory
        command = ["bash", str(script), *shlex.split(inputs["script_args"])]
        result = subproc_execute(command, env={**os.environ, **inputs["env"]}, cwd=folder)
        if result.output:
            print(result.output, end="")  # noqa: T201 - the output of the script is the output of the task
        return Directory(folder)


def get_raw_shell_task(name: str) -> RawShellTask:
    """Make a task that runs a script which is given, with its arguments and environment, when the task runs.

    Args:
        name: Its name.
    """
    return RawShellTask(name)


def subproc_execute(
    command: list[str] | str,
    *,
    shell: bool | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
) -> ProcessResult:
    """Run a command and return what it printed.

    Args:
        command: Program and arguments, or a line for the shell.
        shell: Whether a shell runs it; if not given, one does if it is a line.
        env: Its environment; this process's if it is not given.
        cwd: Its working directory; this process's if it is not given.

    Raises:
        UsageError: There is no such program.
        ScriptFailedError: It ended with another exit code than 0.
    """
    try:
        # A session of its own, so that a timeout or Ctrl-C ends what the command has started as well.
        process = subprocess.Popen(
            command,
            shell=isinstance(command, str) if shell is None else shell,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError as problem:
        if cwd is not None and not os.path.isdir(cwd):
            raise UsageError(f"the working directory {cwd} of the command does not exist") from problem
        program = command if isinstance(command, str) else command[0]
        hint = "Install it, or give its path; PATH names the folders that were searched."
        raise UsageError(f"the program {program!r} was not found", hint=hint) from problem
    try:
        output, error = process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    if process.returncode:
        raise ScriptFailedError(process.returncode, error[-4_000:])
    return ProcessResult(process.returncode, output, error)


def _context_text(name: str, folder: str) -> str:
    """Return what ``{ctx.<name>}`` stands for."""
    from ._context import current_context

    if name == "working_directory":
        return folder
    value = getattr(current_context(), name, None)
    if value is None:
        raise UnknownNameError.among(
            "attribute of ctx", name, ["working_directory", "execution_id", "run_name", "project"]
        )
    return str(value)


def _shell_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def _tuple_of(outputs: Mapping[str, Any]) -> type | None:
    import collections

    return None if len(outputs) < 2 else collections.namedtuple("Outputs", list(outputs))


__all__ = [
    "OutputLocation",
    "ProcessResult",
    "RawShellTask",
    "ScriptFailedError",
    "ShellTask",
    "get_raw_shell_task",
    "subproc_execute",
]
