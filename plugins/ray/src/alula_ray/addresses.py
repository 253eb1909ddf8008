"""Addresses of Ray clusters, and which one an attempt goes to."""

from __future__ import annotations

import os
import re

from alula_kernel.errors import UsageError
from alula_kernel.specs import TaskSpec

VARIABLE = "ALULA_RAY_ADDRESS"
"""Environment variable with the address of the cluster; empty for a Ray of this machine."""

LOCAL = "local"
"""Address of a Ray that is started on this machine for whoever asks."""

_HOST = r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])"
_PORT = r":[0-9]{1,5}"
_FORMS = re.compile(rf"auto|local|https?://{_HOST}({_PORT})?(/[^\s?#]*)?|(ray|local)://{_HOST}{_PORT}|{_HOST}{_PORT}")


def check_address(address: object, where: str) -> None:
    """Refuse what cannot be the address of a cluster.

    Raises:
        UsageError: It is of no known form; the message lists them.
    """
    if not isinstance(address, str) or not _FORMS.fullmatch(address):
        raise UsageError(
            f"{where} is {address!r}, which is no address of a Ray cluster",
            hint="Write http://host:8265 (Jobs API), ray://host:10001 (Ray Client), host:6379 on a machine of the cluster, "
            "auto for the cluster that runs on this machine, or local for one of its own.",
        )


def address_of(task: TaskSpec) -> str:
    """Return the address of the cluster for a task: its own, else that of the environment, else `LOCAL`.

    Raises:
        UsageError: It is of no known form.
    """
    own: str = task.custom.get("address", "") if task.type == "ray" else ""
    if own:
        return own
    address = os.environ.get(VARIABLE, "") or LOCAL
    check_address(address, VARIABLE)
    return address


def has_jobs_only(address: str) -> bool:
    """Tell whether an address is that of the Jobs API, over which nothing but jobs can be started."""
    return address.startswith(("http://", "https://"))


def host_and_port(address: str) -> tuple[str, int] | None:
    """Return what a connection is made to; None for an address that does not tell, as ``auto``."""
    found = re.fullmatch(rf"(?:(?P<scheme>\w+)://)?(?P<host>{_HOST})(?::(?P<port>\d+))?(?:/.*)?", address)
    if found is None or address in {"auto", LOCAL}:
        return None
    default = {"http": "80", "https": "443"}.get(found["scheme"] or "", "0")
    return found["host"].strip("[]"), int(found["port"] or default)
