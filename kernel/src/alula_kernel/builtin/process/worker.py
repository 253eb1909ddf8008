"""A worker process of the ``process`` executor: what is the same in templates, their children and kept workers."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, NoReturn

import msgspec

from ...contracts import OUT_OF_MEMORY, USER_FAILURE, Attempt, CodeReference, Outcome
from ...processes import ProcessId, data_bytes
from ...specs import TaskSpec
from ...worker_protocol import LENGTH_BYTES, Begin, Ended, Message, Taken, decode_message, encode_message
from .endings import out_of_memory
from .files import AttemptFiles, Claim, in_folder
from .orders import Order, RunOnce, decode_order, encode_order, receive_exactly

_SPARE_BYTES = 256 * 1024 * 1024
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
_FAILED = 70


class Worker(ABC):
    """What a worker process needs to know of the tasks' world; the SDK has the real one."""

    @abstractmethod
    def load_code(self, code: CodeReference) -> None:
        """Load the code of a run's tasks, once, ahead of attempts.

        Raises:
            Exception: It cannot be loaded; each attempt will meet that again and tell.
        """

    @abstractmethod
    def load_task(self, task: TaskSpec) -> None:
        """Load a task ahead of its attempts, so that those begin with everything at hand.

        Raises:
            Exception: It cannot be loaded; each attempt will meet that again and tell.
        """

    @abstractmethod
    def run_attempt(self, attempt: Attempt, stream_in: BinaryIO, stream_out: BinaryIO) -> Outcome:
        """Run one attempt to its end in this thread. Whatever goes wrong is an outcome.

        Args:
            attempt: The attempt.
            stream_in: Where answers to its calls come from.
            stream_out: Where its calls go to.
        """

    @abstractmethod
    async def run_attempt_async(self, attempt: Attempt, stream_in: BinaryIO, stream_out: BinaryIO) -> Outcome:
        """Run one attempt of a coroutine function in the running event loop, beside others."""

    def environment(self) -> Mapping[str, str]:
        """Return the environment variables of a process that goes on as a fresh interpreter; by default, this one's."""
        return os.environ

    def end(self) -> None:
        """Clear away what this process has made; called in a child before it ends by itself."""

    def child_ended(self, killed: bool) -> None:
        """Clear away what a child has left that has ended; called in the template, which must not wait.

        Args:
            killed: Whether a signal ended it, so that it could not clear away anything itself.
        """


def worker_main(arguments: Sequence[str], worker: Worker) -> NoReturn:
    """Be a template, or a single worker, as the command line says. Never returns.

    Args:
        arguments: ``--template DESCRIPTOR``, or ``--child DESCRIPTOR ORDER``.
        worker: What loads and runs tasks.
    """
    kind, descriptor, *rest = arguments
    link = socket.socket(fileno=int(descriptor))
    link.set_inheritable(False)
    prepare_output()
    if kind == "--template":
        from .template import serve_template

        serve_template(link, worker)
    else:
        carry_out(order_of_text(rest[0]), link, worker, rest[1], ProcessId.of(os.getppid()))
    os._exit(0)


def prepare_output() -> None:
    """Let every line that is printed reach its file at once, and nothing that is printed fail."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]


def order_text(order: Order) -> str:
    """Encode an order for a command line."""
    return encode_order(order).hex()


def order_of_text(text: str) -> Order:
    """Decode an order from a command line."""
    return decode_order(bytes.fromhex(text))


def carry_out(order: Order, link: socket.socket, worker: Worker, root: str, template: ProcessId) -> NoReturn:
    """Be the process that an order asks for, and end with it.

    Args:
        order: What to do.
        link: The attempt's channel, or the socket of a kept worker.
        worker: What runs tasks.
        root: Folder of all attempts.
        template: Who waits for the end of this process.
    """
    status = _FAILED
    try:
        become_independent()
        if isinstance(order, RunOnce):
            limit_memory(order.memory_limit_bytes)
            show_gpus(order.gpus)
            claim = Claim(ProcessId.own(), template, "")
            run_one(order, link, worker, root, lambda files: files.take(claim))
        else:
            from .kept import keep_running

            keep_running(order, link, worker, root, template)
        status = 0
    except BaseException:  # noqa: BLE001 - nothing may go on as if it were the template
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            worker.end()
        # No teardown: what atexit handlers and destructors know was made in the template, and belongs to it.
        os._exit(status)


def become_independent() -> None:
    """Leave the template's session, its signal handlers, its input and its random numbers behind."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:  # unlike `random` it goes on in every child where the template was
        numpy_random.seed()


def limit_memory(limit_bytes: int) -> None:
    """Refuse a single allocation that goes far beyond the limit; smaller excess is seen by the template."""
    if limit_bytes:
        most = data_bytes() + limit_bytes + max(limit_bytes, _SPARE_BYTES)
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (most if hard < 0 else min(most, hard), hard))


def show_gpus(gpus: str | None) -> None:
    """Let the code see the GPUs that it was given, and no others."""
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus


class Logs:
    """The files to which standard output and error go.

    Args:
        files: Whose files they are.
    """

    def __init__(self, files: AttemptFiles) -> None:
        self._files = files
        self._opened = [_open_log(path) for path in (files.stdout, files.stderr)]
        self.redirect()

    def redirect(self) -> None:
        """Let standard output and error go there."""
        for number, descriptor in zip((1, 2), self._opened, strict=True):
            os.dup2(descriptor, number)

    def give_to(self, files: AttemptFiles) -> None:
        """Bring out what was printed, and see to it that it is in the files of an attempt, and that no empty ones are."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):  # the disk is full, or the code closed it
                pass
        own = self._files
        kept = own is not files
        for index, (path, target) in enumerate(((own.stdout, files.stdout), (own.stderr, files.stderr))):
            try:
                if os.fstat(self._opened[index]).st_size == 0:
                    if not kept:
                        os.unlink(path)
                elif kept:
                    os.rename(path, target)
                    os.close(self._opened[index])
                    self._opened[index] = _open_log(path)
                    os.dup2(self._opened[index], index + 1)
            except OSError:  # the code removed it
                pass


def _open_log(path: str) -> int:
    opened = -1

    def open_it(path: str) -> None:
        nonlocal opened
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    in_folder(path, open_it)
    return opened


def receive_attempt(channel: socket.socket) -> Attempt | None:
    """Read the attempt that a channel begins with; None if it was withdrawn before that."""
    head = receive_exactly(channel, LENGTH_BYTES)
    data = None if head is None else receive_exactly(channel, int.from_bytes(head, "big"))
    message = None if data is None else decode_message(data)
    return message.attempt if isinstance(message, Begin) else None


def send(channel: socket.socket, message: Message) -> None:
    """Send a message; an executor that is gone will read the files."""
    try:
        channel.sendall(encode_message(message))
    except OSError:
        pass


def begin(
    order: RunOnce, channel: socket.socket, root: str, take: Callable[[AttemptFiles], bool]
) -> tuple[Attempt, AttemptFiles] | None:
    """Receive an attempt and become the one that runs it; None if it was withdrawn, or another process has begun it.

    Args:
        order: The order.
        channel: The attempt's channel.
        root: Folder of all attempts.
        take: Makes this process the one that runs an attempt, and tells whether that came off.
    """
    attempt = receive_attempt(channel)
    if attempt is None:
        return None
    files = AttemptFiles(f"{root}/{order.files}")
    if take(files):
        return attempt, files
    send(channel, Taken())
    return None


def run_one(
    order: RunOnce,
    channel: socket.socket,
    worker: Worker,
    root: str,
    take: Callable[[AttemptFiles], bool],
    note: Callable[[AttemptFiles, Outcome], None] = AttemptFiles.write_outcome,
    streams: tuple[BinaryIO, BinaryIO] | None = None,
    logs: Logs | None = None,
) -> None:
    """Run one attempt, unless it need not be run: claim it, run it, note its outcome, send that.

    Args:
        order: The order.
        channel: The attempt's channel, which is left open.
        worker: What runs tasks.
        root: Folder of all attempts.
        take: Makes this process the one that runs an attempt, and tells whether that came off.
        note: Notes the outcome.
        streams: Where answers to its calls come from, and where the calls go to; the channel if they are not given.
        logs: Where it prints to; files of its own if not given.
    """
    begun = begin(order, channel, root, take)
    if begun is None:
        return
    attempt, files = begun
    before = cpu_seconds()
    if logs is None:
        logs = Logs(files)
    stream_in, stream_out = streams or (channel.makefile("rb"), channel.makefile("wb"))
    outcome = with_usage(worker.run_attempt(attempt, stream_in, stream_out), before, order.memory_limit_bytes)
    logs.give_to(files)
    note(files, outcome)
    send(channel, Ended(outcome))


def hang_up(channel: socket.socket, *streams: BinaryIO) -> None:
    """Close a channel; a thread that reads from it sees its end."""
    try:
        channel.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    for stream in streams:
        try:
            stream.close()
        except OSError:  # what could not be sent
            pass
    channel.close()


def cpu_seconds() -> float:
    """Return the processor time of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def with_usage(outcome: Outcome, before: float, memory_limit_bytes: int) -> Outcome:
    """Add what an attempt used, and tell an allocation that the limit refused from other failures.

    Args:
        outcome: Its outcome.
        before: What `cpu_seconds` gave when it began.
        memory_limit_bytes: The most memory it may use; 0 for no limit.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_BYTES
    if memory_limit_bytes and outcome.kind == USER_FAILURE and outcome.error and outcome.error.code == "MemoryError":
        refused = out_of_memory(memory_limit_bytes, peak)
        assert refused.error is not None
        message = f"{refused.error.message}, when much more was asked for at once"
        error = msgspec.structs.replace(outcome.error, code="OutOfMemory", message=message)
        outcome = msgspec.structs.replace(outcome, kind=OUT_OF_MEMORY, error=error)
    used = {"peak_memory_bytes": float(peak), "cpu_seconds": cpu_seconds() - before}
    return msgspec.structs.replace(outcome, resources={**used, **outcome.resources})
