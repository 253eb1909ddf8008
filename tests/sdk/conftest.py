"""What the tests of the SDK share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from alula import Run

Tree = list[tuple[str, str, str, int]]


@pytest.fixture(autouse=True)
def no_known_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the secrets of other tests, whose values would be masked in the messages of this one."""
    monkeypatch.setattr("alula._redaction._forms", ())


@pytest.fixture
def tree_of() -> Callable[[Run], Tree]:
    """Give a function that shows a run's tree: id, name, phase and number of attempts of each action."""

    def tree(run: Run) -> Tree:
        return [(a.id, a.name, a.phase.value, len(a.attempts)) for a in run.actions]

    return tree
