"""Secrets: what is asked for, and the contract of what finds the values. Specs hold requests, never values."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec


class SecretRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A secret that is looked up.

    Attributes:
        key: Its name in its group; empty for a group that is a secret itself.
        group: The group that it belongs to; empty for none.
        version: Version of the group; empty for the current one.
        variable: Environment variable in which its user expects it; empty if that was not said.
    """

    key: str = ""
    group: str = ""
    version: str = ""
    variable: str = ""

    def __str__(self) -> str:
        version = f" (version {self.version})" if self.version else ""
        return "/".join(part for part in (self.group, self.key) if part) + version


class SecretProvider(ABC):
    """Finds values of secrets. Methods may be called from any thread, and in each process that runs tasks.

    Attributes:
        name: Unique name, as ``environment``.
    """

    name: str

    @abstractmethod
    def get(self, request: SecretRequest) -> bytes | None:
        """Return the value of a secret, or None if this is not where it is.

        The value is returned as it was stored. Errors and logs of a provider never show one.

        Raises:
            MissingDependencyError: Looking it up needs a package that is not installed.
            Exception: The place cannot be reached; the task that asks is not run.
        """

    @abstractmethod
    def place(self, request: SecretRequest) -> str:
        """Say where a secret is looked for, for a message to a person, as ``the variable ALULA_SECRET_TOKEN``."""

    def file(self, request: SecretRequest) -> str:
        """Return where tasks find a secret that they did not ask for as a file; empty, the default, for nowhere."""
        return ""
