"""Fixtures of the plugin's tests: a session for those in this process, and a cluster of one worker."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_HOST = "127.0.0.1"
_LIMIT_SECONDS = 240.0
SAMPLES = Path(__file__).parent / "samples"

# A driver of a test lives for seconds: it is up sooner when Java does not make plans for hours.
os.environ.setdefault(
    "ALULA_SPARK_CONF",
    'spark.driver.extraJavaOptions="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC" spark.sql.shuffle.partitions=2',
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that share a session, or the cluster, in one process of pytest-xdist each."""
    for item in items:
        for name in {"cluster", "spark"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(f"spark-{name}"))


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """The session of this process, outside of attempts."""
    from alula_spark.session import end_session, session

    yield session()
    end_session()


class Cluster:
    """A standalone cluster of Spark on the loopback interface: a master, and the workers that a test adds and ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        log = self._start("master", "org.apache.spark.deploy.master.Master", "--host", _HOST, "--port", "0")
        self.master = log.partition("Starting Spark master at ")[2].split()[0]
        self.worker = self.add_worker()

    def add_worker(self) -> int:
        """Start a worker of two cores, and return the id of its process."""
        name = f"worker{len(self._running)}"
        limits = ("--host", _HOST, "--cores", "2", "--memory", "1g", "--work-dir", str(self._folder / name))
        self._start(name, "org.apache.spark.deploy.worker.Worker", *limits, self.master)
        self.worker = max(self._running)
        return self.worker

    def kill(self, pid: int) -> None:
        """End a process of the cluster as a machine ends that loses its power, without its executors."""
        process = self._running.pop(pid)
        process.kill()
        process.wait()

    def executors(self) -> list[int]:
        """Return the Java processes of executors, which are children of workers."""
        return [pid for pid, parent, _ in processes() if parent in self._running]

    def close(self) -> None:
        """End the cluster, and everything that it has started."""
        sessions = set(self._running)
        while members := [pid for pid, _, session in processes() if session in sessions]:
            for pid in members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for process in self._running.values():
                process.wait()
            time.sleep(0.05)

    def _start(self, name: str, *arguments: str) -> str:
        import pyspark

        from alula_spark.java import java_environment

        home = os.path.dirname(pyspark.__file__)
        daemon = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
        variables = {"SPARK_LOCAL_IP": _HOST, "SPARK_DAEMON_MEMORY": "300m", "SPARK_DAEMON_JAVA_OPTS": daemon}
        log = self._folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [f"{home}/bin/spark-class", *arguments[:1], "--webui-port", "0", *arguments[1:]],
                cwd=self._folder,
                env={**os.environ, **java_environment(), **variables, "SPARK_HOME": home},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._running[process.pid] = process
        end = time.monotonic() + _LIMIT_SECONDS
        wanted = "registered with master" if name.startswith("worker") else "I have been elected leader"
        while wanted not in (said := log.read_text(errors="replace")):
            assert process.poll() is None, said
            assert time.monotonic() < end, said
            time.sleep(0.05)
        return said


def processes() -> list[tuple[int, int, int]]:
    """Return the id, the parent and the session of each living process."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            # After the name of the program in parentheses: state, parent, group, session (proc(5)).
            fields = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdigit() else []
            if fields and fields[0] not in {"Z", "X"}:
                found.append((int(entry.name), int(fields[1]), int(fields[3])))
    return found


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of one worker; gone with everything that it started when the tests end."""
    made = Cluster(tmp_path_factory.mktemp("spark-cluster"))
    yield made
    made.close()


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tasks of `samples/spark_samples.py`, imported as a user's module is."""
    monkeypatch.syspath_prepend(SAMPLES)
    sys.modules.pop("spark_samples", None)
    import spark_samples  # type: ignore[import-not-found]

    return spark_samples  # type: ignore[no-any-return]


@pytest.fixture
def plain_samples(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tasks of `samples/plain_samples.py`, which import no library."""
    monkeypatch.syspath_prepend(SAMPLES)
    sys.modules.pop("plain_samples", None)
    import plain_samples  # type: ignore[import-not-found]

    return plain_samples  # type: ignore[no-any-return]
