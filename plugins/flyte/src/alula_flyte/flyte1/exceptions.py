"""``flytekit.exceptions``: classes that programs raise and catch.

What Alula raises by itself is of these classes too, where Flyte's modules are Alula's; see `raised_as_flyte`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alula.errors import AlulaError, NonRecoverableError, RecoverableError, ValueConversionError


class _Code:
    """The code of an exception, of its class or of an object."""

    def __get__(self, instance: BaseException | None, owner: type[FlyteException]) -> str:
        return owner._ERROR_CODE  # noqa: SLF001 - programs set it in classes of their own


class FlyteException(AlulaError):
    """Base of all.

    Args:
        args: What happened.
        timestamp: When, in seconds since 1970.
    """

    _ERROR_CODE = "UnknownFlyteException"
    error_code = _Code()
    timestamp: float | None = None

    def __init__(self, *args: Any, timestamp: float | None = None) -> None:
        super().__init__(*args)
        if timestamp is not None:
            self.timestamp = timestamp

    def __str__(self) -> str:
        text = f"{self.error_code}: error={','.join(map(str, self.args)) or None}"
        return f"{text}, cause={self.__cause__}" if self.__cause__ else text


class BaseRecoverableException(FlyteException, RecoverableError):
    """Trying again may help; ``FlyteRecoverableException`` of ``flytekit.exceptions.base``."""

    _ERROR_CODE = "RecoverableFlyteException"


# --- the user's ------------------------------------------------------------------------------------------------------


class FlyteUserException(FlyteException):
    """The program is wrong."""

    _ERROR_CODE = "USER:Unknown"


class _CodeOfValue(_Code):
    """The code of the exception that is inside; that of the class if it has none."""

    def __get__(self, instance: BaseException | None, owner: type[FlyteException]) -> str:
        code = getattr(getattr(instance, "value", None), "error_code", None)
        if code is not None and not isinstance(code, (str, int)):
            raise FlyteException(f"error_code must be a str or int, found {type(code).__name__}")
        return super().__get__(instance, owner) if code is None else str(code)


class FlyteUserRuntimeException(FlyteException):
    """The code of a task raised.

    Args:
        exc_value: What it raised.
        timestamp: When.
    """

    _ERROR_CODE = "USER:RuntimeError"
    error_code = _CodeOfValue()

    def __init__(self, exc_value: Exception, timestamp: float | None = None) -> None:
        super().__init__(str(exc_value), timestamp=timestamp)
        self._value = exc_value

    @property
    def value(self) -> BaseException | None:
        """What the code raised."""
        return getattr(self, "_value", self.__cause__)


class FlyteTypeException(FlyteUserException, TypeError):
    """A value is of another type than it must be.

    Args:
        received_type: Its type.
        expected_type: What it must be, or several types of which it must be one.
        additional_msg: More about it.
        received_value: The value.
    """

    _ERROR_CODE = "USER:TypeError"

    def __init__(
        self, received_type: Any, expected_type: Any, additional_msg: str | None = None, received_value: Any = None
    ) -> None:
        wanted = f"one of {expected_type}" if isinstance(expected_type, (list, tuple, set)) else expected_type
        found = received_type if received_value is None else f"{received_value} of type {received_type}"
        text = f"expected {wanted}, found {found}"
        super().__init__(f"{text}; {additional_msg}" if additional_msg else text)


class FlyteValueException(FlyteUserException, ValueError):
    """A value is not as it must be.

    Args:
        received_value: The value.
        error_message: What is wrong with it.
    """

    _ERROR_CODE = "USER:ValueError"

    def __init__(self, received_value: Any, error_message: str) -> None:
        super().__init__(f"{error_message}; found {received_value}")


class FlyteDataNotFoundException(FlyteValueException):
    """There is no file.

    Args:
        path: Where there is none.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, "there is no such file")


class FlyteEntityNotFoundException(FlyteValueException):
    """A module has no such task or workflow.

    Args:
        module_name: The module.
        entity_name: What it does not have.
    """

    def __init__(self, module_name: str, entity_name: str) -> None:
        super().__init__(entity_name, f"module {module_name!r} has no such task or workflow")


class FlyteAssertion(FlyteUserException, AssertionError):
    """Something does not hold."""

    _ERROR_CODE = "USER:AssertionError"


class FlyteValidationException(FlyteAssertion):
    """Something is not valid."""

    _ERROR_CODE = "USER:ValidationError"


class FlyteFailureNodeInputMismatchException(FlyteAssertion):
    """A failure handler has other inputs than its workflow.

    Args:
        failure_node_node: The handler.
        workflow: The workflow.
    """

    _ERROR_CODE = "USER:FailureNodeInputMismatch"

    def __init__(self, failure_node_node: Any, workflow: Any) -> None:
        super().__init__(
            f"{failure_node_node.name} handles failures of {workflow.name}, and has the inputs "
            f"{failure_node_node.python_interface.inputs}; expected {workflow.python_interface.inputs}"
        )
        self.failure_node_node = failure_node_node
        self.workflow = workflow


class FlyteDisapprovalException(FlyteAssertion):
    """A person disapproved."""

    _ERROR_CODE = "USER:ResultNotApproved"


class FlyteEntityAlreadyExistsException(FlyteAssertion):
    """There is such an entity already."""

    _ERROR_CODE = "USER:EntityAlreadyExists"


class FlyteEntityNotExistException(FlyteAssertion):
    """There is no such entity."""

    _ERROR_CODE = "USER:EntityNotExist"


class FlyteTimeout(FlyteAssertion):
    """It took too long."""

    _ERROR_CODE = "USER:Timeout"


class FlyteRecoverableException(FlyteUserException, BaseRecoverableException):
    """Raised by a task so that it is tried again."""

    _ERROR_CODE = "USER:Recoverable"


class FlyteAuthenticationException(FlyteAssertion):
    """A server does not know who asks."""

    _ERROR_CODE = "USER:AuthenticationError"


class FlyteInvalidInputException(FlyteUserException):
    """A server cannot do what it was asked for.

    Args:
        request: What it was asked for.
    """

    _ERROR_CODE = "USER:BadInputToAPI"

    def __init__(self, request: Any) -> None:
        super().__init__()
        self.request = request


class FlytePromiseAttributeResolveException(FlyteAssertion):
    """An output has no such part."""

    _ERROR_CODE = "USER:PromiseAttributeResolveError"


class FlyteCompilationException(FlyteUserException):
    """A function cannot be a task or a workflow.

    Args:
        fn: The function.
        param_name: The parameter that is to blame.
    """

    _ERROR_CODE = "USER:CompileError"
    _why = "cannot be compiled"

    def __init__(self, fn: Callable[..., Any], param_name: str | None = None) -> None:
        what = getattr(fn, "__name__", fn)
        super().__init__(f"{what} {self._why}" if param_name is None else f"{param_name!r} of {what} {self._why}")
        self.fn = fn
        self.param_name = param_name


class FlyteMissingTypeException(FlyteCompilationException):
    """A parameter has no annotation."""

    _ERROR_CODE = "USER:MissingTypeError"
    _why = "has no type annotation"


class FlyteMissingReturnValueException(FlyteCompilationException):
    """A function returns nothing."""

    _ERROR_CODE = "USER:MissingReturnValueError"
    _why = "returns nothing, not what it says"


class EagerException(FlyteUserException):
    """What an eager task called failed."""


class RestrictedTypeError(Exception):
    """A type must not be used there."""


class TypeTransformerFailedError(ValueConversionError, AssertionError):
    """A value cannot be converted."""


# --- the system's ----------------------------------------------------------------------------------------------------


class FlyteSystemException(BaseRecoverableException):
    """What runs the program failed."""

    _ERROR_CODE = "SYSTEM:Unknown"


class FlyteSystemUnavailableException(FlyteSystemException):
    """A cluster does not answer."""

    _ERROR_CODE = "SYSTEM:Unavailable"


class FlyteNotImplementedException(FlyteSystemException, NotImplementedError):
    """It is not there yet."""

    _ERROR_CODE = "SYSTEM:NotImplemented"


class FlyteEntrypointNotLoadable(FlyteSystemException):
    """The code of a task cannot be loaded.

    Args:
        task_module: Its module.
        task_name: Its name.
        additional_msg: More about it.
    """

    _ERROR_CODE = "SYSTEM:UnloadableCode"

    def __init__(self, task_module: str, task_name: str | None = None, additional_msg: str | None = None) -> None:
        what = f"task {task_name!r} of module {task_module!r}" if task_name is not None else f"module {task_module!r}"
        super().__init__(f"{what} cannot be loaded" + (f": {additional_msg}" if additional_msg else ""))


class FlyteSystemAssertion(FlyteSystemException, AssertionError):
    """Something does not hold."""

    _ERROR_CODE = "SYSTEM:AssertionError"


class FlyteAgentNotFound(FlyteSystemException, AssertionError):
    """There is no agent for a task."""

    _ERROR_CODE = "SYSTEM:AgentNotFound"


class FlyteConnectorNotFound(FlyteSystemException, AssertionError):
    """There is no connector for a task."""

    _ERROR_CODE = "SYSTEM:ConnectorNotFound"


class FlyteDownloadDataException(FlyteSystemException):
    """Data cannot be read."""

    _ERROR_CODE = "SYSTEM:DownloadDataError"


class FlyteUploadDataException(FlyteSystemException):
    """Data cannot be stored."""

    _ERROR_CODE = "SYSTEM:UploadDataError"


class FlyteNonRecoverableSystemException(FlyteException, NonRecoverableError):
    """What runs the program failed, and trying again is of no use.

    Args:
        exc_value: What it raised.
    """

    _ERROR_CODE = "USER:NonRecoverableSystemError"

    def __init__(self, exc_value: Exception) -> None:
        super().__init__(str(exc_value))
        self.value = exc_value
