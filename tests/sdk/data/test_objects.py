from __future__ import annotations

import io
import sys
import types
from typing import Any, BinaryIO, TextIO

import pytest

from alula_kernel.errors import MissingDependencyError, ValueConversionError
from alula_kernel.types import BlobOf


def test_binary_streams(converter, context, tmp_path):
    (tmp_path / "x.bin").write_bytes(b"a\0b")
    found = converter(BinaryIO)
    with (tmp_path / "x.bin").open("rb") as stream:
        stream.read(1)
        blob = found.to_literal(stream, context)
    assert (blob.size, blob.name, found.literal_type) == (2, "x.bin", BlobOf())
    with found.to_python(blob, context) as stream:
        assert stream.read() == b"\0b"
    assert found.to_literal(io.BytesIO(b"\0b"), context).hash == blob.hash
    with found.from_text(str(tmp_path / "x.bin"), context) as stream:
        assert stream.read() == b"a\0b"


def test_text_streams(converter, context):
    found = converter(TextIO)
    blob = found.to_literal(io.StringIO("é\n"), context)
    with found.to_python(blob, context) as stream:
        assert stream.read() == "é\n"


def test_streams_of_the_other_kind_are_refused(converter, context, tmp_path):
    for python_type, value in (
        (BinaryIO, io.StringIO("x")),
        (TextIO, io.BytesIO(b"x")),
        (BinaryIO, 5),
        (BinaryIO, b"x"),
    ):
        with pytest.raises(ValueConversionError, match="expected"):
            converter(python_type).to_literal(value, context)
    with (tmp_path / "w").open("wb") as stream, pytest.raises(ValueConversionError, match="can be read"):
        converter(BinaryIO).to_literal(stream, context)


@pytest.fixture
def library(monkeypatch):
    """Make a module with a class as another library would have it."""

    def make(module: str, name: str, **members: Any) -> Any:
        parts = module.split(".")
        for index in range(len(parts)):
            monkeypatch.setitem(
                sys.modules, ".".join(parts[: index + 1]), types.ModuleType(".".join(parts[: index + 1]))
            )
        cls = type(name, (), {**members, "__module__": module})
        setattr(sys.modules[module], name, cls)
        return cls

    return make


def test_protobuf_messages(round_trip, converter, context, library):
    def serialize(self: Any, deterministic: bool = False) -> bytes:
        assert deterministic
        return self.text.encode()

    base = library("google.protobuf.message", "Message", SerializeToString=serialize)

    class Point(base):
        def __init__(self, text: str) -> None:
            self.text = text

        @classmethod
        def FromString(cls, data: bytes) -> Point:
            return cls(data.decode())

    found = round_trip(Point, Point("x"), context)
    assert isinstance(found, Point)
    assert found.text == "x"
    assert converter(Point).literal_type == BlobOf("pb")
    with pytest.raises(ValueConversionError, match="Point"):
        converter(Point).to_literal(5, context)


def test_estimators(round_trip, converter, context):
    import sklearn.linear_model as linear

    model = linear.LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
    found = round_trip(linear.LinearRegression, model, context)
    assert found.predict([[2.0]])[0] == pytest.approx(4.0)
    assert converter(linear.LinearRegression).literal_type == BlobOf("joblib")
    again = linear.LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
    assert (
        converter(type(model)).to_literal(model, context).hash == converter(type(model)).to_literal(again, context).hash
    )


def test_images(round_trip, converter, context, library, tmp_path):
    def save(self: Any, stream: Any, format: str) -> None:
        stream.write(f"{format}:{self.size}".encode())

    image_class = library("PIL.Image", "Image", save=save, load=lambda self: setattr(self, "loaded", True))

    def read(stream: Any) -> Any:
        made = image_class()
        made.size = stream.read().decode().removeprefix("PNG:")
        return made

    sys.modules["PIL.Image"].open = read
    image = image_class()
    image.size = "3x2"
    found = round_trip(image_class, image, context)
    assert (found.size, found.loaded) == ("3x2", True)
    assert converter(image_class).literal_type == BlobOf("png")
    (tmp_path / "x.png").write_text("PNG:5x5")
    assert converter(image_class).from_text(str(tmp_path / "x.png"), context).size == "5x5"


def test_tensors_are_read_without_running_code_and_modules_cannot_be(round_trip, context, library):
    seen = []

    def load(stream: Any, weights_only: bool) -> Any:
        seen.append(weights_only)
        return stream.read()

    module_class = library("torch.nn.modules.module", "Module")
    tensor_class = library("torch", "Tensor")
    torch = sys.modules["torch"]
    torch.save = lambda value, stream: stream.write(b"saved")
    torch.load = load
    assert round_trip(tensor_class, tensor_class(), context) == b"saved"
    net = type("Net", (module_class,), {})
    assert round_trip(net, net(), context) == b"saved"
    assert seen == [True, False]


def test_a_missing_library_is_named(converter, context, library, monkeypatch):
    base = library("sklearn.base", "BaseEstimator")
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(MissingDependencyError, match=r"(?s)joblib is needed to store.*pip install joblib"):
        converter(base).to_literal(base(), context)
