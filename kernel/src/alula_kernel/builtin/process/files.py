"""The files of an attempt: who runs it, what it prints, how it ended.

They are what another engine, started after this one died, finds the attempt by. All of them have the same beginning, for
instance ``<home>/attempts/default/development/<run>/a0.n3-1``, and these ends:

``.claim``
    A symbolic link that points nowhere: its text says which process runs the attempt. Making one is atomic and fails if
    there is one, so that an attempt runs once, whoever submits it how often, and whoever dies on the way. That of an attempt
    in a kept worker is one more hard link to a file of the worker's, with the same text, and so takes no room of its own.
``.stop``
    The same, and says why the attempt is to be stopped; the first reason counts.
``.out``, ``.err``
    What it prints. Files that stayed empty are removed at the end. A kept worker has such files of its own, and gives them
    to its attempt before that has an outcome, if anything is in them.
``.outcome``
    How it ended, by its own account. Only the whole can be decoded: what is there before that counts as nothing yet. A kept
    worker notes the outcomes of its attempts in one file for each run, ``<name of the worker>.outcomes`` beside them.
``.exit.json``
    How its process ended, by the account of the template that waited for it; only if the process did not say so itself.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from ...contracts import Outcome
from ...processes import ProcessId

if TYPE_CHECKING:
    from collections.abc import Callable

CANCELLED_STOP = "cancelled"
TIMEOUT_STOP = "timeout"
MEMORY_STOP = "memory"

_NOBODY = "nobody"
_PIECE_BYTES = 1 << 16
_outcomes: msgspec.msgpack.Decoder[Outcome] = msgspec.msgpack.Decoder(Outcome)


class Claim(msgspec.Struct, frozen=True):
    """Who runs an attempt.

    Attributes:
        process: The process.
        template: The process that waits for its end.
        files: Beginning of the names of the process's own files; those of the attempt for a process that runs one only.
    """

    process: ProcessId
    template: ProcessId
    files: str

    @classmethod
    def parse(cls, text: str) -> Claim | None:
        """Read what `text` gives; None if it is something else."""
        process, _, rest = text.partition(":")
        template, _, files = rest.partition(":")
        first, second = ProcessId.parse(process), ProcessId.parse(template)
        return None if first is None or second is None else cls(first, second, files)

    @property
    def text(self) -> str:
        """All of it in a line."""
        return f"{self.process}:{self.template}:{self.files}"


class ExitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How a process ended.

    Attributes:
        status: What ``waitpid`` gave.
        peak_memory_bytes: The most memory that was seen in use.
        cpu_seconds: Processor time.
    """

    status: int
    peak_memory_bytes: int = 0
    cpu_seconds: float = 0.0


class AttemptFiles:
    """The files of one attempt, or of a process that runs many.

    Args:
        base: Beginning of their names.
    """

    __slots__ = ("base",)

    def __init__(self, base: str) -> None:
        self.base = base

    # --- who runs it ---

    def take(self, claim: Claim) -> bool:
        """Become the one that runs it, and tell whether that came off."""
        return _link(claim.text, f"{self.base}.claim")

    def close(self) -> bool:
        """See to it that nobody begins to run it any more; False if somebody has."""
        return _link(_NOBODY, f"{self.base}.claim") or self.closed

    def claim(self) -> Claim | None:
        """Return who runs it; None if nobody does."""
        return Claim.parse(self._claim_text())

    @property
    def closed(self) -> bool:
        """Whether it was made sure that nobody begins to run it."""
        return self._claim_text() == _NOBODY

    @property
    def begun(self) -> bool:
        """Whether somebody runs it, ran it, or made sure that nobody does."""
        return os.path.lexists(f"{self.base}.claim")

    def begun_at(self) -> float | None:
        """Return when somebody began to run it, in seconds since the epoch; None if nobody did."""
        try:
            return os.lstat(f"{self.base}.claim").st_mtime
        except FileNotFoundError:
            return None

    def _claim_text(self) -> str:
        path = f"{self.base}.claim"
        return _read_link(path) or _read(path).decode()

    # --- why it is to be stopped ---

    def stop(self, reason: str) -> bool:
        """Note why it is to be stopped, and tell whether that is the first reason."""
        return _link(reason, f"{self.base}.stop")

    def stop_reason(self) -> str:
        """Return why it was to be stopped; empty if it was not."""
        return _read_link(f"{self.base}.stop")

    # --- how it ended ---

    def write_outcome(self, outcome: Outcome) -> None:
        """Note how it ended, by its own account."""
        _write(f"{self.base}.outcome", msgspec.msgpack.encode(outcome))

    def outcome(self) -> Outcome | None:
        """Return how it ended, by its own account; None if it has not said so."""
        data = _read(f"{self.base}.outcome")
        if not data:
            claim = self.claim()
            data = b"" if claim is None or not claim.files else _noted(self.base, claim.files)
        try:
            return _outcomes.decode(data) if data else None
        except msgspec.MsgspecError:  # cut off when the machine was
            return None

    @property
    def has_outcome(self) -> bool:
        """Whether it has said how it ended."""
        return self.outcome() is not None

    def write_exit(self, record: ExitRecord) -> None:
        """Note how its process ended."""
        _write(f"{self.base}.exit.json", msgspec.json.encode(record))

    def exit_record(self) -> ExitRecord | None:
        """Return how its process ended; None if nobody wrote that down."""
        data = _read(f"{self.base}.exit.json")
        try:
            return msgspec.json.decode(data, type=ExitRecord) if data else None
        except msgspec.MsgspecError:
            return None

    # --- what it prints ---

    @property
    def stdout(self) -> str:
        """Path of what it writes to standard output."""
        return f"{self.base}.out"

    @property
    def stderr(self) -> str:
        """Path of what it writes to standard error."""
        return f"{self.base}.err"

    def read_log(self, error: bool, offset: int, root: str) -> bytes:
        """Read a piece of what it prints.

        Args:
            error: Whether it is what goes to standard error.
            offset: Where to begin, in bytes.
            root: Folder of all attempts.

        Returns:
            The piece; empty if there is nothing more now.
        """
        found = _read_piece(self.stderr if error else self.stdout, offset)
        if found is not None:
            return found
        claim = self.claim()
        if claim is None or not claim.files:
            return b""
        of_worker = AttemptFiles(f"{root}/{claim.files}")
        found = _read_piece(of_worker.stderr if error else of_worker.stdout, offset)
        # With an outcome the worker may have gone on to another attempt, and the files of this one are its own.
        return b"" if found is None or self.has_outcome else found


class Ledger:
    """What a kept worker notes of its attempts: who runs them and how they ended, without a file for each.

    Args:
        base: Beginning of the names of the worker's own files.
        claim: Who the worker is.
    """

    def __init__(self, base: str, claim: Claim) -> None:
        self._own = f"{base}.claim"
        self._claim = claim
        self._linked = False
        self._path = ""
        self._descriptor = -1

    def take(self, files: AttemptFiles) -> bool:
        """Become the one that runs an attempt, and tell whether that came off."""
        try:
            if not self._linked:
                self._renew()
            os.utime(self._own)  # which is when the attempt begins
            in_folder(f"{files.base}.claim", lambda path: os.link(self._own, path))
        except FileExistsError:
            return False
        except OSError:  # it has as many links as the file system allows, or that has none
            self._linked = False
            return files.take(self._claim)
        return True

    def _renew(self) -> None:
        """Make a new file of the worker's own; those that exist keep the old one."""
        new = f"{self._own}.new"
        _write(new, self._claim.text.encode())
        os.rename(new, self._own)
        self._linked = True

    def note(self, files: AttemptFiles, outcome: Outcome) -> None:
        """Note how an attempt ended."""
        path = _ledger_path(files.base, self._claim.files)
        if path != self._path:
            self._leave()
            in_folder(path, self._open)
        name, content = _entry_name(files.base), msgspec.msgpack.encode(outcome)
        data = name + len(content).to_bytes(_LENGTH_BYTES, "big") + content
        written = os.write(self._descriptor, data)
        while written < len(data):
            written += os.write(self._descriptor, memoryview(data)[written:])

    def _open(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._path = path

    def _leave(self) -> None:
        if self._path:
            os.close(self._descriptor)
            self._path = ""

    def close(self) -> None:
        """Remove the worker's own file; what refers to it stays."""
        self._leave()
        try:
            os.unlink(self._own)
        except FileNotFoundError:
            pass


_LENGTH_BYTES = 4


def _ledger_path(base: str, worker: str) -> str:
    return f"{os.path.dirname(base)}/{os.path.basename(worker)}.outcomes"


def _entry_name(base: str) -> bytes:
    """Return what an attempt's entry begins with; no name of a file has such bytes."""
    return b"\0/" + os.path.basename(base).encode() + b"/\0"


def _noted(base: str, worker: str) -> bytes:
    """Return the encoded outcome that a kept worker noted of an attempt; empty if it has not, or not all of it."""
    data, name = _read(_ledger_path(base, worker)), _entry_name(base)
    place = data.rfind(name)
    if place < 0:
        return b""
    start = place + len(name) + _LENGTH_BYTES
    end = start + int.from_bytes(data[start - _LENGTH_BYTES : start], "big")
    return data[start:end]


def in_folder(path: str, action: Callable[[str], None]) -> None:
    """Do something at a path; its folder is made only if it turns out to be missing."""
    try:
        action(path)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        action(path)


def _link(text: str, path: str) -> bool:
    try:
        in_folder(path, lambda path: os.symlink(text, path))
    except FileExistsError:
        return False
    return True


def _read_link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _write(path: str, data: bytes) -> None:
    """Write a file of which only the whole can be decoded."""

    def write(path: str) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            written = os.write(descriptor, data)
            while written < len(data):
                written += os.write(descriptor, memoryview(data)[written:])
        finally:
            os.close(descriptor)

    in_folder(path, write)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _read_piece(path: str, offset: int) -> bytes | None:
    """Read a part of a file; None if there is no such file."""
    try:
        with open(path, "rb", buffering=0) as file:
            file.seek(offset)
            return file.read(_PIECE_BYTES)
    except FileNotFoundError:
        return None
