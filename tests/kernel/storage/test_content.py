"""Content-addressed data: the same promises over local files, memory, S3 and a backend that cannot write atomically."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from alula_kernel.builtin.backends import FileBackend, MemoryBackend
from alula_kernel.content import EMPTY_FOLDER_HASH, folder_hash
from alula_kernel.errors import StorageError
from alula_kernel.literals import Blob, from_json, to_json
from alula_kernel.storage import Storage

from .conftest import TREE, files_in, leave


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read(storage: Storage, uri: str) -> bytes:
    with storage.open(uri) as stream:
        return bytes(stream.read())


def stored(storage: Storage) -> list[str]:
    return [info.uri for info in storage.list(storage.root)]


def test_a_file_lies_under_its_hash(storage: Storage, tmp_path: Path) -> None:
    path = tmp_path / "my data.csv"
    path.write_bytes(b"x,y\n")
    blob = storage.put_file(path, format="csv", metadata={"rows": "0"})
    digest = sha(b"x,y\n")
    assert blob == Blob(
        uri=f"{storage.root}/{digest[:2]}/{digest}.csv",
        hash=digest,
        size=4,
        format="csv",
        name="my data.csv",
        metadata={"rows": "0"},
    )
    assert read(storage, blob.uri) == b"x,y\n"
    assert storage.size(blob.uri) == 4
    assert storage.hash(blob.uri) == digest
    assert storage.exists(blob.uri)
    assert stored(storage) == [blob.uri]


def test_bytes_lie_under_their_hash(storage: Storage) -> None:
    for data in (b"", b"x", bytes(range(256)) * 8_192):
        blob = storage.put_bytes(data, name="a.bin")
        assert (blob.hash, blob.size, blob.name) == (sha(data), len(data), "a.bin")
        assert read(storage, blob.uri) == data
    assert storage.put_bytes(bytearray(b"x"), name="a.bin") == storage.put_bytes(memoryview(b"x"), name="a.bin")


def test_a_stream_lies_under_its_hash(storage: Storage) -> None:
    with storage.writer(name="m.tar.gz", format="tar") as stream:
        assert stream.writable()
        for _ in range(3):
            assert stream.write(b"abc" * 100_000) == 300_000
        assert stream.tell() == 900_000
        assert stored(storage) == []
    data = b"abc" * 300_000
    assert (stream.blob.hash, stream.blob.size, stream.blob.format) == (sha(data), len(data), "tar")
    assert stream.blob.uri.endswith(f"/{sha(data)}.tar.gz")
    assert read(storage, stream.blob.uri) == data


def test_equal_content_is_stored_once_whatever_way_it_came(storage: Storage, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"same")
    with storage.writer(name="b.bin") as stream:
        stream.write(b"same")
    uris = {storage.put_file(path).uri, storage.put_bytes(b"same", name="c.bin").uri, stream.blob.uri}
    assert stored(storage) == [*uris]


def test_a_folder_lies_under_the_hash_of_its_names_and_contents(storage: Storage, tree: Path, tmp_path: Path) -> None:
    blob = storage.put_directory(tree, format="mixed")
    assert blob.directory
    assert blob.hash == folder_hash((name, sha(content)) for name, content in TREE.items())
    assert blob.uri == f"{storage.root}/{blob.hash[:2]}/{blob.hash}"
    assert (blob.name, blob.size, blob.format) == ("tree", sum(map(len, TREE.values())), "mixed")
    assert storage.exists(blob.uri)
    assert storage.hash(blob.uri, directory=True) == blob.hash
    storage.download_directory(blob.uri, tmp_path / "copy")
    assert files_in(tmp_path / "copy") == TREE
    for batch_size in (1, 4):
        assert storage.put_directory(tree, name="tree", format="mixed", batch_size=batch_size) == blob
        storage.download_directory(blob.uri, tmp_path / f"copy{batch_size}", batch_size)
        assert files_in(tmp_path / f"copy{batch_size}") == TREE
    assert len(stored(storage)) == len(TREE)


def test_a_listing_gives_uris_that_can_be_used(storage: Storage, tree: Path) -> None:
    blob = storage.put_directory(tree)
    infos = list(storage.list(blob.uri))
    assert [info.uri for info in infos] == sorted(info.uri for info in infos)
    assert all(info.uri.startswith(f"{blob.uri}/") for info in infos)
    contents = {read(storage, info.uri) for info in infos}
    assert contents == set(TREE.values())
    assert {info.size for info in infos} == {len(content) for content in TREE.values()}
    assert list(storage.list(f"{blob.uri}/")) == [*infos]


def test_a_change_of_name_or_content_changes_the_hash_of_a_folder(storage: Storage, tree: Path) -> None:
    first = storage.put_directory(tree)
    (tree / "a.txt").rename(tree / "a2.txt")
    second = storage.put_directory(tree)
    (tree / "a2.txt").write_bytes(b"b")
    third = storage.put_directory(tree)
    assert len({first.hash, second.hash, third.hash}) == 3


def test_an_empty_folder(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    blob = storage.put_directory(tmp_path / "empty")
    assert (blob.hash, blob.size) == (EMPTY_FOLDER_HASH, 0)
    storage.download_directory(blob.uri, tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []
    assert storage.put_directory(tmp_path / "empty") == blob


def test_a_damaged_object_is_stored_again(storage: Storage, tmp_path: Path) -> None:
    blob = storage.put_bytes(b"whole", name="a")
    with storage.open(blob.uri, "wb") as stream:
        stream.write(b"who")
    assert storage.put_bytes(b"whole", name="a") == blob
    assert read(storage, blob.uri) == b"whole"


def test_a_stream_left_by_an_exception_leaves_nothing(storage: Storage) -> None:
    uri = f"{storage.root}/given.bin"
    for keywords in ({}, {"uri": uri}):
        for error in (ValueError, KeyboardInterrupt):
            stream = storage.writer(**keywords)
            with pytest.raises(error):
                leave(stream, b"half", error)
            with pytest.raises(StorageError, match="not written to its end"):
                stream.blob  # noqa: B018
            with pytest.raises(ValueError, match="closed"):
                stream.write(b"more")
    assert stored(storage) == []
    assert not storage.exists(uri)


def test_a_stream_that_is_forgotten_leaves_nothing(storage: Storage) -> None:
    storage.writer().write(b"half")
    storage.writer(uri=f"{storage.root}/given").write(b"half")
    storage.open(f"{storage.root}/given", "wb").write(b"half")
    storage.open(f"{storage.root}/given", "w").write("half")
    assert stored(storage) == []


def test_a_stream_to_a_given_uri(storage: Storage) -> None:
    uri = f"{storage.root}/deep/er/model.bin"
    for data in (b"one", b"another"):
        with storage.writer(uri=uri, format="bin") as stream:
            stream.write(data)
        assert stream.blob == Blob(uri=uri, hash=sha(data), size=len(data), format="bin", name="model.bin")
        assert read(storage, uri) == data


def test_blobs_travel(storage: Storage, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"bad-\xff.csv")
    path.write_bytes(b"x")
    blob = storage.put_file(path)
    assert from_json(to_json(blob)) == blob
    assert blob.uri.endswith(".csv")


def test_concurrent_puts_of_the_same_content(storage: Storage, tree: Path) -> None:
    count, data = 8, os.urandom(300_000)
    barrier = threading.Barrier(count)

    def put(index: int) -> tuple[Blob, Blob]:
        barrier.wait()
        return storage.put_bytes(data, name="x"), storage.put_directory(tree)

    with ThreadPoolExecutor(count) as pool:
        results = set()
        for file, folder in pool.map(put, range(count)):
            results.add((file.uri, folder.uri))
    ((file_uri, folder_uri),) = results
    assert read(storage, file_uri) == data
    assert len(list(storage.list(folder_uri))) == len(TREE)
    assert len(stored(storage)) == 1 + len(TREE)


def test_uses_of_one_storage_by_many_threads(storage: Storage) -> None:
    def work(index: int) -> bytes:
        data = f"{index}".encode() * 1_000
        with storage.writer() as stream:
            stream.write(data)
        assert storage.exists(stream.blob.uri)
        return read(storage, stream.blob.uri)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(40))) == [f"{index}".encode() * 1_000 for index in range(40)]


MEMORY = Storage([FileBackend(), MemoryBackend()], "memory://hypothesis")


@given(st.lists(st.binary(max_size=3_000), max_size=20))
def test_the_pieces_of_a_stream_do_not_matter(pieces: list[bytes]) -> None:
    with MEMORY.writer() as stream:
        for piece in pieces:
            stream.write(piece)
    assert stream.blob == MEMORY.put_bytes(b"".join(pieces))


NAMES = st.text(st.sampled_from("ab .%#?*[]{}:;&=+@!~'\"\\\n\tüß漢😀-_"), min_size=1, max_size=12).filter(
    lambda name: name not in {".", ".."} and len(name.encode()) < 200
)


@pytest.mark.parametrize("kind", ["file", "memory", "s3"])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.sets(NAMES, min_size=1, max_size=4))
def test_folders_with_odd_names(
    kind: str, names: set[str], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assume(kind != "s3" or not any("\n" in name for name in names))  # the test server has no route for such keys
    base = tmp_path_factory.mktemp("odd")
    backends = {"file": str(base / "data"), "memory": "memory://odd"}
    storage = (
        request.getfixturevalue("s3") if kind == "s3" else Storage([FileBackend(), MemoryBackend()], backends[kind])
    )
    (base / "in").mkdir()
    for name in names:
        (base / "in" / name).write_text(name)
    blob = storage.put_directory(base / "in")
    storage.download_directory(blob.uri, base / "out")
    assert files_in(base / "out") == {name: name.encode() for name in names}
    assert storage.hash(blob.uri, directory=True) == blob.hash
    storage.delete(blob.uri)
    assert not storage.exists(blob.uri)


def test_bytes_of_any_shape(storage: Storage) -> None:
    import array

    numbers = array.array("i", [1, 2, 3])
    with storage.writer() as stream:
        assert stream.write(numbers) == 12
    assert read(storage, stream.blob.uri) == numbers.tobytes()
    assert stream.blob.size == 12


def test_libraries_can_write_to_the_stream(storage: Storage) -> None:
    import zipfile

    with storage.writer(name="a.zip") as stream, zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("x", "content")
    with zipfile.ZipFile(io.BytesIO(read(storage, stream.blob.uri))) as archive:
        assert archive.read("x") == b"content"
