"""What the plugin registers, and that it stays light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import ray

import alula
from alula.errors import UsageError
from alula_kernel.plugins import load_plugins
from alula_ray.executor import RayExecutor


def test_it_is_found_by_its_entry_point() -> None:
    found = {info.name: info for info in load_plugins().describe()}
    assert found["ray"].distribution == "alula-ray"
    assert found["ray"].error == ""
    assert found["ray"].registers == {
        "executors": ["ray"],
        "task_types": ["ray"],
        "type_transformers": ["ray-object-ref"],
    }


def test_a_run_that_needs_no_ray_imports_none(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import sys, alula\n"
        "from alula_ray import RayJobConfig\n"
        "@alula.task\ndef one() -> int:\n    return 1\n"
        "@alula.task(task_config=RayJobConfig())\ndef other() -> int:\n    return 2\n"
        "assert one() == 1\n"
        "other.spec(alula.current_app())\n"
        "print('ray' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, tmp_path / "program.py"], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_references_are_no_values() -> None:
    @alula.task
    def leak() -> ray.ObjectRef:
        return ray.put(1)

    with pytest.raises(UsageError, match=r"ray\.get\(reference\)"):
        leak.spec(alula.current_app())


def test_a_cluster_that_does_not_answer_is_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALULA_RAY_ADDRESS", "ray://127.0.0.1:9")

    @alula.task
    def one() -> int:
        return 1

    with pytest.raises(UsageError, match=r"no Ray cluster can be reached at ray://127\.0\.0\.1:9"):
        alula.with_runcontext(executor="ray").run(one)


def test_an_unknown_name_of_the_package_is_refused() -> None:
    import alula_ray

    with pytest.raises(AttributeError, match="RayCluster"):
        _ = alula_ray.RayCluster


def test_an_executor_that_was_not_opened_says_so() -> None:
    with pytest.raises(Exception, match="before it was opened"):
        RayExecutor()._cluster("task")
