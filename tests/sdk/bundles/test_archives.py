"""Archives: equal files give equal bytes, what is packed comes out again, and nothing leaves the folder."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alula._bundle_archive import BundleError, files_under, unpack_archive, write_archive

NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\\0"), min_size=1, max_size=12
).filter(lambda name: name not in {".", ".."} and len(name.encode()) < 200)
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=4).map("/".join), st.tuples(st.binary(max_size=200), st.booleans()), max_size=8
).filter(lambda tree: not any(other.startswith(f"{name}/") for name in tree for other in tree))


def make(root: Path, tree: dict[str, tuple[bytes, bool]]) -> dict[str, str]:
    for name, (content, executable) in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if executable else 0o600)
    return files_under(str(root), tree)


def packed(files: dict[str, str], **options: Any) -> bytes:
    target = io.BytesIO()
    write_archive(files, target, **options)
    return target.getvalue()


def unpack(data: bytes, target: Path, **options: Any) -> None:
    unpack_archive(io.BytesIO(data), str(target), hashlib.sha256(data).hexdigest(), **options)


# --- round trip -----------------------------------------------------------------------------------------------------


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES)
def test_what_is_packed_comes_out_again(
    tree: dict[str, tuple[bytes, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("tree")
    files = make(root / "in", tree)
    data = packed(files)
    unpack(data, root / "out")
    found = {str(path.relative_to(root / "out")): path for path in (root / "out").rglob("*") if path.is_file()}
    assert found.keys() == tree.keys()
    for name, (content, executable) in tree.items():
        assert found[name].read_bytes() == content
        assert bool(found[name].stat().st_mode & stat.S_IXUSR) == executable


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES, times=st.randoms(use_true_random=False))
def test_equal_files_give_equal_bytes(
    tree: dict[str, tuple[bytes, bool]], times: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    archives = []
    for folder in ("one", "two"):
        files = make(tmp_path_factory.mktemp(folder), tree)
        for path in files.values():
            moment = times.randrange(2_000_000_000)
            os.utime(path, (moment, moment))
        shuffled = list(files.items())
        times.shuffle(shuffled)
        archives.append(packed(dict(shuffled)))
    assert archives[0] == archives[1]


def test_nothing_of_this_machine_is_in_an_archive(tmp_path: Path) -> None:
    data = packed(make(tmp_path, {"b.py": (b"x", False), "a.py": (b"y", True)}))
    assert data[4:8] == b"\0\0\0\0", "no time in the header"
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        entries = archive.getmembers()
    assert [entry.name for entry in entries] == ["a.py", "b.py"]
    assert {(e.mtime, e.uid, e.gid, e.uname, e.gname) for e in entries} == {(0, 0, 0, "", "")}
    assert [entry.mode for entry in entries] == [0o755, 0o644]


def test_links_inside_stay_links(tmp_path: Path) -> None:
    files = make(tmp_path / "in", {"pkg/a.py": (b"A", False)})
    for name, link in {"b.py": "pkg/a.py", "pkg/up": "../b.py", "again": "pkg"}.items():
        (tmp_path / "in" / name).symlink_to(link)
        files.update(files_under(str(tmp_path / "in"), [name]))
    unpack(packed(files), tmp_path / "out")
    assert os.readlink(tmp_path / "out" / "b.py") == "pkg/a.py"
    assert (tmp_path / "out" / "pkg" / "up").read_bytes() == b"A"
    assert (tmp_path / "out" / "again" / "a.py").read_bytes() == b"A"


@pytest.mark.parametrize("link", ["/etc/hosts", "../outside", "pkg/../../outside"])
def test_links_that_lead_out_are_refused_when_packing(tmp_path: Path, link: str) -> None:
    (tmp_path / "link").symlink_to(link)
    with pytest.raises(BundleError, match="outside of the source folder") as told:
        packed(files_under(str(tmp_path), ["link"]))
    assert ".alulaignore" in told.value.hint


def test_what_is_too_large_is_told_with_the_largest_files(tmp_path: Path) -> None:
    files = make(tmp_path, {f"f{i}": (b"x" * (i * 1024 * 1024 // 4), False) for i in range(1, 13)})
    with pytest.raises(BundleError) as told:
        packed(files, limit_bytes=10 * 1024 * 1024)
    lines = told.value.message.splitlines()
    assert lines[0] == "the code has 19.5 MiB in 12 files, and at most 10.0 MiB are sent; the largest are"
    assert lines[1].split() == ["3.0", "MiB", "f12"]
    assert len(lines) == 11


# --- hostile archives -----------------------------------------------------------------------------------------------


def archive_of(*entries: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz", format=format) as archive:
        for entry, content in entries:
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, mode
    return made


SYM = tarfile.SYMTYPE


@pytest.mark.parametrize(
    "entries",
    [
        [entry("/etc/evil")],
        [entry("../evil")],
        [entry("a/../../evil")],
        [entry("a/..")],
        [entry("")],
        [entry("a//b")],
        [entry("./a")],
        [entry("a\\b")],
        [entry("link", SYM, "/etc")],
        [entry("link", SYM, "..")],
        [entry("a/link", SYM, "../../evil")],
        [entry("link", SYM, "a/../../evil")],
        [entry("dot", SYM, "."), entry("link", SYM, "dot/../../evil")],
        [entry("dot", SYM, "."), entry("dot/link", SYM, "../evil")],
        [entry("a/dot", SYM, ".."), entry("a/dot/b/link", SYM, "../../../evil")],
        [entry("link", SYM, "b"), entry("link/file")],
        [entry("link", SYM, "b"), entry("link")],
        [entry("file"), entry("link", SYM, "file"), entry("link", SYM, "other")],
        [entry("file"), entry("file")],
        [entry("file"), entry("file/below")],
        [entry("hard", tarfile.LNKTYPE, "/etc/hosts")],
        [entry("pipe", tarfile.FIFOTYPE)],
        [entry("device", tarfile.CHRTYPE)],
        [entry("folder", tarfile.DIRTYPE)],
        [entry("x" * 300)],
    ],
    ids=lambda entries: " ".join(f"{one.name[:20]}>{one.linkname}" for one in entries),
)
def test_nothing_leaves_the_folder(tmp_path: Path, entries: list[tarfile.TarInfo]) -> None:
    data = archive_of(*[(one, b"evil" if one.isreg() else b"") for one in entries])
    folder = tmp_path / "deep" / "out"
    with pytest.raises(BundleError):
        unpack(data, folder)
    assert list(tmp_path.rglob("*")) == [tmp_path / "deep"], "nothing is left, inside or outside"


PARTS = st.sampled_from(["a", "b", "c", ".", "..", "", "d\\e", "/"])
ENTRIES = st.lists(
    st.tuples(
        st.lists(PARTS, min_size=1, max_size=4).map("/".join),
        st.sampled_from([tarfile.REGTYPE, SYM, tarfile.LNKTYPE, tarfile.DIRTYPE]),
        st.lists(PARTS, min_size=1, max_size=4).map("/".join),
    ),
    max_size=6,
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=ENTRIES)
def test_whatever_is_unpacked_lies_in_the_folder_and_leads_nowhere_else(
    entries: list[tuple[str, bytes, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("hostile")
    (root / "secret").write_text("not yours")
    data = archive_of(*[(entry(n, k, link), b"x" if k == tarfile.REGTYPE else b"") for n, k, link in entries])
    folder = root / "one" / "two" / "out"
    try:
        unpack(data, folder)
    except BundleError:
        assert not folder.exists()
    else:
        for path in folder.rglob("*"):
            resolved = os.path.realpath(path)
            assert resolved == str(folder) or resolved.startswith(f"{folder}/")
    assert (root / "secret").read_text() == "not yours"
    assert {path.name for path in root.iterdir()} <= {"secret", "one"}
    assert {path.name for path in (root / "one" / "two").iterdir()} <= {"out"}


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400), keep=st.integers(0, 200))
def test_damaged_archives_are_refused(data: bytes, keep: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("damaged")
    good = archive_of((entry("a.py"), b"print()"), (entry("b.py"), b"print()" * 20))
    damaged = good[:keep] + data
    try:
        unpack(damaged, root / "out")
    except BundleError:
        assert list(root.iterdir()) == []


def test_an_archive_with_another_digest_is_refused(tmp_path: Path) -> None:
    data = archive_of((entry("a.py"), b""))
    with pytest.raises(BundleError, match="damaged: expected SHA-256 0000"):
        unpack_archive(io.BytesIO(data), str(tmp_path / "out"), "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_unpacks_to_more_than_is_allowed_is_refused(tmp_path: Path) -> None:
    data = archive_of((entry("zeros"), b"\0" * 2_000_000))
    assert len(data) < 10_000
    with pytest.raises(BundleError, match="more than is allowed"):
        unpack(data, tmp_path / "out", limit_bytes=1_000_000)
    with pytest.raises(BundleError, match="has more than"):
        unpack(data, tmp_path / "out", limit_bytes=1_000)


def test_a_stream_without_an_end_is_cut_off(tmp_path: Path) -> None:
    import alula._bundle_archive as archives

    bomb = gzip.compress(b"\0" * 512 * 100_000, 9)
    bounded = archives._Bounded(gzip.GzipFile(fileobj=io.BytesIO(bomb)), 1_000_000)
    with pytest.raises(BundleError, match="unpacks to more than"):
        all(bounded.read(64 * 1024) for _ in range(1000))


def test_modes_are_one_of_two(tmp_path: Path) -> None:
    unpack(archive_of((entry("run", mode=0o7777), b"x"), (entry("read", mode=0o466), b"x")), tmp_path / "out")
    modes = {path.name: path.stat().st_mode & 0o7777 for path in (tmp_path / "out").iterdir()}
    assert modes == {"run": 0o755, "read": 0o644 & ~_umask()}


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_many_unpack_the_same_archive_at_once(tmp_path: Path) -> None:
    data = archive_of(*[(entry(f"m{i}.py"), b"x" * i) for i in range(50)])
    failures: list[BaseException] = []
    barrier = threading.Barrier(8)

    def run() -> None:
        barrier.wait()
        try:
            unpack(data, tmp_path / "code" / "out")
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [path.name for path in (tmp_path / "code").iterdir()] == ["out"]
    assert len(list((tmp_path / "code" / "out").iterdir())) == 50
