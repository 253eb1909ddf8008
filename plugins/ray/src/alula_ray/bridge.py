"""``python -m alula_ray.bridge ADDRESS``: the process that talks to a cluster for an engine.

Ray connects a process to one cluster, prints what it likes, and ends the process when the cluster is gone. The engine's
process stays free of all that: it sends requests to this one and gets replies (`alula_ray.messages`). The process ends with
its input. If the cluster is one of its own, it stays until what runs there has ended, so that another engine finds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, BinaryIO

from .addresses import LOCAL, host_and_port
from .messages import Reply, Request, UnreachableError, VersionError, encode, read_request

NAMESPACE = "alula"

_CONNECT_SECONDS = 5.0
_TRIES = 5
_RETRY_SECONDS = 1.0
_PULSE_SECONDS = 3.0
_PULSES = 5
_LINGER_SECONDS = 0.5
_PIECE_CHARS = 1 << 16


class Bridge:
    """Answers requests about one cluster.

    Args:
        address: The cluster.
        out: Where replies go.
    """

    def __init__(self, address: str, out: BinaryIO) -> None:
        self.address = address
        self._out = out
        self._connected = ""
        self._jobs: Any = None
        self._watches = False
        self._keepers: dict[str, KeeperClient] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._folder = contextlib.ExitStack()

    async def serve(self, requests: asyncio.Queue[Request | None]) -> None:
        """Answer requests until there are no more, or one says that this is the end."""
        while (request := await requests.get()) is not None:
            if request.method == "shutdown":
                self.close()
                self._send(Reply(number=request.number))
                return
            self.in_background(self._answer(request))
        if self.address == LOCAL:
            while await self._something_runs():  # noqa: ASYNC110 - in another process
                await asyncio.sleep(_LINGER_SECONDS)
        self.close()

    async def _something_runs(self) -> bool:
        return any([await keeper.running() for keeper in self._keepers.values()])

    def close(self) -> None:
        """Let go of the cluster; one of its own is shut down."""
        if self._connected:
            import ray

            ray.shutdown()
        self._folder.close()

    def in_background(self, work: Any) -> None:
        """Run a coroutine beside others."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _answer(self, request: Request) -> None:
        try:
            answer = _METHODS[request.method](self, **request.arguments)
            if isinstance(answer, AsyncIterator):
                async for piece in answer:
                    self._send(Reply(number=request.number, result=piece, more=True))
                result = None
            else:
                result = await answer
            reply = Reply(number=request.number, result=result)
        except Exception as failure:  # noqa: BLE001 - the engine decides what it means
            reply = Reply(
                number=request.number, error=str(failure) or repr(failure), error_class=type(failure).__name__
            )
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        try:
            self._out.write(encode(reply))
            self._out.flush()
        except OSError:  # the engine is gone, and the end of the input is about to come
            pass

    # --- the cluster ---

    async def connect(self) -> dict[str, str]:
        """Connect to the cluster as a driver.

        Returns:
            ``address``: what others connect to, `LOCAL` resolved.

        Raises:
            UnreachableError: Nobody answers.
            VersionError: The cluster runs another Ray or Python.
        """
        if not self._connected:
            import logging

            await self._knock()
            settings: dict[str, Any] = {
                "namespace": NAMESPACE,
                "log_to_driver": False,
                "logging_level": logging.ERROR,
                "configure_logging": False,
            }
            try:
                if self.address == LOCAL:
                    from .session import local_folder, start_local

                    context = start_local(self._folder.enter_context(local_folder()), **settings)
                    self._connected = f"local://{context.address_info['gcs_address']}"
                else:
                    await _initialized(self.address.removeprefix("local://"), settings)
                    self._connected = self.address
                    if not self._watches:
                        self.in_background(self._watch())
            except (ConnectionError, RuntimeError, ValueError) as failure:
                raise _translated(failure) from failure
        return {"address": self._connected}

    async def _knock(self) -> None:
        """Find out quickly that nobody is there: Ray itself would try for a minute."""
        place = host_and_port(self.address)
        if place is None:
            return
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(*place), _CONNECT_SECONDS)
        except (OSError, TimeoutError, asyncio.TimeoutError) as problem:
            raise UnreachableError(f"nobody answers at {place[0]}:{place[1]} ({str(problem) or 'no answer'})") from None
        writer.close()

    async def _watch(self) -> None:
        """End this process when the cluster is gone: calls into it would never return."""
        self._watches = True
        missed = 0
        while missed < _PULSES:
            await asyncio.sleep(_PULSE_SECONDS)
            try:
                await self._knock()
                missed = 0
            except UnreachableError:
                missed += 1
        os._exit(1)

    # --- plain tasks ---

    async def keeper(self, name: str, environment: Mapping[str, str]) -> KeeperClient:
        """Return the actor of a name."""
        await self.connect()
        known = self._keepers.get(name)
        if known is None:
            known = self._keepers[name] = KeeperClient(name, environment, self.in_background)
        return known

    async def start(self, keeper: str, environment: dict[str, str], **attempt: Any) -> None:
        """Start an attempt, unless it was started before."""
        await (await self.keeper(keeper, environment)).call("start", make=True, **attempt)

    async def wait(self, keeper: str, key: str) -> str:
        """Wait for the end of an attempt and return ``ended``, or ``unknown`` if nobody knows it."""
        return await (await self.keeper(keeper, {})).wait(key)

    async def cancel(self, keeper: str, key: str) -> None:
        """End an attempt, if it runs."""
        with contextlib.suppress(KeeperGoneError):
            await (await self.keeper(keeper, {})).call("cancel", key=key)

    # --- jobs ---

    async def _client(self) -> Any:
        if self._jobs is None:
            from ray.job_submission import JobSubmissionClient

            await self._knock()
            try:
                client = await asyncio.to_thread(JobSubmissionClient, self.address)
            except (ConnectionError, RuntimeError) as failure:
                raise _translated(failure) from failure
            if not self._watches:
                self.in_background(self._watch())
            self._jobs = client
        return self._jobs

    async def _ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the client of the Jobs API, which blocks, in a thread."""
        from requests.exceptions import ConnectionError as NoConnectionError

        client = await self._client()
        try:
            return await asyncio.to_thread(getattr(client, method), *args, **kwargs)
        except (ConnectionError, NoConnectionError) as failure:
            raise UnreachableError(str(failure)) from failure

    async def cluster_version(self) -> str:
        """Return the version of the cluster's Ray, by its Jobs API."""
        url = (await self._client()).get_address()
        return await asyncio.to_thread(_version_at, url)

    async def submit_job(self, job: str, **settings: Any) -> None:
        """Submit a job, unless it was submitted before."""
        try:
            await self._ask("submit_job", submission_id=job, **settings)
        except RuntimeError as failure:
            if "already exists" not in str(failure):
                raise

    async def job(self, job: str) -> dict[str, Any] | None:
        """Return the status, message and times of a job; None if there is none of that name."""
        try:
            found = await self._ask("get_job_info", job)
        except RuntimeError as failure:
            if "does not exist" in str(failure):
                return None
            raise
        return {"status": str(found.status.value), "message": found.message or "", "started_ms": found.start_time}

    async def stop_job(self, job: str) -> None:
        """Ask a job to end; one that has ended, or never was, is left alone."""
        try:
            await self._ask("stop_job", job)
        except RuntimeError as failure:
            if "does not exist" not in str(failure):
                raise

    async def job_output(self, job: str, follow: bool) -> AsyncIterator[bytes]:
        """Yield what a job prints, until it has ended, or only what it has printed so far."""
        client = await self._client()
        if await self.job(job) is None:
            return
        if not follow:
            text = await self._ask("get_job_logs", job)
            for start in range(0, len(text), _PIECE_CHARS):
                yield text[start : start + _PIECE_CHARS].encode()
            return
        async for text in client.tail_job_logs(job):
            yield text.encode()


class KeeperGoneError(Exception):
    """There is no actor that knows the attempts."""


class KeeperClient:
    """A bridge's view of one keeper (`alula_ray.keeper.Keeper`).

    Args:
        name: Name of the actor.
        environment: Environment variables with which it is made.
        in_background: Runs a coroutine beside others.
    """

    def __init__(self, name: str, environment: Mapping[str, str], in_background: Callable[[Any], None]) -> None:
        self._name = name
        self._environment = environment
        self._in_background = in_background
        self._actor: Any = None
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._listens = False

    def _find(self, make: bool) -> Any:
        import ray

        from .keeper import Keeper

        if make:
            return (
                ray.remote(Keeper)
                .options(
                    name=self._name,
                    namespace=NAMESPACE,
                    lifetime="detached",
                    get_if_exists=True,
                    num_cpus=0,
                    max_restarts=0,
                    max_concurrency=1_000,
                    runtime_env={"env_vars": dict(self._environment)},
                )
                .remote()
            )
        try:
            return ray.get_actor(self._name, namespace=NAMESPACE)
        except ValueError:
            raise KeeperGoneError(f"there is no actor {self._name}") from None

    async def call(self, method: str, *, make: bool = False, **arguments: Any) -> Any:
        """Call a method of the actor.

        Args:
            method: Its name.
            make: Whether the actor is made if there is none.
            arguments: Its arguments.

        Raises:
            KeeperGoneError: There is none, or it has died.
        """
        from ray.exceptions import RayActorError

        for last in (False, True):
            if self._actor is None:
                self._actor = await asyncio.to_thread(self._find, make)
            actor = self._actor
            try:
                return await getattr(actor, method).remote(**arguments)
            except RayActorError as failure:  # it has died, maybe because it was idle
                if self._actor is actor:
                    self._actor = None
                if last:
                    raise KeeperGoneError(str(failure)) from failure
        return None

    async def running(self) -> int:
        """Return how many attempts run."""
        try:
            return int(await self.call("running"))
        except KeeperGoneError:
            return 0

    async def wait(self, key: str) -> str:
        """Wait for the end of an attempt; one listener asks for all that wait."""
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = asyncio.get_running_loop().create_future()
        if not self._listens:
            self._listens = True
            self._in_background(self._listen())
        try:
            state = await self.call("state", key=key)
        except KeeperGoneError:
            state = "unknown"
        if state != "running":
            self._resolve(key, str(state))
        return await asyncio.shield(waiting)

    def _resolve(self, key: str, state: str) -> None:
        waiting = self._waiting.pop(key, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(state)

    async def _listen(self) -> None:
        known = 0
        try:
            while self._waiting:
                known, keys = await self.call("news", known=known)
                for key in keys:
                    self._resolve(key, "ended")
                if not keys:  # maybe since another actor answers now, which knows others and has its own count
                    for key in list(self._waiting):
                        state = await self.call("state", key=key)
                        if state != "running":
                            self._resolve(key, str(state))
        except KeeperGoneError:
            for key in list(self._waiting):
                self._resolve(key, "unknown")
        except Exception as problem:  # noqa: BLE001 - who waits is told
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(problem)
            self._waiting.clear()
        finally:
            self._listens = False


_METHODS: Mapping[str, Callable[..., Any]] = {
    "cancel": Bridge.cancel,
    "cluster_version": Bridge.cluster_version,
    "connect": Bridge.connect,
    "job": Bridge.job,
    "job_output": Bridge.job_output,
    "start": Bridge.start,
    "stop_job": Bridge.stop_job,
    "submit_job": Bridge.submit_job,
    "wait": Bridge.wait,
}


async def _initialized(address: str, settings: Mapping[str, Any]) -> None:
    """Connect Ray to a cluster. One that answers, and could not start what serves this client, is asked again.

    Ray Client forks a server for each client from a process with many threads, and now and then the fork does not live.

    Raises:
        ConnectionError: It did not come off.
    """
    import ray

    for left in reversed(range(_TRIES)):
        try:
            ray.init(address, **settings)
        except ConnectionAbortedError:
            if not left:
                raise
            ray.shutdown()
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return


def _translated(failure: Exception) -> Exception:
    """Return what a failure to connect means."""
    text = str(failure)
    if "ersion mismatch" in text:
        return VersionError(text)
    return UnreachableError(text)


def _version_at(url: str) -> str:
    """Ask the Jobs API for the version of the cluster's Ray."""
    import requests

    return str(requests.get(f"{url}/api/version", timeout=30).json()["ray_version"])


def main() -> None:
    """Connect stdin and stdout to a bridge; what else is printed goes to stderr."""
    with open(os.dup(1), "wb") as replies:
        os.dup2(2, 1)
        asyncio.run(_main(sys.argv[1], replies))


async def _main(address: str, replies: BinaryIO) -> None:
    loop = asyncio.get_running_loop()
    requests: asyncio.Queue[Request | None] = asyncio.Queue()

    def read() -> None:
        while (request := read_request(sys.stdin.buffer)) is not None:
            loop.call_soon_threadsafe(requests.put_nowait, request)
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(requests.put_nowait, None)

    threading.Thread(target=read, name="alula-requests", daemon=True).start()
    await Bridge(address, replies).serve(requests)
    os._exit(0)  # what still waits for a cluster that was left may wait for ever


if __name__ == "__main__":
    main()
