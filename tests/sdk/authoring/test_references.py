"""AU-13: pointers to entities that are registered elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from alula import (
    current_app,
    dynamic,
    errors,
    map_task,
    reference_launch_plan,
    reference_task,
    reference_workflow,
    task,
    workflow,
)
from alula_kernel.specs import EntityId, EntityTarget


@reference_task(project="p", domain="production", name="lib.scale", version="v3")
def scale(x: int, factor: float = 2.0) -> float:
    """Scale; the body is never run."""
    raise AssertionError


@reference_workflow(project="p", domain="production", name="lib.flow", version="v3")
def remote_flow(x: int) -> tuple[int, str]: ...


@reference_launch_plan(project="p", domain="production", name="daily", version="v3")
def daily(x: int) -> float: ...


@task
def double(x: float) -> float:
    return 2 * x


def test_a_pointer_is_a_node_with_types() -> None:
    @workflow
    def flow(x: int) -> float:
        n, _text = remote_flow(x=x)
        daily(x=n)
        return double(x=scale(x=n))

    spec = flow.spec(current_app())
    targets = [node.target.entity for node in spec.nodes if isinstance(node.target, EntityTarget)]
    assert targets[:3] == [
        EntityId("workflow", "lib.flow", "p", "production", "v3"),
        EntityId("launch_plan", "daily", "p", "production", "v3"),
        EntityId("task", "lib.scale", "p", "production", "v3"),
    ]
    assert str(targets[2]) == "p/production/lib.scale@v3"


def test_its_types_are_checked() -> None:
    @workflow
    def flow(x: str) -> float:
        return scale(x=x)  # type: ignore[no-any-return]

    with pytest.raises(
        errors.TypeMismatchError, match=r"input 'x' of reference task p/production/lib\.scale@v3 expects int"
    ):
        flow.spec(current_app())


@pytest.mark.parametrize("entity", [scale, remote_flow, daily], ids=["task", "workflow", "launch plan"])
def test_running_one_here_is_refused(entity: Any) -> None:
    with pytest.raises(errors.UsageError, match=r"points to a server, and cannot run here") as caught:
        entity(x=1)
    assert "replace the reference in your test" in caught.value.hint
    assert caught.value.location == entity.location
    assert entity.location.startswith(f"{__file__}:")


def test_running_a_workflow_with_one_is_refused_and_names_it() -> None:
    @workflow
    def flow(x: int) -> float:
        return double(x=scale(x=x))

    @dynamic
    def graph(x: int) -> float:
        return scale(x=x)  # type: ignore[no-any-return]

    @task
    def outer(x: int) -> float:
        return scale(x=x)  # type: ignore[no-any-return]

    entities: list[Callable[..., Any]] = [flow, graph, outer]
    for entity in entities:
        with pytest.raises(errors.UsageError, match=r"lib\.scale@v3.* cannot run here"):
            entity(x=1)


@pytest.mark.parametrize(
    ("entity", "answer"),
    [(scale, 2.5), (remote_flow, (3, "a")), (daily, 1.5)],
    ids=["task", "workflow", "launch plan"],
)
def test_a_test_may_replace_one(entity: Any, answer: Any) -> None:
    given: list[int] = []

    def function(x: int, **_rest: Any) -> Any:
        given.append(x)
        return answer

    def another(**_inputs: Any) -> Any:
        raise LookupError("another one")

    @dynamic
    def graph(x: int) -> None:
        entity(x=x)

    @workflow
    def flow(x: int) -> None:
        entity(x=x)
        graph(x=x)

    with entity.replaced_by(function):
        assert entity(x=1) == answer
        flow(x=2)
        with entity.replaced_by(another), pytest.raises(LookupError, match="another one"):
            flow(x=3)
        flow(x=4)
    assert given == [1, 2, 2, 4, 4]
    for refused in (entity, flow):
        with pytest.raises(errors.UsageError, match="cannot run here"):
            refused(x=5)


def test_a_missing_annotation_is_refused() -> None:
    with pytest.raises(errors.CompileError, match="parameter 'x' of reference wrong has no type annotation"):

        @reference_task(project="p", domain="d", name="wrong", version="1")
        def wrong(x) -> int: ...  # type: ignore[no-untyped-def]


def test_a_pointer_can_be_mapped() -> None:
    @workflow
    def flow(xs: list[int]) -> list[float]:
        return map_task(scale)(x=xs)

    assert len(flow.spec(current_app()).nodes) == 1
