"""Tasks that a test replaces, tasks of a class of their own, and tasks that await what they call."""

from __future__ import annotations

import asyncio
import functools
from unittest.mock import MagicMock

import pytest

import alula
from alula import task, workflow


@task
def double(x: int) -> int:
    return 2 * x


@task
async def later(x: int) -> int:
    return double(x=x)


@alula.dynamic
def many(x: int) -> int:
    return double(x=double(x=x))


@workflow
def all_of_them(x: int) -> int:
    return later(x=many(x=double(x=x)))


@pytest.mark.parametrize(("replaced", "expected"), [(double, 7), (later, 7), (many, 14)])
def test_a_mock_answers_instead_of_a_task(replaced, expected):
    mock = MagicMock(return_value=7)
    assert all_of_them(x=1) == 16
    with replaced.replaced_by(mock):
        assert all_of_them(x=1) == expected
    mock.assert_called_with(x=mock.call_args.kwargs["x"])
    assert all_of_them(x=1) == 16


@pytest.mark.parametrize("compiled_before", [False, True])
def test_a_mock_answers_instead_of_a_workflow(compiled_before):
    @workflow
    def pair(x: int) -> tuple[int, int]:
        return double(x=x), x

    @workflow
    def first_of_pair(x: int) -> int:
        return pair(x=x)[0]

    by_hand = alula.ImperativeWorkflow("by-hand")
    by_hand.add_workflow_input("x", int)
    by_hand.add_workflow_output("doubled", by_hand.add_entity(double, x=by_hand.inputs["x"]).outputs["o0"])

    @workflow
    def calls_by_hand(x: int) -> int:
        return by_hand(x=x)

    @alula.dynamic
    def decides(x: int) -> int:
        return calls_by_hand(x=x)

    plan = alula.LaunchPlan.create("of-a-pair", pair)
    if compiled_before:
        assert (pair(x=1), first_of_pair(x=1), calls_by_hand(x=1)) == ((2, 1), 2, 2)
    mock = MagicMock(return_value=(7, 8))
    with pair.replaced_by(mock), by_hand.replaced_by(lambda x: x + 100):
        assert (pair(x=2), first_of_pair(x=3), plan(x=4)) == ((7, 8), 7, (7, 8))
        assert [call.kwargs["x"] for call in mock.call_args_list] == [2, 3, 4]
        assert (by_hand(x=1), calls_by_hand(x=1), decides(x=2)) == (101, 101, 102)
        assert alula.map_task(by_hand)(x=[1, 2]) == [101, 102]
        with by_hand.replaced_by(lambda x: -x):
            assert calls_by_hand(x=1) == -1
        assert calls_by_hand(x=1) == 101
    assert (pair(x=1), first_of_pair(x=1), calls_by_hand(x=1), plan(x=4)) == ((2, 1), 2, 2, (8, 4))


def test_the_answer_of_a_mock_must_fit():
    with double.replaced_by(lambda x: "two"), pytest.raises(alula.errors.ValueConversionError, match="expected int"):
        double(x=1)


class AwaitsAll(alula.FunctionTask):
    def executable(self):
        function = super().executable()

        @functools.wraps(function)
        async def run(**inputs):
            alula.current_context().awaits_calls = True
            return await function(**inputs)

        return run


@task(task_class=AwaitsAll, retries=1)
async def awaits(x: int) -> int:
    return sum(await asyncio.gather(double(x=x), all_of_them(x=x)))


def test_a_task_of_a_class_of_its_own_that_awaits_plain_tasks():
    assert isinstance(awaits, AwaitsAll)
    assert awaits.settings.retries == 1
    assert asyncio.run(awaits(x=1)) == 18
