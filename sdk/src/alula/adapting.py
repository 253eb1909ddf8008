"""What packages need that put functions of their own in front of Alula's, as under the names of another system."""

from __future__ import annotations

from ._aio import WithAio
from ._state import count_as_own

__all__ = ["WithAio", "count_as_own"]
