"""Converters of the parts of a type: items, values, fields."""

from __future__ import annotations

from typing import Any

from ...contracts import Converter, TypeRequest
from ...errors import UnsupportedTypeError
from .plain import PLAIN


def member_converter(request: TypeRequest, python_type: Any, step: str = "") -> Converter[Any]:
    """Find the converter of a part of a type.

    ``Any`` and ``object``, which say too little where they stand alone, mean plain data inside another type.

    Args:
        request: The type.
        python_type: The type of the part.
        step: Which part, for messages, as ``Config.path``; empty where the part is plain to see.

    Raises:
        UnsupportedTypeError: The part has no converter; the message says which part.
    """
    if python_type is Any or python_type is object:
        return PLAIN
    try:
        return request.registry.converter(python_type)
    except UnsupportedTypeError as error:
        if not step:
            raise
        location = f"{step}: {error.location}" if error.location else step
        raise UnsupportedTypeError(error.message, hint=error.hint, location=location) from error
