"""What every `BlobBackend` promises."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ..contracts import BlobBackend
from ..errors import StorageError
from ..uris import child_uri, scheme_of
from .scenarios import Conformance, needs
from .threads import in_threads

_ODD_NAMES = (
    "with space",
    "plus+and&equals=",
    "percent%41%zz",
    "hash#mark",
    "question?mark",
    "quote'\"",
    "brackets[0]{1}(2)*",
    "semi;colon:comma,",
    "ümlaut \N{SNOWMAN}",
    ".hidden",
    "dots..in..name",
    "-dash",
    "UPPER",
    "n" * 200,
)
_MEGABYTE = 2**20


class BlobBackendConformance(Conformance):
    """What a blob backend promises. A subclass provides `backend` and `base_uri`.

    Attributes:
        can_write: Whether objects can be written and deleted. If not, the subclass overrides `place`.
        can_list: Whether the protocol lists what is below a prefix.
        is_atomic: Whether nobody sees an object before its stream was closed.
        is_seekable: Whether streams that are read can seek.
        knows_sizes: Whether the protocol tells the size of an object.
        takes_odd_names: Whether names may have any characters but ``/`` and the null character.
    """

    can_write = True
    can_list = True
    is_atomic = True
    is_seekable = True
    knows_sizes = True
    takes_odd_names = True

    @pytest.fixture
    def backend(self) -> BlobBackend:
        """The backend under test."""
        raise NotImplementedError("a subclass of BlobBackendConformance provides the fixture backend")

    @pytest.fixture
    def base_uri(self) -> str:
        """A prefix that nobody else uses, without a slash at its end; nothing is below it."""
        raise NotImplementedError("a subclass of BlobBackendConformance provides the fixture base_uri")

    @pytest.fixture
    def place(self, backend: BlobBackend, base_uri: str) -> Callable[[str, bytes], str]:
        """A function that makes an object of a name below `base_uri` and returns its URI.

        A subclass whose backend cannot write puts the object where the backend finds it.
        """

        def write(name: str, content: bytes) -> str:
            uri = child_uri(base_uri, name)
            with backend.open_write(uri) as stream:
                stream.write(content)
            return uri

        return write

    def test_B01_has_name_and_schemes(self, backend: BlobBackend, base_uri: str) -> None:
        """It is a `BlobBackend` with a name and with schemes in lower case, among them that of its URIs."""
        assert isinstance(backend, BlobBackend)
        assert backend.name
        assert not isinstance(backend.schemes, str)
        assert backend.schemes
        assert all(scheme == scheme.lower() for scheme in backend.schemes)
        assert scheme_of(base_uri) in backend.schemes or "*" in backend.schemes

    def test_B02_read_a_stream(self, backend: BlobBackend, place: Callable[[str, bytes], str]) -> None:
        """`open_read` streams an object in pieces of any size to its end."""
        content = bytes(range(256)) * 100
        uri = place("stream.bin", content)
        with backend.open_read(uri) as stream:
            assert stream.read(10) == content[:10]
            assert stream.read(0) == b""
            assert stream.read(1_000) == content[10:1_010]
            assert stream.read() == content[1_010:]
            assert stream.read(10) == b""

    @needs("is_seekable")
    def test_B03_seek(self, backend: BlobBackend, place: Callable[[str, bytes], str]) -> None:
        """A stream that is read can seek from the start, from here and from the end, and tell where it is."""
        uri = place("seek.bin", b"0123456789")
        with backend.open_read(uri) as stream:
            assert stream.seekable()
            assert stream.seek(4) == 4
            assert stream.read(2) == b"45"
            assert stream.tell() == 6
            stream.seek(-3, os.SEEK_END)
            assert stream.read() == b"789"
            stream.seek(0)
            stream.read(1)
            stream.seek(2, os.SEEK_CUR)
            assert stream.read(1) == b"3"

    def test_B04_options_of_a_stream(self, backend: BlobBackend, place: Callable[[str, bytes], str]) -> None:
        """`open_read` takes a block size, and ignores options that it does not know."""
        uri = place("options.bin", b"content")
        with backend.open_read(uri, block_size=_MEGABYTE, an_unknown_option=1) as stream:
            assert stream.read() == b"content"

    def test_B05_get(self, backend: BlobBackend, place: Callable[[str, bytes], str], tmp_path: Path) -> None:
        """`get` copies an object to a local file whose folders are made, and replaces a file that is there."""
        target = tmp_path / "new" / "folders" / "copy.bin"
        backend.get(place("get.bin", b"first and longer"), str(target))
        assert target.read_bytes() == b"first and longer"
        backend.get(place("get2.bin", b"second"), str(target))
        assert target.read_bytes() == b"second"

    @needs("can_write")
    def test_B06_put(self, backend: BlobBackend, base_uri: str, tmp_path: Path) -> None:
        """`put` copies a local file to an object at any depth, and leaves the file alone."""
        source = tmp_path / "source.bin"
        source.write_bytes(b"content")
        uri = child_uri(base_uri, "a/b/c/put.bin")
        backend.put(str(source), uri)
        assert _read(backend, uri) == b"content"
        assert source.read_bytes() == b"content"

    @needs("can_write")
    def test_B07_write_a_stream(self, backend: BlobBackend, base_uri: str) -> None:
        """`open_write` takes pieces of any size; the object is there when the stream is closed."""
        uri = child_uri(base_uri, "deep/down/write.bin")
        stream = backend.open_write(uri)
        assert stream.write(b"one") == 3
        stream.write(b"")
        stream.write(memoryview(b"two"))
        stream.close()
        assert _read(backend, uri) == b"onetwo"

    @needs("can_write")
    def test_B08_overwrite(self, backend: BlobBackend, base_uri: str, tmp_path: Path) -> None:
        """Writing or putting an object that is there replaces all of it."""
        uri = child_uri(base_uri, "over.bin")
        _write(backend, uri, b"first and longer")
        _write(backend, uri, b"second")
        assert _read(backend, uri) == b"second"
        source = tmp_path / "source.bin"
        source.write_bytes(b"3")
        backend.put(str(source), uri)
        assert _read(backend, uri) == b"3"

    @needs("can_write", "is_atomic")
    def test_B09_not_there_before_it_is_whole(self, backend: BlobBackend, base_uri: str) -> None:
        """An object that is being written is not there, nor is the old one changed, until the stream is closed."""
        new, old = child_uri(base_uri, "new.bin"), child_uri(base_uri, "old.bin")
        _write(backend, old, b"old")
        streams = [backend.open_write(uri) for uri in (new, old)]
        for stream in streams:
            stream.write(b"x" * _MEGABYTE)
            stream.flush()
        assert not backend.exists(new)
        assert _read(backend, old) == b"old"
        for stream in streams:
            stream.close()
        assert _read(backend, new) == _read(backend, old) == b"x" * _MEGABYTE

    @needs("can_write", "is_atomic")
    def test_B10_an_exception_leaves_nothing(self, backend: BlobBackend, base_uri: str) -> None:
        """If the block that writes is left by an exception there is no object, and an old one stays as it was."""
        new, old = child_uri(base_uri, "broken/new.bin"), child_uri(base_uri, "broken/old.bin")
        _write(backend, old, b"old")
        for uri in (new, old):
            with pytest.raises(ZeroDivisionError):
                _write_half(backend, uri)
        assert not backend.exists(new)
        assert _read(backend, old) == b"old"

    def test_B11_exists(self, backend: BlobBackend, place: Callable[[str, bytes], str], base_uri: str) -> None:
        """`exists` tells an object that is there from one that is not, and from one whose name only begins alike."""
        uri = place("here.bin", b"content")
        assert backend.exists(uri)
        assert not backend.exists(child_uri(base_uri, "her"))
        assert not backend.exists(child_uri(base_uri, "here.bin2"))
        assert not backend.exists(child_uri(base_uri, "missing/deep.bin"))

    @needs("can_list")
    def test_B12_a_prefix_exists(self, backend: BlobBackend, place: Callable[[str, bytes], str], base_uri: str) -> None:
        """`exists` of a prefix tells whether any object is below it."""
        place("folder/inner/deep.bin", b"content")
        assert backend.exists(child_uri(base_uri, "folder"))
        assert backend.exists(child_uri(base_uri, "folder/inner"))
        assert not backend.exists(child_uri(base_uri, "fold"))

    @needs("knows_sizes")
    def test_B13_size(self, backend: BlobBackend, place: Callable[[str, bytes], str]) -> None:
        """`size` gives the bytes of an object."""
        assert backend.size(place("sized.bin", b"x" * 12_345)) == 12_345
        assert backend.size(place("empty.bin", b"")) == 0

    @needs("can_list")
    def test_B14_list(self, backend: BlobBackend, place: Callable[[str, bytes], str], base_uri: str) -> None:
        """`list` yields every object below a prefix at any depth, sorted by URI, and nothing beside the prefix."""
        names = ["b.bin", "a.bin", "a/1.bin", "a/b/c/2.bin", "c/3.bin"]
        uris = [place(f"tree/{name}", name.encode()) for name in names]
        place("tree2/other.bin", b"no")
        place("tre", b"no")
        prefix = child_uri(base_uri, "tree")
        listed = list(backend.list(prefix))
        assert [info.uri for info in listed] == sorted(uris)
        assert [info.uri for info in backend.list(f"{prefix}/")] == sorted(uris)
        assert [_read(backend, info.uri) for info in listed] == [_read(backend, uri) for uri in sorted(uris)]
        if self.knows_sizes:
            assert [info.size for info in listed] == [len(_read(backend, info.uri)) for info in listed]

    @needs("can_list")
    def test_B15_list_of_nothing(self, backend: BlobBackend, base_uri: str) -> None:
        """`list` of a prefix without objects yields nothing and raises nothing."""
        assert list(backend.list(child_uri(base_uri, "nothing/here"))) == []

    @needs("can_write")
    def test_B16_delete_an_object(self, backend: BlobBackend, base_uri: str) -> None:
        """`delete` removes an object, may be repeated, and leaves objects whose names begin alike."""
        gone, kept = child_uri(base_uri, "del/name"), child_uri(base_uri, "del/name2")
        _write(backend, gone, b"gone")
        _write(backend, kept, b"kept")
        backend.delete(gone)
        assert not backend.exists(gone)
        assert _read(backend, kept) == b"kept"
        backend.delete(gone)

    @needs("can_write", "can_list")
    def test_B17_delete_a_prefix(self, backend: BlobBackend, base_uri: str) -> None:
        """`delete` of a prefix removes every object below it, and nothing beside it."""
        for name in ("tree/a", "tree/b/c", "tree2/kept"):
            _write(backend, child_uri(base_uri, name), b"x")
        backend.delete(child_uri(base_uri, "tree"))
        assert list(backend.list(child_uri(base_uri, "tree"))) == []
        assert not backend.exists(child_uri(base_uri, "tree"))
        assert backend.exists(child_uri(base_uri, "tree2/kept"))
        backend.delete(child_uri(base_uri, "tree"))

    @needs("takes_odd_names")
    def test_B18_odd_names(
        self, backend: BlobBackend, place: Callable[[str, bytes], str], base_uri: str, tmp_path: Path
    ) -> None:
        """Names with any characters are written, read, measured and listed as they are."""
        uris = [place(f"odd/{name}", name.encode()) for name in _ODD_NAMES]
        for name, uri in zip(_ODD_NAMES, uris, strict=True):
            assert _read(backend, uri) == name.encode()
            assert backend.exists(uri)
            backend.get(uri, str(tmp_path / "copy"))
            assert (tmp_path / "copy").read_bytes() == name.encode()
        if self.can_list:
            assert [info.uri for info in backend.list(child_uri(base_uri, "odd"))] == sorted(uris)
        if self.can_write:
            for uri in uris:
                backend.delete(uri)
                assert not backend.exists(uri)

    def test_B19_empty_object(self, backend: BlobBackend, place: Callable[[str, bytes], str], tmp_path: Path) -> None:
        """An object without bytes is an object."""
        uri = place("empty.bin", b"")
        assert backend.exists(uri)
        assert _read(backend, uri) == b""
        backend.get(uri, str(tmp_path / "empty.bin"))
        assert (tmp_path / "empty.bin").read_bytes() == b""

    def test_B20_large_object(self, backend: BlobBackend, place: Callable[[str, bytes], str], tmp_path: Path) -> None:
        """An object of 8 MB is read in pieces, and copied both ways."""
        content = os.urandom(_MEGABYTE) * 8
        uri = place("large.bin", content)
        with backend.open_read(uri) as stream:
            pieces = list(iter(lambda: stream.read(_MEGABYTE - 1), b""))
        assert b"".join(pieces) == content
        local = tmp_path / "large.bin"
        backend.get(uri, str(local))
        assert local.read_bytes() == content
        if self.can_write:
            backend.put(str(local), f"{uri}2")
            assert _read(backend, f"{uri}2") == content

    def test_B21_many_are_got(self, backend: BlobBackend, place: Callable[[str, bytes], str], tmp_path: Path) -> None:
        """`get_many` copies every object to its own file; none is nothing."""
        pairs = [(place(f"many/{n}", str(n).encode()), str(tmp_path / f"folder{n % 3}" / str(n))) for n in range(25)]
        backend.get_many(pairs)
        assert [Path(local).read_bytes() for _, local in pairs] == [str(n).encode() for n in range(25)]
        backend.get_many([])

    @needs("can_write")
    def test_B22_many_are_put(self, backend: BlobBackend, base_uri: str, tmp_path: Path) -> None:
        """`put_many` copies every file to its own object; none is nothing."""
        pairs = []
        for n in range(25):
            (tmp_path / str(n)).write_bytes(str(n).encode())
            pairs.append((str(tmp_path / str(n)), child_uri(base_uri, f"many/{n % 3}/{n}")))
        backend.put_many(pairs)
        assert [_read(backend, uri) for _, uri in pairs] == [str(n).encode() for n in range(25)]
        backend.put_many([])

    def test_B23_missing_object(self, backend: BlobBackend, base_uri: str, tmp_path: Path) -> None:
        """Reading, copying or measuring an object that is not there raises `StorageError` with its URI."""
        uri = child_uri(base_uri, "missing.bin")
        local = tmp_path / "local.bin"
        calls: list[Callable[[], object]] = [
            lambda: _read(backend, uri),
            lambda: backend.get(uri, str(local)),
            lambda: backend.get_many([(uri, str(local))]),
            lambda: backend.size(uri),
        ]
        for call in calls:
            with pytest.raises(StorageError) as caught:
                call()
            assert "missing.bin" in str(caught.value)
        assert not local.exists()

    @needs("can_write")
    def test_B24_missing_file(self, backend: BlobBackend, base_uri: str, tmp_path: Path) -> None:
        """Putting a file that is not there raises `StorageError` with its path, and makes no object."""
        uri = child_uri(base_uri, "never.bin")
        with pytest.raises(StorageError, match="no-such-file"):
            backend.put(str(tmp_path / "no-such-file"), uri)
        assert not backend.exists(uri)

    @needs("can_write")
    def test_B25_threads_write_one_object(self, backend: BlobBackend, base_uri: str, tmp_path: Path) -> None:
        """Of threads that put one object at the same time one wins, and its content is whole."""
        uri = child_uri(base_uri, "contended.bin")
        contents = [bytes([n]) * (100_000 + n) for n in range(8)]
        start = threading.Barrier(8)

        def work(n: int) -> None:
            local = tmp_path / f"local{n}"
            local.write_bytes(contents[n])
            start.wait()
            backend.put(str(local), uri)

        in_threads(work, 8)
        assert _read(backend, uri) in contents
        if self.can_list:
            assert [info.uri for info in backend.list(base_uri)] == [uri]

    @needs("can_write")
    def test_B26_threads_write_beside_each_other(self, backend: BlobBackend, base_uri: str) -> None:
        """Threads write, read and delete objects of one new prefix at the same time."""

        def work(n: int) -> None:
            for i in range(5):
                uri = child_uri(base_uri, f"side/{n}/{i}")
                _write(backend, uri, f"{n} {i}".encode())
                assert _read(backend, uri) == f"{n} {i}".encode()
                backend.delete(uri)
                assert not backend.exists(uri)

        in_threads(work, 6)

    def test_B27_local_path(self, backend: BlobBackend, place: Callable[[str, bytes], str]) -> None:
        """`local_path` gives None or the path of a file with the object's bytes."""
        path = backend.local_path(place("local.bin", b"content"))
        assert path is None or Path(path).read_bytes() == b"content"


def _read(backend: BlobBackend, uri: str) -> bytes:
    with backend.open_read(uri) as stream:
        return stream.read()


def _write_half(backend: BlobBackend, uri: str) -> None:
    with backend.open_write(uri) as stream:
        stream.write(b"x" * _MEGABYTE)
        raise ZeroDivisionError


def _write(backend: BlobBackend, uri: str, content: bytes) -> None:
    with backend.open_write(uri) as stream:
        stream.write(content)
