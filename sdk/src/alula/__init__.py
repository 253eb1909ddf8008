"""Typed Python workflows that run on a laptop, and unchanged on a server, in pods, on Ray, Spark or MPI.

Names are loaded when they are first used, so that importing the package stays quick.
"""

from __future__ import annotations

TYPE_CHECKING = False  # checkers know the name; `typing` takes ten times as long to import as everything here

__version__ = "0.1.0"

if TYPE_CHECKING:
    from alula_kernel.engine import RunOptions
    from alula_kernel.errors import NonRecoverableError, RecoverableError
    from alula_kernel.hashing import HashMethod

    from . import durable, errors, extras, file_types, history, io, report
    from ._app import App, current_app
    from ._body import IgnoreOutputs
    from ._cache import Cache, CachePolicy, FunctionBodyPolicy, VersionParameters
    from ._checkpoint import Checkpoint, latest_checkpoint
    from ._conditional import conditional
    from ._conditions import Condition, new_condition
    from ._context import ctx, current_context
    from ._custom_context import custom_context, get_custom_context
    from ._data.columns import kwtypes
    from ._data.dataframe import DataFrame, StructuredDataset, register_dataframe_handler
    from ._data.dataframe_converter import FrameTransformer
    from ._data.directory import BatchSize, Dir, Directory
    from ._data.file import File
    from ._data.frames.handlers import DataFrameDecoder, DataFrameEncoder, DataFrameHandlers, FrameSource, FrameTarget
    from ._data.json_iterator import JSON
    from ._data.pickle import Pickle
    from ._data.renderers import ArrowRenderer, TopFrameRenderer
    from ._data.schema import Schema
    from ._declared import DeclaredTask
    from ._decorators import ClassDecorator
    from ._docs import Documentation, SourceCode
    from ._echo import Echo
    from ._environment import TaskEnvironment
    from ._fan_out import map  # noqa: A004 - the name that users know
    from ._gates import approve, sleep, wait_for_input
    from ._groups import group
    from ._images import Image, ImageSpec
    from ._init import init
    from ._launch_plan import LaunchPlan
    from ._logger import logger
    from ._map import map_task
    from ._nodes import create_node
    from ._options import Annotations, Labels, Options, RawOutputDataConfig
    from ._overrides import Backoff, RetryStrategy, Timeout
    from ._reference import reference_launch_plan, reference_task, reference_workflow
    from ._renderers import MarkdownRenderer, PythonDependencyRenderer, SourceCodeRenderer
    from ._report import Deck, DeckField
    from ._resources import Resources
    from ._reuse import ReusePolicy
    from ._run import Run, run, run_async, with_runcontext
    from ._schedule import CronSchedule, FixedRate
    from ._script import run_python_script
    from ._secrets import Secret
    from ._settings_of import TaskMetadata
    from ._shell import OutputLocation, ProcessResult, ScriptFailedError, ShellTask, get_raw_shell_task, subproc_execute
    from ._signals import signal
    from ._sql import SQLite3Config, SQLite3Task, SQLTask
    from ._task import FunctionTask, Task, dynamic, task
    from ._trace import trace
    from ._workflow import ImperativeWorkflow, Workflow, WorkflowError, WorkflowFailurePolicy, workflow

_HOMES = {
    "Annotations": "._options",
    "App": "._app",
    "ArrowRenderer": "._data.renderers",
    "Backoff": "._overrides",
    "BatchSize": "._data.directory",
    "Cache": "._cache",
    "CachePolicy": "._cache",
    "Checkpoint": "._checkpoint",
    "ClassDecorator": "._decorators",
    "Condition": "._conditions",
    "CronSchedule": "._schedule",
    "DataFrame": "._data.dataframe",
    "DataFrameDecoder": "._data.frames.handlers",
    "DataFrameEncoder": "._data.frames.handlers",
    "DataFrameHandlers": "._data.frames.handlers",
    "Deck": "._report",
    "DeckField": "._report",
    "DeclaredTask": "._declared",
    "Dir": "._data.directory",
    "Directory": "._data.directory",
    "Documentation": "._docs",
    "Echo": "._echo",
    "File": "._data.file",
    "FixedRate": "._schedule",
    "FrameSource": "._data.frames.handlers",
    "FrameTarget": "._data.frames.handlers",
    "FrameTransformer": "._data.dataframe_converter",
    "FunctionBodyPolicy": "._cache",
    "FunctionTask": "._task",
    "HashMethod": "alula_kernel.hashing",
    "IgnoreOutputs": "._body",
    "Image": "._images",
    "ImageSpec": "._images",
    "ImperativeWorkflow": "._workflow",
    "JSON": "._data.json_iterator",
    "Labels": "._options",
    "LaunchPlan": "._launch_plan",
    "MarkdownRenderer": "._renderers",
    "NonRecoverableError": "alula_kernel.errors",
    "Options": "._options",
    "OutputLocation": "._shell",
    "Pickle": "._data.pickle",
    "ProcessResult": "._shell",
    "PythonDependencyRenderer": "._renderers",
    "RawOutputDataConfig": "._options",
    "RecoverableError": "alula_kernel.errors",
    "Resources": "._resources",
    "RetryStrategy": "._overrides",
    "ReusePolicy": "._reuse",
    "Run": "._run",
    "RunOptions": "alula_kernel.engine",
    "SQLTask": "._sql",
    "SQLite3Config": "._sql",
    "SQLite3Task": "._sql",
    "Schema": "._data.schema",
    "Secret": "._secrets",
    "ScriptFailedError": "._shell",
    "ShellTask": "._shell",
    "SourceCode": "._docs",
    "SourceCodeRenderer": "._renderers",
    "StructuredDataset": "._data.dataframe",
    "Task": "._task",
    "TaskEnvironment": "._environment",
    "TaskMetadata": "._settings_of",
    "Timeout": "._overrides",
    "TopFrameRenderer": "._data.renderers",
    "VersionParameters": "._cache",
    "Workflow": "._workflow",
    "WorkflowError": "._workflow",
    "WorkflowFailurePolicy": "._workflow",
    "approve": "._gates",
    "conditional": "._conditional",
    "create_node": "._nodes",
    "custom_context": "._custom_context",
    "ctx": "._context",
    "current_app": "._app",
    "current_context": "._context",
    "dynamic": "._task",
    "get_custom_context": "._custom_context",
    "get_raw_shell_task": "._shell",
    "group": "._groups",
    "init": "._init",
    "kwtypes": "._data.columns",
    "latest_checkpoint": "._checkpoint",
    "logger": "._logger",
    "map": "._fan_out",
    "map_task": "._map",
    "new_condition": "._conditions",
    "reference_launch_plan": "._reference",
    "reference_task": "._reference",
    "reference_workflow": "._reference",
    "register_dataframe_handler": "._data.dataframe",
    "run": "._run",
    "run_async": "._run",
    "run_python_script": "._script",
    "signal": "._signals",
    "sleep": "._gates",
    "subproc_execute": "._shell",
    "task": "._task",
    "trace": "._trace",
    "wait_for_input": "._gates",
    "with_runcontext": "._run",
    "workflow": "._workflow",
}
"""The module in which each public name is defined."""

_MODULES = {name: f".{name}" for name in ("durable", "errors", "extras", "file_types", "history", "io", "report")}
"""Public modules, by the name under which they are reached."""


def __getattr__(name: str) -> object:
    import importlib

    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name], __name__), name)
    elif name in _MODULES:
        value = importlib.import_module(_MODULES[name], __name__)
    else:
        from ._flyte_names import instead_of

        if instead := instead_of(name):
            # `from alula import X` would replace the message of an AttributeError by its own.
            raise ImportError(f"{instead}; see 'Coming from Flyte' in the documentation", name=__name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_MODULES})


__all__ = [
    "JSON",
    "Annotations",
    "App",
    "ArrowRenderer",
    "Backoff",
    "BatchSize",
    "Cache",
    "CachePolicy",
    "Checkpoint",
    "ClassDecorator",
    "Condition",
    "CronSchedule",
    "DataFrame",
    "DataFrameDecoder",
    "DataFrameEncoder",
    "DataFrameHandlers",
    "Deck",
    "DeckField",
    "DeclaredTask",
    "Dir",
    "Directory",
    "Documentation",
    "Echo",
    "File",
    "FixedRate",
    "FrameSource",
    "FrameTarget",
    "FrameTransformer",
    "FunctionBodyPolicy",
    "FunctionTask",
    "HashMethod",
    "IgnoreOutputs",
    "Image",
    "ImageSpec",
    "ImperativeWorkflow",
    "Labels",
    "LaunchPlan",
    "MarkdownRenderer",
    "NonRecoverableError",
    "Options",
    "OutputLocation",
    "Pickle",
    "ProcessResult",
    "PythonDependencyRenderer",
    "RawOutputDataConfig",
    "RecoverableError",
    "Resources",
    "RetryStrategy",
    "ReusePolicy",
    "Run",
    "RunOptions",
    "SQLTask",
    "SQLite3Config",
    "SQLite3Task",
    "Schema",
    "ScriptFailedError",
    "Secret",
    "ShellTask",
    "SourceCode",
    "SourceCodeRenderer",
    "StructuredDataset",
    "Task",
    "TaskEnvironment",
    "TaskMetadata",
    "Timeout",
    "TopFrameRenderer",
    "VersionParameters",
    "Workflow",
    "WorkflowError",
    "WorkflowFailurePolicy",
    "approve",
    "conditional",
    "create_node",
    "ctx",
    "current_app",
    "current_context",
    "custom_context",
    "durable",
    "dynamic",
    "errors",
    "extras",
    "file_types",
    "get_custom_context",
    "get_raw_shell_task",
    "group",
    "history",
    "init",
    "io",
    "kwtypes",
    "latest_checkpoint",
    "logger",
    "map",
    "map_task",
    "new_condition",
    "reference_launch_plan",
    "reference_task",
    "reference_workflow",
    "register_dataframe_handler",
    "report",
    "run",
    "run_async",
    "run_python_script",
    "signal",
    "sleep",
    "subproc_execute",
    "task",
    "trace",
    "wait_for_input",
    "with_runcontext",
    "workflow",
]
