"""AU-01, AU-02, AU-22, AU-23, AU-24: tasks, how they are called, and what decorates them."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

import alula
from alula import (
    ClassDecorator,
    Documentation,
    Echo,
    IgnoreOutputs,
    Resources,
    SourceCode,
    TaskMetadata,
    current_app,
    errors,
    task,
    workflow,
)
from alula_kernel.types import display


class Total(NamedTuple):
    total: int


@task
def total_in_a_tuple(x: int) -> Total:
    return (x,)  # type: ignore[return-value]


@task
def total_alone(x: int) -> Total:
    return x  # type: ignore[return-value]


def test_one_named_output_may_be_returned_in_a_tuple_or_bare():
    assert total_in_a_tuple(x=3) == total_alone(x=3) == Total(3)


@task
def double(x: int) -> int:
    return 2 * x


@task
async def triple(x: int) -> int:
    await asyncio.sleep(0)
    return 3 * x


class Parts(NamedTuple):
    quotient: int
    remainder: int


@task
def divide(a: int, b: int = 3) -> Parts:
    return Parts(a // b, a % b)


def test_a_task_is_named_after_its_module_and_function() -> None:
    assert double.name == f"{__name__}.double"
    assert double.short_name == "double"
    assert double.title == f"task {__name__}.double"
    assert double.location.startswith(f"{__file__}:")
    assert task(lambda: None, name="given").name == "given"


def test_a_call_at_top_level_runs_the_task_and_gives_native_values() -> None:
    assert double(x=4) == 8
    assert double(4) == 8
    assert divide(a=10) == Parts(3, 1)
    assert divide(10, b=4).remainder == 2


def test_values_go_through_their_types() -> None:
    @task
    def halve(x: float) -> float:
        assert type(x) is float
        return x / 2

    assert halve(x=3) == 1.5
    with pytest.raises(errors.ValueConversionError, match=r"input 'x' of task .*\.double: expected int, found str 'a'"):
        double(x="a")


def test_a_wrong_result_is_refused_and_named() -> None:
    @task
    def wrong() -> int:
        return "text"  # type: ignore[return-value]

    @task
    def too_few() -> tuple[int, int]:
        return (1,)  # type: ignore[return-value]

    with pytest.raises(errors.ValueConversionError, match=r"output 'o0' of task .*\.wrong: expected int, found str"):
        wrong()
    with pytest.raises(errors.ValueConversionError, match="declares 2 outputs and returned 1 values"):
        too_few()


def test_an_async_task_gives_a_coroutine() -> None:
    assert asyncio.run(triple(x=2)) == 6


def test_outputs_are_named_by_position_or_by_a_named_tuple() -> None:
    @task
    def pair() -> tuple[int, str]:
        return 1, "a"

    @task
    def old_style() -> (int, str):  # type: ignore[syntax]
        return 1, "a"

    assert list(pair.python_interface.outputs) == list(old_style.python_interface.outputs) == ["o0", "o1"]
    assert pair() == old_style() == (1, "a")
    assert list(divide.python_interface.outputs) == ["quotient", "remainder"]
    assert list(double.python_interface.outputs) == ["o0"]


def test_a_named_tuple_of_one_may_be_returned_bare() -> None:
    class one(NamedTuple):  # noqa: N801 - named as the examples of Flyte name theirs
        value: int

    @task
    def bare() -> one:  # type: ignore[valid-type]
        return 5

    @task
    def packed() -> one:  # type: ignore[valid-type]
        return one(6)

    assert bare() == one(5)
    assert packed() == one(6)


def test_a_task_without_outputs_returns_none() -> None:
    seen: list[int] = []

    @task
    def note(x: int) -> None:
        seen.append(x)

    @task
    def silent(x: int):  # type: ignore[no-untyped-def]
        seen.append(x)

    assert note(x=1) is None
    assert silent(x=2) is None
    assert seen == [1, 2]


def test_missing_annotations_are_refused_where_the_task_is_defined() -> None:
    with pytest.raises(errors.CompileError) as caught:

        @task
        def untyped(x) -> int:  # type: ignore[no-untyped-def]
            return int(x)

    assert "parameter 'x' of task" in str(caught.value)
    assert ": Pickle" in caught.value.hint
    assert caught.value.location.startswith(f"{__file__}:")


def test_pickle_untyped_takes_anything() -> None:
    class Own:
        def __init__(self, value: int) -> None:
            self.value = value

    @task(pickle_untyped=True)
    def unwrap(x) -> int:  # type: ignore[no-untyped-def]
        return x.value  # type: ignore[no-any-return]

    assert unwrap(x=Own(3)) == 3


def test_pickle_untyped_returns_anything() -> None:
    @task(pickle_untyped=True)
    def wrap(x, times: int = 1):  # type: ignore[no-untyped-def]
        return {x} if times else None

    @workflow(pickle_untyped=True)
    def twice(x):  # type: ignore[no-untyped-def]
        return wrap(x=wrap(x=x, times=0), times=1)

    @workflow(pickle_untyped=True)
    def nothing(x):  # type: ignore[no-untyped-def]
        wrap(x=x)

    assert wrap(x=2) == {2}
    assert wrap(x=2, times=0) is None
    assert twice(x=1) == {None}
    assert nothing(x=1) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: task(retry=3), "unknown task setting 'retry'"),
        (lambda: task(retries=-1)(_nothing), "retries: expected a whole number of at least 0"),
        (lambda: task(timeout="1 h")(_nothing), "timeout: expected seconds, a timedelta or a Timeout"),
        (lambda: task(enable_deck=True, disable_deck=True), "disable_deck and enable_deck are both given"),
        (lambda: task(execution_mode="eager"), "unknown execution_mode 'eager'"),
        (
            lambda: task(requests=Resources(cpu=1), resources=Resources(cpu=1))(_nothing).spec(current_app()),
            "resources cannot be given together with requests or limits",
        ),
        (lambda: task(task_config=object()), "unknown task_config class"),
    ],
)
def test_wrong_settings_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(errors.UsageError, match=message):
        make()(_nothing)


def _nothing() -> None: ...


def test_a_near_setting_is_suggested() -> None:
    with pytest.raises(errors.UnknownNameError, match=r"Did you mean .*'retries'"):
        task(retry=3)


def test_the_spec_holds_what_was_said() -> None:
    @task(
        requests=Resources(cpu="2", mem="4Gi", gpu="1"),
        limits=Resources(cpu="3"),
        environment={"A": "1"},
        container_image="registry/image:1",
        labels={"team": "x"},
        deprecated="use another",
        interruptible=True,
    )
    def full(x: int, y: str | None = None) -> float:
        """Do it all.

        Args:
            x: How much.
        """
        return float(x)

    spec = full.documented_spec(current_app())
    assert spec.resources is not None
    assert spec.resources.requests == {"cpu": "2", "memory": "4Gi", "gpu": "1"}
    assert spec.resources.limits == {"cpu": "3"}
    assert spec.environment == {"A": "1"}
    assert spec.image == "registry/image:1"
    assert spec.labels == {"team": "x"}
    assert spec.deprecated == "use another"
    assert spec.interruptible is True
    assert spec.description == "Do it all."
    assert {name: display(v.type) for name, v in spec.interface.inputs.items()} == {"x": "int", "y": "str | None"}
    assert [name for name, v in spec.interface.inputs.items() if v.required] == ["x"]
    assert spec.interface.inputs["x"].description == "How much."


# --- calling -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ((1, 2), {}, "takes 1 inputs, and 2 were given"),
        ((1,), {"x": 1}, "input 'x' of task .* is given twice"),
        ((), {"y": 1}, "unknown input 'y'"),
        ((), {}, "needs the input 'x'"),
    ],
)
def test_a_wrong_call_is_refused(arguments: tuple[int, ...], settings: dict[str, int], message: str) -> None:
    with pytest.raises(errors.UsageError, match=message) as caught:
        double(*arguments, **settings)
    assert caught.value.exit_code == 2


def test_a_user_error_comes_out_as_it_was_raised_with_only_the_users_frames() -> None:
    @task
    def broken(x: int) -> int:
        return _inner(x)

    def _inner(x: int) -> int:
        raise LookupError(f"no {x}")

    with pytest.raises(LookupError, match="no 7") as caught:
        broken(x=7)
    frames = [entry.name for entry in caught.traceback]
    assert frames[-2:] == ["broken", "_inner"]


def test_input_names_may_be_those_of_our_own_parameters() -> None:
    @task
    def odd(self: int, entity: int, args: int, app: int, options: int) -> int:
        return self + entity + args + app + options

    assert odd(self=1, entity=2, args=3, app=4, options=5) == 15

    @workflow
    def flow(self: int, name: int) -> int:
        return odd(self=self, entity=name, args=1, app=1, options=1)

    assert flow(self=1, name=2) == 6


def test_a_task_called_in_a_task_is_a_child_action() -> None:
    @task
    def outer(x: int) -> int:
        return double(x=x) + double(x=x + 1)

    run = alula.run(outer, x=1)
    assert run.result == 6
    assert [action.name for action in run.actions] == ["outer", "double", "double"]
    assert {action.parent for action in run.actions[1:]} == {"a0"}


def test_tasks_made_in_a_loop_do_not_stand_in_for_each_other() -> None:
    def make(factor: int) -> Any:
        @task
        def scale(x: int) -> int:
            return factor * x

        return scale

    tasks = [make(factor) for factor in (2, 3, 5)]
    assert [t(x=1) for t in tasks] == [2, 3, 5]

    @workflow
    def flow(x: int) -> list[int]:
        return [t(x=x) for t in tasks]

    assert flow(x=10) == [20, 30, 50]


def test_a_task_defined_anew_replaces_the_old_one_as_in_a_notebook() -> None:
    def cell(text: str) -> Any:
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(text, names)
        return names["step"]

    first = cell("from alula import task\n@task\ndef step(x: int) -> int:\n    return x + 1\n")
    assert first(x=1) == 2
    second = cell("from alula import task\n@task\ndef step(x: int) -> int:\n    return x + 10\n")
    assert second(x=1) == 11
    assert first(x=1) == 2


def test_calls_from_many_threads() -> None:
    results: dict[int, int] = {}

    def work(n: int) -> None:
        results[n] = double(x=n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: 2 * n for n in range(20)}


def test_a_plain_task_can_be_called_inside_a_running_event_loop() -> None:
    async def main() -> list[int]:
        blocking = double(x=1)
        awaited = await double.aio(x=2)
        task_of_its_own = await triple(x=3)
        return [blocking, awaited, task_of_its_own]

    assert asyncio.run(main()) == [2, 4, 9]


def test_a_workflow_with_async_tasks_can_be_called_inside_a_running_event_loop() -> None:
    @workflow
    def flow(x: int) -> int:
        return double(x=triple(x=x))

    async def main() -> int:
        return await flow.aio(x=1)

    assert flow(x=1) == 6
    assert asyncio.run(main()) == 6


def test_positional_and_keyword_only_parameters() -> None:
    @task
    def both(a: int, /, b: int, *, c: int = 1) -> int:
        return a + 10 * b + 100 * c

    assert both(1, 2, c=3) == 321
    assert both(a=1, b=2) == 121


# --- IgnoreOutputs, documentation, decorators ----------------------------------------------------------------------------


def test_ignore_outputs_lets_a_process_have_none() -> None:
    @task
    def rank(n: int) -> int | None:
        if n:
            raise IgnoreOutputs
        return 5

    assert rank(n=0) == 5
    assert rank(n=1) is None


def test_documentation_goes_before_the_docstring() -> None:
    docs = Documentation("short", "long", SourceCode("https://example.org/code"))

    @task(docs=docs)
    def documented() -> None:
        """Say something else."""

    @workflow(docs=docs)
    def flow() -> None:
        """Say something else."""
        documented()

    for entity in (documented, flow):
        spec = entity.spec(current_app())
        assert (spec.description, spec.documentation) == ("short", "long")


@pytest.mark.parametrize(
    "docstring",
    [
        "Add.\n\nArgs:\n    x: The one.\n    y: The other.\n\nReturns:\n    The sum.",
        "Add.\n\n:param x: The one.\n:param y: The other.\n:return: The sum.",
        "Add.\n\nParameters\n----------\nx : int\n    The one.\ny : int\n    The other.\n",
    ],
)
def test_descriptions_of_parameters_are_read_from_the_docstring(docstring: str) -> None:
    def add(x: int, y: int) -> int:
        return x + y

    add.__doc__ = docstring
    for entity in (task(add), workflow(_as_workflow(add))):
        inputs = entity.documented_spec(current_app()).interface.inputs
        assert {name: v.description for name, v in inputs.items()} == {"x": "The one.", "y": "The other."}


def _as_workflow(function: Callable[..., int]) -> Callable[..., int]:
    @functools.wraps(function)
    def flow(x: int, y: int) -> int:
        return _add(x=x, y=y)  # type: ignore[no-any-return]

    return flow


@task
def _add(x: int, y: int) -> int:
    return x + y


def test_decorators_with_wraps_may_be_stacked_and_partial() -> None:
    log: list[str] = []

    def noted(function: Any = None, *, word: str = "call") -> Any:
        if function is None:
            return functools.partial(noted, word=word)

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            log.append(word)
            return function(*args, **kwargs)

        return wrapper

    @task
    @noted
    @noted(word="inner")
    def plain(x: int) -> int:
        return x + 1

    @task
    @noted(word="async")
    async def waiting(x: int) -> int:
        return x + 2

    @workflow
    @noted(word="compiled")
    def flow(x: int) -> int:
        return plain(x=x)

    assert plain(x=1) == 2
    assert asyncio.run(waiting(x=1)) == 3
    assert flow(x=1) == 2
    assert flow(x=2) == 3
    assert log == ["call", "inner", "async", "compiled", "call", "inner", "call", "inner"]
    assert plain.location.startswith(f"{__file__}:")


def test_class_decorators_carry_settings() -> None:
    class shout(ClassDecorator):  # noqa: N801 - a decorator
        def __init__(self, task_function: Any = None, *, sign: str = "!", **settings: Any) -> None:
            self.sign = sign
            super().__init__(task_function, sign=sign, **settings)

        def execute(self, *args: Any, **kwargs: Any) -> Any:
            return self.task_function(*args, **kwargs) + self.sign  # type: ignore[misc]

    @task
    @shout
    def plain(x: str) -> str:
        return x

    @task
    @shout(sign="?")
    def configured(x: str) -> str:
        return x

    assert plain(x="a") == "a!"
    assert configured(x="a") == "a?"


def test_echo_returns_its_inputs() -> None:
    one = Echo(name="one", inputs={"x": float})
    two = Echo(name="two", inputs={"x": int, "y": str}, retries=1)
    assert one(x=1.5) == 1.5
    assert two(x=1, y="a") == (1, "a")
    assert Echo(name="none")() is None


def test_task_metadata_holds_settings() -> None:
    metadata = TaskMetadata(retries=2, cache=True, cache_version="1")
    spec = Echo(name="kept", inputs={"x": int}, metadata=metadata).spec(current_app())
    assert spec.retries.user == 2
    assert spec.cache is not None
    assert spec.cache.version == "1"
    with pytest.raises(errors.UnknownNameError, match="unknown task setting 'retry'"):
        Echo(name="wrong", retry=1)


def test_a_task_tells_its_metadata() -> None:
    @task(
        cache=alula.Cache(version="2", serialize=True, ignored_inputs="y"),
        retries=3,
        timeout=90,
        interruptible=True,
        deprecated="old",
        labels={"team": "a"},
        annotations={"note": "b"},
    )
    def told(x: int, y: int = 5) -> int:
        return x + y

    metadata = told.metadata
    assert metadata == TaskMetadata(
        cache=True,
        cache_serialize=True,
        cache_version="2",
        cache_ignore_input_vars=("y",),
        interruptible=True,
        deprecated="old",
        retries=3,
        timeout=dt.timedelta(seconds=90),
        labels={"team": "a"},
        annotations={"note": "b"},
    )
    assert told.metadata is metadata
    assert double.metadata == TaskMetadata(labels={}, annotations={})
    again = Echo(name="with-labels", metadata=metadata, timeout=metadata.timeout).settings
    assert (again.labels, again.annotations, again.retries) == ({"team": "a"}, {"note": "b"}, 3)
    assert told.python_interface.inputs_with_defaults == {"x": (int, None), "y": (int, 5)}


def test_a_task_tells_its_documentation() -> None:
    docs = Documentation("short", "long")

    @task(docs=docs)
    def given() -> None:
        """Say something else."""

    @task
    def written() -> None:
        """Say one thing.

        And another.
        """

    @task
    def silent() -> None:
        pass

    assert given.docs is docs
    assert written.docs == Documentation("Say one thing.", "And another.")
    assert silent.docs == Echo(name="silent").docs == Documentation()


def test_json_schema_of_the_inputs() -> None:
    schema = divide.json_schema
    assert schema["properties"] == {"a": {"type": "integer"}, "b": {"type": "integer"}}
    assert schema["required"] == ["a"]


def test_forward_calls_the_function_itself() -> None:
    assert divide.forward(7) == Parts(2, 1)
    assert divide.forward(7, b=2) == Parts(3, 1)
    assert double.task_function(3) == 6
