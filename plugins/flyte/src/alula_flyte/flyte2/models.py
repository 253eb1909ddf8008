"""``flyte.models`` and ``flyte.types``: small things that programs use by themselves."""

from __future__ import annotations

import inspect
import typing
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


def generate_random_name() -> str:
    """Return a name that no run has yet."""
    return f"r{uuid.uuid4().hex[:19]}"


@dataclass(frozen=True)
class NativeInterface:
    """Inputs, each with its type and default, and outputs of a function.

    Attributes:
        inputs: Type and default by name.
        outputs: Type by name.
    """

    inputs: dict[str, tuple[Any, Any]]
    outputs: dict[str, Any]

    @classmethod
    def from_types(cls, inputs: dict[str, tuple[Any, Any]], outputs: dict[str, Any]) -> NativeInterface:
        """Return an interface."""
        return cls(inputs, outputs)

    @classmethod
    def from_callable(cls, func: Callable[..., Any]) -> NativeInterface:
        """Return the interface of a function."""
        hints = typing.get_type_hints(func, include_extras=True)
        parameters = inspect.signature(func).parameters.values()
        result = hints.get("return", type(None))
        items = typing.get_args(result) if typing.get_origin(result) is tuple else (result,)
        return cls(
            {parameter.name: (hints.get(parameter.name), parameter.default) for parameter in parameters},
            {} if result is type(None) else {f"o{number}": item for number, item in enumerate(items)},
        )


@dataclass(frozen=True)
class RawDataPath:
    """Where the data of a run is stored.

    Attributes:
        path: The folder or URI prefix.
    """

    path: str


@dataclass(frozen=True)
class GroupData:
    """The group in which children are made.

    Attributes:
        name: Its name.
    """

    name: str


@runtime_checkable
class Renderable(Protocol):
    """What shows a value as HTML."""

    def to_html(self, python_value: Any) -> str:
        """Return the HTML."""
        ...


def guess_interface(func: Callable[..., Any]) -> NativeInterface:
    """Return the interface of a function."""
    return NativeInterface.from_callable(func)


PARQUET = "parquet"
"""The format of data frames."""
