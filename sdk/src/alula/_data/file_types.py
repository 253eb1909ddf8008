"""Files of a known format: ``CSVFile`` is ``File["csv"]``, and so on.

A local file that is stored as one of them is checked against the format's signature, where it has one.
"""

from __future__ import annotations

from .file import File
from .formats import FileExt

CSVFile = File["csv"]
HDF5EncodedFile = File["hdf5"]
HTMLPage = File["html"]
JPEGImageFile = File["jpeg"]
JSONFile = File["json"]
JSONLFile = File["jsonl"]
JoblibSerializedFile = File["joblib"]
ONNXFile = File["onnx"]
PDFFile = File["pdf"]
PNGImageFile = File["png"]
ParquetFile = File["parquet"]
PythonNotebook = File["ipynb"]
PythonPickledFile = File["python_pickle"]
SVGImageFile = File["svg"]
TFRecordFile = File["tfrecord"]

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
