"""Where secrets are looked up: the environment, files, and the keyring of the operating system."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alula_kernel.errors import MissingDependencyError, UsageError
from alula_kernel.secrets import SecretProvider, SecretRequest

from ._secrets import variable_name

if TYPE_CHECKING:
    from ._settings import Settings

MOUNT_VARIABLE = "ALULA_SECRETS_FOLDER"
"""Environment variable with a folder into which secrets are mounted, as ``/etc/secrets``."""
KEYRING_SERVICE = "alula"


_PREFIX = "ALULA_SECRET_"
_hidden: dict[str, str] = {}


def hide_variables() -> None:
    """Take the variables with secrets out of the environment, in a process of tasks: those that ask get their own."""
    for name in [name for name in os.environ if name.startswith(_PREFIX)]:
        _hidden[name] = os.environ.pop(name)


def hidden_variables() -> dict[str, str]:
    """Return what `hide_variables` took."""
    return dict(_hidden)


class EnvironmentProvider(SecretProvider):
    """Reads ``ALULA_SECRET_<GROUP>_<VERSION>_<KEY>``, without the parts that there are none of.

    A task that asks for a secret as an environment variable is also given that variable of the program's itself.
    """

    name = "environment"

    def get(self, request: SecretRequest) -> bytes | None:
        for variable in self._variables(request):
            if variable in os.environ:
                return os.environ[variable].encode()
            if variable in _hidden:
                return _hidden[variable].encode()
        return None

    def place(self, request: SecretRequest) -> str:
        return f"the environment variable {' or '.join(dict.fromkeys(self._variables(request)))}"

    def _variables(self, request: SecretRequest) -> Iterator[str]:
        if request.version:
            yield variable_name("ALULA_SECRET", request.group, request.version, request.key)
        yield variable_name("ALULA_SECRET", request.group, request.key)
        if request.variable:
            yield request.variable


class FileProvider(SecretProvider):
    """Reads ``<folder>/<group>/<version>/<key>``, without the parts that there are none of.

    Args:
        folder: The folder of this user's own secrets; that in `MOUNT_VARIABLE` is looked into afterwards.
    """

    name = "files"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, request: SecretRequest) -> bytes | None:
        for path in self._paths(request):
            if os.path.isfile(path):  # which a name that is too long for a file is not
                return path.read_bytes()
        return None

    def place(self, request: SecretRequest) -> str:
        return f"the file {next(self._paths(request), self.folder)}"

    def path(self, request: SecretRequest) -> Path:
        """Return where a secret of this user's own is kept.

        Raises:
            UsageError: Its name cannot be that of a file.
        """
        found = next(self._paths(request), None)
        if found is None:
            raise UsageError(f"{str(request)!r} cannot be the name of a secret that is kept in a file")
        return found

    def _paths(self, request: SecretRequest) -> Iterator[Path]:
        whole = [part for part in (request.group, request.version, request.key) if part]
        short = [part for part in (request.group, request.key) if part]
        if any(part.startswith(".") or "/" in part or "\0" in part for part in whole):
            return
        mounted = os.environ.get(MOUNT_VARIABLE)
        for folder in (self.folder, *((Path(mounted),) if mounted else ())):
            for parts in (whole, short):
                yield folder.joinpath(*parts)
                yield folder.joinpath(*(part.lower() for part in parts))


class KeyringProvider(SecretProvider):
    """Reads the keyring of the operating system through the package ``keyring``, where that is installed."""

    name = "keyring"

    def get(self, request: SecretRequest) -> bytes | None:
        try:
            keyring = keyring_module()
        except MissingDependencyError:
            return None
        try:
            value = keyring.get_password(_service(request), _username(request))
        except keyring.errors.KeyringError:  # locked, or there is none on this machine
            return None
        return None if value is None else str(value).encode()

    def place(self, request: SecretRequest) -> str:
        try:
            keyring_module()
        except MissingDependencyError:
            return ""
        return f"the keyring, as {_username(request)} of {_service(request)}"

    def set(self, request: SecretRequest, value: str) -> None:
        """Keep a secret.

        Raises:
            UsageError: The package is missing, or the keyring does not take it.
        """
        keyring = keyring_module()
        try:
            keyring.set_password(_service(request), _username(request), value)
        except keyring.errors.KeyringError as problem:
            raise UsageError(f"the keyring does not take the secret: {problem}") from problem

    def delete(self, request: SecretRequest) -> bool:
        """Forget a secret, and tell whether there was one.

        Raises:
            UsageError: The package is missing, or the keyring cannot be used.
        """
        keyring = keyring_module()
        try:
            keyring.delete_password(_service(request), _username(request))
        except keyring.errors.PasswordDeleteError:
            return False
        except keyring.errors.KeyringError as problem:
            raise UsageError(f"the keyring cannot be used: {problem}") from problem
        return True


def keyring_module() -> Any:
    """Import the package ``keyring``.

    Raises:
        MissingDependencyError: It is not installed.
    """
    import importlib

    try:
        importlib.import_module("keyring.errors")
        return importlib.import_module("keyring")
    except ImportError as missing:
        raise MissingDependencyError(
            "secrets in the keyring of the operating system need the package keyring, which is not installed",
            hint="Install it: pip install keyring",
        ) from missing


def _service(request: SecretRequest) -> str:
    return "/".join(filter(None, (KEYRING_SERVICE, request.group, request.version)))


def _username(request: SecretRequest) -> str:
    return request.key or request.group


def builtin_providers(settings: Settings) -> Sequence[SecretProvider]:
    """Return the providers that come with Alula, in the order in which they are asked."""
    return [EnvironmentProvider(), FileProvider(settings.home / "secrets"), KeyringProvider()]
