"""What is part of a cache key, what is not, and how a miss is explained."""

from __future__ import annotations

import gc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula_kernel import cachekeys
from alula_kernel.cachekeys import Difference, cache_key, differences, explain
from alula_kernel.contracts import CacheKey
from alula_kernel.errors import CompileError, EngineError
from alula_kernel.literals import Blob, Dataset, Hashed, ListLiteral, Literal, MapLiteral, NonFinite, Scalar
from alula_kernel.specs import CacheSpec, EntityId, Interface, RetryPolicy, TaskSpec, Variable
from alula_kernel.types import FLOAT, INT, STR


def task(**changes: object) -> TaskSpec:
    fields: dict[str, object] = {
        "id": EntityId("task", "m.train", version="v1"),
        "interface": Interface({"x": Variable(INT), "y": Variable(STR)}, {"o0": Variable(INT)}),
        "cache": CacheSpec("1"),
    }
    return TaskSpec(**{**fields, **changes})  # type: ignore[arg-type]


INPUTS: dict[str, Literal] = {"x": Scalar(1), "y": Scalar("a")}


def key(spec: TaskSpec | None = None, inputs: dict[str, Literal] | None = None, **place: str) -> CacheKey:
    return cache_key(spec or task(), inputs or INPUTS, **{"project": "p", "domain": "d", **place})


def test_the_digest_stays_the_same_from_release_to_release() -> None:
    assert key().digest == "0ee2cb968fc43446461d2d1b8e7f3536e5aea78d50074a66ee531f3095c7b7ff"


def test_the_parts_are_readable() -> None:
    found = key()
    assert (found.project, found.domain, found.task, found.version) == ("p", "d", "m.train", "1")
    assert found.interface == task().interface.fingerprint()
    assert list(found.inputs) == ["x", "y"]
    assert all(len(value) == 64 for value in (found.digest, *found.inputs.values()))


@pytest.mark.parametrize(
    "other",
    [
        task(id=EntityId("task", "m.train", version="v2")),
        task(description="New words.", documentation="More."),
        task(retries=RetryPolicy(user=3), image="python:3.12", environment={"A": "b"}),
        task(cache=CacheSpec("  1 \n", serialize=True)),
        task(
            interface=Interface(
                {"x": Variable(INT, "the number", required=False, default=Scalar(7)), "y": Variable(STR, "a name")},
                {"o0": Variable(INT, "the sum")},
            )
        ),
    ],
)
def test_what_is_not_part_of_the_key(other: TaskSpec) -> None:
    assert key(other) == key()


def test_the_order_of_inputs_does_not_matter() -> None:
    assert key(inputs=dict(reversed(INPUTS.items()))) == key()


@pytest.mark.parametrize(
    ("other", "part"),
    [
        (key(project="q"), "project"),
        (key(domain="e"), "domain"),
        (key(task(id=EntityId("task", "m.other"))), "task"),
        (key(task(cache=CacheSpec("2"))), "version"),
        (
            key(task(interface=Interface({"x": Variable(FLOAT), "y": Variable(STR)}, {"o0": Variable(INT)}))),
            "interface",
        ),
        (key(task(interface=Interface({"x": Variable(INT), "y": Variable(STR)}, {"o0": Variable(STR)}))), "interface"),
        (key(inputs={**INPUTS, "x": Scalar(2)}), "input x"),
        (key(inputs={**INPUTS, "x": Scalar(1.0)}), "input x"),
        (key(inputs={**INPUTS, "x": Scalar(True)}), "input x"),
        (key(inputs={**INPUTS, "x": Scalar("1")}), "input x"),
        (key(inputs={**INPUTS, "x": Scalar(None)}), "input x"),
        (key(inputs={"y": Scalar("a")}), "input x"),
        (key(inputs={**INPUTS, "z": Scalar(1)}), "input z"),
        (key(task(cache=CacheSpec("1", ignored_inputs=("x",)))), "input x"),
    ],
)
def test_what_is_part_of_the_key(other: CacheKey, part: str) -> None:
    assert other.digest != key().digest
    assert [difference.part for difference in differences(key(), other)] == [part]


def test_ignored_inputs_do_not_count() -> None:
    spec = task(cache=CacheSpec("1", ignored_inputs=("x", "unknown")))
    assert key(spec) == key(spec, {**INPUTS, "x": Scalar(99)})
    assert list(key(spec).inputs) == ["y"]


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        (Blob("s3://a/1", hash="h"), Blob("s3://b/2", hash="h", name="n"), True),
        (Blob("s3://a/1", hash="h"), Blob("s3://a/1", hash="i"), False),
        (Blob("s3://a/1"), Blob("s3://a/2"), False),
        (Dataset("s3://a/1", hash="h", rows=3), Dataset("s3://a/2", hash="h"), True),
        (Hashed(Scalar(1), "h"), Hashed(Scalar(2), "h"), True),
        (Hashed(Scalar(1), "h"), Scalar(1), False),
        (MapLiteral({"a": Scalar(1), "b": Scalar(2)}), MapLiteral({"b": Scalar(2), "a": Scalar(1)}), True),
        (ListLiteral([Scalar(1), Scalar(2)]), ListLiteral([Scalar(2), Scalar(1)]), False),
        (ListLiteral([Blob("u", hash="h")]), ListLiteral([Blob("v", hash="h")]), True),
        (NonFinite("nan"), NonFinite("nan"), True),
        (NonFinite("inf"), Scalar("inf"), False),
    ],
)
def test_inputs_count_by_content(first: Literal, second: Literal, equal: bool) -> None:
    assert (key(inputs={"x": first}).digest == key(inputs={"x": second}).digest) is equal


@given(
    st.dictionaries(st.text(), st.integers(-5, 5) | st.text(max_size=3), max_size=4),
    st.dictionaries(st.text(), st.integers(-5, 5) | st.text(max_size=3), max_size=4),
)
def test_keys_are_equal_exactly_for_equal_inputs(first: dict[str, int | str], second: dict[str, int | str]) -> None:
    keys = [
        cache_key(task(), {name: Scalar(value) for name, value in inputs.items()}, project="p", domain="d")
        for inputs in (first, second)
    ]
    assert (keys[0].digest == keys[1].digest) == (first == second)


@given(st.lists(st.text(max_size=3), min_size=4, max_size=4), st.lists(st.text(max_size=3), min_size=4, max_size=4))
def test_parts_cannot_run_into_each_other(first: list[str], second: list[str]) -> None:
    def digest(parts: list[str]) -> str:
        project, domain, name, version = parts
        spec = task(id=EntityId("task", name), cache=CacheSpec(f"v{version}v"))
        return cache_key(spec, {}, project=project, domain=domain).digest

    assert (digest(first) == digest(second)) == (first == second)


def test_an_empty_version_is_refused() -> None:
    with pytest.raises(CompileError, match=r"the cache version of the task 'm.train' is empty"):
        key(task(cache=CacheSpec("  ")))


def test_a_task_that_is_not_cached_has_no_key() -> None:
    with pytest.raises(EngineError, match=r"'m\.train' is not cached"):
        key(task(cache=None))


def test_what_is_remembered_of_a_task_goes_with_it() -> None:
    gc.collect()
    before = len(cachekeys._parts)
    specs = [task(id=EntityId("task", f"t{number}")) for number in range(100)]
    for spec in specs:
        key(spec)
    assert len(cachekeys._parts) == before + 100
    del specs, spec
    gc.collect()
    assert len(cachekeys._parts) == before


def test_a_task_at_the_address_of_another_has_its_own_key() -> None:
    seen = set()
    for number in range(300):
        seen.add(key(task(cache=CacheSpec(f"{number}"))).digest)
    assert len(seen) == 300


# --- why was this a miss? --------------------------------------------------------------------------------------------


def test_an_input_that_changed() -> None:
    old, new = key(), key(inputs={**INPUTS, "y": Scalar("b")})
    found = explain(new, [old])
    assert found.nearest == old
    assert found.differences == (Difference("input y", old.inputs["y"], new.inputs["y"]),)
    assert str(found) == (
        "The nearest entry of the task 'm.train' differs in one part: input 'y' changed "
        f"(was {old.inputs['y'][:4]}…, now {new.inputs['y'][:4]}…)."
    )


def test_several_parts_that_changed() -> None:
    old = key(task(cache=CacheSpec("2"), interface=Interface({"x": Variable(STR)})), {"x": Scalar("a"), "w": Scalar(1)})
    text = str(explain(key(project="q"), [old]))
    assert text.splitlines() == [
        "The nearest entry of the task 'm.train' differs in 6 parts:",
        "  - the project changed (was 'p', now 'q')",
        "  - the cache version changed (was '2', now '1')",
        "  - the types of the inputs or outputs changed",
        "  - input 'w' no longer counts",
        f"  - input 'x' changed (was {old.inputs['x'][:4]}…, now {key().inputs['x'][:4]}…)",
        "  - input 'y' is new",
    ]


def test_the_nearest_entry_is_chosen_and_the_newest_of_equals() -> None:
    wanted = key()
    far = key(project="q", domain="e")
    near_new, near_old = key(inputs={**INPUTS, "x": Scalar(2)}), key(inputs={**INPUTS, "x": Scalar(3)})
    assert explain(wanted, [far, near_new, near_old]).nearest == near_new
    assert explain(wanted, iter([near_old, near_new])).nearest == near_old


def test_nothing_was_cached() -> None:
    assert str(explain(key(), [])) == "Nothing is cached for the task 'm.train'."
    assert explain(key(), []).nearest is None


def test_entries_of_other_tasks_count_only_after_a_renaming() -> None:
    renamed, other = task(id=EntityId("task", "m.old")), task(id=EntityId("task", "m.old"), cache=CacheSpec("2"))
    assert explain(key(), [key(other)]).nearest is None
    found = explain(key(), [key(other), key(renamed)])
    assert found.nearest == key(renamed)
    assert "the task's name changed (was 'm.old', now 'm.train')" in str(found)


def test_the_entry_itself() -> None:
    found = explain(key(), [key(project="q"), key()])
    assert found.nearest == key()
    assert found.differences == ()
    assert "exactly this key" in str(found)


def test_keys_travel() -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(key()), type=CacheKey) == key()
