"""AU-15: gates, answered beforehand, on standard input, or not at all."""

from __future__ import annotations

import io
import time
from datetime import timedelta
from typing import Any

import pytest

import alula
from alula import App, approve, conditional, errors, sleep, task, wait_for_input, workflow


@task
def report(x: int) -> dict[str, int]:
    return {"x": x}


@task
def title(report: dict[str, int], text: str) -> str:
    return f"{text}: {report['x']}"


@task
def note() -> None: ...


@workflow
def publish(x: int) -> str:
    text = wait_for_input("title", timeout=timedelta(hours=1), expected_type=str)
    return title(report=approve(report(x=x), "check", timeout=timedelta(hours=1)), text=text)


def run_with(answers: dict[str, Any], entity: Any, **inputs: Any) -> alula.Run:
    app = App(answers=answers)
    try:
        return alula.run(entity, app=app, **inputs)
    finally:
        app.close()


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_answers_given_beforehand() -> None:
    run = run_with({"title": "Result", "check": True}, publish, x=3)
    assert run.result == "Result: 3"
    gates = [(a.name, a.kind, a.phase.value) for a in run.actions if a.kind == "gate"]
    assert gates == [("title", "gate", "succeeded"), ("check", "gate", "succeeded")]


def test_a_rejection_fails_the_run() -> None:
    run = run_with({"title": "Result", "check": False}, publish, x=3)
    with pytest.raises(errors.GateRejectedError, match="check"):
        run.raise_for_error()


def test_answers_on_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "Typed\ny\n")
    assert publish(x=1) == "Typed: 1"


@pytest.mark.parametrize("line", ["\n", "yes\n", "Y\n"])
def test_approval_is_the_default(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    @workflow
    def flow(x: int) -> dict[str, int]:
        return approve(report(x=x), "check", timeout=timedelta(minutes=1))

    type_in(monkeypatch, line)
    assert flow(x=1) == {"x": 1}


def test_an_answer_of_the_wrong_type_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @workflow
    def flow() -> int:
        return wait_for_input("number", timeout=timedelta(minutes=1), expected_type=int)

    type_in(monkeypatch, "many\n42\n")
    assert flow() == 42
    assert "expected int" in capsys.readouterr().err


def test_without_anybody_to_ask_the_run_fails_and_says_how_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "")
    with pytest.raises(errors.RuntimeUserError, match="nobody is there to answer 'title'") as caught:
        publish(x=1)
    assert "--answer title=" in str(caught.value)


def test_a_decision_in_a_conditional() -> None:
    @task
    def invalid() -> str:
        return "invalid"

    @workflow
    def flow(x: int) -> str:
        passed = wait_for_input("passed", timeout=None, expected_type=bool)
        made = report(x=x)
        made >> passed
        return conditional("c").if_(passed.is_true()).then(title(report=made, text="ok")).else_().then(invalid())

    assert run_with({"passed": True}, flow, x=1).result == "ok: 1"
    assert run_with({"passed": False}, flow, x=1).result == "invalid"


def test_sleep_lets_time_pass() -> None:
    @workflow
    def flow() -> int:
        pause = sleep(timedelta(seconds=0.2))
        result = length()
        pause >> result
        return result

    @task
    def length() -> int:
        return 5

    started = time.perf_counter()
    run = alula.run(flow)
    assert run.result == 5
    assert time.perf_counter() - started >= 0.2
    assert [a.kind for a in run.actions] == ["workflow", "gate", "task"]


def test_nobody_answers_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(io.StringIO):
        def isatty(self) -> bool:
            return True

        def readline(self, size: int | None = -1, /) -> str:
            time.sleep(1)
            return "late\n"

    @workflow
    def flow() -> int:
        return wait_for_input("number", timeout=timedelta(seconds=0.1), expected_type=int)

    monkeypatch.setattr("sys.stdin", Silent())
    with pytest.raises(errors.GateTimeoutError, match="number"):
        flow()


def test_only_outputs_of_nodes_can_be_approved() -> None:
    @workflow
    def an_input(x: int) -> int:
        return approve(x, "check", timeout=timedelta(minutes=1))

    @workflow
    def nothing() -> None:
        approve(note(), "check", timeout=timedelta(minutes=1))

    for flow, inputs in ((an_input, {"x": 1}), (nothing, {})):
        with pytest.raises(errors.CompileError, match="approve takes an output of a node"):
            flow(**inputs)


@pytest.mark.parametrize(
    ("name", "gate"),
    [
        ("approve", lambda: approve(1, "a", timeout=timedelta(1))),
        ("wait_for_input", lambda: wait_for_input("a", timeout=timedelta(1), expected_type=int)),
        ("sleep", lambda: sleep(timedelta(1))),
    ],
)
def test_gates_outside_of_a_workflow_are_refused(name: str, gate: Any) -> None:
    with pytest.raises(errors.CompileError, match=f"{name} is used outside of a workflow"):
        gate()


def test_the_expected_type_is_checked_at_its_use() -> None:
    @workflow
    def flow() -> str:
        return title(report=report(x=1), text=wait_for_input("t", timeout=timedelta(1), expected_type=int))

    with pytest.raises(
        errors.TypeMismatchError, match=r"input 'text' of task .*title expects str, found output 'o0' of input 't'"
    ):
        flow()
