"""The type transformers of this package, as the built-in plugin registers them."""

from __future__ import annotations

from alula_kernel.contracts import TypeTransformer

from .dataframe_converter import dataframe_transformers
from .file_converter import DirectoryTransformer, FileTransformer
from .json_iterator import JSONTransformer
from .objects import ObjectTransformer
from .pickle import PickleTransformer


def data_transformers() -> list[TypeTransformer]:
    """Make the transformers; nothing heavy is imported, and each call gives data frames a registry of their own."""
    return [
        FileTransformer(),
        DirectoryTransformer(),
        *dataframe_transformers(),
        JSONTransformer(),
        ObjectTransformer(),
        PickleTransformer(),
    ]
