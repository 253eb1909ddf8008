"""Waiting for whoever computes the same cache key (``cache_serialize``)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator

from ..contracts import Cache
from .stepping import Stepper, become_task

TTL_SECONDS = 15.0
"""A reservation that was not renewed for so long is free for others."""
_POLL_SECONDS = 0.05


@contextlib.asynccontextmanager
async def reservation(cache: Cache, digest: str, owner: str, stepper: Stepper) -> AsyncIterator[bool]:
    """Hold the reservation of a cache key, renewed in the background, waiting for others to release it first.

    Yields:
        Whether it had to wait, so that the cache is worth another look.
    """
    waited = False
    while cache.reserve(digest, owner, TTL_SECONDS) != owner:
        waited = True
        await become_task(stepper)
        import asyncio

        await asyncio.sleep(_POLL_SECONDS)
    # A thread and not a task: a plain function blocks the event loop while it computes.
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(TTL_SECONDS / 3):
            cache.reserve(digest, owner, TTL_SECONDS)

    heartbeat = threading.Thread(target=renew, name="alula-reservation", daemon=True)
    heartbeat.start()
    try:
        yield waited
    finally:
        stop.set()
        heartbeat.join()
        cache.release(digest, owner)
