"""``flyteplugins.omegaconf``: configurations of OmegaConf, which are pickled as values, shown in reports."""

from __future__ import annotations

import html
from typing import Any

from alula import report
from alula.adapting import WithAio


def _shown(config: Any, title: str, sort_keys: bool) -> str:
    from omegaconf import OmegaConf  # type: ignore[import-not-found, unused-ignore]

    text = OmegaConf.to_yaml(config, resolve=True, sort_keys=sort_keys)
    return f"<h2>{html.escape(title)}</h2><pre>{html.escape(text)}</pre>"


def _log_yaml(
    config: Any,
    *,
    title: str = "OmegaConf config",
    tab: str = "OmegaConf",
    sort_keys: bool = False,
    do_flush: bool = True,
) -> None:
    """Add a configuration, as YAML, to a tab of the running task's report.

    Args:
        config: The configuration.
        title: The heading above it.
        tab: The tab.
        sort_keys: Whether keys are sorted.
        do_flush: Whether the report is written at once.
    """
    report.get_tab(tab).log(_shown(config, title, sort_keys))
    if do_flush:
        report.flush()


log_yaml = WithAio(_log_yaml)
