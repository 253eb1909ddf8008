from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.one_python

EXAMPLES = Path(__file__).parents[2] / "examples"
PLUGIN = EXAMPLES / "plugin"

Start = Callable[..., subprocess.CompletedProcess[str]]


def test_its_own_tests_pass(start: Start, installed: dict[str, str]) -> None:
    """The conformance suites of both contracts are among them."""
    printed = start(
        *("-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(PLUGIN), "-c", str(PLUGIN / "pyproject.toml")),
        *("-v", str(PLUGIN / "tests")),
        environment=installed,
    ).stdout
    assert "TestPlaceTransformer::test_T01" in printed
    assert "TestFolderCache::test_C01" in printed
    assert "skipped" not in printed


def test_it_is_listed_with_what_it_registers(start: Start, installed: dict[str, str]) -> None:
    printed = start("-m", "alula", "plugins", "list", environment=installed).stdout
    assert "alula-places 0.1.0" in printed
    assert "folder" in printed


def test_a_workflow_uses_its_type(alula_run: Callable[..., dict[str, Any]], installed: dict[str, str]) -> None:
    said = alula_run(
        *("plugin/travel.py", "trip", "--start", "0, 0", "--stops", '["0, 3", {"latitude": 0, "longitude": 1}]'),
        environment=installed,
    )
    assert said["phase"] == "succeeded"
    assert said["outputs"]["km"] == pytest.approx(3 * 111.195, abs=0.1)


def test_its_cache_is_chosen_by_name(
    alula_run: Callable[..., dict[str, Any]], caches: Callable[..., Any], installed: dict[str, str], tmp_path: Path
) -> None:
    chosen = {**installed, "ALULA_CACHE": "folder", "ALULA_FOLDER_CACHE": str(tmp_path / "results")}
    found = [caches(alula_run("plugin/travel.py", "trip", environment=chosen))["nearest_first"] for _ in range(2)]
    assert found == ["populated", "hit"]
    [entry] = (tmp_path / "results" / "entries").iterdir()

    # What was deleted is computed again.
    entry.unlink()
    assert caches(alula_run("plugin/travel.py", "trip", environment=chosen))["nearest_first"] == "populated"


def test_text_that_is_no_place_is_refused(start: Start, installed: dict[str, str]) -> None:
    travel = str(PLUGIN / "travel.py")
    done = start("-m", "alula", "run", travel, "trip", "--start", "nowhere", expect=2, environment=installed)
    assert "expected a place as '48.2082, 16.3738', found 'nowhere'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_plugin_the_workflow_does_not_start(start: Start) -> None:
    done = start("-m", "alula", "run", str(PLUGIN / "travel.py"), "trip", expect=2)
    assert "alula_places" in done.stderr


def test_collections_of_places_are_shown_as_places_are_typed(
    start: Start, installed: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "stops.py"
    script.write_text(
        "from alula import task\nfrom alula_places import Place\n\n\n@task\n"
        "def stops() -> tuple[list[Place], dict[str, Place]]:\n"
        "    return [Place(1, 2), Place(3, 4)], {'home': Place(5, 6)}\n"
    )
    done = start("-m", "alula", "run", str(script), "stops", environment=installed)
    assert done.stdout == "o0: [(1.0, 2.0), (3.0, 4.0)]\no1: {'home': (5.0, 6.0)}\n"
