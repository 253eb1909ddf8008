"""``alula.init``: settings for this process and the processes that it starts."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from alula_kernel.errors import UnknownNameError, UsageError

from ._aio import WithAio
from ._state import call_site

_CONNECTING = frozenset(
    {
        "api_key",
        "auth_client_config",
        "auth_type",
        "ca_cert_file_path",
        "client_credentials_secret",
        "client_id",
        "command",
        "disable_keyring",
        "endpoint",
        "headless",
        "http_proxy_url",
        "insecure",
        "insecure_skip_verify",
        "org",
        "proxy_command",
        "rpc_retries",
    }
)


def _init(
    *,
    project: str | None = None,
    domain: str | None = None,
    home: Path | str | None = None,
    data: str | None = None,
    log_level: int | str | None = None,
    **unknown: Any,
) -> None:
    """Choose settings for this process and the processes that it starts; nothing needs to be initialised.

    What is not given stays as it is. The settings are those of the environment variables ``ALULA_PROJECT``, ``ALULA_DOMAIN``,
    ``ALULA_HOME`` and ``ALULA_DATA``, which are set. May be called again, but not while something runs.

    Args:
        project: Project of runs.
        domain: Domain of runs.
        home: Folder of the local cache, run history and data.
        data: URI or folder under which content-addressed data is stored.
        log_level: Level of Alula's own loggers and that of tasks, as ``logging.DEBUG`` or ``"DEBUG"``.
        unknown: Not accepted.

    Raises:
        UsageError: An option is unknown, or is one of connecting to a server.
    """
    location = call_site()
    for name in unknown:
        if name in _CONNECTING:
            raise UsageError(
                f"init cannot take {name!r}: runs are driven on this machine, without a server", location=location
            )
        known = ["project", "domain", "home", "data", "log_level"]
        raise UnknownNameError.among("option of init", name, known, location=location)
    chosen = {"ALULA_PROJECT": project, "ALULA_DOMAIN": domain, "ALULA_HOME": home, "ALULA_DATA": data}
    os.environ.update({name: os.fspath(value) for name, value in chosen.items() if value is not None})
    if log_level is not None:
        set_log_level(log_level)


async def _init_async(**settings: Any) -> None:
    _init(**settings)


init = WithAio(_init, _init_async)


def set_log_level(level: int | str) -> None:
    """Let Alula's loggers speak from a level on, on stderr if the program has not said where else.

    Raises:
        UsageError: There is no such level.
    """
    own = logging.getLogger("alula")
    try:
        own.setLevel(level)
    except (TypeError, ValueError):
        raise UsageError(
            f"{level!r} is no log level", hint='Use logging.DEBUG, "INFO", "WARNING" or "ERROR".', location=call_site()
        ) from None
    if not own.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        own.addHandler(handler)


__all__ = ["init", "set_log_level"]
