"""Failures of storage, told to the user: which URI, why, and what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import AlulaError, StorageError
from .uris import shown

MAX_REASON_CHARS = 300
"""Longest text of a foreign exception that is repeated in a message, in characters."""

_MISSING = ("there is nothing there", "Check the spelling, and that whatever writes it has run.")
_DENIED = ("permission denied", "Check who may access it, and as whom you run.")
_FULL = ("no space is left", "Free some space, or store the data elsewhere.")
_UNREACHABLE = ("it cannot be reached", "Check the network, the host name and the endpoint.")
_LATE = ("it did not answer in time", "Try again; check the network if it stays so.")
_NO_CREDENTIALS = (
    "no credentials were found",
    "Set those of the protocol, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or storage options.",
)
_UNSUPPORTED = ("the protocol does not allow it", "Copy the data to a place that does, or use another URI.")

_BY_ERRNO: dict[int, tuple[str, str]] = {
    errno.ENOENT: _MISSING,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: ("the file system is read-only", "Store the data elsewhere."),
    errno.ENOSPC: _FULL,
    errno.EDQUOT: ("the quota is used up", "Free some space, or store the data elsewhere."),
    errno.EFBIG: ("the file would be larger than is allowed here", "Raise the limit (ulimit -f), or write less."),
    errno.EISDIR: ("it is a folder, not a file", "Give the URI of a file, or use the operation for directories."),
    errno.ENOTDIR: ("it is, or lies below, a file where a folder is needed", "Check the path."),
    errno.ENOTEMPTY: ("the folder is not empty", "Choose another place."),
    errno.EEXIST: ("something else is there already", "Choose another place, or delete it first."),
    errno.ENAMETOOLONG: ("the name is too long", "Choose a shorter one."),
    errno.ELOOP: ("its symbolic links go in a circle", "Repair the links."),
    errno.EMFILE: ("too many files are open", "Close some, or raise the limit (ulimit -n)."),
    errno.ENFILE: ("too many files are open on this machine", "Close some."),
    errno.EIO: ("the device reported an error", "Check the disk."),
    errno.ECONNREFUSED: ("the connection was refused", "Check that the server runs, and the endpoint."),
    errno.ETIMEDOUT: _UNREACHABLE,
    errno.EHOSTUNREACH: _UNREACHABLE,
    errno.ENETUNREACH: _UNREACHABLE,
}
# The most specific class first: NotImplementedError is a RuntimeError, TimeoutError and PermissionError are OSErrors.
_BY_CLASS: tuple[tuple[type[BaseException], tuple[str, str]], ...] = (
    (FileNotFoundError, _MISSING),
    (PermissionError, _DENIED),
    (IsADirectoryError, _BY_ERRNO[errno.EISDIR]),
    (NotADirectoryError, _BY_ERRNO[errno.ENOTDIR]),
    (FileExistsError, _BY_ERRNO[errno.EEXIST]),
    (TimeoutError, _LATE),
    (ConnectionError, _UNREACHABLE),
    (NotImplementedError, _UNSUPPORTED),
)
# Classes of protocol libraries, by name, because importing the libraries to compare with would be slow. Until Python 3.10
# the TimeoutError of asyncio is another class than the built-in one.
_BY_CLASS_NAME: dict[str, tuple[str, str]] = {
    "NoCredentialsError": _NO_CREDENTIALS,
    "PartialCredentialsError": _NO_CREDENTIALS,
    "DefaultCredentialsError": _NO_CREDENTIALS,
    "EndpointConnectionError": _UNREACHABLE,
    "ConnectTimeoutError": _UNREACHABLE,
    "ReadTimeoutError": _UNREACHABLE,
    "ClientConnectorError": _UNREACHABLE,
    "ClientConnectionError": _UNREACHABLE,
    "TimeoutError": _LATE,
}
_HTTP_MODULES = ("aiohttp.", "asyncio.")
_BY_STATUS: dict[int, tuple[str, str]] = {401: _DENIED, 403: _DENIED, 404: _MISSING, 410: _MISSING, 507: _FULL}


def underlying(error: BaseException) -> BaseException:
    """Return what really went wrong.

    fsspec's HTTP file system reports every failure as a missing file, caused by the failure itself. Elsewhere a missing
    file is a missing file, whatever caused it.
    """
    cause = error.__cause__
    if not isinstance(error, FileNotFoundError) or cause is None:
        return error
    is_real = isinstance(cause, (ConnectionError, TimeoutError)) or type(cause).__module__.startswith(_HTTP_MODULES)
    return cause if is_real else error


def storage_error(doing: str, uri: str, error: BaseException) -> StorageError:
    """Build the error that a user sees for one that an operating system or a library raised.

    Args:
        doing: What was attempted, as ``read``.
        uri: Of what.
        error: What was raised; chain the result to it with ``raise ... from``. The result keeps its ``errno``, which is
            ``ENOENT`` for everything that does not exist.
    """
    reason, hint = _explain(underlying(error))
    made = StorageError(f"cannot {doing} {shown(uri)}: {reason}", hint=hint)
    made.errno = errno.ENOENT if (reason, hint) == _MISSING else getattr(error, "errno", None)
    return made


def _explain(error: BaseException) -> tuple[str, str]:
    status = getattr(error, "status", None)
    if isinstance(status, int) and status >= 400:
        return _BY_STATUS.get(status) or (f"the server answered {status}", "Try again later; check the URI.")
    for cls in type(error).__mro__:
        if cls.__name__ in _BY_CLASS_NAME:
            return _BY_CLASS_NAME[cls.__name__]
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number in _BY_ERRNO:
        return _BY_ERRNO[number]
    for cls, explanation in _BY_CLASS:
        if isinstance(error, cls):
            return explanation
    text = shown(str(error)).strip() or "no reason was given"
    if len(text) > MAX_REASON_CHARS:
        text = f"{text[:MAX_REASON_CHARS]}..."
    return f"{type(error).__name__}: {text}", "Check the URI and the settings of its protocol."


@contextmanager
def translating(doing: str, uri: str) -> Iterator[None]:
    """Turn every exception from the block but our own into a `StorageError`.

    Args:
        doing: What the block attempts, as ``read``.
        uri: Of what.

    Raises:
        StorageError: Something in the block went wrong.
    """
    try:
        yield
    except AlulaError:
        raise
    except Exception as error:
        raise storage_error(doing, uri, error) from error
