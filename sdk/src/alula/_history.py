"""The runs of this machine, as ``alula run`` keeps them in ``<home>/runs.db``: what people ask of the store."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from alula_kernel.engine import ROOT_ACTION, Action, RunRecord, Store, StoreError
from alula_kernel.engine.sqlite_store import SqliteStore
from alula_kernel.errors import UnknownNameError

from ._plain import cut_to_preview

if TYPE_CHECKING:
    from alula_kernel.literals import Literal

    from ._settings import Settings

LOST = "lost"
STATUSES = ("running", "succeeded", "failed", "aborted", "timed_out", "lost")
"""What a run may be; `LOST` is a run whose process ended without saying how. It can be resumed."""

_LITERAL_BYTES = 4_096


def open_history(settings: Settings, warn: Callable[[str], None]) -> SqliteStore:
    """Return the store of the runs of this machine; its file is opened when it is used.

    Args:
        settings: Where it is.
        warn: Told what is wrong with it.
    """
    return SqliteStore(settings.path("runs.db"), warn=warn)


def status_of(record: RunRecord) -> str:
    """Return how a run is or ended: one of `STATUSES`."""
    return LOST if record.lost else record.status


def list_runs(store: SqliteStore, *, limit: int | None = None, status: str = "", entity: str = "") -> list[RunRecord]:
    """Return runs, newest first.

    Args:
        store: The store.
        limit: Most runs to return; None for all.
        status: Only those of this status.
        entity: Only those of this entity, by its qualified name or the last part of it.
    """
    stored = "running" if status == LOST else status
    records = [_looked_at_again(store, record) for record in store.runs(status=stored, entity=entity)]
    found = [record for record in records if status in {"", status_of(record)}]
    return found if limit is None else found[:limit]


def find_run(store: SqliteStore, name: str = "") -> RunRecord:
    """Return a run.

    Args:
        store: The store.
        name: Its name, or the beginning of it if that is unique; empty for the newest run.

    Raises:
        UnknownNameError: There is none, or several begin like that.
        StoreError: It cannot be read.
    """
    names = store.names()
    matching = [name] if name in names else [known for known in names if known.startswith(name)]
    if not name:
        matching = names[:1]
    record = store.find_run(matching[0]) if len(matching) == 1 else None
    if record is None:
        raise UnknownNameError.among("run", name, matching or names)
    return _looked_at_again(store, record)


def _looked_at_again(store: SqliteStore, record: RunRecord) -> RunRecord:
    """Return a run as it is now if it seems lost: it may have ended, and its process after it, since it was read."""
    return (record.lost and store.find_run(record.name)) or record


def actions_of(store: Store, record: RunRecord, warn: Callable[[str], None]) -> Sequence[Action]:
    """Return the actions of a run, parents before children; none, and a warning, if they cannot be read."""
    try:
        return store.actions(record.name)
    except StoreError as problem:
        warn(str(problem))
        return ()


def forget_runs(store: SqliteStore, names: Sequence[str]) -> None:
    """Forget runs, and what executors of this machine keep of their attempts.

    Raises:
        UnknownNameError: There is no run of a name; none is forgotten then.
    """
    known = store.names()
    for name in names:
        if name not in known:
            raise UnknownNameError.among("run", name, known)
    for name in names:
        _forget(store, name)


def _forget(store: SqliteStore, name: str) -> None:
    try:
        record, root = store.find_run(name), store.find(name, ROOT_ACTION)
    except StoreError:  # it is damaged, and so nobody knows what was its own
        record = root = None
    store.forget(name)
    if record is not None and root is not None:
        import shutil

        from alula_kernel.attempt_folders import attempts_folder, run_folder

        options = record.options
        folder = run_folder(options.project, options.domain, name, root.created_at)
        shutil.rmtree(os.path.join(attempts_folder(os.path.dirname(store.path)), folder), ignore_errors=True)


def clear_runs(store: SqliteStore) -> int:
    """Forget every run that is not under way, and return how many there were."""
    ended = [record.name for record in store.runs() if status_of(record) != "running"]
    for name in ended:
        _forget(store, name)
    return len(ended)


def cut(literals: dict[str, Literal]) -> dict[str, Literal]:
    """Return named literals with previews in the place of the large ones."""
    return {name: cut_to_preview(literal, _LITERAL_BYTES) for name, literal in literals.items()}
