"""Loading the code of an attempt: search paths, bundles and pickles, and the task in them."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from alula_kernel.contracts import SYSTEM_FAILURE, USER_FAILURE, CodeReference, Outcome
from alula_kernel.errors import ActionError, StorageError, UsageError

from ._locating import entity_at
from ._tracebacks import import_traceback

if TYPE_CHECKING:
    from alula_kernel.specs import TaskSpec

    from ._app import App
    from ._entity import Entity
    from ._task import Task


class CodeError(UsageError):
    """The code of a task cannot be loaded."""


def load_code_into(app: App, code: CodeReference) -> None:
    """Do what `alula.worker.load_code` says, for an application."""
    if code in app.loaded_code:
        return
    app.settings.import_preloaded()
    if code.kind not in _LOADERS:
        raise CodeError(f"code of the unknown kind {code.kind!r}", hint="Is this worker older than what started it?")
    if code.kind != "here" and not re.fullmatch(r"[0-9a-f]{64}", code.digest):
        raise CodeError(f"{code.digest!r} is not the SHA-256 of a code bundle")
    _LOADERS[code.kind](app, code)
    app.loaded_code.add(code)


def _load_here(app: App, code: CodeReference) -> None:
    _put_first(code.search_path)


def _load_bundle(app: App, code: CodeReference) -> None:
    from ._bundle_archive import unpack_archive

    folder = app.settings.path(os.path.join("code", code.digest))
    if not os.path.isdir(folder):
        with app.storage.open(code.uri) as stream:
            unpack_archive(stream, folder, code.digest)
    for place in code.search_path:
        if os.path.isabs(place) or os.pardir in place.split("/"):
            raise CodeError(f"the search path {place!r} leads out of the code bundle")
    _put_first([os.path.normpath(os.path.join(folder, place)) for place in code.search_path])


def _load_pickle(app: App, code: CodeReference) -> None:
    from ._bundle_pickle import unpickle_tasks

    with app.storage.open(code.uri) as stream:
        data = stream.read()
    found = hashlib.sha256(data).hexdigest()
    if found != code.digest:
        raise CodeError(f"the pickled tasks are damaged: expected SHA-256 {code.digest}, found {found}")
    _put_first(code.search_path)
    unpickle_tasks(data)


_LOADERS: dict[str, Callable[[App, CodeReference], None]] = {
    "here": _load_here,
    "bundle": _load_bundle,
    "pickle": _load_pickle,
}


def _put_first(folders: Sequence[str]) -> None:
    """Put folders first on ``sys.path``, in their order."""
    for folder in reversed(folders):
        if folder in sys.path:
            sys.path.remove(folder)
        sys.path.insert(0, folder)


def task_in(app: App, spec: TaskSpec) -> Task:
    """Return the task of a spec, under the id of the spec.

    Raises:
        CodeError: It is not there.
        Exception: What the user's module raised when it was imported.
    """
    from ._task import Task

    found = app.entities.adopted(spec.id)
    if found is None:
        found = _import(spec)
        found.adopt_id(app, spec.id)
    if not isinstance(found, Task):
        raise CodeError(f"{spec.id.name} is a {found.kind.replace('_', ' ')}, and a task was expected")
    return found


def _import(spec: TaskSpec) -> Entity:
    module, attribute = spec.loader.get("module"), spec.loader.get("attribute")
    if not module or not attribute:
        raise CodeError(
            f"task {spec.id.name} cannot be found by import, since no variable of a module holds it",
            hint="Assign it to a variable at the top of a module, or run it with the executor inline.",
        )
    try:
        return entity_at(module, attribute)
    except ModuleNotFoundError as failure:
        missing = failure.name or ""
        if module == missing or module.startswith(f"{missing}."):
            raise CodeError(
                f"task {spec.id.name} cannot be loaded: there is no module {missing!r}", hint=_looked_in()
            ) from None
        raise CodeError(
            f"task {spec.id.name} cannot be loaded: its module {module!r} imports {missing!r}, which is not there",
            hint=f"Install the package that brings {missing!r} where the task runs. {_looked_in()}",
        ) from failure
    except ImportError as failure:
        raise CodeError(f"task {spec.id.name} cannot be loaded: {failure}", hint=_looked_in()) from failure


def _looked_in() -> str:
    return f"Searched: {', '.join(sys.path)}."


def loading_failure(failure: BaseException) -> Outcome:
    """Turn what loading raised into an outcome: the platform's failure, or the user's if their module raised."""
    message = str(failure)
    if isinstance(failure, UsageError):
        if failure.hint and failure.hint not in message:
            message = f"{message}\n{failure.hint}"
        # What is missing will be missing again, but storage may come back.
        error = ActionError(
            code=type(failure).__name__,
            message=message,
            kind="system",
            recoverable=isinstance(failure, StorageError),
            traceback=import_traceback(failure.__cause__) if isinstance(failure.__cause__, ImportError) else "",
        )
        return Outcome(kind=SYSTEM_FAILURE, error=error)
    error = ActionError(
        code=type(failure).__name__, message=message, recoverable=False, traceback=import_traceback(failure)
    )
    return Outcome(kind=USER_FAILURE, error=error)
