"""OpenTelemetry traces of Alula runs: a span for every attempt of a task, and one for every traced step in it.

`init`, called at the top of the module of the tasks, is all there is to do.
"""

from __future__ import annotations

from .ids import trace_id_of
from .observer import SpanObserver
from .setup import get_tracer, init, shutdown

__all__ = ["SpanObserver", "get_tracer", "init", "shutdown", "trace_id_of"]
