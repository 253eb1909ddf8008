"""A worker without any SDK: tasks are functions of plain values, found by module and attribute.

A function may take ``call``, with which it calls a task by its qualified name and gets the result. Run as a program.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, BinaryIO

from alula_kernel.builtin.process.endings import lost
from alula_kernel.builtin.process.worker import Worker, worker_main
from alula_kernel.contracts import SUCCEEDED, USER_FAILURE, Attempt, CallRequest, CodeReference, Outcome
from alula_kernel.literals import NONE, ListLiteral, Scalar
from alula_kernel.specs import EntityId, EntityTarget, TaskSpec
from alula_kernel.testing import run_sample
from alula_kernel.testing.attempts import failure_of
from alula_kernel.worker_protocol import Answer, Call, encode_message, read_message


class EngineGone(BaseException):
    pass


class Caller:
    """Sends calls and waits for their answers, from any thread."""

    def __init__(self, stream_in: BinaryIO, stream_out: BinaryIO) -> None:
        self._in = stream_in
        self._out = stream_out
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._answers: dict[int, Future[Answer]] = {}
        self._reader: threading.Thread | None = None

    def __call__(self, name: str, **inputs: Any) -> Any:
        return self.begin(name, **inputs)()

    def begin(self, name: str, **inputs: Any) -> Callable[[], Any]:
        request = CallRequest(
            target=EntityTarget(EntityId("task", name)), inputs={key: Scalar(value) for key, value in inputs.items()}
        )
        answer: Future[Answer] = Future()
        with self._lock:
            number = next(self._numbers)
            self._answers[number] = answer
            try:
                self._out.write(encode_message(Call(number, request)))
                self._out.flush()
            except OSError:
                raise EngineGone from None
            if self._reader is None:
                self._reader = threading.Thread(target=self._read, daemon=True)
                self._reader.start()

        def result() -> Any:
            found = answer.result()
            if found.error is not None:
                raise RuntimeError(found.error.message)
            return plain(next(iter(found.outputs.values()), NONE))

        return result

    def _read(self) -> None:
        while isinstance(message := read_message(self._in), Answer):
            self._answers.pop(message.number).set_result(message)
        for answer in self._answers.values():
            answer.set_exception(EngineGone())


class SampleWorker(Worker):
    def load_code(self, code: CodeReference) -> None:
        sys.path[:0] = code.search_path

    def load_task(self, task: TaskSpec) -> None:
        importlib.import_module(task.loader["module"])

    def run_attempt(self, attempt: Attempt, stream_in: BinaryIO, stream_out: BinaryIO) -> Outcome:
        import os

        os.environ.update({**attempt.environment, **attempt.task.environment})
        if attempt.code is not None and attempt.code.search_path:
            sys.path[:0] = [place for place in attempt.code.search_path if place not in sys.path]
        if attempt.task.loader["module"] == "alula_kernel.testing.attempts":
            return run_sample(attempt)
        try:
            function = self._function(attempt)
            arguments = self._arguments(attempt)
            if "call" in inspect.signature(function).parameters:
                arguments["call"] = Caller(stream_in, stream_out)
            return self._success(attempt, function(**arguments))
        except EngineGone:
            return lost("the engine is gone")
        except (Exception, SystemExit) as error:
            return Outcome(kind=USER_FAILURE, error=failure_of(error))

    async def run_attempt_async(self, attempt: Attempt, stream_in: BinaryIO, stream_out: BinaryIO) -> Outcome:
        try:
            return self._success(attempt, await self._function(attempt)(**self._arguments(attempt)))
        except (Exception, SystemExit) as error:
            return Outcome(kind=USER_FAILURE, error=failure_of(error))

    def _function(self, attempt: Attempt) -> Callable[..., Any]:
        loader = attempt.task.loader
        found: Callable[..., Any] = getattr(importlib.import_module(loader["module"]), loader["attribute"])
        return found

    def _arguments(self, attempt: Attempt) -> dict[str, Any]:
        return {name: plain(literal) for name, literal in attempt.inputs.items()}

    def _success(self, attempt: Attempt, result: Any) -> Outcome:
        return Outcome(kind=SUCCEEDED, outputs={"o0": Scalar(result)} if attempt.task.interface.outputs else {})


def plain(literal: Any) -> Any:
    return [plain(item) for item in literal.items] if isinstance(literal, ListLiteral) else literal.value


if __name__ == "__main__":
    worker_main(sys.argv[1:], SampleWorker())
