"""``Description``: the long part of a documentation."""

from __future__ import annotations

from typing import Any


class Description(str):
    """A text.

    Args:
        value: The text.
        settings: What is for a cluster's pages; not looked at.
    """

    def __new__(cls, value: str | None = None, *_settings: Any, **settings: Any) -> Description:
        return super().__new__(cls, value or "")

    @property
    def value(self) -> str:
        """The text."""
        return str(self)
