"""Errors that Alula raises are of Flyte's classes too, and of the classes of Python's that those have."""

from __future__ import annotations

from typing import Any

from alula import errors
from alula_kernel.errors import substitute

from . import exceptions as flyte

ALSO: dict[type[errors.AlulaError], tuple[type[BaseException], ...]] = {
    errors.AlulaError: (flyte.FlyteException,),
    errors.UsageError: (
        flyte.FlyteValidationException,
        flyte.FlyteInvalidInputException,
        flyte.FlyteAuthenticationException,
        flyte.FlyteEntityAlreadyExistsException,
        ValueError,
    ),
    errors.UnknownNameError: (flyte.FlyteEntityNotExistException, flyte.FlyteEntityNotFoundException),
    errors.ArgumentError: (flyte.FlyteValueException,),
    errors.CompileError: (
        flyte.FlyteFailureNodeInputMismatchException,
        flyte.FlyteMissingReturnValueException,
        flyte.FlyteMissingTypeException,
        flyte.FlytePromiseAttributeResolveException,
        flyte.FlyteValueException,
    ),
    errors.TypeMismatchError: (flyte.FlyteTypeException, flyte.TypeTransformerFailedError),
    errors.UnsupportedTypeError: (flyte.RestrictedTypeError, flyte.FlyteTypeException),
    errors.ValueConversionError: (
        flyte.FlyteTypeException,
        flyte.FlyteValueException,
        flyte.TypeTransformerFailedError,
    ),
    errors.StorageError: (
        flyte.FlyteDataNotFoundException,
        flyte.FlyteDownloadDataException,
        flyte.FlyteUploadDataException,
    ),
    errors.RuntimeUserError: (flyte.FlyteUserRuntimeException, flyte.EagerException),
    errors.RuntimeSystemError: (flyte.FlyteSystemException,),
    errors.TaskTimeoutError: (flyte.FlyteTimeout,),
    errors.GateTimeoutError: (flyte.FlyteTimeout,),
    errors.GateRejectedError: (flyte.FlyteDisapprovalException,),
}
"""The classes that an error of Alula's is also of; what is said of a class holds for those below it."""


def _with_flytes_classes(kind: type[errors.AlulaError]) -> type[errors.AlulaError]:
    wanted = {kind: None, **{also: None for ancestor in kind.__mro__ for also in ALSO.get(ancestor, ())}}
    bases = [base for base in wanted if not any(other is not base and issubclass(other, base) for other in wanted)]
    namespace: dict[str, Any] = {"__module__": __name__, "__doc__": kind.__doc__, "__init__": kind.__init__}
    if not issubclass(kind, errors.TaskError):
        namespace["__str__"] = BaseException.__str__  # Alula's message, without Flyte's code in front
    return type(kind.__name__, tuple(bases), namespace)


def raise_as_flyte() -> None:
    """Let what Alula raises in this process be of Flyte's classes too."""
    named = {getattr(errors, name) for name in errors.__all__}
    for kind in named - {errors.ActionError, errors.AlulaError, errors.RecoverableError, errors.NonRecoverableError}:
        made = globals().setdefault(kind.__name__, _with_flytes_classes(kind))  # pickle looks for it here
        substitute(kind, made)
