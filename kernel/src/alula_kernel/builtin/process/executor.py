"""The ``process`` executor: each attempt in a process of its own on this machine."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from ...attempt_folders import attempt_path, attempts_folder
from ...contracts import (
    SYSTEM_FAILURE,
    Attempt,
    Controller,
    ExecutorContext,
    Handle,
    Outcome,
    TaskExecutor,
    depth_of,
)
from ...errors import ActionError, EngineError, UsageError
from ...specs import ReuseSpec, TaskSpec
from .admission import Admission, Machine, Need

if TYPE_CHECKING:
    from ...processes import ProcessId
    from .files import AttemptFiles
    from .pools import FreshPlace, Pool
    from .running import Place, Running
    from .templates import TemplateKey, Templates

_LOG_PAUSE_SECONDS = 0.05
_KEPT_PLANS = 256


class ProcessExecutor(TaskExecutor):
    """Runs each attempt in a process of its own on this machine.

    A template process loads the code once and forks a child for each attempt; a task whose environment says so is run by
    workers that are kept. What a handle says, and files in the folder of all attempts, are enough to find an attempt again
    after this process died; its children go on meanwhile.

    Args:
        command: How a worker is started; None for ``python -m alula.worker`` with the Python of the task's image.
        machine: What there is to hand out; None to look.
        idle_seconds: A template ends after so long without anything to do.
        spawn: Whether each attempt begins in a fresh interpreter instead of a fork.
        children_survive: Whether `close` leaves attempts alone that still run.
    """

    name = "process"
    enforces_timeout = True
    submits_at_once = True

    def __init__(
        self,
        *,
        command: Sequence[str] | None = None,
        machine: Machine | None = None,
        idle_seconds: float = 300.0,
        spawn: bool = False,
        children_survive: bool = False,
    ) -> None:
        self._command = command
        self._machine = machine
        self._idle_seconds = idle_seconds
        self._spawn = spawn
        self._children_survive = children_survive
        self._context: ExecutorContext | None = None
        self._admission: Admission | None = None
        self._templates: Templates | None = None
        self._pools: dict[object, Pool] = {}
        self._running: dict[str, Running] = {}
        self._interpreters: dict[str, str] = {}
        self._plans: dict[int, _Plan] = {}
        self._root = ""
        self._folder = ""
        self._folder_is_new = False
        self._engine = ""

    def open(self, context: ExecutorContext) -> None:
        self._context = context
        self._root = attempts_folder(context.home)

    # --- before it runs ----------------------------------------------------------------------------------------------

    @property
    def admission(self) -> Admission:
        """Who may run when; made when it is first asked for."""
        if self._admission is None:
            self._admission = Admission(self._machine or Machine.here())
        return self._admission

    def validate(self, task: TaskSpec) -> None:
        self._need(task)

    def _need(self, task: TaskSpec) -> Need:
        """Return what a task needs.

        Raises:
            UsageError: The machine does not have it.
        """
        need = Need.of(task, task.reuse.concurrency if task.reuse is not None else 1)
        need.check(self.admission.machine, task)
        return need

    async def submit(self, attempt: Attempt, controller: Controller) -> Handle:
        from .files import AttemptFiles
        from .running import Running

        name = attempt_path(attempt)
        running = self._running.get(name)
        if running is not None:
            return running.handle
        files = AttemptFiles(f"{self._opened_root}/{name}")
        handle = {"attempt": attempt.id, "files": name, "engine": self._own_id()}
        if not self._is_new(name) and files.begun:
            return handle
        try:
            plan = self._plan(attempt)
        except UsageError as problem:
            _refuse(files, problem)
            return handle
        running = Running(attempt, controller, files, name, self._root, self.admission, plan.need, handle, self._forget)
        self._running[name] = running
        image = attempt.task.image
        place = None if image and image not in self._interpreters else self._place(attempt, plan)
        if place is None:
            running.prepare(self._place_later(attempt, plan))
        else:
            running.enter(place)
        return handle

    def _is_new(self, name: str) -> bool:
        """Tell whether nobody can have begun an attempt before, since the folder of its run was made by this object."""
        folder = os.path.dirname(name)
        if folder != self._folder:
            for running in list(self._running.values()):
                if running.loop.is_closed():
                    running.abandon()
            path = f"{self._root}/{folder}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            try:
                os.mkdir(path)
                self._folder_is_new = True
            except FileExistsError:
                self._folder_is_new = False
            self._folder = folder
        return self._folder_is_new

    def _plan(self, attempt: Attempt) -> _Plan:
        """Return what attempts of a task in a run have in common, worked out once as a map has many of them.

        Raises:
            UsageError: The task cannot run here.
        """
        plan = self._plans.get(id(attempt.task))
        if plan is None or not plan.fits(attempt):
            _check_code(attempt)
            plan = _Plan(attempt, self._need(attempt.task))
            if len(self._plans) >= _KEPT_PLANS:
                self._plans.clear()
            self._plans[id(attempt.task)] = plan
        return plan

    def _place(self, attempt: Attempt, plan: _Plan) -> Place | None:
        """Return where an attempt is to run; None if it has to wait for a worker."""
        from .pools import FreshPlace

        if plan.key is None:
            plan.key = self._template_key(attempt)
        if plan.pool is not None:
            return plan.pool.take()
        fresh = FreshPlace(self._open_templates(), plan.key, attempt.task)
        if attempt.task.reuse is None:
            return fresh
        plan.pool = self._pool(attempt, fresh, attempt.task.reuse, plan.need)
        return plan.pool.take()

    async def _place_later(self, attempt: Attempt, plan: _Plan) -> Place:
        import asyncio

        image = attempt.task.image
        if image and image not in self._interpreters:
            assert self._context is not None
            self._interpreters[image] = await asyncio.to_thread(self._context.interpreter, attempt.task)
        place = self._place(attempt, plan)
        if place is None:
            assert plan.pool is not None
            place = await plan.pool.seat(depth_of(attempt.action))
        return place

    def _template_key(self, attempt: Attempt) -> TemplateKey:
        from .templates import TemplateKey

        task = attempt.task
        assert attempt.code is not None
        return TemplateKey(
            interpreter=self._interpreters[task.image] if task.image else sys.executable,
            code=attempt.code,
            folder=os.getcwd(),
            environment=tuple(sorted({**attempt.environment, **task.environment}.items())),
            spawn=self._spawn,
        )

    def _open_templates(self) -> Templates:
        if self._templates is None:
            from .templates import Templates

            assert self._context is not None
            self._templates = Templates(self._command, self._context.worker_environment, self._root, self._idle_seconds)
            # Templates end by themselves with this process, but not before they notice.
            atexit.register(self.close)
        return self._templates

    def _pool(self, attempt: Attempt, fresh: FreshPlace, reuse: ReuseSpec, need: Need) -> Pool:
        """Return the kept workers for an attempt. What may differ between tenants keeps them apart."""
        from ...canonical import fingerprint
        from .pools import Pool

        task = attempt.task
        key = (
            fresh.key,
            attempt.project,
            attempt.domain,
            task.environment_name or task.id.name,
            attempt.run if reuse.scope == "run" else "",
            task.secrets,
            fingerprint((task.resources, reuse)),
        )
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = Pool(fresh, reuse, need)
        return pool

    @property
    def _opened_root(self) -> str:
        if self._context is None:
            raise EngineError(f"executor {self.name} was used before it was opened")
        return self._root

    def _own_id(self) -> str:
        if not self._engine:
            from ...processes import ProcessId

            self._engine = str(ProcessId.own())
        return self._engine

    def _forget(self, running: Running) -> None:
        if self._running.get(running.name) is running:
            del self._running[running.name]

    # --- while it runs -----------------------------------------------------------------------------------------------

    async def wait(self, handle: Handle) -> Outcome:
        import asyncio

        from .running import follow

        running = self._running.get(handle["files"])
        if running is not None and running.loop is asyncio.get_running_loop():
            return await running.wait()
        return await follow(self._files(handle), self._root, _submitter(handle))

    async def cancel(self, handle: Handle) -> None:
        from .endings import cancelled, outcome_of
        from .files import CANCELLED_STOP
        from .running import end_process

        files = self._files(handle)
        running = self._running.get(handle["files"])
        if outcome_of(files, self._root) is not None or not (files.begun or _submitter(handle).alive):
            return
        files.stop(CANCELLED_STOP)
        if files.close():  # no process has begun it, and none will
            if running is not None:
                running.finish(cancelled())
        elif running is not None and _shares_process(running):
            running.ask_to_stop("cancelled")
        else:
            await end_process(files)

    async def logs(self, handle: Handle, *, follow: bool = True) -> AsyncIterator[bytes]:
        import asyncio

        from .endings import outcome_of

        files = self._files(handle)
        offsets = [0, 0]
        while True:
            ended = not follow or outcome_of(files, self._root) is not None
            for error in (False, True):
                while piece := files.read_log(error, offsets[error], self._root):
                    offsets[error] += len(piece)
                    yield piece
            if ended or not (files.begun or _submitter(handle).alive):
                return
            await asyncio.sleep(_LOG_PAUSE_SECONDS)

    def _files(self, handle: Handle) -> AttemptFiles:
        from .files import AttemptFiles

        return AttemptFiles(f"{self._opened_root}/{handle['files']}")

    def close(self) -> None:
        if self._templates is None:
            return
        atexit.unregister(self.close)
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        self._plans.clear()
        for running in list(self._running.values()):
            if running.outcome is not None:
                continue
            running.abandon()
            if not self._children_survive:
                running.files.close()  # else what is on its way to a process would begin yet
                claim = running.files.claim()
                if claim is not None:
                    claim.process.signal_group(signal.SIGKILL)
        self._templates.close(wait=not self._children_survive)
        self._templates = None


class _Plan:
    """What attempts of one task in one run have in common.

    Args:
        attempt: One of them.
        need: What each of them needs.

    Attributes:
        key: Their template; None before the first place was looked for.
        pool: Their kept workers, if there are any.
    """

    __slots__ = ("_attempt", "key", "need", "pool")

    def __init__(self, attempt: Attempt, need: Need) -> None:
        # Without the inputs, which would be kept; the objects in it keep their identities as long as it is there.
        self._attempt = msgspec.structs.replace(attempt, inputs={})
        self.need = need
        self.key: TemplateKey | None = None
        self.pool: Pool | None = None

    def fits(self, attempt: Attempt) -> bool:
        """Tell whether an attempt is of the same task and run, as far as a glance can tell."""
        own = self._attempt
        return (
            attempt.task is own.task
            and attempt.code is own.code
            and attempt.environment is own.environment
            and attempt.run == own.run
            and attempt.project == own.project
            and attempt.domain == own.domain
        )


def _submitter(handle: Handle) -> ProcessId:
    """Return the engine that submitted an attempt; one that is gone if the handle does not tell."""
    from ...processes import ProcessId

    return ProcessId.parse(handle["engine"]) or ProcessId(0, 1)


def _check_code(attempt: Attempt) -> None:
    if attempt.code is None:
        raise UsageError(
            f"task {attempt.task.id.name} exists in this process only, so no other can run it",
            hint="Define it at the top of a module, or use the executor inline.",
        )


def _refuse(files: AttemptFiles, problem: UsageError) -> None:
    """Let an attempt fail that cannot run here, however often it is tried."""
    error = ActionError(code=type(problem).__name__, message=str(problem), kind="system", recoverable=False)
    files.write_outcome(Outcome(kind=SYSTEM_FAILURE, error=error))
    files.close()


def _shares_process(running: Running) -> bool:
    reuse = running.attempt.task.reuse
    return reuse is not None and reuse.concurrency > 1
