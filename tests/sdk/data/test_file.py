from __future__ import annotations

import asyncio
import copy
import gzip
import hashlib
import os
import pickle
import stat
import subprocess
import sys
import typing
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alula import current_app
from alula._data.file import File
from alula._data.file_types import CSVFile, FileExt
from alula_kernel.errors import StorageError, UsageError, ValueConversionError
from alula_kernel.literals import Blob
from alula_kernel.types import BlobOf

TEXT = b"a,b\n1,2\n"
SHA = hashlib.sha256(TEXT).hexdigest()


@pytest.fixture
def local(tmp_path: Path) -> Path:
    path = tmp_path / "data set.csv"
    path.write_bytes(TEXT)
    return path


# --- types ---


def test_format_is_part_of_the_type(converter):
    assert converter(File).literal_type == BlobOf()
    for written in (File["csv"], File[".CSV"], File[Literal["csv"]], File[typing.TypeVar("csv")], CSVFile):
        assert converter(written).literal_type == BlobOf("csv")
    assert converter(File[Annotated[str, FileExt(".csv")]]).literal_type == BlobOf("csv")
    assert File[""] is File


def test_format_survives_get_type_hints():
    def function(a: File["csv"], b: File["csv"] | None) -> CSVFile: ...  # noqa: F821, UP037

    hints = typing.get_type_hints(function)
    assert hints["a"] == hints["return"] == File["csv"]
    assert type(None) in typing.get_args(hints["b"])


def test_format_alias_makes_files_of_the_format():
    made = File["csv"]("x.csv")
    assert type(made) is File
    assert made.format == "csv"
    assert CSVFile(path="y").format == "csv"


def test_guessed_type(registry):
    assert registry.python_type(BlobOf("csv")) == File["csv"]
    assert registry.python_type(BlobOf()) is File


# --- storing ---


def test_local_file_is_kept_under_its_hash(converter, context, local):
    blob = converter(File["csv"]).to_literal(File(local, metadata={"k": "v"}), context)
    assert (blob.hash, blob.size, blob.format, blob.name, blob.metadata) == (
        *(SHA, len(TEXT), "csv", "data set.csv"),
        {"k": "v"},
    )
    assert blob.uri.startswith(context.storage.root)
    local.write_text("changed")
    assert converter(File).to_python(blob, context).read_bytes() == TEXT


def test_equal_content_has_equal_literals(converter, context, local, tmp_path):
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / local.name
    twin.write_bytes(TEXT)
    as_file = converter(File)
    assert as_file.to_literal(str(local), context) == as_file.to_literal(twin, context)
    twin.write_bytes(TEXT + b"\n")
    assert as_file.to_literal(str(local), context).hash != as_file.to_literal(twin, context).hash


def test_changed_file_is_stored_anew_by_the_same_handle(converter, context, local):
    handle = File(local)
    first = converter(File).to_literal(handle, context)
    local.write_bytes(b"new")
    assert converter(File).to_literal(handle, context).hash != first.hash


def test_remote_path_is_where_it_goes(converter, remote, local):
    blob = converter(File).to_literal(File(local, remote_path="memory://elsewhere/x.csv"), remote)
    assert (blob.uri, blob.hash, blob.size) == ("memory://elsewhere/x.csv", SHA, len(TEXT))
    blob = converter(File).to_literal(File(local, remote_path="memory://elsewhere/"), remote)
    assert blob.uri == "memory://elsewhere/data set.csv"


def test_remote_path_false_leaves_it_where_it_is(converter, context, local):
    blob = converter(File).to_literal(File(local, remote_path=False), context)
    assert (blob.uri, blob.hash) == (local.as_uri(), SHA)
    assert converter(File).to_python(blob, context).download() == str(local)
    assert not Path(context.storage.local_path(context.storage.root)).exists()


def test_remote_uri_passes_untouched(converter, remote, backend):
    blob = converter(File["csv"]).to_literal("memory://bucket/x.csv", remote)
    assert blob == Blob("memory://bucket/x.csv", format="csv", name="x.csv")
    assert not backend.calls


def test_stored_file_round_trips_without_a_copy(converter, remote, backend, local):
    blob = converter(File).to_literal(File(local), remote)
    backend.calls.clear()
    handle = converter(File).to_python(blob, remote)
    assert converter(File).to_literal(handle, remote) is blob
    assert not backend.calls
    assert handle.remote_source == blob.uri
    assert (handle.hash, handle.size, handle.name, handle.metadata) == (SHA, len(TEXT), local.name, {})


def test_metadata_can_be_changed_on_the_way(converter, context, local):
    handle = converter(File).to_python(converter(File).to_literal(local, context), context)
    handle.metadata["seen"] = "yes"
    blob = converter(File).to_literal(handle, context)
    assert blob.metadata == {"seen": "yes"}
    assert blob.hash == SHA


@pytest.mark.parametrize("value", [5, None, b"bytes", ["x"]])
def test_other_values_are_refused(converter, context, value):
    with pytest.raises(ValueConversionError, match="expected File, found"):
        converter(File).to_literal(value, context)


def test_missing_file_and_folder_are_refused(converter, context, tmp_path):
    with pytest.raises(ValueConversionError, match=r"there is no .*nothing\.txt"):
        converter(File).to_literal(tmp_path / "nothing.txt", context)
    with pytest.raises(ValueConversionError, match="found the folder"):
        converter(File).to_literal(tmp_path, context)
    with pytest.raises(ValueConversionError, match="empty path"):
        File("")
    with pytest.raises(UsageError, match="remote path"):
        File("x", remote_path=True)


def test_conflicting_formats_are_refused(converter, context, local):
    handle = converter(File["csv"]).to_python(converter(File["csv"]).to_literal(local, context), context)
    with pytest.raises(ValueConversionError, match="of format csv"):
        converter(File["png"]).to_literal(handle, context)


def test_downloader_is_called_once_when_needed(converter, context, tmp_path):
    calls = []

    def fetch() -> None:
        calls.append(1)
        (tmp_path / "late.txt").write_text("late")

    handle = File(tmp_path / "late.txt", fetch)
    assert not calls
    assert handle.read_text() == "late"
    assert Path(handle.download()).read_text() == "late"
    assert converter(File).to_literal(handle, context).size == 4
    assert calls == [1]


# --- fetching ---


def test_nothing_is_fetched_until_used(converter, remote, backend, local):
    blob = converter(File).to_literal(local, remote)
    backend.calls.clear()
    handle = converter(File).to_python(blob, remote)
    assert (handle.path, handle.size, repr(handle), handle == handle) == (blob.uri, len(TEXT), repr(handle), True)
    assert not backend.calls
    with open(handle, "rb") as stream:
        assert stream.read() == TEXT
    assert os.fspath(handle) == handle.download() == handle.path
    assert Path(handle).name == local.name
    assert backend.calls == {"get": 1}


def test_stored_local_file_is_not_copied(converter, context, local):
    handle = converter(File).to_python(converter(File).to_literal(local, context), context)
    path = Path(handle.download())
    assert path.name == local.name
    assert path.is_symlink()
    assert str(path.resolve()).startswith(context.storage.local_path(context.storage.root))
    assert not stat.S_IMODE(path.stat().st_mode) & 0o222


def test_download_to_a_path_gives_a_private_copy(converter, context, remote, local, tmp_path):
    for where in (context, remote):
        handle = converter(File).to_python(converter(File).to_literal(local, where), where)
        target = tmp_path / where.storage.root[:4] / "mine.csv"
        assert handle.download(target) == str(target)
        target.write_bytes(b"changed")  # allowed, and the stored file stays
        assert handle.read_bytes() == TEXT
    folder = tmp_path / "folder"
    folder.mkdir()
    assert handle.download(folder) == str(folder / local.name)
    assert File(local).download(tmp_path / "plain.csv") == str(tmp_path / "plain.csv")


def test_downloads_are_removed_when_the_process_ends(context, converter, local, remote, tmp_path):
    blob = converter(File).to_literal(local, context)
    code = (
        "import sys, tempfile\nfrom alula._data.file import File\nfrom alula_kernel.literals import Blob\n"
        "from alula_kernel.storage import Storage\nfrom alula_kernel.builtin.backends import builtin_backends\n"
        f"f = File.from_blob(Blob({blob.uri!r}, name='x.csv'), Storage(builtin_backends(), {context.storage.root!r}))\n"
        "print(f.download())"
    )
    folder = tmp_path / "scratch"
    folder.mkdir()
    env = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.strip().startswith(str(folder))
    assert list(folder.iterdir()) == []


def test_streaming_reads_without_download(converter, remote, backend, local):
    handle = converter(File).to_python(converter(File).to_literal(local, remote), remote)
    backend.calls.clear()
    with handle.open("r", cache_type="readahead", block_size=1024) as stream:
        assert stream.readlines() == ["a,b\n", "1,2\n"]
    with handle.open() as stream:
        assert stream.read(3) == b"a,b"
    with handle.open_sync("rb") as stream:
        assert stream.read() == TEXT
    assert backend.calls == {"open_read": 3}


def test_missing_object_is_an_error_only_when_used(converter, remote):
    handle = converter(File).to_python(Blob("memory://bucket/none"), remote)
    assert not handle.exists()
    for use in (handle.download, handle.read_bytes):
        with pytest.raises(StorageError, match="memory://bucket/none"):
            use()


def test_exists(local, tmp_path):
    assert File(local).exists()
    assert File(local).exists_sync()
    assert not File(tmp_path / "none").exists()


# --- streaming writes ---


def test_new_remote_file_is_hashed_while_it_is_written(converter, remote):
    handle = File["csv"].new_remote_file("out.csv")
    handle.bound(remote.storage)
    with handle.open("w") as stream:
        stream.write("a,b\n")
        stream.write("1,2\n")
    blob = converter(File["csv"]).to_literal(handle, remote)
    assert (blob.hash, blob.size, blob.name, blob.format) == (SHA, len(TEXT), "out.csv", "csv")
    assert handle.read_bytes() == TEXT
    with handle.open("wb") as stream:
        stream.write(b"again")
    assert converter(File).to_literal(handle, remote).hash == hashlib.sha256(b"again").hexdigest()


def test_new_remote_file_of_equal_content_is_stored_once(converter, remote, backend, local):
    stored = converter(File).to_literal(local, remote)
    handle = File.new_remote("data set.csv")
    handle.bound(remote.storage)
    with handle.open("wb") as stream:
        stream.write(TEXT)
    assert converter(File).to_literal(handle, remote) == stored


def test_failed_write_leaves_nothing(remote, backend):
    handle = File.new_remote_file("out.txt")
    handle.bound(remote.storage)
    with pytest.raises(ZeroDivisionError), handle.open("w") as stream:
        stream.write("half" * (1 // 0) if stream.write("half") else "")
    assert not list(remote.storage.list("memory://bucket"))
    with pytest.raises(StorageError, match="nothing was written"):
        handle.read_bytes()


def test_new_remote_file_without_content_is_refused(converter, context):
    with pytest.raises(ValueConversionError, match="nothing was written"):
        converter(File).to_literal(File.new_remote_file("out.txt"), context)


def test_place_is_chosen_when_it_is_asked_for(converter):
    app = current_app()
    handle = File.new_remote_file("model.bin")
    Path(handle.path).parent.mkdir(parents=True)
    Path(handle.path).write_bytes(TEXT)  # as another library does
    blob = converter(File).to_literal(handle, app.conversion)
    assert (blob.hash, blob.name) == (SHA, "model.bin")
    assert File.new_remote_file("model.bin").path != handle.path


def test_alt_is_a_prefix(tmp_path):
    handle = File.new_remote_file("x.txt", alt=str(tmp_path / "alt"))
    with handle.open("w") as stream:
        stream.write("x")
    assert handle.path.startswith(str(tmp_path / "alt"))
    assert Path(handle.path).read_text() == "x"


def test_named_remote_is_the_same_each_time():
    first, second = File.named_remote("state.json"), File.named_remote("state.json")
    assert first.path == second.path
    with first.open("w") as stream:
        stream.write("{}")
    assert second.exists()
    assert second.read_text() == "{}"


def test_stored_file_is_never_written(converter, remote, local):
    handle = converter(File).to_python(converter(File).to_literal(local, remote), remote)
    with pytest.raises(UsageError, match="never changes"), handle.open("w"):
        pass
    for mode in ("a", "r+", "q", ""):
        with pytest.raises(UsageError, match="mode"), handle.open(mode):
            pass


def test_remote_uri_can_be_written(remote, converter):
    handle = File("memory://bucket/own.txt")
    handle.bound(remote.storage)
    with handle.open("w") as stream:
        stream.write("x")
    assert converter(File).to_literal(handle, remote).uri == "memory://bucket/own.txt"
    assert remote.storage.exists("memory://bucket/own.txt")


def test_local_files_are_opened_in_place(tmp_path):
    made = File.new("sub/x.txt")
    with made.open("w", encoding="latin-1", newline="\r\n") as stream:
        stream.write("é\n")
    assert Path(made.path).read_bytes() == b"\xe9\r\n"
    assert made.size == 3


def test_compression(remote):
    for compression, name in (("gzip", "x.txt.gz"), ("infer", "x.txt.gz"), ("xz", "x.xz"), ("bz2", "x.bz2")):
        hashes = set()
        for _ in range(2):
            handle = File.new_remote_file(name)
            handle.bound(remote.storage)
            with handle.open("w", compression=compression) as stream:
                stream.write("text")
            with handle.open("r", compression=compression) as stream:
                assert stream.read() == "text"
            with handle.open("rb", compression=compression) as stream:
                assert list(stream) == [b"text"]
            hashes.add(handle.hash)
        assert len(hashes) == 1
    made = File.new("y.gz")
    with made.open("w", compression="infer") as stream:
        stream.write("z")
    assert gzip.decompress(Path(made.path).read_bytes()) == b"z"
    with pytest.raises(UsageError, match="unknown compression"), handle.open("w", compression="rar"):
        pass


def test_asynchronous_forms(local, tmp_path):
    async def use() -> tuple[Any, ...]:
        handle = File(local)
        async with handle.open_async("rb") as stream:
            first = await stream.readline()
            rest = [line async for line in stream]
        made = File.new_remote_file("a.txt")
        async with made.open_async("w") as stream:
            await stream.write("async")
        return first, rest, await handle.download_async(tmp_path / "copy"), made.read_text()

    assert asyncio.run(use()) == (b"a,b\n", [b"1,2\n"], str(tmp_path / "copy"), "async")


# --- making handles ---


def test_from_local(local, tmp_path):
    assert File.from_local(local) == File(local)
    assert File.from_local_sync(local, hash_method="mine").hash == "mine"
    assert File.from_local(local, hash_method=lambda file: f"h-{file.name}").hash == "h-data set.csv"
    sent = File.from_local(local, remote_destination=str(tmp_path / "there.csv"))
    assert (tmp_path / "there.csv").read_bytes() == TEXT
    assert sent.hash == SHA


def test_own_hash_counts(converter, context, local):
    blob = converter(File).to_literal(File.from_local(local, hash_method="mine"), context)
    assert blob.hash == "mine"


def test_from_existing_remote(converter, remote, local, context):
    blob = converter(File).to_literal(File.from_existing_remote("memory://bucket/x", file_cache_key="k"), remote)
    assert blob == Blob("memory://bucket/x", hash="k", name="x")
    blob = converter(File).to_literal(File.from_existing_remote(str(local)), context)
    assert (blob.uri, blob.hash) == (local.as_uri(), SHA)
    assert File.from_source("memory://bucket/x").remote_source == "memory://bucket/x"


# --- handles as values ---


def test_equality_repr_copies_and_pickles(converter, remote, context, local):
    handle = converter(File["csv"]).to_python(converter(File["csv"]).to_literal(local, remote), remote)
    for twin in (pickle.loads(pickle.dumps(handle)), copy.deepcopy(handle), copy.copy(handle)):
        assert twin == handle
        assert twin.blob == handle.blob
    assert copy.deepcopy(handle).read_bytes() == TEXT  # keeps its storage
    assert handle != File(local)
    assert File("a") == File("a") != File("b")
    assert File.new_remote_file("a") != File.new_remote_file("a")
    assert File("a") != "a"
    assert repr(File("a")) == "File('a')"
    assert repr(File["csv"]("a")) == "File['csv']('a')"


def test_deepcopy_does_not_share_metadata(local):
    handle = File(local, metadata={"a": "1"})
    copy.deepcopy(handle).metadata["a"] = "2"
    assert handle.metadata == {"a": "1"}


def test_pickled_handle_finds_storage_anew(local, converter):
    app = current_app()
    handle = converter(File).to_python(converter(File).to_literal(local, app.conversion), app.conversion)
    assert pickle.loads(pickle.dumps(handle)).read_bytes() == TEXT


# --- command line and JSON ---


def test_from_text(converter, context, local, tmp_path, monkeypatch):
    take = converter(File).from_text
    assert take(str(local), context) == File(local)
    assert take("s3://b/x.csv", context).remote_source == "s3://b/x.csv"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert take(f"~/{local.name}", context) == File(local)
    with pytest.raises(ValueConversionError, match=r"there is no file nothing\n.*working directory"):
        take("nothing", context)
    with pytest.raises(ValueConversionError, match="a directory is there"):
        take(str(tmp_path), context)
    with pytest.raises(ValueConversionError, match="found nothing"):
        take("", context)


def test_from_plain(converter, context, local):
    take = converter(File).from_plain
    assert take(str(local), context) == take(local, context) == take(File(local), context)
    made = take({"path": "s3://b/x", "format": "csv", "hash": "h", "metadata": {"a": "b"}}, context)
    assert (made.remote_source, made.format, made.hash, made.metadata) == ("s3://b/x", "csv", "h", {"a": "b"})
    for value in (5, {"a": 1}, ["x"], None):
        with pytest.raises(ValueConversionError):
            take(value, context)


def test_accepts_chooses_the_variant_of_a_union(converter, context, local, tmp_path):
    accepts = converter(File).accepts
    assert all(accepts(value) for value in (File("x"), local, str(local), "s3://b/x", tmp_path / "not yet"))
    assert not any(accepts(value) for value in ("just text", 5, tmp_path, str(tmp_path), "nul\0", b"x"))
    either = converter(str | File)
    assert either.to_python(either.to_literal("just text", context), context) == "just text"


def test_optional_and_nested(round_trip, context, local):
    assert round_trip(File | None, None, context) is None
    assert round_trip(File | None, str(local), context).read_bytes() == TEXT
    assert round_trip(list[File], [local, local], context)[1].read_bytes() == TEXT
    assert round_trip(dict[str, CSVFile], {"a": local}, context)["a"].format == "csv"


def test_dict_form_is_what_from_plain_takes(converter, context, local):
    handle = converter(File).to_python(converter(File["csv"]).to_literal(local, context), context)
    again = converter(File).from_plain(handle.to_dict(), context)
    assert (again.hash, again.format, again.name) == (handle.hash, handle.format, handle.name)


def test_pydantic_models_can_hold_handles(local):
    import pydantic

    class Model(pydantic.BaseModel):
        data: File["csv"]  # noqa: F821, UP037
        other: File | None = None

    model = Model(data=str(local))
    assert model.data == File(local)
    assert Model.model_validate_json(model.model_dump_json()).data == File(local)
    assert "data" in Model.model_json_schema()["properties"]
    with pytest.raises(pydantic.ValidationError):
        Model(data=5)


# --- previews ---


def test_previews(converter, tmp_path, local):
    shown = converter(File)
    assert shown.to_text(File(local)) == f"File({str(local)!r}), 8 bytes"
    assert "&lt;b&gt;" in shown.to_html(File("<b>"))
    png = tmp_path / '"><script>.png'
    png.write_bytes(b"\x89PNG\r\n\x1a\n")
    html = shown.to_html(File(png))
    assert html.startswith("<img")
    assert "<script>" not in html


# --- paths ---


def test_path_annotation_is_a_fetched_file(round_trip, context, remote, local):
    for where in (context, remote):
        found = round_trip(Path, local, where)
        assert isinstance(found, Path)
        assert (found.read_bytes(), found.name) == (TEXT, local.name)


def test_pathlike_annotation_copies_nothing(converter, context, local):
    found = converter(os.PathLike)
    blob = found.to_literal(local, context)
    assert (blob.uri, blob.hash) == (local.as_uri(), SHA)
    assert found.to_python(blob, context) == local


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.binary(max_size=2_000), name=st.text("abc.é ", min_size=1, max_size=12).filter(lambda s: s.strip(". ")))
def test_any_content_round_trips(round_trip, context, remote, tmp_path_factory, data, name):
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(data)
    for where in (context, remote):
        found = round_trip(File, path, where)
        assert found.read_bytes() == Path(found.download()).read_bytes() == data
        assert (found.name, found.hash) == (name, hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("name", ["../../escaped", "/etc/passwd", "..", "a/../../b", "nul\0", "."])
def test_names_in_literals_stay_inside(converter, context, remote, local, tmp_path, name):
    for where in (context, remote):
        blob = converter(File).to_literal(local, where)
        handle = converter(File).to_python(Blob(blob.uri, name=name), where)
        path = Path(handle.download())
        assert path.parent.name.isdigit()
        assert path.read_bytes() == TEXT
        (tmp_path / "in").mkdir(exist_ok=True)
        assert Path(handle.download(tmp_path / "in")).parent == tmp_path / "in"


def test_handles_are_in_sets_by_what_they_point_to(local, tmp_path):
    other = tmp_path / "other"
    other.write_text("x")
    assert {File(local), File(local.as_uri()), File(other)} == {File(other), File(local)}
    new = File.new_remote_file("late.txt")
    held = {new: 1}
    with new.open("w") as stream:
        stream.write("x")
    assert held[new] == 1
