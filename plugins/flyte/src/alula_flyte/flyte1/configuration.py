"""``flytekit.configuration``: how things are made for a cluster. Kept, and not looked at on this machine."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(init=True, frozen=True)
class Image:
    """An image.

    Attributes:
        name: What it is called here.
        fqn: Its name with the registry.
        tag: Its tag.
        digest: Its digest.
    """

    name: str
    fqn: str
    tag: str | None = None
    digest: str | None = None

    @property
    def full(self) -> str:
        """Its whole name."""
        mark, which = (":", self.tag) if self.digest is None else ("@", self.digest)
        return f"{self.fqn}{mark}{which}"

    @property
    def version(self) -> str | None:
        """Its tag."""
        return self.tag

    @staticmethod
    def look_up_image_info(name: str, image_identifier: str, allow_no_tag_or_digest: bool = False) -> Image:
        """Take a whole name apart.

        Raises:
            AssertionError: It has no tag, and must have one.
        """
        place, _, digest = image_identifier.partition("@")
        fqn, colon, tag = place.rpartition(":")
        if not colon or "/" in tag:
            fqn, tag = place, ""
        if not (tag or digest or allow_no_tag_or_digest):
            raise AssertionError(f"the image {image_identifier} is given without a tag and without a digest")
        return Image(name, fqn, tag or None, digest or None)


@dataclasses.dataclass(init=True, frozen=True)
class ImageConfig:
    """Images by name.

    Attributes:
        default_image: The one that is used when nothing is said.
        images: The others.
    """

    default_image: Image | None = None
    images: list[Image] | None = None

    @staticmethod
    def auto(*_files: Any, img_name: str | None = None) -> ImageConfig:
        """Return one with an image of a name, or none."""
        found = Image.look_up_image_info("default", img_name, allow_no_tag_or_digest=True) if img_name else None
        return ImageConfig(found, [found] if found else [])

    @staticmethod
    def auto_default_image() -> ImageConfig:
        """Return one without images."""
        return ImageConfig.auto()


@dataclasses.dataclass(init=True, frozen=True)
class FastSerializationSettings:
    """How code goes along.

    Attributes:
        enabled: Whether it does.
        destination_dir: Where to.
        distribution_location: Where it is.
    """

    enabled: bool = False
    destination_dir: str | None = None
    distribution_location: str | None = None


@dataclasses.dataclass(init=True, frozen=True)
class SerializationSettings:
    """How things are described to a cluster.

    Attributes:
        image_config: Images.
        project: Project.
        domain: Domain.
        version: Version.
        env: Environment variables.
        git_repo: Where the source is.
        python_interpreter: Python in the image.
        flytekit_virtualenv_root: Where its packages are.
        fast_serialization_settings: How code goes along.
        source_root: Folder of the source.
    """

    image_config: ImageConfig = dataclasses.field(default_factory=ImageConfig)
    project: str | None = None
    domain: str | None = None
    version: str | None = None
    env: dict[str, str] | None = None
    git_repo: str | None = None
    python_interpreter: str | None = None
    flytekit_virtualenv_root: str | None = None
    fast_serialization_settings: FastSerializationSettings | None = None
    source_root: str | None = None


@dataclasses.dataclass(init=True, frozen=True)
class PlatformConfig:
    """Where a cluster is.

    Attributes:
        endpoint: Its address.
        insecure: Whether it is reached without TLS.
    """

    endpoint: str = "localhost:30080"
    insecure: bool = False


@dataclasses.dataclass(init=True, frozen=True)
class Config:
    """How a cluster is reached.

    Attributes:
        platform: Where it is.
        secrets: Where secrets are.
        stats: Where counts go.
        data_config: Where data is.
        local_sandbox_path: Folder for files.
    """

    platform: PlatformConfig = dataclasses.field(default_factory=PlatformConfig)
    secrets: Any = None
    stats: Any = None
    data_config: Any = None
    local_sandbox_path: str = ""

    @classmethod
    def auto(cls, config_file: Any = None) -> Config:
        """Return one that says nothing: files and the environment are not looked at."""
        return cls()

    @classmethod
    def for_sandbox(cls) -> Config:
        """Return that of a cluster on this machine."""
        return cls(platform=PlatformConfig("localhost:30080", insecure=True))

    @classmethod
    def for_endpoint(cls, endpoint: str, insecure: bool = False, *_rest: Any, **_options: Any) -> Config:
        """Return that of a cluster at an address."""
        return cls(platform=PlatformConfig(endpoint, insecure))
