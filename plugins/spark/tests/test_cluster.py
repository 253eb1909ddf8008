"""Jobs on a standalone cluster, whose processes die at the worst moment."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

import alula
from alula_kernel.processes import ProcessId

if TYPE_CHECKING:
    from conftest import Cluster

HANG_SECONDS = 240.0


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def told(folder: Path, *names: str) -> set[int]:
    return {int(path.name.partition("-")[2]) for name in names for path in folder.glob(f"{name}-*")}


def gone(pid: int) -> bool:
    return ProcessId.of(pid).started == 0


@pytest.fixture(autouse=True)
def on_the_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have jobs run there, and see that they leave nothing there."""
    monkeypatch.setenv("ALULA_SPARK_MASTER", cluster.master)
    properties = "spark.executor.memory=512m spark.executor.extraJavaOptions=-XX:TieredStopAtLevel=1"
    monkeypatch.setenv("ALULA_SPARK_CONF", f"{os.environ['ALULA_SPARK_CONF']} {properties}")
    yield
    until(lambda: not cluster.executors())


class Running:
    """A run in a thread of its own, while the test ends processes."""

    def __init__(self, task: Any, **inputs: Any) -> None:
        self._found: list[Any] = []
        self._thread = threading.Thread(target=lambda: self._found.append(alula.run(task, **inputs)))
        self._thread.start()

    def run(self) -> Any:
        self._thread.join(HANG_SECONDS)
        (found,) = self._found
        return found


def test_tasks_frames_and_models(cluster: Cluster, samples: ModuleType) -> None:
    @alula.workflow
    def flow() -> tuple[str, list[int], int]:
        master, parents, frame, _model = samples.on_a_cluster(frame=samples.frame_of_polars(count=4))
        return master, parents, samples.ages(frame=frame)

    master, parents, ages = flow()
    assert (master, ages) == (cluster.master, 6)
    until(lambda: all(map(gone, parents)))


def test_a_driver_that_is_killed_leaves_nothing(samples: ModuleType, tmp_path: Path) -> None:
    running = Running(samples.waits, folder=str(tmp_path))
    until(lambda: told(tmp_path, "executor"))
    first = told(tmp_path, "driver", "java", "executor")
    (driver,) = told(tmp_path, "driver")
    os.kill(driver, signal.SIGKILL)
    until(lambda: all(map(gone, first)))
    (tmp_path / "go").touch()
    assert running.run().outputs()[0] == 1, "Alula tries again what a lost process did"
    assert len(told(tmp_path, "driver")) == 2
    until(lambda: all(map(gone, told(tmp_path, "driver", "java", "executor"))))


def test_a_job_survives_its_executor_and_its_only_worker(cluster: Cluster, samples: ModuleType, tmp_path: Path) -> None:
    running = Running(samples.waits, folder=str(tmp_path))
    until(lambda: told(tmp_path, "executor"))
    first = told(tmp_path, "executor")
    (executor,) = cluster.executors()
    os.kill(executor, signal.SIGKILL)
    until(lambda: told(tmp_path, "executor") - first)
    seen = told(tmp_path, "executor") | set(cluster.executors())
    cluster.kill(cluster.worker)
    until(lambda: all(map(gone, seen)))
    (tmp_path / "go").touch()
    cluster.add_worker()
    assert running.run().outputs()[0] == 1
    assert len(told(tmp_path, "driver")) == 1, "Spark does all that by itself"
    until(lambda: all(map(gone, told(tmp_path, "driver", "java", "executor"))))
