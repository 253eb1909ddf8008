"""What is imported when, and what is said when something is not installed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = {
    "pandas",
    "numpy",
    "pyarrow",
    "polars",
    "pydantic",
    "pydantic_core",
    "asyncio",
    "fsspec",
    "cloudpickle",
    "sqlite3",
}


HIDE = """
import importlib.abc, sys
class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {0}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Hide())
"""


def run(code: str, *, missing: str = "") -> str:
    """Run code in a fresh process in which some libraries cannot be imported."""
    hide = HIDE.format(missing.split())
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", hide + code], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported(code: str) -> set[str]:
    return set(run(f"{code}\nimport sys\nprint(*sys.modules)").split()) & HEAVY


WORLD = """
from alula_kernel.builtin.backends import builtin_backends
from alula_kernel.builtin.types import builtin_transformers
from alula_kernel.contracts import ConversionContext
from alula_kernel.errors import MissingDependencyError
from alula_kernel.registry import TypeRegistry
from alula_kernel.storage import Storage
from alula._data.transformers import data_transformers
import tempfile
registry = TypeRegistry([*builtin_transformers(), *data_transformers()])
folder = tempfile.TemporaryDirectory()
context = ConversionContext(Storage(builtin_backends(), folder.name))
"""


def test_transformers_import_nothing_heavy():
    assert not imported("from alula._data.transformers import data_transformers; data_transformers()")


@pytest.mark.parametrize(
    "module",
    ["file", "directory", "dataframe", "file_types", "renderers", "pickle", "json_iterator", "objects", "schema"],
)
def test_modules_import_nothing_heavy(module):
    assert not imported(f"import alula._data.{module}")


def test_a_program_of_numbers_does_not_import_the_families():
    code = f"{WORLD}\nregistry.converter(int)\nimport sys\nprint(*sys.modules)"
    families = {"alula._data.file", "alula._data.dataframe", "alula._data.directory", "alula._data.pickle"}
    assert not set(run(code).split()) & families


def test_converters_import_nothing_heavy():
    code = f"""{WORLD}
from alula._data.dataframe import DataFrame
from alula._data.file import File
registry.converter(File["csv"]); registry.converter(DataFrame)
import typing
class DataFrame: pass
DataFrame.__module__, DataFrame.__qualname__ = "pandas", "DataFrame"
registry.converter(DataFrame)
"""
    assert not imported(code) - {"asyncio", "fsspec"}


def test_missing_pandas_is_named():
    code = f"""{WORLD}
import pyarrow
literal = registry.converter(pyarrow.Table).to_literal(pyarrow.table({{"a": [1]}}), context)
from alula._data.dataframe import DataFrame
try:
    registry.converter(DataFrame).to_python(literal, context).all()
except MissingDependencyError as error:
    print(error)
"""
    said = run(code, missing="pandas")
    assert "pandas is needed to read a data frame as pandas.DataFrame, and is not installed" in said
    assert 'pip install "alula[pandas]"' in said


def test_missing_pyarrow_is_named():
    for library in ("pandas", "polars"):
        code = f"""{WORLD}
import {library}
try:
    registry.converter({library}.DataFrame).to_literal({library}.DataFrame({{"a": [1]}}), context)
except MissingDependencyError as error:
    print(error)
"""
        said = run(code, missing="pyarrow")
        assert "pyarrow is needed" in said
        assert f'pip install "alula[{library}]"' in said


def test_missing_polars_is_named():
    code = f"""{WORLD}
import pyarrow
literal = registry.converter(pyarrow.Table).to_literal(pyarrow.table({{"a": [1]}}), context)
from alula._data.dataframe import DataFrame
try:
    registry.converter(DataFrame).to_python(literal, context).open("polars.DataFrame").all()
except MissingDependencyError as error:
    print(error)
"""
    assert 'pip install "alula[polars]"' in run(code, missing="polars")
