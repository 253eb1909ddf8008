"""The conformance kit itself: numbers, flags, documentation, and that a suite finds what is wrong."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pytest

from alula_kernel.builtin.backends import FileBackend, MemoryBackend
from alula_kernel.builtin.sqlite_cache import MemoryCache
from alula_kernel.contracts import (
    SUCCEEDED,
    Attempt,
    BlobBackend,
    Cache,
    CacheEntry,
    Controller,
    ConversionContext,
    Converter,
    Handle,
    Outcome,
    TaskExecutor,
    TypeRequest,
    TypeTransformer,
)
from alula_kernel.engine import MemoryStore, RunRecord, Store
from alula_kernel.literals import Literal, Scalar
from alula_kernel.registry import TypeRegistry
from alula_kernel.testing import (
    BlobBackendConformance,
    CacheConformance,
    Conformance,
    ImageBuilderConformance,
    NoCalls,
    Sample,
    SecretProviderConformance,
    StoreConformance,
    TableStoreConformance,
    TaskExecutorConformance,
    TypeTransformerConformance,
    needs,
    run_sample,
    sample_attempt,
    scenarios,
)
from alula_kernel.testing.caches import cache_entry
from alula_kernel.types import STR, Opaque

SUITES = {
    "T": TypeTransformerConformance,
    "E": TaskExecutorConformance,
    "B": BlobBackendConformance,
    "C": CacheConformance,
    "S": StoreConformance,
    "P": SecretProviderConformance,
    "I": ImageBuilderConformance,
    "F": TableStoreConformance,
}
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "conformance.md"


@pytest.mark.parametrize("letter", SUITES)
def test_scenarios_are_numbered_without_gaps(letter: str) -> None:
    numbers = [scenario.number for scenario in scenarios(SUITES[letter])]
    assert numbers == [f"{letter}{n:02}" for n in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("letter", SUITES)
def test_documentation_and_suite_say_the_same(letter: str) -> None:
    documented = {
        match[1]: (match[2], match[3])
        for match in re.finditer(rf"^\| ({letter}\d\d) \| (.+?) \| (.*?) ?\|$", PAGE.read_text(), re.MULTILINE)
    }
    coded = {
        scenario.number: (scenario.summary.replace("``", "`"), ", ".join(f"`{flag}`" for flag in scenario.needs))
        for scenario in scenarios(SUITES[letter])
    }
    assert documented == coded


@pytest.mark.parametrize("letter", SUITES)
def test_every_flag_is_documented_on_the_suite(letter: str) -> None:
    suite = SUITES[letter]
    flags = {name for name, value in vars(suite).items() if isinstance(value, bool)}
    used = {flag.removeprefix("not ") for scenario in scenarios(suite) for flag in scenario.needs}
    documented = set(re.findall(r"^ +(\w+): ", suite.__doc__ or "", re.MULTILINE))
    assert flags | used <= documented


def test_a_scenario_whose_flag_is_off_is_hidden_and_comes_back() -> None:
    class Suite(Conformance):
        can_fly = True

        @needs("can_fly")
        def test_X01_flies(self) -> None:
            """It flies."""

        @needs("not can_fly")
        def test_X02_walks(self) -> None:
            """It walks."""

    class Penguin(Suite):
        can_fly = False

    class FlyingPenguin(Penguin):
        can_fly = True

    hidden = {
        cls: [n for n in ("test_X01_flies", "test_X02_walks") if getattr(cls, n) is None]
        for cls in (Suite, Penguin, FlyingPenguin)
    }
    assert hidden == {Suite: ["test_X02_walks"], Penguin: ["test_X01_flies"], FlyingPenguin: ["test_X02_walks"]}
    assert [(s.number, s.summary) for s in scenarios(Penguin)] == [("X01", "It flies."), ("X02", "It walks.")]


def test_a_suite_without_its_fixture_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "from alula_kernel.testing import CacheConformance\nclass TestIt(CacheConformance): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py", "-k", "C01"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "a subclass of CacheConformance provides the fixture open_cache" in done.stdout


def test_the_kit_names_pytest_when_it_is_missing() -> None:
    code = "import sys; sys.modules['pytest'] = None\nimport alula_kernel.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingDependencyError: alula_kernel.testing needs pytest" in done.stderr


def test_nothing_of_the_kernel_needs_the_kit() -> None:
    code = "import sys, alula_kernel.contracts, alula_kernel.plugins, alula_kernel.registry; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# --- sample attempts -------------------------------------------------------------------------------------------------


def test_sample_attempts_have_ids_of_their_own_and_travel() -> None:
    first, second = (sample_attempt("add", {"a": 1, "b": 2}) for _ in range(2))
    assert first.id != second.id
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(first), type=Attempt) == first
    assert run_sample(first).outputs == {"o0": Scalar(3)}


# --- a suite finds what is wrong -------------------------------------------------------------------------------------


class TornWrites(MemoryBackend):
    def open_write(self, uri: str) -> BinaryIO:
        self.keep(uri, b"")
        return super().open_write(uri)


class ForgetsNeighbours(MemoryBackend):
    def delete(self, uri: str) -> None:
        for info in self.list("memory://base"):
            if info.uri.startswith(uri):
                super().delete(info.uri)


class UnsortedListing(MemoryBackend):
    def list(self, uri: str) -> Any:
        return reversed(list(super().list(uri)))


class SilentMissing(MemoryBackend):
    def size(self, uri: str) -> int | None:
        return super().size(uri) if self.exists(uri) else None


@pytest.mark.parametrize(
    ("backend", "scenario"),
    [
        (TornWrites(), "test_B09_not_there_before_it_is_whole"),
        (TornWrites(), "test_B10_an_exception_leaves_nothing"),
        (ForgetsNeighbours(), "test_B16_delete_an_object"),
        (UnsortedListing(), "test_B14_list"),
        (SilentMissing(), "test_B23_missing_object"),
    ],
)
def test_backends(backend: BlobBackend, scenario: str, tmp_path: Path) -> None:
    class Suite(BlobBackendConformance):
        pass

    def place(name: str, content: bytes) -> str:
        with backend.open_write(f"memory://base/{name}") as stream:
            stream.write(content)
        return f"memory://base/{name}"

    _refuted(Suite(), scenario, backend=backend, base_uri="memory://base", place=place, tmp_path=tmp_path)


class KeepsTheFirst(MemoryCache):
    def put(self, entry: CacheEntry) -> None:
        if self.get(entry.key.digest) is None:
            super().put(entry)


class GivesAwayReservations(MemoryCache):
    def release(self, digest: str, owner: str) -> None:
        super().release(digest, super().reserve(digest, owner, 60))


class NeverExpires(MemoryCache):
    def reserve(self, digest: str, owner: str, ttl_seconds: float) -> str:
        return super().reserve(digest, owner, 60)


class MatchesPrefixes(MemoryCache):
    def entries(self, task: str = "") -> Any:
        return (entry for entry in super().entries() if entry.key.task.startswith(task))


@pytest.mark.parametrize(
    ("cache", "scenario"),
    [
        (KeepsTheFirst(), "test_C06_replace"),
        (GivesAwayReservations(), "test_C16_release"),
        (NeverExpires(), "test_C15_take_over"),
        (MatchesPrefixes(), "test_C10_odd_task_names"),
    ],
)
def test_caches(cache: Cache, scenario: str) -> None:
    class Suite(CacheConformance):
        pass

    _refuted(Suite(), scenario, cache=cache)


def test_a_cache_entry_of_the_kit_is_found_by_its_digest() -> None:
    cache = MemoryCache()
    cache.put(cache_entry("a"))
    assert cache.get(cache_entry("a").key.digest) is not None
    assert cache_entry("a").key.digest != cache_entry("a", task="other").key.digest


class NewestFirst(MemoryStore):
    def actions(self, run: str) -> Any:
        return list(super().actions(run))[::-1]


class AnyoneClaims(MemoryStore):
    def claim_run(self, name: str, owner: str, before: str) -> bool:
        return self.find_run(name) is not None


class TakesNamesAgain(MemoryStore):
    def begin_run(self, record: RunRecord) -> None:
        self.change_run(record)


class KeepsActions(MemoryStore):
    def forget(self, run: str) -> None:
        self._records.pop(run, None)


@pytest.mark.parametrize(
    ("store", "scenario"),
    [
        (NewestFirst(), "test_S06_order_of_creation"),
        (AnyoneClaims(), "test_S23_what_cannot_be_claimed"),
        (TakesNamesAgain(), "test_S19_name_taken"),
        (KeepsActions(), "test_S09_forget"),
    ],
)
def test_stores(store: Store, scenario: str) -> None:
    class Suite(StoreConformance):
        pass

    _refuted(Suite(), scenario, store=store)


class Forgetful(TaskExecutor):
    """Runs an attempt whenever it is waited for, and tells everything in its handle."""

    name = "forgetful"

    async def submit(self, attempt: Attempt, controller: Controller) -> Handle:
        return {"attempt": msgspec.json.encode(attempt).decode()}

    async def wait(self, handle: Handle) -> Outcome:
        return run_sample(msgspec.json.decode(handle["attempt"], type=Attempt))

    async def cancel(self, handle: Handle) -> None:
        await asyncio.sleep(0)


class Optimistic(Forgetful):
    async def wait(self, handle: Handle) -> Outcome:
        return Outcome(kind=SUCCEEDED, outputs=(await super().wait(handle)).outputs)


@pytest.mark.parametrize(
    ("executor", "scenario"),
    [
        (Forgetful(), "test_E04_handle_is_small_json"),
        (Forgetful(), "test_E05_handle_without_secrets"),
        (Forgetful(), "test_E12_submit_again"),
        (Forgetful(), "test_E13_runs_once"),
        (Forgetful(), "test_E19_lost"),
        (Optimistic(), "test_E06_user_failure"),
    ],
)
def test_executors(executor: TaskExecutor, scenario: str, tmp_path: Path) -> None:
    class Suite(TaskExecutorConformance):
        pass

    _refuted(Suite(), scenario, executor=executor, make_attempt=sample_attempt, tmp_path=tmp_path)


class Name:
    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Name) and other.text == self.text

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Name({self.text})"


class NameConverter(Converter[Name]):
    """Takes anything, shows it without escaping, and writes something else every time."""

    def __init__(self) -> None:
        self.python_type, self.literal_type = Name, Opaque("Name")
        self.count = 0

    def to_literal(self, value: Name, context: ConversionContext) -> Literal:
        self.count += 1
        return Scalar(f"{getattr(value, 'text', value)} {self.count}")

    def to_python(self, literal: Literal, context: ConversionContext) -> Name:
        return Name(literal.value)  # type: ignore[union-attr, arg-type]

    def to_html(self, value: Name) -> str:
        return f"<b>{value.text}</b>"


class NameTransformer(TypeTransformer):
    name = "name"
    python_types = (Name,)

    def converter(self, request: TypeRequest) -> Converter[Name]:
        return NameConverter()

    def python_type(self, literal_type: Any) -> Any:
        return Name


@pytest.mark.parametrize(
    "scenario",
    [
        "test_T04_round_trip",
        "test_T07_stable_hash",
        "test_T09_wrong_value",
        "test_T10_wrong_literal",
        "test_T12_from_plain",
        "test_T15_html",
        "test_T19_foreign_literal_type",
    ],
)
def test_transformers(scenario: str, type_registry: TypeRegistry, conversion_context: ConversionContext) -> None:
    class Suite(TypeTransformerConformance):
        pass

    transformer = NameTransformer()
    type_registry.register(transformer, "test")
    _refuted(
        Suite(),
        scenario,
        registry=type_registry,
        transformer=transformer,
        samples=[Sample(Name, Name("<script>"), plain={"text": "<script>"})],
        wrong_values=[3],
        wrong_literals=[Scalar(3)],
        conversion_context=conversion_context,
    )


def test_a_heavy_import_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "heavy_plugin_module.py").write_text("import colorsys\n")
    monkeypatch.syspath_prepend(tmp_path)

    class Suite(TypeTransformerConformance):
        heavy_modules = ("colorsys",)

    transformer = type("Heavy", (NameTransformer,), {"__module__": "heavy_plugin_module"})()
    _refuted(Suite(), "test_T20_light_module", transformer=transformer)


def _refuted(suite: Conformance, scenario: str, **fixtures: Any) -> None:
    """Check that a scenario fails where the implementation is wrong."""
    function: Callable[..., None] = getattr(suite, scenario)
    wanted = function.__code__.co_varnames[1 : function.__code__.co_argcount]
    with pytest.raises((AssertionError, pytest.fail.Exception, OSError, TypeError, ValueError, msgspec.MsgspecError)):
        function(**{name: fixtures[name] for name in wanted})


def test_controllers_of_the_kit_refuse_calls() -> None:
    controller = NoCalls()
    controller.note_exception(KeyError("x"))
    assert isinstance(controller.exception, KeyError)


# --- the pytest plugin -----------------------------------------------------------------------------------------------


def test_fixtures(alula_home: Path, type_registry: TypeRegistry, conversion_context: ConversionContext) -> None:
    assert list(alula_home.iterdir()) == []
    assert type_registry.converter(str).literal_type == STR
    blob = conversion_context.storage.put_bytes(b"content")
    with conversion_context.storage.open(blob.uri) as stream:
        assert stream.read() == b"content"
    assert isinstance(FileBackend(), BlobBackend)
