"""``flyte.run`` and ``flyte.with_runcontext``: what is run, is run here; a run in mode ``remote`` that failed is returned."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

import fsspec

import alula
from alula.adapting import WithAio
from alula_kernel.errors import UnknownNameError

from .phases import ActionPhase

_MODES = ("local", "remote", "hybrid")


class ActionOutputs(tuple[Any, ...]):
    """The outputs of a run, in order; by name in `named_outputs`, and as attributes."""

    named_outputs: dict[str, Any]

    def __new__(cls, named_outputs: Mapping[str, Any]) -> ActionOutputs:
        made = super().__new__(cls, named_outputs.values())
        made.named_outputs = dict(named_outputs)
        made.__dict__.update(named_outputs)
        return made

    def __repr__(self) -> str:
        shown = [
            f'{name}="{value}"' if isinstance(value, str) else f"{name}={value}"
            for name, value in self.named_outputs.items()
        ]
        return f"ActionOutputs({', '.join(shown)})"


_KEPT = 1_000
_runs: dict[str, Run] = {}
"""The latest runs of this process, by name."""


def _get(name: str, **_place: Any) -> Run:
    """Return a run of this process.

    Raises:
        UnknownNameError: There is none of that name.
    """
    if name not in _runs:
        raise UnknownNameError.among("run of this process", name, _runs)
    return _runs[name]


def _listall(
    in_phase: Iterable[str] | None = None,
    task_name: str | None = None,
    sort_by: tuple[str, str] | None = None,
    limit: int | None = None,
    **_filters: Any,
) -> Iterator[Run]:
    """Return the runs of this process, newest first.

    Args:
        in_phase: Only those in one of these phases.
        task_name: Only those of this task.
        sort_by: ``("created_at", "asc")`` for the oldest first.
        limit: Most runs to return.
        _filters: What only a server knows; not looked at.
    """
    phases = None if in_phase is None else {ActionPhase(phase) for phase in in_phase}
    found = [
        run for run in _runs.values() if (phases is None or run.phase in phases) and task_name in (None, run.task_name)
    ]
    if sort_by is None or sort_by[1] != "asc":
        found.reverse()
    return iter(found[:limit])


class _Listing:
    """`_listall` in both forms."""

    __call__ = staticmethod(_listall)

    async def aio(self, *args: Any, **filters: Any) -> AsyncIterator[Run]:
        """Do the same in an ``async for``."""
        for run in _listall(*args, **filters):
            yield run


class Run:
    """A run that has ended.

    Args:
        run: The run.
    """

    def __init__(self, run: alula.Run) -> None:
        self._run = run
        _runs[run.name] = self
        if len(_runs) > _KEPT:
            del _runs[next(iter(_runs))]

    @property
    def task_name(self) -> str:
        """Name of the task at its root."""
        return str(self._run.entity.name)

    @property
    def name(self) -> str:
        """Its name."""
        return self._run.name

    @property
    def url(self) -> str:
        """Where its report can be looked at; its name if there is none."""
        return self._run.url or f"alula:{self.name}"

    @property
    def phase(self) -> ActionPhase:
        """How it ended."""
        return ActionPhase(self._run.phase.value)

    @property
    def raw_phase(self) -> ActionPhase:
        """How it ended."""
        return self.phase

    @property
    def result(self) -> Any:
        """What a call would have returned."""
        return self._run.result

    @property
    def action(self) -> RootAction:
        """Its first action."""
        return RootAction(self)

    def done(self) -> bool:
        """Tell whether it has ended: it has."""
        return True

    def _wait(self, quiet: bool = False, wait_for: str = "terminal") -> None:
        """Return at once."""

    def _outputs(self) -> ActionOutputs:
        """Return its outputs as a tuple, also if there is only one.

        Raises:
            Exception: The run failed; what the task raised.
        """
        named = self._run.outputs().named_outputs
        # Flyte numbers outputs also where the type of the result gives them names.
        outputs = ActionOutputs({f"o{number}": value for number, value in enumerate(named.values())})
        outputs.__dict__.update(named)
        return outputs

    def _show_logs(self, *_args: Any, **_options: Any) -> None:
        """Do nothing: what tasks print has been shown."""

    def _abort(self, reason: str = "") -> None:
        """Do nothing: it has ended."""

    def _sync(self) -> Run:
        """Return the run itself."""
        return self

    def _details(self) -> Run:
        """Return the run itself."""
        return self

    def _get_report(self, attempt: int | None = None) -> str:
        """Return the HTML report of the task at its root.

        Raises:
            ValueError: It wrote none.
        """
        if not self._run.url:
            raise ValueError(f"the run {self.name} has no report; ask for one with report=True")
        with fsspec.open(self._run.url, "r", encoding="utf-8") as stream:
            return str(stream.read())

    def _get_debug_url(self) -> None:
        """Return that there is no debugger to look at."""

    get = WithAio(_get)
    listall = _Listing()
    wait = WithAio(_wait)
    outputs = WithAio(_outputs)
    show_logs = WithAio(_show_logs)
    abort = WithAio(_abort)
    sync = WithAio(_sync)
    get_report = WithAio(_get_report)
    get_debug_url = WithAio(_get_debug_url)
    details = WithAio(_details)

    def __repr__(self) -> str:
        return repr(self._run)

    def __rich_repr__(self) -> Iterator[tuple[str, str]]:
        yield "name", self.name
        yield "phase", self.phase.value
        yield "url", self.url


class RootAction:
    """The first action of a run.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        self.run_name = run.name
        self.name = "a0"
        self.phase = run.phase

    def done(self) -> bool:
        """Tell whether it has ended: it has."""
        return True

    async def wait(self, *_how: Any, **_options: Any) -> None:
        """Return at once."""


class Runner:
    """Runs tasks with options; made by `with_runcontext`.

    Args:
        runner: What runs them.
        mode: ``local``, ``hybrid`` or ``remote``; all run here.
    """

    def __init__(self, runner: Any, mode: str) -> None:
        self._runner = runner
        self._mode = mode
        self.run = WithAio(self._now, self._awaited)

    def _now(self, task: Any, /, *args: Any, **kwargs: Any) -> Run:
        return self._ended(self._runner.run(task, *args, **kwargs))

    async def _awaited(self, task: Any, /, *args: Any, **kwargs: Any) -> Run:
        return self._ended(await self._runner.run.aio(task, *args, **kwargs))

    def _ended(self, run: alula.Run) -> Run:
        if self._mode != "remote":
            run.raise_for_error()
        elif run.error is not None:
            alula.logger.error("the run %s failed: %s: %s", run.name, run.error.code, run.error.message)
        return Run(run)


def with_runcontext(
    mode: str | None = None,
    *,
    name: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    overwrite_cache: bool = False,
    disable_run_cache: bool = False,
    interruptible: bool | None = None,
    env_vars: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    log_level: int | None = None,
    max_action_concurrency: int | None = None,
    custom_context: Mapping[str, str] | None = None,
    run_base_dir: str | None = None,
    debug: bool = False,
    **unused: Any,
) -> Runner:
    """Prepare runs with options. Options that are of use on a server only are not looked at.

    Args:
        mode: ``"local"``, ``"hybrid"`` or ``"remote"``: all run here; a run that failed is returned in mode ``remote``, and
            raises otherwise.
        name: Name of the run.
        project: Project.
        domain: Domain.
        overwrite_cache: Compute although there is a cached output, and replace it.
        disable_run_cache: Neither read nor write the cache.
        interruptible: Whether attempts may run on capacity that can be taken away.
        env_vars: Environment variables of every attempt.
        labels: Labels.
        log_level: Level of Alula's own loggers.
        max_action_concurrency: Most attempts at once.
        custom_context: Text by name that every task hands on to those that it calls.
        run_base_dir: Folder or URI prefix for reports, checkpoints and named files.
        debug: Enter the debugger where a task failed.
        unused: Not looked at.

    Raises:
        UnknownNameError: There is no such mode or option.
    """
    if mode is not None and mode not in _MODES:
        raise UnknownNameError.among("mode of a run", mode, _MODES)
    for option in unused:
        if option not in _UNUSED:
            raise UnknownNameError.among("option of a run", option, _UNUSED)
    runner = alula.with_runcontext(
        name=name or "",
        project=project,
        domain=domain,
        overwrite_cache=overwrite_cache,
        disable_run_cache=disable_run_cache,
        interruptible=interruptible,
        env_vars=env_vars,
        labels=labels,
        log_level=log_level,
        max_action_concurrency=max_action_concurrency,
        custom_context=custom_context,
        run_base_dir=run_base_dir,
        debug=debug,
    )
    return Runner(runner, mode or "local")


_UNUSED = (
    "annotations",
    "cache_lookup_scope",
    "copy_bundle_to",
    "copy_style",
    "dry_run",
    "interactive_mode",
    "log_format",
    "notifications",
    "preserve_original_types",
    "queue",
    "raw_data_path",
    "reset_root_logger",
    "run_start_time",
    "service_account",
    "tracked",
    "tracked_strict",
    "user_log_level",
    "version",
)


def _run(task: Any, /, *args: Any, **kwargs: Any) -> Run:
    """Run a task here and now, and return the run.

    Raises:
        Exception: It failed; what the task raised.
    """
    return Runner(alula, "local").run(task, *args, **kwargs)


async def _run_async(task: Any, /, *args: Any, **kwargs: Any) -> Run:
    return await Runner(alula, "local").run.aio(task, *args, **kwargs)


run = WithAio(_run, _run_async)
__all__ = ["Run", "Runner", "run", "with_runcontext"]
