"""What tasks, workflows and launch plans have in common: how they are called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine
from typing import TYPE_CHECKING, Any

from alula_kernel.contracts import CallFailedError, CallRequest
from alula_kernel.errors import exception_for
from alula_kernel.literals import Literal
from alula_kernel.specs import EntityId, EntitySpec, EntityTarget, Overrides, Target

from ._custom_context import added_context
from ._groups import current_group
from ._state import STATE

if TYPE_CHECKING:
    from ._app import App
    from ._context import TaskContext
    from ._interface import CompiledInterface, PythonInterface


class Entity(ABC):
    """Something that can be called: at top level it runs, in a workflow it becomes a node, in a task a child action.

    Attributes:
        name: Qualified name.
        python_interface: Its inputs and outputs as Python knows them.
    """

    kind: str
    name: str

    def __init__(self, name: str) -> None:
        self.name = name
        self._compiled: tuple[App, CompiledInterface] | None = None
        self._id: tuple[App, EntityId] | None = None

    @property
    def title(self) -> str:
        """How messages name it."""
        return f"{self.kind.replace('_', ' ')} {self.name}"

    @property
    def short_name(self) -> str:
        """The last part of its name."""
        return self.name.rpartition(".")[2]

    @property
    def shown_name(self) -> str:
        """What people see as the name of its actions; empty for `short_name`."""
        return ""

    @property
    @abstractmethod
    def python_interface(self) -> PythonInterface:
        """Its inputs and outputs as Python knows them."""

    @property
    def location(self) -> str:
        """``file:line`` of its definition; empty if it is not known."""
        return ""

    @property
    def is_async(self) -> bool:
        """Whether a call at top level or in a task gives a coroutine."""
        return False

    @abstractmethod
    def spec(self, app: App) -> EntitySpec:
        """Return its spec, with everything that it refers to known to the application."""

    @property
    def documented_function(self) -> Callable[..., Any] | None:
        """The function whose docstring describes it, if there is one."""
        return getattr(self, "function", None)

    def documented_spec(self, app: App) -> EntitySpec:
        """Return its spec with descriptions from the docstring: what is registered and shown, and not needed to run."""
        function = self.documented_function
        if function is None:
            return self.spec(app)
        from ._docs import documented

        return documented(self.spec(app), function)

    def check_given(self, names: Collection[str]) -> None:
        """Refuse inputs that a caller may not give, although the entity behind it has them.

        Raises:
            UsageError: One of them is such an input.
        """

    def compiled(self, app: App) -> CompiledInterface:
        """Return its interface with converters, made once per application."""
        known = self._compiled
        if known is not None and known[0] is app:
            return known[1]
        from ._interface import CompiledInterface

        made = CompiledInterface(self.python_interface, app.registry, app.conversion, self.title, self.location)
        self._compiled = (app, made)
        return made

    def id(self, app: App) -> EntityId:
        """Return its id in an application."""
        known = self._id
        if known is None or known[0] is not app:
            known = self._id = (app, app.entities.identify(self))
        return known[1]

    def adopt_id(self, app: App, entity_id: EntityId) -> None:
        """Take the id that another process gave it, and stay alive as long as the application."""
        self._id = (app, entity_id)
        app.entities.adopt(self, entity_id)

    def target(self, app: App) -> Target:
        """Return what a node that calls it runs."""
        self.spec(app)
        return EntityTarget(self.id(app))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run it, make a node of it, or make a child action of it, depending on where the call stands."""
        state = STATE.get()
        if state is None:
            return self._call_at_top_level(args, kwargs)
        if state.compiling:
            return state.call(self, args, kwargs)  # type: ignore[union-attr]
        return self._call_in_task(state, args, kwargs)  # type: ignore[arg-type]

    def aio(self, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Call it and return a coroutine of the result, also if it is a plain function."""
        state = STATE.get()
        if state is None:
            return self._run_async(args, kwargs)
        return self._await_child(state, args, kwargs)  # type: ignore[arg-type]

    # --- at top level ---

    def _call_at_top_level(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.is_async:
            return self._run_async(args, kwargs)
        from ._run import run_and_return

        return run_and_return(self, args, kwargs)

    async def _run_async(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from ._run import run_and_return_async

        return await run_and_return_async(self, args, kwargs)

    # --- inside a task ---

    def _request(
        self, context: TaskContext, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[CallRequest, CompiledInterface]:
        app = context.app
        compiled = self.compiled(app)
        self.check_given(kwargs)
        values = compiled.bind_arguments(args, kwargs)
        compiled.check_complete(values)
        inputs = compiled.inputs_to_literals(values)
        return self.request(app, inputs, current_group(context), added_context(context)), compiled

    def request(self, app: App, inputs: dict[str, Literal], group: str, context: dict[str, str]) -> CallRequest:
        """Return what a call asks for.

        Args:
            app: The application.
            inputs: The inputs.
            group: Name under which people see the child together with others; empty for none.
            context: What it adds to the custom context.
        """
        return CallRequest(
            target=self.target(app),
            inputs=inputs,
            overrides=self._call_overrides(),
            name=self.shown_name,
            group=group,
            context=context,
        )

    def _call_overrides(self) -> Overrides | None:
        return None

    def _call_in_task(self, context: TaskContext, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.is_async or context.awaits_calls:
            return self._await_child(context, args, kwargs)
        request, compiled = self._request(context, args, kwargs)
        try:
            outputs = context.controller.call_blocking(request)
        except CallFailedError as failure:
            raise exception_for(failure.error, failure.original) from failure.original
        return compiled.outputs_to_python(outputs)

    async def _await_child(self, context: TaskContext, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        request, compiled = self._request(context, args, kwargs)
        try:
            outputs = await context.controller.call(request)
        except CallFailedError as failure:
            raise exception_for(failure.error, failure.original) from failure.original
        return compiled.outputs_to_python(outputs)

    def __repr__(self) -> str:
        return f"<{self.title}>"
