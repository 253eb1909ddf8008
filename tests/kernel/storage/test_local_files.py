"""Local files: permissions, links, full disks, killed processes, and what cannot be read."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from alula_kernel.builtin.backends import FileBackend, MemoryBackend
from alula_kernel.errors import StorageError
from alula_kernel.local_files import ABANDONED_SECONDS, TEMPORARY_PREFIX
from alula_kernel.storage import Storage

from .conftest import files_in


@pytest.fixture
def store(tmp_path: Path) -> Storage:
    return Storage([FileBackend(), MemoryBackend()], str(tmp_path / "data"))


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(TEMPORARY_PREFIX)]


def run(script: str, *arguments: str, wrapper: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, because it dies or changes the limits of its process."""
    return subprocess.run(
        [*(wrapper or []), sys.executable, "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# --- permissions and links -------------------------------------------------------------------------------------------


def test_content_is_read_only_and_other_files_are_not(store: Storage, tree: Path) -> None:
    blob = store.put_bytes(b"x")
    folder = store.put_directory(tree)
    for path in (Path(store.local_path(blob.uri) or ""), *(Path(store.local_path(folder.uri) or "").rglob("*"))):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) & 0o222 == 0
    with store.open(f"{store.root}/given", "wb") as stream:
        stream.write(b"x")
    store.download(blob.uri, f"{store.root}/copy")
    store.download_directory(folder.uri, f"{store.root}/tree")
    for name in ("given", "copy", "tree/a.txt"):
        path = Path(store.local_path(f"{store.root}/{name}") or "")
        assert stat.S_IMODE(path.stat().st_mode) & 0o200


def test_the_umask_counts(tmp_path: Path) -> None:
    script = """
        import os, sys
        from alula_kernel.builtin.backends import FileBackend
        from alula_kernel.storage import Storage
        os.umask(0o077)
        storage = Storage([FileBackend()], sys.argv[1])
        kept = storage.put_bytes(b"x")
        with storage.open(f"{storage.root}/plain", "wb") as stream:
            stream.write(b"x")
        print(*(oct(os.stat(storage.local_path(uri)).st_mode & 0o777) for uri in (kept.uri, stream.uri)))
    """
    assert run(script, str(tmp_path)).stdout == "0o400 0o600\n"


def test_content_that_exists_is_not_written_again(store: Storage, tree: Path) -> None:
    blob, folder = store.put_bytes(b"x"), store.put_directory(tree)
    paths = [Path(store.local_path(uri) or "") for uri in (blob.uri, f"{folder.uri}/a.txt")]
    before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in paths]
    (tree.parent / "x").write_bytes(b"x")
    with store.writer() as stream:
        stream.write(b"x")
    assert {store.put_bytes(b"x").uri, store.put_file(tree.parent / "x").uri, stream.blob.uri} == {blob.uri}
    assert store.put_directory(tree) == folder
    assert [(path.stat().st_ino, path.stat().st_mtime_ns) for path in paths] == before
    assert leftovers(tree.parent) == []


def test_links_inside_the_folder_are_followed(store: Storage, tree: Path, tmp_path: Path) -> None:
    (tree / "link.txt").symlink_to("a.txt")
    (tree / "folder").symlink_to(tree / "b")
    blob = store.put_directory(tree)
    copy = tmp_path / "copy"
    store.download_directory(blob.uri, copy)
    assert (copy / "link.txt").read_bytes() == b"a"
    assert (copy / "folder" / "c.csv").read_bytes() == (tree / "b" / "c.csv").read_bytes()
    assert not any(path.is_symlink() for path in copy.rglob("*"))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("../secret", "leads out of its folder"),
        ("/etc", "leads out of its folder"),
        ("../tree-beside", "leads out of its folder"),
        ("nowhere", "leads to nothing"),
        (".", "leads to a folder that it is in"),
    ],
)
@pytest.mark.parametrize("root", ["data", "memory://data"])
def test_other_links_are_refused(root: str, target: str, message: str, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "tree-beside").mkdir()
    (tree / "b" / "link").symlink_to(target if target in {"/etc", "."} else f"../{target}")
    storage = Storage([FileBackend(), MemoryBackend()], root if "://" in root else str(tmp_path / root))
    with pytest.raises(StorageError, match=message) as caught:
        storage.put_directory(tree)
    assert "/tree/b/link" in str(caught.value)
    assert list(storage.list(storage.root)) == []


def test_special_files_are_refused(store: Storage, tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with pytest.raises(StorageError, match=r"/pipe is neither a file nor a folder"):
        store.put_directory(tree)
    with pytest.raises(StorageError, match=r"it is a pipe, a socket or a device"):
        store.put_file(tree / "pipe")
    (tree / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tree / "socket"))
        with pytest.raises(StorageError, match=r"/socket is neither a file nor a folder"):
            store.put_directory(tree)
    with pytest.raises(StorageError, match=r"/dev/null: it is a pipe, a socket or a device"):
        store.backend("file:///").put("/dev/null", f"{store.root}/x")


def test_names_that_are_not_utf8(store: Storage, tree: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.txt")
    (tree / name).write_bytes(b"odd")
    blob = store.put_directory(tree)
    store.download_directory(blob.uri, tmp_path / "copy")
    assert (tmp_path / "copy" / name).read_bytes() == b"odd"
    assert all(info.uri.isascii() for info in store.list(blob.uri))
    memory = Storage([FileBackend(), MemoryBackend()], "memory://x")
    with pytest.raises(StorageError, match=r"%FF\.txt is not UTF-8"):
        memory.put_directory(tree)


def test_a_file_that_changes_while_it_is_stored_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one")

    class Meddler(MemoryBackend):
        def put(self, local_path: str, uri: str) -> None:
            path.write_bytes(b"another")
            super().put(local_path, uri)

    storage = Storage([FileBackend(), Meddler()], "memory://data")
    with pytest.raises(StorageError, match="log was changed while it was being stored"):
        storage.put_file(path)
    assert list(storage.list("memory://data")) == []
    path.write_bytes(b"one")
    with pytest.raises(StorageError, match="was changed"):
        storage.put_directory(tmp_path)
    assert list(storage.list("memory://data")) == []


def test_temporary_files_are_not_seen(store: Storage, tree: Path) -> None:
    hash_before = store.put_directory(tree).hash
    (tree / f"{TEMPORARY_PREFIX}abc").write_bytes(b"half")
    assert store.put_directory(tree).hash == hash_before
    assert not [info for info in store.list(str(tree)) if "abc" in info.uri]


# --- what cannot be read or written ----------------------------------------------------------------------------------


def test_wrong_kinds_of_paths(store: Storage, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    below = f"{tmp_path}/file/below"
    cases = [
        (lambda: store.put_file(tmp_path / "none"), "none: there is nothing there"),
        (lambda: store.put_file(tmp_path / "folder"), "folder as a file: it is a folder"),
        (lambda: store.put_directory(tmp_path / "none"), "none: there is nothing there"),
        (lambda: store.put_directory(tmp_path / "file"), "a file where a folder is needed"),
        (lambda: store.open(str(tmp_path / "folder")), "folder: it is a folder"),
        (lambda: store.open(str(tmp_path / "folder"), "wb"), "folder: it is a folder"),
        (lambda: store.open(below), "a file where a folder is needed"),
        (lambda: store.open(below, "wb"), "file: it is, or lies below, a file|something else is there"),
        (lambda: store.writer(uri=below), "file: it is, or lies below, a file|something else is there"),
        (lambda: store.download(str(tmp_path / "file"), below), "a file where a folder is needed|something else"),
        (lambda: store.put_file(f"{tmp_path}/{'x' * 300}"), "the name is too long"),
        (lambda: store.open(f"{tmp_path}/{'x' * 300}", "wb").close(), "the name is too long"),
        (lambda: store.open("a\0b"), "null character"),
        (lambda: store.open("file://elsewhere/x"), "names a file on the machine 'elsewhere'"),
    ]
    for attempt, message in cases:
        with pytest.raises(StorageError, match=message) as caught:
            attempt()
        assert caught.value.exit_code == 2
        assert caught.value.hint
    assert files_in(tmp_path) == {"file": b"x"}
    assert not store.exists(below)
    assert list(store.list(below)) == []
    store.delete(below)


def test_a_root_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "root").write_bytes(b"x")
    storage = Storage([FileBackend()], str(tmp_path / "root"))
    for attempt in (lambda: storage.put_bytes(b"x"), storage.writer, lambda: storage.put_file(__file__)):
        with pytest.raises(StorageError, match=r"cannot write to file://.*/root"):
            attempt()


def test_a_circle_of_links(store: Storage, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(StorageError, match="go in a circle") as caught:
        store.open(str(tmp_path / "a"))
    assert caught.value.errno == errno.ELOOP


def test_files_of_others() -> None:
    script = """
        import os, sys
        import shutil, urllib.parse  # now, because the new user may not be allowed to read the standard library
        from alula_kernel.builtin.backends import FileBackend
        from alula_kernel.errors import StorageError
        from alula_kernel.storage import Storage
        folder = sys.argv[1]
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        storage = Storage([FileBackend()], f"{folder}/locked/data")
        for attempt in (
            lambda: storage.open(f"{folder}/unreadable").read(),
            lambda: Storage([FileBackend()], f"{folder}/open").put_file(f"{folder}/unreadable"),
            lambda: storage.put_bytes(b"x"),
            lambda: list(storage.list(f"{folder}/hidden")),
            lambda: storage.delete(f"{folder}/locked/file"),
        ):
            try:
                attempt()
            except StorageError as error:
                print(str(error).replace(folder, ""))
    """
    with tempfile.TemporaryDirectory() as name:  # every folder above it may be entered by others
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "unreadable").write_bytes(b"x")
        (folder / "unreadable").chmod(0)
        for inner, mode in (("open", 0o777), ("locked", 0o555), ("hidden", 0)):
            (folder / inner).mkdir()
            (folder / inner / "file").write_bytes(b"x")
            (folder / inner).chmod(mode)
        result = run(script, name)
        for inner in ("locked", "hidden"):
            (folder / inner).chmod(0o755)
    lines = [line for line in result.stdout.splitlines() if not line.startswith("  ")]
    assert lines == [
        "cannot read file:///unreadable: permission denied",
        "cannot read file:///unreadable: permission denied",
        "cannot write to file:///locked/data: permission denied",
        "cannot list file:///hidden: permission denied",
        "cannot delete file:///locked/file: permission denied",
    ], result.stderr


# --- a full disk -----------------------------------------------------------------------------------------------------

FILL = """
    import os, resource, signal, sys
    from alula_kernel.builtin.backends import FileBackend
    from alula_kernel.errors import StorageError
    from alula_kernel.storage import Storage
    folder, source, limit = sys.argv[1:]
    if limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    storage = Storage([FileBackend()], f"{folder}/data")
    storage.put_bytes(b"fits")

    def write_all(stream):
        with stream:
            for _ in range(400):
                stream.write(bytes(10_000))

    for attempt in (
        lambda: storage.put_file(f"{source}/big"),
        lambda: storage.put_directory(source),
        lambda: storage.put_bytes(bytes(4_000_000)),
        lambda: write_all(storage.writer()),
        lambda: write_all(storage.writer(uri=f"{folder}/given")),
        lambda: write_all(storage.open(f"{folder}/given", "wb")),
        lambda: storage.download(f"{source}/big", f"{folder}/copy"),
        lambda: storage.download_directory(source, f"{folder}/copies"),
    ):
        try:
            attempt()
            print("it fitted")
        except StorageError as error:
            print(str(error).splitlines()[0].rpartition(": ")[2])
    storage.put_bytes(b"fits still")
    print(sum(len(names) for _, _, names in os.walk(folder)), "files")
"""


def fill(folder: Path, tmp_path: Path, limit: str = "", wrapper: list[str] | None = None) -> list[str]:
    source = tmp_path / "source"
    source.mkdir()
    (source / "big").write_bytes(bytes(4_000_000))
    result = run(FILL, str(folder), str(source), limit, wrapper=wrapper)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_a_limit_on_file_sizes(tmp_path: Path) -> None:
    lines = fill(tmp_path / "target", tmp_path, limit="1000000")
    assert lines == ["the file would be larger than is allowed here"] * 8 + ["2 files"]


def test_a_full_disk(tmp_path: Path) -> None:
    """On a small disk of its own where that can be mounted, in a name space that ends with the process; else by limit."""
    target = tmp_path / "target"
    target.mkdir()
    mount = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    command = f'mount -t tmpfs -o size=1m none "{target}" && exec "$@"'
    try:
        can_mount = subprocess.run([*mount, command, "sh", "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        can_mount = False
    lines = (
        fill(target, tmp_path, wrapper=[*mount, command, "sh"]) if can_mount else fill(target, tmp_path, limit="900000")
    )
    reason = "no space is left" if can_mount else "the file would be larger than is allowed here"
    assert lines == [reason] * 8 + ["2 files"]


# --- processes that are killed or interrupted ------------------------------------------------------------------------

KILLED = """
    import os, signal, sys
    from alula_kernel.builtin.backends import FileBackend
    from alula_kernel.storage import Storage
    folder, point = sys.argv[1:]
    storage = Storage([FileBackend()], f"{folder}/data")

    def die(*arguments):
        os.kill(os.getpid(), signal.SIGKILL)

    if point == "before the rename":
        os.replace = os.rename = die
    if point == "writing":
        with storage.writer() as stream:
            stream.write(bytes(1_000_000))
            die()
    if point == "writing to a URI":
        with storage.open(f"{folder}/given", "wb") as stream:
            stream.write(bytes(1_000_000))
            die()
    if point == "between the files of a folder":
        calls = []
        replace = os.replace
        os.replace = lambda *pair: die() if calls else (calls.append(pair), replace(*pair))
        storage.put_directory(f"{folder}/tree")
    if point == "at the end of a folder":
        os.rename = die
        storage.put_directory(f"{folder}/tree")
    for attempt in (
        lambda: storage.put_bytes(b"x"),
        lambda: storage.put_file(f"{folder}/tree/a.txt"),
    ):
        attempt()
"""


@pytest.mark.parametrize(
    "point",
    [
        "writing",
        "writing to a URI",
        "before the rename",
        "between the files of a folder",
        "at the end of a folder",
    ],
)
def test_a_killed_writer_leaves_nothing_under_the_final_name(point: str, tree: Path, tmp_path: Path) -> None:
    result = run(KILLED, str(tmp_path), point)
    assert result.returncode == -signal.SIGKILL, result.stderr
    storage = Storage([FileBackend()], str(tmp_path / "data"))
    assert list(storage.list(storage.root)) == [] or all("tmp" in info.uri for info in storage.list(storage.root))
    assert not (tmp_path / "given").exists()
    assert list((tmp_path / "data").glob("??/*")) == []
    # and the next one is not disturbed by what is left
    blob = storage.put_directory(tree)
    storage.download_directory(blob.uri, tmp_path / "copy")
    assert files_in(tmp_path / "copy") == files_in(tree)


def test_an_interrupt_leaves_no_temporary_file(store: Storage, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object, **keywords: object) -> None:
        raise KeyboardInterrupt

    (tree / "big").write_bytes(bytes(3_000_000))
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupt)
        patch.setattr(os, "rename", interrupt)
        for attempt in (
            lambda: store.put_bytes(b"x"),
            lambda: store.put_file(tree / "big"),
            lambda: store.put_directory(tree),
            lambda: store.open(f"{store.root}/x", "wb").close(),
            lambda: store.download(str(tree / "big"), f"{store.root}/x"),
            lambda: store.download_directory(str(tree), f"{store.root}/y"),
            lambda: store.writer().close(),
        ):
            with pytest.raises(KeyboardInterrupt):
                attempt()
    assert files_in(tree.parent / "data") == {}
    assert list(tree.parent.rglob(f"{TEMPORARY_PREFIX}*")) == []


def test_deleting_twice(store: Storage, tree: Path) -> None:
    blob = store.put_directory(tree)
    store.delete(blob.uri)
    store.delete(blob.uri)
    assert not store.exists(blob.uri)
    (tree / "link").symlink_to(tree / "b")
    store.delete(str(tree / "link"))
    assert (tree / "b" / "c.csv").exists()


def test_what_killed_writers_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    storage = Storage([FileBackend()], tmp_path.as_uri())
    names = {"old", "new", "old-folder", "new-folder"}
    for name in names:
        path = tmp_path / f"{TEMPORARY_PREFIX}{name}"
        if name.endswith("folder"):
            path.mkdir()
            (path / "part").write_bytes(b"half")
        else:
            path.write_bytes(b"half")
            path.chmod(0o444)
        if name.startswith("old"):
            os.utime(path, (0, time.time() - ABANDONED_SECONDS - 60))
    (tmp_path / "old.txt").write_bytes(b"somebody's")
    os.utime(tmp_path / "old.txt", (0, 0))
    storage.list(storage.root)
    assert len(list(tmp_path.iterdir())) == len(names) + 1
    blob = storage.put_bytes(b"whole")
    left = {path.name.removeprefix(TEMPORARY_PREFIX) for path in tmp_path.iterdir()}
    assert left == {"new", "new-folder", "old.txt", blob.hash[:2]}
