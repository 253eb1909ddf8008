"""Descriptions of images: what a task's environment has in it, as data, whoever builds it and whatever it becomes.

`TaskSpec.image` holds a reference of an image that exists, as ``team/train:3``, or a description as `encode_image` writes
it; `decode_image` tells the two apart. A description becomes a Dockerfile (`alula_kernel.dockerfiles`), or on a machine
without containers a virtual environment, by an `ImageBuilder`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Union

import msgspec

from .errors import UsageError

ENVIRONMENT = "environment"
"""Value of `ImageBuilder.makes`: a Python on this machine."""
CONTAINER_IMAGE = "container_image"
"""Value of `ImageBuilder.makes`: a container image with a reference."""

TAG_CHARS = 20
"""Length of the tag of a description: the beginning of its digest, 80 bits."""


class SecretMount(msgspec.Struct, frozen=True, omit_defaults=True):
    """A secret that installing needs, as credentials of a package index. It is mounted, and stays in no layer.

    Attributes:
        id: Its name for the builder, as in ``docker build --secret id=...``.
        target: Path at which the installer finds it; empty for the builder's default.
        env_var: Environment variable in which the installer finds it; empty for none.
    """

    id: str
    target: str = ""
    env_var: str = ""


class Installs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a layer that installs Python packages finds them.

    Attributes:
        index_url: The package index; empty for the installer's default.
        extra_index_urls: More indexes, which come first.
        prerelease: Whether versions before a release are taken.
        extra_args: More arguments of the installer, as ``--no-binary numpy``.
        secret_mounts: Secrets that installing needs; not a part of the image's identity.
    """

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    prerelease: bool = False
    extra_args: tuple[str, ...] = ()
    secret_mounts: tuple[SecretMount, ...] = ()


class PipPackages(Installs, frozen=True, kw_only=True, omit_defaults=True, tag="packages", tag_field="layer"):
    """Install packages, each as pip takes it, as ``pandas>=2``."""

    packages: tuple[str, ...]


class Requirements(Installs, frozen=True, kw_only=True, omit_defaults=True, tag="requirements", tag_field="layer"):
    """Install what a requirements file lists.

    Attributes:
        content: Its text, included files in their places.
        constraints: Text of the constraint files that it names.
        name: Name of the file, for messages.
    """

    content: str
    constraints: str = ""
    name: str = "requirements.txt"


class UvProject(Installs, frozen=True, kw_only=True, omit_defaults=True, tag="uv_project", tag_field="layer"):
    """Install the dependencies of a project, without the project itself.

    Attributes:
        pyproject: Text of its ``pyproject.toml``.
        lock: Text of its ``uv.lock``; empty if it has none.
    """

    pyproject: str
    lock: str = ""


class UvScript(Installs, frozen=True, kw_only=True, omit_defaults=True, tag="uv_script", tag_field="layer"):
    """Install what the inline metadata of a script asks for (PEP 723).

    Attributes:
        metadata: The block of metadata, comment signs included; the rest of the script does not count.
    """

    metadata: str


class CondaPackages(msgspec.Struct, frozen=True, omit_defaults=True, tag="conda", tag_field="layer"):
    """Install Conda packages from channels."""

    packages: tuple[str, ...]
    channels: tuple[str, ...] = ()


class AptPackages(msgspec.Struct, frozen=True, omit_defaults=True, tag="apt", tag_field="layer"):
    """Install Debian packages."""

    packages: tuple[str, ...]


class Commands(msgspec.Struct, frozen=True, omit_defaults=True, tag="commands", tag_field="layer"):
    """Run commands, each in a shell of its own."""

    commands: tuple[str, ...]


class EnvVars(msgspec.Struct, frozen=True, omit_defaults=True, tag="env", tag_field="layer"):
    """Set environment variables."""

    values: dict[str, str]


class CopiedFiles(msgspec.Struct, frozen=True, omit_defaults=True, tag="copy", tag_field="layer"):
    """Copy a file, or the content of a folder.

    Attributes:
        source: Path of it, as the author wrote it.
        destination: Where it goes; relative to the working directory.
        digest: SHA-256 of the content in hexadecimal.
        folder: Whether it is a folder.
    """

    source: str
    destination: str
    digest: str
    folder: bool = False


class Workdir(msgspec.Struct, frozen=True, omit_defaults=True, tag="workdir", tag_field="layer"):
    """Set the working directory."""

    path: str


class DockerfileText(msgspec.Struct, frozen=True, omit_defaults=True, tag="dockerfile", tag_field="layer"):
    """Everything about the image, as the text of a Dockerfile of the author's own."""

    text: str


PythonLayer = PipPackages | Requirements | UvProject | UvScript
"""Layers that install Python packages."""

Layer = Union[  # noqa: UP007 - evaluated by msgspec
    PipPackages,
    Requirements,
    UvProject,
    UvScript,
    CondaPackages,
    AptPackages,
    Commands,
    EnvVars,
    CopiedFiles,
    Workdir,
    DockerfileText,
]
"""What is done to an image, one step after the other."""


class ImageDescription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is in an image.

    Attributes:
        base: The image that it starts from; empty for one with nothing but Python.
        python_version: Version of Python, as ``3.12``; empty where it is that of the base.
        layers: What is done on top, in order.
        runtime_packages: Python packages that are installed when it starts; not a part of the image's identity.
        entrypoint: What runs in it by default; empty for what the base says.
        platforms: Platforms that it is built for, as ``linux/amd64``.
        registry: Where it is kept.
        name: Its name there.
        builder: What its author wants it to be built by; empty if that does not matter.
    """

    base: str = ""
    python_version: str = ""
    layers: tuple[Layer, ...] = ()
    runtime_packages: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    registry: str = ""
    name: str = ""
    builder: str = ""

    @property
    def reference(self) -> str:
        """The reference under which it is kept: registry, name, and the tag that follows from the content."""
        name = self.name or "alula"
        return f"{self.registry}/{name}:{self.tag}" if self.registry else f"{name}:{self.tag}"

    @property
    def tag(self) -> str:
        """The tag: the beginning of `image_digest`."""
        return image_digest(self)[:TAG_CHARS]

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that it sets."""
        return {
            name: value for layer in self.layers if isinstance(layer, EnvVars) for name, value in layer.values.items()
        }

    def python_layers(self) -> Iterator[PythonLayer]:
        """Yield what installs Python packages, in order, those of the start last."""
        for layer in self.layers:
            if isinstance(layer, PythonLayer):
                yield layer
        if self.runtime_packages:
            yield PipPackages(packages=self.runtime_packages)


def image_digest(description: ImageDescription) -> str:
    """Return the SHA-256 of what an image consists of, in hexadecimal.

    Where it is kept, who builds it, the secrets that building needs, and what is installed when it starts do not count.
    """
    from .canonical import fingerprint

    layers = tuple(
        msgspec.structs.replace(layer, secret_mounts=()) if isinstance(layer, Installs) else layer
        for layer in description.layers
    )
    bare = msgspec.structs.replace(description, layers=layers, runtime_packages=(), registry="", name="", builder="")
    return fingerprint(bare)


def encode_image(description: ImageDescription) -> str:
    """Return the text that stands for a description in `TaskSpec.image`: canonical JSON."""
    from .canonical import canonical_json

    return canonical_json(description)


def decode_image(image: str) -> ImageDescription | None:
    """Return the description that a `TaskSpec.image` holds; None for a reference of an image that exists, or for none.

    A reference may begin with a placeholder, as ``{{.image.train.fqn}}``, which no JSON does.

    Raises:
        UsageError: It is a description that this version of Alula does not understand.
    """
    if not image.startswith("{") or image.startswith("{{"):
        return None
    try:
        return msgspec.json.decode(image, type=ImageDescription)
    except msgspec.MsgspecError as problem:
        raise UsageError(
            f"the description of an image cannot be read: {problem}", hint="Was it made by another version of Alula?"
        ) from problem


class BuildRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an image builder is asked for.

    Attributes:
        description: What is to be built.
        home: Folder of this machine for what is kept, as environments; made when it is needed.
        report: Told what is being done, line by line.
    """

    description: ImageDescription
    home: str
    report: Callable[[str], None]


class ImageBuilder(ABC):
    """Builds what images describe.

    Attributes:
        name: Unique name, as ``uv``; an image whose `ImageDescription.builder` is this name is built by it.
        makes: What it makes: `ENVIRONMENT` or `CONTAINER_IMAGE`.
    """

    name: str
    makes: str = ENVIRONMENT

    @abstractmethod
    def build(self, request: BuildRequest) -> str:
        """Build an image unless it is there, and return where it is.

        The same description gives the same answer. Called from any thread and process, also at the same time for the
        same description: it is then built once. A build that was killed is begun anew by the next call.

        Returns:
            Path of the Python in the environment, or reference of the container image.

        Raises:
            MissingDependencyError: A program that it needs is missing; the message says how to get it.
            UsageError: It cannot be built; the message says what failed.
        """

    @abstractmethod
    def find(self, request: BuildRequest) -> str:
        """Return where an image is if it was built completely, or an empty string; nothing is built."""
