"""``FileExt``: formats of files inside ``Annotated``."""

from __future__ import annotations

from typing import Any

from alula import file_types


class FileExt(file_types.FileExt):
    """A format; see `alula.file_types.FileExt`."""

    @staticmethod
    def check_and_convert_to_str(item: Any) -> str:
        """Return the format that a text, or what is annotated with one, names."""
        return file_types.FileExt(item).extension if isinstance(item, str) else item.__metadata__[0].extension
