"""What a call with several outputs returns: a named tuple, also where the author gave no names."""

from __future__ import annotations

import collections
import functools


@functools.lru_cache
def default_named_tuple(names: tuple[str, ...]) -> type:
    """Return the class of outputs with these names."""
    return collections.namedtuple("DefaultNamedTupleOutput", names)
