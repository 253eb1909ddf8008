"""What issue 2 lists under "Bad input", as far as authoring goes: each message says what, where, expected, found, next step."""

from __future__ import annotations

import math
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import alula
from alula import File, ShellTask, current_app, dynamic, errors, task, workflow

HERE = f"{__file__}:"


@task
def number() -> int:
    return 1


@task
def text(x: str) -> str:
    return x


@task
def integer(x: int) -> int:
    return x


@task
def untouched(x: int) -> int:
    raise AssertionError("nothing may run")


def line_of(function: Callable[..., Any], offset: int) -> str:
    return f"{HERE}{function.__code__.co_firstlineno + offset}"


# --- wrong types in a workflow -------------------------------------------------------------------------------------------------


def test_a_wrong_type_between_two_tasks_names_both_ends_types_and_lines() -> None:
    def body(x: int) -> str:
        made = untouched(x=x)
        return text(x=made)  # type: ignore[no-any-return]

    flow = workflow(body)
    with pytest.raises(errors.TypeMismatchError) as caught:
        flow(x=1)
    problem = caught.value
    assert problem.message == (
        f"input 'x' of task {__name__}.text expects str, found output 'o0' of task {__name__}.untouched, which is int"
    )
    assert problem.location == line_of(body, 2)
    assert problem.hint == f"task {__name__}.untouched was called at {line_of(body, 1)}."
    assert problem.exit_code == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: text(x=5), "expected str, found int 5"),
        (lambda x: text(x=None), "expected str, found None"),
        (lambda x: text(), "needs the input 'x'"),
        (lambda x: text(x="a", y=1), "unknown input 'y'"),
        (lambda x: text("a", "b"), "takes 1 inputs, and 2 were given"),
        (lambda x: text("a", x="b"), "input 'x' of task .* is given twice"),
        (lambda x: text(x=x), "workflow input 'x', which is int"),
        (lambda x: text(x=[x]), "expects str, found list with promises in it"),
        (lambda x: text(x={"a": x}), "expects str, found dict with promises in it"),
        (lambda x: integer(x=2**63), r"between -2\*\*63 and 2\*\*63 - 1, found 9223372036854775808"),
        (lambda x: integer(x=1.5), "expected int, found float 1.5"),
        (lambda x: integer(x=True), "expected int, found bool True"),
        (lambda x: integer(x=text), "expected int, found FunctionTask"),
    ],
)
def test_wrong_calls_in_a_workflow_have_the_line_of_the_call(call: Callable[[Any], Any], message: str) -> None:
    @workflow
    def flow(x: int) -> None:
        call(x)

    with pytest.raises(errors.CompileError, match=message) as caught:
        flow(x=1)
    assert caught.value.location.startswith(HERE)
    assert caught.value.location.removeprefix(HERE).isdigit()


def test_items_of_lists_and_dicts_are_named() -> None:
    @task
    def many(numbers: list[int], table: dict[str, list[int]]) -> int:
        return 0

    @workflow
    def in_a_list(s: str) -> int:
        return many(numbers=[1, number(), s], table={})

    @workflow
    def in_a_dict(s: str) -> int:
        return many(numbers=[], table={"a": [1], "b": [s]})

    with pytest.raises(
        errors.TypeMismatchError, match=r"item 2 of input 'numbers' of task .*many expects int, found workflow"
    ):
        in_a_list(s="")
    with pytest.raises(
        errors.TypeMismatchError, match=r"item 0 of entry 'b' of input 'table' of task .*many expects int"
    ):
        in_a_dict(s="")


def test_outputs_of_the_workflow_are_checked() -> None:
    @workflow
    def wrong_type(x: int) -> str:
        return integer(x=x)  # type: ignore[no-any-return]

    @workflow
    def too_few(x: int) -> tuple[int, int]:
        return integer(x=x)  # type: ignore[no-any-return]

    @workflow
    def too_many(x: int) -> tuple[int, int]:
        return integer(x=x), x, x  # type: ignore[return-value]

    @workflow
    def nothing(x: int) -> int:
        integer(x=x)  # type: ignore[return]

    @workflow
    def undeclared(x: int):  # type: ignore[no-untyped-def]
        return integer(x=x)

    @workflow
    def wrong_constant(x: int) -> str:
        return 5  # type: ignore[return-value]

    for flow, message in (
        (
            wrong_type,
            "output 'o0' of workflow .*wrong_type expects str, found output 'o0' of task .*integer, which is int",
        ),
        (too_few, "declares 2 outputs and returns one value"),
        (too_many, "declares 2 outputs and returns 3 values"),
        (nothing, "declares int and returns nothing"),
        (undeclared, "returns a value and declares none"),
        (wrong_constant, "output 'o0' of workflow .*wrong_constant: expected str, found int 5"),
    ):
        with pytest.raises(errors.CompileError, match=message) as caught:
            flow.spec(current_app())
        assert caught.value.location.startswith(HERE)


def test_unions_fit_when_every_variant_does() -> None:
    @task
    def either(flag: bool) -> int | str:
        return 1 if flag else "a"

    @task
    def takes_more(x: int | str | None) -> str:
        return str(x)

    @workflow
    def right(flag: bool) -> str:
        return takes_more(x=either(flag=flag))

    @workflow
    def wrong(flag: bool) -> int:
        return integer(x=either(flag=flag))

    assert right(flag=True) == "1"
    with pytest.raises(errors.TypeMismatchError, match="str, one of the variants, does not fit int"):
        wrong(flag=True)


# --- annotations -----------------------------------------------------------------------------------------------------------------


class Unknown:
    """A class that no transformer handles."""


def test_a_type_that_nobody_handles_is_named_with_the_input() -> None:
    @task
    def takes(x: Unknown) -> None: ...

    @task
    def gives() -> list[Unknown]:
        return []

    for entity, message in ((takes, "input 'x' of task .*takes"), (gives, "output 'o0' of task .*gives")):
        with pytest.raises(errors.UnsupportedTypeError, match=message) as caught:
            entity.spec(current_app())
        assert "Unknown" in caught.value.message
        assert "Pickle[Unknown]" in caught.value.hint
        assert caught.value.location.startswith(HERE)


def test_a_name_that_cannot_be_evaluated() -> None:
    @task
    def takes(x: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821 - the unknown name is the subject

    with pytest.raises(
        errors.CompileError, match=r"an annotation of task .*takes cannot be evaluated: name 'Missing'"
    ) as caught:
        takes.spec(current_app())
    assert "TYPE_CHECKING" in caught.value.hint
    assert caught.value.location.startswith(HERE)


def test_inputs_must_be_named() -> None:
    def variadic(*numbers: int) -> None: ...

    def keywords(**numbers: int) -> None: ...

    for function in (variadic, keywords):
        for decorate in (task, workflow, dynamic):
            with pytest.raises(
                errors.CompileError, match=r"takes \*+numbers: .*int.*, and inputs must be named"
            ) as caught:
                decorate(function).spec(current_app())
            assert caught.value.location.startswith(HERE)


def test_a_default_of_the_wrong_type_is_found_when_the_task_is_compiled() -> None:
    @task
    def takes(x: int = "text") -> None: ...  # type: ignore[assignment]

    with pytest.raises(
        errors.UsageError, match=r"default of input 'x' of task .*takes: expected int, found str 'text'"
    ) as caught:
        takes.spec(current_app())
    assert caught.value.location.startswith(HERE)


def test_mutable_defaults_are_copied_for_every_call() -> None:
    @task
    def grows(items: list[int] = []) -> list[int]:  # noqa: B006 - the mutable default is the subject
        items.append(1)
        return items

    @workflow
    def flow(items: list[int] = []) -> list[int]:  # noqa: B006 - the mutable default is the subject
        return grows(items=items)

    assert [grows(), grows(), flow(), flow()] == [[1]] * 4


# --- calls that make no sense ----------------------------------------------------------------------------------------------------


def test_a_plain_function_given_to_what_wants_an_entity() -> None:
    def plain(x: int) -> int:
        return x

    with pytest.raises(errors.UsageError, match="expected a task, workflow or launch plan, found function") as caught:
        alula.run(plain, x=1)
    assert "@task" in caught.value.hint


def test_a_workflow_function_must_be_plain() -> None:
    with pytest.raises(errors.CompileError, match="is async, and a workflow must be a plain function") as caught:

        @workflow
        async def flow(x: int) -> int:
            return x

    assert caught.value.location.startswith(HERE)


def test_a_promise_that_escaped_its_workflow_is_refused_elsewhere() -> None:
    kept: list[Any] = []

    @workflow
    def first(x: int) -> int:
        kept.append(integer(x=x))
        return kept[0]  # type: ignore[no-any-return]

    @workflow
    def second() -> int:
        return integer(x=kept[0])

    assert first(x=1) == 1
    with pytest.raises(errors.UsageError, match=r"is a promise, .*no workflow around the call"):
        integer(x=kept[0])
    with pytest.raises(errors.CompileError, match="belongs to another workflow") as caught:
        second()
    assert caught.value.location.startswith(HERE)


# --- values ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2**63, r"between -2\*\*63 and 2\*\*63 - 1, found 9223372036854775808"),
        (-(2**63) - 1, "found -9223372036854775809"),
        ("1", "expected int, found str '1'"),
        (None, "expected int, found None"),
        (1.0, "float 1.0"),
    ],
)
def test_values_that_do_not_fit(value: Any, message: str) -> None:
    with pytest.raises(errors.ValueConversionError, match=message) as caught:
        integer(x=value)
    assert "input 'x' of task" in str(caught.value)


def test_the_ends_of_what_fits() -> None:
    assert integer(x=2**63 - 1) == 2**63 - 1
    assert integer(x=-(2**63)) == -(2**63)


def test_not_a_number_infinity_and_empty_containers() -> None:
    @task
    def passes(f: float, items: list[float], table: dict[str, int]) -> tuple[float, list[float], dict[str, int]]:
        return f, items, table

    f, items, table = passes(f=math.nan, items=[math.inf, -math.inf], table={})
    assert math.isnan(f)
    assert (items, table) == ([math.inf, -math.inf], {})
    assert passes(f=0.0, items=[], table={})[1:] == ([], {})

    @workflow
    def flow(f: float) -> tuple[float, list[float], dict[str, int]]:
        return passes(f=f, items=[f, math.nan], table={})

    assert math.isnan(flow(f=1.0)[1][1])


def test_very_deep_nesting_is_refused_or_works_but_never_crashes() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]

    @task
    def takes(x: list) -> int:  # type: ignore[type-arg]
        return 1

    @workflow
    def flow() -> int:
        return takes(x=deep)

    for call in (lambda: takes(x=deep), flow):
        with pytest.raises(errors.UsageError) as caught:
            call()
        assert len(str(caught.value)) < 2_000
    while isinstance(deep, list):  # taken apart, as freeing it at once recurses
        deep = deep.pop()


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)

    @task
    def takes(x: list) -> int:  # type: ignore[type-arg]
        return 1

    with pytest.raises(errors.UsageError):
        takes(x=loop)


def test_a_hundred_megabytes_of_text() -> None:
    @task
    def length(x: str) -> int:
        return len(x)

    @workflow
    def flow(x: str) -> int:
        return length(x=text(x=x))

    assert flow(x="x" * 100_000_000) == 100_000_000
    with pytest.raises(errors.ValueConversionError) as caught:
        integer(x="x" * 100_000_000)
    assert len(str(caught.value)) < 2_000


def test_a_missing_file_is_named() -> None:
    @task
    def size(file: File) -> int:
        return Path(file).stat().st_size

    with pytest.raises(errors.UsageError, match="/does/not/exist"):
        size(file=File("/does/not/exist"))


def test_an_unknown_scheme_is_named() -> None:
    @task
    def size(file: File) -> int:
        return len(file.read_bytes())

    with pytest.raises(errors.UsageError, match="nosuchscheme"):
        size(file=File("nosuchscheme://bucket/key"))


# --- what a user sees ----------------------------------------------------------------------------------------------------------------


def run_script(tmp_path: Path, script: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(script))
    return subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
    )


def test_a_task_that_raises_in_a_script_shows_the_users_frames(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        """
        from alula import task, workflow

        def helper(x):
            return 1 / x

        @task
        def divide(x: int) -> float:
            return helper(x)

        @workflow
        def flow(x: int) -> float:
            return divide(x=x)

        flow(x=0)
        """,
    )
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert "in helper" in done.stderr
    assert "in divide" in done.stderr
    assert "alula_kernel" not in done.stderr


def test_a_misuse_in_a_script_ends_with_the_message(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        """
        from alula import task, workflow

        @task
        def one() -> int:
            return 1

        @workflow
        def flow() -> None:
            if one():
                one()

        flow()
        """,
    )
    assert done.returncode == 1
    assert "script.py:10: output 'o0' of task script.one was used as a condition" in done.stderr
    assert "conditional" in done.stderr.splitlines()[-1]


def test_shell_tasks_say_where_they_were_made() -> None:
    with pytest.raises(errors.UsageError) as caught:
        ShellTask(name="a")
    assert caught.value.location.startswith(HERE)
