"""Reading over HTTP, from a server on loopback that knows ranges, redirects and failures."""

from __future__ import annotations

import http.server
import re
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from alula_kernel.builtin.backends import FileBackend, FsspecBackend
from alula_kernel.errors import StorageError
from alula_kernel.storage import Storage

DATA = bytes(range(256)) * 4_000


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    failures: ClassVar[Counter[str]] = Counter()
    requests: ClassVar[list[tuple[str, str, str]]] = []

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        range_header = self.headers.get("Range", "")
        self.requests.append((self.command, self.path, range_header))
        kind = self.path.split("?")[0].strip("/").split("/")[0]
        if self.failures[kind] > 0:
            self.failures[kind] -= 1
            if kind == "cut":
                self.connection.close()
                self.close_connection = True
                return
            self._send(503, b"busy", body)
        elif kind in {"401", "403", "404", "500"}:
            self._send(int(kind), b"no", body)
        elif kind == "norange":
            self._send(200, DATA, body)
        elif found := re.fullmatch(r"bytes=(\d+)-(\d*)", range_header):
            start, end = int(found[1]), min(int(found[2] or len(DATA)), len(DATA) - 1)
            self._send(206, DATA[start : end + 1], body, {"Content-Range": f"bytes {start}-{end}/{len(DATA)}"})
        else:
            self._send(200, DATA, body, {"Accept-Ranges": "bytes"})

    def _send(self, status: int, data: bytes, body: bool, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *arguments: Any) -> None:
        """Say nothing: clients go away in the middle of an answer."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with Server(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()
    from fsspec.implementations.http import HTTPFileSystem

    HTTPFileSystem.clear_instance_cache()


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    Handler.failures.clear()
    Handler.requests.clear()
    return Storage(
        [FileBackend(), FsspecBackend(retry_delays_seconds=(0.001, 0.001))],
        str(tmp_path / "data"),
    )


def test_a_file_is_read_and_downloaded(storage: Storage, server: str, tmp_path: Path) -> None:
    uri = f"{server}/data/a.bin"
    with storage.open(uri) as stream:
        assert stream.read() == DATA
    storage.download(uri, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert storage.size(uri) == len(DATA)
    assert storage.exists(uri)


def test_ranges_are_asked_for(storage: Storage, server: str) -> None:
    with storage.open(f"{server}/data/a.bin", block_size=1_000, cache_type="none") as stream:
        assert stream.seekable()
        stream.seek(500_000)
        assert stream.read(10) == DATA[500_000:500_010]
    assert any(asked.startswith("bytes=500000-") for _, _, asked in Handler.requests)


def test_a_server_without_ranges_is_streamed(storage: Storage, server: str, tmp_path: Path) -> None:
    uri = f"{server}/norange/a.bin"
    with storage.open(uri, block_size=0) as stream:
        assert not stream.seekable()
        assert stream.read(1_000) == DATA[:1_000]
        assert stream.read() == DATA[1_000:]
    storage.download(uri, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == DATA


def test_names_and_queries(storage: Storage, server: str) -> None:
    with storage.open(f"{server}/data/a%20b.bin?token=secret") as stream:
        assert stream.read(3) == DATA[:3]
    assert {path for _, path, _ in Handler.requests} == {"/data/a%20b.bin?token=secret"}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("404", "there is nothing there"),
        ("401", "permission denied"),
        ("403", "permission denied"),
        ("500", "the server answered 500"),
    ],
)
def test_refusals(storage: Storage, server: str, status: str, reason: str, tmp_path: Path) -> None:
    uri = f"{server}/{status}/a.bin?token=secret"
    for attempt in (lambda: storage.open(uri).read(), lambda: storage.download(uri, tmp_path / "x")):
        with pytest.raises(StorageError, match=reason) as caught:
            attempt()
        assert "secret" not in str(caught.value)
    if status == "404":
        assert not storage.exists(uri)
    else:
        with pytest.raises(StorageError, match=reason):
            storage.exists(uri)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["busy", "cut"])
def test_passing_failures_are_tried_again(storage: Storage, server: str, kind: str, tmp_path: Path) -> None:
    uri = f"{server}/{kind}/a.bin"
    Handler.failures[kind] = 2
    storage.download(uri, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == DATA
    with storage.open(uri, block_size=10_000, cache_type="none") as stream:
        assert stream.read(10) == DATA[:10]
        Handler.failures[kind] = 2
        stream.seek(600_000)
        assert stream.read(10) == DATA[600_000:600_010]


def test_failures_that_do_not_pass(storage: Storage, server: str, tmp_path: Path) -> None:
    Handler.failures["busy"] = 1_000
    with pytest.raises(StorageError, match="the server answered 503"):
        storage.download(f"{server}/busy/a.bin", tmp_path / "x")
    assert sum(method == "GET" for method, _, _ in Handler.requests) == 3
    assert list(tmp_path.iterdir()) == []


def test_refusals_are_not_tried_again(storage: Storage, server: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        storage.download(f"{server}/403/a.bin", tmp_path / "x")
    assert len(Handler.requests) == 1


def test_nobody_listens(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot read http://127.0.0.1:9/x: (it cannot be reached|the connection)"):
        storage.open("http://127.0.0.1:9/x")


def test_what_http_cannot_do(storage: Storage, server: str, tmp_path: Path) -> None:
    uri = f"{server}/data/"
    with pytest.raises(StorageError, match=r"cannot list http://.*: http has no listings\n  Name the files"):
        storage.list(uri)
    with pytest.raises(StorageError, match="http has no listings"):
        storage.download_directory(uri, tmp_path / "x")
    for attempt in (
        lambda: storage.open(f"{uri}x", "wb"),
        lambda: storage.writer(uri=f"{uri}x"),
        lambda: storage.delete(uri),
        lambda: storage.backend(uri).put(__file__, uri),
        lambda: Storage([FsspecBackend()], uri).put_bytes(b"x"),
    ):
        with pytest.raises(StorageError, match="http can only be read"):
            attempt()
    assert not any(method not in {"GET", "HEAD"} for method, _, _ in Handler.requests)


def test_a_chain_over_http(storage: Storage, server: str) -> None:
    with storage.open(f"simplecache::{server}/data/a.bin") as stream:
        assert stream.read() == DATA
