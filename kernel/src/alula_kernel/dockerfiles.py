"""Dockerfiles from descriptions of images."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .errors import UsageError
from .images import (
    AptPackages,
    Commands,
    CondaPackages,
    CopiedFiles,
    DockerfileText,
    EnvVars,
    ImageDescription,
    Installs,
    Layer,
    PipPackages,
    Requirements,
    SecretMount,
    UvProject,
    UvScript,
    Workdir,
)

_VENV = "/opt/venv"
_FILES = "/opt/alula"
_HOME = "/home/alula"
_UV_CACHE = "--mount=type=cache,target=/root/.cache/uv"
_APT_CACHE = (
    "--mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt,sharing=locked"
)


def dockerfile(description: ImageDescription, alula_version: str) -> str:
    """Write the Dockerfile of an image.

    Packages are installed by uv into a virtual environment that comes first on PATH; downloads are kept in cache mounts,
    which are in no layer; secrets are mounted; what runs in the image is not root. The layers stand in the author's
    order. The text holds the content of requirements, projects and scripts, so that it needs no file beside those that
    are copied.

    Args:
        description: The image.
        alula_version: Version of Alula that is installed in it; empty for none.

    Raises:
        UsageError: The author brought a Dockerfile, and more beside it.
    """
    own = [layer for layer in description.layers if isinstance(layer, DockerfileText)]
    if own:
        if len(description.layers) > 1:
            raise UsageError(
                f"the image {description.name!r} has a Dockerfile of its own and other layers",
                hint="Put everything into the Dockerfile: nothing can be added to it.",
            )
        return own[0].text
    return "\n".join(_lines(description, alula_version)) + "\n"


def _lines(description: ImageDescription, alula_version: str) -> Iterator[str]:
    base = description.base or f"python:{description.python_version}-slim"
    alula = f"alula=={alula_version}" if alula_version else ""
    yield "# syntax=docker/dockerfile:1"
    yield f"# {description.reference}"
    yield from _how_to_build(description)
    yield "FROM python:3-slim AS uv"
    yield "RUN pip install --no-cache-dir uv"
    yield ""
    yield f"FROM {base}"
    yield "COPY --from=uv /usr/local/bin/uv /usr/local/bin/uv"
    yield "ENV PYTHONUNBUFFERED=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_INSTALL_DIR=/opt/python \\"
    yield f'    VIRTUAL_ENV={_VENV} PATH="{_VENV}/bin:$PATH"'
    yield f"RUN useradd --create-home --home-dir {_HOME} --shell /bin/sh alula"
    yield f"WORKDIR {_HOME}"
    yield from _environment(description)
    installs = False
    for number, layer in enumerate(description.layers, 1):
        if isinstance(layer, CondaPackages):
            continue
        if isinstance(layer, Installs):
            installs = True
        yield ""
        yield from _layer(layer, number, alula)
    if alula and not installs:
        yield ""
        yield f"RUN {_UV_CACHE} \\\n    uv pip install {alula}"
    yield ""
    yield "USER alula"
    if description.entrypoint:
        yield f"ENTRYPOINT {json.dumps(list(description.entrypoint))}"


def _how_to_build(description: ImageDescription) -> Iterator[str]:
    """Say how the image is built, where that is not plain."""
    secrets = {mount.id for layer in description.layers if isinstance(layer, Installs) for mount in layer.secret_mounts}
    options = [f"--platform {','.join(description.platforms)}"] if description.platforms else []
    options += [f"--secret id={secret},src=..." for secret in sorted(secrets)]
    yield f"# docker build {' '.join([*options, '-t', description.reference])} ."
    yield ""


def _environment(description: ImageDescription) -> Iterator[str]:
    """Make the environment that the packages go into."""
    conda = [layer for layer in description.layers if isinstance(layer, CondaPackages)]
    if not conda:
        python = f" --python {description.python_version}" if description.python_version else ""
        inherited = " --system-site-packages" if description.base else ""  # a base is chosen for what it has
        yield f"RUN uv venv{python}{inherited} {_VENV}"
        return
    channels = dict.fromkeys([channel for layer in conda for channel in layer.channels] or ["conda-forge"])
    packages = [package for layer in conda for package in layer.packages]
    python = f"python={description.python_version}" if description.python_version else "python"
    yield "COPY --from=mambaorg/micromamba /bin/micromamba /usr/local/bin/micromamba"
    yield "RUN --mount=type=cache,target=/opt/micromamba/pkgs \\"
    yield f"    MAMBA_ROOT_PREFIX=/opt/micromamba micromamba create --yes --always-copy --prefix {_VENV} \\"
    yield f"    {' '.join(f'--channel {_word(c)}' for c in channels)} {' '.join(_word(p) for p in [python, *packages])}"


def _layer(layer: Layer, number: int, alula: str) -> Iterator[str]:
    match layer:
        case PipPackages(packages=packages):
            yield _install(layer, " ".join(_word(package) for package in packages), alula)
        case Requirements(content=content, constraints=constraints):
            file = f"{_FILES}/requirements-{number}.txt"
            yield from _written(file, content)
            wanted = f"--requirements {file}"
            if constraints:
                file = f"{_FILES}/constraints-{number}.txt"
                yield from _written(file, constraints)
                wanted += f" --constraints {file}"
            yield _install(layer, wanted, alula)
        case UvScript(metadata=metadata):
            file = f"{_FILES}/script-{number}.py"
            yield from _written(file, metadata)
            yield _install(layer, f"--requirements {file}", alula)
        case UvProject(pyproject=pyproject, lock=lock):
            folder = f"{_FILES}/project-{number}"
            yield from _written(f"{folder}/pyproject.toml", pyproject)
            if not lock:
                yield _install(layer, f"--requirements {folder}/pyproject.toml", alula)
                return
            yield from _written(f"{folder}/uv.lock", lock)
            export = f"uv export --frozen --no-emit-project --no-dev --no-hashes --quiet --project {folder}"
            yield f"RUN {export} --output-file {folder}/locked.txt"
            yield _install(layer, f"--requirements {folder}/locked.txt", alula)
        case AptPackages(packages=packages):
            yield f"RUN {_APT_CACHE} \\"
            yield "    rm -f /etc/apt/apt.conf.d/docker-clean && apt-get update \\"
            yield f"    && apt-get install --yes --no-install-recommends {' '.join(map(_word, packages))}"
        case Commands(commands=commands):
            yield "\n".join(f"RUN {command}" for command in commands)
        case EnvVars(values=values):
            yield "ENV " + " \\\n    ".join(f"{name}={_quoted(value)}" for name, value in values.items())
        case CopiedFiles(source=source, destination=destination):
            yield f"COPY --chown=alula {json.dumps([source, destination])}"
        case Workdir(path=path):
            yield f"WORKDIR {path}"


def _install(layer: Installs, wanted: str, alula: str) -> str:
    mounts = "".join(f" {_secret(mount)}" for mount in layer.secret_mounts)
    options = [f"--index-url {_word(layer.index_url)}"] if layer.index_url else []
    options += [f"--extra-index-url {_word(url)}" for url in layer.extra_index_urls]
    options += ["--prerelease allow"] if layer.prerelease else []
    options += [_word(argument) for argument in layer.extra_args]
    return f"RUN {_UV_CACHE}{mounts} \\\n    {' '.join(filter(None, ['uv pip install', *options, alula, wanted]))}"


def _secret(mount: SecretMount) -> str:
    target = f",target={mount.target}" if mount.target else ""
    variable = f",env={mount.env_var}" if mount.env_var else ""
    return f"--mount=type=secret,id={mount.id}{target}{variable},required=true"


def _written(path: str, content: str) -> Iterator[str]:
    """Write a file by a here-document in which nothing is replaced."""
    end = "EOF"
    while end in content.splitlines():
        end += "_"
    yield f"COPY <<'{end}' {path}"
    yield content.rstrip("\n")
    yield end


def _word(text: str) -> str:
    """Quote a word for the shell where that is needed."""
    import shlex

    return shlex.quote(text)


def _quoted(text: str) -> str:
    """Quote a value of ENV, in which Docker would replace variables."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\n")
    return f'"{escaped}"'
