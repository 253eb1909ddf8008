from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from alula._data.scratch import Scratch

CODE = """
import os, sys
from alula._data.scratch import scratch
mine = scratch.new_folder()
child = os.fork()
if child == 0:
    print(scratch.new_folder().parent != mine.parent, mine.exists(), flush=True)
    sys.exit()
os.waitpid(child, 0)
print(mine.exists(), flush=True)
"""


def test_a_forked_child_has_its_own_and_both_are_removed(tmp_path):
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.split() == ["True", "True", "True"]
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path, monkeypatch):
    code = "import os; from alula._data.scratch import scratch; scratch.new_folder(); os.kill(os.getpid(), 9)"
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], env=env, check=False)
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    scratch = Scratch()
    made = scratch.new_folder()
    assert list(tmp_path.iterdir()) == [made.parent]
    scratch.remove()


def test_threads_share_one_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    scratch = Scratch()
    made: list[Path] = []
    threads = [threading.Thread(target=lambda: made.append(scratch.new_folder())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 20
    assert len({path.parent for path in made}) == len(list(tmp_path.iterdir())) == 1
    scratch.remove()
    scratch.remove()
    assert list(tmp_path.iterdir()) == []
