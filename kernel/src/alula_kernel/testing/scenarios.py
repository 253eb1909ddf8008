"""Numbered scenarios, and leaving out those that an implementation cannot fulfil."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_NUMBERED = re.compile(r"test_([A-Z]\d\d)_\w+")


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One promise of a contract.

    Attributes:
        number: Its number, as ``B07``; it never changes its meaning.
        name: Name of the test method.
        summary: The promise, in one sentence.
        needs: Flags of the suite that must be on for the promise to be asked for.
    """

    number: str
    name: str
    summary: str
    needs: tuple[str, ...]


def needs(*flags: str) -> Callable[[F], F]:
    """Mark a scenario as one that is left out unless all these flags of the suite are on.

    Args:
        flags: Names of flags; ``not name`` for one that must be off.
    """

    def mark(scenario: F) -> F:
        scenario._needs = flags  # type: ignore[attr-defined]
        return scenario

    return mark


class Conformance:
    """Base of the suites.

    When a subclass is made, scenarios whose flags are off are hidden in it, so that pytest does not collect them: they do
    not apply, which is not the same as having been skipped.
    """

    _scenarios: ClassVar[dict[str, Callable[..., Any]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        found: dict[str, Callable[..., Any]] = {}
        for base in reversed(cls.__mro__[1:]):
            found.update(vars(base).get("_scenarios", {}))
        found.update({name: value for name, value in vars(cls).items() if _NUMBERED.fullmatch(name) and value})
        cls._scenarios = found
        for name, function in found.items():
            wanted = all(_is_met(cls, flag) for flag in getattr(function, "_needs", ()))
            setattr(cls, name, function if wanted else None)


def _is_met(cls: type, flag: str) -> bool:
    name = flag.removeprefix("not ")
    return bool(getattr(cls, name)) is (name == flag)


def scenarios(suite: type[Conformance]) -> Sequence[Scenario]:
    """Return the scenarios of a suite, by number, whether or not its flags leave them out."""
    listed = []
    for name, function in suite._scenarios.items():
        match = _NUMBERED.fullmatch(name)
        assert match is not None
        summary = (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ")
        listed.append(Scenario(match[1], name, summary, getattr(function, "_needs", ())))
    return sorted(listed, key=lambda scenario: scenario.number)
