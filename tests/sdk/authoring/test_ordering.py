"""AU-06: explicit nodes and order without data."""

from __future__ import annotations

import pytest

from alula import LaunchPlan, create_node, current_app, errors, task, workflow

log: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    log.clear()


@task
def say(word: str) -> str:
    log.append(word)
    return word


@task
def shout(word: str) -> None:
    log.append(word.upper())


@task
def pair() -> tuple[int, str]:
    return 1, "a"


def test_results_can_be_ordered() -> None:
    @workflow
    def flow() -> None:
        late = shout(word="late")
        early = say(word="early")
        middle = shout(word="middle")
        early >> middle >> late

    flow()
    assert log == ["early", "MIDDLE", "LATE"]
    nodes = {node.id: node for node in flow.spec(current_app()).nodes}
    assert nodes["n0"].upstream == ("n2",)


def test_nodes_can_be_made_explicitly() -> None:
    @workflow
    def flow() -> str:
        a = create_node(shout, word="a")
        b = create_node(say, word="b")
        b.runs_before(a)
        b >> a
        return b.o0

    assert flow() == "b"
    assert log == ["b", "A"]
    assert flow.spec(current_app()).nodes[1].upstream == ("n1",)


def test_outputs_of_a_node_by_name() -> None:
    @workflow
    def flow() -> tuple[int, str]:
        node = create_node(pair)
        assert set(node.outputs) == {"o0", "o1"}
        with pytest.raises(AttributeError, match="node n0 has no output 'o2'; it has o0, o1"):
            node.o2  # noqa: B018 - the access is the test
        return node.o0, node.outputs["o1"]

    assert flow() == (1, "a")


def test_sub_workflows_launch_plans_and_tuples_can_be_ordered() -> None:
    @workflow
    def inner(word: str) -> None:
        shout(word=word)

    @workflow
    def flow() -> None:
        third = LaunchPlan.get_or_create(inner, "plan")(word="third")
        second = inner(word="second")
        first = pair()
        first >> second
        second >> third

    flow()
    assert log == ["SECOND", "THIRD"]
    assert [node.upstream for node in flow.spec(current_app()).nodes] == [(), ("n2",), ("n1",)]


@pytest.mark.parametrize("long", [False, True])
def test_a_cycle_is_refused_at_the_line_that_closes_it(long: bool) -> None:
    @workflow
    def flow() -> None:
        a, b, c = shout(word="a"), shout(word="b"), shout(word="c")
        a >> b
        if long:
            b >> c >> a
        else:
            b >> a

    with pytest.raises(errors.CompileError, match="would have to run before and after") as caught:
        flow()
    assert caught.value.location.startswith(f"{__file__}:")
    assert "Remove one of the orderings" in caught.value.hint


def test_a_cycle_through_data_is_refused() -> None:
    @workflow
    def flow() -> None:
        first = say(word="a")
        second = say(word=first)
        second >> first

    with pytest.raises(errors.CompileError, match="would have to run before and after"):
        flow()


def test_a_node_before_itself_is_refused() -> None:
    @workflow
    def flow() -> None:
        a = shout(word="a")
        a >> a

    with pytest.raises(errors.CompileError, match="before and after"):
        flow()


def test_what_is_no_node_cannot_be_ordered() -> None:
    @workflow
    def wrong(x: str) -> None:
        shout(word="a") >> "text"

    @workflow
    def an_input(x: str) -> None:
        x >> shout(word="a")  # type: ignore[operator]

    with pytest.raises(errors.CompileError, match="a node cannot be ordered with str"):
        wrong(x="")
    with pytest.raises(errors.CompileError, match="an input of the workflow is not a node"):
        an_input(x="")


def test_create_node_outside_of_a_workflow_or_of_something_else_is_refused() -> None:
    with pytest.raises(errors.CompileError, match="create_node is used outside of a workflow"):
        create_node(say, word="a")
    with pytest.raises(errors.UsageError, match="create_node takes a task, workflow or launch plan, found function"):
        create_node(lambda: None)

    @workflow
    def flow() -> None:
        create_node(say, "a")

    with pytest.raises(errors.UsageError, match="create_node takes inputs by name only"):
        flow()


def test_the_workflow_that_is_being_compiled_shows_its_nodes() -> None:
    import alula

    @workflow
    def flow() -> None:
        shout(word="a")
        state = alula.current_context().compilation_state
        assert [node.id for node in state.nodes] == ["n0"]
        shout(word="b")
        state.nodes[1] >> state.nodes[0]

    flow()
    assert log == ["B", "A"]
    assert alula.current_context().compilation_state is None
