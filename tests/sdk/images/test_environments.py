"""Environments that uv builds from descriptions of images."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import alula
from alula import Image, ImageSpec, task
from alula._app import current_app
from alula._interpreters import Interpreters
from alula._pythons import find_python
from alula._uv_builder import UvBuilder, environments, find_uv, last_used, remove
from alula_kernel.errors import MissingDependencyError, UsageError
from alula_kernel.images import BuildRequest, ImageBuilder, encode_image
from alula_kernel.specs import EntityId, Interface, TaskSpec

Described = Image | ImageSpec
Build = Callable[[Described], str]


@pytest.fixture
def told() -> list[str]:
    """Give the list that gets what builds report."""
    return []


@pytest.fixture
def build(alula_home: Path, told: list[str]) -> Build:
    """Give a function that builds the environment of an image and returns its Python."""

    def build(image: Described) -> str:
        request = BuildRequest(description=image.description(), home=str(alula_home), report=told.append)
        return UvBuilder().build(request)

    return build


def says(python: str, code: str) -> str:
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=300)
    return done.stdout.strip()


def tiny(version: str, offline: str) -> Image:
    return Image.from_debian_base(name=f"tiny{version}").with_pip_packages(f"tinylib=={version}", extra_args=offline)


def spec_of(image: str) -> TaskSpec:
    return TaskSpec(id=EntityId("task", "m.t"), interface=Interface(), image=image)


def test_two_versions_of_a_package_stand_side_by_side(build: Build, offline: str, told: list[str]) -> None:
    old, new = build(tiny("1.0", offline)), build(tiny("2.0", offline))
    assert [says(python, "import tinylib; print(tinylib.VERSION)") for python in (old, new)] == ["1.0", "2.0"]
    assert any("tinylib==1.0" in line for line in told)
    before = len(told)
    assert build(tiny("1.0", offline)) == old
    assert told[before:] == []


def test_the_same_alula_is_in_it_with_what_it_needs(build: Build, offline: str) -> None:
    import msgspec

    python = build(tiny("1.0", offline))
    code = "import alula, alula.worker, alula_kernel, msgspec; print(alula.__file__, alula_kernel.__file__, msgspec.__version__)"
    found, kernel, version = says(python, code).split()
    import alula_kernel

    assert version == msgspec.__version__
    assert Path(found).read_bytes() == Path(str(alula.__file__)).read_bytes()
    assert Path(kernel).read_bytes() == Path(str(alula_kernel.__file__)).read_bytes()
    assert says(python, "import sys; print(sys.prefix == sys.base_prefix)") == "False"
    help_text = subprocess.run([python, "-m", "alula.worker", "--help"], capture_output=True, check=True, timeout=300)
    assert b"--attempt" in help_text.stdout


def test_packages_of_the_program_are_not_in_it(build: Build, offline: str) -> None:
    python = build(tiny("1.0", offline))
    assert says(python, "import importlib.util as u; print(u.find_spec('pytest'))") == "None"


def test_an_image_that_asks_for_nothing_is_the_running_python(build: Build) -> None:
    assert build(Image.from_debian_base()) == sys.executable
    assert build(ImageSpec(env={"A": "1"}, apt_packages=["git"])) == sys.executable


@pytest.mark.parametrize("change", ["packages", "requirements", "commands", "constraints"])
def test_what_counts_makes_another_environment(build: Build, offline: str, tmp_path: Path, change: str) -> None:
    requirements, constraints = tmp_path / "requirements.txt", tmp_path / "constraints.txt"
    requirements.write_text("tinylib<2\n-c constraints.txt\n")
    constraints.write_text("tinylib<1.1\n")
    base = Image.from_debian_base().with_requirements(requirements, extra_args=offline)
    first = build(base)
    assert says(first, "import tinylib; print(tinylib.VERSION)") == "1.0"
    if change == "requirements":
        requirements.write_text("tinylib\n")
    elif change == "constraints":
        constraints.write_text("tinylib<2\n")
    elif change == "packages":
        base = base.with_pip_packages("tinylib", extra_args=offline)
    else:
        base = base.with_commands(["python -c 1"])
    assert build(base) != first


def test_what_is_not_there_on_this_machine_does_not_count_and_is_named(
    build: Build, offline: str, told: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    rest = (
        Image.from_base("debian:12")
        .clone(registry="registry.example", name="big", python_version=sys.version_info[:2])
        .with_apt_packages("git", "curl")
        .with_workdir("/srv")
        .with_source_file(tmp_path / "file")
        .with_env_vars({"A": "1"})
    )
    python = build(rest.with_pip_packages("tinylib==1.0", extra_args=offline))
    line = next(line for line in told if "left out" in line)
    assert all(part in line for part in ("debian:12", "git, curl", "/srv", str(tmp_path / "file"), "'big'"))
    assert build(tiny("1.0", offline)) == python


def test_requirement_files_with_others_inside_and_local_paths(
    build: Build, package_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "packages").symlink_to(package_folder)
    (tmp_path / "requirements.txt").write_text("# all\n-r more/inner.txt\n--no-index\n")
    (tmp_path / "more" / "inner.txt").write_text("../packages/tinylib-1.1-py3-none-any.whl\n")
    python = build(ImageSpec(requirements=str(tmp_path / "requirements.txt")))
    assert says(python, "import tinylib; print(tinylib.VERSION)") == "1.1"


def test_scripts_and_projects(build: Build, offline: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text('"""A script."""\n# /// script\n# dependencies = ["tinylib==1.1"]\n# ///\nprint(1)\n')
    python = build(Image.from_uv_script(script, name="script", extra_args=offline))
    assert says(python, "import tinylib; print(tinylib.VERSION)") == "1.1"
    script.write_text(script.read_text() + "print(2)\n")
    assert build(Image.from_uv_script(script, name="script", extra_args=offline)) == python

    project = tmp_path / "pyproject.toml"
    project.write_text(
        '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["tinylib<2"]\n'
    )
    unlocked = build(Image.from_debian_base().with_uv_project(project, extra_args=offline))
    assert says(unlocked, "import tinylib; print(tinylib.VERSION)") == "1.1"


def test_a_locked_project_is_installed_as_locked(
    build: Build, offline: str, package_folder: Path, tmp_path: Path
) -> None:
    project = tmp_path / "pyproject.toml"
    text = '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["tinylib{}"]\n'
    project.write_text(text.format("<1.1"))
    lock = [find_uv("a test"), "lock", "--project", str(tmp_path), "--no-index", "--find-links", str(package_folder)]
    subprocess.run([*lock, "--python", sys.executable, "--quiet"], check=True, cwd=tmp_path, timeout=300)
    project.write_text(text.format(""))
    python = build(ImageSpec(requirements=str(tmp_path / "uv.lock"), pip_extra_args=offline))
    assert says(python, "import tinylib; print(tinylib.VERSION)") == "1.0"


def test_commands_run_with_the_programs_of_the_environment(
    build: Build, offline: str, told: list[str], tmp_path: Path
) -> None:
    commands = [
        f"tinylib > /dev/null; touch {tmp_path}/no",
        'python -c \'import os, tinylib; open(os.environ["OUT"], "w").write(tinylib.VERSION)\'',
        "A=1 python -c 1 && pip list",
        f"touch {tmp_path}/no",
        f"python -c 1 && touch {tmp_path}/no",
        f"python $(touch {tmp_path}/no)",
        "rm -rf /var/lib/apt/lists",
    ]
    image = tiny("1.0", offline).with_env_vars({"OUT": str(tmp_path / "out")}).with_commands(commands)
    build(image)
    assert (tmp_path / "out").read_text() == "1.0"
    assert not (tmp_path / "no").exists()
    left_out = [line for line in told if line.startswith("left out")]
    assert [line.rpartition(": ")[2] for line in left_out] == [commands[0], *commands[3:]]


def test_a_command_that_fails_is_shown_with_what_it_printed(build: Build, alula_home: Path) -> None:
    image = Image.from_debian_base(name="bad").with_commands(["python -c \"print('last words'); raise SystemExit(3)\""])
    with pytest.raises(
        UsageError, match=r"environment of image 'bad' cannot be built: the command .* failed"
    ) as caught:
        build(image)
    assert "last words" in str(caught.value)
    assert list(environments(alula_home)) == []


def test_a_bad_requirement_is_named_with_the_words_of_the_installer(
    build: Build, offline: str, alula_home: Path
) -> None:
    with pytest.raises(UsageError, match=r"tinylib==9\.9 cannot be installed") as caught:
        build(tiny("9.9", offline))
    assert "there is no version of tinylib==9.9" in str(caught.value)
    assert list(environments(alula_home)) == []


def test_packages_that_alula_cannot_work_with_are_refused(build: Build, package_folder: Path, offline: str) -> None:
    with pytest.raises(UsageError, match="cannot be installed") as caught:
        build(Image.from_debian_base().with_pip_packages("msgspec<0.1", extra_args=offline))
    assert "msgspec" in str(caught.value)


def test_a_python_that_is_not_there(build: Build) -> None:
    with pytest.raises(UsageError, match=r"asks for Python 3\.97, which is not on this machine") as caught:
        build(ImageSpec(name="new", python_version="3.97"))
    assert "uv python install 3.97" in caught.value.hint
    with pytest.raises(UsageError, match=r"asks for Python 3\.8") as caught:
        build(ImageSpec(name="old", python_version="3.8"))
    assert "3.10 or newer" in caught.value.hint
    with pytest.raises(UsageError, match="asks for Python 'three'"):
        build(ImageSpec(python_version="three"))


def test_the_running_python_is_found() -> None:
    version = ".".join(map(str, sys.version_info[:2]))
    assert says(find_python(version, find_uv("a test"), "a test"), "import sys; print(*sys.version_info[:2])") == (
        version.replace(".", " ")
    )


def test_an_environment_whose_python_was_removed_is_built_again(build: Build, offline: str) -> None:
    python = Path(build(tiny("1.0", offline)))
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert build(tiny("1.0", offline)) == str(python)
    assert says(str(python), "import tinylib; print(tinylib.VERSION)") == "1.0"


def test_without_uv_it_is_named(build: Build, offline: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="built by uv, which is not installed") as caught:
        build(tiny("1.0", offline))
    assert caught.value.hint == "Install it: pip install uv"


def test_a_uv_that_is_too_old_is_named(
    build: Build, offline: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "uv").write_text("#!/bin/sh\necho uv 0.1.44\n")
    (tmp_path / "uv").chmod(0o755)
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(MissingDependencyError, match=r"needs uv 0\.8\.20 or newer, and .* is uv 0\.1\.44"):
        build(tiny("1.0", offline))


# --- many at once, and killed ----------------------------------------------------------------------------------------

BUILD = """
import sys
from alula._uv_builder import UvBuilder
from alula_kernel.images import BuildRequest, decode_image

def report(line):
    print("#", line, flush=True)

request = BuildRequest(description=decode_image(sys.argv[1]), home=sys.argv[2], report=report)
print(UvBuilder().build(request), flush=True)
"""


def start(image: Image, home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILD, encode_image(image.description()), str(home)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_four_processes_build_once(offline: str, alula_home: Path, tmp_path: Path) -> None:
    # The command makes a file, and so fails the second time.
    once = tmp_path / "once"
    image = tiny("1.0", offline).with_commands([f"""python -c 'open("{once}", "x")'"""])
    builders = [start(image, alula_home) for _ in range(4)]
    printed = [builder.communicate(timeout=300)[0] for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0, 0, 0]
    assert len({text.splitlines()[-1] for text in printed}) == 1
    assert sum("# building" in text for text in printed) == 1
    assert once.exists()


def test_threads_of_one_process_build_once(offline: str, alula_home: Path) -> None:
    told: list[str] = []
    interpreters = Interpreters(lambda: [UvBuilder()], alula_home, told.append)
    task_spec = spec_of(encode_image(tiny("1.0", offline).description()))
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(interpreters(task_spec))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
    assert len(found) == 4
    assert len(set(found)) == 1
    assert sum(line.startswith("building") for line in told) == 1


def test_a_build_that_was_killed_is_begun_anew(offline: str, alula_home: Path, tmp_path: Path) -> None:
    begun, go_on = tmp_path / "begun", tmp_path / "go-on"
    waiting = (
        f'import pathlib, time; pathlib.Path("{begun}").touch(); '
        f'[time.sleep(0.02) for _ in range(6000) if not pathlib.Path("{go_on}").exists()]'
    )
    image = tiny("1.0", offline).with_commands([f"python -c '{waiting}'"])
    first = start(image, alula_home)
    until(begun.exists)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=300)
    ((folder, record),) = environments(alula_home)
    assert record is None
    # What the killed process started still runs, so that the second one has to wait for it.
    second = start(image, alula_home)
    try:
        assert second.stdout is not None
        line = second.stdout.readline()
    finally:
        go_on.touch()
    assert line.startswith(f"# waiting for process {first.pid}, which builds the environment of image 'tiny1.0'")
    rest, _ = second.communicate(timeout=300)
    assert second.returncode == 0
    assert "# building" in rest
    python = rest.splitlines()[-1]
    assert python == str(folder / "bin" / "python")
    assert says(python, "import tinylib; print(tinylib.VERSION)") == "1.0"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it hangs"
        time.sleep(0.02)


# --- what the process executor is given ------------------------------------------------------------------------------


def test_tasks_find_their_python(offline: str, capsys: pytest.CaptureFixture[str]) -> None:
    @task(container_image=tiny("2.0", offline))
    def new() -> str:
        return "x"

    @task
    def plain() -> str:
        return "x"

    @task(container_image="registry.example/ready:1")
    def ready() -> str:
        return "x"

    app = current_app()
    python = app.interpreter(new.spec(app))
    assert says(python, "import tinylib; print(tinylib.VERSION)") == "2.0"
    assert app.interpreter(new.spec(app)) == python
    assert app.interpreter(plain.spec(app)) == sys.executable
    assert [app.interpreter(ready.spec(app)) for _ in range(2)] == [sys.executable] * 2
    shown = capsys.readouterr().err
    assert shown.count("registry.example/ready:1 is not used on this machine") == 1
    assert shown.count("alula: building the environment of image 'tiny2.0'") == 1


def test_a_builder_of_a_plugin_is_used_where_the_image_names_it(alula_home: Path) -> None:
    class Other(ImageBuilder):
        name = "other"

        def build(self, request: BuildRequest) -> str:
            return f"/python/of/{request.description.name}"

        def find(self, request: BuildRequest) -> str:
            return ""

    interpreters = Interpreters(lambda: [UvBuilder(), Other()], alula_home, lambda _line: None)
    named = ImageSpec(name="a", builder="other").description()
    assert interpreters(spec_of(encode_image(named))) == "/python/of/a"
    unknown = ImageSpec(name="a", builder="envd").description()
    assert interpreters(spec_of(encode_image(unknown))) == sys.executable
    with pytest.raises(UsageError, match="nothing here builds"):
        Interpreters(list, alula_home)(spec_of(encode_image(named)))


def test_an_environment_in_which_a_process_runs_is_not_removed(build: Build, offline: str) -> None:
    python = build(tiny("1.0", offline))
    folder = Path(python).parents[1]
    assert time.time() - last_used(folder) < 3600
    with subprocess.Popen([python, "-c", "input()"], stdin=subprocess.PIPE) as running:
        assert os.path.exists(f"/proc/{running.pid}")
        until(lambda: Path(f"/proc/{running.pid}/cmdline").read_bytes().startswith(python.encode()))
        assert remove(folder) is False
        assert Path(python).exists()
    assert remove(folder) is True
    assert not folder.exists()
