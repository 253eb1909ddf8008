"""Hashing the code of a function together with the code that it uses from its own package."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import os
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from typing import Any

_CONSTANTS = (bool, int, float, str, bytes, type(None))


def code_hash(function: Callable[..., Any]) -> str:
    """Return the SHA-256 of what a function does, in hexadecimal.

    Counted are the syntax tree of the function and of every function and class of its own package that it names, at any
    depth, also through modules and through imports in its body, and the global values that they name: constants by value,
    others by the expression that made them. Comments, docstrings, decorators, annotations and line breaks are not.
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
        tree = _syntax_tree(thing)
        yield f"{getattr(thing, '__qualname__', '')}:{_without_decoration(tree) if tree is not None else _byte_code(thing)}"
        if tree is not None:
            yield from _imported_inside(tree, thing, package)
        for name, value, home in _used(thing, package):
            value = inspect.unwrap(getattr(value, "function", None) or value)
            if isinstance(value, (types.FunctionType, type)):
                if _package(value) == package:
                    waiting.append(value)
            elif isinstance(value, _CONSTANTS):
                yield f"{name}={value!r}"
            elif isinstance(value, (tuple, frozenset)) and all(isinstance(v, _CONSTANTS) for v in value):
                yield f"{name}={sorted(map(repr, value)) if isinstance(value, frozenset) else value!r}"
            elif not isinstance(value, types.ModuleType) and home:
                yield f"{name}={_assigned(home, name.rpartition('.')[2], package)}"


def _package(thing: Any) -> str:
    module: str = getattr(thing, "__module__", None) or ""
    return module.partition(".")[0]


# --- syntax ----------------------------------------------------------------------------------------------------------


def _syntax_tree(thing: Any) -> ast.Module | None:
    if getattr(getattr(thing, "__code__", None), "co_filename", "") == "<string>":
        return None  # Python 3.13 takes the text of `python -c` for the source of whatever else was made of a string
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError):  # no source: typed into an interpreter, or built in
        return None


def _byte_code(thing: Any) -> str:
    code = getattr(thing, "__code__", None)
    return f"{code.co_code.hex()}{code.co_consts!r}{code.co_names!r}" if code is not None else repr(thing)


def _without_decoration(tree: ast.AST) -> str:
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


def _imported_inside(tree: ast.AST, thing: Any, package: str) -> Iterator[str]:
    """Yield the syntax of modules of the package that a function imports in its body."""
    inside = getattr(thing, "__module__", None) or ""
    parent = inside if hasattr(sys.modules.get(inside), "__path__") else inside.rpartition(".")[0]
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parent.split(".")[: len(parent.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.partition(".")[0] == package and name != inside:
                yield f"{name}:{_module_syntax(name)}"


def _module_syntax(name: str) -> str:
    from importlib.util import find_spec

    try:
        spec = find_spec(name)
    except (ImportError, ValueError):  # a name in a module, not a module
        return ""
    tree = _parsed_file(spec.origin) if spec is not None and spec.origin is not None else None
    return _without_decoration(tree) if tree is not None else ""


def _parsed_file(path: str) -> ast.Module | None:
    try:
        with open(path, "rb") as source:
            return ast.parse(source.read())
    except (OSError, SyntaxError, ValueError):
        return None


# --- names -----------------------------------------------------------------------------------------------------------


def _used(thing: Any, package: str) -> Iterator[tuple[str, Any, str]]:
    """Yield the names that a function, or the methods of a class, use from outside: name, value, module of a global."""
    if isinstance(thing, type):
        for member in vars(thing).values():
            inner = inspect.unwrap(getattr(member, "__func__", None) or getattr(member, "fget", None) or member)
            if isinstance(inner, types.FunctionType):
                yield from _used(inner, package)
        return
    if not isinstance(thing, types.FunctionType):
        return
    names = sorted(_names(thing.__code__))
    for name in names:
        if name in thing.__globals__:
            value = thing.__globals__[name]
            yield name, value, thing.__module__ or ""
            yield from _through_module(value, names, package, frozenset())
    for name, cell in zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents, ""
        except ValueError:  # an empty cell
            continue


def _through_module(
    module: Any, names: list[str], package: str, seen: frozenset[str]
) -> Iterator[tuple[str, Any, str]]:
    """Yield members of a module of the package, as ``helpers.scale``, and of modules in it."""
    if not isinstance(module, types.ModuleType) or module.__name__.partition(".")[0] != package:
        return
    if module.__name__ in seen:
        return
    for name in names:
        if name in vars(module):
            value = vars(module)[name]
            yield f"{module.__name__}.{name}", value, module.__name__
            yield from _through_module(value, names, package, seen | {module.__name__})


def _names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def _assigned(module: str, name: str, package: str) -> str:
    """Return the expressions that a global of the package is made of, by their syntax; empty if they are not found.

    The value itself is not looked at, as it may change while the program runs.
    """
    for _ in range(10):  # follows re-exports
        path: str = getattr(sys.modules.get(module), "__file__", None) or ""
        found = _assignments(path).get(name)
        if found is None:
            return ""
        if not found.startswith("from "):
            return found
        module, name = found.removeprefix("from ").split(" ")
        if module.startswith("."):
            module = _absolute(module, path)
        if module.partition(".")[0] != package:
            return ""
    return ""


def _absolute(module: str, path: str) -> str:
    inside = next((n for n, m in list(sys.modules.items()) if getattr(m, "__file__", None) == path), "")
    level = len(module) - len(module.lstrip("."))
    parts = inside.split(".")
    if not path.endswith("__init__.py"):
        parts = parts[:-1]
    return ".".join([*parts[: len(parts) - level + 1], module.lstrip(".")]).strip(".")


def _assignments(path: str) -> dict[str, str]:
    """Return what the top level of a file assigns: syntax by name, or ``from <module> <name>`` for an import."""
    try:
        return _assignments_at(path, os.stat(path).st_mtime_ns)
    except OSError:
        return {}


@functools.lru_cache(maxsize=64)
def _assignments_at(path: str, _changed_ns: int) -> dict[str, str]:
    tree = _parsed_file(path)
    found: dict[str, str] = {}
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found.update({alias.asname or alias.name: f"from {module} {alias.name}" for alias in node.names})
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
            targets = [node.target]
        for target in targets:
            for part in ast.walk(target):
                if isinstance(part, ast.Name) and getattr(node, "value", None) is not None:
                    syntax = ast.dump(node.value, annotate_fields=False)  # type: ignore[attr-defined]
                    found[part.id] = found.get(part.id, "") + syntax
    return found
