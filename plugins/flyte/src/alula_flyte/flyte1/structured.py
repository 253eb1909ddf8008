"""``StructuredDataset``, which mashumaro may put into dataclasses as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import alula

if TYPE_CHECKING:

    class _Serializable:
        pass
else:
    try:
        from mashumaro.types import SerializableType as _Serializable
    except ImportError:

        class _Serializable:
            """Nothing: programs without mashumaro do not ask for it."""


class StructuredDataset(alula.StructuredDataset, _Serializable):
    """A data frame of any library, or where one is stored; see `alula.DataFrame`."""

    def _serialize(self) -> dict[str, Any]:
        return self.to_dict()

    @classmethod
    def _deserialize(cls, value: Any) -> StructuredDataset:
        found: Any = cls.validate(value)
        made: StructuredDataset = found
        return made
