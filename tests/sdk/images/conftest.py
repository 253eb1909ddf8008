"""A folder of tiny packages, so that environments are built without an index."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

MakeWheel = Callable[..., Path]


@pytest.fixture(scope="session")
def package_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the package ``tinylib`` in the versions 1.0, 1.1 and 2.0, which calls itself by its version."""
    folder = tmp_path_factory.mktemp("packages")
    for version in ("1.0", "1.1", "2.0"):
        code = f"VERSION = {version!r}\n\ndef main() -> None:\n    print(VERSION)\n"
        metadata = f"Metadata-Version: 2.1\nName: tinylib\nVersion: {version}\n"
        wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        info = f"tinylib-{version}.dist-info"
        files = {
            "tinylib.py": code,
            f"{info}/METADATA": metadata,
            f"{info}/WHEEL": wheel,
            f"{info}/entry_points.txt": "[console_scripts]\ntinylib = tinylib:main\n",
        }
        record = []
        with zipfile.ZipFile(folder / f"tinylib-{version}-py3-none-any.whl", "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
                digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
                record.append(f"{name},sha256={digest},{len(text)}")
            archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,"]) + "\n")
    return folder


@pytest.fixture
def offline(package_folder: Path) -> str:
    """Give arguments of the installer that let it look nowhere else."""
    return f"--no-index --find-links {package_folder}"
