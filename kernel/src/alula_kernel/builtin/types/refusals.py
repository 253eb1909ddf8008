"""Types that are understood, but say too little, or something else than their author means."""

from __future__ import annotations

import typing
from typing import Any

from ... import types
from ...contracts import Converter, TypeRequest, TypeTransformer
from ...errors import UnsupportedTypeError
from ...registry import type_name


class RefusingTransformer(TypeTransformer):
    """Refuses ``Any``, ``object``, paths and open type variables with a message that says what to write instead."""

    name = "refusals"
    python_types = (
        "typing.Any",
        "typing_extensions.Any",
        object,
        "pathlib.PurePath",
        "typing.TypeVar",
    )

    def matches(self, request: TypeRequest) -> bool:
        """Tell whether the type is a type variable."""
        return isinstance(request.python_type, typing.TypeVar)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Refuse.

        Raises:
            UnsupportedTypeError: Always.
        """
        name = type_name(request.python_type)
        if isinstance(request.python_type, typing.TypeVar):
            raise UnsupportedTypeError(
                f"the type variable {name} stands for no type here",
                hint=f"Give the generic class its argument, as Box[int], or write a type instead of {name}.",
            )
        if any(base.__name__ == "PurePath" for base in getattr(request.origin, "__mro__", ())):
            raise UnsupportedTypeError(
                f"{name} names a file on one machine; a task elsewhere would not find it",
                hint="Use File or Directory, which take the content along; in the task, `.path` is a local path.",
            )
        raise UnsupportedTypeError(
            f"{name} does not say what the value is",
            hint="Write the type, a union of types, dict[str, Any] for plain JSON data, or Pickle[...] for any Python object.",
        )

    def python_type(self, literal_type: types.LiteralType) -> Any | None:
        """Return a dict of anything for plain data."""
        return dict[str, Any] if literal_type == types.JSON else None
