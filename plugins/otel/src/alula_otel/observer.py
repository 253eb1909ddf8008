"""Tasks and traced steps as spans."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import Span, Tracer

import alula
from alula.observing import Observer, Step

from .ids import trace_id_of, wanted

_FLUSH_MILLISECONDS = 10_000


class SpanObserver(Observer):
    """Makes a span of every attempt and of every step.

    An attempt's span belongs to the span that the custom context of the task names, as W3C's Trace Context has it
    (``traceparent``): that of the task which called it, or of what started the run. Without one it is a root, in the trace
    whose id `trace_id_of` gives. Inside, the span is the current one, and in the custom context of what the task calls.

    Args:
        tracer: What makes the spans.
        provider: What writes them, to be flushed where a process ends after the task; None for nothing.
        prefix: What the names of attributes begin with.
    """

    def __init__(self, tracer: Tracer, provider: Any = None, prefix: str = "alula") -> None:
        self.tracer = tracer
        self._provider = provider
        self._prefix = prefix

    @contextlib.contextmanager
    def task(self, context: Any) -> Iterator[None]:
        """Surround an attempt by a span."""
        try:
            with trace.use_span(self._task_span(context), end_on_exit=True):
                carrier: dict[str, str] = {}
                inject(carrier)
                with alula.custom_context(**carrier):
                    yield
        finally:
            if context.in_worker and hasattr(self._provider, "force_flush"):
                self._provider.force_flush(_FLUSH_MILLISECONDS)

    def _task_span(self, context: Any) -> Span:
        name = context.attempt.task.id.name
        attributes = {
            **self._attributes(context),
            f"{self._prefix}.task_name": name,
            f"{self._prefix}.attempt_number": context.attempt_number,
        }
        parent = extract(context.attempt.context, Context())
        if trace.get_current_span(parent).get_span_context().is_valid:
            return self.tracer.start_span(name, parent, attributes=attributes)
        with wanted(trace_id_of(context.run_name, context.project, context.domain)):
            return self.tracer.start_span(name, Context(), attributes=attributes)

    @contextlib.contextmanager
    def step(self, context: Any, step: Step) -> Iterator[None]:
        """Surround a step by a span; one that is replayed has a span of no length, so that the trace has no hole."""
        attributes = {
            **self._attributes(context),
            f"{self._prefix}.action_name": step.action,
            f"{self._prefix}.task_action_name": context.action_name,
            f"{self._prefix}.step_name": step.name,
            f"{self._prefix}.replayed": step.replayed,
        }
        span = self.tracer.start_span(step.name.rpartition(".")[2], attributes=attributes)
        if not step.gives_items:
            with trace.use_span(span, end_on_exit=True):
                yield
            return
        # The code of a generator's caller runs in between, and is no part of the step.
        try:
            yield
        except Exception as failure:
            span.record_exception(failure)
            span.set_status(trace.StatusCode.ERROR, f"{type(failure).__name__}: {failure}")
            raise
        finally:
            span.end()

    def _attributes(self, context: Any) -> dict[str, Any]:
        return {
            f"{self._prefix}.{name}": getattr(context, name)
            for name in ("run_name", "action_name", "project", "domain")
        }
