"""Secrets of tasks in processes of their own: what others can see of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

VALUE = "pr0cess-secret-value"

SCRIPT = """
import os
import pathlib
import sys
import time

import alula
from alula import Secret, current_context, task


@task(
    secret_requests=[Secret("password", group="database"), Secret("key", mount_requirement="file")],
    enable_deck=True,
)
def look(folder: str) -> list[bool]:
    value = os.environ["DATABASE_PASSWORD"]
    context = current_context()
    print("printed", value, flush=True)
    print("printed", value, file=sys.stderr, flush=True)
    context.default_deck.append(value)
    found = [
        context.secrets.get("database", "password") == value,
        pathlib.Path(context.secrets.get_secrets_file("key")).read_text() == value,
    ]
    here = pathlib.Path(folder)
    (here / "files").write_text(os.environ["ALULA_SECRETS"])
    (here / "begun").touch()
    for _ in range(6_000):
        if (here / "go-on").exists():
            break
        time.sleep(0.02)
    return found


@task(secret_requests=[Secret("password", group="database")])
def fails() -> int:
    raise ValueError("no login with " + os.environ["DATABASE_PASSWORD"])


if __name__ == "__main__":
    runner = alula.with_runcontext(executor="process")
    print(runner.run(look, folder=os.getcwd()).result, flush=True)
    run = runner.run(fails)
    print(run.error, run.actions, flush=True)
"""


def test_no_file_and_no_process_shows_a_value(alula_home: Path, tmp_path: Path) -> None:
    secrets = alula_home / "secrets"
    (secrets / "database").mkdir(parents=True)
    (secrets / "database" / "password").write_text(VALUE)
    (secrets / "key").write_text(VALUE)
    (tmp_path / "look.py").write_text(SCRIPT)
    command = [sys.executable, "look.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            deadline = time.monotonic() + 60
            while not (tmp_path / "begun").exists():
                assert running.poll() is None
                assert time.monotonic() < deadline, "it hangs"
                time.sleep(0.02)
            processes = [Path("/proc", name) for name in os.listdir("/proc") if name.isdecimal()]
            seen = [process / name for process in processes for name in ("cmdline", "environ")]
            shown = [path for path in seen if shows(path)]
        finally:
            (tmp_path / "go-on").touch()
        out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert shown == []
    assert out.startswith("[True, True]\n"), err
    assert "no login with [secret]" in out
    assert VALUE not in out + err
    assert not Path((tmp_path / "files").read_text()).exists()
    kept = {secrets / "database" / "password", secrets / "key"}
    assert {path for path in alula_home.rglob("*") if path.is_file() and shows(path)} == kept
    assert not any(shows(path) for path in tmp_path.rglob("*") if path.is_file())
    assert list(alula_home.rglob("report.html"))


def shows(path: Path) -> bool:
    try:
        return VALUE.encode() in path.read_bytes()
    except OSError:  # the process has ended, or belongs to someone else
        return False


ENDINGS = """
import os
import signal
import time

from alula import ReusePolicy, Secret, TaskEnvironment, current_context, task

kept = TaskEnvironment("kept", reusable=ReusePolicy(replicas=1), secrets=[Secret("key", mount_requirement="file")])
WANTED = [Secret("key", mount_requirement="file")]


def end(how: str) -> int:
    path = current_context().secrets.get_secrets_file("key")
    assert os.path.exists(path)
    with open("where", "a") as file:
        file.write(path + "\\n")
    if how == "exit":
        os._exit(3)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if how != "return":
        time.sleep(600)
    return 1


alone = task(timeout=1.0, secret_requests=WANTED)(end)


@kept.task
def in_kept(how: str) -> int:
    return end(how)


@task(secret_requests=WANTED)
def stopped() -> int:
    return end("wait")


@task
def others() -> list[str]:
    print(dict(os.environ))
    return [name for name in os.environ if name.startswith("ALULA_SECRET_")]
"""


@pytest.fixture
def endings(alula_home: Path, tmp_path: Path) -> Path:
    (alula_home / "secrets").mkdir(parents=True)
    (alula_home / "secrets" / "key").write_text(VALUE)
    (tmp_path / "endings.py").write_text(ENDINGS)
    return tmp_path


def begin(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "alula", "run", "--executor", "process", "endings.py", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("entity", "how"),
    [("alone", "exit"), ("alone", "kill"), ("alone", "timeout"), ("alone", "return"), ("in_kept", "kill")],
)
def test_files_go_however_the_attempt_ends(endings: Path, entity: str, how: str) -> None:
    with begin(endings, entity, "--how", how) as running:
        out, err = running.communicate(timeout=120)
    assert running.returncode == (0 if how == "return" else 1), out + err
    paths = (endings / "where").read_text().split()
    assert paths
    assert not [path for path in paths if Path(path).parent.exists()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_files_go_when_the_run_is_interrupted(endings: Path, number: int) -> None:
    where = endings / "where"
    with begin(endings, "stopped") as running:
        deadline = time.monotonic() + 60
        while not where.exists() or not where.read_text().endswith("\n"):
            assert running.poll() is None
            assert time.monotonic() < deadline, "it hangs"
            time.sleep(0.02)
        running.send_signal(number)
        running.communicate(timeout=120)
    assert not Path(where.read_text().strip()).parent.exists()


@pytest.mark.parametrize("spawn", [False, True], ids=["forked", "fresh"])
def test_a_task_that_asks_for_none_finds_none(
    endings: Path, alula_home: Path, monkeypatch: pytest.MonkeyPatch, spawn: bool
) -> None:
    monkeypatch.setenv("ALULA_SECRET_OTHER", VALUE)
    if spawn:  # a thread that a fork would lose
        source = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        (endings / "endings.py").write_text(source + ENDINGS)
    with begin(endings, "others") as running:
        out, err = running.communicate(timeout=120)
    assert (running.returncode, out) == (0, "o0: []\n"), err
    assert [path for path in alula_home.rglob("*.out") if VALUE in path.read_text()] == []
    with begin(endings, "alone", "--how", "return") as running:
        assert running.communicate(timeout=120)[0] == "o0: 1\n"
