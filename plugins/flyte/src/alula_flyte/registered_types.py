"""What the ``TypeEngine`` of both generations has in common: the transformers that programs register."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from alula_kernel.contracts import TypeTransformer


class RegisteredTypes(ABC):
    """The transformers that programs have registered in this process."""

    _registered: ClassVar[dict[Any, Any]]

    @classmethod
    def registered(cls) -> list[TypeTransformer]:
        """Return them as Alula has them."""
        return list(cls._registered.values())

    @classmethod
    def register(cls, transformer: Any, additional_types: Sequence[Any] | None = None) -> None:
        """Convert values of a class by a transformer.

        Args:
            transformer: The transformer.
            additional_types: More classes that it converts.

        Raises:
            ValueError: Values of the class are converted by another one.
        """
        for python_type in (transformer.python_type, *(additional_types or ())):
            cls.register_additional_type(transformer, python_type)

    @classmethod
    @abstractmethod
    def register_additional_type(cls, transformer: Any, additional_type: Any, override: bool = False) -> None:
        """Convert values of one more class by a transformer; errors are those of `register`."""
