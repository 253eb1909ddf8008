"""An engine's end of its bridges: one process for each cluster that it talks to."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from typing import Any

from .addresses import LOCAL
from .messages import BridgeError, Reply, Request, UnreachableError, VersionError, encode, read_reply
from .session import QUIET, loopback_environment

_END_SECONDS = 30.0
_TAIL_BYTES = 2_000


class Bridge:
    """A process that talks to one cluster. Any thread may use it.

    Args:
        address: The cluster.
        home: Folder of this machine for what outlives the process.

    Attributes:
        connected: What other processes connect to; empty before that is known.
        gone: Whether the process has ended.
    """

    def __init__(self, address: str, home: str) -> None:
        self.address = address
        self._errors = tempfile.TemporaryFile(prefix="alula-ray-")  # noqa: SIM115 - as long as the process
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_ADDRESS")}
        environment.pop("RAY_API_SERVER_ADDRESS", None)
        environment |= {**QUIET, **(loopback_environment(home) if address.startswith(LOCAL) else {})}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "alula_ray.bridge", address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            start_new_session=True,  # an interrupt from the keyboard is for the engine, which then ends attempts in order
        )
        self._lock = threading.Lock()
        self._number = 0
        self._waiting: dict[int, Callable[[Reply | None], None]] = {}
        self.gone = False
        self.connected = ""
        self._reader = threading.Thread(target=self._read, name="alula-ray-bridge", daemon=True)
        self._reader.start()

    def ask(self, method: str, **arguments: Any) -> Future[Any]:
        """Send a request and return the future of its result.

        The future ends with `UnreachableError`, `VersionError` or `BridgeError` if there is none.
        """
        answer: Future[Any] = Future()

        def take(reply: Reply | None) -> None:
            if answer.set_running_or_notify_cancel():
                if reply is not None and not reply.error:
                    if method == "connect":
                        self.connected = reply.result["address"]
                    answer.set_result(reply.result)
                else:
                    answer.set_exception(self._failure(reply))

        self._send(method, arguments, take)
        return answer

    async def stream(self, method: str, **arguments: Any) -> AsyncIterator[Any]:
        """Send a request and yield its results."""
        loop = asyncio.get_running_loop()
        replies: asyncio.Queue[Reply | None] = asyncio.Queue()
        self._send(method, arguments, lambda reply: _put(loop, replies, reply))
        while (reply := await replies.get()) is not None and not reply.error:
            if not reply.more:
                return
            yield reply.result
        raise self._failure(reply)

    def _send(self, method: str, arguments: Mapping[str, Any], take: Callable[[Reply | None], None]) -> None:
        with self._lock:
            self._number += 1
            number = self._number
            self._waiting[number] = take
            data = encode(Request(number, method, dict(arguments)))
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(data)
                self._process.stdin.flush()
            except (OSError, ValueError):
                self.gone = True
        if self.gone and (left := self._waiting.pop(number, None)) is not None:
            left(None)

    def _read(self) -> None:
        assert self._process.stdout is not None
        while (reply := read_reply(self._process.stdout)) is not None:
            take = self._waiting.get(reply.number) if reply.more else self._waiting.pop(reply.number, None)
            if take is not None:
                take(reply)
        with self._lock:
            self.gone = True
        for number in list(self._waiting):
            if (waiting := self._waiting.pop(number, None)) is not None:
                waiting(None)
        self._process.stdout.close()

    def _failure(self, reply: Reply | None) -> Exception:
        if reply is None:
            return UnreachableError(f"the connection to {self.address} is gone{self._last_words()}")
        if reply.error_class == "UnreachableError":
            return UnreachableError(reply.error)
        if reply.error_class == "VersionError":
            return VersionError(reply.error)
        return BridgeError(reply.error, reply.error_class)

    def _last_words(self) -> str:
        if self._errors.closed:
            return ""
        size = os.fstat(self._errors.fileno()).st_size
        said = os.pread(self._errors.fileno(), _TAIL_BYTES, max(size - _TAIL_BYTES, 0)).decode(errors="replace").strip()
        return f": {said}" if said else ""

    def close(self) -> None:
        """End the process, and the Ray that it may have started. Idempotent."""
        if not self.gone:
            try:
                self.ask("shutdown").result(_END_SECONDS)
            except (UnreachableError, BridgeError, TimeoutError):
                pass
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except OSError:
            pass
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._errors.close()


def _put(loop: asyncio.AbstractEventLoop, replies: asyncio.Queue[Reply | None], reply: Reply | None) -> None:
    try:
        loop.call_soon_threadsafe(replies.put_nowait, reply)
    except RuntimeError:  # whoever listened has closed the loop
        pass


class Bridges:
    """The bridges of an engine by address, started when they are needed. Any thread may use it.

    Args:
        home: Folder of this machine for what outlives the process.
    """

    def __init__(self, home: str) -> None:
        self._home = home
        self._bridges: dict[str, Bridge] = {}
        self._lock = threading.Lock()

    def to(self, address: str) -> Bridge:
        """Return the bridge to a cluster; one that is gone is replaced."""
        with self._lock:
            bridge = self._bridges.get(address)
            if bridge is None or bridge.gone:
                bridge = self._bridges[address] = Bridge(address, self._home)
            return bridge

    def of(self, address: str) -> Bridge:
        """Return a bridge to the cluster of a handle: that which started it, if one did."""
        with self._lock:
            own = self._bridges.get(LOCAL)
        if own is not None and not own.gone and own.connected == address:
            return own
        return self.to(address)

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            bridges = list(self._bridges.values())
            self._bridges.clear()
        for bridge in bridges:
            bridge.close()
