"""Jobs of four ranks, under the MPI that this environment has."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import alula
from alula import errors
from alula_kernel.processes import ProcessId
from alula_mpi import Launcher, MPIJob
from alula_mpi.folder import JobFolder

HANG_SECONDS = 120.0


def jobs(home: Path) -> list[JobFolder]:
    return [JobFolder(str(path)) for path in sorted(home.glob("attempts/*/*/*/*.mpi"))]


def alive(pid: int) -> bool:
    return ProcessId.of(pid).started != 0


def commands() -> list[str]:
    """Return the command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def until(condition: Any) -> None:
    end = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_ranks_share_the_work_and_rank_0_gives_the_output(samples: ModuleType, alula_home: Path) -> None:
    assert samples.summed() == (4, 499_500.0)
    (job,) = jobs(alula_home)
    assert [Path(job.rank_log(rank)).read_text() for rank in range(4)] == [f"rank {n} has 250\n" for n in range(4)]


def test_every_rank_gets_the_same_inputs(samples: ModuleType) -> None:
    assert samples.same_objects(text="a" * 1_000_000, numbers=list(range(10_000)))


def test_a_file_is_there_on_every_rank(samples: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(os.urandom(100_000))
    assert samples.file_sizes(data=alula.File(str(tmp_path / "data.bin"))) == [100_000] * 4


def test_the_failure_of_one_rank_ends_the_job_and_is_explained(samples: ModuleType) -> None:
    run = alula.run(samples.one_raises, rank=2)
    assert run.error is not None
    assert run.error.code == "ValueError"
    assert run.error.message == "rank 2 of 4 failed: this part of the data is broken"
    frames = re.findall(r'^ *File "(.+?)"', run.error.traceback, re.MULTILINE)
    assert frames == [samples.__file__]
    assert run.error.traceback.rstrip().endswith("ValueError: this part of the data is broken")


def test_a_killed_rank_is_named_with_its_last_words(samples: ModuleType) -> None:
    run = alula.run(samples.one_is_killed.override(retries=0), rank=1)
    assert run.error is not None
    assert run.error.message == "rank 1 of 4 was ended by SIGKILL\nthe last words"
    assert run.error.kind == "system"


def test_a_rank_that_leaves_is_named(samples: ModuleType) -> None:
    run = alula.run(samples.one_leaves, rank=3)
    assert run.error is not None
    assert run.error.message == "rank 3 of 4 left with exit code 7"


def test_a_job_does_not_succeed_if_an_abort_comes_late(samples: ModuleType) -> None:
    run = alula.run(samples.one_raises_and_goes_on)
    assert run.error is not None
    assert run.error.message == "rank 3 of 4 failed: a bad start"


def test_a_job_that_the_task_aborts_has_failed(samples: ModuleType) -> None:
    """Even where Abort returns, so that every rank comes to its end."""
    run = alula.run(samples.one_aborts)
    assert run.error is not None
    assert "exit code 9" in run.error.message


def test_a_failed_job_is_tried_again(samples: ModuleType) -> None:
    assert samples.works_the_second_time() == 2


@pytest.mark.parametrize("name", ["waits_for_ever", "longer_than_its_policy"])
def test_a_job_that_takes_too_long_is_stopped_with_all_its_ranks(
    samples: ModuleType, alula_home: Path, name: str
) -> None:
    run = alula.run(getattr(samples, name))
    assert run.error is not None
    assert (run.error.code, run.error.message) == ("Timeout", "ran longer than 2 s")
    until(lambda: not any("alula_mpi.rank" in command and str(alula_home) in command for command in commands()))


def test_cancelling_the_run_ends_every_rank(samples: ModuleType, alula_home: Path, tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        running = asyncio.ensure_future(alula.run.aio(samples.write_then_wait, folder=str(tmp_path)))
        while len(list(tmp_path.iterdir())) < 4:
            await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return [int(path.suffix[1:]) for path in tmp_path.iterdir()]

    pids = asyncio.run(asyncio.wait_for(scenario(), HANG_SECONDS))
    assert not any(alive(pid) for pid in pids)


def test_another_engine_finds_the_job_and_starts_nothing_twice(
    samples: ModuleType, alula_home: Path, tmp_path: Path
) -> None:
    script = tmp_path / "flow.py"
    script.write_text("import mpi_samples\nwrite_then_wait = mpi_samples.write_then_wait\n")
    marks = tmp_path / "marks"
    marks.mkdir()
    samples_folder = os.path.dirname(samples.__file__ or "")
    environment = {**os.environ, "PYTHONPATH": samples_folder}
    command = [sys.executable, "-m", "alula", "run"]
    first = subprocess.Popen(
        [*command, "--name", "job", "flow.py", "write_then_wait", "--folder", str(marks)],
        cwd=tmp_path,
        env=environment,
    )
    until(lambda: len(list(marks.iterdir())) == 4)
    first.send_signal(signal.SIGKILL)
    first.wait(HANG_SECONDS)
    second = subprocess.Popen(
        [*command, "--output", "json", "--resume", "job"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    (marks / "go").touch()
    printed, _ = second.communicate(timeout=HANG_SECONDS)
    assert second.returncode == 0, printed
    assert len(list(marks.glob("[0-9]*"))) == 4, "the ranks were started twice"
    assert len(jobs(alula_home)) == 1


def test_a_supervisor_that_was_killed_leaves_no_ranks(samples: ModuleType, alula_home: Path, tmp_path: Path) -> None:
    runs: list[Any] = []
    thread = threading.Thread(target=lambda: runs.append(alula.run(samples.write_then_wait, folder=str(tmp_path))))
    thread.start()
    until(lambda: len(list(tmp_path.iterdir())) == 4)
    first = [int(path.suffix[1:]) for path in tmp_path.iterdir()]
    supervisor = ProcessId.parse(jobs(alula_home)[0].supervisor())
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    until(lambda: len(list(tmp_path.iterdir())) == 8)
    assert not any(alive(pid) for pid in first)
    (tmp_path / "go").touch()
    thread.join(HANG_SECONDS)
    assert [attempt.outcome for attempt in runs[0].actions[0].attempts] == ["lost", "succeeded"]


def test_a_map_of_jobs(samples: ModuleType) -> None:
    @alula.workflow
    def flow() -> list[int]:
        return alula.map_task(samples.add, concurrency=2)(a=[1, 2, 3], b=[10, 20, 30])

    assert flow() == [11, 22, 33]


def test_arrays_go_to_the_ranks_unchanged(samples: ModuleType) -> None:
    @alula.workflow
    def flow(data: np.ndarray) -> tuple[int, float]:
        return samples.ranks_and_sum(rows=data)  # type: ignore[no-any-return]

    assert flow(data=np.ones((8, 3))) == (4, 24.0)


def test_without_mpirun_nothing_runs(samples: ModuleType) -> None:
    @alula.task(task_config=MPIJob(launcher=Launcher(command=["no-such-mpirun"])))
    def work(x: int) -> int:
        return x

    @alula.workflow
    def flow() -> int:
        return work(x=first())  # type: ignore[no-any-return]

    ran: list[int] = []

    @alula.task
    def first() -> int:
        ran.append(1)
        return 1

    with pytest.raises(errors.UsageError, match="no-such-mpirun") as caught:
        flow()
    assert not ran
    assert "pip install" in str(caught.value)


def test_a_call_of_another_task_is_refused(samples: ModuleType) -> None:
    run = alula.run(samples.calls_another)
    assert run.error is not None
    assert "every rank would make that call" in run.error.message
