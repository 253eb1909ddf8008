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
