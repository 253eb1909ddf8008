"""A bridge's view of the actor that owns attempts: another one in its place, and one that does not answer as it should."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from ray.exceptions import RayActorError

from alula_ray.bridge import KeeperClient

HANG_SECONDS = 60.0


class Method:
    """A method of an actor, as Ray's handles have them."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self._answer = answer

    async def remote(self, **arguments: Any) -> Any:
        await asyncio.sleep(0)
        return self._answer(**arguments)


class Actor:
    """An actor's handle.

    Args:
        state: What it says of each attempt.
        news: Answers who asks for ends.
    """

    def __init__(self, state: str, news: Callable[[int], Any]) -> None:
        self.state = Method(lambda key: state)
        self.news = Method(news)


class Client(KeeperClient):
    """A client that finds one actor after the other."""

    def __init__(self, *actors: Actor) -> None:
        super().__init__("alula-test", {}, self._start)
        self.actors = list(actors)
        self._started: list[asyncio.Task[None]] = []

    def _start(self, work: Any) -> None:
        self._started.append(asyncio.ensure_future(work))

    def _find(self, make: bool) -> Actor:
        return self.actors[0]


def waited(client: Client) -> str:
    async def scenario() -> str:
        return await asyncio.wait_for(client.wait("attempt"), HANG_SECONDS)

    return asyncio.run(scenario())


def fails(known: int) -> Any:
    raise RuntimeError("the cluster is in a bad state")


@pytest.mark.parametrize("ended", [0, 1])
def test_an_actor_that_took_the_place_of_another_does_not_know_its_attempts(ended: int) -> None:
    """It is there when the listener looks, since another attempt was started meanwhile."""

    def dies(known: int) -> Any:
        del client.actors[0]
        raise RayActorError

    client = Client(Actor("running", dies), Actor("unknown", lambda known: (ended, [])))
    assert waited(client) == "unknown"


def test_who_waits_is_told_what_went_wrong() -> None:
    with pytest.raises(RuntimeError, match="a bad state"):
        waited(Client(Actor("running", fails)))
