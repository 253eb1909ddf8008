"""Tasks that are declared by calling a class."""

from __future__ import annotations

from typing import Any

import pytest

import alula
from alula_kernel.errors import UnknownNameError, UsageError


class Greeting(alula.DeclaredTask):
    def __init__(self, name: str, template: str, **settings: Any) -> None:
        super().__init__(name, inputs={"who": str, "times": (int, 1)}, outputs={"o0": str}, settings=settings)
        self.template = template

    def source(self) -> str:
        return self.template

    def execute(self, who: str, times: int) -> str:
        return self.template.format(who) * times


class Louder(Greeting):
    def __init__(self, name: str, **settings: Any) -> None:
        super().__init__(name, "{}!", **settings)


def version(task: alula.Task) -> str:
    cache = task.spec(alula.current_app()).cache
    assert cache is not None
    return cache.version


def test_it_is_called_like_any_task() -> None:
    greeting = Greeting("greeting", "hi {} ")
    assert greeting(who="Ada") == "hi Ada "
    assert greeting("Ada", times=2) == "hi Ada hi Ada "

    @alula.workflow
    def both(who: str) -> str:
        return greeting(who=greeting(who=who))

    assert both(who="Ada") == "hi hi Ada  "


def test_its_location_is_where_the_object_was_made() -> None:
    made = [Greeting("direct", "{}"), Louder("derived")]
    lines = {int(task.location.rpartition(":")[2]) for task in made}
    assert all(task.location.startswith(f"{__file__}:") for task in made)
    assert len(lines) == 1


def test_several_outputs_are_a_tuple() -> None:
    class Divided(alula.DeclaredTask):
        def __init__(self) -> None:
            super().__init__("divided", inputs={"a": int, "b": int}, outputs={"quotient": int, "rest": int})

        def execute(self, a: int, b: int) -> tuple[int, int]:
            return divmod(a, b)

    assert tuple(Divided()(a=7, b=2)) == (3, 1)


def test_what_it_runs_is_a_part_of_an_automatic_cache_version() -> None:
    one, same, other = (Greeting("greeting", text, cache=True) for text in ("hi {}", "hi {}", "ho {}"))
    assert version(one) == version(same) != version(other)
    assert one(who="x") == "hi x"
    assert other(who="x") == "ho x"


def test_scripts_and_queries_are_parts_of_it_too() -> None:
    shells = [
        alula.ShellTask("script", script=f"echo {word} > {{outputs.o}}", cache=True,
                        output_locs=[alula.OutputLocation("o", str, f"{word}.txt")])
        for word in ("one", "two")
    ]  # fmt: skip
    assert version(shells[0]) != version(shells[1])
    queries = [
        alula.SQLite3Task("query", f"SELECT {n}", task_config=alula.SQLite3Config("x.db"), cache=True) for n in (1, 2)
    ]
    assert version(queries[0]) != version(queries[1])


def test_settings_are_checked_where_the_object_is_made() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'retry_on' or 'retries'") as caught:
        Louder("wrong", retry=3)
    assert caught.value.location.startswith(__file__)
    assert Louder("right", retries=3).spec(alula.current_app()).retries.user == 3


def test_it_may_belong_to_an_environment_whose_defaults_it_has() -> None:
    environment = alula.TaskEnvironment(
        "declared", env_vars={"A": "1"}, resources=alula.Resources(cpu=2), cache="auto", queue="slow"
    )
    plain = Louder("plain", task_environment=environment)
    other = Louder("other", task_environment=environment, queue="fast", cache=False)
    spec = plain.spec(alula.current_app())
    assert environment.tasks == (plain, other)
    assert (spec.environment, spec.queue, spec.environment_name) == ({"A": "1"}, "slow", "declared")
    assert spec.cache is not None
    assert spec.resources is not None
    assert (other.spec(alula.current_app()).queue, other.spec(alula.current_app()).cache) == ("fast", None)


def test_an_environment_of_concurrent_attempts_refuses_it() -> None:
    environment = alula.TaskEnvironment("concurrent", reusable=alula.ReusePolicy(replicas=1, concurrency=2))
    with pytest.raises(UsageError, match="is a plain function, and environment 'concurrent' lets a worker run 2"):
        Louder("loud", task_environment=environment)
