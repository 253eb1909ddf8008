"""The smallest program, for P1."""

import flyte

env = flyte.TaskEnvironment("greeting")


@env.task
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@env.task
async def hello(name: str = "world") -> str:
    return await greet(name=name)
