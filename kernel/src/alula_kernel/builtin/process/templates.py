"""The engine's view of its template processes: starting them, giving them orders, letting them go."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence

import msgspec

from ...contracts import CodeReference
from ...specs import TaskSpec
from .orders import Keep, RunOnce, Setup, send_order

_END_SECONDS = 10.0
_TAIL_BYTES = 2_000


class TemplateGoneError(OSError):
    """A template does not take orders any more."""


class TemplateKey(msgspec.Struct, frozen=True):
    """What the attempts of one template have in common.

    Attributes:
        interpreter: Path of the Python.
        code: Where the code is.
        folder: Working directory.
        environment: Environment variables, which modules may look at when they are imported, in order of their names.
        spawn: Whether each attempt begins in a fresh interpreter.
    """

    interpreter: str
    code: CodeReference
    folder: str
    environment: tuple[tuple[str, str], ...] = ()
    spawn: bool = False


class Template:
    """One template process.

    Args:
        key: What its attempts have in common.
        command: How workers are started.
        environment: Environment variables of the process.
        root: Folder of all attempts.
        log: File that takes what it prints.
        idle_seconds: It ends after so long without anything to do.
    """

    def __init__(
        self,
        key: TemplateKey,
        command: Sequence[str],
        environment: Mapping[str, str],
        root: str,
        log: str,
        idle_seconds: float,
    ) -> None:
        self.log = log
        self._tasks: set[str] = set()
        self._sending = threading.Lock()
        link, remote = socket.socketpair()
        link.setblocking(False)
        self._link = link
        setup = Setup(root=root, code=key.code, command=tuple(command), idle_seconds=idle_seconds, spawn=key.spawn)
        os.makedirs(os.path.dirname(log), exist_ok=True)
        with remote, open(log, "ab") as output:
            try:
                self.process = subprocess.Popen(
                    [*command, "--template", str(remote.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=dict(environment),
                    cwd=key.folder,
                    pass_fds=[remote.fileno()],
                    start_new_session=True,
                )
            except OSError:
                link.close()
                raise
        try:
            send_order(link, setup)
        except OSError:  # it has ended already; whoever gives it an order is told
            pass

    def send(self, order: RunOnce | Keep, task: TaskSpec, channel: socket.socket) -> None:
        """Give it an order, together with the task if it meets that for the first time.

        Raises:
            BlockingIOError: It is behind; try again soon.
            TemplateGoneError: It has ended, or is about to.
        """
        name = str(task.id)
        if name not in self._tasks:
            order = msgspec.structs.replace(order, task=task)
        try:
            with self._sending:  # a large order goes in pieces
                send_order(self._link, order, channel.fileno())
        except BlockingIOError:
            raise
        except OSError as problem:
            raise TemplateGoneError(str(problem)) from problem
        self._tasks.add(name)

    @property
    def gone(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def let_go(self) -> None:
        """Give it no more orders: it ends when its last child has ended."""
        self._link.close()

    def last_words(self) -> str:
        """Return the end of what it printed."""
        try:
            with open(self.log, "rb") as file:
                file.seek(max(os.path.getsize(self.log) - _TAIL_BYTES, 0))
                return file.read().decode(errors="replace").strip()
        except OSError:
            return ""

    def end(self) -> None:
        """Wait for its end, and force it if that takes too long."""
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Templates:
    """The templates of one engine. Safe across threads.

    Args:
        command: How workers are started; None for the SDK's worker with each template's own interpreter.
        environment: Environment variables that workers get on top of this process's.
        root: Folder of all attempts.
        idle_seconds: A template ends after so long without anything to do.
    """

    def __init__(
        self, command: Sequence[str] | None, environment: Mapping[str, str], root: str, idle_seconds: float
    ) -> None:
        self._command = command
        self._environment = environment
        self._root = root
        self._idle_seconds = idle_seconds
        self._templates: dict[TemplateKey, Template] = {}
        self._leaving: list[Template] = []
        self._lock = threading.Lock()
        self._started = 0

    def get(self, key: TemplateKey) -> Template:
        """Return a template that takes orders as far as is known, starting it if there is none.

        Raises:
            OSError: It cannot be started.
        """
        with self._lock:
            found = self._templates.get(key)
            if found is not None and not found.gone:
                return found
            if found is not None:
                found.let_go()
            self._leaving = [template for template in self._leaving if not template.gone]
            self._started += 1
            command = self._command or (key.interpreter, "-m", "alula.worker")
            log = f"{os.path.dirname(self._root)}/templates/{os.getpid()}-{self._started}.log"
            environment = {**os.environ, **self._environment, **dict(key.environment)}
            made = Template(key, command, environment, self._root, log, self._idle_seconds)
            self._templates[key] = made
            return made

    def discard(self, template: Template) -> None:
        """Use a template no more."""
        with self._lock:
            for key, known in list(self._templates.items()):
                if known is template:
                    del self._templates[key]
                    template.let_go()
                    self._leaving.append(template)

    def close(self, wait: bool) -> None:
        """Let all of them go, and wait for their ends if their children have ended or are about to."""
        with self._lock:
            for template in self._templates.values():
                template.let_go()
            leaving = [*self._leaving, *self._templates.values()]
            self._templates.clear()
            self._leaving.clear()
        for template in leaving:
            if wait:
                template.end()
            else:
                template.process.returncode = template.process.poll() or 0  # it is not ours to wait for any more
