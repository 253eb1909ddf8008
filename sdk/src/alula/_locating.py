"""Where an entity is found by import: which module, and which attribute of it."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from alula_kernel.errors import UsageError

from ._state import is_own_file

if TYPE_CHECKING:
    from ._entity import Entity

_STANDARD_LIBRARY = os.path.join(os.path.dirname(os.__file__), "")


def loader_of(entity: Entity) -> dict[str, str]:
    """Return the module and attribute under which a worker finds an entity; empty if it cannot find it by import.

    The attribute of a function's entity is usually the function's own name. Others, as what a factory made, are found by
    the variable that holds them.
    """
    function = entity.documented_function
    name = getattr(function, "__module__", None) or ""
    if name == "__main__":
        return {}
    own = getattr(function, "__qualname__", "")
    module = sys.modules.get(name)
    if own and module is not None and attribute_of(module, own) is entity:
        return {"module": name, "attribute": own}
    filename = entity.location.rpartition(":")[0]
    # First the module of its function, then that of its definition, then all others.
    for place in sorted(users_modules(), key=lambda module: (module.__name__ != name, module.__file__ != filename)):
        for attribute, value in list(vars(place).items()):
            if value is entity:
                return {"module": place.__name__, "attribute": attribute}
    return {}


def other_variable(entity: Entity) -> str:
    """Return the variable that holds a function's entity, if that is not the function's own name; else nothing."""
    own = getattr(entity.documented_function, "__qualname__", "")
    variable = loader_of(entity).get("attribute", "") if own else ""
    return "" if variable == own else variable


def attribute_of(module: ModuleType, path: str) -> Any:
    """Return what an attribute path such as ``Class.method`` leads to in a module; None if it leads nowhere."""
    return functools.reduce(lambda found, name: getattr(found, name, None), path.split("."), module)  # type: ignore[arg-type,return-value]


def entity_at(module: str, attribute: str) -> Entity:
    """Import a module and return one of its entities; the inverse of `loader_of`.

    Raises:
        UsageError: There is no such entity.
        ImportError: The module cannot be imported.
    """
    from ._entity import Entity

    found = attribute_of(importlib.import_module(module), attribute)
    if not issubclass(type(found), Entity):
        raise UsageError(
            f"module {module} has no task, workflow or launch plan {attribute!r}",
            hint="Is the code that the worker loads the code that was run?",
        )
    return found  # type: ignore[no-any-return]


def users_modules() -> list[ModuleType]:
    """Return the modules that were imported from source of the user's, in order of their import."""
    # Looked through again only when another module was imported or taken away: there may be a thousand.
    state = len(sys.modules), next(reversed(sys.modules))
    found = _users_modules(*state)
    if any(sys.modules.get(module.__name__) is not module for module in found):
        _users_modules.cache_clear()
        found = _users_modules(*state)
    return found


@functools.lru_cache(maxsize=1)
def _users_modules(count: int, last: str) -> list[ModuleType]:
    return [module for name, module in list(sys.modules.items()) if _is_users(name, module)]


def _is_users(name: str, module: Any) -> bool:
    filename = getattr(module, "__file__", None)
    return (
        isinstance(filename, str)
        and name == getattr(module, "__name__", "")
        and name != "__main__"
        and "/site-packages/" not in filename
        and "/dist-packages/" not in filename
        and not filename.startswith(_STANDARD_LIBRARY)
        and not is_own_file(filename)
    )
