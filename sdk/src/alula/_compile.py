"""Compiling: calls of entities become nodes, values and promises become bindings."""

from __future__ import annotations

import collections
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alula_kernel.contracts import Converter
from alula_kernel.errors import CompileError, TypeMismatchError, UsageError, ValueConversionError
from alula_kernel.specs import (
    Binding,
    ListBinding,
    LiteralBinding,
    MapBinding,
    Node,
    Overrides,
    Target,
)
from alula_kernel.types import (
    BOOL,
    FLOAT,
    INT,
    JSON,
    NONE,
    STR,
    DatasetOf,
    ListOf,
    LiteralType,
    MapOf,
    Record,
    TupleOf,
    UnionOf,
    display,
    mismatch,
)

from ._overrides import override_fields
from ._promise import Chainable, Promise, VoidPromise
from ._renaming import renamed_bindings, renamed_node
from ._state import call_site

if TYPE_CHECKING:
    from ._app import App
    from ._conditional import ConditionalSection
    from ._context import TaskContext
    from ._entity import Entity
    from ._interface import CompiledInterface


class NodeBuilder:
    """A node while its workflow is being compiled.

    Args:
        id: The number under which references to it are made; see `_renaming`.
        title: How messages name it.
        target: What it runs.
        inputs: Its bindings.
        location: ``file:line`` of the call that made it.
        entity: The entity that it runs, if it runs one.
    """

    def __init__(
        self,
        id: str,
        title: str,
        target: Target,
        inputs: dict[str, Binding],
        location: str,
        entity: Entity | None = None,
    ) -> None:
        self.id = id
        self.title = title
        self.target = target
        self.inputs = inputs
        self.location = location
        self.entity = entity
        self.name = ""
        self.overrides: Overrides | None = None
        self.home: Compilation | None = None
        self.node_name = ""
        self.upstream: list[NodeBuilder] = []
        self.promises: dict[str, Promise] = {}
        self.sources: list[Promise] = []

    @property
    def shown_id(self) -> str:
        """Its id in the finished workflow."""
        return self.node_name or self.id

    @property
    def outputs(self) -> dict[str, Promise]:
        """A promise for each output."""
        return self.promises

    def __getattr__(self, name: str) -> Promise:
        promises = self.__dict__.get("promises", {})
        if name in promises:
            return promises[name]  # type: ignore[no-any-return]
        raise AttributeError(
            f"node {self.__dict__.get('id', '?')} has no output {name!r}; it has {', '.join(promises)}"
        )

    def __rshift__(self, other: Any) -> Any:
        """Let the node behind `other` run after this one."""
        self.runs_before(other)
        return other

    def runs_before(self, other: Any) -> None:
        """Let another node run only after this one has succeeded.

        Args:
            other: A node, or what the call of an entity returned.

        Raises:
            CompileError: It is neither, or the order would be a cycle.
        """
        for node in _nodes_behind(other):
            if self is node or self._comes_after(node):
                raise CompileError(
                    f"{node.title} ({node.shown_id}) would have to run before and after {self.title} ({self.shown_id})",
                    hint="Remove one of the orderings that make the cycle.",
                    location=call_site(),
                )
            if self not in node.upstream:
                node.upstream.append(self)

    def _comes_after(self, node: NodeBuilder) -> bool:
        seen: set[int] = set()
        waiting = [self]
        while waiting:
            current = waiting.pop()
            if id(current) in seen:
                continue
            seen.add(id(current))
            for before in [*current.upstream, *current.data_sources()]:
                if before is node:
                    return True
                waiting.append(before)
        return False

    def data_sources(self) -> list[NodeBuilder]:
        """Return the nodes whose outputs this one takes."""
        return [promise._node for promise in self.sources if promise._node is not None]

    def with_overrides(
        self,
        node_name: str | None = None,
        aliases: Mapping[str, str] | None = None,
        *,
        name: str | None = None,
        task_config: Any = None,
        **settings: Any,
    ) -> NodeBuilder:
        """Change settings of this one call.

        Args:
            node_name: Id of the node.
            aliases: Other names for its outputs.
            name: What people see.
            task_config: Config of the task's plugin, of the same class as the task's own.
            settings: ``requests``, ``limits``, ``resources``, ``timeout``, ``retries``, ``interruptible``,
                ``container_image``, ``accelerator``, ``cache``, ``cache_version``, ``cache_serialize``,
                ``cache_ignore_input_vars``, ``shared_memory``, ``pod_template``, ``environment``, ``labels``,
                ``annotations``: as `alula.task` takes them.

        Raises:
            CompileError: A setting is unknown, is a promise, or does not apply to what the node runs.
        """
        for key, value in settings.items():
            if isinstance(value, Promise):
                raise CompileError(f"with_overrides({key}=...) got a promise", location=call_site())
        if node_name is not None:
            self.node_name = _dns_name(node_name)
        if name is not None:
            self.name = name
        for output, alias in (aliases or {}).items():
            self.promises[alias] = self.promises[output]
        if settings or task_config is not None:
            self.overrides = override_fields(self.entity, self.overrides, settings, task_config, call_site())
        return self

    def build(self) -> Node:
        """Return the node, under its number."""
        return Node(
            id=self.id,
            name=self.name,
            target=self.target,
            inputs=self.inputs,
            upstream=tuple(node.id for node in self.upstream),
            overrides=self.overrides,
            location=self.location,
        )


class _Together:
    """Lets a tuple of all outputs of a node be ordered and changed as one output is."""

    __slots__ = ()

    def _own_node(self) -> NodeBuilder:
        first: Promise = self[0]  # type: ignore[index]
        return first._own_node()

    def __rshift__(self, other: Any) -> Any:
        self._own_node().runs_before(other)
        return other

    def with_overrides(self, *args: Any, **kwargs: Any) -> Any:
        self._own_node().with_overrides(*args, **kwargs)
        return self


_tuples: weakref.WeakKeyDictionary[type, type] = weakref.WeakKeyDictionary()


def _together(output_tuple: type, names: tuple[str, ...]) -> type:
    """Return the class of a tuple of promises: the user's own NamedTuple, or one with fields ``o0``, ``o1`` ..."""
    if output_tuple is tuple:
        base: type = collections.namedtuple("Outputs", names)  # type: ignore[misc]  # the fields are known only now
        return type("Outputs", (_Together, base), {"__slots__": ()})
    made = _tuples.get(output_tuple)
    if made is None:
        made = _tuples[output_tuple] = type(output_tuple.__name__, (_Together, output_tuple), {})
    return made


def _nodes_behind(thing: Any) -> list[NodeBuilder]:
    if isinstance(thing, NodeBuilder):
        return [thing]
    if isinstance(thing, (Chainable, _Together)):
        return [thing._own_node()]
    if isinstance(thing, tuple) and thing and all(isinstance(item, Chainable) for item in thing):
        return [thing[0]._own_node()]
    raise CompileError(
        f"a node cannot be ordered with {type(thing).__qualname__}",
        hint="Use >> between what calls of tasks, workflows or create_node return.",
        location=call_site(),
    )


def _dns_name(name: str) -> str:
    import re

    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") or "n"


class Compilation:
    """A workflow being compiled: the nodes so far.

    Args:
        app: The application, for converters and entities.
        prefix: Put before node numbers: ``n`` for workflows, ``dn`` for dynamic tasks.
        title: How messages name the workflow.
        context: The running task that compiles a graph, if it is one.
    """

    compiling = True

    def __init__(self, app: App, prefix: str, title: str, context: TaskContext | None = None) -> None:
        self.app = app
        self.context = context
        self.prefix = prefix
        self.title = title
        self.nodes: list[NodeBuilder] = []
        self.entities: list[Entity] = []
        self._all_nodes: list[NodeBuilder] = []
        self.conditional: ConditionalSection | None = None
        self._count = 0

    def new_id(self) -> str:
        """Return the next node id."""
        node_id = f"{self.prefix}{self._count}"
        self._count += 1
        return node_id

    def add(self, node: NodeBuilder) -> None:
        """Take a new node: into the open conditional if there is one, else into the workflow."""
        node.home = self
        self._all_nodes.append(node)
        (self.nodes if self.conditional is None else self.conditional.pending).append(node)

    def finish(self) -> None:
        """Refuse a conditional that was left open.

        Raises:
            CompileError: It has no else case.
        """
        if self.conditional is not None:
            raise CompileError(
                f"conditional {self.conditional.name!r} has no else",
                hint="End it with .else_().then(...) or .else_().fail(message).",
                location=self.conditional.location,
            )

    def build(self, location: str) -> tuple[Node, ...]:
        """Return the finished nodes in an order in which everything comes after what it needs.

        Args:
            location: ``file:line`` of the workflow.

        Raises:
            CompileError: There is a cycle, or two nodes have one id.
        """
        nodes = tuple(node.build() for node in self._ordered(location))
        names = self._names()
        return tuple(renamed_node(node, names) for node in nodes) if names else nodes

    def bindings(self, bindings: Mapping[str, Binding]) -> dict[str, Binding]:
        """Return bindings of outputs as they are in the finished workflow."""
        names = self._names()
        return renamed_bindings(bindings, names) if names else dict(bindings)

    def _names(self) -> dict[str, str]:
        """Return the names of renamed nodes by their numbers."""
        names = {node.id: node.node_name for node in self._all_nodes if node.node_name}
        if names:
            taken: set[str] = set()
            for node in self._all_nodes:
                if node.shown_id in taken:
                    raise CompileError(
                        f"two nodes of {self.title} are called {node.shown_id!r}",
                        hint="Give them different names in with_overrides(node_name=...).",
                        location=node.location,
                    )
                taken.add(node.shown_id)
        return names

    def _ordered(self, location: str) -> list[NodeBuilder]:
        """Walk from every node to what it needs, depth first, without recursion: chains may be long."""
        own = {id(node) for node in self.nodes}
        ordered: list[NodeBuilder] = []
        begun: dict[int, bool] = {}  # by node: whether it is finished
        for start in self.nodes:
            if id(start) in begun:
                continue
            begun[id(start)] = False
            stack = [(start, iter([*start.upstream, *start.data_sources()]))]
            while stack:
                node, needed = stack[-1]
                before = next((n for n in needed if not begun.get(id(n), False)), None)
                if before is None:
                    begun[id(node)] = True
                    ordered.append(node)
                    stack.pop()
                elif id(before) in begun:
                    raise CompileError(
                        f"{self.title} has a cycle through {node.title} ({node.shown_id}) and {before.title} ({before.shown_id})",
                        hint="Remove one of the orderings that make the cycle.",
                        location=location,
                    )
                else:
                    begun[id(before)] = False
                    stack.append((before, iter([*before.upstream, *before.data_sources()])))
        return [node for node in ordered if id(node) in own]

    def call(self, entity: Entity, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make a node that runs an entity, and return promises for its outputs.

        Raises:
            CompileError: An input is missing, unknown or of the wrong type; the message names both ends.
        """
        node, interface = self.node_for(entity, args, kwargs)
        promises = node.promises
        if not promises:
            return VoidPromise(node)
        if interface.python.output_tuple is None:
            return next(iter(promises.values()))
        return _together(interface.python.output_tuple, tuple(promises))(*promises.values())

    def node_for(
        self, entity: Entity, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[NodeBuilder, CompiledInterface]:
        """Make a node that runs an entity."""
        location = call_site()
        try:
            compiled = entity.compiled(self.app)
            entity.check_given(kwargs)
            values = compiled.bind_arguments(args, kwargs)
            compiled.check_complete(values)
        except UsageError as problem:
            if problem.location.rpartition(":")[2].isdigit():
                raise
            where = f"{problem.location}: " if problem.location else ""
            raise CompileError(f"{where}{problem.message}", hint=problem.hint, location=location) from None
        title = entity.title
        bindings: dict[str, Binding] = {}
        sources: list[Promise] = []
        variables = compiled.interface.inputs
        for name, value in values.items():
            bindings[name] = self.bind(
                value, compiled.inputs[name], variables[name].type, sources, f"input {name!r} of {title}", location
            )
        node = NodeBuilder(self.new_id(), title, entity.target(self.app), bindings, location, entity)
        node.sources = sources
        self.entities.append(entity)
        node.overrides = entity._call_overrides()
        node.name = entity.shown_name
        node.promises = {
            name: Promise(node, name, variable.type) for name, variable in compiled.interface.outputs.items()
        }
        self.add(node)
        return node, compiled

    def bind(
        self,
        value: Any,
        converter: Converter[Any],
        wanted: LiteralType,
        sources: list[Promise],
        what: str,
        location: str,
    ) -> Binding:
        """Turn a value, a promise or a structure of them into a binding.

        Args:
            value: The value.
            converter: Converter of plain values.
            wanted: The type that is expected.
            sources: Gets the promises that are met.
            what: How messages name the place, as ``input 'x' of f``.
            location: ``file:line`` of the call.

        Raises:
            TypeMismatchError: The value or promise is of another type.
        """
        if type(value) is Promise:
            home = value._home if value._node is None else value._node.home
            if home is not self:
                raise CompileError(
                    f"{what}: {value._title()} belongs to another workflow",
                    hint="Pass it on as an output of that workflow and an input of this one.",
                    location=location,
                )
            reason = mismatch(value._type, wanted)
            if reason is not None and not _convertible(value, wanted):
                raise TypeMismatchError(
                    f"{what} expects {display(wanted)}, found {value._title()}, which is {display(value._type)}"
                    + (f" ({reason})" if reason != f"{display(value._type)} does not fit {display(wanted)}" else ""),
                    hint=_made_at(value),
                    location=location,
                )
            sources.append(value)
            return value._binding(_variant(value._type, wanted))
        if _holds_promise(value):
            return self._bind_structure(value, converter, wanted, sources, what, location)
        try:
            return LiteralBinding(converter.to_literal(value, self.app.conversion))
        except ValueConversionError as problem:
            hidden = _hidden_promise(value)
            if hidden is not None:
                raise TypeMismatchError(
                    f"{what}: a promise, {hidden._title()}, is inside a {type(value).__qualname__}",
                    hint="Promises may stand alone, in lists and in dicts. Write a task that puts the rest together.",
                    location=location,
                ) from None
            raise TypeMismatchError(f"{what}: {problem.message}", hint=problem.hint, location=location) from None

    def _bind_structure(
        self,
        value: Any,
        converter: Converter[Any],
        wanted: LiteralType,
        sources: list[Promise],
        what: str,
        location: str,
    ) -> Binding:
        if isinstance(value, Chainable):
            raise TypeMismatchError(
                f"{what} expects {display(wanted)}, found a call that returns nothing", location=location
            )
        python_type = converter.python_type
        if isinstance(wanted, UnionOf):
            wanted, python_type = self._variant_for(value, wanted, python_type)
        if isinstance(value, (list, tuple)) and isinstance(wanted, (ListOf, TupleOf)):
            items = wanted.items if isinstance(wanted, TupleOf) else (wanted.item,) * len(value)
            if len(items) != len(value):
                raise TypeMismatchError(f"{what} expects {len(items)} items, found {len(value)}", location=location)
            return ListBinding(
                tuple(
                    self.bind(
                        item, self._inner(python_type, i, wanted), item_type, sources, f"item {i} of {what}", location
                    )
                    for i, (item, item_type) in enumerate(zip(value, items, strict=True))
                )
            )
        if isinstance(value, Mapping) and isinstance(wanted, MapOf):
            inner = self._inner(python_type, 1, wanted)
            return MapBinding(
                {
                    str(key): self.bind(item, inner, wanted.value, sources, f"entry {key!r} of {what}", location)
                    for key, item in value.items()
                }
            )
        if isinstance(value, tuple) and value and all(type(item) is Promise for item in value):
            raise TypeMismatchError(
                f"{what} expects {display(wanted)}, found all {len(value)} outputs of {value[0]._own_node().title}",
                hint="Take one of them, as result.o0 or result[0].",
                location=location,
            )
        raise TypeMismatchError(
            f"{what} expects {display(wanted)}, found {type(value).__qualname__} with promises in it", location=location
        )

    def _variant_for(self, value: Any, wanted: UnionOf, python_type: Any) -> tuple[LiteralType, Any]:
        """Return the variant of a union that a structure is, with its Python type; the union if several could be meant."""
        import typing

        kinds = (ListOf, TupleOf) if isinstance(value, (list, tuple)) else (MapOf, Record)
        fitting = [variant for variant in wanted.variants if isinstance(variant, kinds)]
        if len(fitting) != 1:
            return wanted, python_type
        for each in typing.get_args(python_type):
            if self.app.registry.converter(each).literal_type == fitting[0]:
                return fitting[0], each
        return fitting[0], self.app.registry.python_type(fitting[0])

    def _inner(self, python_type: Any, index: int, wanted: LiteralType) -> Converter[Any]:
        """Return the converter of a part of a structure, from the Python type where it says, else from the literal type."""
        import typing

        args = [a for a in typing.get_args(python_type) if a is not Ellipsis and a is not type(None)]
        if isinstance(wanted, ListOf) and args:
            inner = args[0]
        elif isinstance(wanted, TupleOf) and len(args) == len(wanted.items):
            inner = args[index]
        elif isinstance(wanted, MapOf) and len(args) == 2:
            inner = args[1]
        else:
            literal_type = wanted.item if isinstance(wanted, ListOf) else getattr(wanted, "value", wanted)
            inner = self.app.registry.python_type(literal_type)
        return self.app.registry.converter(inner)


def _holds_promise(value: Any) -> bool:
    if isinstance(value, Chainable):
        return True
    if type(value) in {list, tuple} or isinstance(value, tuple):
        return any(_holds_promise(item) for item in value)
    if type(value) is dict:
        return any(_holds_promise(item) for item in value.values())
    return False


def _hidden_promise(value: Any, depth: int = 4) -> Promise | None:
    """Return a promise inside a value where it cannot be bound, as in a field of a dataclass."""
    if isinstance(value, Promise):
        return value
    if not depth:
        return None
    inner: list[Any] = []
    if isinstance(value, Mapping):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        inner = list(value)
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        inner = list(vars(value).values())
    return next((found for item in inner if (found := _hidden_promise(item, depth - 1)) is not None), None)


def _convertible(promise: Promise, target: LiteralType) -> bool:
    """Tell whether a promise fits although its type alone does not.

    Data frames of unlike declared formats fit, as readers take any format. A part of untyped JSON fits a primitive: what
    it is comes out when the workflow runs. So does which variant a value of a union is, where that is allowed.
    """
    source = promise._type
    if isinstance(source, UnionOf) and promise._narrowable:
        return any(mismatch(variant, target) is None for variant in source.variants)
    if isinstance(source, DatasetOf) and isinstance(target, DatasetOf):
        return not (source.columns and target.columns)
    return source == JSON and bool(promise._path) and target in {BOOL, INT, FLOAT, STR}


def _variant(source: LiteralType, wanted: LiteralType) -> str:
    """Name the variant of a union of several that a value of a type is; empty if it is none, or the value says it."""
    if not isinstance(wanted, UnionOf) or source not in wanted.variants:
        return ""
    return display(source) if sum(variant != NONE for variant in wanted.variants) > 1 else ""


def _made_at(promise: Promise) -> str:
    node = promise._node
    return f"{node.title} was called at {node.location}." if node is not None and node.location else ""
