"""The kinds of tasks of the conformance suite; none of them asks for a session, and so no library is imported."""

from __future__ import annotations

import os
import signal
import sys
import time

import alula
from alula import NonRecoverableError
from alula_spark import Spark


@alula.task(task_config=Spark())
def add(a: int, b: int) -> int:
    return a + b


@alula.task(task_config=Spark())
def echo(value: str) -> str:
    return value


@alula.task(task_config=Spark())
def fail(message: str) -> str:
    raise ValueError(message)


@alula.task(task_config=Spark())
def give_up(message: str) -> str:
    raise NonRecoverableError(message)


@alula.task(task_config=Spark())
def leave(code: int) -> str:
    sys.exit(code)


@alula.task(task_config=Spark())
def die() -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


@alula.task(task_config=Spark())
def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


@alula.task(task_config=Spark())
def append(path: str, text: str) -> str:
    with open(path, "a") as file:
        file.write(text)
    return text


@alula.task(task_config=Spark())
def print_text(text: str) -> str:
    print(text)
    return text


@alula.task(task_config=Spark())
def environment(name: str) -> str:
    return os.environ.get(name, "")
