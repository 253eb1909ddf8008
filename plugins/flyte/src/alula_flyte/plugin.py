"""What the plugin registers with Alula."""

from __future__ import annotations

from collections.abc import Sequence

from alula_kernel.contracts import Command, TypeTransformer
from alula_kernel.hookspecs import hookimpl


@hookimpl
def alula_commands() -> Sequence[Command]:
    """Register ``alula flyte``."""
    return [Command("flyte", "alula_flyte.cli:group", "Run, check and rewrite programs written for Flyte.")]


@hookimpl
def alula_type_transformers() -> Sequence[TypeTransformer]:
    """Register what pickles values of unknown classes, as Flyte does, where Flyte's modules are Alula's."""
    from .finder import installed

    if not installed():
        return []
    from .unknown_types import UnknownTypeTransformer

    return [UnknownTypeTransformer()]
