"""AU-43, EX-35, LD-05: plain scripts, options of runs, `alula.init`."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import alula
from alula import TaskEnvironment, errors

env = TaskEnvironment(name="options")

SCRIPT = """
import os, pathlib, sys
import neighbour
print(neighbour.NAME, sys.argv[1:], os.environ.get("COLOR"))
print("a warning", file=sys.stderr)
pathlib.Path("made").mkdir(exist_ok=True)
pathlib.Path("made/result.txt").write_text("made")
if "fail" in sys.argv:
    sys.exit(3)
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "neighbour.py").write_text('NAME = "neighbour"')
    path = tmp_path / "code" / "job.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def own_logger() -> Iterator[logging.Logger]:
    """Give Alula's logger, and put it back afterwards."""
    own = logging.getLogger("alula")
    level, handlers = own.level, list(own.handlers)
    yield own
    own.setLevel(level)
    own.handlers[:] = handlers


# --- scripts ---------------------------------------------------------------------------------------------------------


def test_a_script_is_a_run(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = alula.run_python_script(script, ["--n", "1"], env_vars={"COLOR": "blue"}, output_dir="made", name="job-1")
    assert run.name == "job-1"
    assert [(a.name, a.phase.value) for a in run.actions] == [("python_script", "succeeded")]
    printed = capsys.readouterr()
    assert printed.out == "neighbour ['--n', '1'] blue\n"
    assert printed.err == "a warning\n"
    assert (Path(run.result) / "result.txt").read_text() == "made"
    assert asyncio.run(alula.run_python_script.aio(script)).result is None


def test_a_script_that_fails_fails_the_run(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = alula.run_python_script(str(script), ["fail"])
    assert run.error is not None
    assert run.error.code == "ScriptFailedError"
    assert "exit code 3" in run.error.message
    assert "a warning" in run.error.message
    assert "a warning" in capsys.readouterr().err


def test_a_script_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    path.write_text("import time\ntime.sleep(60)")
    run = alula.run_python_script(path, timeout=0.2)
    assert run.phase.value == "timed_out"


def test_what_cannot_be_run_is_refused(tmp_path: Path, script: Path) -> None:
    with pytest.raises(errors.UsageError, match=r"none\.py does not exist"):
        alula.run_python_script(tmp_path / "none.py")
    run = alula.run_python_script(script, output_dir="elsewhere")
    assert run.error is not None
    assert "left no folder elsewhere" in run.error.message


def cli(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alula", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1"},
    )


def test_the_command_runs_a_script(script: Path, tmp_path: Path) -> None:
    done = cli("run-script", "--name", "job-2", "--env", "COLOR=red", str(script), "--n", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "neighbour ['--n', '1'] red" in done.stdout
    assert "job-2" in cli("runs", "list", cwd=tmp_path).stdout
    failed = cli("run-script", str(script), "fail", cwd=tmp_path)
    assert failed.returncode == 1
    assert "exit code 3" in failed.stderr
    missing = cli("run-script", "none.py", cwd=tmp_path)
    assert missing.returncode == 2
    assert "does not exist" in missing.stderr


# --- options of runs -------------------------------------------------------------------------------------------------


def test_options_that_mean_nothing_here_are_refused_by_name() -> None:
    for option in ("service_account", "queue", "annotations", "tracked"):
        with pytest.raises(errors.UsageError, match=option):
            alula.with_runcontext(**{option: "x"})  # type: ignore[arg-type]
    with pytest.raises(errors.UnknownNameError, match="Did you mean 'labels'"):
        alula.with_runcontext(label={"a": "b"})
    with pytest.raises(errors.UnknownNameError, match="scope of the cache"):
        alula.with_runcontext(cache_lookup_scope="world")
    with pytest.raises(errors.UnknownNameError, match="way to send code"):
        alula.with_runcontext(copy_style="zip")


def test_a_global_cache_is_shared_by_projects_that_say_so() -> None:
    ran: list[int] = []

    @alula.task(cache=True, cache_version="1")
    def once(x: int) -> int:
        ran.append(x)
        return x

    for project in ("a", "b"):
        assert alula.with_runcontext(project=project, cache_lookup_scope="global").run(once, 1).result == 1
    assert ran == [1]
    alula.with_runcontext(project="b").run(once, 1)
    assert ran == [1, 1]


def test_debug_enters_the_debugger_where_a_task_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[str] = []

    def post_mortem(traceback: Any) -> None:
        while traceback.tb_next is not None:
            traceback = traceback.tb_next
        where.append(traceback.tb_frame.f_code.co_name)

    monkeypatch.setattr("pdb.post_mortem", post_mortem)

    @env.task
    def fails(x: int) -> int:
        if x:
            raise ValueError(x)
        return x

    runner = alula.with_runcontext(debug=True)
    assert runner.run(fails, 0).result == 0
    assert where == []
    assert runner.run(fails, 1).error is not None
    assert where == ["fails"]


def test_log_level(own_logger: logging.Logger) -> None:
    alula.with_runcontext(log_level="DEBUG")
    assert own_logger.level == logging.DEBUG
    with pytest.raises(errors.UsageError, match="no log level"):
        alula.with_runcontext(log_level="LOUD")


# --- init ------------------------------------------------------------------------------------------------------------


def test_init_chooses_settings_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_logger: logging.Logger
) -> None:
    for name in ("ALULA_PROJECT", "ALULA_DOMAIN", "ALULA_HOME", "ALULA_DATA"):
        monkeypatch.setenv(name, os.environ.get(name, ""))

    @env.task
    def where() -> list[str]:
        context = alula.ctx()
        assert context is not None
        return [context.project, context.domain, context.run_base_dir]

    before = where()
    alula.init()
    assert where()[:2] == before[:2]
    asyncio.run(alula.init.aio(project="p", domain="d"))
    alula.init(home=tmp_path / "home", log_level=logging.INFO)
    project, domain, base = where()
    assert (project, domain) == ("p", "d")
    assert base.startswith(str(tmp_path / "home"))
    assert own_logger.level == logging.INFO


def test_init_refuses_what_it_does_not_know() -> None:
    with pytest.raises(errors.UsageError, match="without a server"):
        alula.init(endpoint="dns:///example.org")
    with pytest.raises(errors.UnknownNameError, match="Did you mean 'project'"):
        alula.init(projekt="x")
