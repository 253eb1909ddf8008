"""Running a notebook with papermill, in a kernel that never outlives its attempt."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, TypeVar

from .exchange import VARIABLE, Exchange

if TYPE_CHECKING:
    from jupyter_client.manager import KernelManager
    from nbformat import NotebookNode

T = TypeVar("T")

OWN_KERNEL = "alula"
"""Name of the kernel that is this process's own Python."""
_LAUNCHER = "ipykernel_launcher"
_POLL_SECONDS = 0.1
_LONGEST_SOCKET_BYTES = 90
"""What macOS takes, less the number that Jupyter adds; where it is longer, kernels are talked to by TCP."""


class Kernels:
    """The kernels that an attempt starts: one, unless it is started again.

    Args:
        exchange: The attempt's folder.
        environment: Environment variables of its kernels, besides this process's.
    """

    def __init__(self, exchange: Exchange, environment: Mapping[str, str]) -> None:
        self._exchange = exchange
        self._environment = {**environment, VARIABLE: exchange.path}
        self._managers: list[KernelManager] = []
        self._killed: set[int] = set()

    def manager_class(self) -> type[KernelManager]:
        """Return a class that starts them and remembers that."""
        from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager

        environment, managers, files = self._environment, self._managers, self._connection()

        class Specs(KernelSpecManager):  # type: ignore[misc]
            """Knows this process's Python beside the kernels that are installed."""

            def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
                if kernel_name == OWN_KERNEL:
                    argv = [sys.executable, "-m", _LAUNCHER, "-f", "{connection_file}"]
                    spec = KernelSpec(argv=argv, display_name="Python of the task", language="python")
                else:
                    spec = super().get_kernel_spec(kernel_name)
                spec.argv = ["alula_papermill.kernel" if word == _LAUNCHER else word for word in spec.argv]
                spec.env = {**spec.env, **environment}
                return spec

        class Manager(AsyncKernelManager):  # type: ignore[misc]
            """Starts a kernel with the attempt's environment."""

            def __init__(self, **settings: Any) -> None:
                super().__init__(kernel_spec_manager=Specs(), **files, **settings)
                managers.append(self)

        return Manager

    def _connection(self) -> dict[str, str]:
        """Return how they are talked to: through sockets in the attempt's folder, which nobody else can open."""
        connection = {"connection_file": self._exchange.file("kernel.json")}
        socket = self._exchange.file("socket")
        if len(os.fsencode(socket)) <= _LONGEST_SOCKET_BYTES:
            connection |= {"transport": "ipc", "ip": socket}
        return connection

    def kill(self) -> None:
        """Kill those that have been started, with all that they have started themselves. Idempotent."""
        for manager in self._managers:
            group = getattr(manager.provisioner, "pgid", None)
            if group and group not in self._killed:
                self._killed.add(group)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)


def execute(
    notebook: NotebookNode,
    exchange: Exchange,
    kernels: Kernels,
    *,
    folder: str,
    log_output: bool,
    options: dict[str, Any],
) -> None:
    """Execute a notebook and leave the executed one in the attempt's folder, also if it fails.

    Args:
        notebook: The notebook with its inputs.
        exchange: The attempt's folder.
        kernels: Its kernels.
        folder: Working directory of the kernel.
        log_output: Whether what cells print is printed here too.
        options: Other arguments of ``papermill.execute_notebook`` and of its client.

    Raises:
        Exception: What papermill raises.
    """
    import papermill

    streams = {"stdout_file": sys.stdout, "stderr_file": sys.stderr} if log_output else {}
    papermill.execute_notebook(
        notebook,
        exchange.executed,
        kernel_manager_class=kernels.manager_class(),
        resources={"metadata": {"path": folder}},
        **streams,
        **options,
    )


def in_thread(function: Callable[[], T], stop: Callable[[], None]) -> T:
    """Call a function in a thread of its own and wait for it.

    papermill would put its event loop into one that runs here, and leave its kernel behind when the waiting is interrupted.

    Args:
        function: What is called.
        stop: Makes the function end soon; called again and again until it has, when the waiting is interrupted.

    Raises:
        BaseException: What the function raised, or what was raised in the thread that waits.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="alula-papermill") as pool:
        future = pool.submit(_with_own_loop, function)
        try:
            while not future.done():
                # Exceptions that another thread raises in this one come when it runs, so it must not sleep for long.
                wait([future], _POLL_SECONDS)
        except BaseException:
            while not future.done():
                stop()
                wait([future], _POLL_SECONDS)
            raise
        return future.result()


def _with_own_loop(function: Callable[[], T]) -> T:
    """Call a function and close the event loop that Jupyter's libraries use meanwhile."""
    import asyncio

    from jupyter_core.utils import ensure_event_loop

    loop = ensure_event_loop()
    try:
        return function()
    finally:
        loop.close()
        asyncio.set_event_loop(None)


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the lock that kernels wait for: it is given back when the block or the process ends, however it does."""
    # Locks of this kind belong to the process alone, and not to those that it forks.
    with open(path, "wb") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield
