"""``flyte.artifacts``: a value that is an artifact is passed on as it is, and not registered anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from alula.adapting import WithAio

T = TypeVar("T")

KIND_KEY = "flyte.io/kind"
"""The attribute that tells what an artifact is."""


def _create_from(
    content: str | None = None, local_path: Path | str | None = None, format: str = "md", card_type: str = "generic"
) -> Card:
    """Return a card with a text, or with that of a file."""
    text = content if content is not None else Path(local_path or "").read_text("utf-8")
    return Card(text=text, format=format, card_type=card_type)


@dataclass(frozen=True, kw_only=True)
class Card:
    """A description of an artifact that people look at.

    Attributes:
        text: The description.
        format: Its format.
        card_type: What it describes.
    """

    text: str = ""
    format: str = "md"
    card_type: str = "generic"
    create_from = WithAio(_create_from)


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What is known of an artifact.

    Attributes:
        name: Its name.
        version: Its version.
        description: What it is.
        attrs: More texts by name.
        card: Its card.
        kind: What it is: ``model``, ``data`` or ``generic``.
    """

    name: str
    version: str | None = None
    description: str | None = None
    attrs: Mapping[str, str] | None = None
    card: Card | None = None
    kind: str | None = None

    @classmethod
    def create_model_metadata(
        cls,
        *,
        name: str,
        version: str | None = None,
        description: str | None = None,
        card: Card | None = None,
        attrs: Mapping[str, str] | None = None,
        **of_model: Any,
    ) -> Metadata:
        """Return the metadata of a model; what is said of the model becomes attributes."""
        told = {key: ",".join(value) if isinstance(value, tuple) else value or "" for key, value in of_model.items()}
        return cls(
            name=name,
            version=version,
            description=description,
            card=card,
            attrs={**(attrs or {}), KIND_KEY: "model", **told},
        )


class Artifact(Generic[T]):
    """Stands for a type of values that are artifacts, in annotations."""


def new(obj: T, metadata: Metadata) -> T:
    """Return a value that would be registered as an artifact: the value as it is."""
    return obj
