"""Spark as the code of an attempt finds it."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import alula
from alula_kernel.errors import UsageError
from alula_kernel.specs import EntityId, Interface, TaskSpec

from .java import java_environment
from .masters import CONF_VARIABLE, is_here, is_local, properties_of, submit_arguments

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SESSION = "spark_session"
_GRACE_SECONDS = 10.0
_NO_CODE = {"__pycache__", "node_modules", "site-packages"}


@contextlib.contextmanager
def prepared(spec: TaskSpec) -> Iterator[None]:
    """Have the next session of this process be the one of a task while the block runs, and end it afterwards.

    Nothing starts before the code asks for a session, in whichever way: PySpark reads the properties from the environment.
    """
    properties = properties_of(spec)
    master = properties["spark.master"]
    here = is_here(master)
    python = spec.custom.get("executor_path") or properties.get("spark.pyspark.python") or (here and sys.executable)
    path = os.pathsep.join(entry for entry in sys.path if entry)
    variables = {**java_environment(), "PYSPARK_SUBMIT_ARGS": submit_arguments(properties)}
    if python:
        variables |= {"PYSPARK_PYTHON": python}
    if here:
        variables |= {"PYTHONPATH": path, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_DRIVER_PYTHON": sys.executable}
        if not is_local(master):
            properties.setdefault("spark.executorEnv.PYTHONPATH", path)
            variables["PYSPARK_SUBMIT_ARGS"] = submit_arguments(properties)
    before = {name: os.environ.get(name) for name in variables}
    end_session()  # one that the process had before has other properties
    os.environ.update(variables)
    _in_use.append(master)
    try:
        yield
    finally:
        _in_use.pop()
        try:
            end_session()
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def session() -> SparkSession:
    """Return the session of this attempt, or of this process outside of attempts; it is started if there is none.

    A task without a `Spark` config that handles data frames of Spark gets one too. Those that run in one process at the
    same time share it, and it ends with the last of them.

    Raises:
        UsageError: Java ended at once; the message says what may be the reason.
    """
    from pyspark.sql import SparkSession

    prepare()
    context = alula.ctx()
    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    with _own_signals():
        started = _started()
    master = str(started.sparkContext.master)
    if not is_here(master) and context is not None and context.code_bundle is not None:
        with tempfile.TemporaryDirectory() as folder:
            for number, entry in enumerate(context.code_bundle.search_path):
                archive = _archive(entry, f"{folder}/code{number}.zip")
                if archive:
                    started.sparkContext.addPyFile(archive)
    return started


def prepare() -> None:
    """See to it that what a session needs is there until this attempt ends, or this process outside of attempts."""
    if _users or not _in_use:
        _join(alula.ctx())


def _started() -> SparkSession:
    """Start Spark, or return its session if it runs.

    Raises:
        UsageError: Java ended at once.
    """
    from pyspark.errors import PySparkRuntimeError
    from pyspark.sql import SparkSession

    try:
        return SparkSession.builder.getOrCreate()
    except PySparkRuntimeError as problem:
        if "JAVA_GATEWAY_EXITED" not in str(problem):
            raise
        fetched = [name for name in _FETCHED if f"{name}=" in os.environ["PYSPARK_SUBMIT_ARGS"]]
        without = f'{CONF_VARIABLE}="{" ".join(f"{name}=" for name in fetched)}"'
        raise UsageError(
            "Java ended before Spark was up; the log of the attempt has what it said",
            hint=f"It first fetches what {' and '.join(fetched)} name; {without} does without."
            if fetched
            else "Spark's properties and JAVA_HOME decide how it starts.",
        ) from problem


_FETCHED = ("spark.archives", "spark.files", "spark.jars", "spark.jars.packages", "spark.submit.pyFiles")
"""Properties that name what Spark fetches before it starts."""

_in_use: list[str] = []
"""The masters of the blocks of `prepared` that this process is in."""

_users: set[str] = set()
"""Attempts of tasks without a `Spark` config that share the session of this process; "" is code outside of attempts."""

_shared = contextlib.ExitStack()
_lock = threading.Lock()


def _join(context: Any) -> None:
    """Have what a session needs until the last of its users has ended; outside of attempts, as long as the process lasts."""
    name = "" if context is None else context.attempt.id
    with _lock:
        if name in _users:
            return
        if not _users:
            outside = TaskSpec(id=EntityId("task", "alula"), interface=Interface())
            _shared.enter_context(prepared(outside if context is None else context.attempt.task))
        _users.add(name)
    if context is None:
        atexit.register(_leave, name)
    else:
        context.until_end.callback(_leave, name)


def _leave(name: str) -> None:
    with _lock:
        _users.discard(name)
        if not _users:
            _shared.close()


def offer_session(context: Any) -> None:
    """Let a task find its session as ``alula.ctx().spark_session``, started when it is first asked for."""
    offers = _Offers(context.data)
    offers.setdefault(_SESSION, None)
    context.data = offers


class _Offers(dict[str, Any]):
    def __getitem__(self, name: str) -> Any:
        return session() if name == _SESSION else super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        return session() if name == _SESSION else super().get(name, default)


def end_session() -> None:
    """Stop Spark in this process, and the Java that belongs to it: its memory and properties are the last session's."""
    context_module = sys.modules.get("pyspark.core.context")
    if context_module is None:
        return
    spark_context: Any = context_module.SparkContext
    gateway = vars(spark_context)["_gateway"]  # PySpark has no public name for it, nor a way to end its Java
    if gateway is None:
        return
    from pyspark.sql import SparkSession

    process: subprocess.Popen[bytes] | None = getattr(gateway, "proc", None)
    with contextlib.suppress(Exception):  # of a Java that is gone there is nothing to stop
        running = SparkSession.getActiveSession()
        if running is not None:
            running.stop()
        if (active := vars(spark_context)["_active_spark_context"]) is not None:
            active.stop()
    with contextlib.suppress(Exception):
        gateway.shutdown()
    for cls, names in (
        (spark_context, ("_gateway", "_jvm", "_active_spark_context")),
        (SparkSession, ("_instantiatedSession",)),
    ):
        for name in names:
            setattr(cls, name, None)
    if process is not None:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for Java's end: it ends when its standard input does."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Undo what the block does to SIGINT: PySpark would take the interruption of an attempt for itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _archive(folder: str, path: str) -> str:
    """Pack the Python source below a folder for executors on other machines; return "" if there is none."""
    names = []
    for root, folders, files in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if name not in _NO_CODE
            and not name.startswith(".")
            and not os.path.exists(os.path.join(root, name, "pyvenv.cfg"))
        ]
        names += [os.path.join(root, name) for name in files if name.endswith(".py")]
    if not names:
        return ""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.write(name, os.path.relpath(name, folder))
    return path
