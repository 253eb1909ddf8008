"""Orchestration of Flyte 2 in Monty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def run(write: Callable[[str, str], Path], python: Callable[..., Any]) -> Callable[[str], list[str]]:
    """Run a program for Flyte and return what it printed."""

    def run(source: str) -> list[str]:
        answer = python("-m", "alula_flyte", str(write("program.py", source)))
        assert answer.code == 0, answer.err
        return str(answer.out).splitlines()

    return run


def test_functions_orchestrate_tasks(run: Callable[[str], list[str]]) -> None:
    out = run(
        """
        import asyncio
        import flyte
        import flyte.sandbox

        env = flyte.TaskEnvironment("orchestrated")

        @env.task
        async def slow(x: int) -> int:
            await asyncio.sleep(0.2)
            return x + 1

        @env.task
        def times(x: int, y: int) -> int:
            return x * y

        @env.sandbox.orchestrator
        def both(n: int, more: int = 2) -> list[int]:
            squares = flyte_map("times", [1, 2, 3], [1, 2, 3])
            return [slow(n), times(n, y=more), sum(squares)]

        @env.sandbox.orchestrator(timeout_ms=100, retries=1)
        async def patient(n: int) -> int:
            total = 0
            for i in range(n):
                total += slow(i)
            return total

        @env.task
        async def main() -> list[int]:
            return [*await both.aio(4), await patient(3)]

        @env.task
        def plain() -> list[int]:
            return both(5)

        for task in (main, plain):
            print(flyte.run(task).outputs()[0])
        print(both.name, patient.name, times.func(2, 3), isinstance(both, flyte.sandbox.SandboxedTaskTemplate))
        """
    )
    assert out == [
        "[5, 8, 14, 6]",
        "[6, 10, 14]",
        "orchestrated.both orchestrated.patient 6 True",
    ]


def test_code_orchestrates_tasks(run: Callable[[str], list[str]]) -> None:
    out = run(
        """
        import asyncio
        import flyte
        import flyte.io
        import flyte.sandbox

        env = flyte.TaskEnvironment("code")

        @env.task
        def add(x: int, y: int) -> int:
            return x + y

        @env.task
        async def make(text: str) -> flyte.io.File:
            file = flyte.io.File.new_remote("made.txt")
            async with file.open("wb") as stream:
                await stream.write(text.encode())
            return file

        @env.task
        async def read(file: flyte.io.File) -> str:
            async with file.open("rb") as stream:
                return (await stream.read()).decode()

        def shout(text):
            return text.upper()

        twice = flyte.sandbox.orchestrator_from_str(
            '''
            partial = add(x, y)
            partial * 2
            ''',
            inputs={"x": int, "y": int},
            output=int,
            tasks=[add],
            name="twice",
        )
        files = env.sandbox.orchestrator(
            "file = make(text)\\n[read(file), shout(read(file)), flyte_map('shout', ['a', 'b']), len(file)]",
            inputs={"text": str},
            output=list,
            tasks=[make, read, shout],
        )
        print(flyte.run(twice, x=1, y=2).outputs()[0], twice.name)
        print(flyte.run(files, "said").outputs()[0], files.name)
        print(flyte.TaskEnvironment.from_task("around", twice, files).name)

        async def main():
            for code in ("sum([n * n for n in items])", "items.append(shout('x')); items", "1 / 0", "open('/x.txt')", "no(1)", "no"):
                try:
                    print(await flyte.sandbox.orchestrate_local(code, inputs={"items": [1, 2]}, tasks=[shout]))
                except Exception as e:
                    print(type(e).__name__, str(e).splitlines()[0])

        asyncio.run(main())
        endless = flyte.sandbox.orchestrator_from_str("while True:\\n    pass", inputs={}, timeout_ms=100)
        for wrong in (
            lambda: flyte.run(endless),
            lambda: endless.forward(),
            lambda: flyte.sandbox.orchestrator_from_str("1", inputs={}, tasks=[add, add]),
        ):
            try:
                wrong()
            except Exception as e:
                print(type(e).__name__, str(e).splitlines()[0][:38].partition(":")[0])
        """
    )
    assert out == [
        "6 twice",
        "['said', 'SAID', ['A', 'B'], 1] code.sandboxed-code",
        "around",
        "5",
        "[1, 2, 'X']",
        "ZeroDivisionError division by zero",
        "PermissionError Permission denied: '/x.txt'",
        "UnknownNameError unknown function of the sandboxed code 'no'",
        "NameError name 'no' is not defined",
        "TimeoutError turn time limit exceeded",
        "UsageError the code of sandboxed-code runs in a s",
        "UsageError two functions of the sandboxed code ar",
    ]
