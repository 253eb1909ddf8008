"""Encoders and decoders of data frames as Flyte 1 has them, on top of Alula's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import alula
from alula import FrameSource, FrameTarget
from alula.errors import PluginError
from alula_kernel import literals as own
from alula_kernel.uris import uri_of

from .contexts import FlyteContext
from .literal_types import DatasetColumn, StructuredDatasetType
from .literals import StructuredDataset, StructuredDatasetMetadata
from .model_conversion import model_columns

T = TypeVar("T")

PARQUET = "parquet"
CSV = "csv"
GENERIC_FORMAT = ""
GENERIC_PROTOCOL = "generic protocol"
DuplicateHandlerError = PluginError
"""What is raised when a class has a handler for a format and protocol already."""


class _Handler:
    """What a handler handles.

    Args:
        python_type: The class of the data frames.
        protocol: URI scheme; None for any.
        supported_format: Format; None for any.
    """

    def __init__(
        self, python_type: Any, protocol: str | None = None, supported_format: str | None = None, **_options: Any
    ) -> None:
        self._python_type = python_type
        self._protocol = (protocol or "").replace("://", "")
        self._supported_format = supported_format or ""

    @property
    def python_type(self) -> Any:
        """The class of the data frames."""
        return self._python_type

    @property
    def protocol(self) -> str | None:
        """URI scheme; None for any."""
        return self._protocol or None

    @property
    def supported_format(self) -> str:
        """Format; empty for any."""
        return self._supported_format

    @property
    def scheme(self) -> str:
        """URI scheme; empty for any."""
        return "" if self._protocol in {GENERIC_PROTOCOL, "fsspec"} else self._protocol


class StructuredDatasetEncoder(_Handler, ABC, Generic[T]):
    """Stores data frames of a class."""

    @abstractmethod
    def encode(
        self,
        ctx: FlyteContext,
        structured_dataset: alula.StructuredDataset,
        structured_dataset_type: StructuredDatasetType,
    ) -> StructuredDataset:
        """Store a data frame, and say where it is."""


class StructuredDatasetDecoder(_Handler, ABC, Generic[T]):
    """Reads data frames of a class."""

    @abstractmethod
    def decode(
        self, ctx: FlyteContext, flyte_value: StructuredDataset, current_task_metadata: StructuredDatasetMetadata
    ) -> Any:
        """Read a data frame, or an iterator over its parts."""


def _type_of(format: str, columns: tuple[own.Column, ...] = ()) -> StructuredDatasetType:
    return StructuredDatasetType(list(model_columns(columns)), format)


class _Encoder(alula.DataFrameEncoder[Any]):
    def __init__(self, encoder: StructuredDatasetEncoder[Any]) -> None:
        super().__init__(encoder.python_type, encoder.scheme, encoder.supported_format)
        self._encoder = encoder

    def encode(self, frame: Any, target: FrameTarget) -> own.Dataset:
        given = alula.StructuredDataset(frame, uri=target.uri or None, metadata=target.metadata)
        made = self._encoder.encode(FlyteContext.current_context(), given, _type_of(target.format, target.columns))
        known = made.metadata.structured_dataset_type if made.metadata is not None else None
        stored_as = (known.format if known is not None else "") or target.format
        return own.Dataset(uri_of(made.uri or ""), format=stored_as, metadata=target.metadata)


class _Decoder(alula.DataFrameDecoder[Any]):
    def __init__(self, decoder: StructuredDatasetDecoder[Any]) -> None:
        super().__init__(decoder.python_type, decoder.scheme, decoder.supported_format)
        self._decoder = decoder

    def decode(self, dataset: own.Dataset, source: FrameSource) -> Any:
        stored = StructuredDataset(dataset.uri, StructuredDatasetMetadata(_type_of(dataset.format, dataset.columns)))
        columns = [DatasetColumn(name, None) for name in source.columns]
        wanted = StructuredDatasetMetadata(StructuredDatasetType(columns, dataset.format))
        return self._decoder.decode(FlyteContext.current_context(), stored, wanted)


class StructuredDatasetTransformerEngine:
    """Knows what stores and reads data frames."""

    @classmethod
    def register(
        cls,
        h: StructuredDatasetEncoder[Any] | StructuredDatasetDecoder[Any],
        default_for_type: bool = False,
        override: bool = False,
        default_format_for_type: bool = False,
        default_storage_for_type: bool = False,
    ) -> None:
        """Add an encoder or decoder.

        Args:
            h: The encoder or decoder.
            default_for_type: Whether its format is the one for its class.
            override: Whether to replace one that handles the same.
            default_format_for_type: The same as `default_for_type`.
            default_storage_for_type: Not looked at: data is stored where Alula stores it.

        Raises:
            DuplicateHandlerError: Another one handles the same.
        """
        adapted = _Encoder(h) if isinstance(h, StructuredDatasetEncoder) else _Decoder(h)
        alula.register_dataframe_handler(adapted, default_for_type or default_format_for_type, override)

    @classmethod
    def register_for_protocol(cls, h: Any, protocol: str | None = None, *args: Any, **options: Any) -> None:
        """Add an encoder or decoder, whatever the protocol."""
        cls.register(h, *args, **options)

    @classmethod
    def register_renderer(cls, python_type: Any, renderer: Any) -> None:
        """Do nothing: a renderer stands in the ``Annotated`` of an output."""


def registered_already() -> None:
    """Do nothing: Alula stores and reads data frames of these libraries in this format by itself."""
