"""The logger of tasks."""

from __future__ import annotations

import logging

logger = logging.getLogger("alula.task")
"""For what tasks have to say; it is given a handler by ``alula run``, or by the program."""
