"""``alula flyte run`` takes the command lines that people have in their scripts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Alula = Callable[..., Any]

PROGRAM = """
    import os

    from flytekit import task, workflow


    @task
    def describe(count: int, loud: bool, place: str) -> tuple[int, str]:
        text = f"{count} in {place} {os.environ.get('WORD', '')}".strip()
        return count, text.upper() if loud else text


    @workflow
    def wf(count: int, loud: bool = False, the_place: str = "here") -> tuple[int, str]:
        return describe(count=count, loud=loud, place=the_place)
"""


@pytest.fixture(autouse=True)
def program(write: Callable[[str, str], Path]) -> None:
    write("prog.py", PROGRAM)
    write("inputs.yaml", "count: 7\nthe_place: there\n")


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["prog.py", "wf", "--count", "3"], "DefaultNamedTupleOutput(o0=3, o1='3 in here')"),
        (
            ["prog.py", "wf", "--count", "3", "--loud", "--the_place", "Rome"],
            "DefaultNamedTupleOutput(o0=3, o1='3 IN ROME')",
        ),
        (["--env", "WORD=now", "prog.py", "wf", "--count=1"], "DefaultNamedTupleOutput(o0=1, o1='1 in here now')"),
        (["prog.py", "wf", "--inputs-file", "inputs.yaml"], "DefaultNamedTupleOutput(o0=7, o1='7 in there')"),
        (
            ["--inputs-file", "inputs.yaml", "prog.py", "wf", "--count", "8"],
            "DefaultNamedTupleOutput(o0=8, o1='8 in there')",
        ),
        (
            ["-p", "shop", "-d", "staging", "--overwrite-cache", "--tags", "a", "prog.py", "wf", "--count", "2"],
            "DefaultNamedTupleOutput(o0=2, o1='2 in here')",
        ),
    ],
)
def test_it_runs_and_prints_as_there(alula: Alula, arguments: list[str], printed: str) -> None:
    answer = alula("flyte", "run", *arguments)
    assert (answer.code, answer.out) == (0, f"Running Execution on local.\n{printed}\n"), answer.err


def test_local_runs_of_the_second_generation_say_so_at_the_end(alula: Alula) -> None:
    answer = alula("flyte", "run", "--local", "prog.py", "wf", "--count", "3")
    assert (answer.code, answer.out) == (0, "DefaultNamedTupleOutput(o0=3, o1='3 in here')\nCompleted Local Run\n"), (
        answer.err
    )


def test_options_for_clusters_are_ignored_with_a_note(alula: Alula) -> None:
    answer = alula("flyte", "run", "--image", "a:b", "--copy-all", "prog.py", "wf", "--count", "3")
    assert answer.code == 0
    assert "note: --image has no meaning on this machine and is ignored\n" in answer.err
    assert "note: --copy-all has no meaning on this machine and is ignored\n" in answer.err


def test_a_cluster_is_not_there(alula: Alula) -> None:
    answer = alula("flyte", "run", "--remote", "prog.py", "wf", "--count", "3")
    assert (answer.code, answer.out) == (2, "")
    assert "there is no cluster to run on\n  Leave out --remote" in answer.err


def test_project_domain_and_labels_are_those_of_the_run(alula: Alula) -> None:
    begun = alula("flyte", "run", "-p", "shop", "-d", "staging", "--label", "a=b", "prog.py", "wf", "--count", "2")
    assert begun.code == 0, begun.err
    shown = alula("runs", "show", "--output", "json").out
    for part in ('"project": "shop"', '"domain": "staging"', '"a": "b"'):
        assert part in shown


def test_wrong_inputs_are_told_as_ever(alula: Alula) -> None:
    answer = alula("flyte", "run", "prog.py", "wf", "--count", "many")
    assert answer.code == 2
    assert "--count" in answer.err
    assert "Traceback" not in answer.err


def test_inputs_come_from_the_standard_input(alula: Alula) -> None:
    answer = alula("flyte", "run", "prog.py", "wf", "-", stdin="{'count': 4, 'loud': True}")
    assert (answer.code, answer.out) == (
        0,
        "Running Execution on local.\nDefaultNamedTupleOutput(o0=4, o1='4 IN HERE')\n",
    ), answer.err


def test_a_program_calls_pyflyte_itself(python: Alula, write: Callable[[str, str], Path]) -> None:
    write(
        "calls.py",
        """
        from click.testing import CliRunner
        from flytekit.clis.sdk_in_container.pyflyte import main

        runner = CliRunner()
        done = runner.invoke(main, ["-v", "run", "prog.py", "wf", "--count", "3", "--no_loud"], catch_exceptions=False)
        print(done.exit_code, done.stdout.splitlines())
        refused = runner.invoke(main, ["run", "prog.py", "nobody"])
        print(refused.exit_code, "unknown entity 'nobody'" in refused.output)
        """,
    )
    answer = python("-m", "alula_flyte", "calls.py")
    lines = "['Running Execution on local.', \"DefaultNamedTupleOutput(o0=3, o1='3 in here')\"]"
    assert (answer.code, answer.out) == (0, f"0 {lines}\n2 True\n"), answer.err


def test_help_of_the_program(alula: Alula) -> None:
    answer = alula("flyte", "run", "prog.py", "wf", "--help")
    assert answer.code == 0
    assert "--the-place" in answer.out
    assert "Running" not in answer.out


def test_the_tables_can_be_read(alula: Alula) -> None:
    answer = alula("flyte", "names", "flytekit")
    assert answer.code == 0
    assert "same -> alula.conditional" in answer.out
    unknown = alula("flyte", "names", "flytekitt")
    assert unknown.code == 2
    assert "flytekit" in unknown.err
