"""The smallest program, for P1."""

# ruff: noqa: D103 - the smallest program has no docstrings

import flyte

env = flyte.TaskEnvironment("greeting")


@env.task
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@env.task
async def hello(name: str = "world") -> str:
    return await greet(name=name)
