from __future__ import annotations

from typing import Annotated, Any

import pytest

from alula._data import file_types
from alula._data.directory import Directory
from alula._data.file import File
from alula._data.file_types import FileExt
from alula_kernel.errors import ArgumentError, ValueConversionError
from alula_kernel.types import BlobOf

HEADS = {
    "png": b"\x89PNG\r\n\x1a\n....",
    "jpeg": b"\xff\xd8\xff\xe0....",
    "gif": b"GIF89a....",
    "pdf": b"%PDF-1.7 ....",
    "hdf5": b"\x89HDF\r\n\x1a\n....",
    "gz": b"\x1f\x8b\x08....",
    "zip": b"PK\x03\x04....",
    "parquet": b"PAR1....",
    "arrow": b"ARROW1\0\0....",
}


@pytest.fixture
def store(converter, context, tmp_path):
    def store(declared: str, data: bytes, name: str = "data"):
        path = tmp_path / name
        path.write_bytes(data)
        return converter(File[declared]).to_literal(path, context)

    return store


@pytest.mark.parametrize("declared", HEADS)
@pytest.mark.parametrize("found", HEADS)
def test_signatures(store, declared, found):
    if declared == found:
        assert store(declared, HEADS[found]).format == declared
    else:
        with pytest.raises(ValueConversionError, match=f"was declared as {declared}, and is {found}"):
            store(declared, HEADS[found])


@pytest.mark.parametrize("found", HEADS)
@pytest.mark.parametrize("declared", ["csv", "json", "html", "svg"])
def test_text_formats_refuse_binary(store, declared, found):
    with pytest.raises(ValueConversionError, match=f"is {found}"):
        store(declared, HEADS[found])


def test_text_formats(store):
    assert store("csv", b"a,b\n1,2\n").format == "csv"
    assert store("csv", b"").size == 0
    assert store("csv", "a,é".encode("utf-16")).format == "csv"
    with pytest.raises(ValueConversionError, match="is binary"):
        store("csv", b"a\0b")
    with pytest.raises(ValueConversionError, match="is image/png"):
        store("csv", b"a,b", "picture.png")
    assert store("csv", b"a,b", "data.txt").format == "csv"


def test_other_names_of_a_format(store):
    assert store("jpg", HEADS["jpeg"]).format == "jpg"
    assert store("h5", HEADS["hdf5"]).format == "h5"


def test_empty_and_unknown(store):
    with pytest.raises(ValueConversionError, match="is empty"):
        store("png", b"")
    with pytest.raises(ValueConversionError, match="is not"):
        store("png", b"text")
    assert store("onnx", b"anything").format == "onnx"
    assert store("", b"anything").format == ""


def test_remote_files_are_not_checked(converter, remote):
    assert converter(File["png"]).to_literal("memory://b/x.csv", remote).format == "png"


def test_every_type_has_a_format(converter):
    for name in file_types.__all__:
        if name != "FileExt":
            assert converter(getattr(file_types, name)).literal_type.format
    assert converter(file_types.CSVFile).literal_type == BlobOf("csv")
    assert list(file_types.__all__) == sorted(file_types.__all__)


def test_a_type_tells_its_format():
    assert File["csv"].extension() == File[Annotated[str, FileExt(".csv")]].extension() == "csv"
    assert file_types.JPEGImageFile.extension() == "jpeg"
    assert Directory["png"].extension() == "png"
    assert File.extension() == File[Any].extension() == ""


@pytest.mark.parametrize("wrong", [int, Annotated[str, "csv"], Annotated[int, 3]])
def test_what_is_no_format_is_refused(wrong):
    with pytest.raises(ArgumentError, match="is no format of a file"):
        File[wrong]


def test_file_ext():
    assert FileExt(".CSV") == FileExt("csv")
    assert len({FileExt("csv"), FileExt(".csv")}) == 1
    assert FileExt("csv") != "csv"
    assert repr(FileExt("csv")) == "FileExt('csv')"
