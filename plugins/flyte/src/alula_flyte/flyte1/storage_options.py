"""Access to object stores, as Flyte's environment variables give it; fsspec's own are ``FSSPEC_S3_KEY`` and so on."""

from __future__ import annotations

import os
from typing import Any

_AZURE = {
    "account_name": "FLYTE_AZURE_STORAGE_ACCOUNT_NAME",
    "account_key": "FLYTE_AZURE_STORAGE_ACCOUNT_KEY",
    "tenant_id": "FLYTE_AZURE_TENANT_ID",
    "client_id": "FLYTE_AZURE_CLIENT_ID",
    "client_secret": "FLYTE_AZURE_CLIENT_SECRET",
}
_VARIABLES = {
    "s3": {
        "key": "FLYTE_AWS_ACCESS_KEY_ID",
        "secret": "FLYTE_AWS_SECRET_ACCESS_KEY",
        "endpoint_url": "FLYTE_AWS_ENDPOINT",
    },
    "abfs": _AZURE,
    "abfss": _AZURE,
}
"""For each protocol, the variable of each option of its file system."""


def storage_options(protocol: str, anonymous: bool = False) -> dict[str, Any]:
    """Return the options of a file system of fsspec.

    Args:
        protocol: Its name, as ``s3``.
        anonymous: Whether it is read without an account.
    """
    named = _VARIABLES.get(protocol, {})
    options: dict[str, Any] = {option: os.environ[name] for option, name in named.items() if name in os.environ}
    if protocol in {"abfs", "abfss"} and (options or anonymous):
        options["anon"] = anonymous
    elif anonymous and protocol == "s3":
        options["anon"] = True
    elif anonymous and protocol in {"gs", "gcs"}:
        options["token"] = "anon"
    return options


def use_storage_options() -> None:
    """Let every file system that is made in this process have them, where nothing else is said."""
    for protocol in _VARIABLES:
        options = storage_options(protocol)
        if options:
            from fsspec.config import conf

            conf[protocol] = {**options, **conf.get(protocol, {})}
