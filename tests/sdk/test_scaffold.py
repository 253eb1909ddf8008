"""What ``alula plugins new`` makes: a package that is clean, passes its tests, and is found once it is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from alula._scaffold import new_plugin, package_name, render
from alula_kernel.errors import UnknownNameError, UsageError


def run(*command: str, cwd: Path, path: Path | None = None) -> str:
    """Run a command with a folder in front of the module search path, and return what it printed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(path or ""), *sys.path]))}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_plugin("alula-demo", tmp_path_factory.mktemp("projects"))


def test_the_files(project: Path) -> None:
    assert project.name == "alula-demo"
    assert sorted(str(file.relative_to(project)) for file in project.rglob("*") if file.is_file()) == [
        ".gitignore",
        "CHANGELOG.md",
        "README.md",
        "pyproject.toml",
        "src/alula_demo/__init__.py",
        "src/alula_demo/colors.py",
        "src/alula_demo/plugin.py",
        "src/alula_demo/py.typed",
        "src/alula_demo/transformers.py",
        "tests/test_colors.py",
    ]
    for file in project.rglob("*.*"):
        if file.is_file():
            assert not re.search(r"\$\{?(name|package|short|kernel_version|next_kernel_version)\b", file.read_text())


def test_its_own_tests_pass(project: Path) -> None:
    printed = run(
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "."), cwd=project, path=project / "src"
    )
    (passed,) = re.findall(r"(\d+) passed", printed)
    assert int(passed) >= 25
    assert "skipped" not in printed


def test_it_is_clean(project: Path) -> None:
    ruff = str(Path(sys.executable).parent / "ruff")
    if Path(ruff).exists():  # the sessions that run tests do not install checkers; `nox -s lint` has its own
        run(ruff, "check", "--no-cache", ".", cwd=project)
        run(ruff, "format", "--no-cache", "--check", ".", cwd=project)
    for file in project.rglob("*.py"):
        compile(file.read_text(), str(file), "exec")


def test_it_is_found_once_its_metadata_is_on_the_path(project: Path, tmp_path: Path) -> None:
    pyproject = (project / "pyproject.toml").read_text()
    (entry_point,) = re.findall(r"\[project\.entry-points\.alula\]\n(.+)\n", pyproject)
    metadata = tmp_path / "alula_demo-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "entry_points.txt").write_text(f"[alula]\n{entry_point.replace(chr(34), '')}\n")
    code = f"""
import sys
sys.path[:0] = [{str(project / "src")!r}]
from alula_kernel.plugins import load_plugins
(plugin,) = load_plugins(path=[{str(tmp_path)!r}]).describe()
print(plugin.name, plugin.distribution, plugin.version, plugin.registers, plugin.error)
"""
    printed = run(sys.executable, "-c", code, cwd=tmp_path)
    assert printed.strip() == "demo alula-demo 0.1.0 {'type_transformers': ['demo-color']}"


def test_the_plugin_module_is_light(project: Path) -> None:
    code = (
        "import sys, alula_demo.plugin; print([m for m in ('alula', 'pandas', 'numpy', 'pytest') if m in sys.modules])"
    )
    assert run(sys.executable, "-c", code, cwd=project, path=project / "src").strip() == "[]"


@pytest.mark.parametrize(
    ("name", "package", "short"),
    [
        ("demo", "demo", "demo"),
        ("Alula.My_Type", "alula_my_type", "my-type"),
        ("alula-a1", "alula_a1", "a1"),
    ],
)
def test_names(tmp_path: Path, name: str, package: str, short: str) -> None:
    project = new_plugin(name, tmp_path)
    assert project == tmp_path / name
    assert (project / "src" / package / "plugin.py").is_file()
    assert f'[project.entry-points.alula]\n{short} = "{package}.plugin"' in (project / "pyproject.toml").read_text()


@pytest.mark.parametrize("name", ["", "-demo", "demo-", "my plugin", "../demo", "1demo", "démo", "a/b", "demo\n"])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no name of a distribution"):
        new_plugin(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "whose"), [("json", "Python"), ("class", "Python"), ("alula", "Alula"), ("Alula-Kernel", "Alula")]
)
def test_names_that_are_taken_are_refused(name: str, whose: str) -> None:
    with pytest.raises(UsageError, match=f"belongs to {whose}"):
        package_name(name)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "alula-demo").mkdir()
    (tmp_path / "alula-demo" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        new_plugin("alula-demo", tmp_path)
    assert [file.name for file in tmp_path.rglob("*")] == ["alula-demo", "mine.txt"]
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="exists already"):
        new_plugin("file", tmp_path)


def test_an_empty_folder_is_filled_and_parents_are_made(tmp_path: Path) -> None:
    (tmp_path / "deep" / "alula-demo").mkdir(parents=True)
    assert (new_plugin("alula-demo", tmp_path / "deep") / "pyproject.toml").is_file()
    assert (new_plugin("alula-demo", tmp_path / "new" / "deep") / "pyproject.toml").is_file()
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["alula-demo"]


def test_a_folder_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot make"):
        new_plugin("alula-demo", tmp_path / "file")


def test_an_unknown_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'plugin'"):
        render("plugins", tmp_path / "x", {})
