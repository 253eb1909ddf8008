"""Finding entities in the user's files and modules."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, cast

from alula_kernel.errors import UnknownNameError, UsageError

from ._interface import module_name_of_file
from ._settings import Settings

if TYPE_CHECKING:
    from ._entity import Entity


class ScriptError(UsageError):
    """The user's own file or module cannot be loaded, or the body of a workflow raised."""


def load(target: str) -> ModuleType:
    """Import a file, or a module by its dotted name.

    Args:
        target: Path of a file, or the name of a module that can be imported from the working directory.

    Raises:
        UsageError: There is no such file.
        ScriptError: It cannot be loaded; the message holds the user's own traceback.
    """
    Settings.from_environment().import_preloaded()
    if os.path.isdir(target):
        raise UsageError(f"{target} is a folder", hint="Give a Python file in it, or a module with -m.")
    if os.path.exists(target):
        return load_file(target)
    if "/" not in target and not target.endswith(".py") and all(p.isidentifier() for p in target.split(".")):
        return load_module(target)
    folder = os.path.dirname(target)
    try:
        known = [os.path.join(folder, name) for name in os.listdir(folder or ".") if name.endswith(".py")]
    except OSError:
        known = []
    raise UnknownNameError.among("file", target, known)


def load_file(path: str | os.PathLike[str]) -> ModuleType:
    """Import a file under the name that an import from its package root would give.

    The package root, the first folder upwards without ``__init__.py``, comes first on ``sys.path``. So entities have the
    same names, and tasks the same cache keys, as when the file is run by Python or imported by another one.

    Raises:
        UsageError: It is no Python file, or its name is that of another module in use.
        ScriptError: It cannot be loaded.
    """
    path = os.path.realpath(path)
    filename = os.path.basename(path)
    if not filename.endswith(".py"):
        raise UsageError(f"{filename} is not a Python file", hint="Its name must end in .py.")
    name = module_name_of_file(path)
    if name in sys.stdlib_module_names:
        raise UsageError(
            f"{filename} has the name of the module {name!r} of Python's standard library, which could not be imported then",
            hint="Rename the file.",
        )
    _put_first(package_root(path))
    known = sys.modules.get(name)
    if known is not None:
        if _is_from(known, path):
            return known
        raise UsageError(f"{filename} has the name of the module {name!r}, which is in use", hint="Rename the file.")
    try:
        return _execute(name, path)
    except BaseException as failure:  # noqa: BLE001 - the user's file may raise anything
        sys.modules.pop(name, None)
        raise _script_error(failure, filename) from None


def load_module(name: str) -> ModuleType:
    """Import a module by its dotted name, with the working directory first on ``sys.path``.

    Raises:
        ScriptError: There is no such module, or it cannot be loaded.
    """
    Settings.from_environment().import_preloaded()
    _put_first(os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as failure:
        missing = failure.name or ""
        if name == missing or name.startswith(f"{missing}."):
            raise UsageError(
                f"there is no module {name!r}",
                hint=f"It was looked for in {os.getcwd()} and among the installed packages.",
            ) from None
        raise _script_error(failure, name) from None
    except BaseException as failure:  # noqa: BLE001 - the user's module may raise anything
        raise _script_error(failure, name) from None


def package_root(path: str) -> str:
    """Return the first folder around a source file that is not a package."""
    folder = os.path.dirname(path)
    while _is_package(folder):
        folder = os.path.dirname(folder)
    return folder


def _is_package(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, "__init__.py"))


def _put_first(folder: str) -> None:
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)


def _is_from(module: ModuleType, path: str) -> bool:
    filename = getattr(module, "__file__", None)
    return filename is not None and os.path.realpath(filename) == path


def _execute(name: str, path: str) -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

    parent = name.rpartition(".")[0]
    if parent and _is_package(os.path.dirname(path)):
        importlib.import_module(parent)
        if name in sys.modules:
            return sys.modules[name]
    spec = spec_from_file_location(name, path, loader=_ScriptLoader(name, path))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _ScriptLoader(SourceFileLoader):
    """Loads a file from its source, as ``python FILE`` does; bytecode would outlive an edit within the same second."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the source."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _script_error(failure: BaseException, what: str) -> BaseException:
    """Turn what importing the user's code raised into an error that shows the user's own frames."""
    if isinstance(failure, UsageError):
        return failure
    if isinstance(failure, SystemExit):
        return ScriptError(
            f"{what} ended the program while it was being loaded, with sys.exit({failure.code!r})",
            hint='Put what is to run only as a script below `if __name__ == "__main__":`.',
        )
    if isinstance(failure, SyntaxError):
        return _syntax_error(failure, what)
    if not isinstance(failure, Exception):
        return failure
    hint = _import_hint(failure) if isinstance(failure, ImportError) else ""
    return ScriptError(f"{what} cannot be loaded\n{_users_part(failure)}", hint=hint)


def _syntax_error(failure: SyntaxError, what: str) -> ScriptError:
    from traceback import format_exception_only

    source = "".join(line for line in format_exception_only(failure)[1:-1]).rstrip()
    return ScriptError(
        f"{type(failure).__name__}: {failure.msg}\n{source}",
        location=f"{failure.filename or what}:{failure.lineno or 0}",
    )


def _users_part(failure: Exception) -> str:
    from ._tracebacks import import_traceback

    return import_traceback(failure).rstrip()


def _import_hint(failure: ImportError) -> str:
    """Say what to install, or what the name may have been."""
    import re
    from difflib import get_close_matches

    if failure.name == "alula" and (found := re.match(r"cannot import name '(\w+)'", failure.msg)):
        import alula

        near = get_close_matches(found[1], dir(alula), n=3, cutoff=0.5)
        return f"Did you mean {' or '.join(near)}?" if near else ""
    if isinstance(failure, ModuleNotFoundError) and failure.name:
        top = failure.name.partition(".")[0]
        if top in {"flytekit", "flytekitplugins", "flyte", "flyteplugins"}:
            return "To run a program written for Flyte: pip install alula-flyte, then alula run --flyte FILE."
        if top.startswith("alula_"):
            return f"Install the plugin: pip install {top.replace('_', '-')}"
        return f"Install the package that brings the module {top!r}, or check its spelling."
    return ""


def compile_spec(entity: Entity) -> None:
    """Make an entity's spec, and show a failure of the user's own code as the user's.

    Raises:
        UsageError: It cannot be compiled.
        ScriptError: The body of a workflow raised something else.
    """
    from ._app import current_app

    try:
        entity.spec(current_app())
    except UsageError:
        raise
    except Exception as failure:  # noqa: BLE001 - the body of a workflow may raise anything
        raise ScriptError(f"{entity.title} cannot be compiled\n{_users_part(failure)}") from None


# --- entities of a module --------------------------------------------------------------------------------------------


def entities_of(module: ModuleType) -> dict[str, Entity]:
    """Return the entities that a module defines, by the name of their variable, in order of definition.

    Those that it imports from elsewhere are left out, unless there are no others.
    """
    found = _all_entities(module)
    filename = os.path.realpath(getattr(module, "__file__", None) or "")
    own = {name: entity for name, entity in found.items() if _defined_in(entity, filename)}
    return own or found


def _all_entities(module: ModuleType) -> dict[str, Entity]:
    from ._entity import Entity

    found: dict[str, Entity] = {}
    seen: set[int] = set()
    for name, value in list(vars(module).items()):
        # The class is asked, and not the object, because proxies answer for what they stand for.
        if issubclass(type(value), Entity) and id(value) not in seen:
            seen.add(id(value))
            found[name] = value
    return found


def _defined_in(entity: Entity, filename: str) -> bool:
    place = entity.location.rpartition(":")[0]
    return not place or os.path.realpath(place) == filename


def find_entity(module: ModuleType, name: str, where: str) -> Entity:
    """Return an entity of a module by the name of its variable or by its own name.

    Args:
        module: The module.
        name: The name.
        where: What the user gave for the module, for messages.

    Raises:
        UnknownNameError: There is none; near matches are listed.
        UsageError: There is something else of that name.
    """
    from ._entity import Entity

    value: Any = getattr(module, name, None)
    if issubclass(type(value), Entity):
        return cast("Entity", value)
    entities = _all_entities(module)
    for entity in entities.values():
        if name in {entity.name, entity.short_name}:
            return entity
    if value is not None:
        kind = "a plain function" if callable(value) and not isinstance(value, type) else type(value).__qualname__
        raise UsageError(
            f"{name!r} in {where} is {kind}, not a task, workflow or launch plan",
            hint="Decorate it with @task or @workflow." if kind == "a plain function" else "",
        )
    if not entities:
        raise UsageError(f"{where} has no tasks, workflows or launch plans", hint="Decorate a function with @task.")
    raise UnknownNameError.among(
        "entity", name, {*entities, *(e.short_name for e in entities.values())}, location=where
    )
