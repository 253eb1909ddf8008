"""Files of a known format: ``CSVFile`` is ``File["csv"]``, and so on.

A local file that is stored as one of them is checked against the format's signature, where it has one.
"""

from __future__ import annotations

from typing import Literal

from .file import File
from .formats import FileExt

CSVFile = File[Literal["csv"]]
HDF5EncodedFile = File[Literal["hdf5"]]
HTMLPage = File[Literal["html"]]
JPEGImageFile = File[Literal["jpeg"]]
JSONFile = File[Literal["json"]]
JSONLFile = File[Literal["jsonl"]]
JoblibSerializedFile = File[Literal["joblib"]]
ONNXFile = File[Literal["onnx"]]
PDFFile = File[Literal["pdf"]]
PNGImageFile = File[Literal["png"]]
ParquetFile = File[Literal["parquet"]]
PythonNotebook = File[Literal["ipynb"]]
PythonPickledFile = File[Literal["python_pickle"]]
SVGImageFile = File[Literal["svg"]]
TFRecordFile = File[Literal["tfrecord"]]

__all__ = [
    "CSVFile",
    "FileExt",
    "HDF5EncodedFile",
    "HTMLPage",
    "JPEGImageFile",
    "JSONFile",
    "JSONLFile",
    "JoblibSerializedFile",
    "ONNXFile",
    "PDFFile",
    "PNGImageFile",
    "ParquetFile",
    "PythonNotebook",
    "PythonPickledFile",
    "SVGImageFile",
    "TFRecordFile",
]
