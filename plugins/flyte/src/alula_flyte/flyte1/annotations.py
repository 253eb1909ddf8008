"""``FlyteAnnotation``: plain data beside a type."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass
class FlyteAnnotation:
    """Plain data beside a type, in ``Annotated``.

    Attributes:
        data: The data.
    """

    data: dict[str, Any]

    def __hash__(self) -> int:
        return hash(repr(self.data))
