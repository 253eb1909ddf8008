"""Objects at given URIs: the same promises over local files, memory, S3 and a backend that cannot write atomically."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from alula_kernel.builtin.backends import FileBackend, MemoryBackend, builtin_backends
from alula_kernel.contracts import BlobInfo
from alula_kernel.errors import PluginError, StorageError
from alula_kernel.storage import Storage

from .conftest import files_in, leave


def write(storage: Storage, uri: str, data: bytes) -> None:
    with storage.open(uri, "wb") as stream:
        stream.write(data)


def test_an_object_comes_back(storage: Storage, tmp_path: Path) -> None:
    uri = f"{storage.root}/x/y.bin"
    assert not storage.exists(uri)
    write(storage, uri, b"one")
    write(storage, uri, b"two!")
    with storage.open(uri) as stream:
        assert stream.read(2) == b"tw"
        assert stream.seek(1) == 1
        assert stream.read() == b"wo!"
    assert storage.exists(uri)
    assert storage.exists(f"{storage.root}/x")
    assert storage.size(uri) == 4
    storage.download(uri, tmp_path / "new" / "y.bin")
    assert (tmp_path / "new" / "y.bin").read_bytes() == b"two!"


def test_an_object_appears_when_it_is_whole(storage: Storage) -> None:
    uri = f"{storage.root}/x"
    write(storage, uri, b"old")
    with storage.open(uri, "wb") as stream:
        stream.write(b"new")
        stream.flush()
        with storage.open(uri) as reader:
            assert reader.read() == b"old"
    for mode, half in (("wb", b"half"), ("w", "half")):
        with pytest.raises(ZeroDivisionError):
            leave(storage.open(uri, mode), half, ZeroDivisionError)
    with storage.open(uri) as reader:
        assert reader.read() == b"new"
    assert [info.uri for info in storage.list(storage.root)] == [uri]


def test_delete_removes_an_object_or_all_below_a_prefix(storage: Storage) -> None:
    root = storage.root
    for name in ("a", "ab", "a*", "p/1", "p/q/2", "pq/3"):
        write(storage, f"{root}/{name}", b"x")
    storage.delete(f"{root}/a*")
    assert [info.uri.removeprefix(f"{root}/") for info in storage.list(root)] == ["a", "ab", "p/1", "p/q/2", "pq/3"]
    storage.delete(f"{root}/p")
    storage.delete(f"{root}/p/")
    storage.delete(f"{root}/a")
    storage.delete(f"{root}/nothing/here")
    assert [info.uri.removeprefix(f"{root}/") for info in storage.list(root)] == ["ab", "pq/3"]


def test_a_listing_has_every_object_below_and_nothing_else(storage: Storage) -> None:
    root = storage.root
    for name in ("p/2", "p/1", "p/q/3", "pq/4"):
        write(storage, f"{root}/{name}", b"12")
    expected = [BlobInfo(f"{root}/p/{name}", 2) for name in ("1", "2", "q/3")]
    assert list(storage.list(f"{root}/p")) == expected
    assert list(storage.list(f"{root}/p/")) == expected
    assert list(storage.list(f"{root}/none")) == []
    assert list(storage.list(f"{root}/p/1")) == []


def test_what_does_not_exist_is_said(storage: Storage, tmp_path: Path) -> None:
    uri = f"{storage.root}/nothing.csv"
    attempts: list[Any] = [
        lambda: storage.open(uri).read(),
        lambda: storage.size(uri),
        lambda: storage.hash(uri),
        lambda: storage.download(uri, tmp_path / "x"),
        lambda: storage.download_directory(uri, tmp_path / "x"),
        lambda: storage.hash(uri, directory=True),
    ]
    for attempt in attempts:
        with pytest.raises(StorageError) as caught:
            attempt()
        assert "nothing.csv: there is nothing there" in str(caught.value)
        assert caught.value.hint
    assert files_in(tmp_path) == {}
    assert not (tmp_path / "x").exists()


def test_a_prefix_is_not_an_object(storage: Storage, tmp_path: Path) -> None:
    write(storage, f"{storage.root}/p/1", b"x")
    for attempt in (storage.size, storage.hash, lambda uri: storage.download(uri, tmp_path / "x")):
        with pytest.raises(StorageError, match=r"/p: (it is a folder|there is nothing there)"):
            attempt(f"{storage.root}/p")
    assert not (tmp_path / "x").exists()


def test_text(storage: Storage) -> None:
    uri = f"{storage.root}/t.txt"
    with storage.open(uri, "w") as stream:
        stream.write("grüße\n")
        print("line", file=stream)
    with storage.open(uri, "r") as stream:
        assert list(stream) == ["grüße\n", "line\n"]
    with storage.open(uri) as stream:
        assert stream.read() == "grüße\nline\n".encode()
    with storage.open(uri, "wt", encoding="latin-1", newline="\r\n") as stream:
        stream.write("ü\n")
    with storage.open(uri) as stream:
        assert stream.read() == b"\xfc\r\n"


def test_text_that_cannot_be_encoded_leaves_nothing(storage: Storage) -> None:
    uri = f"{storage.root}/t.txt"
    with pytest.raises(UnicodeEncodeError), storage.open(uri, "w", encoding="ascii") as stream:
        stream.write("plain, then ü")
    assert not storage.exists(uri)


@pytest.mark.parametrize(("suffix", "name"), [(".gz", "gzip"), (".bz2", "bz2"), (".xz", "xz")])
def test_compression(storage: Storage, suffix: str, name: str) -> None:
    uri = f"{storage.root}/t.csv{suffix}"
    for compression in (name, "infer"):
        with storage.open(uri, "w", compression=compression) as stream:
            stream.write("a,b\n" * 1_000)
        assert (storage.size(uri) or 0) < 1_000
        with storage.open(uri, "r", compression=compression) as stream:
            assert stream.read() == "a,b\n" * 1_000
        with storage.open(uri, "rb", compression=compression) as stream:
            assert stream.readline() == b"a,b\n"
    with pytest.raises(ZeroDivisionError):
        leave(storage.open(f"{uri}2", "w", compression=name), "half", ZeroDivisionError)
    assert not storage.exists(f"{uri}2")


def test_compressed_bytes_depend_on_the_content_alone(storage: Storage) -> None:
    hashes = set()
    for name in ("a.gz", "b.gz"):
        with storage.open(f"{storage.root}/{name}", "wb", compression="gzip") as stream:
            stream.write(b"same")
        hashes.add(storage.hash(f"{storage.root}/{name}"))
    assert len(hashes) == 1


def test_options_that_do_not_fit(local: Storage) -> None:
    uri = f"{local.root}/x"
    for mode in ("a", "r+", "x", "ab", ""):
        with pytest.raises(StorageError, match="unknown mode"):
            local.open(uri, mode)
    with pytest.raises(StorageError, match="encoding given for the binary mode 'rb'"):
        local.open(uri, "rb", encoding="utf-8")
    with pytest.raises(StorageError, match="unknown compression 'zipp'"):
        local.open(uri, "rb", compression="zipp")
    with pytest.raises(StorageError, match="batch_size is 0"):
        local.put_directory(Path(__file__).parent, batch_size=0) and local.download_directory(
            Path(__file__).parent.as_uri(), f"{local.root}/x", batch_size=0
        )


def test_read_options_are_passed_or_ignored(storage: Storage) -> None:
    uri = f"{storage.root}/x"
    write(storage, uri, b"0123456789" * 100)
    options = {"block_size": 100, "cache_type": "readahead", "cache_options": None, "unknown": 1}
    with storage.open(uri, "rb", **options) as stream:
        stream.seek(500)
        assert stream.read(10) == b"0123456789"


def test_everything_is_not_deleted(local: Storage) -> None:
    for uri in ("file:///", "/", "memory://", "s3://"):
        with pytest.raises(StorageError, match="everything"):
            local.delete(uri)
    with pytest.raises(StorageError, match="permission denied"):
        FileBackend().delete("file:///")


def test_a_download_into_a_folder_that_exists_keeps_other_files(storage: Storage, tmp_path: Path) -> None:
    write(storage, f"{storage.root}/d/a", b"new")
    write(storage, f"{storage.root}/d/sub/b", b"b")
    target = tmp_path / "target"
    (target / "sub").mkdir(parents=True)
    (target / "a").write_bytes(b"old")
    (target / "sub" / "other").write_bytes(b"kept")
    storage.download_directory(f"{storage.root}/d/", target)
    assert files_in(target) == {"a": b"new", "sub/b": b"b", "sub/other": b"kept"}
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot write file://"):
        storage.download_directory(f"{storage.root}/d", tmp_path / "file")
    with pytest.raises(StorageError, match="it is a folder"):
        storage.download(f"{storage.root}/d/a", target)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


class _Evil(MemoryBackend):
    """Lists names that lead out of the folder into which they are copied."""

    schemes = ("evil",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._evil = name

    def list(self, uri: str) -> Any:
        yield BlobInfo(f"{uri}/{self._evil}", 1)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "a//b", "./x", "..", "a\0b"])
def test_names_cannot_leave_the_folder(name: str, tmp_path: Path) -> None:
    storage = Storage([FileBackend(), _Evil(name)], str(tmp_path / "data"))
    with pytest.raises(StorageError, match="has a name that no file below a folder can have"):
        storage.download_directory("evil://bucket/d", tmp_path / "in" / "copy")
    assert files_in(tmp_path) == {}


def test_schemes_without_a_backend(tmp_path: Path) -> None:
    storage = Storage([FileBackend()], str(tmp_path))
    with pytest.raises(StorageError, match=r"no storage backend serves the scheme 's3' of s3://b/k\n  Served: file\."):
        storage.exists("s3://b/k")
    with pytest.raises(StorageError, match="No backend is registered"):
        Storage([], "data")
    everything = Storage(builtin_backends(), str(tmp_path))
    with pytest.raises(StorageError, match=r"no storage backend serves the scheme 'htp'\n  Did you mean .*http"):
        everything.open("htp://host/x")


def test_backends_are_chosen_by_scheme(tmp_path: Path) -> None:
    class Mine(MemoryBackend):
        name = "mine"
        schemes = ("s3",)

    mine = Mine()
    storage = Storage([*builtin_backends(), mine], str(tmp_path))
    assert storage.backend("S3://b/k") is mine
    assert storage.backend("gs://b/k").name == "fsspec"
    assert storage.backend("/a/b").name == "file"
    assert storage.backend("a:b").name == "file"
    with pytest.raises(PluginError, match=r"'mine' and 'mine' both serve the scheme 's3'"):
        Storage([mine, Mine()], str(tmp_path))
    with pytest.raises(PluginError, match=r"both serve the scheme '\*'"):
        Storage([*builtin_backends(), *builtin_backends()[-1:]], str(tmp_path))


def test_local_paths(local: Storage, tmp_path: Path) -> None:
    path = tmp_path / "a b"
    assert local.uri(path) == f"file://{tmp_path}/a%20b"
    assert local.local_path(local.uri(path)) == str(path)
    assert local.local_path(str(path)) == str(path)
    assert local.local_path("memory://x") is None
    assert local.local_path("s3://b/x") is None
    assert local.uri("s3://b/a b") == "s3://b/a b"
    write(local, str(path), b"x")
    assert path.read_bytes() == b"x"
    assert local.size(str(path)) == 1


def test_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Storage(builtin_backends(), "da ta/").root == f"file://{tmp_path}/da%20ta"
    blob = Storage(builtin_backends(), "da ta/").put_bytes(b"x")
    assert (tmp_path / "da ta" / blob.uri[-67:]).read_bytes() == b"x"
    assert Storage(builtin_backends(), "memory://").put_bytes(b"x").uri == f"memory://{blob.uri[-67:]}"


def test_gzip_files_of_others_are_read(storage: Storage) -> None:
    uri = f"{storage.root}/o.gz"
    write(storage, uri, gzip.compress(b"other"))
    with storage.open(uri, compression="infer") as stream:
        assert stream.read() == b"other"
