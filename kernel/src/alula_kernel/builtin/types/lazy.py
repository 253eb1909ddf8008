"""Transformers that are imported when a type of theirs is met: a program does not pay for types that it does not use."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any

from ...contracts import Converter, TypeRequest, TypeTransformer
from ...types import LiteralType


class LazyTransformer(TypeTransformer):
    """Stands for a transformer that is imported when it is first needed.

    Args:
        name: Name of the transformer.
        home: Its class, as ``"package.module.Class"``.
        python_types: The classes that it handles.
        stands_for: Class of the literal types that it has a Python type for; None for none.
        mark: Attribute of the types to which its `matches` may say yes; empty for any type, None for none.
    """

    def __init__(
        self,
        name: str,
        home: str,
        python_types: Sequence[type | str] = (),
        stands_for: type | None = None,
        *,
        mark: str | None = None,
    ) -> None:
        self.name = name
        self.python_types = tuple(python_types)
        self._home = home
        self._stands_for = stands_for
        self._mark = mark

    @functools.cached_property
    def loaded(self) -> TypeTransformer:
        """The transformer."""
        module, _, name = self._home.rpartition(".")
        made: TypeTransformer = getattr(importlib.import_module(module), name)()
        return made

    def matches(self, request: TypeRequest) -> bool:
        """Tell as the transformer does."""
        if self._mark is None or (self._mark and not hasattr(request.origin, self._mark)):
            return False
        return self.loaded.matches(request)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter that the transformer makes."""
        return self.loaded.converter(request)

    def python_type(self, literal_type: LiteralType) -> Any | None:
        """Return what the transformer does for literal types that may be its own."""
        if self._stands_for is None or not isinstance(literal_type, self._stands_for):
            return None
        return self.loaded.python_type(literal_type)
