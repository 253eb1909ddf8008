"""Models of scikit-learn that become ONNX files where a task returns them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import alula
from alula_kernel.contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from alula_kernel.errors import ArgumentError
from alula_kernel.literals import Literal

from .stored_files import StoredAsFile


@dataclass
class ScikitLearn2ONNXConfig:
    """How a model of scikit-learn is converted, in the words of ``skl2onnx.convert_sklearn``.

    Attributes:
        initial_types: Names and types of the model's inputs.
        name: Name of the graph.
        doc_string: A text in the model.
        target_opset: Version of the operators.
        custom_conversion_functions: Functions that convert further models.
        custom_shape_calculators: Functions that calculate their shapes.
        custom_parsers: Functions that say what their outputs are.
        options: Options by model.
        intermediate: Not looked at.
        naming: How intermediate results are named.
        white_op: Operators that may be used; all if not given.
        black_op: Operators that may not be used.
        verbose: How much is printed meanwhile.
        final_types: Other names and types of the outputs.
    """

    initial_types: list[tuple[str, Any]]
    name: str | None = None
    doc_string: str = ""
    target_opset: int | None = None
    custom_conversion_functions: Mapping[Any, Any] = field(default_factory=dict)
    custom_shape_calculators: Mapping[Any, Any] = field(default_factory=dict)
    custom_parsers: Mapping[Any, Any] = field(default_factory=dict)
    options: Mapping[Any, Any] = field(default_factory=dict)
    intermediate: bool = False
    naming: Any = None
    white_op: set[str] | None = None
    black_op: set[str] | None = None
    verbose: int = 0
    final_types: list[tuple[str, Any]] | None = None

    def convert(self, model: Any) -> bytes:
        """Return a model in ONNX's format."""
        import skl2onnx  # there where it is used

        given = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        options = {**given, "intermediate": False}
        return bytes(skl2onnx.convert_sklearn(model, **options).SerializeToString())


@dataclass
class ScikitLearn2ONNX:
    """A model of scikit-learn that a task returns; who takes it gets an ``ONNXFile``.

    Attributes:
        model: The model.
    """

    model: Any = None


class _ModelConverter(StoredAsFile):
    """Writes models as ONNX files.

    Args:
        request: The annotated type.
    """

    def __init__(self, request: TypeRequest) -> None:
        configs = [extra for extra in request.metadata if isinstance(extra, ScikitLearn2ONNXConfig)]
        if not configs:
            raise ArgumentError(
                "ScikitLearn2ONNX needs a ScikitLearn2ONNXConfig beside it",
                hint="Annotate it: Annotated[ScikitLearn2ONNX, ScikitLearn2ONNXConfig(...)].",
            )
        super().__init__(request, alula.file_types.ONNXFile, "model.onnx")
        self._config = configs[0]

    def encode(self, value: Any) -> bytes:
        """Convert a model."""
        return self._config.convert(value.model)

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Return the file."""
        return self.file.to_python(literal, context)


class OnnxTransformer(TypeTransformer):
    """Makes the converters."""

    name = "flyte-onnx"
    python_types = ("alula_flyte.onnx_models.ScikitLearn2ONNX",)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Return the converter of a type."""
        return _ModelConverter(request)
