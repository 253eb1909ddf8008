"""Archives of source files: the same files give the same bytes, and unpacking never leaves the folder."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import secrets
import shutil
import stat
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from typing import IO, BinaryIO

from alula_kernel.errors import UsageError

SIZE_LIMIT_BYTES = 256 * 1024 * 1024
"""Most that the files of a bundle may have together, if nothing else is said."""
UNPACKED_LIMIT_BYTES = 4 * 1024 * 1024 * 1024
"""Most that a worker unpacks."""
ENTRY_LIMIT = 200_000
"""Most entries of an archive that a worker unpacks."""

_LISTED_FILES = 10


class BundleError(UsageError):
    """A bundle cannot be made, or is damaged."""


def write_archive(files: Mapping[str, str], target: BinaryIO, limit_bytes: int = SIZE_LIMIT_BYTES) -> None:
    """Write files into a gzipped tar archive: sorted names, no times, no owners, one of two modes.

    A symbolic link stays one if it leads to a place inside the archive's own tree.

    Args:
        files: Path of each file by its name in the archive.
        target: Where the archive is written.
        limit_bytes: Most that the files may have together.

    Raises:
        BundleError: They are larger, or a link leads elsewhere.
    """
    _check_size(files, limit_bytes)
    # Neither a time nor a file name goes into the header; level 6 is what every gzip does best.
    with (
        gzip.GzipFile(filename="", fileobj=target, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in sorted(files):
            _add(archive, name, files[name])


def _add(archive: tarfile.TarFile, name: str, path: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o644
    if os.path.islink(path):
        entry.type = tarfile.SYMTYPE
        target = os.readlink(path)
        inside = _link_inside(name, target.replace(os.sep, "/"))
        if inside is None:
            raise BundleError(
                f"{path} is a link to {target}, which is outside of the source folder",
                hint="Copy what it leads to, or leave the link out in a .alulaignore file.",
            )
        entry.linkname = inside
        archive.addfile(entry)
        return
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if status.st_mode & stat.S_IXUSR:
            entry.mode = 0o755
        content = file.read()  # what it has now, should it grow while it is read
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


def _check_size(files: Mapping[str, str], limit_bytes: int) -> None:
    sizes = {name: os.lstat(path).st_size for name, path in files.items()}
    total = sum(sizes.values())
    if total <= limit_bytes:
        return
    largest = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:_LISTED_FILES]
    listed = "\n".join(f"  {_shown(size):>10}  {name}" for name, size in largest)
    raise BundleError(
        f"the code has {_shown(total)} in {len(files):,} files, and at most {_shown(limit_bytes)} are sent; the largest are\n{listed}",
        hint="Leave data out in a .alulaignore file, which has the format of .gitignore, and pass it as inputs.",
    )


def _shown(size_bytes: int) -> str:
    return f"{size_bytes / 1024 / 1024:,.1f} MiB"


def _link_inside(name: str, link: str) -> str | None:
    """Return a link's target in its simplest form, or None if it may lead out of the archive.

    Only a beginning of ``..`` is allowed: after another name, which may be a link itself, it could lead anywhere.
    """
    if link.startswith("/") or "\0" in link:
        return None
    parts = [part for part in link.split("/") if part not in {"", "."}]
    up = 0
    while up < len(parts) and parts[up] == "..":
        up += 1
    if up > name.count("/") or ".." in parts[up:]:
        return None
    return "/".join(parts) or "."


# --- unpacking -------------------------------------------------------------------------------------------------------


def unpack_archive(source: IO[bytes], target: str, digest: str, limit_bytes: int = UNPACKED_LIMIT_BYTES) -> None:
    """Unpack an archive into a new folder, which appears whole or not at all.

    Several processes may do this at once; the first one that is done makes the folder.

    Args:
        source: The archive.
        target: The folder.
        digest: SHA-256 of the archive in hexadecimal.
        limit_bytes: Most that the files may have together.

    Raises:
        BundleError: The archive is damaged, larger, or has an entry that would lie outside of the folder.
    """
    above = os.path.dirname(target)
    os.makedirs(above, exist_ok=True)
    stage = os.path.join(above, f".{os.path.basename(target)}.{os.getpid()}.{secrets.token_hex(4)}")
    os.mkdir(stage)
    try:
        copy = os.path.join(stage, "archive")
        with open(copy, "w+b") as file:
            _copy_checked(source, file, digest, limit_bytes)
            folder = os.path.join(stage, "files")
            os.mkdir(folder)
            _extract(file, folder, limit_bytes)
        try:
            os.rename(folder, target)
        except OSError:
            if not os.path.isdir(target):
                raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _copy_checked(source: IO[bytes], target: IO[bytes], digest: str, limit_bytes: int) -> None:
    found = hashlib.sha256()
    size = 0
    while block := source.read(1 << 20):
        size += len(block)
        if size > limit_bytes:
            raise BundleError(f"the code bundle {digest} has more than {_shown(limit_bytes)}")
        found.update(block)
        target.write(block)
    if found.hexdigest() != digest:
        raise BundleError(f"the code bundle is damaged: expected SHA-256 {digest}, found {found.hexdigest()}")
    target.seek(0)


class _Bounded(io.RawIOBase):
    """A stream that ends with an error when more than so much was read: archives may unpack to any size."""

    def __init__(self, stream: gzip.GzipFile, limit_bytes: int) -> None:
        self._stream = stream
        self._left = limit_bytes
        self._limit = limit_bytes

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise BundleError(f"the code bundle unpacks to more than {_shown(self._limit)}")
        return data


def _extract(packed: IO[bytes], folder: str, limit_bytes: int) -> None:
    links: dict[str, str] = {}
    try:
        # Headers and padding take at most some hundred bytes per entry beside the files themselves.
        plain = _Bounded(gzip.GzipFile(fileobj=packed), limit_bytes + ENTRY_LIMIT * 4096)
        with tarfile.open(fileobj=plain, mode="r|", ignore_zeros=False) as archive:
            for count, entry in enumerate(archive):
                if count >= ENTRY_LIMIT:
                    raise BundleError(f"the code bundle has more than {ENTRY_LIMIT:,} entries")
                limit_bytes -= entry.size
                if limit_bytes < 0:
                    raise BundleError("the code bundle unpacks to more than is allowed")
                _extract_entry(archive, entry, folder, links)
        _make_links(folder, links)
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as problem:
        raise BundleError(f"the code bundle cannot be unpacked: {problem}") from problem


def _make_links(folder: str, links: Mapping[str, str]) -> None:
    """Make links when all files are there, so that nothing is written through them."""
    for name, link in links.items():
        above = os.path.dirname(name)
        while above:
            if above in links:  # its depth, by which its own link was judged, would be another one
                raise BundleError(f"the code bundle has an entry {name!r} below the link {above!r}")
            above = os.path.dirname(above)
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(link, path)


def _extract_entry(archive: tarfile.TarFile, entry: tarfile.TarInfo, folder: str, links: dict[str, str]) -> None:
    name = entry.name
    parts = name.split("/")
    if name.startswith("/") or any(part in {"", ".", ".."} for part in parts) or "\\" in name or "\0" in name:
        raise BundleError(f"the code bundle has an entry of the unsafe name {name!r}")
    if entry.issym():
        target = _link_inside(name, entry.linkname)
        if target is None:
            raise BundleError(f"the code bundle has a link {name!r} that leads out of it, to {entry.linkname!r}")
        if name in links:
            raise BundleError(f"the code bundle has two entries {name!r}")
        links[name] = target
        return
    if not entry.isreg():
        raise BundleError(f"the code bundle has an entry {name!r} that is neither a file nor a link")
    content = archive.extractfile(entry)
    assert content is not None
    path = os.path.join(folder, *parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as file:
        shutil.copyfileobj(content, file)
    if entry.mode & 0o100:
        os.chmod(path, 0o755)


def files_under(root: str, names: Iterable[str]) -> dict[str, str]:
    """Return the path of each name below a folder."""
    return {name: os.path.join(root, *name.split("/")) for name in names}
