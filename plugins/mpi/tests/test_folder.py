"""The folder of a job, and the end of its processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alula_kernel.contracts import USER_FAILURE, Outcome
from alula_kernel.errors import ActionError
from alula_mpi.folder import JobFolder
from alula_mpi.supervisor import kill_session


@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize(
    ("write", "read", "ending"),
    [
        (lambda job, rank: job.write_exit(rank, 7), JobFolder.first_exit, "exit"),
        (
            lambda job, rank: job.write_failure(
                rank, Outcome(kind=USER_FAILURE, error=ActionError(code="E", message="m"))
            ),
            JobFolder.first_failure,
            "outcome",
        ),
    ],
    ids=["exit", "outcome"],
)
def test_the_first_rank_that_failed_is_named_however_close_the_others_come(
    tmp_path: Path,
    first: int,
    write: Callable[[JobFolder, int], None],
    read: Callable[[JobFolder], tuple[int, object] | None],
    ending: str,
) -> None:
    job = JobFolder(str(tmp_path))
    assert read(job) is None
    for rank in (first, *({0, 1, 2} - {first})):
        write(job, rank)
        os.utime(job.file(f"rank-{rank}.{ending}"), ns=(0, 0))  # in one tick of the clock
    found = read(job)
    assert found is not None
    assert found[0] == first


def test_a_session_is_gone_when_it_was_killed() -> None:
    """With what it starts while it is killed, and not only soon."""
    code = "import subprocess\nwhile True:\n print(subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL).pid, flush=True)"
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert starter.stdout is not None
    pids = [int(starter.stdout.readline()) for _ in range(20)]
    kill_session(starter.pid)
    living = [pid for pid in (*pids, *map(int, starter.stdout.read().split())) if _runs(pid, starter.pid)]
    starter.communicate()
    assert living == []


def _runs(pid: int, session: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z" and int(fields[3]) == session
