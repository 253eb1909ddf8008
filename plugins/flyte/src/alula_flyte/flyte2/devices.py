"""``flyte.GPU("T4", 1)`` and its like: the text that `alula.Resources` takes, with the parts as attributes."""

from __future__ import annotations

from typing import Any


class Device(str):
    """Devices that a task asks for: ``"T4:2"``.

    Args:
        quantity: How many.
        device_class: Their kind, as ``"GPU"``.
        device: Their model; None for any.
        partition: The part of one that is asked for; it is not looked at.

    Raises:
        ValueError: Less than one is asked for.
    """

    __slots__ = ("device", "device_class", "partition", "quantity")

    quantity: int
    device_class: str
    device: str | None
    partition: str | None  # type: ignore[assignment]  # Flyte's name; nobody cuts the text in parts

    def __new__(
        cls, quantity: int, device_class: str = "GPU", device: str | None = None, partition: str | None = None
    ) -> Device:
        if quantity < 1:
            raise ValueError(f"at least one {device or device_class} must be asked for, found {quantity}")
        made = super().__new__(cls, f"{device}:{quantity}" if device else str(quantity))
        made.quantity, made.device_class, made.device, made.partition = quantity, device_class, device, partition
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Device, (self.quantity, self.device_class, self.device, self.partition)


def GPU(device: str, quantity: int = 1, partition: str | None = None) -> Device:  # noqa: N802 - Flyte's name
    """Return GPUs of NVIDIA's."""
    return Device(quantity, "GPU", device, partition)


def TPU(device: str, partition: str | None = None) -> Device:  # noqa: N802 - Flyte's name
    """Return a TPU."""
    return Device(1, "TPU", device, partition)


def Neuron(device: str) -> Device:  # noqa: N802 - Flyte's name
    """Return a Neuron device."""
    return Device(1, "NEURON", device)


def AMD_GPU(device: str) -> Device:  # noqa: N802 - Flyte's name
    """Return a GPU of AMD's."""
    return Device(1, "AMD_GPU", device)


def HABANA_GAUDI(device: str) -> Device:  # noqa: N802 - Flyte's name
    """Return a Gaudi device."""
    return Device(1, "HABANA_GAUDI", device)
