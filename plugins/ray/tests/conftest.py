"""Fixtures of the plugin's tests: a cluster of two nodes, each with two CPUs, for all of them together."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from alula_ray.bridges import Bridges

SAMPLES = Path(__file__).parent / "samples"
_HOST = "127.0.0.2"  # Ray takes 127.0.0.1 for the machine's other addresses
_LIMIT_SECONDS = 240


class Cluster(NamedTuple):
    """A cluster of Ray.

    Attributes:
        address: What drivers connect to.
        jobs: Its Jobs API.
        client: Its Ray Client.
    """

    address: str
    jobs: str
    client: str


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep all tests of the cluster in one process of pytest-xdist: a second cluster would cost more than it gains."""
    for item in items:
        if {"cluster", "bridges"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group("ray-cluster"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A head and a second node on the loopback interface; gone with everything that it started when the tests end."""
    variables = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",
        "RAY_DISABLE_MEMORY_MONITOR": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        for name, value in variables.items():
            patch.setenv(name, value)
        folder = tempfile.mkdtemp(prefix="alr", dir="/tmp")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        head, dashboard, client = free_ports(3)
        node = ["--node-ip-address", _HOST, "--num-cpus=2", "--object-store-memory=100000000", "--disable-usage-stats"]
        ports = ["--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"]
        started(
            stack,
            *("--head", f"--port={head}", f"--ray-client-server-port={client}", f"--temp-dir={folder}"),
            *("--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"),
            *node,
            *ports,
            log=f"{folder}.head",
        )
        started(stack, f"--address={_HOST}:{head}", *node, *ports, log=f"{folder}.node")
        yield Cluster(f"{_HOST}:{head}", f"http://127.0.0.1:{dashboard}", f"ray://{_HOST}:{client}")


def started(stack: contextlib.ExitStack, *arguments: str, log: str) -> None:
    """Start a node and wait until it is up."""
    with open(log, "wb") as output:
        node = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    stack.callback(os.unlink, log)
    stack.callback(ended, node)
    deadline = time.monotonic() + _LIMIT_SECONDS
    while "runtime started" not in (said := Path(log).read_text(errors="replace")):
        assert node.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.1)


def ended(node: subprocess.Popen[bytes]) -> None:
    """End a node with all of its processes; Ray itself would take half a minute for that."""
    while family := family_of(node.pid):
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        node.wait()
        time.sleep(0.1)


def family_of(session: int) -> set[int]:
    """Return the living processes of a session and their descendants: a job of Ray's has a session of its own."""
    found: set[int] = set()
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            # After the name of the program in parentheses: state, parent, group, session (proc(5)).
            fields = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdigit() else []
            if fields and fields[0] not in {"Z", "X"}:
                parents[int(entry.name)] = int(fields[1])
                if int(fields[3]) == session:
                    found.add(int(entry.name))
    while below := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= below
    return found


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            listener = stack.enter_context(socket.socket())
            listener.bind((_HOST, 0))
            found.append(listener.getsockname()[1])
        return found


@pytest.fixture(scope="session")
def bridges(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridges]:
    """Connections that all executors of the tests share: each costs a process that imports Ray."""
    made = Bridges(str(tmp_path_factory.mktemp("bridges")))
    yield made
    made.close()


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of settings that tests share, so that they share Ray's processes too."""
    return str(tmp_path_factory.mktemp("shared-home"))


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tasks of `samples/ray_samples.py`, imported as a user's module is."""
    monkeypatch.syspath_prepend(SAMPLES)
    sys.modules.pop("ray_samples", None)
    import ray_samples  # type: ignore[import-not-found]

    return ray_samples  # type: ignore[no-any-return]
