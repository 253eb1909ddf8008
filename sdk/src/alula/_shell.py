"""Tasks that run a shell script."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alula_kernel.errors import AlulaError, UnknownNameError, UsageError

from ._interface import PythonInterface
from ._state import call_site
from ._task import Task, TaskSettings

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
        interface = PythonInterface(
            dict(inputs or {}), {}, outputs, _tuple_of(outputs)
        )
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
        with tempfile.TemporaryDirectory(prefix="alula-shell-") as folder:
            values = {name: _shell_text(value) for name, value in inputs.items()}
            paths = {o.var: self._output_path(o, values, folder) for o in self._outputs}
            script = self._fill(values, paths)
            if self._debug:
                print(script)  # noqa: T201 - asked for by debug=True
            result = self._run(script)
            if result.returncode:
                raise ScriptFailedError(result.returncode, result.error[-4_000:])
            outputs = [self._output(o, paths[o.var]) for o in self._outputs]
            if not outputs:
                return None
            return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _run(self, script: str) -> ProcessResult:
        # A session of its own, so that a timeout or Ctrl-C ends what the script has started as well.
        process = subprocess.Popen(
            [self._shell, "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, error = process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        if output:
            print(output, end="")  # noqa: T201 - the output of the script is the output of the task
        return ProcessResult(process.returncode, output, error)

    def _fill(self, values: Mapping[str, str], paths: Mapping[str, str]) -> str:
        def text(match: re.Match[str]) -> str:
            group, key = match.groups()
            if group == "inputs":
                return shlex.quote(values[key])
            if group == "outputs":
                return shlex.quote(paths[key])
            return match.group(0)

        return _PLACEHOLDER.sub(text, self._script)

    def _output_path(self, output: OutputLocation, values: Mapping[str, str], folder: str) -> str:
        def text(match: re.Match[str]) -> str:
            return values[match.group(2)] if match.group(1) == "inputs" else folder

        path = _PLACEHOLDER.sub(text, os.fspath(output.location))
        return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)

    def _output(self, output: OutputLocation, path: str) -> Any:
        from ._app import current_app
        from ._data.directory import Directory
        from ._data.file import File

        if not os.path.exists(path):
            raise UsageError(f"the script of {self.title} left no {output.var!r} at {path}")
        converter = current_app().registry.converter(output.var_type)
        python_type = converter.python_type
        origin = getattr(python_type, "__origin__", python_type)
        if isinstance(origin, type) and issubclass(origin, (File, Directory)):
            return converter.to_python(
                converter.to_literal(origin(path), current_app().conversion), current_app().conversion
            )
        return converter.from_text(Path(path).read_text().rstrip("\n"), current_app().conversion)


def _shell_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def _tuple_of(outputs: Mapping[str, Any]) -> type | None:
    import collections

    return None if len(outputs) < 2 else collections.namedtuple("Outputs", list(outputs))


__all__ = ["OutputLocation", "ProcessResult", "ScriptFailedError", "ShellTask", "TaskSettings"]
