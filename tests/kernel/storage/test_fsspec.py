"""Other protocols of fsspec: packages that are missing, chains, retries, and stores that cannot write atomically."""

from __future__ import annotations

import builtins
import importlib.util
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry, known_implementations

from alula_kernel.builtin.backends import FileBackend, FsspecBackend, builtin_backends
from alula_kernel.builtin.backends.remote import is_transient
from alula_kernel.errors import MissingDependencyError, StorageError
from alula_kernel.storage import Storage

from .conftest import files_in


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the packages of protocols, whether they are installed here or not."""
    hidden = ("s3fs", "gcsfs", "adlfs", "aiohttp", "paramiko", "smbprotocol", "pygit2")
    for protocol in ("s3", "s3a", "gs", "gcs", "abfs", "http", "https", "sftp", "smb", "git"):
        monkeypatch.delitem(_registry, protocol, raising=False)
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] in hidden or "implementations.http" in name]:
        monkeypatch.delitem(sys.modules, name)
    real_import, real_find = builtins.__import__, importlib.util.find_spec

    def import_(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.split(".", maxsplit=1)[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real_import(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", import_)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name in hidden else real_find(name, *rest)
    )
    real_import_module = importlib.import_module

    def import_module(name: str, *arguments: Any) -> Any:
        if name.split(".", maxsplit=1)[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real_import_module(name, *arguments)

    monkeypatch.setattr(importlib, "import_module", import_module)


@pytest.mark.usefixtures("without_packages")
@pytest.mark.parametrize(
    ("uri", "package", "install"),
    [
        ("s3://b/x", "s3fs", 'pip install "alula[s3]"'),
        ("s3a://b/x", "s3fs", 'pip install "alula[s3]"'),
        ("gs://b/x", "gcsfs", "pip install gcsfs"),
        ("abfs://b/x", "adlfs", "pip install adlfs"),
        ("http://h/x", "aiohttp", 'pip install "alula[http]"'),
        ("https://h/x", "aiohttp", 'pip install "alula[http]"'),
        ("sftp://h/x", "paramiko", "pip install paramiko"),
        ("smb://h/x", "smbprotocol", "pip install smbprotocol"),
        ("simplecache::s3://b/x", "s3fs", 'pip install "alula[s3]"'),
    ],
)
def test_a_missing_package_is_named(uri: str, package: str, install: str, tmp_path: Path) -> None:
    storage = Storage(builtin_backends(), str(tmp_path))
    attempts: list[Any] = [lambda: storage.open(uri), lambda: storage.download(uri, tmp_path / "x")]
    if not uri.startswith("http"):
        attempts += [lambda: storage.exists(uri), lambda: storage.writer(uri=uri), lambda: storage.put_bytes(b"x")]
        attempts[-1] = lambda: Storage(builtin_backends(), uri).put_bytes(b"x")
    for attempt in attempts:
        with pytest.raises(MissingDependencyError) as caught:
            attempt()
        scheme = "s3" if "::" in uri else uri.partition(":")[0]
        assert str(caught.value) == f"{scheme}:// needs the package {package}, which is not installed\n  Run: {install}"
        assert isinstance(caught.value, ImportError)


def test_a_package_that_is_broken_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "brokenfs.py").write_text("raise ImportError('needs aiobroken>=2')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(known_implementations, "broken", {"class": "brokenfs.FileSystem", "err": "Install brokenfs"})
    storage = Storage(builtin_backends(), str(tmp_path))
    with pytest.raises(MissingDependencyError, match=r"brokenfs, .* cannot be imported: needs aiobroken>=2"):
        storage.exists("broken://x")


def test_chains(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a b.zip", "w") as archive:
        archive.writestr("in/ner.csv", "a,b\n")
        archive.writestr("in/other.csv", "c,d\n")
    storage = Storage(builtin_backends(), str(tmp_path / "data"))
    base = storage.uri(tmp_path / "a b.zip")
    assert "%20" in base
    with storage.open(f"zip://in/ner.csv::{base}") as stream:
        assert stream.read() == b"a,b\n"
    assert storage.exists(f"zip://in::{base}")
    assert not storage.exists(f"zip://none.csv::{base}")
    assert [info.uri for info in storage.list(f"zip://in::{base}")] == [
        f"zip://in/ner.csv::{base}",
        f"zip://in/other.csv::{base}",
    ]
    storage.download_directory(f"zip://in::{base}", tmp_path / "copy")
    assert files_in(tmp_path / "copy") == {"ner.csv": b"a,b\n", "other.csv": b"c,d\n"}
    with pytest.raises(StorageError, match="cannot write zip://new"):
        storage.open(f"zip://new.csv::{base}", "wb").close()


def test_an_inline_data_uri(tmp_path: Path) -> None:
    storage = Storage(builtin_backends(), str(tmp_path))
    with storage.open("data://;base64,aGk=") as stream:
        assert stream.read() == b"hi"


class Flaky(MemoryFileSystem):
    """Fails as often as it is told before it works."""

    protocol = "flaky"
    store: dict[str, Any] = {}
    pseudo_dirs = [""]
    cachable = False
    failures: list[Exception] = []
    calls = 0

    def _maybe_fail(self) -> None:
        type(self).calls += 1
        if self.failures:
            raise self.failures.pop(0)

    def get_file(self, *arguments: Any, **keywords: Any) -> None:
        self._maybe_fail()
        super().get_file(*arguments, **keywords)

    def put_file(self, *arguments: Any, **keywords: Any) -> None:
        self._maybe_fail()
        super().put_file(*arguments, **keywords)

    def mv(self, *arguments: Any, **keywords: Any) -> None:
        self._maybe_fail()
        super().mv(*arguments, **keywords)


@pytest.fixture
def flaky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    monkeypatch.setitem(_registry, "flaky", Flaky)
    Flaky.store, Flaky.failures, Flaky.calls = {}, [], 0
    Flaky.pseudo_dirs = [""]
    return Storage([FileBackend(), FsspecBackend(retry_delays_seconds=(0.001, 0.001, 0.001))], str(tmp_path / "data"))


def test_passing_failures_are_tried_again(flaky: Storage, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    Flaky.failures = [ConnectionResetError(), TimeoutError()]
    flaky.backend("flaky://").put(str(tmp_path / "x"), "flaky://d/x")
    Flaky.failures = [ConnectionResetError()]
    flaky.download("flaky://d/x", tmp_path / "y")
    assert (tmp_path / "y").read_bytes() == b"x"
    assert [info.uri for info in flaky.list("flaky://d")] == ["flaky://d/x"]


def test_it_is_given_up_in_the_end(flaky: Storage, tmp_path: Path) -> None:
    Flaky.failures = [ConnectionResetError("reset") for _ in range(10)]
    with pytest.raises(StorageError, match="cannot read flaky://d/x: it cannot be reached"):
        flaky.download("flaky://d/x", tmp_path / "y")
    assert Flaky.calls == 4


def test_other_failures_are_not_tried_again(flaky: Storage, tmp_path: Path) -> None:
    Flaky.failures = [PermissionError("no")]
    with pytest.raises(StorageError, match="permission denied"):
        flaky.download("flaky://d/x", tmp_path / "y")
    Flaky.failures = [RuntimeError(f"https://user:hunter2@host/?sig=abc {'x' * 1_000}")]
    with pytest.raises(StorageError) as caught:
        flaky.download("flaky://d/x", tmp_path / "y")
    assert "hunter2" not in str(caught.value)
    assert "abc" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert Flaky.calls == 2


def test_a_failed_write_leaves_nothing_under_the_final_name(flaky: Storage, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    Flaky.failures = [OSError(28, "full")]
    with pytest.raises(StorageError, match="no space is left"):
        flaky.backend("flaky://").put(str(tmp_path / "x"), "flaky://d/x")
    assert list(flaky.list("flaky://d")) == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (FileNotFoundError(), False),
        (PermissionError(), False),
        (ValueError(), False),
        (StorageError("x"), False),
        (type("Answer", (Exception,), {"status": 503})(), True),
        (type("Answer", (Exception,), {"status": 404})(), False),
        (type("FSTimeoutError", (Exception,), {})(), True),
    ],
)
def test_what_may_pass(error: Exception, expected: bool) -> None:
    assert is_transient(error) is expected


def test_a_large_object_goes_by_way_of_a_local_file(tmp_path: Path) -> None:
    storage = Storage([FileBackend(), FsspecBackend()], f"local://{tmp_path}/data")
    data = bytes(range(256)) * 40_000
    with storage.open(f"{storage.root}/big", "wb") as stream:
        for start in range(0, len(data), 500_000):
            stream.write(data[start : start + 500_000])
        assert list(storage.list(storage.root)) == []
    with storage.open(f"{storage.root}/big") as stream:
        assert stream.read() == data
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["big"]


def test_options_reach_the_protocol(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    class Recorder(MemoryFileSystem):
        protocol = "recorder"
        cachable = False

        def __init__(self, *arguments: Any, **options: Any) -> None:
            seen.append(options)
            super().__init__()

    monkeypatch.setitem(_registry, "recorder", Recorder)
    storage = Storage(builtin_backends({"recorder": {"key": "k"}, "s3": {"key": "other"}}), str(tmp_path))
    storage.exists("recorder://x")
    assert seen
    assert all(options == {"key": "k"} for options in seen)
