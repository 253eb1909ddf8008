"""What the attempts of a run printed: found by the handles in the store, and read from their executors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from alula_kernel.contracts import TaskExecutor
from alula_kernel.engine import ROOT_ACTION, Action

if TYPE_CHECKING:
    import asyncio

    from alula_kernel.engine import AttemptRecord
    from alula_kernel.engine.sqlite_store import SqliteStore

_SECONDS_BETWEEN_LOOKS = 0.2
_PAGE = 500
_LONGEST_LINE_BYTES = 1 << 16
_MOST_NAMES = 1_000


class Source(NamedTuple):
    """An attempt that may have printed something.

    Attributes:
        action: Its action, as it was when it was read.
        attempt: The attempt.
    """

    action: Action
    attempt: AttemptRecord

    @property
    def title(self) -> str:
        """Name it for people: ``fit #1 (n0)``."""
        place = short_id(self.action.id)
        return f"{self.action.name} #{self.attempt.number}" + (f" ({place})" if place else "")


Sink = Callable[[Source, bytes], None]
"""Takes what an attempt printed, in whole lines unless one is very long."""


def short_id(action: str) -> str:
    """Return the id of an action as people see it, without that of the root, which is empty."""
    return action.removeprefix(ROOT_ACTION).removeprefix(".")


def keeps_output(executor: TaskExecutor | None, attempt: AttemptRecord) -> bool:
    """Tell whether what an attempt printed can be read from its executor."""
    return executor is not None and attempt.handle is not None and type(executor).logs is not TaskExecutor.logs


def why_nothing_is_kept(attempt: AttemptRecord, executor: TaskExecutor | None) -> str:
    """Say why nothing can be read of what an attempt printed."""
    if executor is None:
        return f"the executor {attempt.executor} is not installed here"
    if executor.survives_engine and attempt.handle is None:
        return "the attempt was not submitted"
    if executor.survives_engine:
        return f"the executor {attempt.executor} keeps no output"
    return (
        f"the executor {attempt.executor} runs tasks in the process of the run: what they print appears there, and is not "
        "kept; alula run --executor process keeps it"
    )


class PrintedOutput:
    """What the attempts of a run printed.

    Args:
        store: Where the run is.
        run: Name of the run.
        executors: The executors by name.
        action: Only attempts of this action, or of all actions of this name; empty for all.
        attempt: Only attempts of this number; 0 for all.
        warn: Told what cannot be read.

    Attributes:
        found: Whether there was an action that was asked for.
        unkept: Why nothing is kept of attempts that were asked for; each reason once.
        names: Names and ids of actions there are, for messages; not all of very many.
    """

    def __init__(
        self,
        store: SqliteStore,
        run: str,
        executors: Mapping[str, TaskExecutor],
        *,
        action: str = "",
        attempt: int = 0,
        warn: Callable[[str], None],
    ) -> None:
        self.found = False
        self.unkept: dict[str, None] = {}
        self.names: set[str] = set()
        self._store = store
        self._run = run
        self._executors = executors
        self._action = action
        self._number = attempt
        self._warn = warn
        self._position = 0
        self._taken: dict[str, int] = {}

    async def copy(self, sink: Sink, *, follow: bool) -> None:
        """Hand on what was printed: what has ended in order, what is under way line by line.

        Args:
            sink: Takes it.
            follow: Whether to go on until the run has ended; if not, what was printed so far is all.
        """
        import asyncio

        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                # Looked up first: what the run did until then is found below.
                over = not follow or self._is_over()
                for source in self._new_sources():
                    if follow and source.attempt.ended_at is None:
                        running.add(asyncio.ensure_future(self._copy_one(source, sink, follow=True)))
                    else:
                        await self._copy_one(source, sink, follow=False)
                if over and not running:
                    return
                if not running:
                    await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
                    continue
                done, running = await asyncio.wait(running, timeout=_SECONDS_BETWEEN_LOOKS)
                for ended in done:
                    ended.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _is_over(self) -> bool:
        record = self._store.find_run(self._run)
        return record is None or record.ended_at is not None or record.lost

    def _new_sources(self) -> Iterator[Source]:
        """Yield the attempts that are new since the last look; only actions that are not final are remembered."""
        for action_id in list(self._taken):
            action = self._store.find(self._run, action_id)
            if action is not None:
                yield from self._attempts_of(action)
        while page := self._store.page(self._run, after=self._position, limit=_PAGE):
            for position, action in page:
                self._position = position
                if len(self.names) < _MOST_NAMES:
                    self.names |= {action.name, short_id(action.id) or ROOT_ACTION}
                if self._action in {"", action.name, action.id, short_id(action.id)}:
                    self.found = True
                    yield from self._attempts_of(action)

    def _attempts_of(self, action: Action) -> Iterator[Source]:
        taken = self._taken.pop(action.id, 0)
        for attempt in action.attempts[taken:]:
            executor = self._executors.get(attempt.executor)
            submitted = attempt.handle is not None or attempt.ended_at is not None
            if not submitted and executor is not None and executor.survives_engine and not action.final:
                break
            taken += 1
            if self._number not in {0, attempt.number}:
                continue
            if keeps_output(executor, attempt):
                yield Source(action, attempt)
            else:
                self.unkept[why_nothing_is_kept(attempt, executor)] = None
        if not action.final:
            self._taken[action.id] = taken

    async def _copy_one(self, source: Source, sink: Sink, *, follow: bool) -> None:
        async for lines in printed_lines(self._executors[source.attempt.executor], source, self._warn, follow=follow):
            sink(source, lines)


async def printed_lines(
    executor: TaskExecutor, source: Source, warn: Callable[[str], None], *, follow: bool
) -> AsyncIterator[bytes]:
    """Yield what an attempt printed in pieces of whole lines; a very long line is cut, a last one is ended.

    Args:
        executor: Its executor.
        source: The attempt.
        warn: Told if it cannot be read to the end.
        follow: Whether to go on until it has ended.
    """
    import asyncio

    assert source.attempt.handle is not None
    rest = b""
    try:
        async for piece in executor.logs(source.attempt.handle, follow=follow):
            whole, newline, rest = (rest + piece).rpartition(b"\n")
            if whole or newline:
                yield whole + newline
            elif len(rest) > _LONGEST_LINE_BYTES:
                yield rest
                rest = b""
            await asyncio.sleep(0)  # an executor that reads files gives nobody else a turn
    except Exception as problem:  # noqa: BLE001 - a plugin's may raise anything
        warn(f"what {source.title} printed cannot be read from the executor {executor.name}: {problem}")
    if rest:
        yield rest + b"\n"
