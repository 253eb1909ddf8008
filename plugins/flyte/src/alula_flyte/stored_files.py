"""Values that a library makes bytes of, and that travel as files."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import alula
from alula_kernel.contracts import ConversionContext, Converter, TypeRequest
from alula_kernel.literals import Literal


class StoredAsFile(Converter[Any]):
    """Stores values as files; a subclass says how bytes are made of them.

    Args:
        request: The type of the values.
        file_type: The type of the files.
        name: What the files are called.

    Attributes:
        file: The converter of the files.
    """

    def __init__(self, request: TypeRequest, file_type: Any, name: str) -> None:
        self.file: Converter[Any] = request.registry.converter(file_type)
        self.python_type = request.python_type
        self.literal_type = self.file.literal_type
        self._name = name

    @abstractmethod
    def encode(self, value: Any) -> bytes:
        """Return the content of a value's file."""

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Store a value.

        Raises:
            ValueConversionError: It is not of the type.
            StorageError: It cannot be written.
        """
        if not isinstance(value, self.python_type):
            raise self.refuse(value)
        file = alula.File.new(self._name)
        with open(file.path, "wb") as stream:
            stream.write(self.encode(value))
        return self.file.to_literal(file, context)
