"""``python -m alula_flyte SCRIPT ...``: run a script in a process in which Flyte's modules are Alula's."""

from __future__ import annotations

import os
import runpy
import sys

from . import program
from .finder import install

_USAGE = "usage: python -m alula_flyte SCRIPT [ARGUMENT]...\n       python -m alula_flyte -m MODULE [ARGUMENT]..."


def main() -> int:
    """Run what the command line names; return the exit code."""
    arguments = sys.argv[1:]
    is_module = arguments[:1] == ["-m"]
    rest = arguments[1:] if is_module else arguments
    if not rest or arguments[0] in {"-h", "--help"}:
        (sys.stdout if rest else sys.stderr).write(f"{_USAGE}\n")
        return 0 if rest else 2
    install()
    sys.argv = rest
    if is_module:
        sys.path[0] = os.getcwd()
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        return 0
    if not os.path.exists(rest[0]):
        sys.stderr.write(f"error: there is no file {rest[0]}\n{_USAGE}\n")
        return 2
    script = os.path.abspath(rest[0])
    sys.path[0] = os.path.dirname(script)
    program.run(script)
    return 0


if __name__ == "__main__":
    sys.exit(main())
