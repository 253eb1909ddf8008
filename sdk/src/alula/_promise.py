"""Promises: what stands for a value while a workflow is being compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from alula_kernel.errors import CompileError, PromiseUseError
from alula_kernel.literals import Scalar
from alula_kernel.specs import Binding, Comparison, Condition, Junction, LiteralBinding, Reference
from alula_kernel.types import (
    JSON,
    NONE,
    ListOf,
    LiteralType,
    MapOf,
    Record,
    Simple,
    TupleOf,
    UnionOf,
    display,
)

from ._state import call_site

if TYPE_CHECKING:
    from ._compile import Compilation, NodeBuilder


class Expression:
    """A condition over promises, joined with ``&`` and ``|``.

    Args:
        condition: The condition.
        title: How messages name it.
    """

    __slots__ = ("condition", "title")

    def __init__(self, condition: Condition, title: str) -> None:
        self.condition = condition
        self.title = title

    def __and__(self, other: Expression) -> Expression:
        return self._join("and", other)

    def __or__(self, other: Expression) -> Expression:
        return self._join("or", other)

    def _join(self, sign: str, other: Expression) -> Expression:
        if not isinstance(other, Expression):
            raise PromiseUseError(
                f"a condition was joined with {type(other).__qualname__}",
                hint="Put each comparison in parentheses: (a > 1) & (b < 2).",
                location=call_site(),
            )
        return Expression(Junction(sign, self.condition, other.condition), f"{self.title} {sign} {other.title}")

    def __bool__(self) -> NoReturn:
        raise PromiseUseError(
            f"{self.title}: the comparison has no truth value while the workflow is compiled",
            hint="Use conditional(...).if_(...), and & and | instead of `and` and `or`; or move the code into a task.",
            location=call_site(),
        )


def _refuse(use: str, hint: str) -> PromiseUseError:
    return PromiseUseError(f"{use}: its value is only known when the workflow runs", hint=hint, location=call_site())


class Chainable:
    """Something that a node stands behind: it can be ordered and its node changed."""

    __slots__ = ("_node",)

    _node: NodeBuilder | None

    def _own_node(self) -> NodeBuilder:
        if self._node is None:
            raise CompileError(
                "an input of the workflow is not a node, so it has no order and no settings", location=call_site()
            )
        return self._node

    def __rshift__(self, other: Any) -> Any:
        """Let the node behind `other` run after this one."""
        self._own_node().runs_before(other)
        return other

    def with_overrides(self, *args: Any, **kwargs: Any) -> Any:
        """Change settings of the call behind this output; see `NodeBuilder.with_overrides`."""
        self._own_node().with_overrides(*args, **kwargs)
        return self


class VoidPromise(Chainable):
    """The result of calling an entity without outputs while a workflow is compiled."""

    __slots__ = ()

    def __init__(self, node: NodeBuilder) -> None:
        self._node = node

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"{self._own_node().title} returns nothing, so its result has no {name!r}")

    def __bool__(self) -> NoReturn:
        raise _refuse(f"{self._own_node().title} returns nothing, and was used as a condition", "Remove it.")

    def __repr__(self) -> str:
        return f"VoidPromise({self._own_node().id})"


class Promise(Chainable):
    """An output of a node, or an input of the workflow.

    Args:
        node: The node; None for an input of the workflow.
        output: Name of the output or input.
        literal_type: Type of the value.
        path: Attributes, keys and indexes to follow inside the output.
        home: The compilation that an input belongs to; that of the node if there is one.
    """

    __slots__ = ("_home", "_output", "_path", "_type")

    def __init__(
        self,
        node: NodeBuilder | None,
        output: str,
        literal_type: LiteralType,
        path: tuple[str | int, ...] = (),
        home: Compilation | None = None,
    ) -> None:
        self._node = node
        self._home = home
        self._output = output
        self._type = literal_type
        self._path = path

    def _binding(self, variant: str = "") -> Reference:
        return Reference(self._node.id if self._node is not None else "", self._output, self._path, variant)

    def _title(self) -> str:
        path = "".join(f"[{step!r}]" for step in self._path)
        if self._node is None:
            return f"workflow input {self._output!r}{path}"
        return f"output {self._output!r}{path} of {self._node.title}"

    def _at(self, step: str | int, *, attribute: bool = False) -> Promise:
        found = _type_at(self._type, step)
        if found is None:
            if attribute:
                has = _parts(self._type)
                known = f"; it has {', '.join(has)}" if has else ""
                raise AttributeError(f"{self._title()} is {display(self._type)}, which has no {step!r}{known}")
            raise CompileError(f"{self._title()} is {display(self._type)}, which has no {step!r}", location=call_site())
        return Promise(self._node, self._output, found, (*self._path, step), self._home)

    def __getattr__(self, name: str) -> Promise:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._at(name, attribute=True)

    def __getitem__(self, key: str | int) -> Promise:
        if not isinstance(key, (str, int)):
            raise _refuse(f"{self._title()} was indexed with {type(key).__qualname__}", "Use a number or a string.")
        return self._at(key)

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return self._compare("!=", other)

    def __lt__(self, other: object) -> Expression:
        return self._compare("<", other)

    def __le__(self, other: object) -> Expression:
        return self._compare("<=", other)

    def __gt__(self, other: object) -> Expression:
        return self._compare(">", other)

    def __ge__(self, other: object) -> Expression:
        return self._compare(">=", other)

    def is_true(self) -> Expression:
        """Compare with True."""
        return self._compare("==", True)

    def is_false(self) -> Expression:
        """Compare with False."""
        return self._compare("==", False)

    def is_none(self) -> Expression:
        """Compare with None."""
        return self._compare("==", None)

    def _compare(self, sign: str, other: object) -> Expression:
        _check_comparable(self)
        _check_kinds(self, sign, other)
        shown = other._title() if isinstance(other, Promise) else repr(other)
        return Expression(Comparison(sign, self._binding(), _operand(other)), f"{self._title()} {sign} {shown}")

    __hash__ = object.__hash__

    def __bool__(self) -> NoReturn:
        raise _refuse(
            f"{self._title()} was used as a condition",
            "Use conditional(...).if_(x.is_true()), or move the code into a task or a @dynamic.",
        )

    def __len__(self) -> NoReturn:
        raise _refuse(f"len() of {self._title()}", "Move the code into a task, or use map_task or @dynamic.")

    def __iter__(self) -> Iterator[Any]:
        raise _refuse(f"{self._title()} was iterated over", "Use map_task, or move the loop into a @dynamic.")

    _printable = False

    @classmethod
    def let_be_printed(cls) -> None:
        """Let promises be turned into text, which says what they are promises of, instead of refusing it."""
        cls._printable = True

    _narrowable = False

    @classmethod
    def let_be_narrowed(cls) -> None:
        """Let promises of a union be passed where not all of its variants fit: a value is looked at when it is there."""
        cls._narrowable = True

    def __str__(self) -> str:
        if self._printable:
            return repr(self)
        raise _refuse(f"{self._title()} was printed or turned into text", "Do it in a task that takes the value.")

    def __format__(self, _spec: str) -> str:
        if self._printable:
            return repr(self)
        raise _refuse(f"{self._title()} was formatted into text", "Do it in a task that takes the value.")

    def __repr__(self) -> str:
        return f"Promise({self._title()}: {display(self._type)})"


def _refusal(name: str, use: str, hint: str) -> Callable[..., NoReturn]:
    def refuse(self: Promise, *_others: object) -> NoReturn:
        raise _refuse(f"{self._title()} {use}", hint)

    refuse.__name__ = name
    return refuse


_COMPUTE = "Write a task that computes it."
_OPERATORS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "matmul": "@",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "lshift": "<<",
    "xor": "^",
}
_CONVERSIONS = {
    "neg": "-",
    "pos": "+",
    "invert": "~",
    "abs": "abs()",
    "round": "round()",
    "int": "int()",
    "float": "float()",
    "complex": "complex()",
    "index": "an index or a count",
    "bytes": "bytes()",
    "divmod": "divmod()",
    "trunc": "trunc()",
    "floor": "floor()",
    "ceil": "ceil()",
}
_OTHER_USES = {
    "and": ("was joined with &", "Join comparisons: (a.is_true()) & (b > 1)."),
    "or": ("was joined with |", "Join comparisons: (a.is_true()) | (b > 1)."),
    "contains": ("was searched with `in`", "Search it in a task that takes the value."),
    "call": ("was called", "Only tasks, workflows and launch plans can be called in a workflow."),
    "setitem": ("was changed", "Change it in a task that takes the value, and return it from there."),
    "delitem": ("was changed", "Change it in a task that takes the value, and return it from there."),
    "fspath": ("was used as a path", "Open it in a task that takes the File."),
    "enter": ("was used in `with`", "Use it in a task that takes the value."),
    "reversed": ("was reversed", _COMPUTE),
}


def _refuse_other_uses() -> None:
    """Give `Promise` a method for each operator, which says what was wrong instead of "unsupported operand"."""
    uses = {
        **{
            f"{side}{name}": (f"was used with {sign}", _COMPUTE)
            for name, sign in _OPERATORS.items()
            for side in ("", "r")
        },
        **{name: (f"was used with {sign}", _COMPUTE) for name, sign in _CONVERSIONS.items()},
        **_OTHER_USES,
    }
    for name, (use, hint) in uses.items():
        setattr(Promise, f"__{name}__", _refusal(f"__{name}__", use, hint))


_refuse_other_uses()


def _operand(value: object) -> Binding:
    if isinstance(value, Promise):
        _check_comparable(value)
        return value._binding()
    if value is None or isinstance(value, (bool, int, float, str)):
        return LiteralBinding(Scalar(value))
    import enum

    if isinstance(value, enum.Enum):
        return LiteralBinding(Scalar(value.value))
    raise PromiseUseError(
        f"a promise was compared with {type(value).__qualname__}",
        hint="Only None, booleans, numbers, strings and other promises can be compared.",
        location=call_site(),
    )


def _check_comparable(promise: Promise) -> None:
    literal_type = promise._type
    variants = literal_type.variants if isinstance(literal_type, UnionOf) else (literal_type,)
    for variant in variants:
        if isinstance(variant, (ListOf, MapOf, TupleOf, Record)) or (
            isinstance(variant, Simple) and variant.kind == "bytes"
        ):
            raise PromiseUseError(
                f"{promise._title()} is {display(literal_type)}, which cannot be compared",
                hint="Compare a primitive inside it, as p.field or p[0].",
                location=call_site(),
            )


def _check_kinds(promise: Promise, sign: str, other: object) -> None:
    """Refuse comparisons that cannot come out, as of text with a number, when the workflow is compiled."""
    left = _kind(promise._type)
    right = _kind(other._type) if isinstance(other, Promise) else _KINDS.get(type(other), "")
    if not left or not right or left == right:
        return
    shown = display(other._type) if isinstance(other, Promise) else f"{type(other).__name__} {other!r}"
    raise PromiseUseError(
        f"{promise._title()} is {display(promise._type)}, which cannot be compared with {shown} by {sign}",
        hint="Compare values of one kind: numbers with numbers, text with text.",
        location=call_site(),
    )


_KINDS = {bool: "bool", int: "number", float: "number", str: "str"}
_SIMPLE_KINDS = {"bool": "bool", "int": "number", "float": "number", "str": "str"}


def _kind(literal_type: LiteralType) -> str:
    """Return what a type can be compared with; empty if that is not known."""
    if isinstance(literal_type, UnionOf):
        kinds = {_kind(variant) for variant in literal_type.variants if variant != NONE}
        return kinds.pop() if len(kinds) == 1 else ""
    return _SIMPLE_KINDS.get(literal_type.kind, "") if isinstance(literal_type, Simple) else ""


def _parts(literal_type: LiteralType) -> list[str]:
    """Return the names of a record's fields."""
    variants = literal_type.variants if isinstance(literal_type, UnionOf) else (literal_type,)
    return [field.name for variant in variants if isinstance(variant, Record) for field in variant.fields]


def _type_at(literal_type: LiteralType, step: str | int) -> LiteralType | None:
    """Return the type of a part of a value, or None if it cannot have such a part."""
    match literal_type:
        case ListOf(item) if isinstance(step, int):
            return item
        case TupleOf(items) if isinstance(step, int) and -len(items) <= step < len(items):
            return items[step]
        case MapOf(value) if isinstance(step, str):
            return value
        case Record(_, fields):
            return next((field.type for field in fields if field.name == step), None)
        case Simple("json"):
            return JSON
        case UnionOf(variants):
            rest = [v for v in variants if v != NONE]
            return _type_at(rest[0], step) if len(rest) == 1 else None
    return None


__all__ = ["Chainable", "Expression", "Promise", "VoidPromise"]
