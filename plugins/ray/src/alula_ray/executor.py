"""The executor ``ray``: tasks with a `RayJobConfig` on a Ray of their own or as jobs, and plain tasks on a cluster."""

from __future__ import annotations

import atexit
import importlib.util
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec

from alula_kernel.contracts import Attempt, Controller, ExecutorContext, Handle, Outcome, TaskExecutor
from alula_kernel.errors import EngineError, MissingDependencyError, UsageError
from alula_kernel.specs import TaskSpec

from .addresses import LOCAL, address_of, check_address, has_jobs_only

if TYPE_CHECKING:
    from .bridges import Bridges
    from .jobs import ClusterJobs
    from .tasks import ClusterTasks

_TASK, _JOB, _LOCAL_JOB = "task", "job", "local"


class RayExecutor(TaskExecutor):
    """Runs attempts on Ray.

    A plain task is a task of Ray on the cluster that ``ALULA_RAY_ADDRESS`` names, or on a Ray that is started on this
    machine and shut down with this process. A task with a `RayJobConfig` is a job of its cluster, or a process on this
    machine with a Ray of its own. Where the address is that of the Jobs API, plain tasks are jobs too.

    Nothing of Ray is imported into this process: others talk to clusters for it.

    Args:
        bridges: Connections to clusters that others use as well; None for connections of its own, which `close` ends.
        grace_seconds: How long a cluster may be out of reach before its attempts are lost.
    """

    name = "ray"
    task_types = ("ray",)
    enforces_timeout = True
    remote = True

    def __init__(self, bridges: Bridges | None = None, grace_seconds: float = 30.0) -> None:
        self._shared = bridges
        self._own: Bridges | None = None
        self._grace_seconds = grace_seconds
        self._context: ExecutorContext | None = None
        self._local: TaskExecutor | None = None
        self._clusters: dict[str, ClusterTasks | ClusterJobs] = {}
        self._checked: set[tuple[str, str]] = set()

    def open(self, context: ExecutorContext) -> None:
        self._context = context

    # --- what runs attempts ---

    @property
    def _opened(self) -> ExecutorContext:
        if self._context is None:
            raise EngineError("executor ray was used before it was opened")
        return self._context

    @property
    def _bridges(self) -> Bridges:
        if self._shared is not None:
            return self._shared
        if self._own is None:
            from .bridges import Bridges

            self._own = Bridges(self._opened.home)
            atexit.register(self.close)
        return self._own

    def _cluster(self, form: str) -> ClusterTasks | ClusterJobs:
        known = self._clusters.get(form)
        if known is None:
            from .jobs import ClusterJobs
            from .tasks import ClusterTasks

            made = ClusterJobs if form == _JOB else ClusterTasks
            known = self._clusters[form] = made(self._opened, self._bridges, self._grace_seconds)
        return known

    def _processes(self) -> TaskExecutor:
        """Return what runs a Ray task on this machine: a process each, which starts a Ray of its own."""
        if self._local is None:
            from alula_kernel.builtin.process import ProcessExecutor

            from .session import QUIET, loopback_environment

            context = self._opened
            environment = {**context.worker_environment, **QUIET, **loopback_environment(context.home)}
            self._local = ProcessExecutor(spawn=True)
            self._local.open(msgspec.structs.replace(context, worker_environment=environment))
        return self._local

    def _form(self, task: TaskSpec, address: str) -> str:
        if task.type == "ray":
            return _LOCAL_JOB if address == LOCAL else _JOB
        return _JOB if has_jobs_only(address) else _TASK

    # --- the contract ---

    def validate(self, task: TaskSpec) -> None:
        """Refuse a task for which there is no Ray, or another one than the cluster's.

        Raises:
            MissingDependencyError: Ray is not installed.
            UsageError: The address is none, nobody answers there, or the cluster runs another version.
        """
        if importlib.util.find_spec("ray") is None:
            raise MissingDependencyError(
                f"task {task.id.name} runs on Ray, which is not installed",
                hint='Install it: pip install "ray[default]"',
            )
        address = address_of(task)
        check_address(address, f"address of task {task.id.name}")
        form = self._form(task, address)
        if form == _LOCAL_JOB:
            self._processes().validate(task)
            return
        from .cluster import pip_of, ray_resources

        ray_resources(task)
        pip_of(task)
        if address != LOCAL and (form, address) not in self._checked:
            self._check_cluster(form, address)
            self._checked.add((form, address))

    def _check_cluster(self, form: str, address: str) -> None:
        from .messages import BridgeError, UnreachableError, VersionError
        from .versions import check_version

        bridge = self._bridges.to(address)
        try:
            if form == _JOB:
                check_version(bridge.ask("cluster_version").result(), address)
            else:
                bridge.ask("connect").result()
        except UnreachableError as problem:
            raise UsageError(
                f"no Ray cluster can be reached at {address}: {problem}",
                hint="Is it running? From a machine that is no node of it, use http://host:8265 or ray://host:10001.",
            ) from problem
        except VersionError as problem:
            raise UsageError(
                f"the Ray cluster at {address} differs from this environment: {problem}",
                hint='Install the cluster\'s version here (pip install "ray[default]==X.Y.Z"), or start the cluster with this one.',
            ) from problem
        except BridgeError as problem:
            raise UsageError(
                f"the Ray cluster at {address} cannot be used: {problem.error_class}: {problem}"
            ) from problem

    async def submit(self, attempt: Attempt, controller: Controller) -> Handle:
        import asyncio

        address = address_of(attempt.task)
        await asyncio.to_thread(self.validate, attempt.task)
        form = self._form(attempt.task, address)
        if form == _LOCAL_JOB:
            return {"form": form, **await self._processes().submit(attempt, controller)}
        if attempt.code is None:
            raise UsageError(
                f"task {attempt.task.id.name} exists in this process only, so no other can run it",
                hint="Define it at the top of a module, or use the executor inline.",
            )
        return await self._cluster(form).submit(attempt, address)

    async def wait(self, handle: Handle) -> Outcome:
        from .cluster import classified, lost

        form = handle["form"]
        if form == _LOCAL_JOB:
            return classified(await self._processes().wait(handle))
        if (problem := _problem_of(handle)) is not None:
            return lost(problem)
        return await self._cluster(form).wait(handle)

    async def cancel(self, handle: Handle) -> None:
        if handle["form"] == _LOCAL_JOB:
            await self._processes().cancel(handle)
        elif _problem_of(handle) is None:
            await self._cluster(handle["form"]).cancel(handle)

    async def logs(self, handle: Handle, *, follow: bool = True) -> AsyncIterator[bytes]:
        form = handle["form"]
        if form != _LOCAL_JOB and _problem_of(handle) is not None:
            return
        source = self._processes() if form == _LOCAL_JOB else self._cluster(form)
        async for piece in source.logs(handle, follow=follow):
            yield piece

    def close(self) -> None:
        if self._local is not None:
            self._local.close()
            self._local = None
        self._clusters.clear()
        if self._own is not None:
            atexit.unregister(self.close)
            self._own.close()
            self._own = None


def _problem_of(handle: Handle) -> str | None:
    """Return what is wrong with a handle; None if it can be one of this executor's."""
    if handle["form"] not in {_TASK, _JOB}:
        return f"attempts of the form {handle['form']!r} are unknown here"
    try:
        check_address(handle["address"], "the address of the attempt")
    except UsageError as problem:
        return problem.message
    return None
