"""The same handles over real protocols: an S3 server and an HTTP server on loopback."""

from __future__ import annotations

import contextlib
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import pyarrow as pa
import pytest

from alula._data.columns import kwtypes
from alula._data.dataframe import DataFrame
from alula._data.directory import Directory
from alula._data.file import File
from alula_kernel.builtin.backends import builtin_backends
from alula_kernel.contracts import ConversionContext
from alula_kernel.errors import StorageError
from alula_kernel.literals import Blob, Dataset
from alula_kernel.storage import Storage

FRAME = pd.DataFrame({"a": range(1000), "b": [f"row {n}" for n in range(1000)]})

# botocore and its like use what Python has deprecated; that is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    import moto.server as server_module

    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> ConversionContext:
    """A context whose storage is a new bucket."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    import boto3
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"bucket-{os.urandom(6).hex()}"
    client = boto3.client("s3", endpoint_url=s3_endpoint)
    client.create_bucket(Bucket=bucket)
    client.close()
    return ConversionContext(Storage(builtin_backends(), f"s3://{bucket}/alula"))


class RangeHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files, and parts of them if the server says so; counts the bytes of bodies."""

    ranges = True
    sent = 0

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        data = Path(self.translate_path(self.path))
        if not data.is_file():
            self.send_error(404)
            return
        body = data.read_bytes()
        wanted = self.headers.get("Range", "")
        if self.ranges and wanted.startswith("bytes="):
            start, _, end = wanted[6:].partition("-")
            stop = int(end) + 1 if end else len(body)
            total, body = len(body), body[int(start) : stop]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{int(start) + len(body) - 1}/{total}")
        else:
            self.send_response(200)
        if self.ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        type(self).sent += len(body)
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)


@contextlib.contextmanager
def serve(folder: Path, *, ranges: bool) -> Iterator[tuple[str, type[RangeHandler]]]:
    class Handler(RangeHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

    Handler.ranges = ranges
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", Handler
        finally:
            server.shutdown()
            thread.join()


# --- S3 ---


def test_s3_file(s3, converter, tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    found = converter(File["csv"])
    blob = found.to_literal(tmp_path / "x.csv", s3)
    assert blob.uri.startswith(s3.storage.root)
    assert found.to_literal(tmp_path / "x.csv", s3) == blob
    handle = found.to_python(blob, s3)
    with handle.open("r") as stream:
        assert list(stream) == ["a,b\n", "1,2\n"]
    with open(handle) as stream:
        assert stream.read() == "a,b\n1,2\n"
    assert found.to_literal(handle, s3) is blob
    assert handle.exists()
    with pytest.raises(StorageError, match="none"):
        File.from_blob(Blob(f"{s3.storage.root}/none"), s3.storage).download()


def test_s3_streaming_write(s3, converter, tmp_path):
    made = File.new_remote_file("big.bin")
    made.bound(s3.storage)
    chunk = os.urandom(1024 * 1024)
    with made.open("wb") as stream:
        for _ in range(12):  # more than one part of a multipart upload
            stream.write(chunk)
    blob = converter(File).to_literal(made, s3)
    assert blob.size == 12 * len(chunk)
    (tmp_path / "big.bin").write_bytes(chunk * 12)
    assert converter(File).to_literal(tmp_path / "big.bin", s3) == blob
    with made.open("rb", block_size=64 * 1024) as stream:
        stream.seek(11 * len(chunk))
        assert stream.read(100) == chunk[:100]


def test_s3_directory(s3, converter, tmp_path):
    for name in ("a.txt", "sub/b c.txt", "sub/é.txt"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(name)
    found = converter(Directory)
    blob = found.to_literal(tmp_path / "tree", s3)
    handle = found.to_python(blob, s3)
    assert [file.name for file in handle.walk()] == ["a.txt", "b c.txt", "é.txt"]
    assert handle.get_file("sub/é.txt").read_text() == "sub/é.txt"
    assert (Path(handle.download()) / "sub" / "b c.txt").read_text() == "sub/b c.txt"
    made = Directory.new_remote("tree", alt=f"{s3.storage.root}/new")
    made.bound(s3.storage)
    for name in ("a.txt", "sub/b c.txt", "sub/é.txt"):
        with made.new_file(name).open("w") as stream:
            stream.write(name)
    assert found.to_literal(made, s3).hash == blob.hash


@pytest.mark.parametrize("form", ["parquet", "csv", "arrow", "json"])
def test_s3_frames(s3, converter, form):
    literal = converter(Annotated[pd.DataFrame, form]).to_literal(FRAME, s3)
    pd.testing.assert_frame_equal(converter(pd.DataFrame).to_python(literal, s3), FRAME)
    narrow = converter(Annotated[pa.Table, kwtypes(b=str)]).to_python(literal, s3)
    assert narrow.column_names == ["b"]
    pieces = converter(DataFrame).to_python(literal, s3).open(pa.Table).iter()
    assert sum(len(piece) for piece in pieces) == len(FRAME)
    import polars as pl

    assert converter(pl.LazyFrame).to_python(literal, s3).select("a").collect().height == len(FRAME)


# --- HTTP ---


@pytest.fixture
def web(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "x.csv").write_text("a,b\n1,2\n")
    FRAME.to_parquet(folder / "frame.parquet")
    return folder


@pytest.mark.parametrize("ranges", [True, False])
def test_http_file(web, context, converter, ranges):
    with serve(web, ranges=ranges) as (url, _):
        blob = converter(File).to_literal(f"{url}/x.csv", context)
        assert (blob.uri, blob.hash, blob.name) == (f"{url}/x.csv", None, "x.csv")
        handle = converter(File).to_python(blob, context)
        with handle.open("r") as stream:
            assert stream.read() == "a,b\n1,2\n"
        assert Path(handle.download()).read_text() == "a,b\n1,2\n"
        with pytest.raises(StorageError, match="none"):
            File(f"{url}/none").bound(context.storage).read_bytes()


def test_http_streams_only_what_is_read(web, context, converter):
    (web / "big.bin").write_bytes(bytes(20_000_000))
    with serve(web, ranges=True) as (url, handler):
        handle = converter(File).to_python(Blob(f"{url}/big.bin"), context)
        with handle.open("rb", cache_type="readahead", block_size=100_000) as stream:
            assert stream.read(10) == bytes(10)
        assert handler.sent < 1_000_000


@pytest.mark.parametrize("ranges", [True, False])
def test_http_frames(web, context, converter, ranges):
    with serve(web, ranges=ranges) as (url, _):
        found = converter(pd.DataFrame).from_text(f"{url}/frame.parquet", context)
        pd.testing.assert_frame_equal(found, FRAME)
        literal = Dataset(f"{url}/frame.parquet")
        assert converter(Annotated[pa.Table, kwtypes(a=int)]).to_python(literal, context).column_names == ["a"]
        assert len(converter(pd.DataFrame).from_text(f"{url}/x.csv", context)) == 1
