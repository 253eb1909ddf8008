"""Own functions that need nothing of what Flyte's are told, and the arguments that programs give them all the same."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from .own_names import NEEDLESS, accepted_arguments


def refused_arguments(call: cst.Call, own: str) -> list[cst.Arg]:
    """Return the arguments of a call that an own function has no use for.

    Args:
        call: The call.
        own: The name of the function, as rows have it.
    """
    if own not in NEEDLESS:
        return []
    accepted = (accepted_arguments(own) or frozenset()) - NEEDLESS[own]
    plain = [argument for argument in call.args if not argument.star]
    return [argument for argument in plain if argument.keyword is None or argument.keyword.value not in accepted]


def nodes_within(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Return a node and all nodes in it."""
    yield node
    for child in node.children:
        yield from nodes_within(child)
