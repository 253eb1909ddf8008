"""``alula.map``: many calls of one entity at once, with results as they come."""

from __future__ import annotations

import functools
import itertools
from collections.abc import AsyncIterator, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any

from alula_kernel.contracts import CallFailedError, CallRequest, Controller
from alula_kernel.errors import AlulaError, CompileError, TaskError, UnknownNameError, UsageError, exception_for
from alula_kernel.literals import Literal
from alula_kernel.specs import EntityId

from ._custom_context import added_context
from ._entity import Entity
from ._groups import current_group
from ._state import STATE, call_site

if TYPE_CHECKING:
    import asyncio

    from alula_kernel.engine import OpenRun

    from ._app import App
    from ._context import TaskContext

_IN_FLIGHT = 1_000
"""Calls at once where no limit is given, so that memory does not grow with the number of items."""

_AHEAD = 4
"""Results that may wait for one before them, as a multiple of the calls at once."""

_MISSING: Any = object()


class Mapper:
    """Calls an entity once per item, many calls at once: ``alula.map(task, items)`` and ``alula.map.aio(task, items)``.

    In a task, the calls are its children; at top level they are children of one run that is made for the map.
    """

    def __call__(
        self,
        func: Any,
        /,
        *iterables: Iterable[Any],
        group_name: str | None = None,
        concurrency: int = 0,
        return_exceptions: bool = True,
        ordered: bool = True,
    ) -> Iterator[Any]:
        """Call an entity once per item and yield the results, blocking while none is there.

        Items are taken from the iterables, and calls begun, as results are consumed, so that both may be endless.

        Args:
            func: A task, workflow or launch plan, or a ``functools.partial`` of one.
            iterables: Values of the inputs that are not bound, in order. Those that have a length must have the same one;
                others must have at least as many items, or all the same number if none has a length.
            group_name: Name under which people see the calls; ``<task>_map`` if it is not given.
            concurrency: Most calls at once; 0 for at most 1,000.
            return_exceptions: Whether an item that failed gives its exception as a value. If not, the first one is raised
                and the calls that are under way are cancelled.
            ordered: Whether results come in the order of the items. If not, they come as they are there.

        Raises:
            UsageError: The call cannot be made like that; nothing has run.
        """
        plan = _Plan(func, iterables, group_name, concurrency, return_exceptions, ordered)
        return _each(plan) if plan.context is not None else _each_in_run(plan)

    def aio(
        self,
        func: Any,
        /,
        *iterables: Iterable[Any],
        group_name: str | None = None,
        concurrency: int = 0,
        return_exceptions: bool = True,
        ordered: bool = True,
    ) -> AsyncIterator[Any]:
        """Do the same in the caller's event loop: ``async for result in alula.map.aio(task, items)``.

        Leaving the loop early cancels the calls that are under way when the iterator is closed, as by
        ``contextlib.aclosing``.

        Raises:
            UsageError: The call cannot be made like that; nothing has run.
        """
        plan = _Plan(func, iterables, group_name, concurrency, return_exceptions, ordered)
        return _each_async(plan) if plan.context is not None else _each_async_in_run(plan)

    def __repr__(self) -> str:
        return "<function alula.map>"


map = Mapper()  # noqa: A001 - the name that users know; nobody imports it bare


class _Plan:
    """A map that is to be made: what is called, on what, and how.

    Attributes:
        context: The task that maps; None at top level.
        limit: Most calls at once.
        room: Most calls whose results have not been taken.
    """

    def __init__(
        self,
        func: Any,
        iterables: tuple[Iterable[Any], ...],
        group_name: str | None,
        concurrency: int,
        return_exceptions: bool,
        ordered: bool,
    ) -> None:
        location = call_site()
        state = STATE.get()
        if state is not None and state.compiling:
            raise CompileError(
                "alula.map is called while a workflow is compiled", hint="Use map_task in workflows.", location=location
            )
        if concurrency < 0:
            raise UsageError(f"concurrency must be at least 0, found {concurrency}", location=location)
        from ._app import current_app

        self.context: TaskContext | None = state  # type: ignore[assignment]
        self.app: App = current_app() if state is None else state.app
        self.entity, bound = _unbound(func, location)
        self.return_exceptions = return_exceptions
        self.ordered = ordered
        self.limit = concurrency or _IN_FLIGHT
        self.room = self.limit * _AHEAD
        self._compiled = self.entity.compiled(self.app)
        self.entity.check_given(bound)
        self._names = _free_names(self._compiled.inputs, bound, len(iterables), self.entity.title, location)
        self._compiled.check_complete({**bound, **dict.fromkeys(self._names)}, location)
        self._bound = self._compiled.inputs_to_literals(bound)
        self.group = group_name or f"{self.entity.shown_name or self.entity.short_name}_map"
        around = current_group(state)
        if around:
            self.group = f"{around}/{self.group}"
        self._added = added_context(state) if state is not None else {}  # at top level, the run's options have it
        self.rows = _rows(iterables, location)

    def request(self, row: tuple[Any, ...]) -> CallRequest:
        """Return the call for one item.

        Raises:
            ValueConversionError: A value does not fit its input.
        """
        inputs = self._compiled.inputs_to_literals(dict(zip(self._names, row, strict=True)))
        return self.entity.request(self.app, {**self._bound, **inputs}, self.group, self._added)

    def result(self, outputs: dict[str, Literal] | None, failure: Exception | None) -> Any:
        """Return what an item gives: its result, or its exception.

        Raises:
            Exception: It failed, and exceptions are not returned.
        """
        if failure is None:
            assert outputs is not None
            return self._compiled.outputs_to_python(outputs)
        if isinstance(failure, CallFailedError):
            made: Exception = exception_for(failure.error, failure.original)
            made.__cause__ = failure.original
            failure = made
        if self.return_exceptions and isinstance(failure, Exception):
            return failure
        raise failure

    def open_run(self) -> OpenRun:
        """Begin the run that a map at top level is."""
        from alula_kernel.engine import RunOptions

        from ._run import completed_options

        settings = self.app.settings
        options = completed_options(self.app, RunOptions(project=settings.project, domain=settings.domain))
        entity = EntityId("map", self.entity.name, settings.project, settings.domain)
        return self.app.engine.open_run(self.group, entity, options)


class _Window:
    """What has been begun and not yielded yet, in the order in which it may be yielded.

    Args:
        plan: The map.
    """

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        self._begun = 0
        self._running = 0
        self._yielded = 0
        self._waiting: dict[int, Any] = {}

    @property
    def running(self) -> int:
        """How many have not ended."""
        return self._running

    @property
    def has_room(self) -> bool:
        """Whether one more may be begun."""
        return self._running < self._plan.limit and self._begun - self._yielded < self._plan.room

    def begin(self) -> int:
        """Count one more that runs and return its position."""
        self._running += 1
        self._begun += 1
        return self._begun - 1

    def end(self, position: int, outputs: dict[str, Literal] | None, failure: Exception | None) -> None:
        """Take the end of one.

        Raises:
            Exception: It failed, and exceptions are not returned.
        """
        self._running -= 1
        self._waiting[position] = self._plan.result(outputs, failure)

    def ready(self) -> Iterator[Any]:
        """Yield what may be yielded now."""
        waiting = self._waiting
        while waiting:
            if self._plan.ordered:
                if self._yielded not in waiting:
                    return
                result = waiting.pop(self._yielded)
            else:
                result = waiting.pop(next(iter(waiting)))
            self._yielded += 1
            yield result


# --- blocking --------------------------------------------------------------------------------------------------------


def _each(plan: _Plan) -> Iterator[Any]:
    assert plan.context is not None
    return _results(plan, plan.context.controller)


def _each_in_run(plan: _Plan) -> Iterator[Any]:
    run = plan.open_run()
    with _concluded(plan, run):
        yield from _results(plan, run.controller)


def _results(plan: _Plan, controller: Controller) -> Iterator[Any]:
    window = _Window(plan)
    calls = controller.calls()
    reason = "the map was left before its end"
    try:
        while True:
            ended = False
            while not ended and window.has_room and (row := next(plan.rows, None)) is not None:
                position = window.begin()
                try:
                    request = plan.request(row)
                except AlulaError as problem:
                    window.end(position, None, problem)
                    break
                ended = calls.begin(position, request)
            else:
                if not window.running:
                    return
                end = calls.next_end()
                window.end(*end)
            yield from window.ready()
    except TaskError as failure:
        reason = f"{failure.error.name or 'another item'} failed"
        raise
    finally:
        calls.close(reason)


# --- in an event loop ------------------------------------------------------------------------------------------------


def _each_async(plan: _Plan) -> AsyncIterator[Any]:
    assert plan.context is not None
    return _async_results(plan, plan.context.controller)


async def _each_async_in_run(plan: _Plan) -> AsyncIterator[Any]:
    run = plan.open_run()
    with _concluded(plan, run):
        results = _async_results(plan, run.controller)
        try:
            async for result in results:
                yield result
        finally:
            await results.aclose()  # type: ignore[attr-defined]


async def _async_results(plan: _Plan, controller: Controller) -> AsyncIterator[Any]:
    import asyncio

    window = _Window(plan)
    ends: asyncio.Queue[tuple[int, asyncio.Task[dict[str, Literal]]]] = asyncio.Queue()
    running: set[asyncio.Task[dict[str, Literal]]] = set()
    try:
        while True:
            while window.has_room and (row := next(plan.rows, None)) is not None:
                position = window.begin()
                try:
                    request = plan.request(row)
                except AlulaError as problem:
                    window.end(position, None, problem)
                    break
                task = asyncio.ensure_future(controller.call(request))
                running.add(task)
                task.add_done_callback(functools.partial(_tell, ends, position))
            else:
                if not window.running:
                    return
                position, task = await ends.get()
                running.discard(task)
                window.end(position, *_end_of(task))
            for result in window.ready():
                yield result
    finally:
        for task in running:
            task.cancel("the map was left before its end")
        if running:
            await asyncio.gather(*running, return_exceptions=True)


def _tell(
    ends: asyncio.Queue[tuple[int, asyncio.Task[dict[str, Literal]]]],
    position: int,
    task: asyncio.Task[dict[str, Literal]],
) -> None:
    ends.put_nowait((position, task))


def _end_of(task: asyncio.Task[dict[str, Literal]]) -> tuple[dict[str, Literal] | None, Exception | None]:
    failure = task.exception()
    if failure is None:
        return task.result(), None
    if not isinstance(failure, CallFailedError):
        raise failure
    return None, failure


# --- the run of a map at top level -----------------------------------------------------------------------------------


class _concluded:  # noqa: N801 - used as a function
    """Records how the run of a map ends, and forgets its actions.

    Args:
        plan: The map.
        run: Its run.
    """

    def __init__(self, plan: _Plan, run: OpenRun) -> None:
        self._store = plan.app.engine.store
        self._run = run

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, _traceback: object) -> None:
        if isinstance(failure, TaskError):
            self._run.end(error=failure.error)
        elif failure is not None:
            left = isinstance(failure, GeneratorExit)
            self._run.end(stopped="the map was left before its end" if left else f"{type(failure).__name__}: {failure}")
        else:
            self._run.end()
        self._store.forget(self._run.name)


# --- arguments -------------------------------------------------------------------------------------------------------


def _unbound(func: Any, location: str) -> tuple[Entity, dict[str, Any]]:
    """Take partials apart: the entity, and the inputs that are bound."""
    bound: dict[str, Any] = {}
    first: tuple[Any, ...] = ()
    while isinstance(func, functools.partial):
        first = (*func.args, *first)
        bound = {**func.keywords, **bound}
        func = func.func
    if not isinstance(func, Entity):
        found = getattr(func, "__qualname__", None) or type(func).__qualname__
        raise UsageError(
            f"alula.map takes a task, workflow or launch plan, or a functools.partial of one, found {found}",
            hint="Decorate the function with @env.task.",
            location=location,
        )
    named = dict(zip(func.python_interface.inputs, first, strict=False))
    twice = named.keys() & bound.keys()
    if len(first) > len(func.python_interface.inputs) or twice:
        raise UsageError(f"too many values are bound to {func.title}", location=location)
    for name in bound:
        if name not in func.python_interface.inputs:
            raise UnknownNameError.among("input", name, func.python_interface.inputs, location=location)
    return func, {**named, **bound}


def _free_names(inputs: Iterable[str], bound: dict[str, Any], count: int, title: str, location: str) -> tuple[str, ...]:
    free = [name for name in inputs if name not in bound]
    if not count:
        raise UsageError("alula.map needs something to go through", hint="alula.map(task, items)", location=location)
    if count > len(free):
        raise UsageError(
            f"alula.map was given {count} iterables, and {title} has {len(free)} inputs that are not bound",
            location=location,
        )
    return tuple(free[:count])


def _rows(iterables: tuple[Iterable[Any], ...], location: str) -> Iterator[tuple[Any, ...]]:
    lengths = [len(iterable) for iterable in iterables if isinstance(iterable, Sized)]
    if len(set(lengths)) > 1:
        counts = ", ".join(str(length) for length in lengths)
        raise UsageError(f"the lists given to alula.map have different lengths: {counts}", location=location)
    iterators = [iter(iterable) for iterable in iterables]
    if not lengths:
        return _all_rows(iterators, itertools.count(), location)
    return _all_rows(iterators, range(lengths[0]), location)


def _all_rows(iterators: list[Iterator[Any]], numbers: Iterable[int], location: str) -> Iterator[tuple[Any, ...]]:
    for number in numbers:
        row = tuple(next(iterator, _MISSING) for iterator in iterators)
        ended = sum(value is _MISSING for value in row)
        if ended:
            if ended == len(row) and not isinstance(numbers, range):
                return
            raise UsageError(
                f"an iterator given to alula.map ended after {number} items, before the others", location=location
            )
        yield row


__all__ = ["Mapper", "map"]
