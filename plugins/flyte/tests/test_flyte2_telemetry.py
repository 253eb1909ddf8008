"""``flyteplugins.otel``: spans of programs for Flyte 2."""

from __future__ import annotations

import json
from collections.abc import Callable


def test_spans_of_a_program(run: Callable[[str], str]) -> None:
    out = run(
        """
        import json
        import flyte
        from flyteplugins.otel import format_trace_id, get_tracer, init, trace_id_for_run
        from flyteplugins.otel.grafana import GrafanaTrace
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        exporter = InMemorySpanExporter()
        init(exporter=exporter, disable_batch=True)
        link = GrafanaTrace(host="https://grafana.example/", datasource_uid="tempo", action_scoped=True)
        env = flyte.TaskEnvironment("told")

        @flyte.trace
        async def halve(x: int) -> int:
            return x // 2

        @env.task(links=(link,))
        async def work(x: int) -> str:
            with get_tracer().start_as_current_span("own"):
                await halve(x)
            return format_trace_id(trace_id_for_run(flyte.ctx().action))

        found = flyte.run(work, x=4).outputs()[0]
        spans = {span.name.rpartition(".")[2]: span for span in exporter.get_finished_spans()}
        print(json.dumps({
            "ids": [found] + [format_trace_id(span.context.trace_id) for span in spans.values()],
            "parents": {name: span.parent.span_id == spans[parent].context.span_id
                        for name, parent in (("halve", "own"), ("own", "work"))
                        for span in [spans[name]]},
            "names": sorted(spans["halve"].attributes),
            "service": spans["work"].resource.attributes["service.name"],
            "link": link.get_link("{{.runName}}", "p", "d", {}, "", "a1", "pod"),
        }))
        """
    )
    told = json.loads(out)
    assert len(set(told["ids"])) == 1
    assert told["parents"] == {"halve": True, "own": True}
    assert {"flyte.run_name", "flyte.replayed", "flyte.task_action_name"} <= set(told["names"])
    assert told["service"] == "flyte"
    assert told["link"].startswith("https://grafana.example/explore?")
    assert "{{.runName}}" in told["link"]
    assert "a1" in told["link"]
