"""What ``alula run`` prints where, and its exit code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Answer, Write

Run = Callable[..., Answer]

SCRIPT = """
import os
import subprocess
import sys
import time

from alula import File, NonRecoverableError, TaskEnvironment, approve, map_task, task, wait_for_input, workflow

env = TaskEnvironment(name="env")


@task
def noisy(x: int) -> int:
    print("from print")
    sys.stdout.flush()
    subprocess.run(["echo", "from a child"], check=True)
    return x


@task(cache=True, cache_version="1")
def kept(x: int) -> int:
    return x


@task(retries=2)
def flaky(path: str) -> str:
    with open(path, "a") as file:
        file.write("x")
    if os.path.getsize(path) < 3:
        raise ValueError("not yet")
    return "done"


@task(retries=1)
def broken(x: int) -> int:
    return inner(x)


def inner(x: int) -> int:
    raise ValueError(f"no {x}")


@task
def hopeless() -> int:
    raise NonRecoverableError("never")


@task(timeout=0.1)
def slow() -> int:
    time.sleep(5)
    return 1


@task
def picky(x: int) -> int:
    if x % 10 == 3:
        raise RuntimeError(f"dislikes {x}")
    return x


@task
def total(xs: list[int | None]) -> int:
    return sum(x or 0 for x in xs)


@workflow
def wf(x: int) -> int:
    return kept(x=noisy(x=x))


@workflow
def failing(x: int) -> int:
    return kept(x=broken(x=x))


@workflow
def mapped(xs: list[int], ratio: float = 0.5) -> int:
    return total(xs=map_task(picky, min_success_ratio=0.5)(x=xs))


@workflow
def gated() -> int:
    value = approve(kept(x=1), "go")
    more = wait_for_input("more", None, int)
    return total(xs=[value, more])


@env.task
async def caller(x: int) -> int:
    try:
        await child(x)
    except ValueError as error:
        print("caught", error)
    return x


@env.task
async def child(x: int) -> int:
    raise ValueError("of a child")


@task
def huge() -> int:
    return 2**70


@task
def stored() -> File:
    with open("stored.txt", "w") as file:
        file.write("x")
    return File("stored.txt")


@task
def fetches() -> int:
    return len(open(File("nope://bucket/x")).read())


@task
def terminal() -> str:
    return "\\x1b[2Jcleared\\ttab"
"""


@pytest.fixture(autouse=True)
def script(write: Write) -> None:
    write("prog.py", SCRIPT)


def document(answer: Answer) -> Any:
    return json.loads(answer.out)


def timeless(text: str) -> str:
    """Replace the names of runs and durations."""
    return re.sub(r"\d+(\.\d+)? (\N{MICRO SIGN}s|ms|s)\b", "TIME", re.sub(r"\ba[a-z0-9]{19}\b", "RUN", text))


# --- text ------------------------------------------------------------------------------------------------------------


def test_results_are_on_stdout_and_progress_on_stderr(program: Run) -> None:
    answer = program("run", "prog.py", "wf", "--x", "3")
    assert answer.code == 0
    assert answer.out == "from print\nfrom a child\no0: 3\n"
    assert timeless(answer.err) == (
        "run RUN of workflow prog.wf\nn0 noisy: succeeded in TIME\nn1 kept: succeeded in TIME\nrun RUN succeeded in TIME\n"
    )


def test_a_cached_step_says_so(alula: Run) -> None:
    alula("run", "prog.py", "wf", "--x", "3")
    assert "\nn1 kept: cache hit\n" in alula("run", "prog.py", "wf", "--x", "3").err
    assert "kept: cache hit\n" in alula("run", "prog.py", "kept", "--x", "3").err
    for option in ("--cache-overwrite", "--no-cache"):
        assert "hit" not in alula("run", option, "prog.py", "wf", "--x", "3").err


def test_retries_are_told_with_their_reason(alula: Run) -> None:
    answer = alula("run", "prog.py", "flaky", "--path", "count")
    assert answer.out == "o0: done\n"
    assert "flaky: attempt 1 failed, trying again: ValueError: not yet\n" in answer.err
    assert "flaky: attempt 2 failed, trying again: ValueError: not yet\n" in answer.err


def test_items_of_a_map_are_counted(alula: Run) -> None:
    answer = alula("run", "prog.py", "mapped", "--xs", json.dumps(list(range(200))))
    assert answer.out == f"o0: {sum(x for x in range(200) if x % 10 != 3)}\n"
    assert re.search(r"^n0 picky: 180 items succeeded, 20 failed in ", answer.err, re.MULTILINE)
    assert answer.err.count("dislikes") == 5
    assert len(answer.err.splitlines()) == 9


def test_verbose_tells_starts(program: Run) -> None:
    answer = program("run", "-v", "prog.py", "wf", "--x", "3")
    assert "n0 noisy: started\n" in answer.err
    assert "DEBUG" not in answer.err
    assert "DEBUG alula.plugins: loaded alula" in program("run", "-vv", "prog.py", "wf", "--x", "3").err


def test_answers_open_gates(alula: Run) -> None:
    answer = alula("run", "--answer", "go=yes", "--answer", "more=41", "prog.py", "gated")
    assert answer.out == "o0: 42\n"
    assert "n1 go: waiting\n" in answer.err


def test_a_rejection_fails_the_run(alula: Run) -> None:
    answer = alula("run", "--answer", "go=no", "--answer", "more=1", "prog.py", "gated")
    assert answer.code == 1
    assert "error: go (n1) failed: GateRejected: 'go' was rejected\n" in answer.err


def test_a_gate_without_an_answer_says_how_to_give_one(program: Run) -> None:
    answer = program("run", "--answer", "go=yes", "prog.py", "gated")
    assert answer.code == 1
    assert "alula run --answer more=..." in answer.err


def test_gates_read_answers_from_a_pipe(program: Run) -> None:
    answer = program("run", "--answer", "go=yes", "prog.py", "gated", stdin="5\n")
    assert (answer.code, answer.out) == (0, "o0: 6\n")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("go=perhaps", "answer to 'go': expected bool, found str 'perhaps'"),
        ("more=x", "answer to 'more': expected int"),
    ],
)
def test_an_answer_of_the_wrong_type_is_named(alula: Run, given: str, expected: str) -> None:
    others = {"go": "go=yes", "more": "more=1"}
    others[given.partition("=")[0]] = given
    answer = alula("run", *(part for other in others.values() for part in ("--answer", other)), "prog.py", "gated")
    assert answer.code == 2
    assert expected in answer.err
    assert "Traceback" not in answer.err


def test_control_characters_do_not_reach_the_terminal(alula: Run) -> None:
    assert alula("run", "prog.py", "terminal").out == "o0: \\x1b[2Jcleared\ttab\n"


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_failure_shows_the_users_traceback_only(alula: Run, folder: object) -> None:
    answer = alula("run", "prog.py", "failing", "--x", "3")
    assert answer.code == 1
    assert answer.out == ""
    path = f"{folder}/prog.py"
    assert timeless(answer.err) == (
        "run RUN of workflow prog.failing\n"
        "n0 broken: attempt 1 failed, trying again: ValueError: no 3\n"
        "n0 broken: failed after 2 attempts in TIME: ValueError: no 3\n"
        "error: prog.broken (n0) failed after 2 attempts\n"
        "Traceback (most recent call last):\n"
        f'  File "{path}", line 36, in broken\n    return inner(x)\n'
        + ("           ^^^^^^^^\n" if "^^^^" in answer.err else "")
        + f'  File "{path}", line 40, in inner\n    raise ValueError(f"no {{x}}")\n'
        "ValueError: no 3\n"
        "run RUN failed after TIME\n"
    )


def test_a_timeout_has_no_traceback(alula: Run) -> None:
    answer = alula("run", "prog.py", "slow")
    assert answer.code == 1
    assert "error: prog.slow failed: Timeout: ran longer than 0.1 s\n" in answer.err
    assert re.search(r"run \w+ timed out after ", answer.err)


def test_what_is_never_tried_again_is_tried_once(alula: Run) -> None:
    answer = alula("run", "prog.py", "hopeless")
    assert answer.code == 1
    assert "error: prog.hopeless failed\n" in answer.err


def test_an_output_that_does_not_fit_has_no_traceback(alula: Run) -> None:
    answer = alula("run", "prog.py", "huge")
    assert answer.code == 1
    assert (
        "error: prog.huge failed: ValueConversionError: output 'o0' of task prog.huge: expected int between"
        in answer.err
    )
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("data", "expected"),
    [("/dev/full/data", "cannot write to file:///dev/full/data"), ("nope://bucket", "the scheme 'nope'")],
)
def test_data_that_cannot_be_stored_fails_the_run_without_a_traceback(program: Run, data: str, expected: str) -> None:
    answer = program("run", "prog.py", "stored", ALULA_DATA=data)
    assert (answer.code, answer.out) == (1, "")
    assert "error: prog.stored failed" in answer.err
    assert expected in answer.err
    assert "Traceback" not in answer.err


def test_a_refusal_inside_a_task_shows_the_line_of_the_task(alula: Run) -> None:
    answer = alula("run", "prog.py", "fetches")
    assert answer.code == 1
    assert "in fetches\n" in answer.err
    assert answer.err.count("Traceback") == 1
    assert "alula/_data" not in answer.err


def test_a_failure_that_is_caught_fails_nothing(alula: Run) -> None:
    answer = alula("run", "prog.py", "caller", "--x", "1")
    assert answer.code == 0
    assert answer.out == "caught of a child\no0: 1\n"
    assert "child: failed in " in answer.err


# --- json ------------------------------------------------------------------------------------------------------------


def test_json_is_one_document_and_nothing_else(program: Run) -> None:
    answer = program("run", "--output", "json", "--name", "mine", "--label", "a=b", "prog.py", "wf", "--x", "3")
    assert answer.code == 0
    found = document(answer)
    assert found["run"] == "mine"
    assert found["phase"] == "succeeded"
    assert found["entity"] == "prog.wf"
    assert found["labels"] == {"a": "b"}
    assert found["inputs"] == {"x": 3}
    assert found["outputs"] == {"o0": 3}
    assert found["error"] is None
    assert [(a["id"], a["phase"], a["cache"]) for a in found["actions"]] == [
        ("a0", "succeeded", None),
        ("a0.n0", "succeeded", None),
        ("a0.n1", "succeeded", "populated"),
    ]
    assert found["actions"][1]["attempts"][0]["outcome"] == "succeeded"
    assert found["actions"][1]["attempts"][0]["duration_seconds"] >= 0
    assert "from print\nfrom a child\n" in answer.err


def test_json_tells_failures_too(alula: Run) -> None:
    answer = alula("run", "--output", "json", "prog.py", "failing", "--x", "3")
    found = document(answer)
    assert answer.code == 1
    assert found["phase"] == "failed"
    assert found["outputs"] == {}
    assert found["error"]["code"] == "ValueError"
    assert found["error"]["action"] == "a0.n0"
    assert "in inner" in found["error"]["traceback"]
    assert [attempt["outcome"] for attempt in found["actions"][1]["attempts"]] == ["user_failure", "user_failure"]


def test_json_of_wrong_use_is_empty(alula: Run) -> None:
    answer = alula("run", "--output", "json", "prog.py", "wf")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: ")


def test_json_has_whole_values(alula: Run, write: Write) -> None:
    write(
        "values.py",
        """
import datetime
import enum
from dataclasses import dataclass
from typing import Optional

from alula import File, task


class Color(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    at: datetime.date


@task
def values() -> tuple[str, float, bytes, list[Optional[int]], dict[str, Point], Color, File]:
    with open("out.txt", "w") as file:
        file.write("content")
    point = Point(1, datetime.date(2026, 1, 2))
    return "x" * 5_000, float("nan"), b"\\xff", [1, None], {"a": point}, Color.RED, File("out.txt")
""",
    )
    outputs = document(alula("run", "--output", "json", "values.py", "values"))["outputs"]
    blob = outputs.pop("o6")
    assert outputs == {
        "o0": "x" * 5_000,
        "o1": "nan",
        "o2": {"base64": "/w=="},
        "o3": [1, None],
        "o4": {"a": {"x": 1, "at": "2026-01-02"}},
        "o5": "red",
    }
    assert blob["size"] == 7
    assert blob["uri"].startswith("file:///")
    shown = alula("run", "values.py", "values").out.splitlines()
    assert shown[0] == f"o0: {'x' * 1_000}... (5,000 characters)"
    assert shown[1:6] == ["o1: nan", "o2: b'\\xff'", "o3: [1, None]", "o4: {a: {x: 1, at: '2026-01-02'}}", "o5: red"]
    assert shown[6].startswith("o6: file")
    assert shown[6].endswith("(7 bytes)")
