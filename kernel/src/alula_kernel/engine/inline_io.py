"""The limit on what travels inline with an action."""

from __future__ import annotations

from ..literals import Bytes, Literal, Scalar, encode, size_bytes
from .failures import final_failure


def check_inline_size(values: dict[str, Literal], limit: int, what: str) -> None:
    """Refuse values that are too large to travel inline.

    Args:
        values: Inputs or outputs of an action.
        limit: Most bytes of msgpack.
        what: ``inputs`` or ``outputs``, for the message.

    Raises:
        CallFailedError: They are larger.
    """
    if not values or _bound_bytes(values, limit) <= limit:
        return
    size = max((len(value.value) for value in values.values() if isinstance(value, Bytes)), default=0)
    if size <= limit:
        size = size_bytes(values)
    if size <= limit:
        return
    largest = max(values, key=lambda name: len(encode(values[name])))
    raise final_failure(
        "InlineIOMaxBytesBreached",
        f"the {what} take {size:,} bytes, more than the {limit:,} that may travel inline; the largest is {largest!r}. "
        "Pass it as a File or DataFrame, or raise max_inline_io_bytes.",
    )


def _bound_bytes(values: dict[str, Literal], limit: int) -> int:
    """Return bytes that values certainly do not exceed, without encoding them; more than `limit` if that is not known."""
    total = 5
    for name, value in values.items():
        if type(value) is not Scalar:
            return limit + 1
        # Tags, lengths and a number take less than 40 bytes; a character takes at most four.
        total += 40 + 4 * len(name)
        if type(value.value) is str:
            total += 4 * len(value.value)
    return total
