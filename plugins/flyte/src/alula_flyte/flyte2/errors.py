"""Classes of ``flyte.errors`` that Alula never raises: programs catch them, and may raise them."""

from __future__ import annotations

from typing import Any

from alula.errors import RuntimeSystemError, RuntimeUserError, TaskError


class InitializationError(TaskError):
    """Flyte was not initialised; Alula needs not be."""


class UnionRpcError(RuntimeSystemError):
    """The server could not be reached; there is none."""


class LogsNotYetAvailableError(TaskError):
    """There are no logs yet."""


class PrimaryContainerNotFoundError(RuntimeUserError):
    """A pod has no container of the name that was given."""


class InvalidImageNameError(RuntimeUserError):
    """An image cannot have the name."""


class ImagePullBackOffError(RuntimeUserError):
    """An image cannot be pulled."""


class NotInTaskContextError(RuntimeUserError):
    """Something is of use in a task only."""


class ActionNotFoundError(RuntimeError):
    """There is no such action."""


class CustomError(RuntimeUserError):
    """An exception of the user's, by the name of its class."""

    @classmethod
    def from_exception(cls, e: Exception) -> CustomError:
        """Return the error for an exception, which becomes its cause."""
        made = cls(type(e).__name__, str(e))
        made.__cause__ = e
        return made


class _Named(RuntimeUserError):
    """An error whose code is the name of its class."""

    def __init__(self, error: Any, *rest: Any) -> None:
        if isinstance(error, str):
            super().__init__(type(self).__name__, error)
        else:
            super().__init__(error)


class CodeBundleError(_Named):
    """The code cannot be bundled."""


class DeploymentError(_Named):
    """Something cannot be deployed."""


class ImageBuildError(_Named):
    """An image cannot be built."""


class InvalidPackageError(_Named):
    """A package cannot be installed."""


class ModuleLoadError(_Named):
    """A module cannot be loaded."""


class OnlyAsyncIOSupportedError(_Named):
    """Another event loop than asyncio's is used."""


class ParameterMaterializationError(_Named):
    """The value of an app's parameter cannot be had."""


class RemoteTaskNotFoundError(_Named):
    """There is no such task on the server."""


class RemoteTaskUsageError(_Named):
    """A task on the server is used in a way that it does not allow."""


class RestrictedTypeError(_Named):
    """A type must not be used there."""


class RuntimeDataValidationError(_Named):
    """A value is not as it must be."""


class SlowDownError(_Named):
    """The server asks for fewer calls."""


class TraceDoesNotAllowNestedTasksError(_Named):
    """A traced function calls a task, which Alula allows."""
