# ruff: noqa: UP045 - annotations are written as users write them
from __future__ import annotations

import pathlib
import subprocess
import sys
from typing import Any, Optional

import pytest

from alula_kernel.builtin.types import builtin_transformers
from alula_kernel.contracts import TypeTransformer
from alula_kernel.errors import UnsupportedTypeError
from alula_kernel.registry import TypeRegistry
from alula_kernel.types import JSON, STR, ListOf


@pytest.mark.parametrize("python_type", [Any, object])
def test_types_that_say_nothing(registry, python_type):
    with pytest.raises(UnsupportedTypeError, match=r"does not say what the value is\n.*dict\[str, Any\].*Pickle"):
        registry.converter(python_type)


def test_any_inside_another_type_is_plain_data(round_trip):
    round_trip(Optional[Any], {"a": [1, None]})


def test_a_transformer_may_take_what_others_refuse():
    class Last(TypeTransformer):
        name = "last"
        takes_refused = True

        def converter(self, request):
            return request.registry.converter(str)

    registry = TypeRegistry(builtin_transformers())
    registry.register(Last())
    assert registry.converter(list[Any]).literal_type == ListOf(JSON)
    for refused in (Any, object, list, pathlib.Path):
        assert registry.converter(refused).literal_type == STR
    with pytest.raises(UnsupportedTypeError, match="no type transformer handles"):
        TypeRegistry().converter(int)


@pytest.mark.parametrize("python_type", [pathlib.Path, pathlib.PurePath, pathlib.PosixPath, list[pathlib.Path]])
def test_paths(registry, python_type):
    with pytest.raises(UnsupportedTypeError, match=r"Use File or Directory"):
        registry.converter(python_type)


def test_no_heavy_library_is_imported():
    code = (
        "import sys; from alula_kernel.registry import TypeRegistry\n"
        "from alula_kernel.builtin.types import builtin_transformers\n"
        "registry = TypeRegistry(builtin_transformers())\n"
        "registry.converter(dict[str, list[int | None]]).to_literal({'a': [1]}, None)\n"
        "heavy = {'numpy', 'pydantic', 'attr', 'pandas', 'json', 'html', 'pathlib', 'zoneinfo', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
