"""Object storage, against a real S3 server on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from alula_kernel.builtin.backends import FileBackend, FsspecBackend, builtin_backends
from alula_kernel.errors import StorageError
from alula_kernel.storage import Storage

from .conftest import CREDENTIALS, files_in, leave

BIG = 40 * 1024 * 1024  # more than is collected in memory, and several parts of an upload


def unfinished_uploads(storage: Storage) -> list[Any]:
    fs, path = storage.backend(storage.root).file_system(storage.root)  # type: ignore[attr-defined]
    return list(fs.call_s3("list_multipart_uploads", Bucket=path.partition("/")[0]).get("Uploads", []))


def test_a_large_object_is_streamed_in_parts(s3: Storage, tmp_path: Path) -> None:
    data = os.urandom(BIG)
    with s3.writer(uri=f"{s3.root}/big") as stream:
        for start in range(0, BIG, 1_000_000):
            stream.write(data[start : start + 1_000_000])
        assert unfinished_uploads(s3)
        assert not s3.exists(f"{s3.root}/big")
    assert s3.size(f"{s3.root}/big") == BIG
    assert s3.hash(f"{s3.root}/big") == stream.blob.hash
    s3.download(f"{s3.root}/big", tmp_path / "big")
    assert (tmp_path / "big").read_bytes() == data
    assert s3.put_file(tmp_path / "big").hash == stream.blob.hash
    assert unfinished_uploads(s3) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_large_object_that_is_given_up_leaves_nothing(s3: Storage, error: type[BaseException]) -> None:
    for open_it in (lambda: s3.writer(uri=f"{s3.root}/big"), lambda: s3.open(f"{s3.root}/big", "wb"), s3.writer):
        with pytest.raises(error):
            leave(open_it(), bytes(BIG), error)
    stream = s3.open(f"{s3.root}/big", "wb")
    stream.write(bytes(BIG))
    del stream
    assert unfinished_uploads(s3) == []
    assert list(s3.list(s3.root)) == []


def test_a_killed_writer_leaves_nothing(s3: Storage, s3_options: dict[str, Any]) -> None:
    script = """
        import json, os, signal, sys
        from alula_kernel.builtin.backends import builtin_backends
        from alula_kernel.storage import Storage
        storage = Storage(builtin_backends(json.loads(sys.argv[1])), sys.argv[2])
        stream = storage.open(f"{storage.root}/big", "wb")
        stream.write(bytes(int(sys.argv[3])))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    import json

    for size in (1_000, BIG):
        command = [sys.executable, "-c", textwrap.dedent(script), json.dumps(s3_options), s3.root, str(size)]
        assert subprocess.run(command, check=False).returncode == -9
    assert list(s3.list(s3.root)) == []
    assert not s3.exists(f"{s3.root}/big")


def test_ranges_are_read_without_the_rest(s3: Storage) -> None:
    data = os.urandom(3_000_000)
    with s3.open(f"{s3.root}/x", "wb") as stream:
        stream.write(data)
    with s3.open(f"{s3.root}/x", block_size=100_000, cache_type="none") as stream:
        assert stream.seekable()
        stream.seek(-10, os.SEEK_END)
        assert stream.read() == data[-10:]
        stream.seek(1_000_000)
        assert stream.read(5) == data[1_000_000:1_000_005]
        assert stream.tell() == 1_000_005


def test_libraries_read_from_the_stream(s3: Storage) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    table = pa.table({"a": list(range(10_000)), "b": ["x"] * 10_000})
    with s3.writer(name="t.parquet") as stream:
        parquet.write_table(table, stream)
    with s3.open(stream.blob.uri) as source:
        assert parquet.read_table(source, columns=["a"]).num_rows == 10_000
    with s3.open(f"{s3.root}/t.csv", "w") as text:
        text.write("a,b\n1,2\n")
    with s3.open(f"{s3.root}/t.csv", "r") as text:
        assert text.readlines() == ["a,b\n", "1,2\n"]


def test_changes_by_others_are_seen(s3: Storage, s3_options: dict[str, Any]) -> None:
    other = Storage(builtin_backends(s3_options), s3.root)
    assert list(s3.list(s3.root)) == []
    assert not s3.exists(f"{s3.root}/x")
    with other.open(f"{s3.root}/x", "wb") as stream:
        stream.write(b"1")
    assert s3.exists(f"{s3.root}/x")
    assert s3.size(f"{s3.root}/x") == 1
    assert len(list(s3.list(s3.root))) == 1
    other.delete(f"{s3.root}/x")
    assert not s3.exists(f"{s3.root}/x")
    assert list(s3.list(s3.root)) == []


def test_objects_whose_names_are_also_prefixes(s3: Storage, tmp_path: Path) -> None:
    for name in ("a", "a/b", "m/", "m/b", "m/c/"):
        fs, path = s3.backend(s3.root).file_system(f"{s3.root}/{name}")  # type: ignore[attr-defined]
        fs.call_s3("put_object", Bucket=path.split("/")[0], Key=f"data/{name}", Body=b"x")
    assert [info.uri for info in s3.list(f"{s3.root}/a")] == [f"{s3.root}/a/b"]
    for folder in ("a", "m"):
        s3.download_directory(f"{s3.root}/{folder}", tmp_path / folder)
        assert files_in(tmp_path / folder) == {"b": b"x"}
    s3.delete(f"{s3.root}/a")
    assert not s3.exists(f"{s3.root}/a/b")
    assert not s3.exists(f"{s3.root}/a")


def test_keys_that_would_leave_the_folder(s3: Storage, tmp_path: Path) -> None:
    fs, path = s3.backend(s3.root).file_system(s3.root)  # type: ignore[attr-defined]
    fs.call_s3("put_object", Bucket=path.split("/")[0], Key="data/d/a//../../../x", Body=b"x")
    with pytest.raises(StorageError, match="no file below a folder can have"):
        s3.download_directory(f"{s3.root}/d", tmp_path / "in" / "d")
    assert files_in(tmp_path) == {}


@pytest.mark.parametrize(
    "name", ["a b", "a%20b", "a+b", "a#b", "a?b", "a::b", "a*b", "ü", "a\\b", "a&b=c", ":x", "x:/y"]
)
def test_odd_keys(s3: Storage, name: str, tmp_path: Path) -> None:
    uri = f"{s3.root}/{name}"
    with s3.writer(uri=uri) as stream:
        stream.write(name.encode())
    assert [info.uri for info in s3.list(s3.root)] == [uri]
    s3.download(uri, tmp_path / "x")
    assert (tmp_path / "x").read_text() == name
    assert s3.size(uri) == len(name.encode())
    s3.delete(uri)
    assert not s3.exists(uri)


def test_a_bucket_that_does_not_exist_is_said_and_not_made(s3: Storage, tmp_path: Path) -> None:
    uri = "s3://no-such-bucket-here/x"
    (tmp_path / "x").write_bytes(b"x")
    for attempt in (
        lambda: s3.open(uri).read(),
        lambda: s3.open(uri, "wb").close(),
        lambda: s3.backend(uri).put(str(tmp_path / "x"), uri),
    ):
        with pytest.raises(StorageError, match="no-such-bucket-here/x: there is nothing there"):
            attempt()
    assert not s3.exists(uri)
    assert not s3.exists("s3://no-such-bucket-here")


def test_a_failed_upload_leaves_no_parts(s3: Storage) -> None:
    stream = s3.open(f"{s3.root}/x", "wb")
    stream.write(bytes(BIG))
    fs, _ = s3.backend(s3.root).file_system(s3.root)  # type: ignore[attr-defined]
    original = fs.call_s3

    def fail(method: Any, *arguments: Any, **keywords: Any) -> Any:
        if method == "complete_multipart_upload":
            raise OSError(5, "the connection broke")
        return original(method, *arguments, **keywords)

    fs.call_s3 = fail
    try:
        with pytest.raises(StorageError, match="cannot write s3://"):
            stream.close()
    finally:
        fs.call_s3 = original
    assert unfinished_uploads(s3) == []
    assert not s3.exists(f"{s3.root}/x")


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    options = {
        "s3": {
            "endpoint_url": "http://127.0.0.1:9",
            "config_kwargs": {"connect_timeout": 1, "retries": {"max_attempts": 0}},
            **CREDENTIALS,
        }
    }
    storage = Storage(builtin_backends(options), str(tmp_path))
    with pytest.raises(
        StorageError, match=r"cannot look for s3://b/x: (it cannot be reached|the connection)"
    ) as caught:
        storage.exists("s3://b/x")
    assert "testing" not in str(caught.value)


def test_public_data_is_read_without_credentials(
    s3: Storage, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blob, private = s3.put_bytes(b"public"), s3.put_bytes(b"private")
    fs, path = s3.backend(s3.root).file_system(blob.uri)  # type: ignore[attr-defined]
    bucket, _, key = path.partition("/")
    fs.call_s3("put_object_acl", Bucket=bucket, Key=key, ACL="public-read")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    options = {"s3": {"endpoint_url": s3_endpoint}}
    nobody = Storage([FileBackend(), FsspecBackend(options)], str(tmp_path / "data"))
    with nobody.open(blob.uri) as stream:
        assert stream.read() == b"public"
    nobody.download(blob.uri, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"public"
    for attempt in (
        lambda: nobody.open(private.uri).read(),
        lambda: nobody.open(f"{s3.root}/x", "wb").close(),
    ):
        with pytest.raises(StorageError, match="no credentials were found") as caught:
            attempt()
        assert "AWS_ACCESS_KEY_ID" in str(caught.value)


def test_a_fork_can_go_on(s3: Storage) -> None:
    blob = s3.put_bytes(b"before")
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            with s3.open(blob.uri) as stream:
                ok = stream.read() == b"before"
            s3.put_bytes(b"in the child")
            os._exit(0 if ok else 1)
        except BaseException:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert len(list(s3.list(s3.root))) == 2
