"""Caches: outputs that are reused for equal inputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import msgspec

from ..literals import Literal


class CacheKey(msgspec.Struct, frozen=True, kw_only=True):
    """What must be equal for outputs to be reused.

    Attributes:
        digest: SHA-256 over all the rest, in hexadecimal; the lookup key.
        project: Project.
        domain: Domain.
        task: Name of the task.
        version: Cache version.
        interface: Fingerprint of the interface's types.
        inputs: Content hash of each input that counts.
    """

    digest: str
    project: str
    domain: str
    task: str
    version: str
    interface: str
    inputs: dict[str, str]


class CacheEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Outputs that were kept.

    Attributes:
        key: Their key.
        outputs: The outputs.
        run: Run that made them.
        action: Action that made them.
        created_at: Seconds since the epoch.
    """

    key: CacheKey
    outputs: dict[str, Literal]
    run: str = ""
    action: str = ""
    created_at: float = 0.0


class Cache(ABC):
    """Keeps outputs by key. Methods block, are quick, and may be called from any thread and process.

    Attributes:
        name: Unique name, as ``sqlite``.
    """

    name: str

    @abstractmethod
    def get(self, digest: str) -> CacheEntry | None:
        """Return the entry of a key, or None.

        A damaged entry counts as missing: it is removed and a warning is logged.
        """

    @abstractmethod
    def put(self, entry: CacheEntry) -> None:
        """Keep an entry; one of the same key is replaced."""

    @abstractmethod
    def delete(self, digest: str) -> bool:
        """Forget an entry and tell whether there was one."""

    @abstractmethod
    def entries(self, task: str = "") -> Iterator[CacheEntry]:
        """Yield entries, newest first, of one task or of all."""

    @abstractmethod
    def clear(self, task: str = "") -> int:
        """Forget the entries of one task or of all, and return how many there were."""

    @abstractmethod
    def reserve(self, digest: str, owner: str, ttl_seconds: float) -> str:
        """Become the one that computes a key, unless another owner is and has renewed in time.

        Calling it again as the same owner renews the reservation.

        Returns:
            The owner that now holds the reservation: `owner` if it was granted.
        """

    @abstractmethod
    def release(self, digest: str, owner: str) -> None:
        """Give a reservation back. Idempotent; one held by another owner is left alone."""

    def close(self) -> None:
        """Release what the cache holds. Idempotent."""
