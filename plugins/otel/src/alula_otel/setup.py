"""From where spans go to a provider that takes them there."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

import alula
from alula.errors import UnknownNameError, UsageError
from alula.observing import observe, stop_observing

from .ids import RunTraceIds, let_ids_be_wanted
from .observer import SpanObserver

_NAME = "alula-otel"
_PROTOCOLS = {"grpc": "grpc", "http": "http", "http/protobuf": "http"}

_lock = threading.Lock()
_observer: SpanObserver | None = None
_own_provider: TracerProvider | None = None
"""What `init` made, of this process as OpenTelemetry's own provider is."""


def init(
    *,
    service_name: str | None = None,
    endpoint: str | None = None,
    headers: Mapping[str, str] | str | None = None,
    protocol: str | None = None,
    resource_attributes: Mapping[str, Any] | None = None,
    exporter: SpanExporter | Sequence[SpanExporter] | None = None,
    tracer_provider: trace.TracerProvider | None = None,
    disable_batch: bool = False,
    set_global: bool = True,
    attribute_prefix: str = "alula",
) -> SpanObserver:
    """Make spans of tasks and traced steps from now on, and send them somewhere.

    To be called at the top of the module of the tasks: every process that runs one imports it first. Calling it again
    changes nothing.

    Without arguments, the variables of OpenTelemetry say where spans go, as ``OTEL_EXPORTER_OTLP_ENDPOINT``. Where they do
    not, spans are made and not sent, and a warning says so.

    Args:
        service_name: The service that spans name; by default ``OTEL_SERVICE_NAME``, or ``alula``.
        endpoint: Where an OTLP receiver listens, as ``http://localhost:4318``; over HTTP, the path of traces is added.
        headers: What is sent along, by name, or as ``name=value,name=value``.
        protocol: ``"http/protobuf"`` or ``"grpc"``; by default what ``OTEL_EXPORTER_OTLP_PROTOCOL`` says, or the first.
        resource_attributes: More that every span says of this process.
        exporter: One or several that take spans instead.
        tracer_provider: A provider that is set up already, in place of all the above. Its sampler, resource and exporters
            stay as they are, and it is not closed by `shutdown`.
        disable_batch: Send each span when it ends: slower, but nothing is lost where a process is killed.
        set_global: Make the provider that of all other instrumentation in this process too.
        attribute_prefix: What the names of attributes begin with.

    Returns:
        What makes the spans.

    Raises:
        UsageError: A provider was given together with what only a new one needs.
        UnknownNameError: There is no such protocol.
        ImportError: The exporter for gRPC is not installed.
    """
    global _observer, _own_provider
    with _lock:
        if _observer is not None:
            return _observer
        if alula.ctx() is not None:
            alula.logger.warning(
                "alula_otel.init was called in a task, which therefore has no span itself; call it at the top of the module"
            )
        if tracer_provider is None:
            own = TracerProvider(
                resource=_resource(service_name, resource_attributes), id_generator=RunTraceIds(RandomIdGenerator())
            )
            for one in _exporters(exporter, endpoint, headers, protocol):
                own.add_span_processor(SimpleSpanProcessor(one) if disable_batch else BatchSpanProcessor(one))
            if set_global:
                trace.set_tracer_provider(own)
            tracer_provider = _own_provider = own
        else:
            given = {
                "endpoint": endpoint,
                "exporter": exporter,
                "headers": headers,
                "protocol": protocol,
                "resource_attributes": resource_attributes,
            }
            refused = [name for name, value in given.items() if value is not None]
            if refused:
                raise UsageError(
                    f"alula_otel.init: tracer_provider comes with {', '.join(refused)}, which a provider has already",
                    hint="Give them to the provider, or leave tracer_provider out.",
                )
            if isinstance(tracer_provider, TracerProvider):
                let_ids_be_wanted(tracer_provider)
        _observer = SpanObserver(tracer_provider.get_tracer(_NAME), tracer_provider, attribute_prefix)
        observe(_observer)
        return _observer


def get_tracer() -> trace.Tracer | None:
    """Return what makes the spans, for instrumentation that takes a tracer; None before `init`."""
    return None if _observer is None else _observer.tracer


def shutdown() -> None:
    """Make no more spans, and send what is still waiting. Nothing happens before `init`."""
    global _observer, _own_provider
    with _lock:
        if _observer is not None:
            stop_observing(_observer)
        if _own_provider is not None:
            _own_provider.shutdown()
        _observer = _own_provider = None


def _resource(service_name: str | None, attributes: Mapping[str, Any] | None) -> Resource:
    name = service_name or os.environ.get("OTEL_SERVICE_NAME") or "alula"
    return Resource.create({"service.name": name, **(attributes or {})})


def _exporters(
    exporter: SpanExporter | Sequence[SpanExporter] | None,
    endpoint: str | None,
    headers: Mapping[str, str] | str | None,
    protocol: str | None,
) -> Sequence[SpanExporter]:
    if exporter is not None:
        return [exporter] if isinstance(exporter, SpanExporter) else exporter
    # Without an endpoint an exporter would try the default one, and fill the log with its failures.
    if not (endpoint or _variable("ENDPOINT")):
        alula.logger.warning(
            "alula_otel.init: spans are made and not sent, since nothing says where to; set OTEL_EXPORTER_OTLP_ENDPOINT, "
            "or pass endpoint or exporter"
        )
        return []
    return [_otlp_exporter(protocol or _variable("PROTOCOL") or "http/protobuf", endpoint, headers)]


def _variable(name: str) -> str:
    """Return a setting of OpenTelemetry's for traces, or the one for all signals."""
    return os.environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}") or ""


def _otlp_exporter(protocol: str, endpoint: str | None, headers: Mapping[str, str] | str | None) -> SpanExporter:
    known = _PROTOCOLS.get(protocol.strip().lower())
    if known is None:
        raise UnknownNameError.among("OTLP protocol", protocol, _PROTOCOLS)
    sent = _pairs(headers) if isinstance(headers, str) else dict(headers or {})
    if known == "grpc":
        try:
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
        except ImportError as problem:
            raise ImportError(
                "OTLP over gRPC needs another package\n  pip install 'alula-otel[grpc]'", name=problem.name
            ) from problem
        made: SpanExporter = GrpcExporter(endpoint=endpoint, headers=sent or None)
        return made
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=_with_path(endpoint) if endpoint else None, headers=sent or None)


def _with_path(endpoint: str) -> str:
    bare = endpoint.rstrip("/")
    return bare if bare.endswith("/v1/traces") else f"{bare}/v1/traces"


def _pairs(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}
