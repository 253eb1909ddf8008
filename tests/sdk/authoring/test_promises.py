"""AU-08: parts of promises; and the bad input that a promise makes: used as if it were the value it stands for."""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from alula import current_app, errors, task, workflow


@dataclass
class Leaf:
    name: str
    size: int


@dataclass
class Tree:
    leaves: list[Leaf]
    by_name: dict[str, Leaf]
    best: Leaf | None = None


class Pair(NamedTuple):
    left: int
    right: str


@task
def make_tree() -> Tree:
    leaf = Leaf("a", 3)
    return Tree([leaf, Leaf("b", 4)], {"a": leaf}, leaf)


@task
def numbers() -> list[int]:
    return [5, 6, 7]


@task
def nested() -> dict[str, list[dict[str, int]]]:
    return {"k": [{"x": 1}, {"y": 2}]}


@task
def untyped() -> dict:  # type: ignore[type-arg]
    return {"a": [1, {"b": "deep"}]}


@task
def identity(x: int) -> int:
    return x


@task
def text(x: str) -> str:
    return x


@task
def note(x: int) -> None: ...


@task
def two() -> tuple[int, str]:
    return 1, "a"


def test_indexes_keys_and_attributes_are_followed_when_the_workflow_runs() -> None:
    @workflow
    def flow() -> tuple[int, int, int, str, int, int, int]:
        n = numbers()
        t = make_tree()
        d = nested()
        return (
            n[0],
            n[-1],
            identity(x=d["k"][1]["y"]),
            t.leaves[1].name,
            t.by_name["a"].size,
            t.best.size,
            identity(x=t.leaves[0].size),
        )

    assert flow() == (5, 7, 2, "b", 3, 3, 3)


def test_json_may_be_followed_anywhere() -> None:
    @workflow
    def flow() -> str:
        return text(x=untyped()["a"][1]["b"])

    assert flow() == "deep"


def test_json_of_the_wrong_type_is_found_when_the_workflow_runs() -> None:
    @workflow
    def flow() -> int:
        return identity(x=untyped()["a"][1]["b"])

    with pytest.raises(
        errors.ValueConversionError, match=r"input 'x' of task .*identity: expected int, found str 'deep'"
    ):
        flow()


def test_parts_of_workflow_inputs() -> None:
    @workflow
    def flow(tree: Tree, pair: dict[str, int]) -> int:
        return identity(x=tree.leaves[0].size)

    assert flow(tree=Tree([Leaf("a", 9)], {}), pair={"a": 1}) == 9


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: numbers()["a"], "is list[int], which has no 'a'"),
        (lambda: nested()[0], "is dict[str, list[dict[str, int]]], which has no 0"),
        (lambda: make_tree()["nothing"], "is Tree, which has no 'nothing'"),
        (lambda: identity(x=1)[0], "is int, which has no 0"),
        (lambda: numbers()[0:2], "was indexed with slice"),
    ],
)
def test_a_part_that_cannot_be_is_refused_when_the_workflow_is_compiled(use: Callable[[], Any], message: str) -> None:
    @workflow
    def flow() -> None:
        use()

    with pytest.raises(errors.CompileError) as caught:
        flow()
    assert message in str(caught.value)
    assert caught.value.location.startswith(f"{__file__}:")


def test_an_attribute_that_cannot_be_is_an_attribute_error_with_a_near_match() -> None:
    @workflow
    def flow() -> None:
        make_tree().leafs  # noqa: B018 - the access is the test

    with pytest.raises(AttributeError, match=r"is Tree, which has no 'leafs'; it has leaves, by_name, best"):
        flow()
    assert not hasattr(current_app(), "leafs")


@pytest.mark.parametrize(
    ("produce", "use", "message"),
    [
        (numbers, lambda p: p[10], "n0.o0 has no 10; it is a list of 3"),
        (nested, lambda p: p["missing"][0]["x"], "n0.o0 has no 'missing'; it has 'k'"),
    ],
)
def test_a_part_that_is_not_there_fails_the_run_and_says_what_there_is(
    produce: Any, use: Callable[[Any], Any], message: str
) -> None:
    @workflow
    def flow() -> int:
        return identity(x=use(produce()))

    with pytest.raises(errors.RuntimeUserError) as caught:
        flow()
    assert message in str(caught.value)


# --- misuse ------------------------------------------------------------------------------------------------------------


MISUSES: dict[str, Callable[[Any], Any]] = {
    "if": lambda p: 1 if p else 0,
    "not": lambda p: not p,
    "and": lambda p: p and 1,
    "while": lambda p: [x for x in range(3) if p],
    "len": len,
    "iterate": list,
    "unpack": lambda p: max(*p),
    "in": lambda p: 3 in p,
    "print": print,
    "str": str,
    "f-string": lambda p: f"value {p}",
    "f-string with a format": lambda p: f"{p:.2f}",
    "format": format,
    "percent": lambda p: "%s" % p,  # noqa: UP031 - the operator is the subject
    "join": lambda p: "".join([str(p)]),
    "add": lambda p: p + 1,
    "add from the right": lambda p: 1 + p,
    "subtract": lambda p: p - 1,
    "multiply": lambda p: 2 * p,
    "divide": lambda p: p / 2,
    "floor divide": lambda p: p // 2,
    "modulo": lambda p: p % 2,
    "power": lambda p: p**2,
    "negate": lambda p: -p,
    "absolute": abs,
    "int": int,
    "float": float,
    "index": lambda p: [1, 2, 3][p],
    "round": round,
    "range": range,
    "sum": lambda p: sum([p, 1]),
    "invert": lambda p: ~p,
    "call": lambda p: p(),
    "set an item": lambda p: p.__setitem__("a", 1),
    "json": json.dumps,
    "path": os.fspath,
    "sorted": lambda p: sorted([p, p]),
    "random": random.choice,
    "chained comparison": lambda p: 1 < p < 3,
    "bytes": bytes,
    "with": lambda p: p.__enter__(),
}


@pytest.mark.parametrize("use", MISUSES.values(), ids=MISUSES.keys())
def test_a_promise_is_not_the_value(use: Callable[[Any], Any]) -> None:
    @workflow
    def flow(x: int) -> None:
        use(identity(x=x))

    with pytest.raises((errors.PromiseUseError, AttributeError, TypeError)) as caught:
        flow(x=1)
    problem = caught.value
    assert (
        isinstance(problem, errors.PromiseUseError)
        or "Promise" in str(problem)
        or "output 'o0' of task" in str(problem)
    )


@pytest.mark.parametrize(
    "kind", sorted(MISUSES.keys() - {"json", "path", "call", "set an item", "with", "chained comparison"})
)
def test_the_message_names_the_promise_the_place_and_the_next_step(kind: str) -> None:
    @workflow
    def flow(x: int) -> None:
        MISUSES[kind](identity(x=x))

    with pytest.raises(errors.PromiseUseError) as caught:
        flow(x=1)
    problem = caught.value
    assert "output 'o0' of task" in problem.message
    assert "identity" in problem.message
    assert problem.location.startswith(f"{__file__}:")
    assert problem.hint
    assert problem.exit_code == 2


def test_a_workflow_input_is_a_promise_too() -> None:
    @workflow
    def flow(x: int) -> None:
        if x:
            identity(x=x)

    with pytest.raises(errors.PromiseUseError, match="workflow input 'x' was used as a condition") as caught:
        flow(x=1)
    assert "conditional" in caught.value.hint


def test_a_call_without_outputs_is_not_a_value() -> None:
    @workflow
    def condition() -> None:
        if note(x=1):
            pass

    @workflow
    def as_input() -> None:
        identity(x=note(x=1))

    @workflow
    def attribute() -> None:
        identity(x=note(x=1).o0)

    with pytest.raises(errors.PromiseUseError, match="returns nothing, and was used as a condition"):
        condition()
    with pytest.raises(errors.TypeMismatchError, match="expects int, found a call that returns nothing"):
        as_input()
    with pytest.raises((errors.CompileError, AttributeError), match="returns nothing"):
        attribute()


def test_all_outputs_at_once_are_no_input() -> None:
    @workflow
    def flow() -> None:
        identity(x=two())

    with pytest.raises(errors.TypeMismatchError, match="expects int, found all 2 outputs of task") as caught:
        flow()
    assert "result.o0" in caught.value.hint

    @workflow
    def right() -> int:
        return identity(x=two().o0)

    assert right() == 1


def test_a_plain_function_gets_the_promise_and_its_misuse_names_the_line_in_it() -> None:
    def helper(value: Any) -> Any:
        return value + 1

    @workflow
    def flow(x: int) -> int:
        return helper(identity(x=x))  # type: ignore[no-any-return]

    with pytest.raises(errors.PromiseUseError, match=r"was used with \+") as caught:
        flow(x=1)
    line = helper.__code__.co_firstlineno + 1
    assert caught.value.location == f"{__file__}:{line}"


def test_a_plain_function_may_put_nodes_together() -> None:
    def twice(value: Any) -> Any:
        return identity(x=identity(x=value))

    @workflow
    def flow(x: int) -> int:
        return twice(x)  # type: ignore[no-any-return]

    assert flow(x=3) == 3


def test_promises_in_a_dataclass_or_other_object_are_refused_and_the_way_out_is_named() -> None:
    @task
    def measure(leaf: Leaf) -> int:
        return leaf.size

    @workflow
    def flow(x: int) -> int:
        return measure(leaf=Leaf("a", identity(x=x)))

    with pytest.raises(errors.TypeMismatchError) as caught:
        flow(x=1)
    assert "input 'leaf' of task" in caught.value.message
    assert "promise" in caught.value.message
    assert "task" in caught.value.hint


def test_promises_in_sets_and_as_keys_are_refused() -> None:
    @task
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @task
    def keys(table: dict[str, int]) -> int:
        return len(table)

    @workflow
    def in_a_set(x: int) -> int:
        return total(numbers={identity(x=x)})

    @workflow
    def as_a_key(x: str) -> int:
        return keys(table={text(x=x): 1})

    with pytest.raises(errors.CompileError, match=r"promise"):
        in_a_set(x=1)
    with pytest.raises(errors.CompileError, match=r"promise|key"):
        as_a_key(x="a")


def test_a_promise_bound_with_partial_is_the_same_as_given() -> None:
    @workflow
    def flow(x: int) -> int:
        return functools.partial(identity, x=identity(x=x))()

    assert flow(x=2) == 2


def test_repr_is_allowed_for_debuggers() -> None:
    seen: list[str] = []

    @workflow
    def flow(x: int) -> int:
        promise = identity(x=x)
        seen.append(repr(promise))
        seen.append(repr(note(x=1)))
        return promise

    flow(x=1)
    assert "identity" in seen[0]
    assert "int" in seen[0]
    assert seen[1]


MOMENT = dt.datetime(2024, 1, 2, tzinfo=dt.timezone.utc)


@task
def told() -> str:
    return MOMENT.isoformat()


@task
def moment() -> dt.datetime:
    return MOMENT


@task
def either(x: dt.datetime | str) -> str:
    return type(x).__name__


@task
def either_of(xs: list[dt.datetime | str]) -> list[str]:
    return [type(x).__name__ for x in xs]


def test_a_text_and_a_time_stay_what_they_are_in_a_union() -> None:
    @workflow
    def kinds(given: dt.datetime) -> tuple[str, str, str, list[str]]:
        return either(x=told()), either(x=moment()), either(x=given), either_of(xs=[told(), moment(), given])

    assert kinds(given=MOMENT) == ("str", "datetime", "datetime", ["str", "datetime", "datetime"])


def test_a_workflow_may_return_one_of_a_union() -> None:
    @workflow
    def first() -> dt.datetime | str:
        return moment()  # type: ignore[no-any-return]

    @workflow
    def whole() -> str:
        return either(x=first())  # type: ignore[no-any-return]

    assert first() == MOMENT
    assert whole() == "datetime"


def test_structures_with_promises_are_bound_to_unions() -> None:
    @task
    def one() -> int:
        return 1

    @task
    def either(x: list[dict[str, list[int]]] | dict[str, list[int]] | int) -> str:
        return repr(x)

    @task
    def maybe(x: list[int] | None = None) -> str:
        return repr(x)

    @workflow
    def flow() -> tuple[str, str, str, str]:
        return (
            either(x=[{"a": [42], "b": [one(), 2]}]),
            either(x={"a": [one(), 2]}),
            either(x=one()),
            maybe(x=[one()]),
        )

    assert tuple(flow()) == ("[{'a': [42], 'b': [1, 2]}]", "{'a': [1, 2]}", "1", "[1]")


def test_a_structure_that_could_be_several_variants_of_a_union_is_refused() -> None:
    @task
    def one() -> int:
        return 1

    @task
    def either(x: list[int] | list[str]) -> None: ...

    @workflow
    def flow() -> None:
        either(x=[one()])

    with pytest.raises(errors.TypeMismatchError, match="found list with promises in it"):
        flow()
