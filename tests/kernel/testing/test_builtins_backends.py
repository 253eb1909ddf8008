"""The built-in blob backends keep what the contract promises."""

from __future__ import annotations

import functools
import io
import re
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from alula_kernel.builtin.backends import FileBackend, FsspecBackend, MemoryBackend
from alula_kernel.contracts import BlobBackend
from alula_kernel.testing import BlobBackendConformance
from alula_kernel.uris import child_uri, uri_of


class TestFile(BlobBackendConformance):
    @pytest.fixture
    def backend(self) -> BlobBackend:
        return FileBackend()

    @pytest.fixture
    def base_uri(self, tmp_path: Path) -> str:
        return uri_of(tmp_path / "blobs")


class TestMemory(BlobBackendConformance):
    @pytest.fixture
    def backend(self) -> BlobBackend:
        return MemoryBackend()

    @pytest.fixture
    def base_uri(self) -> str:
        return "memory://blobs/prefix"


class Handler(SimpleHTTPRequestHandler):
    """Serves files, and parts of files when it is asked for a range."""

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def send_head(self) -> BinaryIO | None:  # type: ignore[override]
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if wanted is None or not path.is_file():
            return cast("BinaryIO | None", super().send_head())
        content = path.read_bytes()
        first, last = int(wanted[1]), min(int(wanted[2]), len(content) - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        return io.BytesIO(content[first : last + 1])


class WholeFiles(Handler):
    """Sends whole files only, as Python's own server does."""

    def send_head(self) -> BinaryIO | None:  # type: ignore[override]
        del self.headers["Range"]
        return super().send_head()


class TestFsspecReadOnly(BlobBackendConformance):
    """A web server, which can neither be written to nor listed."""

    can_write = False
    can_list = False
    handler: type[SimpleHTTPRequestHandler] = Handler

    @pytest.fixture
    def backend(self) -> BlobBackend:
        return FsspecBackend()

    @pytest.fixture
    def base_uri(self, tmp_path: Path) -> Iterator[str]:
        folder = tmp_path / "served"
        folder.mkdir()
        with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(self.handler, directory=str(folder))) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()
            thread.join()

    @pytest.fixture
    def place(self, base_uri: str, tmp_path: Path) -> Callable[[str, bytes], str]:
        def write(name: str, content: bytes) -> str:
            path = tmp_path / "served" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            return child_uri(base_uri, name)

        return write


class TestFsspecWithoutRanges(TestFsspecReadOnly):
    """A web server that sends whole files only, as many do."""

    is_seekable = False
    handler = WholeFiles
