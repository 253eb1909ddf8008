"""Data frames with a schema of pandera's, as ``pandera.typing.DataFrame[Schema]``: checked where they are stored and read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, Literal

import alula
from alula_kernel.contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from alula_kernel.errors import ValueConversionError
from alula_kernel.literals import Literal as LiteralValue

_CLASSES = {
    "pandera.typing.pandas.DataFrame": ("pandas", "DataFrame"),
    "pandera.typing.polars.DataFrame": ("polars", "DataFrame"),
    "pandera.typing.polars.LazyFrame": ("polars", "LazyFrame"),
    "pandera.typing.pyspark_sql.DataFrame": ("pyspark.sql", "DataFrame"),
}
"""The class of the frames behind each class of pandera's."""


@dataclass(frozen=True)
class ValidationConfig:
    """What happens with a frame that does not fit its schema; stands beside the type in ``Annotated``.

    Attributes:
        on_error: ``"raise"``, or ``"warn"`` to log it and go on.
    """

    on_error: Literal["raise", "warn"] = "raise"


class SchemaConverter(Converter[Any]):
    """Converts frames as those of their library are, and checks them.

    Args:
        request: The annotated type.
    """

    def __init__(self, request: TypeRequest) -> None:
        origin = request.origin
        module, name = _CLASSES[f"{origin.__module__}.{origin.__qualname__}"]
        self._class = getattr(import_module(module), name)
        if module == "pyspark.sql":
            import_module("pandera.pyspark")  # what checks Spark's frames; the schema's own code does not import it
        rest = tuple(extra for extra in request.metadata if not isinstance(extra, ValidationConfig))
        # Subscribed, as `Annotated[type, *rest]` is no syntax of Python 3.10.
        native = Annotated.__class_getitem__((self._class, *rest)) if rest else self._class  # type: ignore[attr-defined]
        self._frames: Converter[Any] = request.registry.converter(native)
        self._warns = any(extra == ValidationConfig("warn") for extra in request.metadata)
        self._model: Any = request.args[0] if request.args else None
        self.python_type = request.python_type
        self.literal_type = self._frames.literal_type

    def to_literal(self, value: Any, context: ConversionContext) -> LiteralValue:
        """Check a frame and store it.

        Raises:
            ValueConversionError: It is none, or does not fit the schema.
            StorageError: It cannot be written.
        """
        if isinstance(value, alula.DataFrame):
            value = value.open(self._class).all_sync()
        return self._frames.to_literal(self._checked(value), context)

    def to_python(self, literal: LiteralValue, context: ConversionContext) -> Any:
        """Read a frame and check it.

        Raises:
            ValueConversionError: It does not fit the schema.
            StorageError: It cannot be read.
        """
        return self._checked(self._frames.to_python(literal, context))

    def accepts(self, value: Any) -> bool:
        """Tell whether it is a frame of the library; whether it fits is another question."""
        return self._frames.accepts(value)

    def to_html(self, value: Any) -> str:
        """Show the first rows."""
        return self._frames.to_html(value)

    def to_text(self, value: Any) -> str:
        """Show the first rows."""
        return self._frames.to_text(value)

    def _checked(self, frame: Any) -> Any:
        if self._model is None or not isinstance(frame, self._class):
            return frame  # what is no frame is refused by the converter of frames
        errors = import_module("pandera.errors")
        cause: Exception | None = None
        try:
            checked = self._model.to_schema().validate(frame, lazy=True)
        except (errors.SchemaErrors, errors.SchemaError) as problem:
            cause, told = problem, str(problem)
        else:
            found = getattr(getattr(checked, "pandera", None), "errors", None)  # those of Spark's frames are not raised
            if not found:
                return checked
            told = json.dumps(found, default=str)
        text = f"the data frame does not fit the schema {self._model.__name__}: {told}"
        if self._warns:
            alula.logger.warning(text)
            return frame
        raise ValueConversionError(
            text, hint="Mend the data or the schema, or let ValidationConfig(on_error='warn') stand beside the type."
        ) from cause


class SchemaTransformer(TypeTransformer):
    """Makes the converters."""

    name = "flyte-pandera"
    python_types = tuple(_CLASSES)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Return the converter of a type."""
        return SchemaConverter(request)
