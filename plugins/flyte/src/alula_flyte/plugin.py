"""What the plugin registers with Alula."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from alula_kernel.contracts import Command, TaskType, TypeTransformer
from alula_kernel.hookspecs import hookimpl
from alula_kernel.secrets import SecretProvider


@hookimpl
def alula_commands() -> Sequence[Command]:
    """Register ``alula flyte``."""
    return [Command("flyte", "alula_flyte.cli:group", "Run, check and rewrite programs written for Flyte.")]


@hookimpl
def alula_type_transformers() -> Sequence[TypeTransformer]:
    """Register, where Flyte's modules are Alula's, what Flyte converts otherwise than Alula, or at all."""
    from .finder import installed

    if not installed():
        return []
    from .discriminated import DiscriminatedTransformer
    from .lance_datasets import lance_transformer
    from .modin_frames import modin_transformer
    from .onnx_models import OnnxTransformer
    from .schemas_of_frames import SchemaTransformer
    from .unknown_types import UnknownTypeTransformer
    from .whylogs_profiles import WhylogsDatasetProfileTransformer

    # Only a program that has imported it can have registered types of its own, before the application was made anew.
    engines = [sys.modules.get(f"alula_flyte.{generation}.type_engine") for generation in ("flyte1", "flyte2")]
    return [
        DiscriminatedTransformer(),
        SchemaTransformer(),
        lance_transformer(),
        modin_transformer(),
        OnnxTransformer(),
        WhylogsDatasetProfileTransformer(),
        UnknownTypeTransformer(),
        *(one for engine in engines if engine is not None for one in engine.TypeEngine.registered()),
    ]


@hookimpl
def alula_secret_providers() -> Sequence[SecretProvider]:
    """Register what finds secrets where Flyte keeps them, where Flyte's modules are Alula's."""
    from .finder import installed

    if not installed():
        return []
    from .secret_places import FlyteSecrets

    return [FlyteSecrets()]


@hookimpl
def alula_task_types() -> Sequence[TaskType]:
    """Register the kinds of tasks that configs of Flyte's plugins choose."""
    return [
        TaskType(
            name="flyte-dask",
            config="alula_flyte.flyte2.dask.Dask",
            task_class="alula.FunctionTask",
            description="Functions that make a Dask cluster themselves (Flyte 2)",
        ),
        TaskType(
            name="flyte-echo",
            config="alula_flyte.flyte2.leaf_tasks.Echo",
            task_class="alula_flyte.flyte2.leaf_tasks.EchoTask",
            description="Tasks that return their inputs (Flyte 2)",
        ),
        TaskType(
            name="flyte-sleep",
            config="alula_flyte.flyte2.leaf_tasks.Sleep",
            task_class="alula_flyte.flyte2.leaf_tasks.SleepTask",
            description="Tasks that only sleep (Flyte 2)",
        ),
    ]
