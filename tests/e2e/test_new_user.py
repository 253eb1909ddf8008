"""Use Alula from outside the checkout, in fresh environments, as someone who has just found it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
NEVER_COPIED = shutil.ignore_patterns("__pycache__", ".git", ".nox", ".venv*", "_build", "*.egg-info")


def run_in(folder: Path, *command: str, path: Path | None = None, expect: int = 0) -> str:
    """Run a command without a terminal and return all it printed; fail the test on another exit status."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "NOX_"))}
    if path is not None:
        environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == expect, f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build the wheel of every distribution, by way of its source distribution; keyed by distribution name."""
    folder = tmp_path_factory.mktemp("wheels")
    for project in [ROOT / "kernel", ROOT / "sdk", *(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]:
        run_in(ROOT, "uv", "build", "--quiet", "--out-dir", str(folder), str(project))
    return {path.name.split("-")[0].replace("_", "-"): path for path in folder.glob("*.whl")}


@pytest.fixture
def environment(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a virtual environment with some requirements and returns its folder of commands."""

    def make(*requirements: str) -> Path:
        venv = tmp_path / "venv"
        run_in(tmp_path, "uv", "venv", "--quiet", "--seed", "--python", sys.executable, str(venv))
        if requirements:
            run_in(tmp_path, "uv", "pip", "install", "--quiet", "--python", str(venv), *requirements)
        return venv / "bin"

    return make


def test_wheels_carry_types_and_licence(wheels: dict[str, Path]) -> None:
    for name, wheel in wheels.items():
        archive = ZipFile(wheel)
        files = archive.namelist()
        package = name.replace("-", "_")
        assert f"{package}/py.typed" in files, wheel.name
        [licence] = [file for file in files if file.endswith(".dist-info/licenses/LICENSE")]
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes(), wheel.name
        assert not [file for file in files if not file.startswith((f"{package}/", f"{package}-"))], wheel.name


def test_kernel_and_sdk_work_without_extras(
    wheels: dict[str, Path], environment: Callable[..., Path], tmp_path: Path
) -> None:
    commands = environment(str(wheels["alula-kernel"]), str(wheels["alula"]))
    (tmp_path / "hello.py").write_text(
        "from alula import task, workflow\n\n\n"
        "@task\ndef greet(name: str) -> str:\n    return f'Hello, {name}!'\n\n\n"
        "@workflow\ndef hello(name: str = 'world') -> str:\n    return greet(name=name)\n"
    )
    assert "Hello, Ada!" in run_in(tmp_path, str(commands / "alula"), "run", "hello.py", "hello", "--name", "Ada")
    called = "from hello import hello; print(hello(name='Ada'))"
    assert run_in(tmp_path, str(commands / "python"), "-c", called) == "Hello, Ada!\n"


def test_first_command_of_the_readme(environment: Callable[..., Path], tmp_path: Path) -> None:
    """Run the README's first command twice: the second time, training is answered from the cache."""
    found = re.search(r"^pip install \./kernel .*$", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    assert found, "README.md no longer shows `pip install ./kernel ... && alula run ...`"
    commands = environment()
    copy = tmp_path / "alula"
    for folder in ("kernel", "sdk", "examples"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=NEVER_COPIED)
    shutil.copy(ROOT / "LICENSE", copy)

    first = run_in(copy, "bash", "-c", found[0], path=commands)
    assert re.search(r"accuracy", first, flags=re.IGNORECASE), first
    again = found[0].split("&&", 1)[1].strip()
    second = run_in(copy, "bash", "-c", again, path=commands)
    assert re.search(r"cache", second, flags=re.IGNORECASE), second


QUERY = """
import pandas as pd
from alula_duckdb import DuckDBQuery

from alula import task, workflow

total = DuckDBQuery("total", "select sum(x) as s from data", inputs={"data": pd.DataFrame}, output_type=pd.DataFrame)


@task
def make(n: int) -> pd.DataFrame:
    return pd.DataFrame({"x": range(n)})


@task
def value(frame: pd.DataFrame) -> int:
    return int(frame["s"][0])


@workflow
def query(n: int = 5) -> int:
    return value(frame=total(data=make(n=n)))
"""


def test_plugin_is_needed_and_found(wheels: dict[str, Path], environment: Callable[..., Path], tmp_path: Path) -> None:
    """Run a file with a query: without the plugin's wheel it is named, with it everything is there."""
    commands = environment(str(wheels["alula-kernel"]), f"{wheels['alula']}[pandas]")
    alula = str(commands / "alula")
    (tmp_path / "query.py").write_text(QUERY)
    refused = run_in(tmp_path, alula, "run", "query.py", "query", expect=2)
    assert "pip install alula-duckdb" in refused
    assert "site-packages" not in refused

    run_in(tmp_path, "uv", "pip", "install", "--quiet", "--python", str(commands.parent), str(wheels["alula-duckdb"]))
    assert "alula-duckdb" in run_in(tmp_path, alula, "plugins", "list")
    assert "o0: 10" in run_in(tmp_path, alula, "run", "query.py", "query")


TWO_MAJORS = """
from importlib.metadata import version

from alula import Image, task, workflow


@task(container_image=Image.from_debian_base().with_pip_packages("humanize<4"))
def old() -> str:
    return version("humanize")


@task(container_image=Image.from_debian_base().with_pip_packages("humanize>=4,<5"))
def new() -> str:
    return version("humanize")


@workflow
def both() -> tuple[str, str]:
    return old(), new()
"""


def test_two_majors_of_a_library_in_one_run(
    wheels: dict[str, Path], environment: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each task gets an environment of its own, with the Alula of this one, which no index has; each is built once."""
    monkeypatch.setenv("ALULA_HOME", str(tmp_path / "home"))
    commands = environment(str(wheels["alula-kernel"]), str(wheels["alula"]), "uv")
    (tmp_path / "majors.py").write_text(TWO_MAJORS)
    command = (str(commands / "alula"), "run", "--executor", "process", "majors.py", "both")
    first = run_in(tmp_path, *command, path=commands)
    assert re.search(r"o0: 3\.\d+", first), first
    assert re.search(r"o1: 4\.\d+", first), first
    assert first.count("built the environment") == 2
    assert "built the environment" not in run_in(tmp_path, *command, path=commands)


SHOP = {
    "shop/dbt_project.yml": "{name: shop, version: '1.0', profile: shop, models: {shop: {+materialized: table}}}",
    "shop/profiles.yml": "shop: {target: here, outputs: {here: {type: duckdb, path: shop.duckdb}}}",
    "shop/seeds/orders.csv": "id,customer,amount\n1,ada,3\n2,bob,4\n3,ada,5\n",
    "shop/models/totals.sql": "select customer, sum(amount) as total from {{ ref('orders') }} group by customer",
    "shop/tests/totals_are_small.sql": "select * from {{ ref('totals') }} where total > {{ var('most', 100) }}",
    "flow.py": """
import json
import subprocess

from flytekit import task, workflow
from flytekitplugins.dbt.error import DBTHandledError, DBTUnhandledError
from flytekitplugins.dbt.schema import (
    DBTFreshnessInput, DBTFreshnessOutput, DBTRunInput, DBTRunOutput, DBTTestInput, DBTTestOutput
)
from flytekitplugins.dbt.task import DBTFreshness, DBTRun, DBTTest

PLACE = {"project_dir": "shop", "profiles_dir": "shop", "profile": "shop"}
run, check, fresh = DBTRun(name="run"), DBTTest(name="check"), DBTFreshness(name="fresh")


@task
def seed():
    subprocess.run(["dbt", "seed", "--project-dir", "shop", "--profiles-dir", "shop"], check=True)


@task
def found(ran: DBTRunOutput, checked: DBTTestOutput, sources: DBTFreshnessOutput) -> list[str]:
    assert "model.shop.totals" in json.loads(ran.raw_manifest)["nodes"]
    results = [json.loads(text)["results"] for text in (ran.raw_run_result, checked.raw_run_result, sources.raw_sources)]
    return [result["status"] for one in results for result in one]


@workflow
def wf() -> list[str]:
    ran = run(input=DBTRunInput(**PLACE))
    checked = check(input=DBTTestInput(**PLACE, select=["totals"]))
    sources = fresh(input=DBTFreshnessInput(**PLACE))
    seed() >> ran
    ran >> checked
    checked >> sources
    return found(ran=ran, checked=checked, sources=sources)


if __name__ == "__main__":
    print("found", wf())
    most = {"flags": {"vars": {"most": 7}}}
    try:
        check(input=DBTTestInput(**PLACE, **most))
    except DBTHandledError as failure:
        print("handled", bool(failure.logs), failure)
    print("ignored", check(input=DBTTestInput(**PLACE, **most, ignore_handled_error=True)).exit_code)
    try:
        run(input=DBTRunInput(**{**PLACE, "project_dir": "."}))
    except DBTUnhandledError as failure:
        print("unhandled", failure)
""",
}


def test_a_program_for_flyte_runs_dbt(
    wheels: dict[str, Path], environment: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run dbt's commands as tasks, on a project in DuckDB; without dbt it is named."""
    monkeypatch.setenv("ALULA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    commands = environment(*(str(wheels[name]) for name in ("alula-kernel", "alula", "alula-flyte")))
    for name, text in SHOP.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    alone = "from flow import *; run(input=DBTRunInput(**PLACE))"
    started = (str(commands / "python"), "-c", f"import alula_flyte; alula_flyte.install(); {alone}")
    assert "dbt is not installed here" in run_in(tmp_path, *started, expect=1)

    # 1.12 needs a package that is no wheel, and downloads itself from elsewhere when it is installed.
    wanted = ("dbt-core>=1.10,<1.12", "dbt-duckdb")
    run_in(tmp_path, "uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", str(commands.parent), *wanted)
    printed = run_in(tmp_path, str(commands / "python"), "-m", "alula_flyte", "flow.py", path=commands)
    assert "found ['success', 'pass']" in printed
    assert re.search(
        r"handled True dbt --log-format json test .* found failures\n.*FAIL 1 totals_are_small", printed
    ), printed
    assert "ignored 1" in printed
    assert re.search(r"unhandled dbt --log-format json run .* could not do its work\n[^$]*dbt_project.yml", printed), (
        printed
    )


PROFILES = """
import flytekit
import pandas as pd
import whylogs
from flytekit import task, workflow
from flytekitplugins.whylogs.renderer import WhylogsConstraintsRenderer, WhylogsSummaryDriftRenderer
from flytekitplugins.whylogs.schema import WhylogsDatasetProfileTransformer
from whylogs.core import DatasetProfileView
from whylogs.core.constraints import ConstraintsBuilder
from whylogs.core.constraints.factories import greater_than_number


@task
def numbers(first: int) -> pd.DataFrame:
    return pd.DataFrame({"n": range(first, first + 100)})


@task
def profile(df: pd.DataFrame) -> DatasetProfileView:
    return whylogs.log(df).view()


@task(enable_deck=True)
def check(view: DatasetProfileView, new: pd.DataFrame, old: pd.DataFrame) -> list[bool]:
    builder = ConstraintsBuilder(dataset_profile_view=view)
    constraints = builder.add_constraint(greater_than_number(column_name="n", number=5)).build()
    report = WhylogsConstraintsRenderer().to_html(constraints=constraints)
    drift = WhylogsSummaryDriftRenderer().to_html(target_data=new, reference_data=old)
    flytekit.Deck("drift", drift)
    return [constraints.validate(), "srcdoc=" in report, "srcdoc=" in drift, "n" in view.get_columns()]


@task
def count(view: DatasetProfileView) -> int:
    return len(view.get_columns())


@task
def wrong() -> DatasetProfileView:
    return 3


@workflow
def wf(first: int) -> list[bool]:
    df = numbers(first=first)
    return check(view=profile(df=df), new=df, old=numbers(first=0))


if __name__ == "__main__":
    print(wf(first=1), wf(first=10))
    try:
        wrong()
    except Exception as failure:
        print(failure)
"""


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="whylogs has no wheels for Python 3.13")
def test_a_program_for_flyte_passes_profiles_of_whylogs(
    wheels: dict[str, Path], environment: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pass profiles between tasks and draw reports of them, with the library that makes them."""
    monkeypatch.setenv("ALULA_HOME", str(tmp_path / "home"))
    alula = [str(wheels[name]) for name in ("alula-kernel", "alula", "alula-flyte")]
    commands = environment(*alula, "whylogs[viz]>=1.6.4", "pandas", "pyarrow")
    (tmp_path / "profiles.py").write_text(PROFILES)
    printed = run_in(tmp_path, str(commands / "python"), "-m", "alula_flyte", "profiles.py", path=commands)
    assert "[False, True, True, True] [True, True, True, True]" in printed
    assert "expected File, found int 3" in printed
    shown = run_in(
        tmp_path, str(commands / "alula"), "run", "--flyte", "profiles.py", "wf", "--first", "10", path=commands
    )
    assert "o0: [True, True, True, True]" in shown
    (tmp_path / "junk.bin").write_text("junk")
    command = (str(commands / "alula"), "run", "--flyte", "profiles.py", "count", "--view", "junk.bin")
    assert "is no profile of whylogs: Invalid magic header" in run_in(tmp_path, *command, path=commands, expect=2)


BROKEN = {
    "alula_broken.py": "raise RuntimeError('a broken plugin')\n",
    "pyproject.toml": """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "alula-broken"
version = "0.7"
[project.entry-points.alula]
broken = "alula_broken"
[tool.hatch.build.targets.wheel]
include = ["alula_broken.py"]
""",
}

COLORS = """
from alula import task, workflow
from alula_demo import Color


@task
def mix(a: Color, b: Color) -> Color:
    return a.mixed_with(b)


@workflow
def paint(a: Color = Color(0, 0, 0), b: Color = Color(255, 255, 255)) -> Color:
    return mix(a=a, b=b)
"""


def test_new_plugin(wheels: dict[str, Path], environment: Callable[..., Path], tmp_path: Path) -> None:
    """Make a plugin from the template, test and use it; one that cannot be imported is named and stops nothing."""
    commands = environment(str(wheels["alula-kernel"]), str(wheels["alula"]), "pytest", "hypothesis")
    alula, python = str(commands / "alula"), str(commands / "python")
    run_in(tmp_path, alula, "plugins", "new", "alula-demo")
    run_in(tmp_path, python, "-m", "pip", "install", "--quiet", "./alula-demo")
    tested = run_in(tmp_path / "alula-demo", python, "-m", "pytest", "-q")
    assert re.search(r"\d+ passed", tested), tested
    assert "failed" not in tested
    assert "alula-demo" in run_in(tmp_path, alula, "plugins", "list")
    (tmp_path / "paint.py").write_text(COLORS)
    assert "#7f7f7f" in run_in(tmp_path, alula, "run", "paint.py", "paint")
    assert "#800000" in run_in(tmp_path, alula, "run", "paint.py", "paint", "--b", "#ff0000", "--a", "#010000")

    broken = tmp_path / "alula-broken"
    broken.mkdir()
    for name, text in BROKEN.items():
        (broken / name).write_text(text)
    run_in(tmp_path, python, "-m", "pip", "install", "--quiet", "./alula-broken")
    doctor = run_in(tmp_path, alula, "plugins", "doctor", expect=1)
    assert "alula-broken 0.7" in doctor
    assert "a broken plugin" in doctor
    ran = run_in(tmp_path, alula, "run", "paint.py", "paint")
    assert "#7f7f7f" in ran
    assert "alula-broken 0.7" in ran
