"""Hashing the code of a function together with the code that it uses from its own package."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
import types
from collections.abc import Callable, Iterator
from typing import Any

_CONSTANTS = (bool, int, float, str, bytes, type(None))


def code_hash(function: Callable[..., Any]) -> str:
    """Return the SHA-256 of what a function does, in hexadecimal.

    Counted are the syntax tree of the function and of every function and class of its own package that it names, at any
    depth, and the constants among them. Comments, docstrings, decorators, annotations and line breaks are not.
    """
    digest = hashlib.sha256()
    for part in sorted(_parts(inspect.unwrap(function))):
        digest.update(part.encode())
    return digest.hexdigest()


def _parts(function: Callable[..., Any]) -> Iterator[str]:
    package = _package(function)
    waiting: list[Any] = [function]
    seen: set[int] = set()
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        yield f"{getattr(thing, '__qualname__', '')}:{_source_tree(thing)}"
        for name, value in _used(thing):
            value = inspect.unwrap(getattr(value, "function", None) or value)
            if isinstance(value, (types.FunctionType, type)) and _package(value) == package:
                waiting.append(value)
            elif isinstance(value, _CONSTANTS):
                yield f"{name}={value!r}"
            elif isinstance(value, (tuple, frozenset)) and all(isinstance(v, _CONSTANTS) for v in value):
                yield f"{name}={sorted(map(repr, value)) if isinstance(value, frozenset) else value!r}"


def _package(thing: Any) -> str:
    module: str = getattr(thing, "__module__", None) or ""
    return module.partition(".")[0]


def _source_tree(thing: Any) -> str:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError):  # no source: typed into an interpreter, or built in
        code = getattr(thing, "__code__", None)
        return f"{code.co_code.hex()}{code.co_consts!r}{code.co_names!r}" if code is not None else repr(thing)
    return ast.dump(_Bare().visit(tree), annotate_fields=False)


class _Bare(ast.NodeTransformer):
    """Removes what does not change what code does."""

    def _visit_definition(self, node: Any) -> Any:
        node.decorator_list = []
        if (
            node.body
            and isinstance(node.body[0], ast.Expr)
            and isinstance(node.body[0].value, ast.Constant)
            and isinstance(node.body[0].value.value, str)
        ):
            node.body = node.body[1:] or [ast.Pass()]
        if hasattr(node, "returns"):
            node.returns = None
        return self.generic_visit(node)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _visit_definition  # noqa: N815 - named by ast

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node


def _used(thing: Any) -> Iterator[tuple[str, Any]]:
    """Yield the global and closed-over names that a function, or the methods of a class, use, with their values."""
    if isinstance(thing, type):
        for member in vars(thing).values():
            inner = inspect.unwrap(getattr(member, "__func__", None) or getattr(member, "fget", None) or member)
            if isinstance(inner, types.FunctionType):
                yield from _used(inner)
        return
    if not isinstance(thing, types.FunctionType):
        return
    for name in sorted(_names(thing.__code__)):
        if name in thing.__globals__:
            yield name, thing.__globals__[name]
    for name, cell in zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # an empty cell
            continue


def _names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names
