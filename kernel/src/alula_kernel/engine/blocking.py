"""Several child actions of a thread that blocks, in this process."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from ..contracts import CallEnd, CallFailedError, CallRequest, Calls
from ..literals import Literal
from .children import Children
from .stepping import BlockingLoop, Stepper

Outputs = dict[str, Literal]


class BlockingCalls(Calls):
    """Runs children where the thread stands; those that wait move on whenever it asks for the next end.

    Args:
        run: Makes the coroutine that runs a child.
        ended: Called once, when it is closed.
    """

    def __init__(
        self,
        run: Callable[[CallRequest, Stepper], Coroutine[Any, Any, Outputs]],
        ended: Callable[[BlockingCalls], None],
    ) -> None:
        self._run = run
        self._ended = ended
        # What awaits the children runs inside a task of the loop below.
        self._children: Children[int, Outputs] = Children(Stepper(in_task=True))
        self._loop: BlockingLoop | None = None
        self._closed = False

    def begin(self, key: int, request: CallRequest) -> bool:
        coroutine = self._run(request, Stepper())
        if self._children.start(key, coroutine):
            return True
        if self._loop is None:
            self._loop = BlockingLoop()
        self._loop.run(self._children.adopt(key, coroutine))
        return bool(self._children.ended)

    def next_end(self) -> CallEnd:
        children = self._children
        while not children.ended:
            assert self._loop is not None
            self._loop.run(children.next_end())
        key, outputs, failure = children.ended.popleft()
        if failure is None or isinstance(failure, CallFailedError):
            return CallEnd(key, outputs, failure)
        raise failure

    def close(self, reason: str) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            if self._loop is not None:
                try:
                    self._loop.run(self._children.cancel(reason))
                finally:
                    self._loop.close()
        finally:
            self._ended(self)
