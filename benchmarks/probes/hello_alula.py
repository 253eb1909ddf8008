"""The smallest program, for P1 and P17."""

# ruff: noqa: D103 - the smallest program has no docstrings

from alula import task, workflow


@task(retries=3)
def greet(name: str) -> str:
    return f"Hello, {name}!"


@workflow
def hello(name: str = "world") -> str:
    return greet(name=name)
