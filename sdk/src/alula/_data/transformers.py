"""The type transformers of this package, as the built-in plugin registers them.

They are known by the names of their classes and imported when a type of theirs is met: a program that uses only numbers
and strings does not pay for files and data frames.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any

from alula_kernel.contracts import Converter, TypeRequest, TypeTransformer
from alula_kernel.types import BlobOf, DatasetOf, LiteralType

_PANDAS = ("pandas.DataFrame", "pandas.core.frame.DataFrame")
_POLARS = (
    *("polars.DataFrame", "polars.dataframe.frame.DataFrame"),
    *("polars.LazyFrame", "polars.lazyframe.frame.LazyFrame"),
)
_ARROW = tuple(
    f"pyarrow.{module}{name}" for name in ("Table", "RecordBatch", "RecordBatchReader") for module in ("", "lib.")
)
_PATHS = tuple(f"{module}.{name}" for name in ("Path", "PosixPath") for module in ("pathlib", "pathlib._local"))


class LazyTransformer(TypeTransformer):
    """Stands for a transformer that is imported when it is first needed.

    Args:
        name: Name of the transformer.
        home: ``module.Class`` of it, below this package.
        python_types: The classes that it handles.
        stands_for: Class of the literal types that it has a Python type for; None for none.
        matching: Whether its `matches` may say yes.
    """

    def __init__(
        self,
        name: str,
        home: str,
        python_types: Sequence[str],
        stands_for: type | None = None,
        *,
        matching: bool = False,
    ) -> None:
        self.name = name
        self.python_types = tuple(python_types)
        self._home = home
        self._stands_for = stands_for
        self._matching = matching

    @functools.cached_property
    def loaded(self) -> TypeTransformer:
        """The transformer."""
        module, _, name = self._home.rpartition(".")
        made: TypeTransformer = getattr(importlib.import_module(f".{module}", __package__), name)()
        return made

    def matches(self, request: TypeRequest) -> bool:
        """Tell as the transformer does."""
        return self._matching and self.loaded.matches(request)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter that the transformer makes."""
        return self.loaded.converter(request)

    def python_type(self, literal_type: LiteralType) -> Any | None:
        """Return what the transformer does for literal types that may be its own."""
        if self._stands_for is None or not isinstance(literal_type, self._stands_for):
            return None
        return self.loaded.python_type(literal_type)


def data_transformers() -> list[TypeTransformer]:
    """Make the transformers; each call gives data frames a registry of handlers of their own."""
    here = __package__
    return [
        LazyTransformer(
            "file", "file_converter.FileTransformer", (f"{here}.file.File", *_PATHS, "os.PathLike"), BlobOf
        ),
        LazyTransformer("directory", "file_converter.DirectoryTransformer", (f"{here}.directory.Directory",), BlobOf),
        LazyTransformer(
            "dataframe",
            "dataframe_converter.DataFrameTransformer",
            (f"{here}.dataframe.DataFrame", *_PANDAS, *_POLARS, *_ARROW),
            DatasetOf,
            matching=True,
        ),
        LazyTransformer(
            "json",
            "json_iterator.JSONTransformer",
            (f"{here}.json_iterator.JSON", "collections.abc.Iterator", "collections.abc.Generator"),
        ),
        LazyTransformer(
            "objects",
            "objects.ObjectTransformer",
            (
                *("PIL.Image.Image", "sklearn.base.BaseEstimator", "torch.Tensor", "torch.nn.modules.module.Module"),
                *("google.protobuf.message.Message", "typing.BinaryIO", "typing.TextIO"),
            ),
        ),
        LazyTransformer("pickle", "pickle.PickleTransformer", (f"{here}.pickle.Pickle",)),
    ]
