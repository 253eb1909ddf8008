"""Secrets of tasks in processes of their own: what others can see of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

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
