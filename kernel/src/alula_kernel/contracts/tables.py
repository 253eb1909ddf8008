"""Tables outside of files: data frames that a database keeps, under URIs of a scheme of its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NoReturn

from ..errors import UnsupportedTypeError
from ..literals import Dataset
from .conversion import TypeRequest, TypeTransformer


class TableStore(TypeTransformer):
    """Reads and writes data frames at URIs of one scheme, as ``bq://project.dataset.table``.

    A plugin returns one from the hook ``alula_type_transformers``. It is no type's own transformer: frames of every library
    that Alula knows go through it by way of Arrow when they are read from such a URI, or stored at one. Methods may be
    called from any thread.

    Attributes:
        scheme: The scheme of its URIs, in lower case.
    """

    scheme: str

    @abstractmethod
    def read(self, dataset: Dataset, columns: tuple[str, ...], batch_rows: int) -> Any:
        """Open a table.

        Args:
            dataset: Where it is.
            columns: The columns to read, in this order; empty for all.
            batch_rows: Most rows of a batch, as far as the store can choose.

        Returns:
            A ``pyarrow.RecordBatchReader`` with the columns asked for, read while it is used.

        Raises:
            ValueConversionError: A column is missing.
            StorageError: There is no such table, or it cannot be read.
        """

    @abstractmethod
    def write(self, frame: Any, uri: str, metadata: Mapping[str, str]) -> Dataset:
        """Make a table of a data frame; what was there before is replaced, so that a retry does no harm.

        Args:
            frame: A ``pyarrow.RecordBatchReader``, which is used up.
            uri: Where the table is to be.
            metadata: Free text that travels with the value.

        Returns:
            The table, with a hash that changes when it is written again.

        Raises:
            ValueConversionError: The store has no type for a column.
            StorageError: It cannot be written.
        """

    @abstractmethod
    def exists(self, uri: str) -> bool:
        """Tell whether there is a table, so that a cached output whose table was dropped counts as missing.

        Raises:
            StorageError: The store cannot be asked.
        """

    def converter(self, request: TypeRequest) -> NoReturn:
        """Refuse: it is no type's transformer."""
        raise UnsupportedTypeError(f"{self.name} reads and writes tables, and has no types of its own")
