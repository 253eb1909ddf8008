"""Files that are no modules: `TaskEnvironment.include` and what the caller adds."""

from __future__ import annotations

import importlib
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from alula import DeclaredTask
from alula._app import current_app
from alula._bundle import code_for
from alula._bundle_archive import BundleError
from alula_kernel.contracts import CodeReference

MODULE = """
from alula import TaskEnvironment

env = TaskEnvironment("included", include={include!r})

@env.task
def t() -> int:
    return 1
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a function that writes and imports a module of a package, whose environment includes something."""
    root = tmp_path / "src"
    package = root / "included_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / ".gitignore").write_text("*.log\n")
    for name in ("rates/today.txt", "rates/old.log", "rates/deep/more.txt", "query.sql", "other.sql", "unused.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(name)
    (root / "top.txt").write_text("top")
    monkeypatch.syspath_prepend(str(root))

    def load(*include: str) -> ModuleType:
        (package / "tasks.py").write_text(MODULE.format(include=include))
        importlib.invalidate_caches()
        return importlib.import_module("included_package.tasks")

    yield load
    for name in [name for name in sys.modules if name.startswith("included_package")]:
        del sys.modules[name]


def names_in(code: CodeReference) -> list[str]:
    with current_app().storage.open(code.uri) as stream, tarfile.open(fileobj=stream) as archive:
        return [name.removeprefix("included_package/") for name in archive.getnames()]


@pytest.mark.parametrize(
    ("include", "added"),
    [
        ((), []),
        (("query.sql",), ["query.sql"]),
        (("*.sql",), ["other.sql", "query.sql"]),
        (("rates",), ["rates/deep/more.txt", "rates/today.txt"]),
        (("rates/old.log",), ["rates/old.log"]),
        (("**/*.txt",), ["rates/deep/more.txt", "rates/today.txt"]),
        (("../top.txt",), ["top.txt"]),
    ],
)
def test_environments_include_files_folders_and_patterns(load: Any, include: tuple[str, ...], added: list[str]) -> None:
    code = code_for(load(*include).t, "loaded_modules")
    assert sorted(names_in(code)) == sorted(["__init__.py", "tasks.py", *added])


def test_a_task_includes_what_it_needs(load: Any) -> None:
    module = load()

    class Query(DeclaredTask):
        def included_paths(self) -> list[str]:
            return [str(Path(module.__file__).parent / "query.sql")]  # type: ignore[arg-type]

    module.query = Query("query")  # type: ignore[attr-defined]
    assert "query.sql" in names_in(code_for(module.t, "loaded_modules"))


def test_the_caller_adds_files_below_the_root(load: Any) -> None:
    code = code_for(load().t, "loaded_modules", include=["top.txt", "included_package/rates"])
    assert {"top.txt", "rates/today.txt"} <= set(names_in(code))


def test_everything_is_everything_that_git_takes(load: Any) -> None:
    names = names_in(code_for(load().t, "all"))
    assert {"unused.py", "rates/today.txt", ".gitignore"} <= set(names)
    assert "rates/old.log" not in names
    assert not any("__pycache__" in name for name in names)


def test_what_is_not_there_is_named(load: Any) -> None:
    module = load("no.sql")
    with pytest.raises(BundleError, match=r"no\.sql is to be included in the code, and does not exist"):
        code_for(module.t, "all")


def test_what_lies_outside_of_the_root_is_named(load: Any, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("")
    module = load("../../outside.txt")
    with pytest.raises(BundleError, match="lies outside of its root"):
        code_for(module.t, "all")
    assert "outside.txt" in names_in(code_for(module.t, "all", root=tmp_path))


def test_too_much_code_is_refused(load: Any) -> None:
    module = load()
    with pytest.raises(BundleError, match=r"at most 0\.0 MiB are sent"):
        code_for(module.t, "all", limit_bytes=100)


def test_equal_code_has_an_equal_digest_wherever_it_lies(load: Any, tmp_path: Path) -> None:
    code = code_for(load("rates").t, "loaded_modules")
    current_app().bundles.clear()
    assert code_for(load("rates").t, "loaded_modules") == code
