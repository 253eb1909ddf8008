"""A process executor whose workers need no SDK, and an engine around it."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest

from alula_kernel.attempt_folders import attempt_path
from alula_kernel.builtin.process import ProcessExecutor
from alula_kernel.builtin.process.admission import Machine
from alula_kernel.builtin.process.files import AttemptFiles
from alula_kernel.contracts import Attempt, CodeReference, Controller, ExecutorContext, Handle, Outcome
from alula_kernel.engine import Engine, MemoryStore, RunOptions, RunResult
from alula_kernel.literals import Literal, Scalar
from alula_kernel.specs import EntityId, Interface, ResourceSpec, TaskSpec, Variable
from alula_kernel.storage import Storage
from alula_kernel.testing import NoCalls
from alula_kernel.types import FLOAT, INT, NONE, STR

HERE = Path(__file__).parent
WORKER = (sys.executable, str(HERE / "sample_worker.py"))
HANG_SECONDS = 120.0

_TYPES = {int: INT, float: FLOAT, str: STR, type(None): NONE}
_count = itertools.count(1)


class World:
    """One home, executors on it, and attempts of the functions in `sample_tasks`."""

    def __init__(self, home: Path, storage: Storage, machine: Machine | None = None) -> None:
        self.home = home
        self.storage = storage
        self.machine = machine or Machine(cpus=2.0, memory_bytes=8 << 30)
        self.opened: list[ProcessExecutor] = []
        self._stuffed: list[str] = []
        self.executor = self.open()

    @staticmethod
    def run(scenario: Coroutine[Any, Any, Any]) -> Any:
        async def limited() -> Any:
            return await asyncio.wait_for(scenario, HANG_SECONDS)

        return asyncio.run(limited())

    @staticmethod
    def alive(pid: int) -> bool:
        return alive(pid)

    def open(self, **options: Any) -> ProcessExecutor:
        executor = ProcessExecutor(**{"command": WORKER, "machine": self.machine, **options})
        executor.open(ExecutorContext(self.storage, str(self.home), {}, lambda task: sys.executable))
        self.opened.append(executor)
        return executor

    def task(self, name: str, **fields: Any) -> TaskSpec:
        import sample_tasks

        function = getattr(sample_tasks, name)
        hints = get_type_hints(function)
        result = hints.pop("return")
        inputs = {key: Variable(_TYPES[kind]) for key, kind in hints.items() if key != "call"}
        outputs = {} if result is type(None) else {"o0": Variable(_TYPES[result])}
        memory = fields.pop("memory", "")
        if memory:
            fields["resources"] = ResourceSpec({"memory": memory}, {"memory": memory})
        return TaskSpec(
            id=EntityId("task", name),
            interface=Interface(inputs, outputs),
            blocking=not inspect.iscoroutinefunction(function),
            loader={"module": "sample_tasks", "attribute": name},
            **fields,
        )

    def attempt(self, name: str, inputs: dict[str, Any] | None = None, **fields: Any) -> Attempt:
        number = next(_count)
        of_attempt = {key: fields.pop(key) for key in list(fields) if key in Attempt.__struct_fields__}
        literals: dict[str, Literal] = {key: Scalar(value) for key, value in (inputs or {}).items()}
        return Attempt(
            **{
                "id": f"run-{number}/a0/1",
                "run": f"run-{number}",
                "action": "a0",
                "number": 1,
                "task": self.task(name, **fields),
                "inputs": literals,
                "code": CodeReference(search_path=(str(HERE),)),
                **of_attempt,
            }
        )

    async def submit(
        self, name: str, inputs: dict[str, Any] | None = None, controller: Controller | None = None, **fields: Any
    ) -> Handle:
        return await self.executor.submit(self.attempt(name, inputs, **fields), controller or NoCalls())

    async def finish(self, name: str, inputs: dict[str, Any] | None = None, **fields: Any) -> Outcome:
        return await self.executor.wait(await self.submit(name, inputs, **fields))

    async def log(self, handle: Handle) -> bytes:
        return b"".join([piece async for piece in self.executor.logs(handle)])

    def files(self, handle: Handle) -> Path:
        return self.home / "attempts" / handle["files"]

    async def until(self, condition: Callable[[], Any]) -> Any:
        ends = time.monotonic() + HANG_SECONDS
        while not (found := condition()):
            assert time.monotonic() < ends, "it never came"
            await asyncio.sleep(0.01)
        return found

    @staticmethod
    def write(path: Path, text: str) -> None:
        """Write a file that a task waits for, so that it never sees a part of it."""
        new = path.with_name(f"{path.name}.new")
        new.write_text(text)
        new.rename(path)

    async def pid_in(self, path: Path) -> int:
        await self.until(path.exists)
        return int(path.read_text())

    def engine(self, *names: str, **fields: Any) -> Engine:
        specs = {name: self.task(name, **fields) for name in names}
        return Engine(
            executors={"process": self.executor},
            entities=lambda entity_id: specs[entity_id.name],
            store=MemoryStore(),
            open_cache=lambda: pytest.fail("there is no cache"),
            gate_keeper=None,  # type: ignore[arg-type]
        )

    def options(self, jobs: int | None = None) -> RunOptions:
        return RunOptions(executor="process", max_parallelism=jobs, code=CodeReference(search_path=(str(HERE),)))

    def run_engine(
        self, name: str, inputs: dict[str, Any], *others: str, jobs: int | None = None, **fields: Any
    ) -> RunResult:
        engine = self.engine(name, *others, **fields)
        literals: dict[str, Literal] = {key: Scalar(value) for key, value in inputs.items()}
        return engine.run_blocking(engine.entities(EntityId("task", name)), literals, self.options(jobs))

    def engine_in_another_process(
        self, name: str, inputs: dict[str, Any], *, busy: bool = False, **fields: Any
    ) -> tuple[int, Handle]:
        """Submit an attempt from a process that then waits to be killed; return its number and the handle."""
        attempt = self.attempt(name, inputs, **fields)
        stuffing = [self.attempt("pause", {"seconds": 600.0}) for _ in range(2 if busy else 0)]
        note = self.home.with_name("submitter")
        note.mkdir(exist_ok=True)
        (note / "attempts").write_bytes(msgspec.msgpack.encode([*stuffing, attempt]))
        arguments = [sys.executable, str(HERE / "submitter.py"), str(note), str(self.home)]
        process = subprocess.Popen(arguments, start_new_session=True)
        ends = time.monotonic() + HANG_SECONDS
        while not (note / "handle").exists():
            assert time.monotonic() < ends
            assert process.poll() is None
            time.sleep(0.01)
        process.returncode = 0  # who kills it waits for it
        if busy:
            self._stuffed = [attempt_path(a) for a in stuffing]
            while not all(AttemptFiles(f"{self.home}/attempts/{name}").begun for name in self._stuffed):
                assert time.monotonic() < ends
                time.sleep(0.01)
        return process.pid, msgspec.json.decode((note / "handle").read_bytes())

    def end_stuffing(self) -> None:
        """End what kept the machine busy for `engine_in_another_process`, whose templates have lost their engine."""
        for name in self._stuffed:
            claim = AttemptFiles(f"{self.home}/attempts/{name}").claim()
            if claim is not None:
                claim.process.signal_group(signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


def mentioning(text: str) -> list[int]:
    """Return the living processes whose command line or environment mentions a text."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and int(entry) != os.getpid():
            try:
                told = Path(f"/proc/{entry}/cmdline").read_bytes() + Path(f"/proc/{entry}/environ").read_bytes()
            except OSError:
                continue
            if text.encode() in told and alive(int(entry)):
                found.append(int(entry))
    return found


@pytest.fixture
def make_world(tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    monkeypatch.syspath_prepend(str(HERE))
    # Workers inherit it, so that those of this test can be told from others.
    monkeypatch.setenv("ALULA_TEST_WORLD", str(tmp_path))
    made: list[World] = []

    def make(machine: Machine | None = None) -> World:
        world = World(tmp_path / "home", storage, machine)
        made.append(world)
        return world

    yield make
    for world in made:
        world.end_stuffing()
        for executor in world.opened:
            executor.close()
    ends = time.monotonic() + HANG_SECONDS
    while left := mentioning(str(tmp_path)):
        assert time.monotonic() < ends, f"left running: {left}"
        time.sleep(0.01)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
