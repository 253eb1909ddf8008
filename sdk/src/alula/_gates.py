"""Gates in workflows, and how a local run asks a person."""

from __future__ import annotations

import datetime as dt
import sys
import threading
from typing import TYPE_CHECKING, Any

from alula_kernel.contracts import CallFailedError, Converter
from alula_kernel.engine import GateKeeper, GateRequest
from alula_kernel.errors import ActionError, CompileError, ValueConversionError
from alula_kernel.literals import Literal
from alula_kernel.specs import Binding, GateTarget
from alula_kernel.types import NONE, LiteralType, display

from ._compile import Compilation, NodeBuilder
from ._promise import Promise, VoidPromise
from ._signals import Answer, Question
from ._state import STATE, call_site

if TYPE_CHECKING:
    import asyncio

    from ._app import App

_POLL_SECONDS = 0.2
"""How often another process's answer is looked for."""


def _compilation(what: str) -> Compilation:
    state = STATE.get()
    if not isinstance(state, Compilation):
        raise CompileError(f"{what} is used outside of a workflow", location=call_site())
    return state


def _gate(
    compilation: Compilation, target: GateTarget, inputs: dict[str, Binding], sources: list[Promise]
) -> NodeBuilder:
    node = NodeBuilder(compilation.new_id(), f"{target.gate} {target.signal!r}", target, inputs, call_site())
    node.name = target.signal or target.gate
    node.sources = sources
    compilation.add(node)
    return node


def approve(upstream_item: Any, name: str, timeout: dt.timedelta | None = None) -> Any:
    """Pass a value on once a person has approved it.

    Args:
        upstream_item: What the call of an entity returned.
        name: Name under which the answer is given.
        timeout: Longest wait; None for ever.

    Raises:
        CompileError: It is not called in a workflow, or the value is a workflow input or nothing.
    """
    compilation = _compilation("approve")
    item = upstream_item[0] if isinstance(upstream_item, tuple) else upstream_item
    if isinstance(item, VoidPromise) or not isinstance(item, Promise) or item._node is None:
        raise CompileError(
            "approve takes an output of a node; inputs of the workflow and calls that return nothing cannot be approved",
            location=call_site(),
        )
    target = GateTarget("approve", name, item._type, timeout.total_seconds() if timeout else None)
    node = _gate(compilation, target, {"value": item._binding()}, [item])
    node.promises = {"o0": Promise(node, "o0", item._type)}
    return node.promises["o0"]


def wait_for_input(name: str, timeout: dt.timedelta | None, expected_type: Any) -> Any:
    """Wait until a person gives a value.

    Args:
        name: Name under which the value is given.
        timeout: Longest wait; None for ever.
        expected_type: Python type of the value.

    Raises:
        CompileError: It is not called in a workflow.
    """
    compilation = _compilation("wait_for_input")
    literal_type = compilation.app.registry.converter(expected_type).literal_type
    target = GateTarget("input", name, literal_type, timeout.total_seconds() if timeout else None)
    node = _gate(compilation, target, {}, [])
    node.promises = {"o0": Promise(node, "o0", literal_type)}
    return node.promises["o0"]


def sleep(duration: dt.timedelta) -> VoidPromise:
    """Let time pass; order it with ``>>``.

    Args:
        duration: How long.

    Raises:
        CompileError: It is not called in a workflow.
    """
    compilation = _compilation("sleep")
    return VoidPromise(_gate(compilation, GateTarget("sleep", duration_seconds=duration.total_seconds()), {}, []))


class TextAnswer(str):
    """An answer to a gate as a person wrote it, still to be made into a value of the gate's type."""

    __slots__ = ()


class LocalGateKeeper(GateKeeper):
    """Answers gates from the application's answers, else from the terminal or from another process.

    Args:
        app: The application.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def opened(self, request: GateRequest) -> None:
        if request.signal not in self._app.answers:
            self._app.signals.ask(_question(request))

    def closed(self, request: GateRequest) -> None:
        if request.signal not in self._app.answers:
            self._app.signals.withdraw(_question(request))

    async def approved(self, request: GateRequest) -> bool:
        if request.signal in self._app.answers:
            answer = self._app.answers[request.signal]
            return bool(self._read(Answer(str(answer), True), request) if isinstance(answer, TextAnswer) else answer)
        shown = ""
        if request.value is not None and request.type is not None:
            converter = self._converter(request)
            shown = f" {converter.to_text(converter.to_python(request.value, self._app.conversion))}"
        while True:
            given = await self._ask(request, f"Approve {request.signal!r}{shown}? [Y/n] ")
            if not given.text:
                return bool(given.value)
            text = given.value.strip().lower()
            if text in {"", "y", "yes", "true", "n", "no", "false"}:
                return text in {"", "y", "yes", "true"}

    async def value(self, request: GateRequest) -> Literal:
        converter = self._converter(request)
        if request.signal in self._app.answers:
            answer = self._app.answers[request.signal]
            if isinstance(answer, TextAnswer):
                answer = self._read(Answer(str(answer), True), request)
            return converter.to_literal(answer, self._app.conversion)
        asked = request.prompt or request.signal
        while True:
            given = await self._ask(request, f"{asked} ({display(request.type or NONE)}): ")
            try:
                return converter.to_literal(self._read(given, request), self._app.conversion)
            except ValueConversionError as problem:
                print(problem, file=sys.stderr)  # noqa: T201 - a dialogue with the person at the terminal

    def _read(self, answer: Answer, request: GateRequest) -> Any:
        return answer_value(self._app, request.gate, request.type, request.signal, answer)

    def _converter(self, request: GateRequest) -> Converter[Any]:
        registry = self._app.registry
        return registry.converter(registry.python_type(request.type or NONE))

    async def _ask(self, request: GateRequest, prompt: str) -> Answer:
        """Wait for a line from the terminal, or an answer from another process."""
        import asyncio

        answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        if sys.stdin and sys.stdin.isatty():
            if request.description:
                print(request.description, file=sys.stderr)  # noqa: T201 - a dialogue with the person at the terminal
            _read_line(prompt, answered)
        elif request.gate == "condition":
            how = f"alula signal {request.run} {request.signal} VALUE"
            print(f"{prompt.strip()} to be answered by: {how}", file=sys.stderr)  # noqa: T201 - the same
        else:
            return Answer(_line_of_input(request), True)
        question = _question(request)
        while True:
            given = self._app.signals.answer_to(question)
            if given is not None:
                return given
            await asyncio.wait([answered], timeout=_POLL_SECONDS)
            if answered.done():
                return Answer(answered.result(), True)


def answer_value(app: App, gate: str, answer_type: LiteralType | None, name: str, answer: Answer) -> Any:
    """Return an answer as a value of the type that a gate wants.

    Raises:
        ValueConversionError: It is none.
    """
    python_type = bool if gate == "approve" else app.registry.python_type(answer_type or NONE)
    converter = app.registry.converter(python_type)
    try:
        if answer.text:
            return converter.from_text(answer.value, app.conversion)
        return converter.from_plain(answer.value, app.conversion)
    except ValueConversionError as problem:
        raise problem.within(f"answer to {name!r}") from None


def _question(request: GateRequest) -> Question:
    return Question(
        run=request.run,
        action=request.action,
        gate=request.gate,
        name=request.signal,
        type=request.type,
        prompt=request.prompt,
        description=request.description,
    )


def _line_of_input(request: GateRequest) -> str:
    """Read a line of an input that is not a terminal."""
    line = sys.stdin.readline() if sys.stdin else ""
    if line:
        return line.rstrip("\n")
    message = (
        f"nobody is there to answer {request.signal!r}: the input is not a terminal. Give the answer beforehand, "
        f"with `alula run --answer {request.signal}=...`."
    )
    raise CallFailedError(ActionError(code="GateUnanswered", message=message, recoverable=False))


def _read_line(prompt: str, answered: asyncio.Future[str]) -> None:
    """Read a line from the terminal in a thread that nobody waits for, so that the wait can end without it."""
    loop = answered.get_loop()

    def read() -> None:
        try:
            line = input(prompt)
        except (EOFError, OSError, ValueError):  # the terminal was closed
            line = ""
        try:
            loop.call_soon_threadsafe(lambda: None if answered.done() else answered.set_result(line))
        except RuntimeError:  # the run has ended without the answer
            pass

    threading.Thread(target=read, name="alula-gate", daemon=True).start()
