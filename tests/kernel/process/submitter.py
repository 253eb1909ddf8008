"""A program that submits attempts, writes down the handle of the last one, and waits to be killed."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from alula_kernel.builtin.backends import builtin_backends
from alula_kernel.builtin.process import ProcessExecutor
from alula_kernel.builtin.process.admission import Machine
from alula_kernel.contracts import Attempt, CallRequest, ExecutorContext
from alula_kernel.literals import Literal
from alula_kernel.storage import Storage
from alula_kernel.testing import NoCalls


class Patient(NoCalls):
    async def call(self, request: CallRequest) -> dict[str, Literal]:
        await asyncio.sleep(600)
        return {}


async def main(note: Path, home: str) -> None:
    worker = (sys.executable, str(Path(__file__).with_name("sample_worker.py")))
    executor = ProcessExecutor(command=worker, machine=Machine(cpus=2.0, memory_bytes=1 << 30))
    storage = Storage(builtin_backends(), "memory://content")
    executor.open(ExecutorContext(storage, home, {}, lambda task: sys.executable))
    attempts = msgspec.msgpack.decode((note / "attempts").read_bytes(), type=list[Attempt])
    handles = [await executor.submit(attempt, Patient()) for attempt in attempts]
    (note / "new").write_bytes(msgspec.json.encode(handles[-1]))
    os.rename(note / "new", note / "handle")
    await asyncio.sleep(600)


asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
