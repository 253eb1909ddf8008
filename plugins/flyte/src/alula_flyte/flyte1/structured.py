"""``StructuredDataset`` and ``FlyteSchema``, which mashumaro may put into dataclasses as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

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


H = TypeVar("H", bound="_InDataclasses")


class _InDataclasses(alula.StructuredDataset, _Serializable):
    def _serialize(self) -> dict[str, Any]:
        return self.to_dict()

    @classmethod
    def _deserialize(cls: type[H], value: Any) -> H:
        found: Any = cls.validate(value)
        made: H = found
        return made


class StructuredDataset(_InDataclasses):
    """A data frame of any library, or where one is stored; see `alula.DataFrame`."""


class FlyteSchema(alula.Schema, _InDataclasses):
    """A data frame with declared columns; see `alula.Schema`."""
