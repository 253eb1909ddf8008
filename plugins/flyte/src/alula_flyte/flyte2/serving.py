"""``flyte.serve``: apps are served on this machine, for as long as the program runs at most."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import inspect
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import alula
from alula.adapting import WithAio
from alula_kernel.errors import UnknownNameError, UsageError

from .apps import PARAMETERS, PARAMETERS_VARIABLE, AppEndpoint, AppEnvironment, Parameter, RunOutput
from .runs import Run

_MODES = ("local", "remote")


class _Server(Protocol):
    """What answers the requests to an app."""

    @property
    def running(self) -> bool:
        """Whether it has not ended."""

    def stop(self) -> None:
        """Ask it to end."""

    def ended_within(self, seconds: float) -> bool:
        """Wait for its end, make it end if it can be made to, and tell whether it has."""


class _Thread:
    """Serves an app with a function of the program.

    Args:
        environment: The app.
        parameters: Its parameters.
    """

    def __init__(self, environment: AppEnvironment, parameters: Mapping[str, Any]) -> None:
        self._environment = environment
        self._parameters = parameters
        self._loop = asyncio.new_event_loop()
        self._awaited: asyncio.Task[Any] | None = None
        context = contextvars.copy_context()
        context.run(PARAMETERS.set, {name: _text(value) for name, value in parameters.items()})
        self._thread = threading.Thread(
            target=context.run, args=(self._serve,), daemon=True, name=f"app {environment.name}"
        )
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ask it to end; a function that is not ``async`` cannot be asked."""
        awaited = self._awaited
        if awaited is not None:
            with contextlib.suppress(RuntimeError):  # it ended in the meantime
                self._loop.call_soon_threadsafe(awaited.cancel)
        elif self.running:
            alula.logger.warning(
                "the server of the app %s is not an async function, and goes on until the program ends",
                self._environment.name,
            )

    def ended_within(self, seconds: float) -> bool:
        """Wait for its end if it can be asked to."""
        if self._awaited is not None:
            self._thread.join(seconds)
        return not self.running

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        environment = self._environment
        try:
            self._call(environment._on_startup)  # noqa: SLF001 - the environment keeps them for this module
            try:
                self._call(environment._server)  # noqa: SLF001
            finally:
                self._call(environment._on_shutdown)  # noqa: SLF001
        except asyncio.CancelledError:
            pass
        except (Exception, SystemExit):  # noqa: BLE001 - the program's own code; who waits for the app is told
            alula.logger.exception("the server of the app %s failed", environment.name)
        finally:
            self._close()

    def _call(self, function: Callable[..., Any] | None) -> None:
        if function is None:
            return
        result = function(**_taken(function, self._parameters))
        if inspect.isawaitable(result):
            self._awaited = self._loop.create_task(_awaiting(result))
            self._loop.run_until_complete(self._awaited)
            self._awaited = None

    def _close(self) -> None:
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


async def _awaiting(result: Any) -> Any:
    return await result


def _taken(function: Callable[..., Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return those parameters of an app that a function of its takes; a file or directory as its path where it wants text."""
    accepted = inspect.signature(function).parameters
    takes_all = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in accepted.values())
    texts = {name for name, one in accepted.items() if one.annotation in (str, "str")}
    return {
        name: _text(value) if name in texts else value
        for name, value in parameters.items()
        if takes_all or name in accepted
    }


def _text(value: Any) -> str:
    """Return a parameter as text: the path of a file or directory."""
    return value if isinstance(value, str) else str(value.path)


class _Process:
    """Serves an app with a command.

    Args:
        command: The command.
        variables: Environment variables that it has besides those of this process.
    """

    def __init__(self, command: list[str], variables: Mapping[str, str]) -> None:
        # What the command imports as Flyte's is Alula's there too.
        paths = [str(Path(__file__).parents[1] / "children"), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **variables, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            start_new_session=True,
        )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ask it, and the processes that it made, to end."""
        self._signal(signal.SIGTERM)

    def ended_within(self, seconds: float) -> bool:
        """Wait for its end, and end it by force if that takes too long."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()
        return True

    def _signal(self, number: signal.Signals) -> None:
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


class App:
    """An app that is served on this machine.

    Args:
        environment: The app.
        serving: How it is served.
    """

    def __init__(self, environment: AppEnvironment, serving: Serving) -> None:
        self.name = environment.name
        self.endpoint = environment.endpoint
        self._environment = environment
        self._serving = serving
        self._server = self._started()

    @property
    def url(self) -> str:
        """Where it is reached."""
        return self.endpoint

    def is_active(self) -> bool:
        """Tell whether it answers; that a path is not there is an answer too."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            opener.open(self.endpoint + self._serving.path, timeout=self._serving.answer_seconds).close()
        except urllib.error.HTTPError as answer:
            answer.close()
            return answer.code < 500
        except OSError:
            return False
        return self._server.running

    def is_deactivated(self) -> bool:
        """Tell whether its server has ended."""
        return not self._server.running

    def _activate(self, wait: bool = False) -> App:
        """Serve it if it is not served any more.

        Args:
            wait: Whether to wait until it answers.

        Raises:
            TimeoutError: It does not answer in time.
            UsageError: Its server ended before it answered, or its port is taken.
        """
        if self.is_deactivated():
            self._server = self._started()
        limit = time.monotonic() + self._serving.start_seconds
        while wait and not self.is_active():
            if self.is_deactivated():
                raise UsageError(
                    f"the server of the app {self.name} ended before it answered",
                    hint="What it printed or logged says why.",
                )
            if time.monotonic() > limit:
                raise TimeoutError(
                    f"the app {self.name} does not answer at {self.endpoint}{self._serving.path} within"
                    f" {self._serving.start_seconds:g} s; activate_timeout sets how long is waited"
                )
            time.sleep(self._serving.interval_seconds)
        return self

    def _deactivate(self, wait: bool = False) -> App:
        """Ask its server to end.

        Args:
            wait: Whether to wait until it has ended.
        """
        self._server.stop()
        if wait:
            self._server.ended_within(self._serving.stop_seconds)
        return self

    activate = WithAio(_activate)
    deactivate = WithAio(_deactivate)

    @contextlib.contextmanager
    def ephemeral_ctx_sync(self) -> Iterator[None]:
        """Serve it within a ``with`` statement."""
        try:
            self.activate(wait=True)
            yield
        finally:
            self.deactivate(wait=True)

    @contextlib.asynccontextmanager
    async def ephemeral_ctx(self) -> AsyncIterator[None]:
        """Serve it within an ``async with`` statement."""
        try:
            await self.activate.aio(wait=True)
            yield
        finally:
            await self.deactivate.aio(wait=True)

    def _started(self) -> _Server:
        environment = self._environment
        if not (environment._server or environment.command or environment.args):  # noqa: SLF001
            raise UsageError(
                f"the app {self.name} has neither a server function nor a command nor args",
                hint="Decorate a function with @ENVIRONMENT.server, or give command.",
            )
        _check_free(self.name, environment.get_port().port)
        parameters = {p.name: self._serving.value_of(environment, p) for p in environment.parameters}
        named = {p.env_var: _text(parameters[p.name]) for p in environment.parameters if p.env_var}
        variables = {**(environment.env_vars or {}), **named, **self._serving.env_vars}
        if environment._server is not None:  # noqa: SLF001
            os.environ.update(variables)
            return _Thread(environment, parameters)
        given = environment.command or environment.args
        command = _with_this_python(shlex.split(given) if isinstance(given, str) else list(given))
        if shutil.which(command[0]) is None:
            raise UsageError(
                f"the app {self.name} is served by the command {command[0]}, and there is none on this machine",
                hint="Install what has it.",
            )
        process = _Process(command, {**variables, PARAMETERS_VARIABLE: json.dumps(parameters, default=_text)})
        _end_with_this_process(process)
        return process

    def __repr__(self) -> str:
        return f"<app {self.name} at {self.endpoint}>"


def _with_this_python(command: list[str]) -> list[str]:
    """Return a command in which ``python`` is this one, and what is installed beside it is found."""
    if command[0] in {"python", "python3"}:
        return [sys.executable, *command[1:]]
    beside = shutil.which(command[0], path=os.path.dirname(sys.executable))
    return [beside or command[0], *command[1:]]


def _check_free(name: str, port: int) -> None:
    """Refuse to serve an app at a port at which something else answers.

    Raises:
        UsageError: The port is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as problem:
            raise UsageError(
                f"the app {name} cannot be served at port {port}: {problem.strerror}",
                hint="Deactivate what is served there, or give the app another port.",
            ) from None


_processes: list[_Process] = []


def _end_with_this_process(process: _Process) -> None:
    """See that nothing of a server is left when this process ends, also when it is asked to end."""
    if not _processes:
        atexit.register(_end_all)
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    _processes.append(process)


def _end_all() -> None:
    for process in _processes:
        process.stop()
    for process in _processes:
        process.ended_within(2.0)


class Serving:
    """Serves apps with options; made by `with_servecontext`.

    Args:
        mode: ``"local"``: the program itself waits until an app answers.
        env_vars: Environment variables of the app.
        parameter_values: Parameters by name, by app.
        activate_timeout: Longest time until it answers, in seconds.
        deactivate_timeout: Longest time until it has ended, in seconds.
        health_check_timeout: Longest time for an answer, in seconds.
        health_check_interval: Seconds between questions.
        health_check_path: The path that is asked for.
    """

    def __init__(
        self,
        mode: str | None = None,
        *,
        env_vars: Mapping[str, str] | None = None,
        parameter_values: Mapping[str, Mapping[str, Any]] | None = None,
        activate_timeout: float | None = None,
        deactivate_timeout: float | None = None,
        health_check_timeout: float | None = None,
        health_check_interval: float | None = None,
        health_check_path: str | None = None,
    ) -> None:
        self._mode = mode
        self.env_vars = dict(env_vars or {})
        self.start_seconds = 60.0 if activate_timeout is None else activate_timeout
        self.stop_seconds = 6.0 if deactivate_timeout is None else deactivate_timeout
        self.answer_seconds = 2.0 if health_check_timeout is None else health_check_timeout
        self.interval_seconds = 0.1 if health_check_interval is None else health_check_interval
        self.path = "/health" if health_check_path is None else health_check_path
        self._parameter_values = parameter_values or {}

    def _serve(self, app_env: AppEnvironment) -> App:
        """Begin to serve an app, and return it: once it answers, unless the mode is ``local``."""
        app = App(app_env, self)
        return app if self._mode == "local" else app.activate(wait=True)

    serve = WithAio(_serve)

    def value_of(self, environment: AppEnvironment, parameter: Parameter) -> Any:
        """Return a parameter of an app: a text, or a file or directory, which is fetched first if it is to be.

        Raises:
            UsageError: It has no value, or one that has no meaning here.
        """
        value = self._parameter_values.get(environment.name, {}).get(parameter.name, parameter.value)
        if isinstance(value, RunOutput):
            value = _output(value)
        if isinstance(value, AppEndpoint):
            return _endpoint_of(environment, value.app_name)
        if isinstance(value, (alula.File, alula.Dir)):
            if parameter.download or parameter.mount:
                value.download()
            return value
        if isinstance(value, str):
            return value
        raise UsageError(
            f"the parameter {parameter.name} of the app {environment.name} has "
            + ("no value" if value is None else f"the value {value!r}, which says nothing on this machine"),
            hint="Give a text, a File or a Dir with parameter_values.",
        )


def _output(value: RunOutput) -> Any:
    """Return the output of a run that a parameter names."""
    if value.run_name is not None:
        run = Run.get(value.run_name)
    else:
        found = list(Run.listall(in_phase=("succeeded",), task_name=value.task_name, limit=1))
        if not found:
            raise UnknownNameError.among("task with a run that succeeded", value.task_name or "", ())
        run = found[0]
    output: Any = run.outputs()
    for step in value.getter:
        output = output[step]
    return output


def _endpoint_of(environment: AppEnvironment, name: str) -> str:
    """Return where another app is reached."""
    known: dict[str, str] = {}
    waiting: list[Any] = list(environment.depends_on)  # type: ignore[attr-defined]
    while waiting:
        one = waiting.pop()
        if isinstance(one, AppEnvironment):
            known.setdefault(one.name, one.endpoint)
        waiting.extend(one.depends_on)
    if name not in known:
        raise UnknownNameError.among("app", name, known)
    return known[name]


def with_servecontext(mode: str | None = None, **options: Any) -> Serving:
    """Prepare to serve apps with options. Options that are of use on a server only are not looked at.

    Args:
        mode: ``"local"`` or ``"remote"``: all are served here, and waited for unless it is ``local``.
        options: As `Serving` takes them.

    Raises:
        UnknownNameError: There is no such mode or option.
    """
    if mode is not None and mode not in _MODES:
        raise UnknownNameError.among("mode of serving", mode, _MODES)
    taken = inspect.signature(Serving).parameters
    for option in options:
        if option not in taken and option not in _UNUSED:
            raise UnknownNameError.among("option of serving", option, (*taken, *_UNUSED))
    return Serving(mode, **{option: value for option, value in options.items() if option in taken})


_UNUSED = (
    "cluster_pool",
    "copy_bundle_to",
    "copy_style",
    "domain",
    "dry_run",
    "interactive_mode",
    "log_format",
    "log_level",
    "project",
    "raw_data_path",
    "user_log_level",
    "version",
)


def _serve_app(app_env: AppEnvironment) -> App:
    """Serve an app, and return it once it answers."""
    served: App = Serving().serve(app_env)
    return served


serve = WithAio(_serve_app)
