"""What can be wrong with the config of a job is told where it is written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import alula
from alula import Resources
from alula.errors import CompileError, UsageError
from alula_kernel.plugins import load_plugins
from alula_mpi import CleanPodPolicy, Launcher, MPIJob, RunPolicy, Worker


def test_it_is_found_by_its_entry_point() -> None:
    found = {info.name: info for info in load_plugins().describe()}
    assert found["mpi"].distribution == "alula-mpi"
    assert found["mpi"].error == ""
    assert found["mpi"].registers == {"task_types": ["mpi"], "executors": ["mpi"]}


def test_alula_loads_the_plugin_without_mpi() -> None:
    code = "import sys, alula; alula.current_app().engine; assert 'mpi4py' not in sys.modules; assert 'alula_mpi' in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_defaults_are_one_rank() -> None:
    assert MPIJob().ranks == 1
    assert MPIJob(worker=Worker(replicas=3), slots=2).ranks == 6
    assert MPIJob(num_workers=3).ranks == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MPIJob(worker=Worker(replicas=0)), "worker.replicas of MPIJob must be a whole number from 1, found 0"),
        (lambda: MPIJob(slots=-1), "slots of MPIJob"),
        (lambda: MPIJob(slots=1.5), "slots of MPIJob"),
        (lambda: MPIJob(worker=Worker(replicas=2), num_workers=3), "num_workers=3 and worker.replicas=2"),
        (lambda: MPIJob(launcher=Launcher(replicas=2)), "has one launcher"),
        (lambda: MPIJob(num_launcher_replicas=2), "has one launcher"),
        (lambda: MPIJob(launcher=Launcher(command="mpirun")), "must be a list of words"),  # type: ignore[arg-type]
    ],
)
def test_a_config_that_cannot_be_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(UsageError, match=message.replace(".", r"\.")):
        make()


def test_an_async_task_is_refused_where_it_is_defined() -> None:
    with pytest.raises(CompileError, match="is async") as caught:

        @alula.task(task_config=MPIJob())
        async def work() -> int:
            return 1

    assert Path(__file__).name in caught.value.location


def test_the_spec_keeps_what_a_cluster_needs() -> None:
    job = MPIJob(
        launcher=Launcher(image="launcher:1", requests=Resources(cpu="1")),
        worker=Worker(replicas=2, limits=Resources(cpu="2", mem="4Gi"), command=["serve"]),
        run_policy=RunPolicy(clean_pod_policy=CleanPodPolicy.ALL, ttl_seconds_after_finished=60, backoff_limit=2),
        slots=2,
    )

    @alula.task(task_config=job)
    def work() -> int:
        return 1

    assert work.spec(alula.current_app()).custom == {
        "ranks": 4,
        "slots": 2,
        "workers": 2,
        "launcher": {"image": "launcher:1", "requests": {"cpu": "1"}, "replicas": 1},
        "worker": {"command": ["serve"], "limits": {"cpu": "2", "memory": "4Gi"}, "replicas": 2},
        "run_policy": {"clean_pod_policy": "All", "ttl_seconds_after_finished": 60, "backoff_limit": 2},
    }
