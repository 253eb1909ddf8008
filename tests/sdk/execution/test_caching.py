"""CA-01 to CA-04, CA-06 to CA-16: what is cached, by which key, and how that is switched."""

from __future__ import annotations

import asyncio
import importlib
import sqlite3
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pandas as pd
import pytest

import alula
from alula import (
    Cache,
    File,
    FunctionBodyPolicy,
    HashMethod,
    LaunchPlan,
    TaskEnvironment,
    VersionParameters,
    current_app,
    errors,
    map_task,
    task,
    workflow,
)

ran: list[Any] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    ran.clear()


def counted(**settings: Any) -> Any:
    """Make a cached task that notes when it runs."""

    @task(**settings)
    def note(x: int, y: int = 0) -> int:
        ran.append((x, y))
        return x + y

    return note


# --- hits and misses -----------------------------------------------------------------------------------------------------


def test_equal_inputs_are_a_hit_and_others_are_not() -> None:
    note = counted(cache=True, cache_version="1")
    assert [note(x=1), note(x=1), note(x=2), note(x=1, y=1), note(x=1, y=0)] == [1, 1, 2, 2, 1]
    assert ran == [(1, 0), (2, 0), (1, 1)]


def test_the_action_says_what_became_of_the_cache() -> None:
    note = counted(cache=Cache(version="1"))
    first, second = alula.run(note, x=1), alula.run(note, x=1)
    assert (first.actions[0].cache, second.actions[0].cache) == ("populated", "hit")
    assert second.actions[0].cached_from == f"{first.name}/a0"
    assert second.actions[0].attempts == []
    assert "[cache hit]" in second.tree()
    assert alula.run(counted(), x=1).actions[0].cache == ""


def test_without_being_asked_nothing_is_cached() -> None:
    for settings in ({}, {"cache": False}, {"cache": "disable"}, {"cache": "off"}, {"cache": Cache("disable")}):
        note = counted(**settings)
        note(x=1)
        note(x=1)
    assert len(ran) == 10


def test_failures_are_not_cached() -> None:
    @task(cache=True, cache_version="1")
    def flaky(x: int) -> int:
        ran.append(x)
        if len(ran) == 1:
            raise OSError("once")
        return x

    with pytest.raises(OSError, match="once"):
        flaky(x=1)
    assert flaky(x=1) == flaky(x=1) == 1
    assert ran == [1, 1]


def test_tasks_without_outputs_are_not_cached() -> None:
    @task(cache=True, cache_version="1")
    def effect(x: int) -> None:
        ran.append(x)

    effect(x=1)
    effect(x=1)
    assert ran == [1, 1]


def test_every_kind_of_call_shares_the_cache() -> None:
    note = counted(cache=True, cache_version="1")

    @workflow
    def flow(x: int) -> int:
        return note(x=x)  # type: ignore[no-any-return]

    @task
    def outer(x: int) -> int:
        return note(x=x)  # type: ignore[no-any-return]

    plan = LaunchPlan.get_or_create(flow)
    assert [note(x=1), flow(x=1), outer(x=1), plan(x=1)] == [1, 1, 1, 1]
    assert map_task(note)(x=[1, 2, 1]) == [1, 2, 1]
    assert ran == [(1, 0), (2, 0)]


def test_async_tasks_and_environments() -> None:
    env = TaskEnvironment(name="cached", cache="auto")

    @env.task
    async def note(x: int) -> int:
        ran.append(x)
        return x

    @env.task(cache="disable")
    async def main() -> int:
        return (await note(x=1)) + (await note(x=1))  # type: ignore[no-any-return]

    assert asyncio.run(main()) == asyncio.run(main()) == 2
    assert ran == [1]


def test_none_false_and_empty_outputs_are_cached() -> None:
    @task(cache=True, cache_version="1")
    def gives(kind: str) -> list[int] | None:
        ran.append(kind)
        return None if kind == "none" else []

    assert [gives(kind="none"), gives(kind="none"), gives(kind="empty"), gives(kind="empty")] == [None, None, [], []]
    assert ran == ["none", "empty"]


# --- the key ------------------------------------------------------------------------------------------------------------------


def test_the_version_is_part_of_the_key_and_is_trimmed() -> None:
    env = TaskEnvironment(name="versions")

    def note(x: int) -> int:
        ran.append(x)
        return x

    for version in ("1", " 1 ", "2"):
        env.task(cache=Cache(version=version))(note)(x=1)
    assert ran == [1, 1]
    with pytest.raises(errors.UsageError, match="a cache version was expected and is empty"):
        Cache(version="  ")


def test_ignored_inputs_are_not_part_of_the_key() -> None:
    for settings in (
        {"cache": True, "cache_version": "1", "cache_ignore_input_vars": ("y",)},
        {"cache": Cache(version="2", ignored_inputs="y")},
        {"cache": Cache(version="3", ignored_inputs=("y",))},
    ):
        ran.clear()
        note = counted(**settings)
        assert [note(x=1, y=1), note(x=1, y=2)] == [2, 2]
        assert len(ran) == 1
    with pytest.raises(errors.UnknownNameError, match="unknown ignored cache input 'z'"):
        counted(cache=Cache(version="1", ignored_inputs="z"))(x=1)


def test_types_of_the_interface_are_part_of_the_key_and_descriptions_are_not() -> None:
    env = TaskEnvironment(name="types")

    def make(doc: str, annotation: Any) -> Any:
        def note(x: annotation) -> str:
            ran.append(x)
            return str(x)

        note.__doc__ = doc
        note.__annotations__ = {"x": annotation, "return": str}
        return env.task(cache=Cache(version="1"))(note)

    make("One.", int)(x=1)
    make("Another.\n\nArgs:\n    x: What.", int)(x=1)
    assert ran == [1]
    make("One.", float)(x=1)
    assert len(ran) == 2


def test_project_and_domain_are_part_of_the_key() -> None:
    note = counted(cache=True, cache_version="1")
    for project, domain in (("a", "d"), ("b", "d"), ("a", "e"), ("a", "d")):
        alula.with_runcontext(project=project, domain=domain).run(note, x=1)
    assert len(ran) == 3


def test_data_frames_are_known_by_their_content() -> None:
    @task(cache=True, cache_version="1")
    def total(frame: pd.DataFrame) -> int:
        ran.append(len(frame))
        return int(frame["a"].sum())

    @task
    def make(last: int) -> pd.DataFrame:
        return pd.DataFrame({"a": [1, 2, last]})

    @workflow
    def flow(last: int) -> int:
        return total(frame=make(last=last))

    assert [flow(last=3), flow(last=3), flow(last=4)] == [6, 6, 7]
    assert total(frame=pd.DataFrame({"a": [1, 2, 3]})) == 6
    assert ran == [3, 3]


def test_files_are_known_by_their_content(tmp_path: Path) -> None:
    @task(cache=True, cache_version="1")
    def size(file: File) -> int:
        ran.append(1)
        return Path(file).stat().st_size

    for name, content in (("a", "text"), ("a", "text"), ("b", "text"), ("a", "other text")):
        (tmp_path / name).write_text(content)
        size(file=File(str(tmp_path / name)))
    assert len(ran) == 2


def test_a_hash_of_the_authors_decides() -> None:
    @dataclass
    class Model:
        weights: list[int]
        trained_at: float

    def weights_only(model: Model) -> str:
        return repr(model.weights)

    @task(cache=True, cache_version="1")
    def score(model: Annotated[Model, HashMethod(weights_only)]) -> int:
        ran.append(model.trained_at)
        return sum(model.weights)

    assert [score(model=Model([1], 1.0)), score(model=Model([1], 2.0)), score(model=Model([2], 2.0))] == [1, 1, 2]
    assert ran == [1.0, 2.0]


def test_an_output_whose_data_is_gone_is_computed_again(caplog: pytest.LogCaptureFixture) -> None:
    @task(cache=True, cache_version="1")
    def make(x: int) -> File:
        ran.append(x)
        path = File.new("f.txt")
        Path(path.path).write_text(str(x))
        return path

    Path(make(x=1)).unlink()
    for path in Path(current_app().settings.data_root).rglob("*"):
        if path.is_file():
            path.unlink()
    assert Path(make(x=1)).read_text() == "1"
    assert ran == [1, 1]
    assert "computing them again" in caplog.text


# --- switches of a run -------------------------------------------------------------------------------------------------------


def test_a_run_may_replace_or_leave_the_cache() -> None:
    note = counted(cache=True, cache_version="1")

    @workflow
    def flow(x: int) -> int:
        return note(x=x)  # type: ignore[no-any-return]

    @workflow
    def outer(x: int) -> int:
        return flow(x=x)

    outer(x=1)
    again = alula.with_runcontext(overwrite_cache=True).run(outer, x=1)
    assert [a.cache for a in again.actions] == ["", "", "overwritten"]
    assert len(ran) == 2
    off = alula.with_runcontext(disable_run_cache=True).run(outer, x=1)
    assert [a.cache for a in off.actions] == ["", "", "disabled"]
    alula.with_runcontext(disable_run_cache=True).run(outer, x=2)
    assert len(ran) == 4
    hit = alula.run(outer, x=1)
    assert hit.actions[2].cache == "hit"
    assert hit.actions[2].cached_from == f"{again.name}/a0.n0.n0"
    outer(x=2)
    assert len(ran) == 5, "a run without cache left something behind"


def test_a_node_may_change_its_caching() -> None:
    note = counted()

    @workflow
    def flow(x: int) -> tuple[int, int]:
        return note(x=x).with_overrides(cache=True, cache_version="1"), note(x=x)

    flow(x=1)
    flow(x=1)
    assert len(ran) == 3


def test_equal_calls_at_once_wait_for_the_first() -> None:
    env = TaskEnvironment(name="serialized")

    @env.task(cache=Cache(version="1", serialize=True))
    async def slow(x: int) -> int:
        ran.append(x)
        await asyncio.sleep(0.1)
        return x

    @env.task
    async def main(n: int) -> list[int]:
        return await asyncio.gather(*(slow(x=1) for _ in range(n)))

    run = alula.run(main, n=3)
    assert run.result == [1, 1, 1]
    assert ran == [1]
    assert sorted(a.cache for a in run.actions[1:]) == ["hit", "hit", "populated"]


# --- ways to ask -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"cache": Cache(version="1"), "cache_version": "2"},
        {"cache": Cache("auto"), "cache_serialize": True},
        {"cache": Cache("auto"), "cache_ignore_input_vars": ("x",)},
        {"cache_version": "1"},
        {"cache": False, "cache_serialize": True},
    ],
)
def test_mixtures_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(errors.UsageError, match=r"cannot be mixed|need cache=True"):
        task(**settings)(lambda: None)


def test_cache_objects() -> None:
    assert (Cache("auto").behavior, Cache("auto").version) == ("auto", None)
    for alias in ("enable", "on", "true", "yes"):
        assert Cache(alias).behavior == "auto"
    for alias in ("off", "false", "no", "none"):
        assert Cache(alias).behavior == "disable"
    assert (Cache(version="1").behavior, Cache("override", "1").version, Cache("1.0").version) == (
        "override",
        "1",
        "1.0",
    )
    with pytest.raises(errors.UsageError, match="a cache version was expected"):
        Cache("override")


def test_policies_salt_and_their_parameters() -> None:
    seen: list[VersionParameters] = []

    class Fixed:
        def __init__(self, text: str) -> None:
            self.text = text

        def get_version(self, salt: str, params: VersionParameters) -> str:
            seen.append(params)
            return f"{salt}{self.text}"

    def version(**settings: Any) -> str:
        note = counted(cache=Cache(**settings), container_image="image:1")
        spec = note.spec(current_app())
        return str(spec.cache.version)

    assert version(policies=Fixed("a")) == version(policies=[Fixed("a")])
    assert version(policies=Fixed("a")) != version(policies=Fixed("b"))
    assert version(policies=[Fixed("a"), Fixed("b")]) != version(policies=[Fixed("ab")])
    assert version(policies=Fixed("a"), salt="s") != version(policies=Fixed("a"))
    assert version(salt="s") != version() == version(policies=FunctionBodyPolicy())
    assert seen[0].func is not None
    assert seen[0].container_image == "image:1"


# --- "auto": the code is the version -----------------------------------------------------------------------------------------------


BASE = """
    from alula import task
    from . import helpers
    from .helpers import scale

    FACTOR = 2
    SEEN = []

    class Offset:
        def value(self):
            return 1

    def local(x):
        return x + Offset().value()

    @task(cache="auto")
    def work(x: int) -> int:
        '''Work.'''
        from .lazy import later

        return local(scale(x)) * FACTOR + helpers.shift(x) + len(SEEN) + helpers.look(x) + later()
"""
LAZY = """
    def later():
        return 100
"""
HELPERS = """
    def inner(x):
        return x * 3

    def scale(x):
        return inner(x)

    TABLE = {"a": [1, 2]}

    def shift(x):
        return 5

    def look(x):
        return TABLE["a"][x]

    def unrelated(x):
        return x
"""


SOURCES = {"work": BASE, "helpers": HELPERS, "lazy": LAZY}
Loader = Callable[[Mapping[str, str]], ModuleType]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loader]:
    """Give a function that writes a package of two modules and imports it anew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    folder = tmp_path / "auto_cached"
    folder.mkdir()
    (folder / "__init__.py").write_text("")

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "auto_cached"]:
            del sys.modules[name]

    def load(sources: Mapping[str, str]) -> ModuleType:
        import linecache

        for name, source in sources.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(source))
        forget()
        linecache.clearcache()
        importlib.invalidate_caches()
        return importlib.import_module("auto_cached.work")

    yield load
    forget()


def version_of(module: ModuleType) -> str:
    spec = module.work.spec(current_app())
    return str(spec.cache.version)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("work", "* FACTOR +", "* FACTOR -"),
        ("work", "return x + Offset", "return x - Offset"),
        ("work", "return 1", "return 2"),
        ("work", "FACTOR = 2", "FACTOR = 3"),
        ("helpers", "x * 3", "x * 4"),
        ("helpers", "return inner(x)", "return inner(x) + 1"),
        ("helpers", "return 5", "return 6"),
        ("helpers", '{"a": [1, 2]}', '{"a": [1, 3]}'),
        ("lazy", "return 100", "return 200"),
        ("work", "SEEN = []", "SEEN = [1, 2]"),
    ],
)
def test_a_change_of_what_the_task_does_is_another_version(package: Loader, file: str, old: str, new: str) -> None:
    before = package(SOURCES)
    first, result = version_of(before), before.work(x=1)
    changed = dict(SOURCES)
    assert old in changed[file]
    changed[file] = changed[file].replace(old, new)
    after = package(changed)
    assert version_of(after) != first
    assert after.work(x=1) != result, "the test changes nothing"


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("work", "'''Work.'''", "'''Work, in other words.'''"),
        ("work", "'''Work.'''", ""),
        ("work", "    return local", "    # a comment\n        return local"),
        ("work", '@task(cache="auto")', '@task(cache="auto", retries=3)'),
        ("work", "def local(x):", "def local(x):\n        '''Explain.'''"),
        ("work", "x: int) -> int:", "x: 'int') -> 'int':"),
        ("helpers", "return x * 3", "return (\n            x\n            * 3\n        )"),
        ("helpers", "return x\n", "return -x\n"),
        ("helpers", "def inner", "NEW = 1\n\n    def inner"),
        ("work", "from . import helpers", "import os\n    from . import helpers"),
    ],
)
def test_a_change_of_anything_else_is_the_same_version(package: Loader, file: str, old: str, new: str) -> None:
    before = package(SOURCES)
    first, result = version_of(before), before.work(x=1)
    changed = dict(SOURCES)
    assert old in changed[file]
    changed[file] = changed[file].replace(old, new)
    after = package(changed)
    assert version_of(after) == first
    run = alula.run(after.work, x=1)
    assert (run.result, run.actions[0].cache) == (result, "hit")


def test_the_version_is_the_same_in_another_process(package: Loader, tmp_path: Path) -> None:
    import subprocess

    module = package(SOURCES)
    script = "from auto_cached.work import work; import alula; print(work.spec(alula.current_app()).cache.version)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path, timeout=120
    )
    assert done.stdout.strip() == version_of(module)


def test_tasks_that_the_task_calls_count_as_well() -> None:
    def make(factor: int) -> Any:
        @task
        def inner(x: int) -> int:
            return x * factor

        @task(cache="auto")
        def outer(x: int) -> int:
            return inner(x=x)  # type: ignore[no-any-return]

        return outer

    versions = {make(factor).spec(current_app()).cache.version for factor in (1, 2, 1)}
    assert len(versions) == 2


def test_a_list_that_grows_while_the_program_runs_does_not_change_the_version(package: Loader) -> None:
    module = package(SOURCES)
    first = version_of(module)
    module.SEEN.append(1)
    note = task(cache="auto")(module.work.function)
    assert note.spec(current_app()).cache.version == first


def test_recursive_functions_have_a_version() -> None:
    @task(cache="auto")
    def outer(x: int) -> int:
        return _even(x)

    spec = outer.spec(current_app())
    assert spec.cache is not None
    assert spec.cache.version


def _even(x: int) -> int:
    return 1 if x == 0 else _odd(x - 1)


def _odd(x: int) -> int:
    return 0 if x == 0 else _even(x - 1)


def test_a_function_without_source_has_a_version() -> None:
    names: dict[str, Any] = {"task": task, "__name__": "typed_in"}
    exec("@task(cache='auto')\ndef work(x: int) -> int:\n    return x + 1\n", names)
    first = names["work"].spec(current_app()).cache.version
    exec("@task(cache='auto')\ndef work(x: int) -> int:\n    return x + 2\n", names)
    assert names["work"].spec(current_app()).cache.version != first


# --- the cache itself ------------------------------------------------------------------------------------------------------------


def test_a_damaged_entry_is_a_miss_with_a_warning(alula_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    note = counted(cache=True, cache_version="1")
    note(x=1)
    current_app().close()
    database = alula_home / "cache.db"
    connection = sqlite3.connect(database)
    tables = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
    blobs = [
        (table, column[1])
        for table in tables
        for column in connection.execute(f"pragma table_info({table})")
        if column[2].upper() == "BLOB"
    ]
    for table, column in blobs:
        connection.execute(f"update {table} set {column} = x'00'")
    connection.commit()
    connection.close()
    assert blobs
    assert note(x=1) == 1
    assert len(ran) == 2
    assert caplog.text


def test_a_damaged_cache_file_does_not_stop_a_run(alula_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    note = counted(cache=True, cache_version="1")
    note(x=1)
    current_app().close()
    for path in alula_home.glob("cache.db*"):
        path.write_bytes(b"this is no database" * 1_000)
    assert note(x=1) == 1
    assert len(ran) == 2
    assert caplog.text


def test_a_cache_of_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALULA_CACHE", "memory")
    note = counted(cache=True, cache_version="1")
    note(x=1)
    note(x=1)
    assert len(ran) == 1
    monkeypatch.setenv("ALULA_CACHE", "nosuch")
    with pytest.raises(errors.UnknownNameError, match="unknown cache 'nosuch'"):
        note(x=1)
