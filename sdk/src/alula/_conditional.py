"""Conditionals: cases of which one is run."""

from __future__ import annotations

from typing import Any

from alula_kernel.errors import CompileError, TypeMismatchError
from alula_kernel.specs import Binding, BranchCase, BranchTarget, Condition, condition_references
from alula_kernel.types import BOOL, LiteralType, display, mismatch

from ._compile import Compilation, NodeBuilder
from ._promise import Expression, Promise, VoidPromise
from ._state import STATE, call_site


class _Case:
    """One case while the conditional is being written."""

    def __init__(self, condition: Condition | None) -> None:
        self.condition = condition
        self.nodes: list[NodeBuilder] = []
        self.promises: dict[str, Promise] = {}
        self.error: str | None = None
        self.void = False


class ConditionalSection:
    """A conditional that is being written: ``conditional("name").if_(...).then(...).else_().then(...)``.

    Args:
        name: What people see.
        compilation: The workflow that it belongs to.
    """

    def __init__(self, name: str, compilation: Compilation) -> None:
        self.name = name
        self.location = call_site()
        self.pending: list[NodeBuilder] = []
        self._compilation = compilation
        self._outer = compilation.conditional
        self._cases: list[_Case] = []
        compilation.conditional = self

    def if_(self, expr: Expression) -> Case:
        """Begin the first case.

        Args:
            expr: A comparison of promises, or several joined with ``&`` and ``|``.
        """
        return self._case(_checked(expr))

    def _case(self, condition: Condition | None) -> Case:
        # Nodes that were made since the last case, as in the condition itself, are no part of any case: they always run.
        (self._compilation.nodes if self._outer is None else self._outer.pending).extend(self.pending)
        self.pending = []
        case = _Case(condition)
        self._cases.append(case)
        return Case(self, case)

    def _close_case(self, case: _Case, result: Any) -> Any:
        """Take what a case yields; the else case ends the conditional."""
        case.nodes = self.pending
        self.pending = []
        if isinstance(result, VoidPromise) or result is None:
            case.void = True
        else:
            parts = result if isinstance(result, tuple) else (result,)
            for part in parts:
                if not isinstance(part, Promise):
                    raise CompileError(
                        f"a case of conditional {self.name!r} yields {type(part).__qualname__}",
                        hint="Call a task, workflow or launch plan in .then(...).",
                        location=call_site(),
                    )
                case.promises[part._output] = part
        return self._next(case)

    def _fail_case(self, case: _Case, message: str) -> Any:
        case.error = message
        return self._next(case)

    def _next(self, case: _Case) -> Any:
        if case.condition is not None:
            return NextCase(self)
        return self._finish()

    def _finish(self) -> Any:
        compilation = self._compilation
        compilation.conditional = self._outer
        types = self._output_types()
        target = BranchTarget(tuple(self._build_case(case, types) for case in self._cases))
        node = NodeBuilder(compilation.new_id(), f"conditional {self.name!r}", target, {}, self.location)
        node.name = self.name
        inner = {id(child) for case in self._cases for child in case.nodes}
        for case in self._cases:
            for child in case.nodes:
                node.sources.extend(p for p in child.sources if id(p._node) not in inner)
                node.upstream.extend(n for n in child.upstream if id(n) not in inner and n not in node.upstream)
            node.sources.extend(p for p in case.promises.values() if id(p._node) not in inner)
            node.sources.extend(self._condition_sources(case))
        compilation.add(node)
        node.promises = {name: Promise(node, name, literal_type) for name, literal_type in types.items()}
        if not types:
            return VoidPromise(node)
        promises = tuple(node.promises.values())
        return promises[0] if len(promises) == 1 else promises

    def _condition_sources(self, case: _Case) -> list[Promise]:
        if case.condition is None:
            return []
        wanted = {ref.node for ref in condition_references(case.condition)}
        nodes = [*self._compilation.nodes, *self._outer_pending()]
        return [Promise(node, "", BOOL) for node in nodes if node.id in wanted]

    def _outer_pending(self) -> list[NodeBuilder]:
        found: list[NodeBuilder] = []
        section = self._outer
        while section is not None:
            found.extend(section.pending)
            section = section._outer
        return found

    def _output_types(self) -> dict[str, LiteralType]:
        """Return the outputs that every case has; none if a case yields nothing."""
        yielding = [case for case in self._cases if case.error is None]
        if not yielding or any(case.void for case in yielding):
            return {}
        first = yielding[0].promises
        names = [name for name in first if all(name in case.promises for case in yielding)]
        types: dict[str, LiteralType] = {}
        for name in names:
            types[name] = first[name]._type
            for case in yielding[1:]:
                other = case.promises[name]._type
                if mismatch(other, types[name]) is None:
                    continue
                if mismatch(types[name], other) is None:
                    types[name] = other
                    continue
                raise TypeMismatchError(
                    f"output {name!r} of conditional {self.name!r} is {display(types[name])} in one case and "
                    f"{display(other)} in another",
                    location=self.location,
                )
        return types

    def _build_case(self, case: _Case, types: dict[str, LiteralType]) -> BranchCase:
        outputs: dict[str, Binding] = (
            {} if case.error is not None else {name: case.promises[name]._binding() for name in types}
        )
        return BranchCase(
            condition=case.condition,
            nodes=tuple(node.build() for node in case.nodes),
            outputs=outputs,
            error=case.error,
        )


class Case:
    """A case that waits to be told what it does."""

    def __init__(self, section: ConditionalSection, case: _Case) -> None:
        self._section = section
        self._case = case

    def then(self, p: Any) -> Any:
        """Say what the case yields.

        Args:
            p: What the call of an entity returned.

        Returns:
            The conditional so far, or after the else case what it yields.
        """
        return self._section._close_case(self._case, p)

    def fail(self, err: str) -> Any:
        """Let the case fail the workflow with a message."""
        return self._section._fail_case(self._case, err)


class NextCase:
    """A conditional that waits for its next case."""

    def __init__(self, section: ConditionalSection) -> None:
        self._section = section

    def elif_(self, expr: Expression) -> Case:
        """Begin another case."""
        return self._section._case(_checked(expr))

    def else_(self) -> Case:
        """Begin the last case, taken when no other is."""
        return self._section._case(None)


def _checked(expr: Any) -> Condition:
    if isinstance(expr, Expression):
        return expr.condition
    hint = "Write x.is_true(), x.is_false() or x.is_none()." if isinstance(expr, Promise) else ""
    raise CompileError(
        f"a condition must be a comparison of promises, found {type(expr).__qualname__}",
        hint=hint or "Compare an input or an output, as (x > 1).",
        location=call_site(),
    )


def conditional(name: str) -> ConditionalSection:
    """Begin a conditional in a workflow.

    Args:
        name: What people see.

    Raises:
        CompileError: It is not called in a workflow.
    """
    state = STATE.get()
    if not isinstance(state, Compilation):
        raise CompileError(
            "conditional is used outside of a workflow",
            hint="In a task, use Python's own `if`.",
            location=call_site(),
        )
    return ConditionalSection(name, state)
