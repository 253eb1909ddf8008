"""Storages over local files, memory and a real S3 server on loopback."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from alula_kernel.builtin.backends import FileBackend, FsspecBackend, MemoryBackend, builtin_backends
from alula_kernel.storage import Storage

# In a process of its own: its warnings are not ours, and it ends when its standard input does.
S3_SERVER = """
import sys
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""
CREDENTIALS = {"key": "testing", "secret": "testing"}


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an S3 server that lives as long as the session."""
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as stderr:
        server = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", S3_SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    assert server.stdin is not None
    assert server.stdout is not None
    port = server.stdout.readline().decode().strip()
    assert port, log.read_text()
    yield f"http://127.0.0.1:{port}"
    server.stdin.close()
    server.wait(timeout=30)
    server.stdout.close()


@pytest.fixture(scope="session")
def s3_options(s3_endpoint: str) -> Iterator[dict[str, dict[str, object]]]:
    import s3fs

    yield {"s3": {"endpoint_url": s3_endpoint, "client_kwargs": {"region_name": "us-east-1"}, **CREDENTIALS}}
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def s3_bucket(s3_endpoint: str) -> str:
    """The URI of a new bucket."""
    name = f"b-{uuid.uuid4().hex}"
    request = urllib.request.Request(f"{s3_endpoint}/{name}", method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    return f"s3://{name}"


@pytest.fixture
def s3(s3_bucket: str, s3_options: dict[str, dict[str, object]]) -> Storage:
    return Storage(builtin_backends(s3_options), f"{s3_bucket}/data")


@pytest.fixture
def local(tmp_path: Path) -> Storage:
    return Storage(builtin_backends(), str(tmp_path / "data"))


@pytest.fixture(params=["file", "memory", "s3", "local"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """A storage over each kind of backend; ``local`` is fsspec's own backend for files, which cannot write atomically."""
    if request.param == "file":
        return Storage([FileBackend()], str(tmp_path / "data"))
    if request.param == "memory":
        return Storage([FileBackend(), MemoryBackend()], "memory://data")
    if request.param == "s3":
        return request.getfixturevalue("s3")
    return Storage([FileBackend(), FsspecBackend()], f"local://{tmp_path}/data")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with files at several depths, some with odd names."""
    folder = tmp_path / "tree"
    for name, content in TREE.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


TREE = {
    "a.txt": b"a",
    "empty": b"",
    "b/c.csv": b"x,y\n1,2\n",
    "b/d/e.bin": bytes(range(256)),
    "b/a b%20c#d?e*[f].txt": b"odd",
    "ünï/çødé.txt": "ü".encode(),
}


def leave(stream: IO[Any], data: Any, error: type[BaseException]) -> None:
    """Write to a stream, and leave its block by an exception."""
    with stream:
        stream.write(data)
        raise error


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
