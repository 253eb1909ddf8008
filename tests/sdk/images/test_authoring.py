"""What authors write about images, as descriptions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from alula import Image, ImageSpec, Secret, task
from alula._app import current_app
from alula_kernel.errors import UsageError
from alula_kernel.images import (
    CondaPackages,
    CopiedFiles,
    DockerfileText,
    EnvVars,
    ImageDescription,
    PipPackages,
    Requirements,
    SecretMount,
    UvProject,
    Workdir,
    decode_image,
)

RUNNING = ".".join(map(str, sys.version_info[:2]))


def test_both_generations_describe_the_same() -> None:
    one = ImageSpec(
        name="train",
        registry="registry.example",
        python_version="3.12",
        platform="linux/amd64",
        apt_packages=["git"],
        env={"A": "1"},
        packages=["pandas"],
        pip_index="https://index.example/simple",
        commands=["echo 1"],
    )
    other = (
        Image.from_debian_base((3, 12), registry="registry.example", name="train")
        .with_apt_packages("git")
        .with_env_vars({"A": "1"})
        .with_pip_packages("pandas", index_url="https://index.example/simple")
        .with_commands(["echo 1"])
    )
    assert one.description() == other.description()
    assert one.image_name() == other.uri
    assert one.tag == one.description().tag == other.uri.rpartition(":")[2]


def test_everything_of_an_image_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.txt").write_text("scipy\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    spec = ImageSpec(
        conda_packages=["gdal"],
        conda_channels=["conda-forge"],
        requirements="requirements.txt",
        packages=["pandas"],
        pip_extra_index_url=["https://more.example"],
        pip_extra_args="--no-binary pandas",
        pip_secret_mounts=[("/home/me/.netrc", "/root/.netrc")],
        copy=["data"],
        runtime_packages=["debugpy"],
        entrypoint=["python"],
        builder="default",
    )
    found = spec.description()
    options = {
        "extra_index_urls": ("https://more.example",),
        "extra_args": ("--no-binary", "pandas"),
        "secret_mounts": (SecretMount(".netrc", target="/root/.netrc"),),
    }
    copied = found.layers[-1]
    assert isinstance(copied, CopiedFiles)
    assert replace(copied, digest="") == CopiedFiles("data", "data", "", folder=True)
    assert found == ImageDescription(
        python_version=RUNNING,
        layers=(
            CondaPackages(("gdal",), ("conda-forge",)),
            Requirements(content="scipy\n", **options),  # type: ignore[arg-type]
            PipPackages(packages=("pandas",), **options),  # type: ignore[arg-type]
            copied,
        ),
        runtime_packages=("debugpy",),
        entrypoint=("python",),
        name="alula",
        builder="default",
    )
    (tmp_path / "data" / "a.txt").write_text("b")
    assert spec.description() != found


def test_methods_return_changed_copies() -> None:
    spec = ImageSpec(packages=["a"])
    more = (
        spec.with_packages("b")
        .with_packages(["c"])
        .with_apt_packages("git")
        .with_commands("echo")
        .with_runtime_packages(["d"])
    )
    assert spec.packages == ["a"]
    assert (more.packages, more.apt_packages, more.commands) == (["a", "b", "c"], ["git"], ["echo"])
    assert more.description().runtime_packages == ("d",)
    assert spec.is_container()


def test_an_image_spec_on_another_one_begins_with_its_layers() -> None:
    base = ImageSpec(name="base", packages=["a"], python_version="3.12", registry="registry.example")
    found = ImageSpec(name="top", base_image=base, packages=["b"]).description()
    assert found.layers == (PipPackages(packages=("a",)), PipPackages(packages=("b",)))
    assert (found.python_version, found.registry, found.name) == ("3.12", "registry.example", "top")


@pytest.mark.parametrize(
    ("cuda", "cudnn", "base"),
    [
        ("12.4.1", None, "nvidia/cuda:12.4.1-runtime-ubuntu22.04"),
        ("11.8.0", "8", "nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04"),
        ("12.4.1", "9", "nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04"),
    ],
)
def test_cuda_chooses_the_base(cuda: str, cudnn: str | None, base: str) -> None:
    assert ImageSpec(cuda=cuda, cudnn=cudnn).description().base == base


def test_cudnn_without_cuda_is_refused() -> None:
    with pytest.raises(UsageError, match="without cuda"):
        ImageSpec(cudnn="8").description()


def test_the_other_layers_of_an_image(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "f").write_text("f")
    source = tmp_path / "folder"
    image = (
        Image.from_base("debian:12")
        .with_workdir("/srv")
        .with_source_folder(source)
        .with_source_folder(source, "x", copy_contents_only=True)
        .with_source_file([source / "f"], "/etc")
    )
    workdir, *copied = image.description().layers
    assert workdir == Workdir("/srv")
    assert [(c.source, c.destination, c.folder) for c in copied if isinstance(c, CopiedFiles)] == [
        (str(source), "./folder", True),
        (str(source), "x", True),
        (str(source / "f"), "/etc/f", False),
    ]
    assert image.description().python_version == ""
    assert Image.from_base("debian:12").uri == "debian:12"
    text = Image.from_dockerfile(tmp_path / "Dockerfile", "registry.example", "own").description()
    assert text.layers == (DockerfileText("FROM scratch\n"),)


def test_secrets_that_installing_needs() -> None:
    image = Image.from_debian_base().with_pip_packages(
        "private", secret_mounts=["TOKEN", Secret(group="pip", key="netrc", mount=Path("/root/.netrc"))]
    )
    (layer,) = image.description().layers
    assert isinstance(layer, PipPackages)
    assert layer.secret_mounts == (
        SecretMount("TOKEN", env_var="TOKEN"),
        SecretMount("pip_netrc", target="/root/.netrc"),
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: ImageSpec(packages=["a"], pip_index="https://me:pass123@index.example").description(),
        lambda: ImageSpec(packages=["a"], pip_extra_args="--index-url https://me:pass123@x").description(),
        lambda: Image.from_debian_base().with_pip_packages("a", extra_index_urls="https://me:pass123@x").description(),
        lambda: Image.from_debian_base().with_pip_packages("a @ https://me:pass123@x/a.whl").description(),
    ],
)
def test_passwords_in_urls_are_refused(make: object) -> None:
    with pytest.raises(UsageError, match="was given with a password") as caught:
        make()  # type: ignore[operator]
    assert "pass123" not in str(caught.value)


def test_files_are_looked_for_beside_the_script_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    for folder in (there, here):
        folder.mkdir()
    (there / "requirements.txt").write_text("of-the-script\n")
    (there / "uv.lock").write_text("version = 1\n")
    (there / "pyproject.toml").write_text("[project]\n")
    source = (
        "from alula import Image, ImageSpec\n"
        "one = Image.from_debian_base().with_requirements('requirements.txt').with_uv_project('pyproject.toml')\n"
        "other = ImageSpec(requirements='requirements.txt', copy=['uv.lock']).with_packages('a')\n"
    )
    names: dict[str, Image] = {}
    exec(compile(source, str(there / "script.py"), "exec"), names)
    monkeypatch.chdir(here)
    first, project = names["one"].description().layers
    assert isinstance(first, Requirements)
    assert first.content == "of-the-script\n"
    assert project == UvProject(pyproject="[project]\n", lock="version = 1\n")
    copied = names["other"].description().layers[-1]
    assert isinstance(copied, CopiedFiles)
    assert copied.source == "uv.lock"
    (here / "requirements.txt").write_text("of-the-working-directory\n")
    first = names["one"].description().layers[0]
    assert isinstance(first, Requirements)
    assert first.content == "of-the-working-directory\n"


def test_a_file_that_is_missing_is_named_at_the_task() -> None:
    @task(container_image=Image.from_debian_base().with_requirements("no-such-file.txt"))
    def needs() -> int:
        return 1

    with pytest.raises(UsageError, match=r"cannot read the requirements file '.*no-such-file\.txt'") as caught:
        needs.spec(current_app())
    assert __file__ in str(caught.value)


def test_other_mistakes_are_named(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("print(1)\n")
    (tmp_path / "r.txt").write_text("-r r.txt\n")
    with pytest.raises(UsageError, match="no inline metadata"):
        Image.from_uv_script(tmp_path / "script.py", name="s").description()
    with pytest.raises(UsageError, match="includes itself"):
        ImageSpec(requirements=str(tmp_path / "r.txt")).description()
    with pytest.raises(UsageError, match="no file or folder 'gone'"):
        ImageSpec(copy=["gone"]).description()

    @task(container_image=7)
    def odd() -> int:
        return 1

    with pytest.raises(UsageError, match="an ImageSpec or an Image, found int"):
        odd.spec(current_app())


def test_the_spec_of_a_task_holds_the_description() -> None:
    image = Image.from_debian_base().with_pip_packages("pandas").with_env_vars({"ALULA_T_MODE": "fast"})

    @task(container_image=image)
    def where() -> str:
        import os

        return os.environ["ALULA_T_MODE"]

    assert decode_image(where.spec(current_app()).image) == image.description()
    assert where() == "fast"
    assert image.description().layers[-1] == EnvVars({"ALULA_T_MODE": "fast"})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"packages": "requirements.txt"}, "packages must be a list of strings or None, found 'requirements.txt'"),
        ({"apt_packages": [1]}, r"apt_packages must be a list of strings or None, found \[1\]"),
        ({"pip_secret_mounts": ("from", "to")}, "pip_secret_mounts must be a list of tuples of two strings"),
        ({"env": ["A=1"]}, r"env must be a dictionary or None, found \['A=1'\]"),
        ({"builder_options": "fast"}, "builder_options must be a dictionary or None, found 'fast'"),
        (
            {"registry": "registry.example/team:latest"},
            "Invalid container registry name 'registry.example/team:latest'",
        ),
        ({"registry": "registry:port:50000"}, "Invalid container registry name"),
    ],
)
def test_wrong_fields_are_refused_where_the_image_is_described(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageSpec(**fields)


@pytest.mark.parametrize("registry", ["localhost:30000/team", "192.168.1.1:30000", "registry.example", "team"])
def test_names_of_registries(registry: str) -> None:
    assert ImageSpec(registry=registry).image_name().startswith(f"{registry}/alula:")
