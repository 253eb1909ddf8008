"""``flyte.logger``: what a program logs is shown from the start, from level INFO on."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, TextIO

_FORMAT = "%(asctime)s %(levelname)-8s %(filename)s:%(lineno)d - %(message)s"


if TYPE_CHECKING:
    _Handler = logging.StreamHandler[TextIO]
else:  # Python 3.10 knows no parameter of it
    _Handler = logging.StreamHandler


class _CurrentOutput(_Handler):
    """Writes to what is stdout at the time, which is another one while a task is captured."""

    @property
    def stream(self) -> TextIO:
        return sys.stdout

    @stream.setter
    def stream(self, _stream: TextIO) -> None:
        pass


def _made() -> logging.Logger:
    made = logging.getLogger("alula.task.flyte")
    wanted = os.environ.get("USER_LOG_LEVEL", "INFO").upper()
    made.setLevel(int(wanted) if wanted.isdecimal() else wanted)
    made.propagate = False
    handler = _CurrentOutput()
    handler.setFormatter(logging.Formatter(_FORMAT, datefmt="%H:%M:%S"))
    made.addHandler(handler)
    return made


logger = _made()
"""The program's logger; the level is that of the environment variable ``USER_LOG_LEVEL``."""
