"""The garbage collector while the command starts: it has nothing to collect, and looks for it all the time.

Importing makes tens of thousands of objects that live to the end. Collecting while they are made, and once more for all
of them when the interpreter ends, takes a fifth of the time of a short run. So the collector rests while Alula loads its
own modules, and what they made is then left out of collections for good (`gc.freeze`). The user's code, and what it makes,
has the collector as Python has it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def resting() -> Iterator[None]:
    """Let the collector rest, but for what runs in `working`."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def working() -> Iterator[None]:
    """Let the collector work while the user's code runs."""
    rests = not gc.isenabled()
    gc.enable()
    try:
        yield
    finally:
        if rests:
            gc.disable()


def leave_out_what_there_is() -> None:
    """Leave every object that there is out of collections, if the collector rests. To be called before the user's code."""
    if not gc.isenabled():
        gc.freeze()
