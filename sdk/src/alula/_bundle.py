"""Code bundles: how the code of what is run gets to the workers that run it."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

from alula_kernel.contracts import CodeReference
from alula_kernel.errors import UnknownNameError, UsageError
from alula_kernel.specs import TaskSpec

from ._app import App, current_app
from ._bundle_archive import SIZE_LIMIT_BYTES, BundleError, files_under, write_archive
from ._bundle_rules import SourceFiles, is_standard
from ._environment import TaskEnvironment
from ._loading import package_root
from ._locating import loader_of, users_modules
from ._task import Task

if TYPE_CHECKING:
    from ._entity import Entity

HERE = "here"
LOADED_MODULES = "loaded_modules"
ALL = "all"
PICKLE = "pickle"
NONE = "none"
STYLES = (HERE, LOADED_MODULES, ALL, PICKLE, NONE)
"""Ways in which code gets to workers; see `code_for`."""


def code_for(
    entity: Entity,
    style: str = HERE,
    *,
    root: str | os.PathLike[str] | None = None,
    include: Iterable[str | os.PathLike[str]] = (),
    limit_bytes: int = SIZE_LIMIT_BYTES,
    app: App | None = None,
) -> CodeReference:
    """Say where workers find the code of an entity, and put it there.

    Tasks that cannot be imported, as those of a script that runs, of a notebook or of a function, are pickled in every
    style but ``none``.

    Args:
        entity: What is run.
        style: ``here``: workers on this machine import the source where it lies. ``loaded_modules``: an archive of the
            modules under the source root that this process has imported. ``all``: an archive of all files under it,
            without those that git or a ``.alulaignore`` file leaves out. ``pickle``: the tasks and the modules that they use,
            pickled. ``none``: nothing is sent; the workers have the code installed.
        root: The source root; by default the first folder without ``__init__.py`` around the entity's module.
        include: More files and folders under the root; those of the task environments belong to it anyway.
        limit_bytes: Most that the files may have together, before they are packed.
        app: The application; the process's own if not given.

    Returns:
        The reference, which goes into `RunOptions.code`.

    Raises:
        UnknownNameError: There is no such style.
        UsageError: The code is too large, cannot be pickled, or lies outside of the root.
    """
    check_style(style)
    if style == NONE:
        return CodeReference()
    app = app or current_app()
    return _code_of(_tasks_of(entity, app), app, style, root, include, limit_bytes)


def check_style(style: str) -> None:
    """Refuse what is no way to send code.

    Raises:
        UnknownNameError: It is none; those that there are, are listed.
    """
    if style not in STYLES:
        raise UnknownNameError.among("way to send code", style, STYLES)


def code_of_run(app: App, entity: Entity, executor: str) -> CodeReference | None:
    """Return the code of the tasks of a run that are sent away by its executor, or by those of their types.

    Args:
        app: The application.
        entity: What is run.
        executor: The executor that the run asks for; empty for none.

    Returns:
        None if all of them run in this process.

    Raises:
        UsageError: An executor refuses a task, the code cannot be sent, or there is no such executor.
    """
    sent: list[Task] = []
    remote = False
    for task in _tasks_of(entity, app):
        chosen = app.engine.executor(task.spec(app), executor)
        chosen.validate(task.spec(app))
        if chosen.name != "inline" and type(task).execute is not Task.execute:  # else it has no Python code
            sent.append(task)
            remote = remote or chosen.remote
    return _code_of(sent, app, LOADED_MODULES if remote else HERE) if sent else None


def _code_of(
    tasks: list[Task],
    app: App,
    style: str,
    root: str | os.PathLike[str] | None = None,
    include: Iterable[str | os.PathLike[str]] = (),
    limit_bytes: int = SIZE_LIMIT_BYTES,
) -> CodeReference:
    if style == PICKLE or not all(_is_importable(task, app) for task in tasks):
        return _pickled(app, tasks, style, limit_bytes)
    modules = users_modules()
    source_root = os.path.realpath(root) if root is not None else _root_of(tasks, modules)
    if style == HERE:
        return CodeReference(search_path=_search_path(source_root, modules), digest=_state_digest(modules))
    return _bundled(app, style, source_root, modules, include, limit_bytes)


def _tasks_of(entity: Entity, app: App) -> list[Task]:
    """Return the tasks that an entity runs, as far as its graph tells."""
    entity.spec(app)
    found = (app.entities.object(spec.id) for spec in app.entities.behind(entity.id(app)) if isinstance(spec, TaskSpec))
    return [task for task in found if isinstance(task, Task)]


def _is_importable(task: Task, app: App) -> bool:
    """Tell whether a worker that imports what the spec says gets this very task."""
    loader = loader_of(task)
    return bool(loader) and task.spec(app).loader == loader


# --- source that lies here -------------------------------------------------------------------------------------------


def _root_of(entities: Iterable[Task], modules: Iterable[ModuleType]) -> str:
    """Return the source root of the first entity whose module is the user's; empty if all are installed packages."""
    by_name = {module.__name__: module for module in modules}
    for entity in entities:
        module = by_name.get(loader_of(entity).get("module", ""))
        if module is not None:
            return package_root(_file(module))
    return ""


def _script_root() -> str:
    """Return the source root of what runs as ``__main__``: of its file, or the working folder of a notebook."""
    filename = getattr(sys.modules.get("__main__"), "__file__", None)
    return package_root(os.path.realpath(filename)) if filename else os.getcwd()


def _search_path(root: str, modules: Iterable[ModuleType]) -> tuple[str, ...]:
    """Return the root, and the other folders of ``sys.path`` that the user's modules came from, in their order."""
    used = {package_root(_file(module)) for module in modules}
    folders = (os.path.realpath(folder or os.getcwd()) for folder in sys.path)
    return tuple(dict.fromkeys(folder for folder in (root, *folders) if folder and (folder == root or folder in used)))


def _state_digest(modules: Iterable[ModuleType]) -> str:
    """Return what differs after an edit, so that no worker goes on with what it imported before."""
    states = sorted((path, *_state_of(path)) for path in map(_file, modules) if os.path.exists(path))
    return hashlib.sha256(repr(states).encode()).hexdigest()


def _file(module: ModuleType) -> str:
    assert module.__file__ is not None
    return os.path.realpath(module.__file__)


# --- archives --------------------------------------------------------------------------------------------------------


def _bundled(
    app: App,
    style: str,
    root: str,
    modules: list[ModuleType],
    include: Iterable[str | os.PathLike[str]],
    limit_bytes: int,
) -> CodeReference:
    if not root:
        return CodeReference()  # what is run is an installed package, there as here
    source = SourceFiles(root, left_out=[app.settings.folder])
    names = set(source) if style == ALL else {os.path.relpath(_file(m), root) for m in _under(root, modules)}
    for wanted in (*(os.path.join(root, path) for path in include), *_included(modules)):
        names.update(_files_of(wanted, root, source))
    files = files_under(root, names)
    search_path = [folder for folder in _search_path(root, modules) if _is_under(root, folder)]
    relative = tuple(os.path.relpath(folder, root).replace(os.sep, "/") for folder in search_path)
    state = (relative, tuple(sorted((name, *_state_of(path)) for name, path in files.items())))
    known = app.bundles.get(state)
    if known is None:
        with tempfile.TemporaryFile(prefix="alula-code-") as archive:
            write_archive(files, archive, limit_bytes)
            archive.seek(0)
            with app.storage.writer(name="code.tar.gz") as target:
                while block := archive.read(1 << 20):
                    target.write(block)
        blob = target.blob
        known = app.bundles[state] = CodeReference(
            kind="bundle", uri=blob.uri, digest=blob.hash or "", search_path=relative
        )
    return known


def _state_of(path: str) -> tuple[int, int, int]:
    status = os.lstat(path)
    return status.st_mode, status.st_size, status.st_mtime_ns


def _under(root: str, modules: Iterable[ModuleType]) -> list[ModuleType]:
    found = ((module, os.path.relpath(_file(module), root)) for module in modules if _is_under(root, _file(module)))
    return [module for module, name in found if not is_standard(name)]


def _is_under(root: str, path: str) -> bool:
    return path == root or path.startswith(os.path.join(root, ""))


def _included(modules: Iterable[ModuleType]) -> list[str]:
    """Return what the task environments and tasks of the user's modules include."""
    found: dict[str, None] = {}
    for module in modules:
        for value in list(vars(module).values()):
            if issubclass(type(value), (TaskEnvironment, Task)):
                found.update(dict.fromkeys(value.included_paths()))
    return list(found)


def _files_of(wanted: str, root: str, source: SourceFiles) -> list[str]:
    """Return the files that a path stands for: itself, what lies in a folder, or what fits a pattern."""
    import glob

    found: list[str] = []
    for path in glob.glob(wanted, recursive=True) or [wanted]:
        whole = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if not os.path.lexists(whole):
            raise BundleError(f"{path} is to be included in the code, and does not exist")
        if not _is_under(root, whole):
            raise BundleError(
                f"{path} is to be included in the code, and lies outside of its root {root}",
                hint="Give a root that holds both, or pass the file as an input.",
            )
        found += source.below(whole) if os.path.isdir(whole) else [os.path.relpath(whole, root).replace(os.sep, "/")]
    return found


# --- pickles ---------------------------------------------------------------------------------------------------------


def _pickled(app: App, tasks: list[Task], style: str, limit_bytes: int) -> CodeReference:
    from ._bundle_pickle import pickle_tasks

    modules = users_modules()
    root = _script_root()
    # Who imports nothing of what lies here needs it in the pickle.
    by_value = [] if style == HERE else _under(root, modules)
    data = pickle_tasks(app, tasks, by_value)
    if len(data) > limit_bytes:
        raise UsageError(
            f"the pickled tasks have {len(data):,} bytes, and at most {limit_bytes:,} are sent",
            hint="They refer to something large: pass it as an input.",
        )
    blob = app.storage.put_bytes(data, name="tasks.pickle")
    search_path = _search_path(root, modules) if style == HERE else ()
    return CodeReference(kind="pickle", uri=blob.uri, digest=blob.hash or "", search_path=search_path)
