"""Running a script as ``__main__``, in this process and in those that it makes with `multiprocessing`."""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

SPAWNED = "alula_flyte.spawned"
"""What a process that was made by spawning runs first: it imports the module that ``__main__.__spec__`` names."""

SCRIPT = "ALULA_FLYTE_SCRIPT"
"""The environment variable in which such a process finds the script."""


def run(script: str) -> None:
    """Run a script as ``__main__``.

    Args:
        script: Its path, absolute as Python makes it.
    """
    main = ModuleType("__main__")
    main.__file__ = script
    main.__spec__ = ModuleSpec(SPAWNED, None, origin=script)
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    os.environ[SCRIPT] = script
    with open(script, "rb") as stream:
        code = compile(stream.read(), script, "exec", dont_inherit=True)
    exec(code, main.__dict__)
