"""Families of types are imported when a type of theirs is met."""

from __future__ import annotations

import subprocess
import sys

import pytest

from alula_kernel.builtin.types import LazyTransformer, builtin_transformers
from alula_kernel.contracts import TypeTransformer
from alula_kernel.registry import _dotted

LAZY = [transformer for transformer in builtin_transformers() if isinstance(transformer, LazyTransformer)]


def loaded_families(code: str) -> set[str]:
    script = (
        "import dataclasses, enum, sys, typing\n"
        "from alula_kernel.builtin.types import builtin_transformers\n"
        "from alula_kernel.registry import TypeRegistry\n"
        f"registry = TypeRegistry(builtin_transformers())\n{code}\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    home = "alula_kernel.builtin.types."
    return {name.removeprefix(home) for name in done.stdout.split() if name.startswith(home)}


def names(transformer: TypeTransformer) -> set[str]:
    return {_dotted(python_type) for python_type in transformer.python_types}


@pytest.mark.parametrize("transformer", LAZY, ids=lambda transformer: transformer.name)
def test_it_claims_what_the_family_claims(transformer: LazyTransformer) -> None:
    assert transformer.name == transformer.loaded.name
    assert transformer.priority == transformer.loaded.priority
    assert names(transformer) == names(transformer.loaded)


@pytest.mark.parametrize("transformer", LAZY, ids=lambda transformer: transformer.name)
def test_it_asks_a_family_that_answers(transformer: LazyTransformer) -> None:
    matching = type(transformer.loaded).matches is not TypeTransformer.matches
    guessing = type(transformer.loaded).python_type is not TypeTransformer.python_type
    assert (transformer._mark is not None) == matching
    assert (transformer._stands_for is not None) == guessing


def test_numbers_and_texts_load_no_family() -> None:
    assert loaded_families("registry.converter(int); registry.converter(str)") == {
        *("base", "lazy", "refusals", "scalars"),
    }


@pytest.mark.parametrize(
    ("python_type", "family"),
    [
        ("list[int]", "sequences"),
        ("dict[str, int]", "mappings"),
        ("int | None", "unions"),
        ("typing.Literal['a']", "enums"),
        ("enum.Enum('Colour', 'RED')", "enums"),
        ("dataclasses.make_dataclass('Point', [('x', int)])", "record_classes"),
        ("typing.NamedTuple('Point', [('x', int)])", "record_classes"),
        ("typing.TypedDict('Point', {'x': int})", "record_classes"),
    ],
)
def test_a_type_loads_its_family(python_type: str, family: str) -> None:
    assert family in loaded_families(f"registry.converter({python_type})")
    assert family not in loaded_families("pass")
