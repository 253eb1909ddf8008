"""``flyte.sandbox``: code that decides what is called runs in Monty, which has no files, network or modules.

Files, directories and data frames pass through it as handles that tell it nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import alula
from alula_kernel.errors import UnknownNameError, UsageError

from .maps import map as map_over

_HANDLE = "alula handle"


@dataclass(frozen=True)
class _Limits:
    """What code may use.

    Attributes:
        timeout_ms: Longest time, in milliseconds, without that of what it calls.
        max_memory: Most bytes.
        max_stack_depth: Most calls within calls.
    """

    timeout_ms: int = 30_000
    max_memory: int = 50 * 1024 * 1024
    max_stack_depth: int = 256

    def for_monty(self) -> Any:
        """Return them under Monty's names."""
        return {
            "max_turn_duration_secs": self.timeout_ms / 1000,
            "max_memory": self.max_memory,
            "max_recursion_depth": self.max_stack_depth,
        }


@dataclass
class _Handles:
    """Values that code passes on without seeing them.

    Attributes:
        values: The values, as numbered in their handles.
    """

    values: list[Any] = field(default_factory=list)

    def hidden(self, value: Any) -> Any:
        """Return a value with handles in the place of files, directories and data frames."""
        if isinstance(value, (alula.File, alula.Dir, alula.DataFrame)):
            self.values.append(value)
            return {_HANDLE: len(self.values) - 1}
        return _each(value, self.hidden)

    def shown(self, value: Any) -> Any:
        """Return a value with what handles stand for."""
        if isinstance(value, dict) and _HANDLE in value:
            return self.values[value[_HANDLE]]
        return _each(value, self.shown)


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: change(item) for key, item in value.items()}
    return type(value)(change(item) for item in value) if type(value) in {list, tuple} else value


async def _run(code: str, inputs: Mapping[str, Any], functions: Mapping[str, Any], limits: _Limits) -> Any:
    """Run code in Monty and return the value of its last expression.

    Raises:
        Exception: The code raised it, or something that it called.
        UnknownNameError: It calls something that it was not given.
    """
    monty = _monty()
    handles = _Handles()
    try:
        # Its asynchronous form aborts the process when the loop has ended; this one runs in threads just as well.
        with monty.Monty() as pool, pool.checkout(limits=limits.for_monty()) as session:
            step = await asyncio.to_thread(session.feed_start, code, inputs=handles.hidden(dict(inputs)))
            while not isinstance(step, monty.MontyComplete):
                if isinstance(step, monty.NameLookupSnapshot):
                    step = await asyncio.to_thread(step.resume)
                elif step.is_os_function:
                    step = await asyncio.to_thread(step.resume_not_handled)
                else:
                    args, kwargs = handles.shown(step.args), handles.shown(step.kwargs)
                    result = await _called(step.function_name, functions, args, kwargs)
                    step = await asyncio.to_thread(step.resume, {"return_value": handles.hidden(result)})
            return handles.shown(step.output)
    except monty.MontyError as problem:
        raise problem.exception() from problem


def _monty() -> Any:
    try:
        import pydantic_monty  # type: ignore[import-not-found, unused-ignore]
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "sandboxed code runs in Monty, which is not installed\n  pip install pydantic-monty", name="pydantic_monty"
        ) from None
    return pydantic_monty


async def _called(name: str, functions: Mapping[str, Any], args: Iterable[Any], kwargs: dict[str, Any]) -> Any:
    if name == "flyte_map":
        mapped, *columns = args
        return await _mapped(_function(mapped, functions), columns, kwargs)
    result = _function(name, functions)(*args, **kwargs)
    return await result if inspect.isawaitable(result) else result


def _function(name: str, functions: Mapping[str, Any]) -> Any:
    if name not in functions:
        raise UnknownNameError.among("function of the sandboxed code", name, functions)
    return functions[name]


async def _mapped(function: Any, columns: list[Any], options: dict[str, Any]) -> list[Any]:
    if isinstance(function, alula.Task):
        return await asyncio.to_thread(lambda: list(map_over(function, *columns, **options)))
    results = [function(*row) for row in zip(*columns)]  # noqa: B905 - the shortest decides
    return [await result if inspect.isawaitable(result) else result for result in results]


class OrchestratorTask(alula.FunctionTask[Any, Any]):
    """A task whose code runs in Monty.

    Args:
        function: The function, or what has the signature of the code.
        code: What Monty runs.
        functions: Returns what the code may call, by name.
        limits: What it may use.
        name: Its name.
        options: As `alula.FunctionTask` takes them.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        code: str,
        functions: Callable[[], Mapping[str, Any]],
        limits: _Limits,
        name: str,
        **options: Any,
    ) -> None:
        super().__init__(function, name=name, pickle_untyped=True, **options)
        self._code = code
        self._functions = functions
        self._limits = limits

    def execute(self, /, **inputs: Any) -> Any:
        """Run the code."""
        running = _run(self._code, inputs, self._functions(), self._limits)
        if self.is_async:
            return running
        # There may be a loop in this thread, which a plain function blocks.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(contextvars.copy_context().run, asyncio.run, running).result()


def _code_of(function: Callable[..., Any]) -> str:
    """Return the source of a function, without decorators, and a call of it with its parameters."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UsageError(f"{function.__qualname__} is a generator, and cannot run in a sandbox")
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(("def ", "async def ")))
    call = f"{function.__name__}({', '.join(inspect.signature(function).parameters)})"
    awaited = "await " if inspect.iscoroutinefunction(function) else ""
    return "\n".join([*lines[start:], f"{awaited}{call}"])


def _called_by(function: Any) -> dict[str, Any]:
    """Return the tasks and traced functions that a function names."""
    found = {name: function.__globals__.get(name) for name in function.__code__.co_names}
    return {name: value for name, value in found.items() if isinstance(value, alula.Task) or hasattr(value, "aio")}


def _by_name(tasks: Iterable[Any] | None) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for task in tasks or ():
        name = task.__name__
        if name in named:
            raise UsageError(f"two functions of the sandboxed code are called {name}", hint="Give each its own name.")
        named[name] = task
    return named


ORCHESTRATOR_SYNTAX_PROMPT = """\
The code runs in Monty, an interpreter of a part of Python. The value of its last expression is its result.
It may define functions, and use loops, conditions, comprehensions, numbers, text, lists, dicts, tuples and sets.
It may call the functions that it is given by their names. There are no other modules, files, processes or network,
no classes, and no `match`. flyte_map("name", items) calls a function once for each item, and returns a list.
"""
"""What a language model has to know to write code for a sandbox."""


def _plain(source: str) -> str:
    return textwrap.dedent(source).strip() or "None"


def orchestrator_from_str(
    source: str,
    *,
    inputs: Mapping[str, Any],
    output: Any = None,
    tasks: Iterable[Any] | None = None,
    name: str = "sandboxed-code",
    timeout_ms: int = 30_000,
    **settings: Any,
) -> OrchestratorTask:
    """Make a task of code; the value of its last expression is its output.

    Args:
        source: The code.
        inputs: Types of its inputs, by name.
        output: Type of its output; None if it has none.
        tasks: Tasks and functions that it may call by their names; ``flyte_map("name", items)`` calls one once per item.
        name: Name of the task.
        timeout_ms: Longest time, in milliseconds, without that of what it calls.
        settings: As `flyte.TaskEnvironment.task` takes them.
    """

    def code(**_inputs: Any) -> Any:
        raise UsageError(f"the code of {name} runs in a sandbox, and is no function to call", hint="Use flyte.run.")

    kind = inspect.Parameter.KEYWORD_ONLY
    described: Any = code
    described.__name__ = described.__qualname__ = name
    described.__module__ = sys._getframe(1).f_globals.get("__name__", "__main__")  # noqa: SLF001 - the task belongs there
    described.__annotations__ = {**inputs, "return": output}
    described.__signature__ = inspect.Signature(
        [inspect.Parameter(key, kind, annotation=value) for key, value in inputs.items()], return_annotation=output
    )
    named = _by_name(tasks)
    made = OrchestratorTask(code, _plain(source), lambda: named, _Limits(timeout_ms), name, **_given(settings))
    made.__dict__["_input_names"] = list(inputs)
    made.__dict__["_has_external_refs"] = bool(named)
    return made


async def orchestrate_local(
    source: str, *, inputs: Mapping[str, Any], tasks: Iterable[Any] | None = None, timeout_ms: int = 30_000
) -> Any:
    """Run code at once and return the value of its last expression.

    Args:
        source: The code.
        inputs: Its inputs by name.
        tasks: Tasks and functions that it may call by their names.
        timeout_ms: Longest time, in milliseconds, without that of what it calls.
    """
    return await _run(_plain(source), inputs, _by_name(tasks), _Limits(timeout_ms))


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a task from what an environment's decorator takes."""
    plain = alula.TaskEnvironment("sandbox").task(**{k: v for k, v in settings.items() if k != "image"})(_nothing)
    return {"settings": plain.settings}


def _nothing() -> None:
    """Stand for a task of which only the settings are asked for."""


class Sandbox:
    """``env.sandbox``.

    Args:
        environment: The environment.
    """

    def __init__(self, environment: alula.TaskEnvironment) -> None:
        self._environment = environment

    def orchestrator(
        self,
        _func_or_source: Any = None,
        /,
        *,
        timeout_ms: int = 30_000,
        max_memory: int = 50 * 1024 * 1024,
        max_stack_depth: int = 256,
        type_check: bool = True,
        name: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        output: Any = None,
        tasks: Iterable[Any] | None = None,
        **settings: Any,
    ) -> Any:
        """Make a task of a function, or of code, that runs in Monty.

        Args:
            _func_or_source: The function or the code; without it, a decorator is returned.
            timeout_ms: Longest time, in milliseconds, without that of what it calls.
            max_memory: Most bytes.
            max_stack_depth: Most calls within calls.
            type_check: Not looked at.
            name: Name of the task.
            inputs: Types of the inputs of code.
            output: Type of the output of code; None if it has none.
            tasks: What code may call.
            settings: As `flyte.TaskEnvironment.task` takes them.
        """
        limits = _Limits(timeout_ms, max_memory, max_stack_depth)
        environment = self._environment

        def decorate(function: Callable[..., Any]) -> OrchestratorTask:
            plain = environment.task(**settings)(_nothing)
            full = name or f"{environment.name}.{function.__name__}"
            code = _code_of(function)
            return OrchestratorTask(function, code, lambda: _called_by(function), limits, full, settings=plain.settings)

        if isinstance(_func_or_source, str):
            return orchestrator_from_str(
                _func_or_source,
                inputs=inputs or {},
                output=output,
                tasks=tasks,
                name=name or f"{environment.name}.sandboxed-code",
                timeout_ms=timeout_ms,
                **settings,
            )
        return decorate if _func_or_source is None else decorate(_func_or_source)
