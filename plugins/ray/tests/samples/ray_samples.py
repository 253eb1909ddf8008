"""Tasks for the tests, in a module that workers import: the kinds of the conformance suite, plain and on Ray, and others."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import alula
from alula.errors import NonRecoverableError
from alula_ray import RayJobConfig


def echo(value: str) -> str:
    return value


def add(a: int, b: int) -> int:
    return a + b


def fail(message: str) -> None:
    raise ValueError(message)


def give_up(message: str) -> None:
    raise NonRecoverableError(message)


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def leave(status: int) -> None:
    sys.exit(status)


def die(status: int) -> None:
    os._exit(status)


def print_text(text: str) -> None:
    print(text)


def append(path: str, text: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def environment(name: str) -> str:
    return os.environ.get(name, "")


KINDS = (echo, add, fail, give_up, sleep, leave, die, print_text, append, environment)
for _kind in KINDS:
    globals()[f"plain_{_kind.__name__}"] = alula.task(_kind)
del _kind


# --- on Ray ---------------------------------------------------------------------------------------------------------------


@alula.task(task_config=RayJobConfig(runtime_env={"env_vars": {"OF_THE_JOB": "yes"}}))
def squares(count: int) -> list[int]:
    """Compute on the cluster, one task of Ray for each number."""
    import ray

    @ray.remote
    def square(number: int) -> int:
        assert os.environ["OF_THE_JOB"] == "yes"
        return number * number

    return ray.get([square.remote(number) for number in range(count)])  # type: ignore[no-any-return]


@alula.task(task_config=RayJobConfig())
def reference() -> int:
    import ray

    return ray.put(1)  # type: ignore[no-any-return]


@alula.task(task_config=RayJobConfig())
def crash() -> None:
    import ray

    @ray.remote(max_retries=0)
    def end() -> None:
        os._exit(1)

    ray.get(end.remote())


@alula.task(task_config=RayJobConfig())
def slowly(path: str, seconds: float) -> str:
    """Say which process runs it, wait, and return."""
    append(path, f"{os.getpid()}\n")
    time.sleep(seconds)
    return "done"


plain_slowly = alula.task(slowly.task_function)


# --- plain ----------------------------------------------------------------------------------------------------------------


@alula.task
def where(number: int) -> str:
    """Return the node that it runs on; takes a while, so that one node cannot run them all."""
    import ray

    time.sleep(2.0)
    return str(ray.get_runtime_context().get_node_id())


@alula.task(resources=alula.Resources(cpu=0.5, mem="100Mi"))
def assigned() -> dict[str, float]:
    import ray

    found: dict[str, Any] = ray.get_runtime_context().get_assigned_resources()
    return {name: float(amount) for name, amount in found.items()}


@alula.task
def calls_another(number: int) -> int:
    return plain_add(a=number, b=1)  # type: ignore[name-defined,no-any-return] # noqa: F821


@alula.dynamic
def grows(count: int) -> list[int]:
    return [plain_add(a=number, b=1) for number in range(count)]  # type: ignore[name-defined] # noqa: F821
