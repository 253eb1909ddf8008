"""``flyteplugins.otel``: alula-otel, with attributes of spans that begin with ``flyte``, and links to Grafana."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from opentelemetry.trace import Tracer

import alula_otel

from .links import Link

_PLACEHOLDER = re.compile(r"%7B%7B([.\w]+)%7D%7D")


def init(*, service_name: str | None = None, **where: Any) -> alula_otel.SpanObserver:
    """Make spans of tasks and traced steps; the arguments are those of `alula_otel.init`."""
    name = service_name or os.environ.get("OTEL_SERVICE_NAME") or "flyte"
    return alula_otel.init(service_name=name, attribute_prefix="flyte", **where)


class OtelObserver(alula_otel.SpanObserver):
    """Makes the spans.

    Args:
        tracer: What makes them.
    """

    def __init__(self, tracer: Tracer) -> None:
        super().__init__(tracer, prefix="flyte")


def trace_id_for_run(action: Any) -> int:
    """Return the id of the trace of an action's run."""
    return alula_otel.trace_id_of(action.run_name or action.name, action.project, action.domain)


def format_trace_id(trace_id: int) -> str:
    """Return the id as backends show it."""
    return format(trace_id, "032x")


@dataclass
class GrafanaTrace(Link):
    """A link to the spans of a run, or of an action, in Grafana.

    Attributes:
        host: Address of Grafana.
        datasource_uid: Id of the data source that has the traces.
        name: What is shown.
        icon_uri: A picture.
        lookback: Where the range of times begins.
        action_scoped: Whether the spans of other actions are left out.
    """

    host: str
    datasource_uid: str
    name: str = "Grafana trace"
    icon_uri: str | None = ""
    lookback: str = "now-7d"
    action_scoped: bool = False

    def get_link(
        self,
        run_name: str,
        project: str = "",
        domain: str = "",
        context: dict[str, str] | None = None,
        parent_action_name: str = "",
        action_name: str = "",
        pod_name: str = "",
        **_more: Any,
    ) -> str:
        """Return the link; the placeholders of a template stay as they are."""
        wanted = {"flyte.run_name": run_name, **({"flyte.action_name": action_name} if self.action_scoped else {})}
        source = {"type": "tempo", "uid": self.datasource_uid}
        query = " && ".join(f'.{name}="{value}"' for name, value in wanted.items() if value)
        pane = {
            "datasource": self.datasource_uid,
            "queries": [{"refId": "A", "datasource": source, "queryType": "traceql", "query": f"{{{query}}}"}],
            "range": {"from": self.lookback, "to": "now"},
        }
        said = urlencode({"schemaVersion": 1, "panes": json.dumps({"spans": pane}), "orgId": 1})
        return _PLACEHOLDER.sub(r"{{\1}}", f"{self.host.rstrip('/')}/explore?{said}")
