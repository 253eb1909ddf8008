from __future__ import annotations

import asyncio
import copy
import os
import pickle
import shutil
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alula import current_app
from alula._data.directory import BatchSize, Dir, Directory
from alula._data.file import File
from alula_kernel.errors import StorageError, UsageError, ValueConversionError
from alula_kernel.literals import Blob
from alula_kernel.types import BlobOf

FILES = {"a.txt": b"A", "b.csv": b"x\n1\n", "sub/c.txt": b"C", "sub/deep/d e.txt": b"D"}


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def content(folder: str | os.PathLike[str]) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


@pytest.fixture
def local(tmp_path: Path) -> Path:
    return fill(tmp_path / "the data", FILES)


@pytest.fixture(params=["local", "remote"])
def place(request, context, remote):
    return context if request.param == "local" else remote


@pytest.fixture
def stored(converter, place, local) -> Directory:
    found = converter(Directory)
    return found.to_python(found.to_literal(local, place), place)


def test_types(converter, registry):
    assert converter(Directory).literal_type == BlobOf(directory=True)
    assert converter(Directory["csv"]).literal_type == BlobOf("csv", directory=True)
    assert Dir is Directory
    assert registry.python_type(BlobOf("csv", directory=True)) == Directory["csv"]


# --- storing ---


def test_content_hash_says_names_and_contents(converter, place, local, tmp_path):
    found = converter(Directory)
    first = found.to_literal(Directory(local), place)
    twin = fill(tmp_path / "twin" / local.name, FILES)
    assert found.to_literal(str(twin), place) == first
    assert first.directory
    assert first.name == "the data"
    (twin / "a.txt").write_bytes(b"other")
    changed = found.to_literal(twin, place)
    (twin / "a.txt").write_bytes(b"A")
    (twin / "a.txt").rename(twin / "z.txt")
    renamed = found.to_literal(twin, place)
    assert len({first.hash, changed.hash, renamed.hash}) == 3


def test_stored_directory_round_trips_without_a_copy(converter, remote, backend, local):
    found = converter(Directory)
    blob = found.to_literal(local, remote)
    backend.calls.clear()
    assert found.to_literal(found.to_python(blob, remote), remote) is blob
    assert not backend.calls


def test_remote_uri_passes_untouched(converter, remote, backend):
    blob = converter(Directory).to_literal("memory://bucket/there", remote)
    assert blob == Blob("memory://bucket/there", directory=True, name="there")
    assert not backend.calls


def test_remote_directory(converter, remote, local):
    found = converter(Directory)
    blob = found.to_literal(Directory(local, remote_directory="memory://other/place"), remote)
    assert blob.uri == "memory://other/place"
    assert blob.hash == found.to_literal(local, remote).hash
    assert content(found.to_python(blob, remote).download()) == FILES
    copied = Directory("memory://other/place", remote_directory="memory://third")
    copied.bound(remote.storage)
    assert found.to_literal(copied, remote).hash == blob.hash


def test_remote_directory_false_leaves_it_where_it_is(converter, context, local):
    found = converter(Directory)
    blob = found.to_literal(Directory(local, remote_directory=False), context)
    assert blob.uri == f"file://{str(local).replace(' ', '%20')}"
    assert blob.hash == found.to_literal(local, context).hash
    assert found.to_python(blob, context).download() == str(local)


def test_batch_size_reaches_the_backend(remote, converter, local, backend, monkeypatch):
    batches = []
    get_many, put_many = backend.get_many, backend.put_many
    monkeypatch.setattr(backend, "put_many", lambda pairs: (batches.append(len(pairs)), put_many(pairs)))
    monkeypatch.setattr(backend, "get_many", lambda pairs: (batches.append(-len(pairs)), get_many(pairs)))
    found = converter(Annotated[Directory, BatchSize(3)])
    found.to_python(found.to_literal(local, remote), remote).download()
    assert batches == [3, 1, -3, -1]
    with pytest.raises(ValueConversionError, match="BatchSize"):
        BatchSize(0)
    assert BatchSize(2) == BatchSize(2) != BatchSize(3)
    assert repr(BatchSize(2)) == "BatchSize(2)"


def test_refusals(converter, context, tmp_path, local):
    found = converter(Directory)
    with pytest.raises(ValueConversionError, match="there is no"):
        found.to_literal(tmp_path / "none", context)
    with pytest.raises(ValueConversionError, match="found the file"):
        found.to_literal(local / "a.txt", context)
    with pytest.raises(ValueConversionError, match="expected Directory, found"):
        found.to_literal(5, context)
    with pytest.raises(ValueConversionError, match="expected Directory, found File"):
        found.to_literal(File(local / "a.txt"), context)
    with pytest.raises(ValueConversionError, match="expected File"):
        converter(File).to_literal(Directory(local), context)
    with pytest.raises(ValueConversionError):
        converter(File).to_python(found.to_literal(local, context), context)
    with pytest.raises(ValueConversionError, match="there is no directory"):
        found.from_text(str(local / "a.txt"), context)
    assert found.from_text(str(local), context) == Directory(local)
    assert found.accepts(local)
    assert found.accepts("s3://b/d")
    assert not found.accepts(local / "a.txt")


# --- fetching ---


def test_nothing_is_fetched_until_used(converter, remote, backend, local):
    blob = converter(Directory).to_literal(local, remote)
    backend.calls.clear()
    handle = converter(Directory).to_python(blob, remote)
    assert (handle.path, repr(handle), handle == handle) == (blob.uri, repr(handle), True)
    assert not backend.calls
    assert sorted(os.listdir(handle)) == ["a.txt", "b.csv", "sub"]
    assert content(handle) == FILES
    assert backend.calls["get"] == len(FILES)


def test_files_may_be_added_to_a_download_and_the_stored_one_stays(stored, converter, place, local):
    folder = Path(stored.download())
    assert folder.name == local.name
    assert content(folder) == FILES
    (folder / "new.txt").write_text("new")
    again = converter(Directory).to_python(stored.blob, place)
    assert content(again.download()) == FILES
    more = converter(Directory).to_literal(folder, place)  # and what was added to can be stored
    assert content(converter(Directory).to_python(more, place)) == {**FILES, "new.txt": b"new"}


def test_download_to_a_path_gives_private_copies(stored, tmp_path):
    target = tmp_path / "mine"
    assert stored.download(target) == str(target)
    (target / "a.txt").write_text("changed")
    assert stored.get_file("a.txt").read_bytes() == b"A"
    assert asyncio.run(stored.download_async(tmp_path / "other")) == str(tmp_path / "other")
    assert content(tmp_path / "other") == FILES


def test_local_directory_is_itself(local, tmp_path):
    assert Directory(local).download() == str(local)
    assert os.listdir(Directory(local)) == os.listdir(local)
    Directory(local).download(tmp_path / "copy")
    assert content(tmp_path / "copy") == FILES


def test_links_fall_back_to_copies_on_another_file_system(stored, monkeypatch):
    def refuse(*args: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    assert content(stored.download()) == FILES


def test_missing_directory(converter, remote):
    handle = converter(Directory).to_python(Blob("memory://bucket/none", directory=True), remote)
    assert not handle.exists()
    assert handle.list_files() == []
    with pytest.raises(StorageError):
        handle.download()


# --- listing ---


def test_listdir_returns_lazy_children(stored):
    children = Directory.listdir(stored)
    assert [(type(child).__name__, child.name) for child in children] == [
        *(("File", "a.txt"), ("File", "b.csv"), ("Directory", "sub")),
    ]
    assert children[0].read_bytes() == b"A"
    assert [child.name for child in Directory.listdir(children[2])] == ["c.txt", "deep"]
    assert children[2].get_file("deep/d e.txt").read_bytes() == b"D"


def test_listing_downloads_nothing(converter, remote, backend, local):
    handle = converter(Directory).to_python(converter(Directory).to_literal(local, remote), remote)
    backend.calls.clear()
    list(handle.walk())
    list(handle.crawl(detail=True))
    handle.list_files()
    Directory.listdir(handle)
    assert set(backend.calls) == {"list"}


def test_walk(stored):
    assert [file.name for file in stored.walk()] == ["a.txt", "b.csv", "c.txt", "d e.txt"]
    assert [file.name for file in stored.walk(recursive=False)] == ["a.txt", "b.csv"]
    assert [file.name for file in stored.walk(max_depth=2)] == ["a.txt", "b.csv", "c.txt"]
    assert [file.name for file in stored.walk_sync(file_pattern="*.csv")] == ["b.csv"]
    assert {file.name: file.read_bytes() for file in stored.walk()}["d e.txt"] == b"D"
    assert [file.name for file in stored.list_files()] == ["a.txt", "b.csv"]
    assert stored.get_file("sub/c.txt").read_bytes() == b"C"
    assert stored.get_file("nothing") is None


def test_asynchronous_forms(stored):
    async def use() -> tuple[list[str], list[str], File | None]:
        walked = [file.name async for file in stored.walk_async()]
        return walked, [f.name for f in await stored.list_files_async()], await stored.get_file("a.txt")

    walked, listed, file = asyncio.run(use())
    assert walked == ["a.txt", "b.csv", "c.txt", "d e.txt"]
    assert listed == ["a.txt", "b.csv"]
    assert file.read_bytes() == b"A"


def test_crawl(stored):
    names = ["a.txt", "b.csv", "sub/c.txt", "sub/deep/d e.txt"]
    assert list(stored.crawl()) == [(stored.path, name) for name in names]
    assert [name for _, name in stored.crawl(topdown=False)] == [names[3], names[2], names[0], names[1]]
    assert [name for _, name in stored.crawl(maxdepth=1)] == names[:2]
    detail = dict(entry for _, each in stored.crawl(detail=True) for entry in each.items())
    assert list(detail) == names
    assert detail["b.csv"]["size"] == 4
    assert detail["b.csv"]["type"] == "file"


def test_format_of_the_directory_is_that_of_its_files(converter, context, local):
    found = converter(Directory["csv"])
    handle = found.to_python(found.to_literal(local, context), context)
    assert {file.format for file in handle.walk()} == {"csv"}


# --- writing ---


def test_new_remote_streams_and_hashes(converter, remote, backend, local):
    found = converter(Directory)
    expected = found.to_literal(local, remote)
    made = Directory.new_remote("the data", alt="memory://bucket/made")
    made.bound(remote.storage)
    for name, data in FILES.items():
        with made.new_file(name).open("wb") as stream:
            stream.write(data)
    backend.calls.clear()
    blob = found.to_literal(made, remote)
    assert blob.hash == expected.hash
    assert blob.uri.startswith("memory://bucket/made/")
    assert not backend.calls["open_read"]  # what was hashed while it was written is not read again
    assert content(found.to_python(blob, remote)) == FILES


def test_new_remote_children():
    made = Directory.new_remote("out")
    with made.new_dir("sub").new_file("x.txt").open("w") as stream:
        stream.write("x")
    with (made / "y.txt").open("w") as stream:
        stream.write("y")
    blob = current_app().registry.converter(Directory).to_literal(made, current_app().conversion)
    found = current_app().registry.converter(Directory).to_python(blob, current_app().conversion)
    assert content(found) == {"sub/x.txt": b"x", "y.txt": b"y"}
    assert made.new_file().path != made.new_file().path


def test_new_directory_on_this_machine(converter, context):
    made = Directory.new("out")
    assert Path(made.path).is_dir()
    with made.new_file("a/b.txt").open("w") as stream:
        stream.write("b")
    Path(made.new_dir("c").path, "d.txt").write_text("d")
    assert content(made) == {"a/b.txt": b"b", "c/d.txt": b"d"}
    assert converter(Directory).to_python(converter(Directory).to_literal(made, context), context).exists()


def test_empty(converter, place):
    found = converter(Directory)
    blob = found.to_literal(Directory.empty(), place)
    handle = found.to_python(blob, place)
    assert handle.is_empty()
    assert os.listdir(handle) == []
    assert found.to_literal(Directory.new_remote("x"), place).hash == blob.hash


def test_stored_directory_is_never_written(stored):
    with pytest.raises(UsageError, match="never changes"):
        stored.new_file("x")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../b", "", "."])
def test_names_stay_inside(stored, name, local):
    for handle in (stored, Directory(local)):
        with pytest.raises(ValueConversionError, match="inside a directory"):
            handle / name


def test_division(stored, local):
    for handle in (stored, Directory(local)):
        assert (handle / "a.txt").read_bytes() == b"A"
        assert isinstance(handle / "sub", Directory)
        assert (handle / "sub/deep" / "d e.txt").read_bytes() == b"D"


# --- as values ---


def test_equality_copies_and_pickles(stored, local):
    for twin in (pickle.loads(pickle.dumps(stored)), copy.deepcopy(stored)):
        assert twin == stored
    assert content(copy.deepcopy(stored)) == FILES
    assert Directory(local) == Directory(str(local)) != Directory(local / "sub")
    assert Directory(local) != File(local)


def test_from_local_and_existing(local, tmp_path, converter, remote):
    sent = Directory.from_local(local, remote_destination=str(tmp_path / "sent"))
    assert content(tmp_path / "sent") == FILES
    assert sent.hash
    assert Directory.from_local_sync(local, dir_cache_key="k").hash == "k"
    blob = converter(Directory).to_literal(Directory.from_existing_remote("memory://b/d", "key"), remote)
    assert (blob.uri, blob.hash) == ("memory://b/d", "key")


def test_downloader(tmp_path, local, converter, context):
    made = Directory(tmp_path / "late", lambda: shutil.copytree(local, tmp_path / "late"))
    assert content(made) == FILES
    assert converter(Directory).to_literal(made, context).hash


def test_separators_are_those_of_the_place(local):
    assert Directory(local).sep == os.sep
    assert Directory("s3://bucket/data").sep == Directory.new_remote("parts").sep == "/"


def test_pydantic(local):
    import pydantic

    class Model(pydantic.BaseModel):
        data: Directory

    assert Model(data=str(local)).data == Directory(local)


NAMES = st.text("abé ._", min_size=1, max_size=6).filter(
    lambda name: name.strip(". ") and not name.startswith(".alula")
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(files=st.dictionaries(NAMES.map("f{}".format), st.binary(max_size=50), max_size=5), folder=NAMES)
def test_any_content_round_trips(round_trip, context, remote, tmp_path_factory, files, folder):
    base = tmp_path_factory.mktemp("any")
    names = {(name if index % 2 else f"{folder}/{name}"): data for index, (name, data) in enumerate(files.items())}
    fill(base, names)
    for where in (context, remote):
        assert content(round_trip(Directory, base, where)) == names


def test_a_handle_knows_whether_it_was_fetched(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    made: Directory = Directory(str(folder), downloader=lambda: (folder / "late").write_text("x"))
    assert not made.downloaded
    assert os.listdir(made) == ["late"]
    assert made.downloaded
    file: File = File(str(folder / "late"))
    assert not file.downloaded
    assert Path(file).read_text() == "x"
    assert file.downloaded
