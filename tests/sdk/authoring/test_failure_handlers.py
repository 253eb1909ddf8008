"""AU-16, EX-08: what runs after a failure, and what happens to the other nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import alula
from alula import ImperativeWorkflow, Run, WorkflowError, WorkflowFailurePolicy, current_app, errors, task, workflow

Tree = list[tuple[str, str, str, int]]
seen: list[Any] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    seen.clear()


@task
def create(name: str) -> str:
    seen.append(f"create {name}")
    return name


@task
def broken(a: int) -> str:
    raise ValueError(f"broken {a}")


@task
def delete(name: str) -> None:
    seen.append(f"delete {name}")


@task
def clean_up(name: str, err: WorkflowError | None = None) -> None:
    seen.append(("clean up", name, err))


def test_the_handler_gets_the_inputs_and_the_error(tree_of: Callable[[Run], Tree]) -> None:
    @workflow(on_failure=clean_up)
    def flow(name: str = "c") -> None:
        create(name=name) >> broken(a=1) >> delete(name=name)

    run = alula.run(flow)
    assert tree_of(run) == [
        ("a0", "flow", "failed", 0),
        ("a0.n0", "create", "succeeded", 1),
        ("a0.n1", "broken", "failed", 1),
        ("a0.fn0", "clean_up", "succeeded", 1),
    ]
    assert seen == ["create c", ("clean up", "c", WorkflowError(message="broken 1", failed_node_id="a0.n1"))]
    with pytest.raises(ValueError, match="broken 1"):
        flow()


def test_it_does_not_run_after_success() -> None:
    @workflow(on_failure=clean_up)
    def flow(name: str) -> None:
        create(name=name)

    flow(name="a")
    assert seen == ["create a"]


def test_a_workflow_may_be_the_handler() -> None:
    @workflow
    def clean(name: str) -> None:
        clean_up(name=name)

    @workflow(on_failure=clean)
    def flow(name: str) -> None:
        broken(a=2)

    with pytest.raises(ValueError, match="broken 2"):
        flow(name="n")
    assert seen == [("clean up", "n", None)]


def test_sub_workflows_have_handlers_of_their_own() -> None:
    @workflow(on_failure=clean_up)
    def inner(name: str) -> None:
        broken(a=1)

    @workflow(on_failure=clean_up)
    def outer(name: str) -> None:
        inner(name="inner")

    with pytest.raises(ValueError, match="broken 1"):
        outer(name="outer")
    assert [entry[1] for entry in seen] == ["inner", "outer"]
    assert [entry[2].failed_node_id for entry in seen] == ["a0.n0.n0", "a0.n0.n0"]


def test_the_failure_of_the_handler_replaces_the_original() -> None:
    @task
    def fails_too(name: str) -> None:
        raise KeyError("handler")

    @workflow(on_failure=fails_too)
    def flow(name: str) -> None:
        broken(a=1)

    with pytest.raises(KeyError, match="handler"):
        flow(name="a")


def test_other_inputs_of_the_handler_must_be_optional() -> None:
    @task
    def extra(name: str, more: int | None = None) -> None:
        seen.append((name, more))

    @task
    def demanding(name: str, more: int) -> None: ...

    @task
    def lacking() -> None: ...

    @task
    def other_type(name: int) -> None: ...

    @task
    def wrong_error(name: str, err: str = "") -> None: ...

    def flow_with(handler: Any) -> Any:
        @workflow(on_failure=handler)
        def flow(name: str) -> None:
            broken(a=1)

        return flow

    with pytest.raises(ValueError, match="broken"):
        flow_with(extra)(name="a")
    assert seen == [("a", None)]
    for handler, message in (
        (demanding, "has an input 'more' that workflow .* does not have"),
        (lacking, "does not take its input 'name'"),
        (other_type, "input 'name' of task .*other_type: str does not fit int"),
        (wrong_error, "input 'err' of task .*wrong_error"),
    ):
        with pytest.raises(errors.CompileError, match=message) as caught:
            flow_with(handler).spec(current_app())
        assert caught.value.location.startswith(f"{__file__}:")


def test_a_handler_that_is_no_entity_is_refused() -> None:
    @workflow(on_failure=lambda name: None)  # type: ignore[arg-type,misc]
    def flow(name: str) -> None:
        broken(a=1)

    with pytest.raises(
        errors.CompileError, match=r"on_failure of workflow .* must be a task or workflow, found function"
    ):
        flow(name="a")


def test_an_output_that_cannot_be_made_is_a_failure_too() -> None:
    @task
    def numbers() -> list[int]:
        return [1]

    @workflow(on_failure=clean_up)
    def flow(name: str) -> int:
        return numbers()[5]

    with pytest.raises(errors.RuntimeUserError, match="has no 5"):
        flow(name="a")
    assert seen[0][:2] == ("clean up", "a")


# --- failure policy ---------------------------------------------------------------------------------------------------------


def _branches(policy: WorkflowFailurePolicy | None) -> Run:
    @workflow(failure_policy=policy)
    def flow() -> None:
        needs_it = create(name=broken(a=1))
        create(name=needs_it)
        independent = create(name="independent")
        create(name=independent)

    return alula.run(flow)


def test_by_default_nothing_else_starts(tree_of: Callable[[Run], Tree]) -> None:
    assert tree_of(_branches(None)) == [("a0", "flow", "failed", 0), ("a0.n0", "broken", "failed", 1)]
    assert not seen


def test_what_does_not_need_the_failed_node_may_be_finished(tree_of: Callable[[Run], Tree]) -> None:
    run = _branches(WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
    assert {(action, phase) for action, _name, phase, _attempts in tree_of(run)} == {
        ("a0", "failed"),
        ("a0.n0", "failed"),
        ("a0.n1", "skipped"),
        ("a0.n2", "skipped"),
        ("a0.n3", "succeeded"),
        ("a0.n4", "succeeded"),
    }
    assert run.error is not None
    assert run.error.message == "broken 1"


def test_an_imperative_workflow_has_a_policy_too() -> None:
    wf = ImperativeWorkflow("imp", failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
    wf.add_entity(broken, a=1)
    wf.add_entity(create, name="later")
    with pytest.raises(ValueError, match="broken 1"):
        wf()
    assert seen == ["create later"]
