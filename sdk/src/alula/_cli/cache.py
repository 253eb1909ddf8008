"""``alula cache``: what is cached, why something was computed anyway, and forgetting it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from alula_kernel.errors import UnknownNameError, UsageError

from .failures import say
from .tables import table, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alula_kernel.cachekeys import Difference
    from alula_kernel.contracts import Cache, CacheEntry
    from alula_kernel.engine import Action


_SHORT_CHARS = 60


def _cache() -> Cache:
    from .._app import current_app

    return current_app().cache


@click.group()
def group() -> None:
    """Show, explain and clear cached outputs."""


@group.command("list")
@click.argument("task", default="", required=False)
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="Most entries to show."
)
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_entries(task: str, limit: int, output: str) -> None:
    """List cached outputs, newest first; those of one TASK by its full name or the end of it."""
    import itertools

    entries = list(itertools.islice(_entries(_cache(), task), limit))
    if output == "json":
        click.echo(json.dumps([_document(entry) for entry in entries], indent=2, ensure_ascii=False))
    elif not entries:
        say(f"nothing is cached for {task}" if task else "nothing is cached")
    else:
        rows = [(e.key.digest[:12], e.key.task, e.key.version[:12], time_text(e.created_at), e.run) for e in entries]
        click.echo(table(rows, header=("KEY", "TASK", "VERSION", "MADE", "BY RUN")))


@group.command()
@click.argument("key")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(key: str, output: str) -> None:
    """Show one cached output: its key, in all its parts, and its values.

    KEY is the beginning of a key, as `alula cache list` shows it, or the name of a task, whose newest entry is shown.
    """
    entry = _find(_cache(), key)
    if output == "json":
        click.echo(json.dumps(_document(entry), indent=2, ensure_ascii=False))
        return
    from .results import outputs_text

    parts = entry.key
    click.echo(f"key        {parts.digest}\ntask       {parts.task}\nproject    {parts.project}/{parts.domain}")
    click.echo(f"version    {parts.version}\ninterface  {parts.interface}\nmade       {time_text(entry.created_at)}")
    click.echo(f"by         {entry.run} {entry.action}\n\ninputs, by content")
    for name, content_hash in parts.inputs.items():
        click.echo(f"  {name}: {content_hash}")
    click.echo("\noutputs")
    click.echo("".join(f"  {line}\n" for line in outputs_text(entry.outputs).splitlines()), nl=False)


@group.command()
@click.argument("name", metavar="TASK|RUN")
def explain(name: str) -> None:
    """Say why a task was computed and not answered from the cache.

    For a TASK: why its newest entry was a miss when it was made. For a RUN: the same for every cached task in it. What
    is told is which part of the key differs from the nearest earlier entry.
    """
    from .._app import current_app
    from .runs import history

    cache = current_app().cache
    with history() as known:
        actions = known.actions(name)
    if actions:
        _explain_run(cache, name, actions)
        return
    entry = next(_entries(cache, name), None)
    if entry is None:
        tasks = {e.key.task for e in cache.entries()}
        raise UnknownNameError.among("cached task or run", name, {*tasks, *(t.rpartition(".")[2] for t in tasks)})
    click.echo(_explained(cache, entry))


@group.command()
@click.argument("task", default="", required=False)
@click.option("--yes", is_flag=True, help="Do not ask before everything is cleared.")
def clear(task: str, yes: bool) -> None:
    """Forget cached outputs, of one TASK or of all. The data that they point to stays."""
    cache = _cache()
    if not task:
        if not yes:
            click.confirm("Forget everything that is cached?", abort=True, err=True)
        say(f"forgot {_count(cache.clear())}")
        return
    full_names = {entry.key.task for entry in _entries(cache, task)}
    if not full_names:
        raise UnknownNameError.among("cached task", task, {entry.key.task for entry in cache.entries()})
    say(f"forgot {_count(sum(cache.clear(full_name) for full_name in sorted(full_names)))}")


def _count(count: int) -> str:
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


def _entries(cache: Cache, task: str) -> Iterator[CacheEntry]:
    """Yield the entries of a task by its full name, or else by the end of it; of all tasks if it is empty."""
    exact = cache.entries(task)
    first = next(exact, None)
    if first is not None:
        yield first
        yield from exact
    elif task:
        yield from (entry for entry in cache.entries() if entry.key.task.endswith(f".{task}"))


def _find(cache: Cache, key: str) -> CacheEntry:
    newest = next(_entries(cache, key), None)
    if newest is not None:
        return newest
    found = [entry for entry in cache.entries() if entry.key.digest.startswith(key)]
    if len(found) > 1:
        raise UsageError(f"{len(found)} keys begin with {key!r}", hint="Give more of it.")
    if not found:
        raise UnknownNameError.among("cached task or key", key, {entry.key.task for entry in cache.entries()})
    return found[0]


def _document(entry: CacheEntry) -> dict[str, object]:
    from .._plain import plain_map

    key = entry.key
    return {
        "key": key.digest,
        "task": key.task,
        "project": key.project,
        "domain": key.domain,
        "version": key.version,
        "interface": key.interface,
        "inputs": key.inputs,
        "outputs": plain_map(entry.outputs),
        "run": entry.run,
        "action": entry.action,
        "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.created_at)),
    }


# --- why was this a miss? --------------------------------------------------------------------------------------------


def _explain_run(cache: Cache, run: str, actions: Sequence[Action]) -> None:
    told = False
    for action in actions:
        if not action.cache:
            continue
        told = True
        click.echo(f"{action.name} ({action.id})")
        click.echo("".join(f"  {line}\n" for line in _explained_action(cache, action).splitlines()), nl=False)
    if not told:
        click.echo(f"no task of the run {run} is cached")


def _explained_action(cache: Cache, action: Action) -> str:
    if action.cache == "hit":
        return f"A cache hit: computed by {action.cached_from.replace('/', ', action ')}."
    if action.cache == "overwritten":
        return "It was computed because the run was told to overwrite the cache."
    if action.cache == "disabled":
        return "It was computed because the run was told not to use the cache."
    entry = cache.get(action.cache_digest)
    return _explained_uncached(cache, action) if entry is None else _explained(cache, entry)


def _explained_uncached(cache: Cache, action: Action) -> str:
    """Compare the inputs of an action whose outputs are not cached with the entries that were there when it was made."""
    from alula_kernel.cachekeys import differences, key_for

    why = "it failed" if action.error is not None else "they were cleared since"
    told = f"It was computed, and its outputs are not cached: {why}."
    nearest: tuple[int, CacheEntry, list[str]] | None = None
    for entry in cache.entries(action.entity):
        if entry.created_at > action.created_at:
            continue
        key = key_for(entry.key, action.inputs)
        reasons = [f"{each}{_changed(each, entry, action)}" for each in differences(entry.key, key)]
        if key.digest != action.cache_digest:
            reasons.insert(0, "the cache version, or the types of the inputs or outputs, changed")
        if nearest is None or len(reasons) < nearest[0]:
            nearest = len(reasons), entry, reasons
    if nearest is None:
        return f"{told}\nIt was a miss because nothing was cached for it before, or is any more."
    _, entry, reasons = nearest
    lines = [told, f"It was a miss. The nearest earlier entry, by the run {entry.run or '?'}, differs in this:"]
    return "\n".join([*lines, *(f"  {reason}" for reason in reasons)])


def _explained(cache: Cache, entry: CacheEntry) -> str:
    """Compare an entry with those that were there when it was made."""
    from alula_kernel.cachekeys import explain as explain_key

    key = entry.key
    earlier = [e for e in cache.entries() if e.key.digest != key.digest and e.created_at <= entry.created_at]
    by_digest = {e.key.digest: e for e in earlier}
    explanation = explain_key(key, [e.key for e in earlier])
    made = f"{key.task} was computed by the run {entry.run or '?'} on {time_text(entry.created_at)}."
    if explanation.nearest is None:
        return f"{made}\nIt was a miss because nothing was cached for it before."
    nearest = by_digest[explanation.nearest.digest]
    lines = [made, f"It was a miss. The nearest earlier entry, by the run {nearest.run or '?'}, differs in this:"]
    now = _action_of(entry)
    lines += [f"  {difference}{_changed(difference, nearest, now)}" for difference in explanation.differences]
    return "\n".join(lines)


def _changed(difference: Difference, old: CacheEntry, new: Action | None) -> str:
    """Return the values of an input before and now, if the history knows them and they are short."""
    from .._plain import preview

    kind, _, name = difference.part.partition(" ")
    if kind != "input":
        return ""
    shown = []
    for action in (_action_of(old), new):
        if action is None or name not in action.inputs:
            return ""
        shown.append(preview(action.inputs[name]))
    if max(map(len, shown)) > _SHORT_CHARS or shown[0] == shown[1]:
        return ""
    return f": {shown[0]} then, {shown[1]} now"


def _action_of(entry: CacheEntry) -> Action | None:
    from .runs import history

    with history() as opened:
        return opened.find(entry.run, entry.action)
