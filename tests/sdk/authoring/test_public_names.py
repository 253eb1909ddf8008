"""The package's public names, and what importing it brings in (P2, show 11)."""

from __future__ import annotations

import functools
import importlib
import inspect
import pydoc
import subprocess
import sys
import types
from typing import Any

import pytest

import alula
from alula import _flyte_names

HEAVY = {
    *("pandas", "numpy", "pyarrow", "polars", "pydantic", "httpx", "rich", "jinja2", "yaml", "asyncio", "sqlite3"),
    *("click", "duckdb", "cloudpickle", "fsspec", "cronsim", "docstring_parser", "markdown_it", "importlib.metadata"),
    *("subprocess", "email", "http", "urllib.request", "ssl", "multiprocessing", "concurrent.futures"),
}
SUBMODULES = ("durable", "errors", "extras", "file_types", "history", "io", "report")


@functools.lru_cache(maxsize=1)
def _after_start_up() -> frozenset[str]:
    return _modules_after("import dataclasses, msgspec")  # msgspec brings in subprocess on Python 3.10


def _modules_after(code: str) -> frozenset[str]:
    script = f"{code}\nimport sys; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return frozenset(done.stdout.split())


def brought_in(code: str) -> set[str]:
    """Return the heavy modules that code brings in, beyond those of what nothing works without."""
    return {
        name for name in _modules_after(code) - _after_start_up() if name in HEAVY or name.partition(".")[0] in HEAVY
    }


# What a name needs by its very nature.
NEEDS = {
    **dict.fromkeys(
        ("ShellTask", "OutputLocation", "ProcessResult", "ScriptFailedError", "get_raw_shell_task", "subproc_execute"),
        frozenset({"subprocess"}),
    ),
    "run_python_script": frozenset({"subprocess"}),
}


def test_importing_the_package_brings_in_nothing() -> None:
    assert _modules_after("import alula") - _modules_after("pass") <= {"alula", "__future__"}
    ours = {name for name in _modules_after("import alula") if name.partition(".")[0] in {"alula", "alula_kernel"}}
    assert ours == {"alula"}


def test_the_names_of_the_first_day_are_light() -> None:
    code = (
        "from alula import task, workflow, dynamic, map_task, conditional, LaunchPlan, CronSchedule, FixedRate, Resources, "
        "TaskEnvironment, File, Directory, DataFrame, current_context, run, Cache, RetryStrategy, errors, report"
    )
    assert brought_in(code) == set()


def test_defining_tasks_and_workflows_is_light() -> None:
    code = """
from alula import Cache, LaunchPlan, Resources, TaskEnvironment, task, workflow
env = TaskEnvironment(name="e", cache="auto")

@task(cache=True, cache_version="1", retries=3, requests=Resources(cpu=1))
def double(x: int) -> int:
    return 2 * x

@env.task
async def triple(x: int) -> int:
    return 3 * x

@workflow
def flow(x: int) -> int:
    return triple(x=double(x=x))

LaunchPlan.get_or_create(flow, "plan", default_inputs={"x": 1})
"""
    assert brought_in(code) == set()


@pytest.mark.parametrize("name", alula.__all__)
def test_no_public_name_brings_in_a_heavy_library(name: str) -> None:
    assert brought_in(f"from alula import {name}") <= NEEDS.get(name, set())


def test_all_is_sorted_and_is_what_is_visible() -> None:
    assert sorted(alula.__all__) == sorted(set(alula.__all__))
    for name in alula.__all__:
        assert getattr(alula, name) is not None
    visible = {name for name in dir(alula) if not name.startswith("_")}
    internal = {"TYPE_CHECKING", "annotations"}
    assert visible - internal - {m for m in visible if isinstance(getattr(alula, m), types.ModuleType)} <= set(
        alula.__all__
    )
    assert set(alula.__all__) <= visible


def test_the_names_for_checkers_are_those_at_run_time() -> None:
    import ast

    tree = ast.parse(inspect.getsource(alula))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    named = {
        alias.asname or alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert named == set(alula.__all__)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="module 'alula' has no attribute 'taks'"):
        alula.taks  # noqa: B018 - the access is the test
    with pytest.raises(ImportError):
        exec("from alula import taks")


def test_names_of_flyte_are_told_apart() -> None:
    with pytest.raises(ImportError, match="FlyteFile is called File here; see 'Coming from Flyte'"):
        exec("from alula import FlyteFile")
    with pytest.raises(ImportError, match="Alula has no TypeEngine: a new type is a plugin"):
        exec("import alula; alula.TypeEngine")
    for name, instead in _flyte_names._RENAMED.items():
        assert instead in alula.__all__, name
    assert not {*_flyte_names._RENAMED, *_flyte_names._INSTEAD} & {*alula.__all__}


def test_the_module_for_data_has_the_names_of_the_package() -> None:
    for name in alula.io.__all__:
        assert getattr(alula.io, name) is getattr(alula, name)


@pytest.mark.parametrize("module", SUBMODULES)
def test_public_modules_can_be_imported(module: str) -> None:
    assert importlib.import_module(f"alula.{module}") is not None
    assert getattr(alula, module).__name__


def _callables() -> dict[str, Any]:
    found: dict[str, Any] = {}
    modules = {"alula": alula, **{f"alula.{name}": importlib.import_module(f"alula.{name}") for name in SUBMODULES}}
    for module_name, module in modules.items():
        for name in getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")]):
            value = getattr(module, name)
            if callable(value) and getattr(value, "__module__", "").partition(".")[0] in {"alula", "alula_kernel"}:
                found[f"{module_name}.{name}"] = value
    return found


CALLABLES = _callables()


@pytest.mark.parametrize("name", CALLABLES)
def test_every_public_callable_has_a_docstring(name: str) -> None:
    value = CALLABLES[name]
    assert inspect.getdoc(value), name
    if inspect.isclass(value):
        for member_name, member in _members(value):
            assert inspect.getdoc(member), f"{name}.{member_name}"


@pytest.mark.parametrize("name", CALLABLES)
def test_help_can_be_shown_for_every_public_callable(name: str) -> None:
    assert pydoc.render_doc(CALLABLES[name], renderer=pydoc.plaintext)


@pytest.mark.parametrize("name", CALLABLES)
def test_every_public_callable_is_annotated(name: str) -> None:
    value = CALLABLES[name]
    functions = [member for _name, member in _members(value)] if inspect.isclass(value) else [value]
    for function in functions:
        function = getattr(function, "fget", None) or getattr(function, "__func__", None) or function
        function = inspect.unwrap(getattr(function, "func", None) or function)
        if not isinstance(function, types.FunctionType):
            continue
        parameters = [p for p in inspect.signature(function).parameters.values() if p.name not in {"self", "cls"}]
        missing = [p.name for p in parameters if p.annotation is p.empty]
        assert not missing, f"{name}: {function.__qualname__}: {missing}"
        assert "return" in function.__annotations__, f"{name}: {function.__qualname__}"


def _members(cls: type) -> list[tuple[str, Any]]:
    """Return the public methods and properties that a class defines itself."""
    kinds = (types.FunctionType, property, classmethod, staticmethod, functools.cached_property)
    return [(n, m) for n, m in vars(cls).items() if not n.startswith("_") and isinstance(m, kinds)]
