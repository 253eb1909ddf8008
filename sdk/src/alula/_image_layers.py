"""Layers of images as data, with what is read from the author's files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from alula_kernel.errors import UsageError
from alula_kernel.images import (
    AptPackages,
    Commands,
    CopiedFiles,
    DockerfileText,
    EnvVars,
    Installs,
    PipPackages,
    Requirements,
    SecretMount,
    UvProject,
    UvScript,
    Workdir,
)

_SCRIPT_METADATA = re.compile(r"^# /// script\s*$(?:\n^#(?: .*)?$)+?\n^# ///$", re.MULTILINE)
_INCLUDED = re.compile(r"^\s*(?:-r|--requirement)[\s=]+(\S+)")
_CONSTRAINTS = re.compile(r"^\s*(?:-c|--constraint)[\s=]+(\S+)")
_LOCAL_PATH = re.compile(r"^(\s*(?:(?:-e|--editable|-f|--find-links)[\s=]+)?)(\.{1,2}(?:/\S*)?)(?=\s|$)")
"""An option that takes a path, if there is one, and a path that begins with a dot."""


def installs(
    index_url: str | None = None,
    extra_index_urls: str | Sequence[str] | None = None,
    *,
    pre: bool = False,
    extra_args: str | None = None,
    secret_mounts: Any = None,
) -> Installs:
    """Bring the options of installing into one value.

    Raises:
        UsageError: An index URL holds a password, or a secret has no name.
    """
    import shlex

    extra = (extra_index_urls,) if isinstance(extra_index_urls, str) else tuple(extra_index_urls or ())
    arguments = tuple(_absolute(argument, Path()) for argument in shlex.split(extra_args or ""))
    for text in (index_url or "", *extra, *arguments):
        _refuse_password(text)
    mounts = [secret_mounts] if isinstance(secret_mounts, str) or hasattr(secret_mounts, "key") else secret_mounts
    return Installs(
        index_url=index_url or "",
        extra_index_urls=extra,
        prerelease=pre,
        extra_args=arguments,
        secret_mounts=tuple(_secret_mount(mount) for mount in mounts or ()),
    )


def _refuse_password(text: str) -> None:
    if re.search(r"://[^/\s@]*:[^/\s@]+@", text):
        shown = re.sub(r"://[^/\s@]*@", "://", text)
        raise UsageError(
            f"the package index {shown} was given with a password, which would become a part of the task's spec",
            hint="Leave it out: installers read it from ~/.netrc, or from a secret that the image mounts.",
        )


def _secret_mount(mount: Any) -> SecretMount:
    if isinstance(mount, (tuple, list)):
        source, target = mount
        return SecretMount(Path(source).name, target=str(target))
    if isinstance(mount, str):
        return SecretMount(mount, env_var=mount)
    name = "_".join(part for part in (mount.group, mount.key) if part)
    return SecretMount(name, target=str(mount.mount or ""), env_var=mount.variable)


def packages_layer(packages: tuple[str, ...], options: Installs) -> PipPackages:
    """Install packages.

    Raises:
        UsageError: The URL of a package holds a password.
    """
    for package in packages:
        _refuse_password(package)
    return PipPackages(packages=tuple(_absolute(package, Path()) for package in packages), **_fields(options))


def requirements_layer(file: str, options: Installs, beside: str = "") -> Requirements | UvProject:
    """Install what a requirements file lists, or a project as ``pyproject.toml`` or ``uv.lock``.

    Raises:
        UsageError: It cannot be read.
    """
    path = _found(file, beside)
    if path.name in {"pyproject.toml", "uv.lock"}:
        return project_layer(str(path.with_name("pyproject.toml")), "", options)
    constraints: list[str] = []
    content = "\n".join(_requirements(path, constraints, ()))
    return Requirements(content=f"{content}\n", constraints="".join(constraints), name=path.name, **_fields(options))


def _requirements(path: Path, constraints: list[str], outer: tuple[Path, ...]) -> Iterator[str]:
    """Yield the lines of a requirements file with those of the files that it includes; paths become absolute."""
    if path in outer:
        raise UsageError(f"the requirements file {path} includes itself")
    for number, line in enumerate(_read(path, "requirements file").splitlines(), 1):
        if match := _INCLUDED.match(line):
            yield from _requirements(path.parent / match[1], constraints, (*outer, path))
        elif match := _CONSTRAINTS.match(line):
            constraints.append(_read(path.parent / match[1], "constraints file"))
        else:
            try:
                _refuse_password(line)
            except UsageError as problem:
                raise UsageError(problem.message, hint=problem.hint, location=f"{path}:{number}") from None
            yield _absolute(line, path.parent)


def _absolute(text: str, folder: Path) -> str:
    """Make a path that begins with a dot absolute; installers look for it elsewhere."""
    return _LOCAL_PATH.sub(lambda match: f"{match[1]}{(folder / match[2]).resolve()}", text)


def project_layer(pyproject_file: str, uvlock: str, options: Installs, beside: str = "") -> UvProject:
    """Install the dependencies of a project; ``uv.lock`` beside its file is used if there is one.

    Raises:
        UsageError: A file cannot be read.
    """
    pyproject = _found(pyproject_file, beside)
    locked = _found(uvlock, beside) if uvlock else pyproject.with_name("uv.lock")
    lock = _read(locked, "lock file") if uvlock or locked.is_file() else ""
    return UvProject(pyproject=_read(pyproject, "project file"), lock=lock, **_fields(options))


def script_layer(script: str, options: Installs, beside: str = "") -> UvScript:
    """Install what the inline metadata of a script asks for.

    Raises:
        UsageError: The script cannot be read, or has no such metadata.
    """
    found = _SCRIPT_METADATA.search(_read(_found(script, beside), "script"))
    if found is None:
        raise UsageError(
            f"{script} has no inline metadata",
            hint="Begin it with a comment block from `# /// script` to `# ///` that holds `# dependencies = [...]`.",
        )
    return UvScript(metadata=f"{found[0]}\n", **_fields(options))


def apt_layer(packages: tuple[str, ...]) -> AptPackages:
    """Install Debian packages."""
    return AptPackages(packages)


def commands_layer(commands: tuple[str, ...]) -> Commands:
    """Run commands."""
    return Commands(commands)


def env_layer(items: tuple[tuple[str, str], ...]) -> EnvVars:
    """Set environment variables."""
    return EnvVars({name: str(value) for name, value in items})


def workdir_layer(path: str) -> Workdir:
    """Set the working directory."""
    return Workdir(path)


def dockerfile_layer(file: str, beside: str = "") -> DockerfileText:
    """Take a Dockerfile as it is.

    Raises:
        UsageError: It cannot be read.
    """
    return DockerfileText(_read(_found(file, beside), "Dockerfile"))


def copied_files(source: str, destination: str, beside: str = "") -> CopiedFiles:
    """Copy a file or what is in a folder.

    Raises:
        UsageError: There is no such file or folder.
    """
    path = _found(source, beside)
    if not path.exists():
        raise UsageError(f"there is no file or folder {source!r}, which the image copies")
    digest = hashlib.sha256()
    files = sorted(found for found in path.rglob("*") if found.is_file()) if path.is_dir() else [path]
    for file in files:
        if "__pycache__" in file.parts:
            continue
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(path)}\0{content}\n".encode())
    return CopiedFiles(source, destination, digest.hexdigest(), folder=path.is_dir())


def base_image(cuda: str | None, cudnn: str | None) -> str:
    """Return the public image that has a version of CUDA, or an empty string if none is asked for.

    Raises:
        UsageError: cuDNN is asked for without CUDA.
    """
    if cudnn and not cuda:
        raise UsageError(f"cudnn={cudnn!r} was given without cuda", hint="Say which version of CUDA it is for.")
    if not cuda:
        return ""
    major = (cudnn or "").partition(".")[0]
    library = f"cudnn{major if major != '9' else ''}-" if major else ""  # since version 9 it is not in the name
    return f"nvidia/cuda:{cuda}-{library}runtime-ubuntu22.04"


def _fields(options: Installs) -> dict[str, Any]:
    return msgspec.structs.asdict(options)


def _found(path: str, beside: str) -> Path:
    """Return a file of the author's: from the working directory, else from the folder of the file that names it."""
    found = Path(path)
    return found if found.is_absolute() or found.exists() or not beside else Path(beside, path)


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise UsageError(
            f"cannot read the {what} {str(path)!r} of an image: {reason}",
            hint="Relative paths are looked for in the working directory, then beside the file that names them.",
        ) from problem
