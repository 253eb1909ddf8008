"""The kernel's third-party libraries are the four that it promises, also inside functions."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

KERNEL = Path(__file__).parents[2] / "kernel" / "src"
PROMISED = {"entrypoints", "fsspec", "msgspec", "pluggy"}
# The conformance kit runs where pytest is, and nothing else imports it.
# The suite of table stores checks the Arrow data that these are given and give back.
# The converter of pydantic's models runs only for a class of pydantic's, so its library is there.
EXTRA = {
    "alula_kernel/testing": {"hypothesis", "pytest"},
    "alula_kernel/testing/tables.py": {"pyarrow"},
    "alula_kernel/builtin/types/models.py": {"pydantic"},
}


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the top-level package and the line of every absolute import, whatever block it stands in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0], node.lineno


@pytest.mark.parametrize("path", sorted(KERNEL.rglob("*.py")), ids=lambda path: path.relative_to(KERNEL).as_posix())
def test_kernel_module_imports_only_promised_libraries(path: Path) -> None:
    module = path.relative_to(KERNEL).as_posix()
    allowed = {"alula_kernel", "_typeshed"} | PROMISED | set(sys.stdlib_module_names)
    allowed |= {name for prefix, names in EXTRA.items() if module.startswith(prefix) for name in names}
    found = [
        f"{module}:{line}: {name}" for name, line in imported(ast.parse(path.read_text("utf-8"))) if name not in allowed
    ]
    assert not found
