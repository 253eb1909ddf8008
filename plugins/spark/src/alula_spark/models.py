"""Models of Spark's library for machine learning as values of tasks, kept in the form in which Spark saves them."""

from __future__ import annotations

import tempfile
from typing import Any

from alula_kernel.contracts import ConversionContext, Converter, TypeRequest
from alula_kernel.errors import UnsupportedTypeError, ValueConversionError
from alula_kernel.literals import Blob, Literal, unwrap
from alula_kernel.types import Opaque

from .masters import is_here
from .session import session

FORMAT = "spark-ml"
"""Format of the blobs."""


class ModelConverter(Converter[Any]):
    """Converts models of one class.

    Spark writes the time into what it saves, so a model that is trained again is another value; `alula.HashMethod` says
    otherwise.

    Args:
        model: The class, as ``pyspark.ml.PipelineModel``.
    """

    def __init__(self, model: Any) -> None:
        self.python_type = model
        self.literal_type = Opaque(f"{model.__module__}.{model.__qualname__}")

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Save a model.

        Raises:
            ValueConversionError: It is of another class, or executors on other machines would write it to their disks.
            StorageError: It cannot be stored.
        """
        if not isinstance(value, self.python_type):
            raise self.refuse(value)
        self._require_one_disk()
        with tempfile.TemporaryDirectory(prefix="alula-spark-") as folder:
            value.write().overwrite().save(f"file://{folder}/model")
            blob = context.storage.put_directory(f"{folder}/model", name="model")
        return Blob(blob.uri, hash=blob.hash, size=blob.size, format=FORMAT, directory=True, name="model")

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Load a model into the session of the attempt.

        Raises:
            ValueConversionError: The literal is no model, or executors on other machines could not read it.
            StorageError: It cannot be read.
        """
        match unwrap(literal):
            case Blob(format=format, uri=uri) if format == FORMAT:
                pass
            case _:
                raise self.refuse(literal)
        self._require_one_disk()
        path = context.storage.local_path(uri)
        if path is not None:
            return self.python_type.load(f"file://{path}")
        with tempfile.TemporaryDirectory(prefix="alula-spark-") as folder:
            context.storage.download_directory(uri, f"{folder}/model")
            return self.python_type.load(f"file://{folder}/model")

    def _require_one_disk(self) -> None:
        master = str(session().sparkContext.master)
        if not is_here(master):
            raise ValueConversionError(
                f"a {self.python_type.__name__} is saved and loaded by Spark's executors, and those of {master} have other "
                "disks than this task",
                hint="Save it to a place that all machines reach, and pass its URI on; or train it on this machine.",
            )


def model_converter(request: TypeRequest) -> ModelConverter:
    """Make the converter of a class of models.

    Raises:
        UnsupportedTypeError: Spark cannot load models of the class.
    """
    model: Any = request.python_type
    if not callable(getattr(model, "load", None)):
        raise UnsupportedTypeError(
            f"models of {model.__module__}.{model.__qualname__} cannot be loaded by Spark",
            hint="Annotate the class of the model itself, as pyspark.ml.PipelineModel.",
        )
    return ModelConverter(model)
