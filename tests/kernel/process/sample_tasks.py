"""Bodies of the tasks in these tests; they run in worker processes."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Call = Callable[..., Any]
_seen: list[int] = []


def add(a: int, b: int) -> int:
    return a + b


def pid() -> int:
    return os.getpid()


def pause(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def wait_for(path: str) -> str:
    while not os.path.exists(path):
        time.sleep(0.005)
    return Path(path).read_text()


def note_and_wait(path: str) -> None:
    """Say who runs, and then wait to be killed."""
    temporary = f"{path}.new"
    Path(temporary).write_text(str(os.getpid()))
    os.rename(temporary, path)
    time.sleep(600)


def kill_self(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(600)


def crash() -> None:
    ctypes.string_at(0)


def leave(status: int) -> None:
    os._exit(status)


def allocate_slowly(megabytes: int) -> int:
    kept = []
    for _ in range(megabytes):
        kept.append(b"x" * (1 << 20))
        time.sleep(0.001)
    return len(kept)


def allocate_at_once(megabytes: int) -> int:
    return len(bytearray(megabytes << 20))


def allocate_in_child(megabytes: int) -> int:
    code = f"kept = b'x' * ({megabytes} << 20); import time; time.sleep(600)"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode


def talk(lines: int) -> None:
    for number in range(lines):
        print("line", number)
    print("at the end", file=sys.stderr)


def talk_and_wait(path: str) -> None:
    print("before")
    wait_for(path)
    print("after")


def redirect() -> None:
    print("before", flush=True)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)
    print("nowhere")


def ignore_term(path: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note_and_wait(path)


def return_when_told_to_end(path: str) -> int:
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    Path(path).touch()
    while not told:
        time.sleep(0.005)
    return os.getpid()


def leave_child_behind(path: str) -> int:
    """Start a program that would outlive the task."""
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid


def parent(depth: int, call: Call) -> int:
    return 1 + call("parent", depth=depth - 1) if depth else 0


def family(first: int, call: Call) -> int:
    """Call three children at once and add up."""
    results = [call.begin("add", a=first, b=n) for n in range(3)]  # type: ignore[attr-defined]
    return sum(result() for result in results)


def call_then_wait(path: str, call: Call) -> int:
    note = Path(f"{path}.pid")
    note.with_suffix(".new").write_text(str(os.getpid()))
    note.with_suffix(".new").rename(note)
    wait_for(path)
    return int(call("add", a=1, b=2))


def call_again(folder: str, call: Call) -> int:
    """Make a second call when the first has ended, before its answer is looked at."""
    first = call.begin("wait_for", path=f"{folder}/first")  # type: ignore[attr-defined]
    wait_for(f"{folder}/second")
    second = call.begin("add", a=3, b=4)  # type: ignore[attr-defined]
    Path(folder, "called").touch()
    return len(first()) + int(second())


def call_then_be_killed(path: str, call: Call) -> int:
    note = Path(f"{path}.pid")
    note.with_suffix(".new").write_text(str(os.getpid()))
    note.with_suffix(".new").rename(note)
    wait_for(path)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return int(call("add", a=1, b=2))


def call_failing(call: Call) -> str:
    try:
        call("leave", status=3)
    except RuntimeError as failure:
        return str(failure)
    return "nothing"


def remember(number: int) -> str:
    """Tell what earlier attempts in this process left behind, and leave something."""
    found = [
        f"seen={_seen}",
        f"environment={os.environ.get('LEFT_BEHIND')}",
        f"folder={os.path.basename(os.getcwd())}",
        f"files={os.listdir(tempfile.gettempdir())}",
        f"mask={os.umask(0o77):o}",
        f"path={'/left/behind' in sys.path}",
    ]
    _seen.append(number)
    os.environ["LEFT_BEHIND"] = str(number)
    os.chdir("/")
    Path(tempfile.gettempdir(), "left-behind").write_text("x")
    sys.path.append("/left/behind")
    print("attempt", number)
    return " ".join(found)


def devices() -> str:
    return os.environ.get("CUDA_VISIBLE_DEVICES", "none")


_met = 0


async def meet(number: int) -> int:
    """Return only when three of these are at it in the same process."""
    global _met
    _met += 1
    print("meeting", number)
    while _met < 3:
        await asyncio.sleep(0.005)
    return os.getpid()


def span(seconds: float) -> str:
    begin = time.time()
    time.sleep(seconds)
    return f"{begin} {time.time()}"


def note_and_return(path: str) -> int:
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n")
    return os.getpid()
