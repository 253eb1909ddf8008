"""What a URI is, and that paths and names come back from one as they went in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula_kernel.content import suffix_of
from alula_kernel.errors import StorageError
from alula_kernel.uris import child_uri, is_uri, name_below, name_of, path_of, prefix_of, scheme_of, shown, uri_of

PARTS = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda part: part not in {".", ".."}
)
BYTE_PARTS = st.binary(min_size=1, max_size=20).filter(
    lambda part: not set(part) & {0, ord("/")} and part not in {b".", b".."}
)


@given(st.lists(PARTS, min_size=1, max_size=4))
def test_a_path_comes_back_from_its_uri(parts: list[str]) -> None:
    path = f"/{'/'.join(parts)}"
    uri = uri_of(path)
    assert is_uri(uri)
    assert uri.isascii()
    assert not set(uri[len("file://") :]) & set(' ?#\n"<>\\^`{|}')
    assert path_of(uri) == path
    assert uri_of(uri) == uri


@given(st.lists(BYTE_PARTS, min_size=1, max_size=3))
def test_a_path_that_is_not_utf8_comes_back_from_its_uri(parts: list[bytes]) -> None:
    path = os.fsdecode(b"/" + b"/".join(parts))
    assert path_of(uri_of(path)) == path
    name_of(path).encode()


@given(st.lists(PARTS, min_size=1, max_size=3), st.lists(PARTS, min_size=1, max_size=3))
def test_a_name_below_a_prefix_is_part_of_the_path(folder: list[str], name: list[str]) -> None:
    prefix = f"/{'/'.join(folder)}"
    assert path_of(child_uri(uri_of(prefix), "/".join(name))) == f"{prefix}/{'/'.join(name)}"
    assert child_uri("s3://bucket/k", "/".join(name)) == f"s3://bucket/k/{'/'.join(name)}"


@given(PARTS)
def test_the_base_name_is_decoded(name: str) -> None:
    assert name_of(uri_of(f"/folder/{name}")) == name


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("s3://b/k", "s3"),
        ("S3://b/k", "s3"),
        ("file:///x", "file"),
        ("file:/x", "file"),
        ("simplecache::https://h/x", "simplecache"),
        ("zip://a.csv::s3://b/x.zip", "zip"),
        ("plain", "file"),
        ("a:b", "file"),
        ("C:/x", "file"),
        ("12:30 notes.txt", "file"),
        ("a::b", "file"),
        ("data/s3://x", "file"),
    ],
)
def test_the_scheme(text: str, scheme: str) -> None:
    assert scheme_of(text) == scheme
    assert is_uri(text) == (scheme != "file" or text.startswith("file:"))


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert uri_of("a/../b c") == f"file://{tmp_path}/b%20c"
    assert uri_of(Path("x")) == f"file://{tmp_path}/x"


def test_the_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert uri_of("~/x") == "file:///home/ann/x"
    assert uri_of("/a/~/x") == "file:///a/~/x"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a%20b", "/a b"),
        ("file:///a b", "/a b"),
        ("file://localhost/x", "/x"),
        ("file:/x", "/x"),
        ("FILE:///x", "/x"),
        ("file:///100%", "/100%"),
        ("file:///a?b#c", "/a?b#c"),
        ("file:////x", "/x"),
    ],
)
def test_file_uris_as_people_write_them(uri: str, path: str) -> None:
    assert path_of(uri) == path


@pytest.mark.parametrize("text", ["", "a\0b", "file:///a%00b", "file://elsewhere/x", "s3://b/k"])
def test_what_is_no_local_path_is_refused(text: str) -> None:
    with pytest.raises(StorageError):
        path_of(text)


def test_a_child_of_a_chain_belongs_to_the_first_link_with_a_path() -> None:
    assert child_uri("zip://d::s3://b/x.zip", "f") == "zip://d/f::s3://b/x.zip"
    assert child_uri("simplecache::s3://b/d/", "f") == "simplecache::s3://b/d/f"
    assert child_uri("https://h/d", "a b") == "https://h/d/a%20b"
    assert child_uri("s3://b/a::b", "f") == "s3://b/a::b/f"


@given(st.lists(PARTS, min_size=1, max_size=3))
def test_the_name_below_a_prefix_comes_back(parts: list[str]) -> None:
    name = "/".join(parts)
    for prefix in ("s3://b/k", "s3://b", "memory://", "file:///x", "https://h/d", "simplecache::s3://b/k"):
        if "::" not in name or "::" not in prefix:
            assert name_below(child_uri(prefix, name), prefix) == name
    if "::" not in name and not name.endswith(":"):
        assert name_below(child_uri("zip://d::s3://b/x.zip", name), "zip://d::s3://b/x.zip") == name


def test_slashes_at_the_end_of_a_prefix() -> None:
    assert prefix_of("s3://b/k//") == "s3://b/k"
    assert prefix_of("memory://") == "memory://"
    assert prefix_of("/a/b/") == "/a/b"


def test_names() -> None:
    assert name_of("https://h/d/a%20b.csv?sig=1#x") == "a b.csv"
    assert name_of("s3://b/d/a%20b.csv") == "a%20b.csv"
    assert name_of("zip://in/ner.csv::s3://b/x.zip") == "ner.csv"
    assert name_of("simplecache::s3://b/x.csv") == "x.csv"
    assert name_of("s3://bucket") == "bucket"


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.csv", ".csv"),
        ("a.b.csv", ".csv"),
        ("a.tar.gz", ".tar.gz"),
        ("a.GZ", ".GZ"),
        (".hidden", ""),
        ("none", ""),
        ("a.", ""),
        ("a.c v", ""),
        ("a.c%v", ""),
        ("a.csv\n", ""),
        ("a.waytoolongtobeasuffix", ""),
        ("", ""),
    ],
)
def test_suffixes(name: str, suffix: str) -> None:
    assert suffix_of(name) == suffix


def test_secrets_are_not_shown() -> None:
    text = shown("GET https://ann:hunter2@host/x?X-Amz-Signature=abc failed, see s3://key:secret@bucket/k")
    assert "hunter2" not in text
    assert "abc" not in text
    assert "secret" not in text
    assert "https://***@host/x?..." in text
    assert "s3://***@bucket/k" in text
