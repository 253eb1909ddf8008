"""Spans of tasks and steps, as an exporter gets them."""

from __future__ import annotations

import asyncio
import gzip
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import alula
import alula_otel
from alula.errors import UnknownNameError, UsageError


@pytest.fixture
def spans() -> Iterator[Callable[[], dict[str, ReadableSpan]]]:
    """Record the spans of a test; the function returns those that have ended, by the last part of their names."""
    exporter = InMemorySpanExporter()
    alula_otel.init(exporter=exporter, disable_batch=True, set_global=False, service_name="tested")
    yield lambda: {span.name.rpartition(".")[2]: span for span in exporter.get_finished_spans()}
    alula_otel.shutdown()


def _of(span: ReadableSpan, name: str) -> Any:
    return (span.attributes or {})[f"alula.{name}"]


def _inside(inner: ReadableSpan, outer: ReadableSpan) -> bool:
    assert inner.parent is not None
    assert inner.context is not None
    assert outer.context is not None
    return inner.parent.span_id == outer.context.span_id and inner.context.trace_id == outer.context.trace_id


@alula.trace
def double(number: int) -> int:
    return 2 * number


@alula.trace
def counted(end: int) -> Iterator[int]:
    yield from range(end)


env = alula.TaskEnvironment("spans")


@env.task
async def leaf(number: int) -> int:
    with trace.get_tracer("own", tracer_provider=_provider()).start_as_current_span("own"):
        return double(number)


def _provider() -> trace.TracerProvider:
    """Return the provider that is in use, as instrumentation that is given a tracer would."""
    observer = alula_otel.init()
    provider: trace.TracerProvider = observer._provider
    return provider


@env.task
async def root(number: int) -> int:
    return sum(await asyncio.gather(*(leaf(one) for one in range(number))))


def _trace_of(run: alula.Run) -> int:
    settings = alula.current_app().settings
    return alula_otel.trace_id_of(run.name, settings.project, settings.domain)


Spans = Callable[[], dict[str, ReadableSpan]]


def test_tasks_steps_and_spans_of_ones_own_are_nested(spans: Spans) -> None:
    run = alula.run(root, number=1)
    run.raise_for_error()
    found = spans()
    assert _inside(found["leaf"], found["root"])
    assert _inside(found["own"], found["leaf"])
    assert _inside(found["double"], found["own"])
    assert found["root"].parent is None
    assert found["root"].resource.attributes["service.name"] == "tested"
    assert _of(found["root"], "run_name") == run.name
    assert _of(found["root"], "attempt_number") == 1
    assert _of(found["double"], "replayed") is False
    assert _of(found["double"], "task_action_name") == _of(found["leaf"], "action_name")
    assert _of(found["double"], "step_name") == f"{__name__}.double"


def test_the_trace_of_a_run_follows_from_it(spans: Spans) -> None:
    run = alula.with_runcontext(project="p", domain="d").run(root, number=1)
    context = spans()["root"].context
    assert context is not None
    assert context.trace_id == alula_otel.trace_id_of(run.name, "p", "d")
    assert alula_otel.trace_id_of(run.name, "p", "d") != alula_otel.trace_id_of(run.name, "d", "p")


def test_a_run_belongs_to_the_trace_it_was_started_in(spans: Spans) -> None:
    with TracerProvider().get_tracer("caller").start_as_current_span("request") as caller:
        carrier: dict[str, str] = {}
        inject(carrier)
    alula.with_runcontext(custom_context=carrier).run(root, number=1)
    parent = spans()["root"].parent
    assert parent is not None
    assert (parent.trace_id, parent.span_id) == (
        caller.get_span_context().trace_id,
        caller.get_span_context().span_id,
    )


def test_failures_and_replayed_steps(spans: Spans) -> None:
    @alula.task(retries=1)
    def second_time(number: int) -> int:
        found = double(number) + sum(counted(2))
        if alula.ctx().attempt_number == 1:  # type: ignore[union-attr]
            spans_of_first.update(spans())
            raise ValueError("not yet")
        return found

    spans_of_first: dict[str, ReadableSpan] = {}
    alula.run(second_time, number=1).raise_for_error()
    again = spans()
    assert {_of(spans_of_first[name], "replayed") for name in ("double", "counted")} == {False}
    assert {_of(again[name], "replayed") for name in ("double", "counted")} == {True}
    assert again["second_time"].status.status_code is trace.StatusCode.UNSET


def test_a_failure_is_on_the_spans(spans: Spans) -> None:
    @alula.trace
    def breaks() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    @alula.task
    def fails() -> int:
        return sum(breaks())

    alula.run(fails)
    found = spans()
    for name in ("breaks", "fails"):
        assert found[name].status.status_code is trace.StatusCode.ERROR
        assert found[name].events[0].name == "exception"


def test_a_provider_of_ones_own_stays_as_it_is() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with pytest.raises(UsageError, match=r"tracer_provider comes with endpoint, protocol"):
        alula_otel.init(tracer_provider=provider, endpoint="http://localhost", protocol="grpc")
    observer = alula_otel.init(tracer_provider=provider, attribute_prefix="mine")
    try:
        assert alula_otel.init() is observer
        run = alula.run(root, number=0)
        [span] = exporter.get_finished_spans()
        assert (span.attributes or {})["mine.run_name"] == run.name
        assert span.context is not None
        assert span.context.trace_id == _trace_of(run)
    finally:
        alula_otel.shutdown()
    alula.run(root, number=0)
    assert len(exporter.get_finished_spans()) == 1
    assert alula_otel.get_tracer() is None


def test_where_nothing_says_where_to_a_warning_does(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    alula_otel.init(set_global=False)
    alula_otel.shutdown()
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in caplog.text


def test_unknown_protocols_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="OTLP protocol 'gprc'"):
        alula_otel.init(endpoint="http://localhost:1", protocol="gprc", set_global=False)


class _Receiver(http.server.BaseHTTPRequestHandler):
    """Takes traces as a collector does."""

    received: list[tuple[str, str, ExportTraceServiceRequest]]

    def do_POST(self) -> None:
        """Take a request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.received.append((self.path, self.headers["X-Key"], ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[str, str, ExportTraceServiceRequest]]]]:
    """Listen on loopback."""
    handler = type("Handler", (_Receiver,), {"received": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", handler.received  # type: ignore[attr-defined]
        server.shutdown()


def test_spans_of_other_processes_arrive_in_one_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: tuple[str, list[Any]]
) -> None:
    address, received = receiver
    (tmp_path / "tasks_with_spans.py").write_text(
        "import alula, alula_otel\n"
        f"alula_otel.init(endpoint={address!r}, headers='X-Key = secret', set_global=False)\n"
        "env = alula.TaskEnvironment('exported')\n"
        "@env.task\n"
        "async def inner(number: int) -> int:\n"
        "    return number\n"
        "@env.task\n"
        "async def outer(number: int) -> int:\n"
        "    return await inner(number)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import tasks_with_spans as tasks  # type: ignore[import-not-found]

    alula_otel.shutdown()  # what this process sends is not looked at
    run = alula.with_runcontext(executor="process").run(tasks.outer, number=1)
    assert run.result == 1
    assert {(path, key) for path, key, _ in received} == {("/v1/traces", "secret")}
    sent = {
        span.name.rpartition(".")[2]: span
        for _, _, request in received
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
    assert sent["inner"].parent_span_id == sent["outer"].span_id
    expected = _trace_of(run).to_bytes(16, "big")
    assert {span.trace_id for span in sent.values()} == {expected}
