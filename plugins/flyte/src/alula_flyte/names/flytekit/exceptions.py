"""``flytekit.exceptions``."""

from __future__ import annotations

from ...rows import Row, Table
from .shared import adapter, internal

_OWN = {
    "AlulaError": ("FlyteException", "FlyteUserException"),
    "RuntimeUserError": ("EagerException", "FlyteUserRuntimeException"),
    "RecoverableError": ("FlyteRecoverableException",),
    "NonRecoverableError": ("FlyteNonRecoverableSystemException",),
    "ValueConversionError": ("FlyteTypeException", "FlyteValueException"),
    "StorageError": ("FlyteDataNotFoundException", "FlyteDownloadDataException", "FlyteUploadDataException"),
    "UnknownNameError": ("FlyteEntityNotExistException", "FlyteEntityNotFoundException"),
    "CompileError": (
        *("FlyteCompilationException", "FlyteFailureNodeInputMismatchException", "FlyteMissingReturnValueException"),
        *("FlyteMissingTypeException", "FlytePromiseAttributeResolveException"),
    ),
    "UsageError": (
        *("FlyteAssertion", "FlyteAuthenticationException", "FlyteEntityAlreadyExistsException"),
        *("FlyteInvalidInputException", "FlyteValidationException"),
    ),
    "GateRejectedError": ("FlyteDisapprovalException",),
    "TaskTimeoutError": ("FlyteTimeout",),
    "RuntimeSystemError": (
        *("FlyteAgentNotFound", "FlyteConnectorNotFound", "FlyteEntrypointNotLoadable", "FlyteNotImplementedException"),
        *("FlyteSystemAssertion", "FlyteSystemException", "FlyteSystemUnavailableException"),
    ),
}
_ERRORS: Table = {
    name: adapter(
        f"exceptions:{name}", "Alula's errors are of Flyte's classes too, with Alula's messages", f"alula.errors:{own}"
    )
    for own, names in _OWN.items()
    for name in names
}


def _errors(*names: str, **others: Row) -> Table:
    return {**{name: _ERRORS[name] for name in names}, **others}


MODULES: dict[str, Table] = {
    "flytekit.exceptions.base": _errors(
        "FlyteException",
        FlyteRecoverableException=adapter(
            "exceptions:BaseRecoverableException",
            "its code is another than the user's",
            "alula.errors:RecoverableError",
        ),
    ),
    "flytekit.exceptions.eager": _errors("EagerException"),
    "flytekit.exceptions.scopes": internal(
        "FlyteScopedException", "FlyteScopedUserException", "FlyteScopedSystemException"
    ),
    "flytekit.exceptions.system": _errors(
        *_OWN["RuntimeSystemError"],
        *("FlyteDownloadDataException", "FlyteNonRecoverableSystemException", "FlyteUploadDataException"),
    ),
    "flytekit.exceptions.user": _errors(
        *(name for own in ("AlulaError", "RecoverableError", "RuntimeUserError") for name in _OWN[own][-1:]),
        *(
            name
            for own in ("CompileError", "UnknownNameError", "UsageError", "ValueConversionError")
            for name in _OWN[own]
        ),
        *("FlyteDataNotFoundException", "FlyteDisapprovalException", "FlyteTimeout"),
    ),
}
