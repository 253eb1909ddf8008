"""Using cached outputs instead of running a task, and keeping those that it gave."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ..cachekeys import cache_key
from ..contracts import CacheEntry, CacheKey
from ..literals import Literal
from ..specs import TaskSpec
from .actions import Action
from .reservations import reservation
from .stepping import Stepper

if TYPE_CHECKING:
    from .execution import Execution

logger = logging.getLogger("alula.engine")

Outputs = dict[str, Literal]


async def cached(
    execution: Execution,
    action: Action,
    spec: TaskSpec,
    inputs: Outputs,
    stepper: Stepper,
    compute: Callable[[], Awaitable[Outputs]],
) -> Outputs:
    """Return the cached outputs of a task for its inputs, or compute and keep them.

    A cache that raises is warned about and counts as empty: the run does not fail for it.
    """
    options = execution.options
    project, domain = ("", "") if options.cache_scope == "global" else (options.project, options.domain)
    key = cache_key(spec, inputs, project=project, domain=domain)
    action.cache_digest = key.digest
    assert spec.cache is not None
    if options.overwrite_cache:
        return _keep(execution, action, key, await compute(), "overwritten")
    if (hit := _lookup(execution, action, spec, key)) is not None:
        return hit
    if not spec.cache.serialize:
        return _keep(execution, action, key, await compute(), "populated")
    owner = f"{execution.table.run}/{action.id}"
    execution.reserving.add(owner)
    try:
        async with reservation(
            execution.engine.cache,
            key.digest,
            owner,
            stepper,
            standing_still=execution.standing_still,
            longest_seconds=execution.seconds_left(action, spec),
        ):
            if (hit := _lookup(execution, action, spec, key)) is not None:
                return hit
            return _keep(execution, action, key, await compute(), "populated")
    finally:
        execution.reserving.discard(owner)


def _lookup(execution: Execution, action: Action, spec: TaskSpec, key: CacheKey) -> Outputs | None:
    action.cache = "miss"
    engine = execution.engine
    try:
        entry = engine.cache.get(key.digest)
        usable = entry is None or (
            entry.outputs.keys() == spec.interface.outputs.keys() and engine.outputs_exist(entry.outputs)
        )
    except Exception:  # the cache, or the backend of a blob, may be a plugin's
        logger.warning("the cache could not be read for %s", action.name, exc_info=True)
        return None
    if entry is None:
        return None
    if not usable:
        logger.warning(
            "the cached outputs of %s are gone or do not fit its interface; computing them again", action.name
        )
        return None
    action.cache = "hit"
    action.cached_from = f"{entry.run}/{entry.action}"
    return entry.outputs


def _keep(execution: Execution, action: Action, key: CacheKey, outputs: Outputs, how: str) -> Outputs:
    table = execution.table
    entry = CacheEntry(key=key, outputs=outputs, run=table.run, action=action.id, created_at=table.clock())
    try:
        execution.engine.cache.put(entry)
    except Exception:  # the cache may be a plugin's
        logger.warning("the outputs of %s could not be cached", action.name, exc_info=True)
    else:
        action.cache = how
    return outputs
