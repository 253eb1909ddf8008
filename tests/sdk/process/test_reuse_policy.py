"""What a `ReusePolicy` may be."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import alula
from alula import ReusePolicy, TaskEnvironment
from alula_kernel.errors import UsageError
from alula_kernel.specs import ReuseSpec


def test_defaults() -> None:
    assert ReusePolicy().spec() == ReuseSpec(2, 2, 30.0, 30.0, 1, "global")


def test_all_of_it() -> None:
    policy = ReusePolicy(
        replicas=(0, 4), idle_ttl=dt.timedelta(minutes=5), concurrency=8, scaledown_ttl=60, scope="run"
    )
    assert policy.spec() == ReuseSpec(0, 4, 300.0, 60.0, 8, "run")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"replicas": 0}, "replicas=0"),
        ({"replicas": (3, 2)}, "replicas=(3, 2)"),
        ({"replicas": (1, 2, 3)}, "replicas=(1, 2, 3)"),
        ({"replicas": "two"}, "replicas='two'"),
        ({"concurrency": 0}, "concurrency=0"),
        ({"idle_ttl": 5}, "idle_ttl=5"),
        ({"scaledown_ttl": dt.timedelta(seconds=1)}, "scaledown_ttl="),
        ({"idle_ttl": "long"}, "idle_ttl='long'"),
        ({"scope": "cluster"}, "unknown scope of a ReusePolicy 'cluster'"),
    ],
)
def test_what_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        ReusePolicy(**settings)
    assert message in caught.value.message


def test_it_stands_in_the_spec() -> None:
    env = TaskEnvironment("e", reusable=ReusePolicy(replicas=3))

    @env.task
    def kept(x: int) -> int:
        return x

    app = alula.current_app()
    assert kept.spec(app).reuse == ReuseSpec(3, 3)
    assert kept.override(reusable="off").spec(app).reuse is None
    assert kept.override(reusable=ReusePolicy(replicas=1)).spec(app).reuse == ReuseSpec(1, 1)


def test_a_plain_function_cannot_run_beside_others() -> None:
    env = TaskEnvironment("e", reusable=ReusePolicy(concurrency=2))

    def plain(x: int) -> int:
        return x

    with pytest.raises(UsageError, match="is a plain function") as caught:
        env.task(plain)
    assert "async def" in caught.value.hint


def test_plugins_have_workers_of_their_own() -> None:
    with pytest.raises(UsageError, match="both reusable and plugin_config"):
        TaskEnvironment("e", reusable=ReusePolicy(), plugin_config=object())


def test_something_else_than_a_policy() -> None:
    @alula.task
    def plain(x: int) -> int:
        return x

    with pytest.raises(UsageError, match="expected a ReusePolicy or 'off'"):
        plain.override(reusable=3)
