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
    # Bytes that they certainly do not exceed, without encoding them: tags, lengths and a number take less than 40, a
    # character at most four.
    bound = 5
    for name, value in values.items():
        if type(value) is not Scalar:
            break
        bound += 40 + 4 * len(name)
        if type(value.value) is str:
            bound += 4 * len(value.value)
    else:
        if bound <= limit or not values:
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
