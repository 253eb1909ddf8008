"""Files, directories and data frames, under the name that the module has in Flyte 2: ``alula.io.File`` is `alula.File`."""

from __future__ import annotations

from alula_kernel.hashing import HashMethod

from ._data.dataframe import DataFrame
from ._data.directory import Dir
from ._data.file import File

__all__ = ["DataFrame", "Dir", "File", "HashMethod"]
