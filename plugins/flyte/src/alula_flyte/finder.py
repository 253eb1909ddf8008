"""Flyte's modules, made from the tables."""

from __future__ import annotations

import opcode
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any

from alula_kernel.errors import UsageError

from .attempt_variables import give
from .names import is_flyte, is_module, missing_module, row_of, submodules, table_of
from .rows import Row

_IMPORT_FROM = opcode.opmap["IMPORT_FROM"]

PRELOADED = "alula_flyte.installed"
"""The module that installs when it is imported; the processes of a run import it first."""


class FlyteModule(ModuleType):
    """A module of Flyte's: each name is looked up in the module's table when it is first used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__version__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        row = row_of(self.__name__, name)
        qualified = f"{self.__name__}.{name}"
        if row is None and is_module(qualified):
            __import__(qualified)
            return sys.modules[qualified]
        if row is None:
            message = f"alula-flyte does not know {qualified}; `alula flyte names {self.__name__}` lists what it knows"
            # `from module import name` would put a message of its own in the place of an AttributeError's; `hasattr` and
            # `getattr` with a default, on the other hand, expect one.
            if _imports(sys._getframe(1)):  # noqa: SLF001 - only the caller's frame tells an import from a look-up
                raise ImportError(message, name=self.__name__)
            raise AttributeError(message)
        value = _Missing(qualified, row) if row.when_called else _resolved(qualified, row)
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(table_of(self.__name__) or {}), *submodules(self.__name__)})

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it by its name, as modules are when tasks of a program are sent to another process."""
        return import_module, (self.__name__,)


def _imports(frame: FrameType) -> bool:
    """Tell whether a frame is at a ``from module import name``."""
    return frame.f_lasti >= 0 and frame.f_code.co_code[frame.f_lasti] == _IMPORT_FROM


def _resolved(qualified: str, row: Row) -> Any:
    if row.status == "missing":
        raise ImportError(row.message(qualified), name=qualified.rpartition(".")[0])
    return row.resolve()


class _Missing:
    """Stands for a missing name that programs import, and need for some of what they do only."""

    def __init__(self, name: str, row: Row) -> None:
        self._name = name
        self._row = row

    def _refuse(self) -> NotImplementedError:
        return NotImplementedError(self._row.message(self._name))

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        raise self._refuse()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self._refuse()

    def __getitem__(self, _item: Any) -> Any:
        raise self._refuse()

    def __mro_entries__(self, _bases: tuple[Any, ...]) -> tuple[type, ...]:
        raise self._refuse()


class FlyteFinder:
    """Finds Flyte's modules before anything else does, and makes them. A finder and a loader as `importlib` has them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of Flyte's; None for any other module.

        Raises:
            ModuleNotFoundError: Alula has no such module; the message says what to do.
        """
        if not is_flyte(fullname):
            return None
        if is_module(fullname):
            loader: Any = self
            return ModuleSpec(fullname, loader, origin="alula-flyte", is_package=True)
        row = missing_module(fullname)
        if row is not None:
            raise ModuleNotFoundError(row.message(fullname), name=fullname)
        raise ModuleNotFoundError(f"alula-flyte does not know the module {fullname}", name=fullname)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Make the module; its names are looked up later."""
        return FlyteModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Say what ``from module import *`` takes."""
        table = table_of(module.__name__) or {}
        module.__all__ = [  # type: ignore[attr-defined]
            name for name, row in table.items() if row.status != "missing" and not name.startswith("_")
        ]


_FINDER = FlyteFinder()


def _is_bare(name: str) -> bool:
    """Tell whether a module is a namespace of which nothing was imported."""
    return getattr(sys.modules[name], "__file__", None) is None and not any(
        other.startswith(f"{name}.") for other in sys.modules
    )


def installed() -> bool:
    """Tell whether Flyte's modules are Alula's in this process."""
    return _FINDER in sys.meta_path


def install() -> None:
    """Let ``flytekit``, ``flytekitplugins``, ``flyte`` and ``flyteplugins`` be Alula's, in this process and those of its runs.

    To be called before any of them is imported. Calling it again does nothing.

    Raises:
        UsageError: One of them is imported already.
    """
    if installed():
        return
    # Distributions of plugins make their common namespace, and nothing in it, whenever Python starts.
    bare = {name for name in sys.modules if is_flyte(name) and _is_bare(name)}
    taken = sorted(name for name in sys.modules if is_flyte(name) and name not in bare)
    if taken:
        raise UsageError(
            f"{taken[0]} is imported already, and so cannot become Alula's",
            hint="Call alula_flyte.install() before the first import of Flyte, or run `python -m alula_flyte SCRIPT`.",
        )
    for name in bare:
        del sys.modules[name]
    sys.meta_path.insert(0, _FINDER)
    give()
    named = os.environ.get("ALULA_PRELOAD", "").split(",")
    if PRELOADED not in named:
        os.environ["ALULA_PRELOAD"] = ",".join(filter(None, [*named, PRELOADED]))
