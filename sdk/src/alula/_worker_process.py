"""What the processes of the ``process`` executor know of tasks: how they are loaded, and how an attempt is run."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

from alula_kernel.builtin.process.endings import cancelled, lost
from alula_kernel.builtin.process.worker import Worker
from alula_kernel.contracts import Attempt, CodeReference, Outcome
from alula_kernel.specs import TaskSpec

from ._app import current_app
from ._leftovers import remove_working_folders
from ._secret_files import remove_secret_files
from ._secret_providers import hidden_variables, hide_variables
from ._worker_channel import Channel, ChannelController, EngineGoneError
from ._worker_code import loading_failure
from .worker import attempt_in, controller_over, load_code, task_of, with_entities


class ProcessWorker(Worker):
    """Loads and runs tasks of this SDK."""

    def __init__(self) -> None:
        hide_variables()

    def environment(self) -> dict[str, str]:
        return {**os.environ, **hidden_variables()}

    def end(self) -> None:
        used = sys.modules.get(f"{__package__}._data.scratch")  # which is not imported for this
        if used is not None:
            used.scratch.remove()

    def child_ended(self, killed: bool) -> None:
        remove_secret_files()
        if killed:
            remove_working_folders()

    def load_code(self, code: CodeReference) -> None:
        load_code(code)

    def load_task(self, task: TaskSpec) -> None:
        # What an attempt imports, so that its children need not: asyncio for coroutine functions, and the rest.
        from alula_kernel.builtin import inline  # noqa: F401
        from alula_kernel.engine import attempts  # noqa: F401

        if not task.blocking:
            import asyncio  # noqa: F401
        task_of(task).body(current_app())

    def run_attempt(self, attempt: Attempt, stream_in: BinaryIO, stream_out: BinaryIO) -> Outcome:
        # Who runs alone in its process is stopped by signals.
        app, channel = current_app(), Channel(stream_in, stream_out, None)
        controller = controller_over(channel, app)
        try:
            return _unless_gone(attempt_in(app, attempt, controller), controller)
        except EngineGoneError:
            return _engine_gone()
        finally:
            channel.close()

    async def run_attempt_async(self, attempt: Attempt, stream_in: BinaryIO, stream_out: BinaryIO) -> Outcome:
        import asyncio

        from alula_kernel.builtin.inline import InlineExecutor

        app, loop, task = current_app(), asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def stop(reason: str) -> None:
            loop.call_soon_threadsafe(task.cancel, reason)

        channel = Channel(stream_in, stream_out, stop)
        controller = controller_over(channel, app)
        try:
            if attempt.code is not None:
                load_code(attempt.code)
            task_of(attempt.task).body(app)
        except (Exception, SystemExit) as failure:  # noqa: BLE001 - modules of the user's may raise anything
            return loading_failure(failure)
        executor = InlineExecutor(app.body)
        try:
            running = executor.run(attempt, controller)
            outcome = running if isinstance(running, Outcome) else await running
        except asyncio.CancelledError:
            return cancelled()
        except EngineGoneError:
            return _engine_gone()
        finally:
            channel.close()
        return _unless_gone(with_entities(app, outcome), controller)


def _unless_gone(outcome: Outcome, controller: ChannelController) -> Outcome:
    controller.close()  # whoever sends the outcome writes to the same stream
    # The task may have caught that, and gone on without the answer.
    return _engine_gone() if controller.engine_gone else outcome


def _engine_gone() -> Outcome:
    return lost("the engine that it called is gone")
