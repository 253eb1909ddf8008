"""What comes with Alula, registered through the same hooks as anyone else's plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alula_kernel.contracts import BlobBackend, Cache, TaskExecutor, TaskType, TypeTransformer
from alula_kernel.hookspecs import hookimpl

if TYPE_CHECKING:
    from alula_kernel.images import ImageBuilder
    from alula_kernel.secrets import SecretProvider

    from ._app import App


class BuiltinPlugin:
    """The built-in plugin.

    Args:
        app: The application that it is registered with.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    @hookimpl
    def alula_type_transformers(self) -> Sequence[TypeTransformer]:
        from alula_kernel.builtin.types import builtin_transformers

        from ._data.transformers import data_transformers

        return [*builtin_transformers(), *data_transformers()]

    @hookimpl
    def alula_task_executors(self) -> Sequence[TaskExecutor]:
        from alula_kernel.builtin.inline import InlineExecutor
        from alula_kernel.builtin.process import ProcessExecutor

        return [InlineExecutor(self._app.body), ProcessExecutor()]

    @hookimpl
    def alula_task_types(self) -> Sequence[TaskType]:
        return [
            TaskType(name="shell", task_class="alula.ShellTask", description="Shell scripts"),
            TaskType(name="sql", task_class="alula.SQLTask", description="SQL queries"),
        ]

    @hookimpl
    def alula_blob_backends(self) -> Sequence[BlobBackend]:
        from alula_kernel.builtin.backends import builtin_backends

        return builtin_backends()

    @hookimpl
    def alula_caches(self) -> Sequence[Cache]:
        from alula_kernel.builtin.sqlite_cache import MemoryCache, SqliteCache

        return [SqliteCache(self._app.settings.home / "cache.db"), MemoryCache()]

    @hookimpl
    def alula_secret_providers(self) -> Sequence[SecretProvider]:
        from ._secret_providers import builtin_providers

        return builtin_providers(self._app.settings)

    @hookimpl
    def alula_image_builders(self) -> Sequence[ImageBuilder]:
        from ._uv_builder import UvBuilder

        return [UvBuilder()]
