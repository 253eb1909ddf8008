"""Data frames of Modin as values of tasks, stored as those of pandas are."""

from __future__ import annotations

from typing import Any

import alula
from alula_kernel.contracts import ConversionContext
from alula_kernel.literals import Dataset

_FRAME = "modin.pandas.dataframe.DataFrame"


class ModinEncoder(alula.DataFrameEncoder[Any]):
    """Stores a data frame; its rows go through this process."""

    def encode(self, frame: Any, target: alula.FrameTarget) -> Dataset:
        """Store it."""
        stored = alula.DataFrame(frame.modin.to_pandas(), target.uri or None, target.metadata, target.format)
        return stored.store(ConversionContext(target.storage), target.format, target.columns)


class ModinDecoder(alula.DataFrameDecoder[Any]):
    """Reads a data frame into Modin's engine."""

    def decode(self, dataset: Dataset, source: alula.FrameSource) -> Any:
        """Read it."""
        import modin.pandas  # there where its frames are
        import pandas as pd

        frame = alula.DataFrame.from_dataset(dataset, source.storage).open(pd.DataFrame).all_sync()
        return modin.pandas.DataFrame(frame[list(source.columns)] if source.columns else frame)


def modin_transformer() -> alula.FrameTransformer:
    """Make the type transformer of the data frames."""
    handlers = alula.DataFrameHandlers([ModinEncoder(_FRAME), ModinDecoder(_FRAME)])
    return alula.FrameTransformer("flyte-modin", (_FRAME,), handlers)
