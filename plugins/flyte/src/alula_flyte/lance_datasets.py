"""Datasets of Lance as data frames, in the format ``lance``: opened where they are, or read as tables of pyarrow's."""

from __future__ import annotations

import functools
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import alula
from alula_kernel.literals import Dataset

_DATASET = "lance.dataset.LanceDataset"
_TABLE = "pyarrow.lib.Table"
_FORMAT = "lance"


class LanceEncoder(alula.DataFrameEncoder[Any]):
    """Stores a dataset or table as a dataset. Equal ones have different files, so that there is no hash of the content."""

    def encode(self, frame: Any, target: alula.FrameTarget) -> Dataset:
        """Store it, batch by batch."""
        import lance  # type: ignore[import-not-found, unused-ignore]

        columns = [column.name for column in target.columns] or None
        if not hasattr(frame, "scanner"):
            rows = frame.select(columns) if columns else frame
        else:
            rows = frame.scanner(columns=columns).to_reader()
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / f"{target.name}.lance")
            written = lance.write_dataset(rows, path)
            count = written.count_rows()
            blob = target.storage.put_directory(path, name=target.name, format=_FORMAT)
        return Dataset(
            blob.uri, size=blob.size, format=_FORMAT, columns=target.columns, rows=count, metadata=target.metadata
        )


class LanceDecoder(alula.DataFrameDecoder[Any]):
    """Opens a dataset, or reads it as a table; one that is elsewhere is copied to this machine first."""

    def decode(self, dataset: Dataset, source: alula.FrameSource) -> Any:
        """Open it; columns are for tables, as a dataset's own methods take them."""
        import lance

        path = source.storage.local_path(dataset.uri)
        if path is None:
            path = str(Path(_folder().name) / dataset.uri.rpartition("/")[2])
            source.storage.download_directory(dataset.uri, path)
        found = lance.dataset(path)
        return found if self.python_type == _DATASET else found.to_table(columns=list(source.columns) or None)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return where copies are, for as long as the process lives."""
    return tempfile.TemporaryDirectory(prefix="alula-lance-")


def lance_transformer() -> alula.FrameTransformer:
    """Make the type transformer of datasets."""
    handlers = alula.DataFrameHandlers([LanceDecoder(_DATASET, "", _FORMAT)])
    handlers.register(LanceEncoder(_DATASET, "", _FORMAT), default_for_type=True)
    return alula.FrameTransformer("flyte-lance", (_DATASET,), handlers)


def register_tables() -> None:
    """Let tables be stored in the format ``lance``, and read from it, if Lance is installed."""
    if find_spec("lance") is None:
        return
    for handler in (LanceEncoder(_TABLE, "", _FORMAT), LanceDecoder(_TABLE, "", _FORMAT)):
        alula.register_dataframe_handler(handler, override=True)
