"""The tables of Flyte 1: every name that is not missing can be had, and is what the table says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_RESOLVE = """
import importlib
import alula_flyte
alula_flyte.install()
from alula_flyte.names import flytekit, flytekitplugins

problems = []
for name, table in {**flytekit.MODULES, **flytekitplugins.MODULES}.items():
    module = importlib.import_module(name)
    for attribute, row in table.items():
        if row.target.startswith(("alula_duckdb", "alula_ray", "alula_mpi", "alula_spark")) or row.status == "missing":
            continue
        if any(plugin in name for plugin in ("papermill", "bigquery", "spark")):  # their tasks run where the plugins are installed
            continue
        try:
            getattr(module, attribute)
        except Exception as problem:
            problems.append(f"{name}.{attribute}: {problem!r}")
print(len(problems), *problems, sep="\\n")
"""


def test_every_name_resolves(write: Callable[[str, str], Any], python: Callable[..., Any]) -> None:
    answer = python(str(write("resolve.py", _RESOLVE)))
    assert (answer.code, answer.out) == (0, "0\n"), answer.err + answer.out


def test_missing_names_say_why_where_they_are_used(
    write: Callable[[str, str], Any], python: Callable[..., Any]
) -> None:
    source = """
        from flytekit import ContainerTask, task, workflow
        from flytekit.remote import FlyteRemote

        @task
        def one() -> int:
            return 1

        print(one())
        try:
            FlyteRemote(config=None)
        except NotImplementedError as problem:
            print(problem)
        import flytekitplugins.snowflake
        """
    answer = python("-m", "alula_flyte", str(write("program.py", source)))
    assert answer.code == 1
    assert answer.out.startswith("1\nAlula has no flytekit.remote.FlyteRemote: Alula does not talk to a Flyte server")
    assert answer.err.splitlines()[-2:] == [
        "ModuleNotFoundError: Alula has no flytekitplugins.snowflake: there is no plugin for it yet",
        "  Call its library in a task.",
    ]
