"""What becomes of a name of Flyte: one row of a table."""

from __future__ import annotations

import importlib
from typing import Any, Literal

import msgspec

Status = Literal["same", "adapted", "missing"]


class Row(msgspec.Struct, frozen=True):
    """What becomes of a name.

    Attributes:
        status: ``same``: an object of Alula's that behaves as Flyte's; ``adapted``: a thin adapter with Flyte's behaviour,
            or an object of Alula's that differs a little; ``missing``.
        target: What the name resolves to, as ``"package.module:attribute"``; a module without attribute is the module
            itself; empty if it is missing.
        note: How it is adapted, or why it is missing; a phrase without a full stop.
        instead: What to use instead of what is missing; a phrase without a full stop.
        own: The name that code written for Alula uses, as ``"alula:task"``; empty if there is none.
        when_called: Whether a missing name can be imported, and is refused when it is called or looked into.
        constructors: Attributes of a class of Flyte's that are called as the own class is.
    """

    status: Status
    target: str = ""
    note: str = ""
    instead: str = ""
    own: str = ""
    when_called: bool = False
    constructors: tuple[str, ...] = ()

    def resolve(self) -> Any:
        """Import what the name stands for.

        Raises:
            ModuleNotFoundError: The plugin of Alula's that has it is not installed.
        """
        module, _, attribute = self.target.partition(":")
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError as problem:
            package = problem.name or ""
            if not package.startswith("alula_") or "." in package:
                raise
            distribution = package.replace("_", "-")
            raise ModuleNotFoundError(
                f"{distribution} is not installed, and has what this name stands for\n  pip install {distribution}",
                name=package,
            ) from None
        for part in filter(None, attribute.split(".")):
            found = getattr(found, part)
        return found

    def message(self, name: str) -> str:
        """Say that a name is missing, why, and what to use.

        Args:
            name: The name, with its module.
        """
        text = f"Alula has no {name}: {self.note}" if self.note else f"Alula has no {name}"
        return f"{text}\n  {self.instead}" if self.instead else text


def same(target: str) -> Row:
    """Return the row of a name that means an object of Alula's."""
    return Row("same", target, own=target)


def adapted(target: str, how: str, own: str = "", constructors: tuple[str, ...] = ()) -> Row:
    """Return the row of a name with an adapter.

    Args:
        target: The adapter.
        how: What it does, or how it differs.
        own: What code written for Alula uses instead; the target, if that is an object of Alula's.
        constructors: As `Row` has them.
    """
    own = own or ("" if target.startswith("alula_flyte") else target)
    return Row("adapted", target, how, own=own, constructors=constructors)


def missing(why: str, instead: str = "", *, when_called: bool = False) -> Row:
    """Return the row of a name that Alula does not have.

    Args:
        why: Why not.
        instead: What to use.
        when_called: Whether importing it is fine: programs import it and need it for some of what they do only.
    """
    return Row("missing", note=why, instead=instead, when_called=when_called)


Table = dict[str, Row]
"""The rows of a module, by name."""
