"""Kubernetes quantities, as ``500m``, ``1.5`` or ``4Gi``: from text to numbers, and bytes to text."""

from __future__ import annotations

from .errors import UsageError

_FACTORS = {
    "": 1.0,
    "m": 1e-3,
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
    "Ei": 2.0**60,
}
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def parse_quantity(text: str) -> float:
    """Return the number that a quantity stands for: cores for CPUs, bytes for memory.

    Raises:
        UsageError: It is no quantity.
    """
    number = text.rstrip("mkKMGTPEi")
    try:
        value = float(number) * _FACTORS[text[len(number) :]] if number == number.strip() else -1.0
    except (ValueError, KeyError):
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise UsageError(f"{text!r} is not a quantity", hint="Write a number with a unit: 500m, 2, 512Mi, 4Gi.")
    return value


def format_bytes(size: float) -> str:
    """Show a number of bytes as people read it, as ``1.5 GiB``."""
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size /= 1024
        unit += 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 or size == int(size) else f"{size:.1f} {_UNITS[unit]}"
