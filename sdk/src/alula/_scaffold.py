"""New folders from templates: ``alula plugins new`` and ``alula init``.

A template is a folder in ``_templates``. Every file in it ends in ``.tmpl`` and is rendered with `string.Template`, where
``$$`` stands for a dollar sign; ``__package__`` in its path stands for the package, and ``dot_`` for a leading dot.
"""

from __future__ import annotations

import keyword
import re
import shutil
import string
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from alula_kernel.errors import UnknownNameError, UsageError

_TEMPLATES = Path(__file__).parent / "_templates"
_SUFFIX = ".tmpl"
_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_OURS = frozenset({"alula", "alula_kernel", "alula_server"})


def new_plugin(name: str, target_dir: str | Path) -> Path:
    """Make a plugin package: a type with its transformer, and tests that pass.

    Args:
        name: Name of the distribution, as ``alula-demo``; the package is ``alula_demo`` and the entry point ``demo``.
        target_dir: Folder in which the package's folder is made, under the distribution's name.

    Returns:
        The new folder.

    Raises:
        UsageError: The name is no name of a distribution or cannot be one of a package, the folder exists, or it cannot
            be written.
    """
    package = package_name(name)
    short = re.sub(r"[-_.]+", "-", name).lower().removeprefix("alula-")
    values = {"name": name, "package": package, "short": short, **_kernel_versions()}
    return render("plugin", Path(target_dir) / name, values)


def package_name(name: str) -> str:
    """Return the name of the Python package of a distribution.

    Raises:
        UsageError: There is none: the name has other characters than letters, digits, ``-``, ``_`` and ``.``, or the
            package would hide a part of Python or of Alula.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name of a distribution",
            hint="Use letters, digits and hyphens, and begin with a letter, as alula-demo.",
        )
    package = re.sub(r"[-_.]+", "_", name).lower()
    if keyword.iskeyword(package) or package in sys.stdlib_module_names or package in _OURS:
        whose = "Alula" if package in _OURS else "Python"
        raise UsageError(f"the package {package!r} belongs to {whose}", hint=f"Choose another name, as alula-{name}.")
    return package


def render(template: str, target: Path, values: Mapping[str, str]) -> Path:
    """Make a folder from a template; it appears whole or not at all.

    Args:
        template: Name of the template.
        target: The folder; it may exist if it is empty.
        values: What the names in the template stand for; ``package`` also stands for ``__package__`` in paths.

    Returns:
        The folder.

    Raises:
        UnknownNameError: There is no such template.
        UsageError: The folder exists and is not empty, or cannot be written.
    """
    source = _TEMPLATES / template
    if not source.is_dir():
        raise UnknownNameError.among("template", template, [folder.name for folder in _TEMPLATES.iterdir()])
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise UsageError(f"{target} exists already", hint="Choose another name, or remove it first.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".alula-new-") as stage:
            made = Path(stage) / "new"
            for file in sorted(source.rglob(f"*{_SUFFIX}")):
                destination = made / _rendered_path(file.relative_to(source), values)
                destination.parent.mkdir(parents=True, exist_ok=True)
                text = string.Template(file.read_text(encoding="utf-8")).substitute(values)
                destination.write_text(text, encoding="utf-8")
            if target.exists():
                target.rmdir()
            shutil.move(made, target)
    except OSError as error:
        raise UsageError(f"cannot make {target}: {error.strerror or error}", hint="Choose another folder.") from error
    return target


def _rendered_path(path: Path, values: Mapping[str, str]) -> Path:
    parts = [values["package"] if part == "__package__" else part for part in path.with_suffix("").parts]
    return Path(*(f".{part.removeprefix('dot_')}" if part.startswith("dot_") else part for part in parts))


def _kernel_versions() -> dict[str, str]:
    """Return the kernel's version and the first one that may be incompatible."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        current = version("alula-kernel")
    except PackageNotFoundError:  # run from a checkout that is not installed
        current = "0.1.0"
    major, minor = (int(part) for part in current.split(".")[:2])
    return {"kernel_version": current, "next_kernel_version": f"0.{minor + 1}" if major == 0 else str(major + 1)}
