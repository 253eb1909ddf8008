"""AU-25, AU-26: task environments."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from alula import (
    Documentation,
    Image,
    Resources,
    RetryStrategy,
    TaskEnvironment,
    current_app,
    errors,
    task,
    workflow,
)
from alula_kernel.specs import SecretSpec, TimeoutPolicy


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the secret that the tasks of the environment ask for."""
    monkeypatch.setenv("ALULA_SECRET_TOKEN", "swordfish")


env = TaskEnvironment(
    name="shared-defaults",
    resources=Resources(cpu=1, memory="1Gi"),
    env_vars={"ALULA_TEST_A": "1"},
    image=Image.from_debian_base().with_pip_packages("pandas"),
    secrets="token",
    queue="slow",
    description="What they share.",
)


@env.task
def plain(x: int) -> int:
    """Add one."""
    return x + 1


@env.task(
    cache="auto",
    retries=RetryStrategy(2),
    timeout=timedelta(seconds=9),
    docs=Documentation("short"),
    report=True,
    interruptible=True,
    max_inline_io_bytes=1000,
    queue="fast",
)
async def configured(x: int) -> int:
    return x + 2


def test_tasks_are_named_after_the_environment() -> None:
    assert plain.name == "shared-defaults.plain"
    assert plain.short_name == "plain"
    assert plain(x=1) == 2
    assert asyncio.run(configured(x=1)) == 3


def test_defaults_are_shared() -> None:
    spec = plain.spec(current_app())
    assert spec.environment_name == "shared-defaults"
    assert spec.resources is not None
    assert spec.resources.requests == {"cpu": "1", "memory": "1Gi"}
    assert spec.environment == {"ALULA_TEST_A": "1"}
    assert "pandas" in spec.image
    assert spec.secrets == (SecretSpec(key="token", variable="TOKEN"),)
    assert spec.queue == "slow"
    assert spec.cache is None
    assert spec.max_inline_bytes == 10 * 1024 * 1024
    assert spec.description == "Add one."


def test_what_the_task_says_goes_first() -> None:
    spec = configured.spec(current_app())
    assert spec.cache is not None
    assert spec.retries.user == 2
    assert spec.timeout == TimeoutPolicy(9.0)
    assert spec.description == "short"
    assert (spec.report, spec.interruptible, spec.max_inline_bytes, spec.queue) == (True, True, 1000, "fast")
    assert spec.blocking is False


def test_environment_variables_are_there_while_the_task_runs() -> None:
    @env.task
    def read() -> str:
        import os

        return os.environ["ALULA_TEST_A"]

    import os

    assert read() == "1"
    assert "ALULA_TEST_A" not in os.environ


def test_its_tasks_are_nodes_of_workflows_and_mix_with_others() -> None:
    @task
    def double(x: int) -> int:
        return 2 * x

    @workflow
    def flow(x: int) -> int:
        return configured(x=plain(x=double(x=x)))

    assert flow(x=1) == 5


def test_clones_have_other_fields_and_keep_the_rest() -> None:
    clone = env.clone_with("other", resources=Resources(cpu=4), env_vars=None, interruptible=True)
    assert (clone.name, clone.resources, clone.env_vars) == ("other", Resources(cpu=4), {"ALULA_TEST_A": "1"})
    assert clone.interruptible is True
    assert env.interruptible is False
    with pytest.raises(errors.UnknownNameError, match="unknown field of TaskEnvironment 'resorces'"):
        env.clone_with("other", resorces=None)


def test_an_environment_around_tasks_that_exist() -> None:
    @task
    def existing(x: int) -> int:
        return x

    made = TaskEnvironment.from_task("around", existing, plain, depends_on=[env])
    assert made.name == "around"
    assert made.depends_on == [env]
    assert made.tasks == (existing, plain)
    with pytest.raises(errors.UsageError, match="needs at least one task"):
        TaskEnvironment.from_task("none")


def test_it_knows_its_tasks() -> None:
    own = TaskEnvironment(name="own")

    @own.task
    def first() -> None: ...

    @own.task
    def second() -> None: ...

    assert own.tasks == (first, second)
    assert own.clone_with("copy").tasks == ()


def test_it_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        env.queue = "other"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["ok", "snake_case", "kebab-case", "a1", "a-b_c", "x2y"])
def test_good_names(name: str) -> None:
    assert TaskEnvironment(name).name == name


@pytest.mark.parametrize("name", ["", "Upper", "1a", "a b", "a--b", "-a", "a-", "a.b", "ä"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(errors.UsageError, match="cannot be the name of an environment") as caught:
        TaskEnvironment(name=name)
    assert caught.value.location.startswith(f"{__file__}:")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TaskEnvironment(name="a", description="x" * 256), "more than 255 characters"),
        (lambda: TaskEnvironment(name="a", cache="override "), None),
        (lambda: TaskEnvironment(name="a", cache="override"), "a cache version was expected"),
        (lambda: TaskEnvironment(name="a", resources=Resources(memory="lots")), "is not a quantity"),
        (lambda: TaskEnvironment(name="a", plugin_config=object()).task(lambda: None), "unknown task_config class"),
        (lambda: TaskEnvironment(name="a").task(retries=1.5)(lambda: None), "retries: expected a whole number"),
    ],
)
def test_bad_settings_are_refused(make: Callable[[], Any], message: str | None) -> None:
    if message is None:
        make()
        return
    with pytest.raises(errors.UsageError, match=message):
        make()


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(TypeError, match="retry"):
        env.task(retry=1)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="cpu"):
        TaskEnvironment(name="a", cpu=1)  # type: ignore[call-arg]
