"""Random workflows of plain, async and remote tasks with random failures: what must hold of every run."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alula_kernel.contracts import Attempt
from alula_kernel.engine import FINAL, TRANSITIONS, Phase
from alula_kernel.specs import (
    FAIL_AFTER_EXECUTABLE_NODES_COMPLETE,
    FAIL_IMMEDIATELY,
    ListBinding,
    RetryPolicy,
    node_references,
)

KINDS = ["plain", "async", "remote", "nested", "map"]

node_plans = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "turns": st.integers(0, 3),
        "failures": st.sampled_from([0, 0, 0, 0, 1, 2, 9]),
        "inputs": st.lists(st.integers(1, 6), max_size=3),
        "upstream": st.lists(st.integers(1, 6), max_size=2),
    }
)
graph_plans = st.fixed_dictionaries(
    {
        "nodes": st.lists(node_plans, min_size=1, max_size=14),
        "policy": st.sampled_from([FAIL_IMMEDIATELY, FAIL_AFTER_EXECUTABLE_NODES_COMPLETE]),
        "limit": st.sampled_from([None, 1, 2, 5]),
        "durable": st.booleans(),
    }
)


class Graph:
    """A workflow made after a plan, in a world of its own.

    Every task gives the sum of its inputs plus its position, after a number of turns of the event loop and of failures.
    """

    def __init__(self, make_world: Callable[..., Any], make_journal: Callable[..., Any], plan: dict[str, Any]) -> None:
        self.plan = plan
        self.store = make_journal() if plan["durable"] else None
        self.world = make_world(store=self.store)
        self.starts: Counter[str] = Counter()
        nodes = [self.node(index, node) for index, node in enumerate(plan["nodes"])]
        self.waits = {
            f"a0.{node.id}": {f"a0.{ref.node}" for ref in node_references(node)} | {f"a0.{u}" for u in node.upstream}
            for node in nodes
        }
        self.flow = self.world.workflow(
            *nodes,
            outputs=ListBinding(tuple(self.world.ref(node.id) for node in nodes)),
            failure_policy=plan["policy"],
        )

    def node(self, index: int, plan: dict[str, Any]) -> Any:
        world = self.world
        before = [world.ref(f"n{index - back}") for back in plan["inputs"] if back <= index]
        upstream = [f"n{index - back}" for back in plan["upstream"] if back <= index]
        task = self.task(index, plan)
        if plan["kind"] == "map":
            items = ListBinding((ListBinding(tuple(before)), ListBinding(())))
            return world.node(f"n{index}", world.map(task, "xs"), xs=items, upstream=upstream)
        return world.node(f"n{index}", task, xs=ListBinding(tuple(before)), upstream=upstream)

    def task(self, index: int, plan: dict[str, Any]) -> Any:
        world, turns = self.world, plan["turns"]
        policy = RetryPolicy(user=2)

        def flatten(value: Any) -> int:
            return sum(map(flatten, value)) if isinstance(value, list) else value

        def attempt_at(attempt: Attempt) -> None:
            self.starts[attempt.action] += 1
            if attempt.number <= plan["failures"]:
                raise ValueError(f"failure {attempt.number} of {index}")

        def plain(xs: Any, call: Any) -> int:
            attempt_at(call.attempt)
            return flatten(xs) + index

        async def coroutine(xs: Any, call: Any) -> int:
            for _ in range(turns):
                await asyncio.sleep(0)
            return plain(xs, call)

        async def script(attempt: Attempt) -> int:
            for _ in range(turns):
                await asyncio.sleep(0)
            attempt_at(attempt)
            return flatten(world.to_plain(attempt.inputs["xs"])) + index

        if plan["kind"] == "remote":
            return world.remote_task(script, inputs=["xs"], retries=policy)
        if plan["kind"] == "nested":
            leaf = world.task(coroutine, "leaf", retries=policy)

            async def awaits(xs: Any, call: Any) -> int:
                first, second = await asyncio.gather(call.aio(leaf, xs=xs), call.aio(leaf, xs=[]))
                return first if second == index else -1

            def blocks(xs: Any, call: Any) -> int:
                return call(leaf, xs=xs)

            return world.task(awaits if turns % 2 else blocks, "nested")
        return world.task(plain if plan["kind"] == "plain" else coroutine, retries=policy)

    def expected(self) -> list[Any]:
        """Compute what the workflow gives if nothing fails for good."""
        values: list[Any] = []

        def flatten(value: Any) -> int:
            return sum(map(flatten, value)) if isinstance(value, list) else value

        for index, node in enumerate(self.plan["nodes"]):
            total = flatten([values[index - back] for back in node["inputs"] if back <= index]) + index
            values.append([total, index] if node["kind"] == "map" else total)
        return values


def check(graph: Graph, result: Any) -> None:
    actions, events = result.actions, graph.world.events
    plans = graph.plan["nodes"]
    bad = {f"a0.n{index}" for index, node in enumerate(plans) if node["failures"] > 2}
    order = [(event.action, event.phase) for event in events]

    # Every action came to an end, by allowed steps, and succeeded at most once.
    for action in actions.values():
        assert action.phase in FINAL
        phases = [Phase(phase) for changed, phase in order if changed == action.id]
        assert all(after in TRANSITIONS[before] for before, after in itertools.pairwise(phases))
        assert phases.count(Phase.SUCCEEDED) <= 1
        assert phases[-1] is action.phase
    assert len({attempt for kind, attempt in graph.world.remote.calls if kind == "submit"}) == sum(
        kind == "submit" for kind, _ in graph.world.remote.calls
    )
    assert all(job.done() for job in graph.world.remote.jobs.values())

    # A node ran only after everything that it waits for had succeeded.
    for action_id, waits in graph.waits.items():
        if action_id in actions and actions[action_id].phase is not Phase.SKIPPED:
            for upstream in waits:
                assert actions[upstream].phase is Phase.SUCCEEDED
                assert order.index((upstream, "succeeded")) < order.index((action_id, "queued"))

    # No attempt ran twice, and none after a success.
    for action_id, count in graph.starts.items():
        outcomes = [attempt.outcome for attempt in actions[action_id].attempts]
        assert count <= len(outcomes)
        assert "succeeded" not in outcomes[:-1]

    if not bad:
        assert result.error is None
        assert result.value == graph.expected()
    else:
        assert result.error is not None
        assert any(result.error.action.startswith(action_id) for action_id in bad)
        if graph.plan["policy"] == FAIL_AFTER_EXECUTABLE_NODES_COMPLETE:
            assert actions.keys() >= graph.waits.keys()
            assert {a.phase for a in actions.values()} <= {Phase.SUCCEEDED, Phase.FAILED, Phase.SKIPPED, Phase.ABORTED}
            doomed = set(bad)
            for action_id, waits in graph.waits.items():
                doomed |= {action_id} if waits & doomed else set()
            for action_id in graph.waits.keys() - doomed:
                assert actions[action_id].phase is Phase.SUCCEEDED
            for action_id in doomed - bad:
                assert actions[action_id].phase is Phase.SKIPPED
    if graph.store is not None:
        assert {key: phase for key, (phase, _) in graph.store.disk.items()} == {
            key: action.phase for key, action in actions.items()
        }


@given(graph_plans)
@settings(max_examples=300)
def test_random_graphs(make_world: Any, make_journal: Any, plan: dict[str, Any]) -> None:
    graph = Graph(make_world, make_journal, plan)
    check(graph, graph.world.run(graph.flow, max_parallelism=plan["limit"]))


@given(graph_plans)
@settings(max_examples=60)
def test_the_same_run_gives_the_same_tree(make_world: Any, make_journal: Any, plan: dict[str, Any]) -> None:
    """Ids, outputs and, unless something is cancelled, phases do not depend on when things happen to end."""

    def tree(limit: int | None) -> dict[str, Any]:
        graph = Graph(make_world, make_journal, {**plan, "policy": FAIL_AFTER_EXECUTABLE_NODES_COMPLETE})
        actions = graph.world.run(graph.flow, max_parallelism=limit).actions
        strip = {action.id: action.outputs for action in actions.values()}
        if any(action.phase is Phase.FAILED for action in actions.values()):
            return {key: strip[key] for key in graph.waits}
        return strip

    first = tree(plan["limit"])
    # Names of the tasks, and so the hashes of nested calls, are new in every world; what is left of an id is compared.
    for limit in (None, 1, 3):
        assert sorted(shape(tree(limit))) == sorted(shape(first))


def shape(tree: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(key.partition(".leaf-")[0], repr(outputs)) for key, outputs in tree.items()]


@given(graph_plans, st.integers(0, 25))
@settings(max_examples=150)
def test_an_abort_at_any_moment(
    make_world: Any, make_journal: Any, in_loop: Any, plan: dict[str, Any], turns: int
) -> None:
    """Everything ends, nothing is left running, and no slot or job is lost."""
    graph = Graph(make_world, make_journal, plan)

    async def scenario() -> bool:
        before = asyncio.all_tasks()
        running = asyncio.ensure_future(graph.world.run_async(graph.flow, name="r", max_parallelism=plan["limit"]))
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel("enough")
        await asyncio.wait([running])
        assert asyncio.all_tasks() == before
        assert running.cancelled() or running.exception() is None
        return running.cancelled()

    if in_loop(scenario()):
        actions = graph.world.actions("r")
        assert all(action.final for action in actions.values())
        # It may have ended just before, with only the commit of that left to wait for.
        assert not actions or actions["a0"].phase is Phase.ABORTED or plan["durable"]
    assert all(job.done() for job in graph.world.remote.jobs.values())
