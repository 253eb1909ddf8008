"""The type transformers of this package, as the built-in plugin registers them.

They are known by the names of their classes and imported when a type of theirs is met: a program that uses only numbers
and strings does not pay for files and data frames.
"""

from __future__ import annotations

from alula_kernel.builtin.types import LazyTransformer
from alula_kernel.contracts import TypeTransformer
from alula_kernel.types import BlobOf, DatasetOf

_PANDAS = ("pandas.DataFrame", "pandas.core.frame.DataFrame")
_POLARS = (
    *("polars.DataFrame", "polars.dataframe.frame.DataFrame"),
    *("polars.LazyFrame", "polars.lazyframe.frame.LazyFrame"),
)
_ARROW = tuple(
    f"pyarrow.{module}{name}" for name in ("Table", "RecordBatch", "RecordBatchReader") for module in ("", "lib.")
)
_PATHS = tuple(f"{module}.{name}" for name in ("Path", "PosixPath") for module in ("pathlib", "pathlib._local"))


def data_transformers() -> list[TypeTransformer]:
    """Make the transformers; each call gives data frames a registry of handlers of their own."""
    here = __package__
    return [
        LazyTransformer(
            "file", f"{here}.file_converter.FileTransformer", (f"{here}.file.File", *_PATHS, "os.PathLike"), BlobOf
        ),
        LazyTransformer(
            "directory", f"{here}.file_converter.DirectoryTransformer", (f"{here}.directory.Directory",), BlobOf
        ),
        LazyTransformer(
            "dataframe",
            f"{here}.dataframe_converter.DataFrameTransformer",
            (f"{here}.dataframe.DataFrame", *_PANDAS, *_POLARS, *_ARROW),
            DatasetOf,
            mark="",
        ),
        LazyTransformer(
            "json",
            f"{here}.json_iterator.JSONTransformer",
            (f"{here}.json_iterator.JSON", "collections.abc.Iterator", "collections.abc.Generator"),
        ),
        LazyTransformer(
            "objects",
            f"{here}.objects.ObjectTransformer",
            (
                *("PIL.Image.Image", "sklearn.base.BaseEstimator", "torch.Tensor", "torch.nn.modules.module.Module"),
                *("google.protobuf.message.Message", "typing.BinaryIO", "typing.TextIO"),
            ),
        ),
        LazyTransformer("pickle", f"{here}.pickle.PickleTransformer", (f"{here}.pickle.Pickle",)),
    ]
