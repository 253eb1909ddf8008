"""OB-02: what a task can ask about itself."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import alula
from alula import File, Secret, TaskEnvironment, ctx, current_context, errors, task, workflow
from alula_kernel.specs import SecretSpec

env = TaskEnvironment(name="contexts")


def test_outside_of_a_task_there_is_none_but_a_context_to_try_things_out() -> None:
    assert ctx() is None
    context = current_context()
    assert context.execution_id.name == "local"
    assert context.task_id is None
    folder = Path(context.working_directory)
    assert folder.is_dir()
    assert context.checkpoint.read() is None
    assert context.execution_date.tzinfo is not None
    assert isinstance(context.logging, logging.Logger)


def test_inside_of_a_task() -> None:
    seen: dict[str, Any] = {}

    @task
    def look(x: int) -> None:
        context = current_context()
        assert context is ctx()
        seen.update(
            run=context.run_name,
            action=context.action_name,
            number=context.attempt_number,
            task=context.task_id.name,
            execution=str(context.execution_id),
            date=context.execution_date,
            mode=context.mode,
            ids=context.action,
            prefix=context.output_prefix,
            raw=context.raw_output_prefix,
        )

    @workflow
    def flow() -> None:
        look(x=1)

    run = alula.run(flow)
    assert seen["run"] == run.name
    assert (seen["action"], seen["number"], seen["task"], seen["mode"]) == ("a0.n0", 1, look.name, "local")
    assert seen["execution"] == f"default/development/{run.name}"
    assert (seen["ids"].name, seen["ids"].run_name, seen["ids"].domain) == ("a0.n0", run.name, "development")
    assert abs(seen["date"] - dt.datetime.now(dt.timezone.utc)) < dt.timedelta(minutes=1)
    assert run.name in seen["prefix"]
    assert seen["raw"] == seen["prefix"]


def test_the_working_directory_is_new_empty_and_goes_away() -> None:
    folders: list[Path] = []

    @task
    def work(fail: bool) -> None:
        folder = Path(current_context().working_directory)
        assert list(folder.iterdir()) == []
        (folder / "file").write_text("x")
        assert current_context().working_directory == str(folder)
        folders.append(folder)
        if fail:
            raise OSError("failed")

    work(fail=False)
    with pytest.raises(OSError, match="failed"):
        work(fail=True)
    assert len(set(folders)) == 2
    assert not any(folder.exists() for folder in folders)


def test_files_in_the_working_directory_may_be_returned() -> None:
    @task
    def write() -> alula.File:
        path = Path(current_context().working_directory) / "result.txt"
        path.write_text("result")
        return alula.File(str(path))

    assert Path(write()).read_text() == "result"


def test_tasks_side_by_side_have_contexts_of_their_own() -> None:
    @env.task
    async def name(x: int) -> str:
        before = ctx().action_name  # type: ignore[union-attr]
        await asyncio.sleep(0.01)
        after = ctx().action_name  # type: ignore[union-attr]
        assert before == after
        return str(before)

    @env.task
    async def main() -> list[str]:
        own = ctx().action_name  # type: ignore[union-attr]
        names = await asyncio.gather(*(name(x=i) for i in range(5)))
        assert ctx().action_name == own  # type: ignore[union-attr]
        return names

    assert len(set(asyncio.run(main()))) == 5


def test_a_nested_call_gives_the_context_back() -> None:
    @task
    def inner() -> str:
        return str(current_context().action_name)

    @task
    def outer() -> list[str]:
        return [str(current_context().action_name), inner(), str(current_context().action_name)]

    first, middle, last = outer()
    assert first == last == "a0"
    assert middle.startswith("a0.")


def test_the_logger_of_tasks(caplog: pytest.LogCaptureFixture) -> None:
    @task
    def speaks() -> None:
        current_context().logging.warning("from the context")
        alula.logger.warning("from the module")

    speaks()
    assert [record.message for record in caplog.records] == ["from the context", "from the module"]
    assert {record.name for record in caplog.records} == {"alula.task"}


def test_environment_variables_of_run_and_task() -> None:
    import os

    @task(environment={"ALULA_T": "task", "ALULA_BOTH": "task"})
    def read() -> list[str]:
        return [os.environ["ALULA_T"], os.environ["ALULA_R"], os.environ["ALULA_BOTH"]]

    run = alula.with_runcontext(env_vars={"ALULA_R": "run", "ALULA_BOTH": "run"}).run(read)
    assert run.result == ["task", "run", "task"]
    assert not {"ALULA_T", "ALULA_R", "ALULA_BOTH"} & os.environ.keys()


def test_secrets_of_a_local_run(monkeypatch: pytest.MonkeyPatch, alula_home: Path) -> None:
    @task(secret_requests=[Secret(group="db", key="pass-word")])
    def ask(group: str, key: str) -> str:
        value: str = current_context().secrets.get(group or None, key or None)
        return value[::-1]  # as it is, it would be refused

    monkeypatch.setenv("ALULA_SECRET_DB_PASS_WORD", "from the environment")
    (alula_home / "secrets" / "files").mkdir(parents=True)
    (alula_home / "secrets" / "files" / "token").write_text("from a file\n")
    (alula_home / "secrets" / "alone").write_text("no group")
    assert ask(group="db", key="pass-word") == "from the environment"[::-1]
    assert ask(group="files", key="token") == "from a file"[::-1]
    assert ask(group="", key="alone") == "no group"[::-1]
    assert current_context().secrets.get("files", "token", encode_mode="rb") == b"from a file\n"
    assert ask.spec(alula.current_app()).secrets == (SecretSpec(key="pass-word", group="db", variable="DB_PASS_WORD"),)
    with pytest.raises(errors.UsageError, match="there is no secret 'db/other'") as caught:
        ask(group="db", key="other")
    assert "ALULA_SECRET_DB_OTHER" in caught.value.hint
    with pytest.raises(errors.UsageError, match=r"there is no secret '\.\./cache\.db'"):
        ask(group="..", key="cache.db")
    with pytest.raises(errors.UsageError, match="needs a key, a group"):
        Secret()


def test_stats_go_to_a_logger(caplog: pytest.LogCaptureFixture) -> None:
    @task
    def counts() -> None:
        stats = current_context().stats
        stats.incr("seen", 2)
        stats.decr("seen")
        stats.gauge("size", 1.5)
        with stats.timer("work"):
            pass

    with caplog.at_level(logging.DEBUG, "alula.stats"):
        counts()
    assert [record.message for record in caplog.records][:3] == ["seen +2", "seen -1", "size = 1.5"]
    assert caplog.records[3].message.startswith("work took ")


def test_what_plugins_offer() -> None:
    @task
    def uses() -> list[str]:
        context = current_context()
        context.data["SPARK_SESSION"] = "session"
        with pytest.raises(AttributeError, match="has no 'nothing'"):
            context.nothing  # noqa: B018 - the access is the test
        return [context.spark_session, context["SPARK_SESSION"], str(context.enable_deck)]

    assert uses() == ["session", "session", "False"]


def test_what_is_kept_until_the_end_lasts_until_outputs_are_stored(tmp_path: Path) -> None:
    folder = tmp_path / "kept"

    @contextlib.contextmanager
    def kept() -> Iterator[Path]:
        folder.mkdir()
        (folder / "text").write_text("content")
        yield folder / "text"
        shutil.rmtree(folder)

    @task
    def gives(fail: bool = False) -> File:
        path = current_context().until_end.enter_context(kept())
        if fail:
            raise ValueError("no")
        return File(str(path))

    assert Path(gives().download()).read_text() == "content"
    assert not folder.exists()
    with pytest.raises(ValueError, match="no"):
        gives(fail=True)
    assert not folder.exists()
