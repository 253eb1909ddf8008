"""Packages that put functions of their own in front of Alula's."""

from __future__ import annotations

import asyncio
import collections
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

import alula
from alula.adapting import (
    WithAio,
    complete_options_by,
    count_as_own,
    let_outputs_hold_secrets,
    let_promises_be_printed,
    let_unions_be_narrowed,
)
from alula_kernel.engine import RunOptions


def test_messages_show_what_called_a_package_of_adapters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "adapters_of_a_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("import alula\ndef make(name):\n    return alula.TaskEnvironment(name)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import adapters_of_a_test as adapters  # type: ignore[import-not-found]

    with pytest.raises(alula.errors.UsageError) as before:
        adapters.make("Not A Name")
    count_as_own(adapters.__file__)
    with pytest.raises(alula.errors.UsageError) as after:
        adapters.make("Not A Name")
    assert str(folder) in before.value.location
    assert __file__ in after.value.location
    del sys.modules["adapters_of_a_test"]


def test_a_function_has_both_forms() -> None:
    double = WithAio(lambda x: 2 * x)
    assert (double(2), asyncio.run(double.aio(3))) == (4, 6)


def test_options_of_runs_can_be_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    from alula import _run

    monkeypatch.setattr(_run, "options_completed_by", [])
    called = []

    def complete(options: RunOptions) -> RunOptions:
        called.append(options.name)
        return replace(options, disable_cache=True)

    @alula.task(cache=alula.Cache(version="1"))
    def counted(x: int) -> int:
        called.append("computed")
        return x

    assert counted(1) == counted(1) == 1
    complete_options_by(complete)
    complete_options_by(complete)
    assert counted(1) == 1
    assert alula.with_runcontext(name="named").run(counted, 1).outputs() == (1,)
    assert called == ["computed", "", "computed", "named", "computed"]


def test_environments_pickle_untyped_parameters_if_asked() -> None:
    env = alula.TaskEnvironment("untyped")

    @env.task(pickle_untyped=True)
    def length(items) -> int:  # type: ignore[no-untyped-def]
        return len(items)

    assert length({1, 2, 3}) == 3


def test_promises_can_be_let_be_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    from alula._promise import Promise

    monkeypatch.setattr(Promise, "_printable", False)
    shown = []

    @alula.task
    def one() -> int:
        return 1

    @alula.workflow
    def shows() -> int:
        found = one()
        shown.append(f"{found} {found!s}")
        return found

    with pytest.raises(alula.errors.PromiseUseError, match="formatted into text"):
        shows()
    let_promises_be_printed()
    assert shows() == 1
    assert shown[0].count("Promise(output 'o0' of task") == 2


def test_outputs_can_be_let_hold_secrets(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from alula._secrets import Outputs

    monkeypatch.setattr(Outputs, "may_hold_secrets", False)
    monkeypatch.setenv("TOKEN", "a long token")

    @alula.task(secret_requests=[alula.Secret("TOKEN")])
    def token() -> str:
        return alula.current_context().secrets.get("TOKEN")

    with pytest.raises(alula.errors.UsageError, match="the output 'o0' holds the value of a secret"):
        token()
    let_outputs_hold_secrets()
    assert token() == "a long token"
    assert caplog.messages == ["the output 'o0' holds the value of a secret, and is stored with it"]


def test_unions_can_be_let_be_narrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    from alula._promise import Promise

    monkeypatch.setattr(Promise, "_narrowable", False)

    @alula.task
    def maybe(x: int) -> int | list[int] | None:
        return {0: None, 1: [1]}.get(x, x)  # type: ignore[call-overload, no-any-return]

    @alula.task
    def double(x: int) -> int:
        return 2 * x

    @alula.workflow
    def doubled(x: int) -> int | None:
        found = maybe(x)
        double(found)
        return found  # type: ignore[return-value]

    @alula.workflow
    def given(x: int | list[int]) -> int:
        return x  # type: ignore[return-value]

    @alula.workflow
    def texts(x: int) -> str:
        return maybe(x)  # type: ignore[return-value]

    with pytest.raises(alula.errors.TypeMismatchError, match="one of the variants, does not fit int"):
        doubled(2)
    let_unions_be_narrowed()
    assert doubled(2) == 2
    with pytest.raises(
        alula.errors.ValueConversionError, match=r"input 'x' of task .*double: expected int, found None"
    ):
        doubled(0)
    with pytest.raises(
        alula.errors.ValueConversionError, match=r"'o0' of workflow .*given: expected int, found a list"
    ):
        given([1])
    with pytest.raises(alula.errors.TypeMismatchError, match=r"'o0' of workflow .*texts expects str"):
        texts(2)


def test_several_outputs_without_names_may_have_a_class() -> None:
    @alula.task
    def both(x: int) -> tuple[int, str]:
        return x, "b"

    @alula.workflow
    def through(x: int) -> tuple[int, str]:
        found = both(x=x)
        return found.o0, found.o1

    both.output_class = through.output_class = lambda names: collections.namedtuple("Pair", names)
    assert repr(both(x=1)) == repr(through(x=1)) == "Pair(o0=1, o1='b')"


def test_what_has_no_annotation_fits_what_is_pickled() -> None:
    @alula.task(pickle_untyped=True)
    def same(thing) -> alula.Pickle:  # type: ignore[no-untyped-def, type-arg]
        return thing

    @alula.workflow
    def twice(thing: alula.Pickle) -> alula.Pickle:  # type: ignore[type-arg]
        return same(same(thing))

    assert twice({1, 2}) == {1, 2}
