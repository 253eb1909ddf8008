"""AU-07, AU-28, CA-08: settings of one call; environment before task before override; falsy values set."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

import alula
from alula import (
    Backoff,
    Cache,
    LaunchPlan,
    Resources,
    RetryStrategy,
    TaskEnvironment,
    Timeout,
    current_app,
    errors,
    map_task,
    task,
    workflow,
)
from alula_kernel.specs import TaskSpec, TimeoutPolicy


@task(
    retries=3,
    timeout=60,
    cache=True,
    cache_version="1",
    interruptible=True,
    requests=Resources(cpu=1),
    environment={"A": "1"},
    labels={"l": "1"},
    container_image="image:1",
)
def full(x: int) -> int:
    return x


@task
def bare(x: int) -> int:
    return x


env = TaskEnvironment(
    name="defaults", resources=Resources(cpu=1), env_vars={"A": "env"}, cache="auto", interruptible=True
)


@env.task(retries=2, timeout=30)
def of_env(x: int) -> int:
    return x


def effective(node: Any) -> TaskSpec:
    """Return the task spec of the first node of a workflow as its call changes it."""
    spec = node.spec(current_app())
    task_spec = current_app().entities.spec(spec.nodes[0].target.entity)
    assert isinstance(task_spec, TaskSpec)
    overrides = spec.nodes[0].overrides
    return overrides.apply(task_spec) if overrides is not None else task_spec


def overridden(target: Any, **settings: Any) -> TaskSpec:
    @workflow
    def flow(x: int) -> int:
        return target(x=x).with_overrides(**settings)

    return effective(flow)


@pytest.mark.parametrize(
    ("settings", "read", "expected"),
    [
        ({"retries": 5}, lambda s: s.retries.user, 5),
        (
            {"retries": RetryStrategy(1, Backoff(base=2))},
            lambda s: (s.retries.user, s.retries.backoff.base_seconds),
            (1, 2.0),
        ),
        ({"timeout": dt.timedelta(minutes=1)}, lambda s: s.timeout, TimeoutPolicy(60.0)),
        ({"timeout": Timeout(deadline=5)}, lambda s: s.timeout, TimeoutPolicy(None, None, 5.0)),
        ({"interruptible": False}, lambda s: s.interruptible, False),
        ({"requests": Resources(cpu=4)}, lambda s: s.resources.requests, {"cpu": "4"}),
        ({"limits": Resources(mem="1Gi")}, lambda s: s.resources.limits, {"memory": "1Gi"}),
        (
            {"resources": Resources(cpu=(1, 2))},
            lambda s: (s.resources.requests, s.resources.limits),
            ({"cpu": "1"}, {"cpu": "2"}),
        ),
        ({"container_image": "other:2"}, lambda s: s.image, "other:2"),
        ({"cache": True, "cache_version": "2"}, lambda s: s.cache.version, "2"),
        ({"cache": Cache(version="3", serialize=True)}, lambda s: (s.cache.version, s.cache.serialize), ("3", True)),
        (
            {"cache": True, "cache_version": "2", "cache_ignore_input_vars": ("x",)},
            lambda s: s.cache.ignored_inputs,
            ("x",),
        ),
        ({"cache_serialize": True, "cache_version": "4"}, lambda s: (s.cache.version, s.cache.serialize), ("4", True)),
        ({"accelerator": "T4"}, lambda s: s.resources.requests["accelerator"], "T4"),
        ({"shared_memory": "1Gi"}, lambda s: s.resources.requests["shm"], "1Gi"),
        ({"environment": {"B": "2"}}, lambda s: s.environment, {"B": "2"}),
        (
            {"labels": {"m": "2"}, "annotations": {"n": "3"}},
            lambda s: (s.labels, s.annotations),
            ({"m": "2"}, {"n": "3"}),
        ),
    ],
)
@pytest.mark.parametrize("target", [full, bare, of_env], ids=lambda t: t.short_name)
def test_each_setting(target: Any, settings: dict[str, Any], read: Callable[[TaskSpec], Any], expected: Any) -> None:
    before = target.spec(current_app())
    assert read(overridden(target, **settings)) == expected
    assert target.spec(current_app()) == before, "the shared task was changed"


@pytest.mark.parametrize(
    ("settings", "read", "expected"),
    [
        ({"retries": 0}, lambda s: s.retries.user, 0),
        ({"timeout": 0}, lambda s: s.timeout, TimeoutPolicy()),
        ({"timeout": None}, lambda s: s.timeout, TimeoutPolicy()),
        ({"cache": False}, lambda s: s.cache, None),
        ({"cache": "disable"}, lambda s: s.cache, None),
        ({"interruptible": None}, lambda s: s.interruptible, None),
        ({"environment": {}}, lambda s: s.environment, {}),
        ({"labels": {}}, lambda s: s.labels, {}),
        ({"container_image": None}, lambda s: s.image, ""),
    ],
)
def test_falsy_values_set(settings: dict[str, Any], read: Callable[[TaskSpec], Any], expected: Any) -> None:
    assert read(overridden(full, **settings)) == expected
    renamed = {"env_vars" if k == "environment" else k: v for k, v in settings.items() if k != "container_image"}
    if renamed:
        assert read(full.override(**renamed).spec(current_app())) == expected


def test_settings_that_are_not_given_stay() -> None:
    spec = overridden(full, retries=0)
    assert spec.timeout == TimeoutPolicy(60.0)
    assert spec.cache is not None
    assert spec.resources is not None
    twice = overridden_twice()
    assert (twice.retries.user, twice.interruptible) == (7, False)


def overridden_twice() -> TaskSpec:
    @workflow
    def flow(x: int) -> int:
        return full(x=x).with_overrides(retries=7).with_overrides(interruptible=False)

    return effective(flow)


def test_name_and_id_of_a_node() -> None:
    @workflow
    def flow(x: int) -> int:
        return bare(x=bare(x=x).with_overrides(node_name="My First_node", name="first"))

    run = alula.run(flow, x=1)
    assert [(a.id, a.name) for a in run.actions] == [("a0", "flow"), ("a0.my-first-node", "first"), ("a0.n1", "bare")]


def test_a_node_may_be_renamed_after_it_was_used() -> None:
    @workflow
    def flow(x: int) -> tuple[int, list[int]]:
        first = bare(x=x)
        second = bare(x=first)
        third = alula.conditional("c").if_(first > 0).then(bare(x=second)).else_().then(bare(x=first))
        late = bare(x=1)
        late >> first
        for node, name in ((first, "n1"), (second, "n0"), (third, "chosen"), (late, "late")):
            node.with_overrides(node_name=name)
        return third, [first, second]

    run = alula.run(flow, x=3)
    assert run.result == (3, [3, 3])
    ids = ["a0", "a0.late", "a0.n1", "a0.n0", "a0.chosen", "a0.chosen.n3", "a0.chosen.n2"]
    assert [action.id for action in run.actions] == ids


def test_two_nodes_of_one_name_are_refused() -> None:
    @workflow
    def flow(x: int) -> int:
        bare(x=x).with_overrides(node_name="same")
        return bare(x=x).with_overrides(node_name="same")

    with pytest.raises(errors.CompileError, match=r"two nodes of .* are called 'same'"):
        flow(x=1)


def test_aliases_are_other_names_of_outputs() -> None:
    @workflow
    def flow(x: int) -> int:
        node = alula.create_node(bare, x=x).with_overrides(aliases={"o0": "result"})
        return node.result

    assert flow(x=4) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"retry": 1}, "unknown setting 'retry'"),
        ({"retries": -1}, "retries: expected a whole number"),
        ({"timeout": "soon"}, "timeout: expected seconds"),
        ({"cache": Cache(version="1"), "cache_version": "2"}, "cannot be mixed"),
        ({"cache_ignore_input_vars": ("y",), "cache_version": "1"}, "unknown ignored cache input 'y'"),
        ({"task_config": object()}, "task_config of task .* must be NoneType"),
        ({"resources": Resources(cpu=1), "limits": Resources(cpu=1)}, "cannot be given together"),
    ],
)
def test_wrong_settings_are_refused_with_the_line(settings: dict[str, Any], message: str) -> None:
    @workflow
    def flow(x: int) -> int:
        return bare(x=x).with_overrides(**settings)

    with pytest.raises(errors.UsageError, match=message) as caught:
        flow(x=1)
    assert caught.value.location.startswith(f"{__file__}:")


def test_a_promise_is_no_setting() -> None:
    @workflow
    def flow(x: int) -> int:
        return bare(x=1).with_overrides(retries=x)

    with pytest.raises(errors.CompileError, match=r"with_overrides\(retries=...\) got a promise"):
        flow(x=1)


def test_only_tasks_have_settings() -> None:
    @workflow
    def inner(x: int) -> int:
        return bare(x=x)

    @workflow
    def named(x: int) -> int:
        return inner(x=x).with_overrides(node_name="sub")

    @workflow
    def changed(x: int) -> int:
        return inner(x=x).with_overrides(retries=1)

    @workflow
    def planned(x: int) -> int:
        return LaunchPlan.get_or_create(inner)(x=x).with_overrides(cache=True)

    assert named(x=1) == 1
    for flow in (changed, planned):
        with pytest.raises(errors.CompileError, match="is not a task, so only its name can be changed"):
            flow(x=1)


def test_overrides_of_a_map_go_to_its_items() -> None:
    tries: dict[int, int] = {}

    @task
    def flaky(x: int) -> int:
        tries[x] = tries.get(x, 0) + 1
        if tries[x] < 3:
            raise OSError("again")
        return x

    @workflow
    def flow() -> list[int]:
        return map_task(flaky)(x=[1, 2]).with_overrides(retries=2)

    assert flow() == [1, 2]
    assert tries == {1: 3, 2: 3}


def test_overrides_are_obeyed() -> None:
    attempts: list[int] = []

    @task(retries=5)
    def broken(x: int) -> int:
        attempts.append(x)
        raise OSError("again")

    @workflow
    def flow() -> int:
        return broken(x=1).with_overrides(retries=1)

    with pytest.raises(OSError, match="again"):
        flow()
    assert len(attempts) == 2


# --- override of Flyte 2 -------------------------------------------------------------------------------------------------


def test_environment_before_task_before_override() -> None:
    spec = of_env.spec(current_app())
    assert spec.interruptible is True
    assert spec.environment == {"A": "env"}
    assert spec.cache is not None
    changed = of_env.override(interruptible=False, env_vars={"B": "2"}, cache="disable").spec(current_app())
    assert changed.interruptible is False
    assert changed.environment == {"B": "2"}
    assert changed.cache is None
    assert changed.retries.user == 2

    @env.task(cache="disable", interruptible=False)
    def own(x: int) -> int:
        return x

    own_spec = own.spec(current_app())
    assert (own_spec.cache, own_spec.interruptible) == (None, False)


def test_a_call_through_override_inside_a_task() -> None:
    attempts: list[int] = []

    @env.task(cache="disable", retries=5)
    async def broken(x: int) -> int:
        attempts.append(x)
        raise OSError("again")

    @env.task(cache="disable")
    async def parent() -> int:
        try:
            await broken.override(retries=0)(x=1)
        except OSError:
            return len(attempts)
        return -1

    assert asyncio.run(parent()) == 1


def test_override_of_override_and_of_a_plain_call() -> None:
    twice = of_env.override(retries=0).override(timeout=5)
    spec = twice.spec(current_app())
    assert (spec.retries.user, spec.timeout.runtime_seconds) == (0, 5.0)
    assert twice(x=3) == 3
    assert twice.forward(4) == 4
    assert asyncio.run(twice.aio(x=5)) == 5

    @workflow
    def flow(x: int) -> int:
        return of_env.override(retries=7)(x=x)

    assert effective(flow).retries.user == 7
    assert of_env.spec(current_app()).retries.user == 2


def test_a_short_name_is_what_people_see() -> None:
    @env.task(short_name="nice", cache="disable")
    def ugly_function_name(x: int) -> int:
        return x

    @env.task(cache="disable")
    def parent() -> int:
        return ugly_function_name(x=1) + ugly_function_name.override(short_name="nicer")(x=2)

    assert ugly_function_name.name == "defaults.ugly_function_name"
    assert [action.name for action in alula.run(parent).actions] == ["parent", "nice", "nicer"]

    @workflow
    def flow() -> int:
        return ugly_function_name(x=1)

    assert [action.name for action in alula.run(flow).actions] == ["flow", "nice"]


@pytest.mark.parametrize("name", ["name", "image", "docs", "interface"])
def test_what_makes_a_task_cannot_be_overridden(name: str) -> None:
    with pytest.raises(errors.UsageError, match=f"override cannot change {name}"):
        of_env.override(**{name: "x"})


def test_unknown_overrides_are_refused() -> None:
    with pytest.raises(errors.UnknownNameError, match="unknown setting 'retires'"):
        of_env.override(retires=1)
