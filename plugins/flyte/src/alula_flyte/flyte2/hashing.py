"""``flyte.io.HashFunction``: what computes a value's identity for the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import alula


class HashFunction(alula.HashMethod[Any]):
    """A function from a value to its identity."""

    @classmethod
    def from_fn(cls, fn: Callable[[Any], str]) -> HashFunction:
        """Return what computes identities with a function."""
        return cls(fn)
