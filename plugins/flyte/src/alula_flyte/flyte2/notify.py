"""``flyte.notify``: who would be told of a run. Nobody is told of runs on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class Notification:
    """A message about a run.

    Args:
        on_phase: The phases that it is sent for.
        fields: What it says, and to whom.
    """

    def __init__(self, on_phase: Any = (), **fields: Any) -> None:
        self.on_phase = on_phase
        self.__dict__.update(fields)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in vars(self).items())})"


class Email(Notification):
    """A message by e-mail."""


class Slack(Notification):
    """A message to a channel of Slack."""


class Teams(Notification):
    """A message to a channel of Teams."""


class Webhook(Notification):
    """A call of an address."""


@dataclass(frozen=True)
class NamedDelivery:
    """A way of delivery that a server knows by name.

    Attributes:
        name: Its name.
    """

    name: str


@dataclass(frozen=True)
class NamedRule:
    """A rule that a server knows by name.

    Attributes:
        name: Its name.
    """

    name: str
