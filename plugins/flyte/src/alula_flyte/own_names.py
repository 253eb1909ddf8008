"""Alula's own names: which there are, and how a program reaches them."""

from __future__ import annotations

import importlib
import inspect
import typing
from functools import cache
from types import ModuleType
from typing import Any

from .lookup import look_up
from .rows import Row

NEEDLESS: dict[str, frozenset[str]] = {"alula:init": frozenset(), "alula:with_runcontext": frozenset({"mode"})}
"""Own functions that need nothing of what Flyte's are told, with what they take and programs of Flyte's mean otherwise."""

IMAGE = "alula:Image"
IMAGE_ARGUMENTS = frozenset(
    {"addl_layer", "extendable", "flyte_version", "install_flyte", "project_install_mode", "registry_secret"}
)
"""Arguments with which programs make images of Flyte's, and of which Alula's have no use."""


@cache
def modules_of_alula() -> frozenset[str]:
    """Return the public modules that are attributes of ``alula``."""
    alula = importlib.import_module("alula")
    public = (name for name in dir(alula) if not name.startswith("_"))
    return frozenset(name for name in public if isinstance(getattr(alula, name), ModuleType))


@cache
def object_of(module: str, name: str = "") -> Any:
    """Return the object of a name; None if it is not there."""
    try:
        found: Any = importlib.import_module(module)
        for part in filter(None, name.split(".")):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    return found


@cache
def shortest(own: str) -> str:
    """Return the name in ``alula`` itself of an object that is reached in a module below it as well.

    Args:
        own: The name, as rows have it.
    """
    module, _, name = own.partition(":")
    found = object_of(module, name) if name else None
    return f"alula:{name}" if found is not None and object_of("alula", name) is found else own


def home_of(parts: tuple[str, ...]) -> str:
    """Return the module of Alula's that stands for one of Flyte's; empty if none does.

    Args:
        parts: The parts of the name of Flyte's module.
    """
    if len(parts) == 1:
        return "alula"
    row = look_up(parts).row
    if row is not None and row.own and ":" not in row.own:
        return row.own
    if len(parts) == 2 and parts[0] == "flyte" and parts[1] in modules_of_alula():
        return f"alula.{parts[1]}"
    return ""


def name_in(home: str, row: Row) -> str:
    """Return the dotted name by which an own name is reached from a module of Alula's; empty if it is not.

    Args:
        home: The module.
        row: The row with the own name.
    """
    module, _, name = row.own.partition(":")
    if not home:
        return ""
    if module == home:
        return name
    if module.startswith(f"{home}.") and (home != "alula" or module.split(".")[1] in modules_of_alula()):
        return ".".join(filter(None, [module[len(home) + 1 :], name]))
    is_same = bool(name) and object_of(home, name) is not None and object_of(home, name) is object_of(module, name)
    return name if is_same else ""


def root_of(module: str) -> str:
    """Return the module to import for a name of a module of Alula's or a plugin's: ``alula`` where that is enough."""
    first, _, rest = module.partition(".")
    return first if first == "alula" and (not rest or rest.partition(".")[0] in modules_of_alula()) else module


def differs(row: Row, *, is_base: bool) -> bool:
    """Tell whether Alula's own is another kind of thing than what Flyte's name is, so that it cannot just take its place.

    Args:
        row: The row with the own name.
        is_base: Whether a class is derived from it.
    """
    if row.status != "adapted":
        return False
    flyte, own = (object_of(*name.split(":")) for name in (row.target, row.own))
    if is_base and not (isinstance(own, type) and issubclass(own, BaseException)):
        return True
    return flyte is not None and isinstance(flyte, type) != isinstance(own, type)


def lacks(row: Row, attribute: str, arguments: frozenset[str]) -> list[str]:
    """Return what a use of one of Flyte's names needs that Alula's own does not have, as phrases.

    Args:
        row: The row with the own name.
        attribute: The attribute that is taken from it; empty for none.
        arguments: The names of the arguments that it, or the attribute, is called with.
    """
    module, _, name = row.own.partition(":")
    own = object_of(module, name)
    written = row.own.replace(":", ".")
    if attribute and isinstance(own, type) and not hasattr(own, attribute):
        return [f"{written} has no {attribute}"]
    if attribute:
        name, written = f"{name}.{attribute}", f"{written}.{attribute}"
    accepted = accepted_arguments(f"{module}:{name}") if arguments and row.own not in NEEDLESS else None
    if accepted is None:
        return []
    refused = arguments - accepted - (IMAGE_ARGUMENTS if row.own == IMAGE else frozenset())
    return [f"{written} takes no argument {one}" for one in sorted(refused)]


def lacks_in_result(own: str, methods: tuple[str, ...], attribute: str) -> str:
    """Return what is taken from the result of a call and is not there, as a phrase; empty if it is, or may be.

    Args:
        own: The name of what is called, as rows have it.
        methods: The methods that are called in turn on what that gives.
        attribute: The attribute that is taken then.
    """
    module, _, name = own.partition(":")
    made = _result_of(object_of(module, name))
    for method in methods:
        made = _result_of(getattr(made, method, None))
    if made is None or not made.__module__.startswith("alula") or _may_have(made, attribute):
        return ""
    return f"Alula's {made.__name__} has no {attribute}"


def _result_of(called: Any) -> type | None:
    """Return the class of what a call gives, as its annotation tells; None if it is not known."""
    if isinstance(called, type):
        return called
    try:
        found = typing.get_type_hints(inspect.unwrap(called)).get("return")
    except (NameError, TypeError, ValueError):
        return None
    return found if isinstance(found, type) and found not in {Any, type(None)} else None


def _may_have(made: type, attribute: str) -> bool:
    """Tell whether objects of a class may have an attribute: one of the class, an annotated one, or one of `__init__`."""
    if hasattr(made, attribute) or hasattr(made, "__getattr__"):
        return True
    for one in map(vars, made.__mro__):
        code = getattr(one.get("__init__"), "__code__", None)
        if attribute in one.get("__annotations__", {}) or (code is not None and attribute in code.co_names):
            return True
    return False


@cache
def accepted_arguments(own: str) -> frozenset[str] | None:
    """Return the names of the arguments that a function or class takes; None if it takes any, or it is not known.

    Args:
        own: The name, as rows have it.
    """
    module, _, name = own.partition(":")
    found = object_of(module, name)
    try:
        parameters = list(inspect.signature(found).parameters.values())
    except (TypeError, ValueError):
        return None
    # Alula's functions gather as `unknown` what they refuse.
    takes_any = any(one.kind is one.VAR_KEYWORD and one.name != "unknown" for one in parameters)
    named = {one.name for one in parameters if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY}}
    return None if takes_any or not callable(found) else frozenset(named)
