"""The task that runs on every rank."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from alula import FunctionTask, IgnoreOutputs
from alula_kernel.errors import CompileError, UsageError

from .job import MPIJob

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

    from alula import App
    from alula_kernel.contracts import ConversionContext
    from alula_kernel.literals import Literal

_SENT, _READ_YOURSELF, _FAILED = "sent", "read", "failed"


class MPITask(FunctionTask[Any, Any]):
    """A function that runs on every rank of an MPI job; what rank 0 returns is its output.

    Raises:
        CompileError: It is a coroutine function.
    """

    task_type = "mpi"

    def __init__(self, function: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(function, **kwargs)
        if self.is_async:
            raise CompileError(
                f"{self.title} is async, and the task of an MPI job must be a plain function",
                hint="Ranks wait for each other in blocking calls: write `def` instead of `async def`.",
                location=self.location,
            )

    def custom(self, app: App) -> dict[str, Any]:
        """Return the job as plain data."""
        return self.custom_for(self.config, self.location)

    def custom_for(self, config: Any, location: str) -> dict[str, Any]:
        """Return another job as plain data, for one call of the task.

        Raises:
            UsageError: It is not an `MPIJob`.
        """
        if not isinstance(config, MPIJob):
            raise UsageError(f"{self.title} needs an MPIJob, found {type(config).__qualname__}", location=location)
        return config.to_custom()

    def input_reader(self, compiled: Any) -> Callable[[Mapping[str, Literal], ConversionContext], dict[str, Any]]:
        """Return what reads the inputs on rank 0 and sends them to the others."""

        def read(literals: Mapping[str, Literal], context: ConversionContext) -> dict[str, Any]:
            from mpi4py import MPI

            return _read_once(MPI.COMM_WORLD, lambda: compiled.inputs_to_python(literals, context))

        return read

    def gives_outputs(self) -> bool:
        """Return whether this is rank 0."""
        from mpi4py import MPI

        return bool(MPI.COMM_WORLD.Get_rank() == 0)


def _read_once(world: Intracomm, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Read inputs on rank 0 and hand them to every rank.

    Values that cannot be pickled are read by every rank itself. What goes wrong on rank 0 is raised there, which ends
    the job.
    """
    import cloudpickle  # type: ignore[import-untyped]
    from mpi4py.util import pkl5

    ranks = pkl5.Intracomm(world)  # sends more than 2 GiB, and large arrays without copies
    if world.Get_size() == 1:
        return read()
    if world.Get_rank():
        how, data = ranks.bcast(None)
        if how == _FAILED:
            raise IgnoreOutputs
        return cloudpickle.loads(data) if how == _SENT else read()
    try:
        values = read()
    except BaseException:
        ranks.bcast((_FAILED, b""))
        raise
    try:
        message = (_SENT, cloudpickle.dumps(values, protocol=5))
    except Exception:  # noqa: BLE001 - whatever a value raises when it is pickled
        message = (_READ_YOURSELF, b"")
    ranks.bcast(message)
    return values
