"""Importing storage and caches, and using local files, brings in nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = "fsspec asyncio sqlite3 logging tempfile shutil random urllib aiohttp s3fs numpy"
SCRIPT = f"""
import sys
before = set(sys.modules)
from alula_kernel.builtin.backends import builtin_backends
from alula_kernel.builtin import sqlite_cache
from alula_kernel import cachekeys
from alula_kernel.storage import Storage
storage = Storage(builtin_backends(), sys.argv[1])
blob = storage.put_bytes(b"x", name="x.csv")
with storage.writer() as stream:
    stream.write(b"y")
with storage.open(blob.uri) as stream:
    assert stream.read() == b"x"
print(*(name for name in {HEAVY!r}.split() if name in sys.modules and name not in before))
"""


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    command = [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{SCRIPT}", str(tmp_path / "plain")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("\n", "")
