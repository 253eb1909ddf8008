"""AU-05: workflows put together call by call."""

from __future__ import annotations

import pytest

from alula import ImperativeWorkflow, LaunchPlan, Workflow, current_app, errors, map_task, task, workflow


@task
def double(x: int) -> int:
    return 2 * x


@task
def add(x: int, y: int) -> int:
    return x + y


@task
def note(x: int) -> None: ...


def test_inputs_nodes_and_outputs() -> None:
    wf = Workflow(name="made.by.hand")
    x = wf.add_workflow_input("x", int)
    first = wf.add_entity(double, x=x)
    second = wf.add_task(add, x=first.outputs["o0"], y=wf.inputs["x"])
    wf.add_workflow_output("result", second.o0)
    assert wf.ready()
    assert wf(x=3) == 9
    assert wf.name == "made.by.hand"
    spec = wf.spec(current_app())
    assert [node.id for node in spec.nodes] == ["n0", "n1"]
    assert list(spec.interface.outputs) == ["result"]


def test_several_outputs_have_names_and_lists_need_a_type() -> None:
    wf = ImperativeWorkflow("several")
    x = wf.add_workflow_input("x", int)
    node = wf.add_entity(double, x=x)
    wf.add_workflow_output("one", node.o0)
    wf.add_workflow_output("many", [node.o0, x], python_type=list[int])
    wf.add_workflow_output("by_name", {"a": node.o0}, python_type=dict[str, int])
    result = wf(x=2)
    assert (result.one, result.many, result.by_name) == (4, [4, 2], {"a": 4})
    with pytest.raises(errors.CompileError, match=r"output 'again' of .* is a list, so its type must be said"):
        wf.add_workflow_output("again", [node.o0])


def test_sub_workflows_launch_plans_maps_and_ordering() -> None:
    @workflow
    def inner(x: int) -> int:
        return double(x=x)

    wf = ImperativeWorkflow("mixed")
    x = wf.add_workflow_input("x", int)
    sub = wf.add_subwf(inner, x=x)
    plan = wf.add_launch_plan(LaunchPlan.get_or_create(inner), x=sub.o0)
    mapped = wf.add_entity(map_task(double), x=[sub.o0, plan.o0])
    last = wf.add_entity(note, x=1)
    mapped >> last
    wf.add_workflow_output("out", mapped.o0)
    assert wf(x=1) == [4, 8]


def test_it_can_be_used_in_another_workflow() -> None:
    wf = ImperativeWorkflow("inner")
    wf.add_workflow_output("out", wf.add_entity(double, x=wf.add_workflow_input("x", int)).o0)

    @workflow
    def outer(x: int) -> int:
        return add(x=wf(x=x), y=1)

    assert outer(x=2) == 5


def test_a_conditional() -> None:
    wf = ImperativeWorkflow("chooses")
    x = wf.add_workflow_input("x", int)
    node = wf.add_entity(double, x=x)
    section = wf.create_conditional("size")
    chosen = section.if_(node.o0 > 10).then(wf.add_entity(double, x=x).o0).else_().then(wf.add_entity(add, x=x, y=1).o0)
    wf.add_workflow_output("out", chosen)
    assert wf(x=10) == 20
    assert wf(x=1) == 2


def test_a_failure_handler() -> None:
    seen: list[int] = []

    @task
    def handler(x: int) -> None:
        seen.append(x)

    @task
    def broken(x: int) -> int:
        raise ValueError("no")

    wf = ImperativeWorkflow("fails")
    wf.add_workflow_output("out", wf.add_entity(broken, x=wf.add_workflow_input("x", int)).o0)
    wf.add_on_failure_handler(handler)
    with pytest.raises(ValueError, match="no"):
        wf(x=4)
    assert seen == [4]


def test_it_can_be_extended_after_it_ran() -> None:
    wf = ImperativeWorkflow("grows")
    node = wf.add_entity(double, x=wf.add_workflow_input("x", int))
    wf.add_workflow_output("one", node.o0)
    assert wf(x=1) == 2
    wf.add_workflow_output("two", wf.add_entity(double, x=node.o0).o0)
    assert tuple(wf(x=1)) == (2, 4)


def test_what_is_not_ready_is_refused() -> None:
    empty = ImperativeWorkflow("empty")
    with pytest.raises(errors.CompileError, match="empty is not ready: it has no node"):
        empty()
    wf = ImperativeWorkflow("unused")
    wf.add_workflow_input("x", int)
    wf.add_entity(double, x=1)
    assert not wf.ready()
    with pytest.raises(errors.CompileError, match="unused is not ready: its inputs 'x' are not used"):
        wf(x=1)


def test_names_must_be_new() -> None:
    wf = ImperativeWorkflow("twice")
    x = wf.add_workflow_input("x", int)
    with pytest.raises(errors.CompileError, match="has an input 'x' already"):
        wf.add_workflow_input("x", str)
    wf.add_workflow_output("o", wf.add_entity(double, x=x).o0)
    with pytest.raises(errors.CompileError, match="has an output 'o' already"):
        wf.add_workflow_output("o", x)


def test_wrong_types_and_inputs_are_refused_where_they_are_added() -> None:
    wf = ImperativeWorkflow("typed")
    s = wf.add_workflow_input("s", str)
    with pytest.raises(
        errors.TypeMismatchError, match=r"input 'x' of task .*double expects int, found workflow input 's'"
    ):
        wf.add_entity(double, x=s)
    with pytest.raises(errors.CompileError, match="needs the input 'x'"):
        wf.add_entity(double)
    with pytest.raises(errors.CompileError, match="add_entity takes a task, workflow or launch plan, found function"):
        wf.add_entity(lambda x: x, x=s)  # type: ignore[arg-type]
