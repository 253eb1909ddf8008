"""The hooks that a plugin may implement.

A plugin is a module named by an entry point in the group ``alula``. It marks functions with `hookimpl`. Every
registering hook is called once, when an application object first needs what it registers, in the process that runs the
application (command, worker or server), in no promised order. It returns objects and does no work; it must be quick and
import nothing heavy. An exception from one plugin is reported with its distribution and version, and the others go on.

Since 0.1: all hooks below.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

from .contracts import ActionEvent, BlobBackend, Cache, Command, TaskExecutor, TaskType, TypeTransformer

if TYPE_CHECKING:
    from .images import ImageBuilder
    from .secrets import SecretProvider

PROJECT = "alula"
"""Name of the pluggy project and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def alula_type_transformers() -> Sequence[TypeTransformer]:
    """Register type transformers.

    Called before the first Python type is looked up. Two transformers that claim the same class by name are an error
    that names both plugins; the one registered first is kept.

    Returns:
        The transformers; an empty sequence or None for none.
    """
    raise AssertionError("a hookspec is not called")


@hookspec
def alula_task_types() -> Sequence[TaskType]:
    """Register kinds of tasks and the config objects that choose them.

    Called before the first task with a ``task_config`` or ``plugin_config`` is made into a spec.

    Returns:
        The task types; an empty sequence or None for none.
    """
    raise AssertionError("a hookspec is not called")


@hookspec
def alula_task_executors() -> Sequence[TaskExecutor]:
    """Register executors.

    Called before the first attempt is submitted. Objects are made cheaply and connect to nothing until `submit`.

    Returns:
        The executors; an empty sequence or None for none.
    """
    raise AssertionError("a hookspec is not called")


@hookspec
def alula_blob_backends() -> Sequence[BlobBackend]:
    """Register blob backends.

    Called before the first URI is opened. A scheme served by two backends is an error that names both plugins; the one
    registered first is kept. A backend of a plugin goes before the built-in one for ``*``.

    Returns:
        The backends; an empty sequence or None for none.
    """
    raise AssertionError("a hookspec is not called")


@hookspec
def alula_caches() -> Sequence[Cache]:
    """Register caches.

    Called when a cache is first needed; the setting ``cache`` chooses one by name, ``sqlite`` if nothing is set.

    Returns:
        The caches, not yet opened; an empty sequence or None for none.
    """
    raise AssertionError("a hookspec is not called")


@hookspec
def alula_secret_providers() -> Sequence[SecretProvider]:
    """Register places where secrets are looked up.

    Called before the first secret is looked up, in each process that runs tasks which ask for one. Providers are asked in
    the order in which they were registered, the built-in ones first, until one has the secret.

    Returns:
        The providers, which have connected to nothing yet; an empty sequence or None for none.
    """
    raise AssertionError("a hookspec is not called")


@hookspec
def alula_image_builders() -> Sequence[ImageBuilder]:
    """Register builders of what images describe.

    Called before the first task with an image is run by an executor that gives tasks processes of their own. The builder
    that an image names builds it; else the first one that makes what is needed.

    Returns:
        The builders; an empty sequence or None for none.
    """
    raise AssertionError("a hookspec is not called")


@hookspec
def alula_commands() -> Sequence[Command]:
    """Register commands of the command line.

    Called when the user names a command that is not built in, or asks for the list of commands.

    Returns:
        The commands; an empty sequence or None for none.
    """
    raise AssertionError("a hookspec is not called")


@hookspec
def alula_action_changed(event: ActionEvent) -> None:
    """Announce that an action changed its phase.

    Called in the engine's thread after the change was stored, once per change and in order within an action. It must
    return quickly. Exceptions are logged and ignored.

    Args:
        event: What changed; must not be altered.
    """
    raise AssertionError("a hookspec is not called")
