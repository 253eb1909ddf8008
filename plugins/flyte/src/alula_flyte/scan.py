"""Which names of Flyte's a source uses, read from its syntax tree; nothing is imported."""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Iterable, Iterator

import msgspec

from .lookup import Found, look_up
from .names import is_flyte, table_of

_BUILTINS = frozenset(vars(builtins))

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class Use(msgspec.Struct, frozen=True):
    """A place where a name of Flyte's is used.

    Attributes:
        found: The name.
        line: The line, counted from 1.
    """

    found: Found
    line: int


def uses_of(code: bytes) -> list[Use]:
    """Return the uses of Flyte's names in a source, in the order of lines.

    Known modules that are imported are no uses; what is taken from them is.

    Raises:
        SyntaxError: This is no Python of the running version.
        ValueError: It cannot be decoded.
        RecursionError: It is nested too deeply.
    """
    return sorted(_read(code).uses(), key=lambda use: (use.line, use.found.name))


def unbound_names(code: bytes) -> set[str]:
    """Return the names that a source uses and nothing in it binds, quoted annotations included.

    Raises:
        SyntaxError: This is no Python of the running version.
        ValueError: It cannot be decoded.
        RecursionError: It is nested too deeply.
    """
    reader = _read(code)
    return {parts[0] for scope, parts, _ in reader.used if not scope.meanings(parts[0])} - _BUILTINS


def _read(code: bytes) -> _Reader:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(code)
    reader = _Reader()
    reader.visit(tree)
    return reader


class _Scope:
    """The names that a module, class or function binds.

    Attributes:
        bound: For each name what it may stand for: the parts of a name of Flyte's, or None for anything else.
    """

    def __init__(self, parent: _Scope | None, *, is_class: bool = False) -> None:
        self.parent = parent
        self.is_class = is_class
        self.bound: dict[str, list[tuple[str, ...] | None]] = {}
        self.elsewhere: dict[str, _Scope | None] = {}

    def bind(self, name: str, parts: tuple[str, ...] | None = None) -> None:
        """Let a name stand for something, in the scope that a ``global`` or ``nonlocal`` names, if one does."""
        if name not in self.elsewhere:
            self.bound.setdefault(name, []).append(parts)
        elif (other := self.elsewhere[name]) is not None:
            other.bind(name, parts)

    def meanings(self, name: str) -> list[tuple[str, ...] | None]:
        """Return what a name may stand for here; nothing if nothing binds it."""
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.bound and (scope is self or not scope.is_class):
                return scope.bound[name]
            scope = scope.parent
        return []


class _Reader(ast.NodeVisitor):
    """Collects what each scope binds, and the dotted names that are used in it; `uses` puts both together."""

    def __init__(self) -> None:
        self.module = _Scope(None)
        self.scope = self.module
        self.imported: list[Use] = []
        self.used: list[tuple[_Scope, tuple[str, ...], int]] = []
        self.stars: list[str] = []
        self.quoted_at = 0
        self.in_annotation = False

    def uses(self) -> Iterator[Use]:
        """Return all uses; to be called when everything is visited."""
        yield from self.imported
        for scope, parts, line in self.used:
            meanings = scope.meanings(parts[0])
            if not meanings:
                yield from self._from_star(parts, line)
            for base in {meaning for meaning in meanings if meaning is not None}:
                yield from _use((*base, *parts[1:]), line, len(base))

    def _from_star(self, parts: tuple[str, ...], line: int) -> Iterator[Use]:
        for module in self.stars:
            if parts[0] in (table_of(module) or {}) and parts[0] not in _BUILTINS:
                yield from _use((*module.split("."), *parts), line)

    # Imports.

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            parts = tuple(alias.name.split("."))
            flyte = is_flyte(alias.name)
            if flyte:
                self.imported += _use(parts, node.lineno, len(parts))
            if alias.asname:
                self.scope.bind(alias.asname, parts if flyte else None)
            else:
                self.scope.bind(parts[0], parts[:1] if flyte else None)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = "" if node.level else node.module or ""
        for alias in node.names:
            parts = (*module.split("."), alias.name) if is_flyte(module) else None
            if alias.name == "*":
                self.stars += [module] if parts else []
                continue
            self.scope.bind(alias.asname or alias.name, parts)
            if parts:
                self.imported += _use(parts, alias.lineno, len(parts))

    # What binds names, and opens scopes.

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)

    def _visit_function(self, node: _Function) -> None:
        self.scope.bind(node.name)
        self._visit_all(node.decorator_list)
        self._visit_arguments(node.args)
        self._visit_annotation(node.returns)
        outer = self._enter(_Scope(self.scope))
        self._bind_arguments(node.args)
        self._visit_all(getattr(node, "type_params", []))
        self._visit_all(node.body)
        self.scope = outer

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_arguments(node.args)
        outer = self._enter(_Scope(self.scope))
        self._bind_arguments(node.args)
        self.visit(node.body)
        self.scope = outer

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.scope.bind(node.name)
        self._visit_all([*node.decorator_list, *node.bases, *node.keywords])
        outer = self._enter(_Scope(self.scope, is_class=True))
        self._visit_all(getattr(node, "type_params", []))
        self._visit_all(node.body)
        self.scope = outer

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._visit_comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._visit_comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._visit_comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._visit_comprehension(node)

    def _visit_comprehension(self, node: _Comprehension) -> None:
        outer = self._enter(_Scope(self.scope))
        self.generic_visit(node)
        self.scope = outer

    def visit_Global(self, node: ast.Global) -> None:
        if self.scope is not self.module:
            self.scope.elsewhere.update(dict.fromkeys(node.names, self.module))

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.scope.elsewhere.update(dict.fromkeys(node.names, None))

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.scope.bind(node.name)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self.scope.bind(node.name)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self.scope.bind(node.name)
        self.generic_visit(node)

    def _enter(self, scope: _Scope) -> _Scope:
        outer, self.scope = self.scope, scope
        return outer

    def _bind_arguments(self, node: ast.arguments) -> None:
        for argument in _all_arguments(node):
            self.scope.bind(argument.arg)

    def _visit_arguments(self, node: ast.arguments) -> None:
        self._visit_all([*node.defaults, *filter(None, node.kw_defaults)])
        for argument in _all_arguments(node):
            self._visit_annotation(argument.annotation)

    # What uses names.

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._use((node.id,), node.lineno)
        else:
            self.scope.bind(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        parts = _dotted(node)
        if parts:
            self._use(parts, node.lineno)
        else:
            self.generic_visit(node)

    def _use(self, parts: tuple[str, ...], line: int) -> None:
        self.used.append((self.scope, parts, self.quoted_at or line))

    # Annotations, which may be quoted.

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._visit_annotation(node.annotation)
        self._visit_all(filter(None, [node.target, node.value]))

    def _visit_annotation(self, node: ast.expr | None) -> None:
        if node is not None:
            outer, self.in_annotation = self.in_annotation, True
            self.visit(node)
            self.in_annotation = outer

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)
        generic = (_dotted(node.value) or ("",))[-1]
        quoted = self.in_annotation
        if generic == "Literal":
            self.in_annotation = False
        if generic == "Annotated" and isinstance(node.slice, ast.Tuple):
            first, *rest = node.slice.elts
            self.visit(first)
            self.in_annotation = False
            self._visit_all(rest)
        else:
            self.visit(node.slice)
        self.in_annotation = quoted

    def visit_Constant(self, node: ast.Constant) -> None:
        if not (self.in_annotation and isinstance(node.value, str)):
            return
        try:
            expression = ast.parse(node.value.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            return
        outer, self.quoted_at = self.quoted_at, node.lineno
        self.visit(expression)
        self.quoted_at = outer

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)


def _all_arguments(node: ast.arguments) -> list[ast.arg]:
    return [*node.posonlyargs, *node.args, *node.kwonlyargs, *filter(None, [node.vararg, node.kwarg])]


def _dotted(node: ast.expr) -> tuple[str, ...]:
    """Return the parts of ``a.b.c``; nothing for what is more than names."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (*[node.id], *reversed(parts)) if isinstance(node, ast.Name) else ()


def _use(parts: tuple[str, ...], line: int, at_least: int = 1) -> Iterator[Use]:
    found = look_up(parts, at_least)
    hidden = found.name.rpartition(".")[2].startswith("__") and found.row is None
    if not (hidden or found.is_module):
        yield Use(found, line)
