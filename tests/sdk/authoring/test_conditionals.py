"""AU-09, EX-10: conditionals."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import pytest

import alula
from alula import Run, conditional, dynamic, errors, task, workflow

Tree = list[tuple[str, str, str, int]]


@task
def square(x: float) -> float:
    return x * x


@task
def negate(x: float) -> float:
    return -x


@task
def note(x: float) -> None: ...


@task
def is_large(x: float) -> bool:
    return x > 10


@task
def name_of(x: float) -> str:
    return str(x)


def test_the_first_case_that_holds_is_taken(tree_of: Callable[[Run], Tree]) -> None:
    @workflow
    def flow(x: float) -> float:
        return (
            conditional("size")
            .if_(x < 0)
            .then(negate(x=x))
            .elif_((x >= 0) & (x < 10))
            .then(square(x=x))
            .else_()
            .then(square(x=negate(x=x)))
        )

    assert [flow(x=x) for x in (-3.0, 3.0, 30.0)] == [3.0, 9.0, 900.0]
    run = alula.run(flow, x=30.0)
    assert tree_of(run) == [
        ("a0", "flow", "succeeded", 0),
        ("a0.n4", "size", "succeeded", 0),
        ("a0.n4.n0", "negate", "skipped", 0),
        ("a0.n4.n1", "square", "skipped", 0),
        ("a0.n4.n2", "negate", "succeeded", 1),
        ("a0.n4.n3", "square", "succeeded", 1),
    ]
    assert run.actions[1].kind == "branch"


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        (lambda x: x < 3, 2, True),
        (lambda x: x <= 2, 2, True),
        (lambda x: x > 2, 2, False),
        (lambda x: x >= 2, 2, True),
        (lambda x: x == 2, 2, True),
        (lambda x: x != 2, 2, False),
        (lambda x: 3 > x, 2, True),  # noqa: SIM300 - the constant on the left is the subject
        (lambda x: x == 2.0, 2, True),
        (lambda x: x < 2.5, 2, True),
        (lambda x: (x > 1) & (x < 3), 2, True),
        (lambda x: (x < 1) | (x > 1), 2, True),
        (lambda x: ((x < 1) | (x > 1)) & (x != 2), 2, False),
        (lambda x: x == x, 2, True),
    ],
)
def test_comparisons(condition: Callable[[Any], Any], value: int, expected: bool) -> None:
    @task
    def yes() -> bool:
        return True

    @task
    def no() -> bool:
        return False

    @workflow
    def flow(x: int) -> bool:
        return conditional("c").if_(condition(x)).then(yes()).else_().then(no())

    assert flow(x=value) is expected


def test_booleans_none_strings_and_enums() -> None:
    class Color(enum.Enum):
        RED = "red"
        BLUE = "blue"

    @workflow
    def flow(b: bool, o: float | None, s: str, c: Color) -> tuple[float, float, float, float, float]:
        return (
            conditional("true").if_(b.is_true()).then(square(x=1.0)).else_().then(square(x=2.0)),
            conditional("false").if_(b.is_false()).then(square(x=1.0)).else_().then(square(x=2.0)),
            conditional("none").if_(o.is_none()).then(square(x=1.0)).else_().then(square(x=2.0)),
            conditional("string").if_(s == "a").then(square(x=1.0)).else_().then(square(x=2.0)),
            conditional("enum").if_(c == Color.RED).then(square(x=1.0)).else_().then(square(x=2.0)),
        )

    assert flow(b=True, o=None, s="a", c=Color.RED) == (1.0, 4.0, 1.0, 1.0, 1.0)
    assert flow(b=False, o=1.0, s="b", c=Color.BLUE) == (4.0, 1.0, 4.0, 4.0, 4.0)


def test_outputs_of_nodes_and_their_parts_may_be_compared() -> None:
    @task
    def counts() -> dict[str, int]:
        return {"a": 3}

    @workflow
    def flow(x: float) -> float:
        c = counts()
        return conditional("c").if_((c["a"] > 2) & is_large(x=x).is_true()).then(square(x=x)).else_().then(negate(x=x))

    assert flow(x=20.0) == 400.0
    assert flow(x=2.0) == -2.0


def test_conditionals_nest() -> None:
    @workflow
    def flow(x: float) -> float:
        return (
            conditional("outer")
            .if_(x < 10)
            .then(
                conditional("inner").if_(x < 5).then(square(x=x)).elif_(x < 7).then(negate(x=x)).else_().fail("between")
            )
            .else_()
            .then(square(x=square(x=x)))
        )

    assert flow(x=2.0) == 4.0
    assert flow(x=6.0) == -6.0
    assert flow(x=10.0) == 10_000.0
    with pytest.raises(errors.RuntimeUserError, match="between"):
        flow(x=8.0)


def test_a_conditional_in_a_dynamic_task() -> None:
    @dynamic
    def decide(values: list[float]) -> list[float]:
        return [
            conditional(f"c{i}").if_(is_large(x=v).is_true()).then(square(x=v)).else_().then(negate(x=v))
            for i, v in enumerate(values)
        ]

    assert decide(values=[20.0, 1.0]) == [400.0, -1.0]


def test_the_result_may_be_used_and_ordered() -> None:
    order: list[str] = []

    @task
    def say(word: str) -> str:
        order.append(word)
        return word

    @workflow
    def flow(x: float) -> str:
        last = say(word="last")
        chosen = conditional("c").if_(x > 1).then(say(word="large")).else_().then(say(word="small"))
        chosen >> last
        return say(word=chosen)

    assert flow(x=2.0) == "large"
    assert order[0] == "large"
    assert sorted(order) == ["large", "large", "last"]


def test_a_case_may_fail_on_purpose() -> None:
    @workflow
    def flow(x: float) -> float:
        return conditional("range").if_(x > 0).then(square(x=x)).else_().fail("x must be positive")

    assert flow(x=2.0) == 4.0
    with pytest.raises(errors.RuntimeUserError, match="x must be positive") as caught:
        flow(x=-1.0)
    assert caught.value.code == "BranchFailed"
    assert isinstance(caught.value, ValueError)


def test_a_case_without_result_makes_the_whole_conditional_void() -> None:
    @workflow
    def flow(x: float) -> None:
        conditional("c").if_(x > 0).then(square(x=x)).else_().then(note(x=x))

    @workflow
    def used(x: float) -> float:
        return square(x=conditional("c").if_(x > 0).then(square(x=x)).else_().then(note(x=x)))

    assert flow(x=1.0) is None
    with pytest.raises(errors.TypeMismatchError, match="found a call that returns nothing"):
        used(x=1.0)


def test_the_result_has_the_outputs_that_every_case_has() -> None:
    @task
    def one() -> tuple[int, int]:
        return 1, 2

    @task
    def other() -> tuple[int, int, int]:
        return 3, 4, 5

    @workflow
    def flow(x: float) -> tuple[int, int]:
        a, b = conditional("c").if_(x > 0).then(one()).else_().then(other())
        return a, b

    assert flow(x=1.0) == (1, 2)
    assert flow(x=-1.0) == (3, 4)


def test_sub_workflows_and_launch_plans_may_be_cases() -> None:
    @workflow
    def sub(x: float) -> float:
        return negate(x=x)

    @workflow
    def flow(x: float) -> float:
        plan = alula.LaunchPlan.get_or_create(sub)
        return conditional("c").if_(x > 0).then(sub(x=x)).else_().then(plan(x=x))

    assert flow(x=1.0) == -1.0
    assert flow(x=-1.0) == 1.0


def test_upstream_of_a_case_runs_before_the_conditional_and_only_once() -> None:
    calls: list[float] = []

    @task
    def prepare(x: float) -> float:
        calls.append(x)
        return x + 1

    @workflow
    def flow(x: float) -> float:
        p = prepare(x=x)
        return conditional("c").if_(x > 0).then(square(x=p)).else_().then(negate(x=p))

    assert flow(x=1.0) == 4.0
    assert calls == [1.0]


# --- refusals --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda x: conditional("c").if_(x), "a condition must be a comparison of promises, found Promise"),
        (lambda x: conditional("c").if_(True), "a condition must be a comparison of promises, found bool"),
        (lambda x: conditional("c").if_((x > 1) and (x < 3)), "the comparison has no truth value"),
        (lambda x: conditional("c").if_(not (x > 1)), "the comparison has no truth value"),
        (lambda x: conditional("c").if_((x > 1) & (x == [1])), "a promise was compared with list"),
        (lambda x: conditional("c").if_((x > 1) & 3), "a condition was joined with int"),
        (
            lambda x: conditional("c").if_(x > 1).then(3).else_().then(4),
            "a case of conditional 'c' yields int",
        ),
        (
            lambda x: conditional("c").if_(x > 1).then(square(x=x)).else_().then(name_of(x=x)),
            "output 'o0' of conditional 'c' is float in one case and str in another",
        ),
    ],
)
def test_what_is_no_condition_is_refused_with_the_line(write: Callable[[Any], Any], message: str) -> None:
    @workflow
    def flow(x: float) -> None:
        write(x)

    with pytest.raises(errors.CompileError) as caught:
        flow(x=1.0)
    assert message in str(caught.value)
    assert caught.value.location.startswith(f"{__file__}:")


@pytest.mark.parametrize(
    "write",
    [
        lambda x: conditional("open").if_(x > 1).then(square(x=x)),
        lambda x: conditional("open").if_(x > 1),
        lambda x: conditional("open"),
        lambda x: conditional("open").if_(x > 1).then(square(x=x)).elif_(x > 2).then(square(x=x)),
    ],
)
def test_a_conditional_without_else_is_refused(write: Callable[[Any], Any]) -> None:
    @workflow
    def flow(x: float) -> None:
        write(x)

    with pytest.raises(errors.CompileError, match="conditional 'open' has no else") as caught:
        flow(x=1.0)
    assert caught.value.location.startswith(f"{__file__}:")


def test_a_conditional_without_else_is_refused_in_a_dynamic_task() -> None:
    @dynamic
    def decide(x: float) -> float:
        return conditional("open").if_(is_large(x=x).is_true()).then(square(x=x))

    with pytest.raises(errors.CompileError, match="conditional 'open' has no else"):
        decide(x=1.0)


def test_lists_and_records_cannot_be_compared() -> None:
    @workflow
    def flow(x: list[int]) -> None:
        conditional("c").if_(x == x).then(note(x=1.0)).else_().then(note(x=2.0))

    with pytest.raises(errors.PromiseUseError, match=r"is list\[int\], which cannot be compared"):
        flow(x=[1])


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda s, n, b: s > 3, "workflow input 's' is str, which cannot be compared with int 3 by >"),
        (lambda s, n, b: s == n, "is str, which cannot be compared with int by =="),
        (lambda s, n, b: n == "a", "is int, which cannot be compared with str 'a' by =="),
        (lambda s, n, b: b == 1, "is bool, which cannot be compared with int 1 by =="),
        (lambda s, n, b: n == True, "is int, which cannot be compared with bool True by =="),  # noqa: E712 - the comparison is the subject
    ],
)
def test_unlike_types_cannot_be_compared(write: Callable[[Any, Any, Any], Any], message: str) -> None:
    @workflow
    def flow(s: str, n: int, b: bool) -> None:
        conditional("c").if_(write(s, n, b)).then(note(x=1.0)).else_().then(note(x=2.0))

    with pytest.raises(errors.PromiseUseError) as caught:
        flow(s="a", n=1, b=True)
    assert message in str(caught.value)


def test_what_comes_out_only_when_the_workflow_runs_fails_the_run() -> None:
    @workflow
    def flow(x: dict) -> None:  # type: ignore[type-arg]
        conditional("c").if_(x["a"] > 3).then(note(x=1.0)).else_().then(note(x=2.0))

    assert flow(x={"a": 4}) is None
    with pytest.raises(errors.RuntimeUserError, match="cannot compare str > int") as caught:
        flow(x={"a": "text"})
    assert caught.value.code == "NotComparable"


def test_outside_of_a_workflow_there_are_no_conditionals() -> None:
    with pytest.raises(errors.CompileError, match="conditional is used outside of a workflow") as caught:
        conditional("c")
    assert "`if`" in caught.value.hint

    @task
    def wrong() -> None:
        conditional("c")

    with pytest.raises(errors.CompileError, match="conditional is used outside of a workflow"):
        wrong()
