"""Waiting for whoever computes the same cache key (``cache_serialize``)."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Collection

from ..contracts import Cache
from .failures import timed_out
from .stepping import Stepper, become_task

logger = logging.getLogger("alula.engine")

TTL_SECONDS = 15.0
"""A reservation that was not renewed for so long is free for others."""
_POLL_SECONDS = 0.05


@contextlib.asynccontextmanager
async def reservation(
    cache: Cache,
    digest: str,
    owner: str,
    stepper: Stepper,
    *,
    standing_still: Collection[str] = (),
    longest_seconds: float | None = None,
) -> AsyncIterator[None]:
    """Hold the reservation of a cache key, renewed in the background, waiting for others to release it first.

    What was looked up in the cache before may be out of date inside the block: whoever held the reservation is done.

    Args:
        cache: The cache.
        digest: Digest of the key.
        owner: Who is to hold it.
        stepper: The stepper of the coroutine that waits.
        standing_still: Owners that cannot go on before this one has; they are not waited for.
        longest_seconds: Longest wait; None for no limit.

    Raises:
        CallFailedError: It was not released in time.
    """
    waited_seconds = 0.0
    while (holder := cache.reserve(digest, owner, TTL_SECONDS)) != owner:
        if holder in standing_still:
            yield
            return
        if longest_seconds is not None and waited_seconds >= longest_seconds:
            raise timed_out("waited until its deadline for another action that computes the same")
        await become_task(stepper)
        import asyncio

        await asyncio.sleep(_POLL_SECONDS)
        waited_seconds += _POLL_SECONDS
    # A thread and not a task: a plain function blocks the event loop while it computes.
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(TTL_SECONDS / 3):
            try:
                cache.reserve(digest, owner, TTL_SECONDS)
            except Exception:  # the cache may be a plugin's
                logger.warning("cache %s could not renew the reservation of %s", cache.name, owner, exc_info=True)

    heartbeat = threading.Thread(target=renew, name="alula-reservation", daemon=True)
    heartbeat.start()
    try:
        yield
    finally:
        stop.set()
        heartbeat.join()
        cache.release(digest, owner)
