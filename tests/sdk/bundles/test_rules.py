"""Which files belong to a bundle: checked against git itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alula._bundle_rules import SourceFiles, is_standard


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(root: Path) -> list[str]:
    return list(SourceFiles(str(root)))


def git(root: Path, *arguments: str) -> str:
    # Neither the user's own rules nor a repository around the folder may count.
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "HOME": str(root)}
    return subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, env=environment
    ).stdout


def git_names(root: Path) -> list[str]:
    git(root, "init", "-q")
    listed = git(root, "ls-files", "-z", "--others", "--exclude-standard")
    return sorted(listed.split("\0")[:-1])


FOLDERS = st.sampled_from(["", "a/", "b/", "a/b/", "a/b/c/"])
FILES = st.sampled_from(["x.py", "y.txt", "z", "a.log", "#odd", "with space", "build", "été.py"])
PATTERNS = st.sampled_from(
    [
        *(
            "*.txt",
            "*.py",
            "!x.py",
            "/x.py",
            "a/",
            "!a/",
            "b",
            "/b/",
            "a/b",
            "a/*",
            "!a/b/",
            "**/c",
            "a/**",
            "**/x.py",
            "z",
        ),
        *(
            "",
            "# a comment",
            r"\#odd",
            "with space",
            "[xy].*",
            "!*.log",
            "build/",
            "/*",
            "?",
            "a/**/z",
            "*/",
            "**",
            "!/a",
        ),
        *(
            "!/a/",
            "/a/*",
            "!/*/",
            "*.*",
            "!*/",
            "!*",
            "[[:alpha:]].*",
            "[a-c]",
            "[]x]*",
            r"with\ space",
            r"\z",
            "z\\",
            "[x",
            "a**",
        ),
        *("**/b/c", "a/**/c/", "/**/y.txt", "b/**", "!b/**/x.py", "*/x.py", "a/?/c", "!build", r"\!x", "  ", r"z\ "),
        *("x.py ", "y.txt  # no comment", "a/b/c/*", "!a/b/c/x.py", "[!x].py", "é.py"),
    ]
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    files=st.sets(st.tuples(FOLDERS, FILES).map("".join), max_size=12),
    rules=st.dictionaries(FOLDERS, st.lists(PATTERNS, max_size=5), max_size=3),
)
def test_the_files_are_those_of_git(
    files: set[str], rules: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("tree")
    files = {name for name in files if not any(other.startswith(f"{name}/") for other in files)}
    write(root, dict.fromkeys(files, "text"))
    write(root, {f"{folder}.gitignore": "\n".join([*lines, ""]) for folder, lines in rules.items()})
    assert names(root) == git_names(root)


def test_rules_above_the_folder_count_up_to_the_root_of_the_repository(tmp_path: Path) -> None:
    write(tmp_path, {"repo/.gitignore": "*.log\n/src/data\n", "repo/src/a.py": "", "repo/src/a.log": ""})
    write(tmp_path, {"repo/src/data/x": "", ".gitignore": "*.py\n"})
    git(tmp_path / "repo", "init", "-q")
    (tmp_path / "repo" / ".git" / "info" / "exclude").write_text("secret.txt\n")
    write(tmp_path, {"repo/src/secret.txt": ""})
    assert names(tmp_path / "repo" / "src") == ["a.py"]


def test_without_a_repository_rules_above_mean_nothing(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*.py\n", "src/a.py": ""})
    assert names(tmp_path / "src") == ["a.py"]


def test_rules_of_alula_go_before_those_of_git(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*.csv\n", ".alulaignore": "!small.csv\nnotebooks/\n"})
    write(tmp_path, {"big.csv": "", "small.csv": "", "notebooks/n.ipynb": "", "a.py": ""})
    assert names(tmp_path) == [".alulaignore", ".gitignore", "a.py", "small.csv"]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "__pycache__/a.cpython-311.pyc",
            "pkg/__pycache__/x.pyc",
            ".git/config",
            ".venv/bin/python",
            "node_modules/x/y.js",
        ),
        *(".mypy_cache/x", ".ipynb_checkpoints/n.ipynb", "alula.egg-info/PKG-INFO", ".DS_Store", "pkg/a.pyc"),
    ],
)
def test_standard_rules(tmp_path: Path, name: str) -> None:
    write(tmp_path, {name: "", "kept.py": ""})
    assert names(tmp_path) == ["kept.py"]
    assert is_standard(name)
    assert not is_standard("kept.py")


def test_a_standard_rule_can_be_taken_back(tmp_path: Path) -> None:
    write(tmp_path, {".alulaignore": "!.vscode\n", ".vscode/settings.json": "{}"})
    assert names(tmp_path) == [".alulaignore", ".vscode/settings.json"]


def test_virtual_environments_of_any_name_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, {"py312/pyvenv.cfg": "", "py312/lib/x.py": "", "a.py": ""})
    assert names(tmp_path) == ["a.py"]


def test_folders_of_the_callers_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, {"home/data/x": "", "a.py": ""})
    assert list(SourceFiles(str(tmp_path), left_out=[str(tmp_path / "home")])) == ["a.py"]


def test_links_are_listed_and_not_followed(tmp_path: Path) -> None:
    write(tmp_path, {"pkg/a.py": ""})
    (tmp_path / "linked").symlink_to("pkg")
    (tmp_path / "loop").symlink_to(".")
    assert names(tmp_path) == ["linked", "loop", "pkg/a.py"]


def test_what_is_neither_file_nor_link_is_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    write(tmp_path, {"a.py": ""})
    assert names(tmp_path) == ["a.py"]


def test_one_folder_keeps_the_rules_around_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {".gitignore": "*.log\n", "a/.gitignore": "/b/x.py\n", "a/b/x.py": "", "a/b/y.py": "", "a/b/z.log": ""},
    )
    assert list(SourceFiles(str(tmp_path)).below(str(tmp_path / "a" / "b"))) == ["a/b/y.py"]


def test_a_folder_that_is_taken_back_takes_back_nothing_below_it(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "/*\n!/src/\n", "src/a.py": "", "src/__pycache__/a.pyc": "", "other.py": ""})
    assert names(tmp_path) == ["src/a.py"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(lines=st.lists(st.text("ab*?/[]!\\.- c^:", max_size=7), min_size=1, max_size=3))
def test_any_pattern_means_what_it_means_to_git(lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("tree")
    for name in (
        "a",
        "b/a",
        "b/c",
        "ab",
        "a.b",
        "c/b/a",
        "c/a/b/c",
        "-",
        "!",
        "a b",
        "[",
        "]",
        "^",
        "\\",
        "ba",
        "abc/a/a",
    ):
        write(root, {f"t/{name}": ""})
    write(root, {"t/.gitignore": "\n".join([*lines, ""])})
    assert names(root) == git_names(root)
