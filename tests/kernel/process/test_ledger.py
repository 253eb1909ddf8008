"""What a kept worker notes of its attempts: claims that are links to one file, and one file of outcomes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from alula_kernel.builtin.process.files import AttemptFiles, Claim, Ledger
from alula_kernel.contracts import SUCCEEDED, Outcome
from alula_kernel.literals import Scalar
from alula_kernel.processes import ProcessId
from alula_kernel.specs import ReuseSpec

CLAIM = Claim(ProcessId(11, 12), ProcessId(13, 14), "kept/worker-1")


def outcome(number: int) -> Outcome:
    return Outcome(kind=SUCCEEDED, outputs={"o0": Scalar(number)})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"{tmp_path}/kept/worker-1", CLAIM)


def files(tmp_path: Path, name: str) -> AttemptFiles:
    return AttemptFiles(f"{tmp_path}/run/{name}")


def test_an_attempt_is_taken_once(ledger: Ledger, tmp_path: Path) -> None:
    attempt = files(tmp_path, "a0.n1-1")
    assert not attempt.begun
    assert ledger.take(attempt)
    assert not ledger.take(attempt)
    assert not attempt.take(CLAIM)
    assert not attempt.close()
    assert attempt.claim() == CLAIM
    assert attempt.begun_at() is not None


def test_one_that_nobody_may_begin_is_not_taken(ledger: Ledger, tmp_path: Path) -> None:
    attempt = files(tmp_path, "a0.n1-1")
    assert attempt.close()
    assert not ledger.take(attempt)
    assert attempt.claim() is None


def test_claims_and_outcomes_take_one_file_each(ledger: Ledger, tmp_path: Path) -> None:
    attempts = [files(tmp_path, f"a0.n{number}-1") for number in range(50)]
    for number, attempt in enumerate(attempts):
        assert ledger.take(attempt)
        assert attempt.outcome() is None
        ledger.note(attempt, outcome(number))
    assert [attempt.outcome() for attempt in attempts] == [outcome(number) for number in range(50)]
    assert len({os.stat(path).st_ino for path in (tmp_path / "run").iterdir()}) == 2
    ledger.close()
    assert attempts[0].claim() == CLAIM
    assert attempts[49].has_outcome


def test_names_that_begin_alike_are_told_apart(ledger: Ledger, tmp_path: Path) -> None:
    for number, name in enumerate(["a0.n1-1", "a0.n1-11", "a0.n11-1"]):
        ledger.take(files(tmp_path, name))
        ledger.note(files(tmp_path, name), outcome(number))
    ledger.take(files(tmp_path, "a0.n1-2"))
    assert files(tmp_path, "a0.n1-11").outcome() == outcome(1)
    assert files(tmp_path, "a0.n1-2").outcome() is None


def test_runs_have_ledgers_of_their_own(ledger: Ledger, tmp_path: Path) -> None:
    for run in ("one", "two", "one"):
        attempt = AttemptFiles(f"{tmp_path}/{run}/a0-{len(run)}{os.path.exists(f'{tmp_path}/{run}')}")
        assert ledger.take(attempt)
        ledger.note(attempt, outcome(1))
        assert attempt.has_outcome
    assert (tmp_path / "one" / "worker-1.outcomes").exists()
    assert (tmp_path / "two" / "worker-1.outcomes").exists()


def test_an_entry_that_was_cut_off_counts_as_nothing(ledger: Ledger, tmp_path: Path) -> None:
    first, second = files(tmp_path, "a0.n1-1"), files(tmp_path, "a0.n2-1")
    for number, attempt in enumerate((first, second)):
        ledger.take(attempt)
        ledger.note(attempt, outcome(number))
    path = tmp_path / "run" / "worker-1.outcomes"
    whole = path.read_bytes()
    for length in range(len(whole) // 2, len(whole)):
        path.write_bytes(whole[:length])
        assert first.outcome() == outcome(0)
        assert second.outcome() is None
    path.write_bytes(whole)
    assert second.outcome() == outcome(1)


@pytest.mark.parametrize("refused", ["no links here", "too many links"])
def test_without_links_each_claim_is_a_file(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    def link(_source: str, _target: str) -> None:
        raise OSError(refused)

    monkeypatch.setattr(os, "link", link)
    attempt = files(tmp_path, "a0.n1-1")
    assert ledger.take(attempt)
    assert not ledger.take(attempt)
    assert attempt.claim() == CLAIM
    monkeypatch.undo()
    assert ledger.take(files(tmp_path, "a0.n2-1"))


def test_another_engine_reads_what_a_kept_worker_noted(world: Any) -> None:
    """It knows nothing but the handles."""

    async def scenario() -> list[Any]:
        settings = {"reuse": ReuseSpec(min_replicas=1, max_replicas=1), "environment_name": "kept"}
        handles = [await world.submit("add", {"a": 1, "b": number}, **settings) for number in range(3)]
        for handle in handles:
            await world.executor.wait(handle)
        other = world.open()
        return [await other.wait(handle) for handle in handles]

    assert [found.outputs["o0"].value for found in world.run(scenario())] == [1, 2, 3]
