"""Projects of modules in a folder of the test's own, and an executor that sends attempts to `python -m alula.worker`."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import alula
from alula import App
from alula._builtin import BuiltinPlugin
from alula_kernel.contracts import (
    LOST,
    SYSTEM_FAILURE,
    Attempt,
    CallFailedError,
    Controller,
    Handle,
    Outcome,
    TaskExecutor,
)
from alula_kernel.engine import RunOptions
from alula_kernel.errors import ActionError
from alula_kernel.hookspecs import hookimpl
from alula_kernel.plugins import load_plugins
from alula_kernel.worker_protocol import (
    Answer,
    Begin,
    Call,
    Ended,
    Message,
    Stop,
    Withdraw,
    decode_message,
    encode_message,
)

HANG_SECONDS = 120


@dataclasses.dataclass(frozen=True)
class Project:
    """Source files of a user's."""

    root: Path

    def write(self, name: str, source: str) -> Path:
        """Write a file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return path

    def load(self, name: str, source: str = "") -> ModuleType:
        """Import a module, writing it first if its source is given."""
        if source:
            self.write(f"{name.replace('.', '/')}.py", source)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    def python(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run Python outside of the project's folder."""
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
            check=False,
            cwd="/",
            **options,
        )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Give an empty project whose folder is on ``sys.path`` while the test runs."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.syspath_prepend(str(root))
    before = set(sys.modules)
    yield Project(root)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(root)):
            del sys.modules[name]


class WorkerExecutor(TaskExecutor):
    """Runs each attempt in a process of its own, `python -m alula.worker --channel`.

    Attributes:
        calls: The calls that attempts made.
        attempts: The attempts.
    """

    name = "elsewhere"

    def __init__(self, remote: bool = False) -> None:
        self.remote = remote
        self.calls: list[Call] = []
        self.attempts: list[Attempt] = []
        self._ends: dict[str, asyncio.Future[Outcome]] = {}
        self._stops: dict[str, asyncio.StreamWriter] = {}

    async def submit(self, attempt: Attempt, controller: Controller) -> Handle:
        self.attempts.append(attempt)
        self._ends[attempt.id] = asyncio.ensure_future(self._run(attempt, controller))
        return {"attempt": attempt.id}

    async def wait(self, handle: Handle) -> Outcome:
        return await asyncio.shield(self._ends[handle["attempt"]])

    async def cancel(self, handle: Handle) -> None:
        writer = self._stops.get(handle["attempt"])
        if writer is not None:
            writer.write(encode_message(Stop("cancelled by the engine")))

    async def _run(self, attempt: Attempt, controller: Controller) -> Outcome:
        answers, to_worker = os.pipe()
        from_worker, results = os.pipe()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "alula.worker", "--channel", str(answers), str(results)),
            pass_fds=(answers, results),
            cwd="/",
        )
        os.close(answers)
        os.close(results)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        incoming, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(from_worker))
        transport, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, os.fdopen(to_worker, "wb")
        )
        writer = self._stops[attempt.id] = asyncio.StreamWriter(transport, protocol, None, loop)
        writer.write(encode_message(Begin(attempt)))
        try:
            return await self._serve(reader, writer, controller)
        finally:
            writer.close()
            incoming.close()
            await asyncio.wait_for(process.wait(), HANG_SECONDS)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, controller: Controller
    ) -> Outcome:
        running: dict[int, asyncio.Task[None]] = {}
        while True:
            try:
                message = await _read(reader)
            except asyncio.IncompleteReadError:
                return Outcome(kind=LOST, error=ActionError(code="Lost", message="the worker is gone", kind="system"))
            if isinstance(message, Call):
                self.calls.append(message)
                running[message.number] = asyncio.ensure_future(self._answer(message, controller, writer))
            elif isinstance(message, Withdraw):
                running[message.number].cancel()
            elif isinstance(message, Ended):
                return message.outcome
            else:
                return Outcome(kind=SYSTEM_FAILURE, error=ActionError(code="Protocol", message=repr(message)))

    async def _answer(self, call: Call, controller: Controller, writer: asyncio.StreamWriter) -> None:
        try:
            outputs = await controller.call(call.request)
        except CallFailedError as failure:
            writer.write(encode_message(Answer(call.number, error=failure.error)))
        except Exception as failure:
            error = ActionError(code=type(failure).__name__, message=str(failure))
            writer.write(encode_message(Answer(call.number, error=error)))
        else:
            writer.write(encode_message(Answer(call.number, outputs=outputs)))


async def _read(reader: asyncio.StreamReader) -> Message:
    size = int.from_bytes(await reader.readexactly(4), "big")
    return decode_message(await reader.readexactly(size))


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """An application whose runs go to workers."""

    app: App
    executor: WorkerExecutor

    def run(self, entity: Any, **inputs: Any) -> alula.Run:
        """Run an entity with its tasks in workers."""
        return alula.run(entity, app=self.app, options=RunOptions(executor="elsewhere"), **inputs)


class _Plugin:
    def __init__(self, executor: WorkerExecutor) -> None:
        self._executor = executor

    @hookimpl
    def alula_task_executors(self) -> list[TaskExecutor]:
        return [self._executor]


def make_elsewhere(remote: bool = False) -> Elsewhere:
    """Make an application with an executor for workers."""
    app, executor = App(), WorkerExecutor(remote)
    app.plugins = load_plugins([BuiltinPlugin(app), _Plugin(executor)], disabled="all")
    return Elsewhere(app, executor)


@pytest.fixture
def elsewhere() -> Elsewhere:
    """Give an application whose runs go to workers on this machine."""
    return make_elsewhere()


@pytest.fixture
def far_away() -> Elsewhere:
    """Give an application whose runs go to workers that have none of this machine's source."""
    return make_elsewhere(remote=True)
