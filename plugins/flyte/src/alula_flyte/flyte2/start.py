"""``flyte.init`` and its like: nothing needs to be initialised, so that they take what they can and say nothing."""

from __future__ import annotations

from typing import Any

import alula
from alula.adapting import WithAio


def _init(*_place: Any, project: str | None = None, domain: str | None = None, **_unused: Any) -> None:
    """Choose project and domain of runs; everything else is about a server, and is not looked at."""
    alula.init(project=project, domain=domain)


def _init_in_cluster(project: str | None = None, domain: str | None = None, **_unused: Any) -> dict[str, Any]:
    """Choose project and domain of runs, and return that there is no connection to hand on."""
    alula.init(project=project, domain=domain)
    return {}


def current_project() -> str:
    """Return the project of runs."""
    return alula.current_app().settings.project


def current_domain() -> str:
    """Return the domain of runs."""
    return alula.current_app().settings.domain


def version() -> str:
    """Return the version of alula-flyte."""
    from alula_flyte import __version__

    return __version__


init = WithAio(_init)
init_from_config = WithAio(_init)
init_from_api_key = WithAio(_init)
init_in_cluster = WithAio(_init_in_cluster)
init_passthrough = WithAio(_init_in_cluster)
