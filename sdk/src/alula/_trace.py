"""``alula.trace``: steps of a task that are recorded, and not repeated when the task runs again."""

from __future__ import annotations

import contextlib
import functools
import inspect
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from alula_kernel.contracts import Trace, TraceRequest
from alula_kernel.errors import CompileError, exception_for
from alula_kernel.literals import Literal

from ._context import TaskContext
from ._groups import current_group
from ._interface import CompiledInterface, PythonInterface, function_interface, local_names, source_location
from ._redaction import MASK, knows_secrets
from ._state import STATE
from .observing import around_step

if TYPE_CHECKING:
    from ._app import App

F = TypeVar("F", bound=Callable[..., Any])


def trace(function: F) -> F:
    """Record every call of a function that a task makes: inputs, result or error, and times.

    When the task runs again, after a failure or a crash, a call with the same code, inputs and occurrence returns what was
    recorded and does not run: also nothing, if nothing was returned. A recorded error is raised again, so that code which
    caught it takes the same way; unless an earlier attempt of the task failed with it, for then the step is tried again. A
    step that was stopped on the way, or a generator that was left before its end, runs again.

    Works on plain and coroutine functions, generators and asynchronous generators, of which all items are recorded. Inputs
    and results are converted as those of a task, and pickled where there is no annotation. Outside of a task it is a plain
    call.

    Args:
        function: The function.

    Raises:
        CompileError: The function takes ``*args`` or ``**kwargs``.
    """
    make = _traced
    if inspect.isasyncgenfunction(function):
        make = _traced_items_async
    elif inspect.isgeneratorfunction(function):
        make = _traced_items
    elif inspect.iscoroutinefunction(function):
        make = _traced_async
    wrapper: Any = functools.wraps(function)(make(function, _Steps(function)))
    return wrapper  # type: ignore[no-any-return]


def _traced(function: Callable[..., Any], steps: _Steps) -> Callable[..., Any]:
    def traced(*args: Any, **kwargs: Any) -> Any:
        step = steps.begin(args, kwargs)
        if step is None:
            return function(*args, **kwargs)
        if step.ended:
            return step.replay()
        with _recorded(step) as recording, step.surroundings():
            recording.result = result = function(*args, **kwargs)
            return result

    return traced


def _traced_async(function: Callable[..., Any], steps: _Steps) -> Callable[..., Any]:
    async def traced(*args: Any, **kwargs: Any) -> Any:
        step = steps.begin(args, kwargs)
        if step is None:
            return await function(*args, **kwargs)
        if step.ended:
            return step.replay()
        with _recorded(step) as recording, step.surroundings():
            recording.result = result = await function(*args, **kwargs)
            return result

    return traced


def _traced_items(function: Callable[..., Any], steps: _Steps) -> Callable[..., Any]:
    def traced(*args: Any, **kwargs: Any) -> Iterator[Any]:
        step = steps.begin(args, kwargs)
        if step is not None and step.ended:
            yield from step.replay()
            return
        items: list[Any] = []
        with _recorded(step, items), _surroundings(step):
            for item in function(*args, **kwargs):
                items.append(item)
                yield item

    return traced


def _traced_items_async(function: Callable[..., Any], steps: _Steps) -> Callable[..., Any]:
    async def traced(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        step = steps.begin(args, kwargs)
        if step is not None and step.ended:
            for item in step.replay():
                yield item
            return
        items: list[Any] = []
        with _recorded(step, items), _surroundings(step):
            async for item in function(*args, **kwargs):
                items.append(item)
                yield item

    return traced


class _Steps:
    """What is known about a traced function.

    Args:
        function: The function.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._name = f"{function.__module__}.{function.__qualname__}".replace("<locals>.", "")
        self._names = local_names(function)
        self._compiled: tuple[App, CompiledInterface] | None = None
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
                raise CompileError(
                    f"{function.__qualname__} takes {parameter}, and the inputs of a traced function must be named",
                    hint="Name every input.",
                    location=source_location(function),
                )

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Step | None:
        """Begin a step; None outside of a task."""
        context = STATE.get()
        if not isinstance(context, TaskContext):
            return None
        compiled = self._interface(context.app)
        values = compiled.bind_arguments(args, kwargs)
        compiled.check_complete(values)
        # Without those that were not given: a default that changes is a change of the code.
        inputs = _without_secrets(compiled.inputs_to_literals(values))
        request = TraceRequest(name=self._name, code=self._code, inputs=inputs, group=current_group(context))
        return _Step(self._name, compiled, context, context.controller.begin_trace(request))

    @functools.cached_property
    def _code(self) -> str:
        from ._code_hash import code_hash

        return code_hash(self._function)

    def _interface(self, app: App) -> CompiledInterface:
        known = self._compiled
        if known is not None and known[0] is app:
            return known[1]
        function = self._function
        python = function_interface(function, self._name, pickle_untyped=True, names=self._names)
        python = PythonInterface(python.inputs, python.defaults, {"o0": _result_type(function, python)})
        compiled = CompiledInterface(python, app.registry, app.conversion, self._name, source_location(function))
        self._compiled = (app, compiled)
        return compiled


def _without_secrets(inputs: dict[str, Literal]) -> dict[str, Literal]:
    """Put a mask in the place of inputs that hold the value of a secret: inputs are stored, to be compared and shown."""
    if not knows_secrets():
        return inputs
    from alula_kernel.literals import Scalar

    from ._secrets import literal_holds_secret

    return {name: Scalar(MASK) if literal_holds_secret(literal) else literal for name, literal in inputs.items()}


def _result_type(function: Callable[..., Any], python: PythonInterface) -> Any:
    """Return the type of what is recorded: the result, or for a generator the list of its items."""
    if "return" not in getattr(function, "__annotations__", {}):
        from ._data.pickle import Pickle

        return Pickle[object]
    if not (inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)):
        return _one_type(python)
    args = typing.get_args(_one_type(python))
    if not args:
        from ._data.pickle import Pickle

        return list[Pickle[object]]
    return list[args[0]]  # type: ignore[valid-type]


def _one_type(python: PythonInterface) -> Any:
    """Return the annotated type of a result, which an interface takes apart into outputs."""
    if not python.outputs:
        return type(None)
    if python.output_tuple is None:
        return next(iter(python.outputs.values()))
    return tuple[tuple(python.outputs.values())] if python.output_tuple is tuple else python.output_tuple  # type: ignore[misc]


class _Step:
    """One call of a traced function in a task."""

    __slots__ = ("_compiled", "_context", "_name", "_trace")

    def __init__(self, name: str, compiled: CompiledInterface, context: TaskContext, trace: Trace) -> None:
        self._name = name
        self._compiled = compiled
        self._context = context
        self._trace = trace

    @property
    def ended(self) -> bool:
        """Whether it has ended in an earlier attempt."""
        return self._trace.outputs is not None or self._trace.error is not None

    def replay(self) -> Any:
        """Return or raise what was recorded."""
        with self.surroundings():
            return self._recorded_end()

    def surroundings(self, *, gives_items: bool = False) -> contextlib.AbstractContextManager[None]:
        """Return what observers put around it."""
        return around_step(self._context, self._name, self._trace.action, replayed=self.ended, gives_items=gives_items)

    def _recorded_end(self) -> Any:
        if self._trace.error is not None:
            raise exception_for(self._trace.error)
        assert self._trace.outputs is not None
        return self._compiled.outputs_to_python(self._trace.outputs)

    def succeed(self, result: Any) -> None:
        """Record a result."""
        try:
            outputs: dict[str, Literal] = self._compiled.outputs_to_literals(result, self._context.conversion)
            if knows_secrets():
                from ._secrets import refuse_secrets_in

                refuse_secrets_in(outputs)
        except Exception as problem:
            self.fail(problem)
            raise
        self._context.controller.end_trace(self._trace, outputs, None)

    def fail(self, failure: BaseException) -> None:
        """Record an error; or, if it is none, that the step was stopped."""
        from ._body import error_of

        error = error_of(failure) if isinstance(failure, Exception) else None
        self._context.controller.end_trace(self._trace, None, error)


def _surroundings(step: _Step | None) -> contextlib.AbstractContextManager[None]:
    """Return what observers put around a step that gives items."""
    return contextlib.nullcontext() if step is None else step.surroundings(gives_items=True)


class _recorded:  # noqa: N801 - used as a function
    """Records how a block ends.

    Args:
        step: The step; None to record nothing.
        result: What it gives, or a list of items that grows while it runs.

    Attributes:
        result: The same; may be set in the block.
    """

    __slots__ = ("_step", "result")

    def __init__(self, step: _Step | None, result: Any = None) -> None:
        self._step = step
        self.result = result

    def __enter__(self) -> _recorded:
        return self

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, _traceback: object) -> None:
        if self._step is None:
            return
        if failure is None:
            self._step.succeed(self.result)
        else:
            self._step.fail(failure)


__all__ = ["trace"]
