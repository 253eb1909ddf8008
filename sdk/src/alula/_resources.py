"""Resources of tasks."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from alula_kernel.errors import ArgumentError
from alula_kernel.quantities import parse_quantity
from alula_kernel.specs import ResourceSpec

Quantity = str | int | float


class Resources(msgspec.Struct, frozen=True):
    """What a task needs. A pair is (request, limit); a single value is both.

    The executor ``inline`` ignores all of it. ``process`` starts an attempt when the cores, memory and devices that it asks for
    are free, lets it see no other devices and ends it above its memory limit; cores are not fenced in, and disk and shared
    memory are the machine's.

    Args:
        cpu: Cores, as ``2``, ``"500m"``.
        mem: Memory, as ``"4Gi"``; another name for `memory`.
        gpu: Devices, as ``1`` or ``"A100:2"``.
        ephemeral_storage: Disk, as ``"10Gi"``; another name for `disk`.
        memory: Memory, as ``"4Gi"``.
        disk: Disk, as ``"10Gi"``.
        shm: Shared memory, as ``"1Gi"``, or ``"auto"`` for as much as there is memory.

    Raises:
        ArgumentError: A value is not a quantity, or is given under both of its names.
    """

    cpu: Quantity | tuple[Quantity, Quantity] | list[Quantity] | None = None
    mem: Quantity | tuple[Quantity, Quantity] | list[Quantity] | None = None
    gpu: Quantity | tuple[Quantity, Quantity] | list[Quantity] | None = None
    ephemeral_storage: Quantity | None = None
    memory: Quantity | tuple[Quantity, Quantity] | list[Quantity] | None = None
    disk: Quantity | None = None
    shm: str | Literal["auto"] | None = None

    def __post_init__(self) -> None:
        for short, long in (("mem", "memory"), ("ephemeral_storage", "disk")):
            if getattr(self, short) is not None and getattr(self, long) is not None:
                raise ArgumentError(f"Resources: {short} and {long} are the same; give one of them")
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is None:
                continue
            for part in value if isinstance(value, (tuple, list)) else (value,):
                _check_quantity(name, part)
            if isinstance(value, (tuple, list)) and len(value) != 2:
                raise ArgumentError(f"Resources({name}={value!r}): expected a value or a pair (request, limit)")

    def quantities(self) -> dict[str, tuple[str, str]]:
        """Return (request, limit) by name, as Kubernetes quantities."""
        found = {}
        for name, value in (
            ("cpu", self.cpu),
            ("memory", self.mem if self.mem is not None else self.memory),
            ("gpu", self.gpu),
            ("disk", self.ephemeral_storage if self.ephemeral_storage is not None else self.disk),
            ("shm", self.shm),
        ):
            if value is not None:
                low, high = value if isinstance(value, (tuple, list)) else (value, value)
                found[name] = (str(low), str(high))
        return found


def _check_quantity(name: str, value: object) -> None:
    import re

    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ArgumentError(f"Resources({name}={value!r}): expected a number or text such as '4Gi'")
    if name == "gpu":
        count = str(value).rpartition(":")[2]
        if not count.isdecimal() and (":" in str(value) or not count[:1].isalpha()):
            raise ArgumentError(
                f"Resources(gpu={value!r}) is no number of devices",
                hint="Write 2, 'A100', or 'A100:2': GPUs are whole.",
            )
        return
    if name == "shm" and value == "auto":
        return
    if not isinstance(value, str) and not 0 <= value < float("inf"):
        raise ArgumentError(f"Resources({name}={value!r}): expected at least 0")
    if isinstance(value, float) and name != "cpu" and not value.is_integer():
        raise ArgumentError(
            f"Resources({name}={value!r}) is no whole number of bytes",
            hint=f"Write a unit: {name}='{value:g}Gi'.",
        )
    if isinstance(value, str) and not re.fullmatch(r"\d+(\.\d+)?([mkKMGTPE]i?)?", value):
        raise ArgumentError(
            f"Resources({name}={value!r}) is not a quantity",
            hint="Write a number with a unit: 500m, 2, 512Mi, 4Gi.",
        )


def _check_limits(requests: dict[str, str], limits: dict[str, str]) -> None:
    """Refuse limits that cannot hold what is asked for."""
    for name in requests.keys() & limits.keys():
        low, high = requests[name], limits[name]
        if low == high:
            continue
        if name == "gpu":
            raise ArgumentError(f"the request and the limit of gpu must be equal, found {low} and {high}")
        if "auto" not in {low, high} and parse_quantity(low) > parse_quantity(high):
            raise ArgumentError(f"the limit of {name}, {high}, is below the request, {low}")


def resource_spec(
    *,
    requests: Resources | None = None,
    limits: Resources | None = None,
    resources: Resources | None = None,
    accelerator: Any = None,
    shared_memory: bool | str | None = None,
) -> ResourceSpec | None:
    """Return the spec of a task's resources, or None if nothing was asked for.

    Raises:
        ArgumentError: `resources` is given together with `requests` or `limits`, or a limit is below its request.
    """
    if resources is not None and (requests is not None or limits is not None):
        raise ArgumentError("resources cannot be given together with requests or limits")
    low: dict[str, str] = {}
    high: dict[str, str] = {}
    if resources is not None:
        for name, (request, limit) in resources.quantities().items():
            low[name], high[name] = request, limit
    if requests is not None:
        low.update({name: pair[0] for name, pair in requests.quantities().items()})
    if limits is not None:
        high.update({name: pair[1] for name, pair in limits.quantities().items()})
    _check_limits(low, high)
    if shared_memory:
        low["shm"] = high["shm"] = "auto" if shared_memory is True else str(shared_memory)
    if accelerator is not None:
        low["accelerator"] = str(accelerator)
    return ResourceSpec(low, high) if low or high else None
