"""What the plugin registers with Alula."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alula_kernel.contracts import Converter, TaskExecutor, TaskType, TypeRequest, TypeTransformer
from alula_kernel.errors import UnsupportedTypeError
from alula_kernel.hookspecs import hookimpl


@hookimpl
def alula_task_types() -> Sequence[TaskType]:
    """Register the task type ``ray``, chosen by `RayJobConfig`."""
    return [
        TaskType(
            name="ray",
            config="alula_ray.config.RayJobConfig",
            task_class="alula_ray.task.RayTask",
            executor="ray",
            description="Functions that use a Ray cluster",
        ),
    ]


@hookimpl
def alula_task_executors() -> Sequence[TaskExecutor]:
    """Register the executor ``ray``, for tasks with a `RayJobConfig` and for plain ones."""
    from .executor import RayExecutor

    return [RayExecutor()]


class ObjectRefTransformer(TypeTransformer):
    """Refuses references to objects in Ray's memory: they mean nothing when the attempt has ended."""

    name = "ray-object-ref"
    python_types = ("ray._raylet.ObjectRef", "ray._raylet.ObjectRefGenerator", "ray.util.client.common.ClientObjectRef")

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Refuse the type."""
        raise UnsupportedTypeError(
            "a ray.ObjectRef cannot leave the task: what it refers to is gone when the attempt has ended",
            hint="Return ray.get(reference), and annotate the type of the object itself.",
        )


@hookimpl
def alula_type_transformers() -> Sequence[TypeTransformer]:
    """Register the transformer that refuses references to Ray's objects."""
    return [ObjectRefTransformer()]
