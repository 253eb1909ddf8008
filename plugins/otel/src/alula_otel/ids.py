"""Ids of traces that follow from runs, so that every process of a run writes to one trace without being told which."""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
from collections.abc import Iterator

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator

_wanted: contextvars.ContextVar[int] = contextvars.ContextVar("alula_otel_trace_id", default=0)


def trace_id_of(run: str, project: str, domain: str) -> int:
    """Return the id of a run's trace; ``format(..., "032x")`` is what backends show.

    A run that began inside another trace, as in a web request, is part of that one instead.

    Args:
        run: Name of the run.
        project: Its project.
        domain: Its domain.
    """
    said = f"alula run\0{project}\0{domain}\0{run}"
    return int.from_bytes(hashlib.sha256(said.encode()).digest()[:16], "big") or 1  # 0 is no valid id


class RunTraceIds(IdGenerator):
    """Gives a root span that begins inside `wanted` the id that is wanted there, and leaves all else to another generator.

    Args:
        other: The other.
    """

    def __init__(self, other: IdGenerator) -> None:
        self._other = other

    def generate_span_id(self) -> int:
        """Return the id of a span."""
        return self._other.generate_span_id()

    def generate_trace_id(self) -> int:
        """Return the id of a trace."""
        return _wanted.get() or self._other.generate_trace_id()

    def is_trace_id_random(self) -> bool:
        """Tell whether the ids of traces are random: those of runs are not."""
        return False


def let_ids_be_wanted(provider: TracerProvider) -> None:
    """Let a provider use `RunTraceIds`; its sampler, resource and exporters stay. Doing it again changes nothing."""
    generator: IdGenerator = provider.id_generator
    if not isinstance(generator, RunTraceIds):
        vars(provider)["id_generator"] = RunTraceIds(generator)  # annotated as OpenTelemetry's own generator only


@contextlib.contextmanager
def wanted(trace_id: int) -> Iterator[None]:
    """Let root spans that begin in the block have this id of a trace."""
    token = _wanted.set(trace_id)
    try:
        yield
    finally:
        _wanted.reset(token)
