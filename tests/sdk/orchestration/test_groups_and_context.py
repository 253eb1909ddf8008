"""AU-30, AU-35, AU-36: groups, the custom context, and what a task can ask about itself."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

import alula
from alula import TaskEnvironment, dynamic, errors, workflow

env = TaskEnvironment(name="groups")


@env.task
async def leaf(x: int) -> int:
    return x


# --- groups ----------------------------------------------------------------------------------------------------------


def test_groups_are_shown_and_nest() -> None:
    @env.task
    async def main() -> int:
        with alula.group("outer"):
            total = await leaf(1)
            with alula.group("inner"):
                total += await leaf(2)
                total += sum([x async for x in alula.map.aio(leaf, [3, 4], group_name="items")])
        return total + await leaf(5)  # type: ignore[no-any-return]

    run = alula.run(main)
    assert run.result == 15
    assert [a.group for a in run.actions[1:]] == ["outer", "outer/inner", "outer/inner/items", "outer/inner/items", ""]
    lines = [line.rpartition(" leaf ")[0].strip() or line.strip() for line in run.tree().splitlines()[1:]]
    assert lines == [
        "group      outer",
        "succeeded",
        "group      outer/inner",
        "succeeded",
        "group      outer/inner/items",
        "succeeded",
        "succeeded",
        "succeeded",
    ]


def test_a_group_is_no_part_of_an_id() -> None:
    @env.task
    async def main(name: str) -> int:
        with alula.group(name):
            return await leaf(1)  # type: ignore[no-any-return]

    assert alula.run(main, name="a").actions[1].id == alula.run(main, name="b").actions[1].id


def test_a_group_belongs_to_the_task_that_opened_it() -> None:
    @env.task
    async def middle() -> int:
        assert alula.ctx().group_data == ""  # type: ignore[union-attr]
        return await leaf(1)  # type: ignore[no-any-return]

    @env.task
    async def main() -> int:
        with alula.group("mine"):
            assert alula.ctx().group_data == "mine"  # type: ignore[union-attr]
            return await middle()  # type: ignore[no-any-return]

    run = alula.run(main)
    assert [(a.name, a.group) for a in run.actions] == [("main", ""), ("middle", "mine"), ("leaf", "")]


def test_coroutines_have_groups_of_their_own() -> None:
    async def one(name: str, x: int) -> int:
        with alula.group(name):
            await asyncio.sleep(0)
            return await leaf(x)  # type: ignore[no-any-return]

    @env.task
    async def main() -> int:
        return sum(await asyncio.gather(one("a", 1), one("b", 2)))

    run = alula.run(main)
    assert sorted(a.group for a in run.actions[1:]) == ["a", "b"]


def test_outside_of_a_task_a_group_does_nothing_to_calls() -> None:
    with alula.group("nothing"):
        run = alula.run(leaf, x=1)
        assert run.actions[0].group == ""
    with pytest.raises(errors.UsageError, match="name"), alula.group(""):
        pass


# --- the custom context ----------------------------------------------------------------------------------------------


def test_the_custom_context_reaches_everything_below() -> None:
    @env.task
    def seen(x: int = 0) -> dict[str, str]:
        return alula.get_custom_context()

    @workflow
    def flow() -> dict[str, str]:
        return seen()

    @dynamic
    def graph() -> dict[str, str]:
        return seen()

    @env.task
    async def middle() -> list[dict[str, str]]:
        with alula.custom_context(user="ada", step="2"):
            return [seen(), await seen.aio(), flow(), graph(), *alula.map(seen, [1])]

    @env.task
    async def main() -> list[dict[str, str]]:
        with alula.custom_context(step="1"):
            inner = await middle()
            return [*inner, seen(), alula.get_custom_context()]

    runner = alula.with_runcontext(custom_context={"trace": "7", "step": "0"})
    run = runner.run(main)
    below = {"trace": "7", "step": "2", "user": "ada"}
    own = {"trace": "7", "step": "1"}
    assert run.result == [below] * 5 + [own] * 2
    assert asyncio.run(_awaited(runner, main)) == run.result


async def _awaited(runner: alula._run.Runner, entity: object) -> object:  # type: ignore[name-defined]
    return (await runner.run.aio(entity)).result


def test_a_block_at_top_level_adds_to_the_runs_that_begin_in_it() -> None:
    @env.task
    def seen(x: int = 0) -> dict[str, str]:
        return alula.get_custom_context()

    with alula.custom_context(a="1"):
        with alula.custom_context(b="2"):
            assert alula.get_custom_context() == {"a": "1", "b": "2"}
            assert seen() == {"a": "1", "b": "2"}
            assert list(alula.map(seen, [1])) == [{"a": "1", "b": "2"}]
            assert alula.with_runcontext(custom_context={"b": "3"}).run(seen).result == {"a": "1", "b": "3"}
        assert seen() == {"a": "1"}
    assert seen() == {}
    assert alula.get_custom_context() == {}


def test_the_custom_context_is_no_part_of_an_id_or_cache_key() -> None:
    ran = []

    @alula.task(cache=True, cache_version="1")
    def once() -> int:
        ran.append(1)
        return 1

    @env.task
    def main(user: str) -> int:
        with alula.custom_context(user=user):
            return once()

    first, second = alula.run(main, user="a"), alula.run(main, user="b")
    assert first.actions[1].id == second.actions[1].id
    assert second.actions[1].cache == "hit"
    assert ran == [1]


def test_values_are_text() -> None:
    with pytest.raises(errors.UsageError, match=r"'n' .* found int"), alula.custom_context(n=1):  # type: ignore[arg-type]
        pass


# --- ctx() -----------------------------------------------------------------------------------------------------------


def test_what_a_task_can_ask_about_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    tries = []

    @env.task
    def child() -> dt.datetime:
        context = alula.ctx()
        assert context is not None
        return context.run_start_time

    @env.task(retries=1)
    def main() -> None:
        context = alula.ctx()
        assert context is not None
        tries.append(context.attempt_number)
        if len(tries) == 1:
            raise OSError("again")
        assert context.run_name == "the-run"
        assert (context.action.name, context.action.run_name) == ("a0", "the-run")
        assert context.output_path == context.raw_data_path == f"{context.run_base_dir}/a0/2"
        assert context.run_base_dir.endswith("/runs/the-run")
        assert context.run_start_time == child()
        assert before <= context.run_start_time <= dt.datetime.now(dt.timezone.utc)
        assert (context.version, context.code_bundle) == ("", None)
        assert (context.rank, context.world_size, context.local_rank, context.local_world_size, context.node_rank) == (
            3,
            4,
            0,
            1,
            0,
        )
        assert not context.is_in_cluster()
        assert context.mode == "local"

    before = dt.datetime.now(dt.timezone.utc)
    alula.with_runcontext(name="the-run").run(main).raise_for_error()
    assert tries == [1, 2]
    assert alula.ctx() is None
