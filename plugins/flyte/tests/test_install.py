"""Flyte's modules are Alula's in a process that asks for it, and in no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Python = Callable[..., Any]
Write = Callable[[str, str], Path]

PROGRAM = """
    import sys

    from flytekit import task, workflow


    @task
    def square(x: int) -> int:
        return x * x


    @workflow
    def squares(x: int = 3) -> int:
        return square(x=x)


    if __name__ == "__main__":
        print(squares(x=int(sys.argv[1])))
"""

REAL = "task = 'the real one'\n"


def test_a_script_runs(python: Python, write: Write) -> None:
    write("prog.py", PROGRAM)
    assert python("-m", "alula_flyte", "prog.py", "5") == (0, "25\n", "")


def test_a_module_runs(python: Python, write: Write) -> None:
    write("package/prog.py", PROGRAM)
    write("package/__init__.py", "")
    assert python("-m", "alula_flyte", "-m", "package.prog", "6") == (0, "36\n", "")


@pytest.mark.parametrize("options", [[], ["--executor", "process"]])
def test_the_command_runs_it_here_and_in_processes(alula: Python, write: Write, options: list[str]) -> None:
    write("prog.py", PROGRAM)
    answer = alula("run", "--flyte", *options, "prog.py", "squares", "--x", "7")
    assert (answer.code, answer.out) == (0, "o0: 49\n"), answer.err


def test_a_program_may_ask_for_it_itself(python: Python, write: Write) -> None:
    write(
        "prog.py",
        "import alula_flyte\n\nalula_flyte.install()\nalula_flyte.install()\n" + "import flytekit\n\n"
        "print(flytekit.conditional.__module__, alula_flyte.installed())\n",
    )
    assert python("prog.py").out == "alula._conditional True\n"


def test_without_asking_it_is_as_before(python: Python, alula: Python, write: Write) -> None:
    """The real package is what it is beside Alula, and where there is none there is none."""
    look = "import alula, alula_flyte\n\nalula.current_app().registry\nimport flytekit\n\nprint(flytekit.task)\n"
    write("look.py", look)
    write("real/flytekit.py", REAL)
    assert python("look.py", PYTHONPATH="real") == (0, "the real one\n", "")
    write("prog.py", PROGRAM)
    answer = alula("run", "prog.py", "squares")
    assert answer.code == 2
    assert "No module named 'flytekit'" in answer.err
    assert "To run a program written for Flyte: pip install alula-flyte, then alula run --flyte FILE." in answer.err


def test_where_it_was_asked_for_the_real_package_is_hidden(python: Python, write: Write) -> None:
    write("prog.py", PROGRAM)
    write("real/flytekit.py", REAL)
    assert python("-m", "alula_flyte", "prog.py", "5", PYTHONPATH="real").out == "25\n"


def test_a_namespace_that_python_makes_when_it_starts_is_no_obstacle(python: Python, write: Write) -> None:
    """As the real plugins do, with a line of a ``.pth`` file; `sitecustomize` runs as early."""
    write("prog.py", PROGRAM)
    write("real/flytekitplugins/deck/__init__.py", "")
    write("real/sitecustomize.py", "import flytekitplugins\n")
    assert python("-m", "alula_flyte", "prog.py", "5", PYTHONPATH="real") == (0, "25\n", "")
    write("real/sitecustomize.py", "import flytekitplugins.deck\n")
    assert "flytekitplugins is imported already" in python("-m", "alula_flyte", "prog.py", "5", PYTHONPATH="real").err


def test_it_cannot_be_asked_for_too_late(python: Python, write: Write) -> None:
    write("flytekit.py", REAL)
    answer = python("-c", "import flytekit, alula_flyte\nalula_flyte.install()")
    assert "UsageError: flytekit is imported already, and so cannot become Alula's" in answer.err
    assert "Call alula_flyte.install() before the first import of Flyte" in answer.err


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("import flytekit.no_such_module", "alula-flyte does not know the module flytekit.no_such_module"),
        ("from flytekit import no_such_name", "alula-flyte does not know flytekit.no_such_name"),
        ("import flyte\nflyte.no_such_name", "`alula flyte names flyte` lists what it knows"),
    ],
)
def test_what_is_not_known_is_told_where_it_is_imported(python: Python, statement: str, message: str) -> None:
    answer = python("-c", f"import alula_flyte\nalula_flyte.install()\n{statement}")
    assert answer.code == 1
    assert message in answer.err


def test_everything_at_once(python: Python) -> None:
    asked = "import alula_flyte\nalula_flyte.install()\nfrom flytekit import *\nprint(workflow.__name__)"
    assert python("-c", asked) == (0, "workflow\n", "")


def test_values_of_unknown_classes_are_pickled(python: Python, write: Write) -> None:
    write(
        "prog.py",
        """
        from flytekit import task, workflow


        class Model:
            def __init__(self, weight):
                self.weight = weight


        @task
        def train(weight: int) -> list[Model]:
            return [Model(weight)]


        @task
        def score(models: list[Model]) -> int:
            return models[0].weight + 1


        @workflow
        def both(weight: int) -> int:
            return score(models=train(weight=weight))


        if __name__ == "__main__":
            print(both(weight=4))
        """,
    )
    assert python("-m", "alula_flyte", "prog.py") == (0, "5\n", "")


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["--help"], 0), (["none.py"], 2)])
def test_wrong_use_of_the_module(python: Python, arguments: list[str], code: int) -> None:
    answer = python("-m", "alula_flyte", *arguments)
    assert answer.code == code
    assert "usage: python -m alula_flyte SCRIPT" in answer.out + answer.err
