"""The running Alula, and what it needs, as wheels that can be installed into another environment.

An environment made for a task has to hold the same Alula as the program that sends it work, whether that came from a
package index, a wheel or a checkout, and also on a machine that no index can be reached from. So the running
installation is packed into wheels again. One that is editable becomes a wheel that points to the same source folder, as
its own does.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib
import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import msgspec

from alula_kernel.errors import UsageError

from ._settings import Settings

_OURS = {"alula-kernel": "alula_kernel", "alula": "alula"}
_NOT_PACKED = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class RunningAlula(msgspec.Struct, frozen=True):
    """The installation of Alula that this process runs.

    Attributes:
        digest: Identity of it and of the versions that it needs, in hexadecimal.
        needed: Versions of what it needs, by name.
    """

    digest: str
    needed: dict[str, str]

    @property
    def pins(self) -> str:
        """The versions as a constraints file."""
        return "".join(f"{name}=={version}\n" for name, version in sorted(self.needed.items()))


def running_alula() -> RunningAlula:
    """Look at the installation of Alula that this process runs.

    Raises:
        UsageError: It is not installed as a distribution.
    """
    digest = hashlib.sha256()
    for name, package in _ours_by_name().items():
        found = _ours(name)
        source = _source_folder(found, package)
        record = str(source) if source is not None else found.read_text("RECORD") or ""
        digest.update(f"{name}=={found.version}\n{found.read_text('METADATA')}\n{record}\n".encode())
    needed = {found.name: found.version for found in _needed()}
    digest.update(json.dumps(needed, sort_keys=True).encode())
    return RunningAlula(digest.hexdigest(), needed)


def wheels(running: RunningAlula, folder: Path) -> list[Path]:
    """Pack the running Alula and what it needs into a folder, unless that was done before.

    Args:
        running: The running installation.
        folder: The folder; it is made, and appears whole or not at all.

    Returns:
        The wheels of Alula itself; those that it needs lie beside them.
    """
    if not folder.is_dir():
        building = folder.with_name(f"{folder.name}.{os.getpid()}-{os.urandom(4).hex()}")
        building.mkdir(parents=True)
        try:
            for name, package in _ours_by_name().items():
                _pack_ours(_ours(name), package, building)
            for found in _needed():
                _pack(found, building)
            building.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster
                raise
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return [next(folder.glob(f"{_escaped(name)}-*.whl")) for name in _ours_by_name()]


def _ours_by_name() -> dict[str, str]:
    """Return the package of each distribution that every process of a run needs: Alula's, and of what it imports first."""
    found = dict(_OURS)
    tops = {module.partition(".")[0] for module in Settings.from_environment().preload}
    if tops:
        owners = packages_distributions()  # without editable ones
        for top in sorted(tops):
            name = owners.get(top, [top])[0]
            found[re.sub(r"[-_.]+", "-", name).lower()] = top
    return found


def _ours(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise UsageError(
            f"{name} runs here without being installed, so it cannot be installed into the environment of a task",
            hint="Install it with pip, from its source folder if need be: pip install -e .",
        ) from None


def _needed() -> Iterator[Distribution]:
    """Yield what Alula needs, and what that needs, as far as it is installed."""
    waiting = list(_ours_by_name())
    seen = set(waiting)
    while waiting:
        for requirement in distribution(waiting.pop()).requires or ():
            match = _NAME.match(requirement)
            if match is None or re.search(r";.*\bextra\s*==", requirement):
                continue
            name = re.sub(r"[-_.]+", "-", match[0]).lower()
            if name in seen:
                continue
            seen.add(name)
            try:
                found = distribution(name)
            except PackageNotFoundError:  # for another platform or Python
                continue
            waiting.append(name)
            yield found


def _source_folder(found: Distribution, package: str) -> Path | None:
    """Return the folder that holds the source of an editable installation; None for one that is not editable."""
    if not _is_editable(found):
        return None
    return Path(str(importlib.import_module(package).__file__)).parent.parent


def _is_editable(found: Distribution) -> bool:
    direct = json.loads(found.read_text("direct_url.json") or "{}")
    return bool(direct.get("dir_info", {}).get("editable"))


def _pack_ours(found: Distribution, package: str, folder: Path) -> None:
    source = _source_folder(found, package)
    if source is None:
        if not _pack(found, folder):
            raise UsageError(
                f"the installation of {found.name} has no list of its files, so it cannot be installed into the environment "
                "of a task",
                hint=f"Install it anew with pip: pip install --force-reinstall {found.name}",
            )
        return
    info = f"{_escaped(found.name)}-{found.version}.dist-info"
    files = {
        f"_{package}_source.pth": f"{source}\n".encode(),
        f"{info}/METADATA": (found.read_text("METADATA") or "").encode(),
        f"{info}/entry_points.txt": (found.read_text("entry_points.txt") or "").encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: alula\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    _write(folder / f"{_escaped(found.name)}-{found.version}-py3-none-any.whl", info, files)


def _pack(found: Distribution, folder: Path) -> bool:
    """Pack an installed distribution and return True; one that cannot be is left out, and comes from the index."""
    tags = [tag.split("-") for tag in re.findall(r"^Tag: (\S+)$", found.read_text("WHEEL") or "", re.MULTILINE)]
    if not tags or found.files is None or _is_editable(found):
        return False
    files = {}
    for file in found.files:
        path = Path(str(file.locate()))
        if file.parts[0] == ".." or "__pycache__" in file.parts or file.name in _NOT_PACKED or not path.is_file():
            continue
        files[file.as_posix()] = path.read_bytes()
    tag = "-".join(".".join(dict.fromkeys(parts)) for parts in zip(*tags, strict=True))
    info = next(name.partition("/")[0] for name in files if name.partition("/")[0].endswith(".dist-info"))
    _write(folder / f"{_escaped(found.name)}-{found.version}-{tag}.whl", info, files)
    return True


def _write(path: Path, info: str, files: Mapping[str, bytes]) -> None:
    """Write a wheel, as the specification of binary distributions has it (PyPA, version 1.0)."""
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            rows.writerow([name, f"sha256={digest}", len(content)])
        rows.writerow([f"{info}/RECORD", "", ""])
        archive.writestr(f"{info}/RECORD", record.getvalue())


def _escaped(name: str) -> str:
    """Write a distribution's name as it stands in file names."""
    return re.sub(r"[-_.]+", "_", name).lower()
