"""Where Flyte keeps secrets on a machine: environment variables with a prefix, and files."""

from __future__ import annotations

import os
from collections.abc import Iterator

from alula_kernel.secrets import SecretProvider, SecretRequest


class FlyteSecrets(SecretProvider):
    """Reads ``_FSEC_<GROUP>_<VERSION>_<KEY>``, the same without prefix, and ``/etc/secrets/<group>/<version>/<key>``.

    Parts that there are none of are left out. The variables ``FLYTE_SECRETS_ENV_PREFIX``, ``FLYTE_SECRETS_DEFAULT_DIR`` and
    ``FLYTE_SECRETS_FILE_PREFIX`` name another prefix, another folder, and what names of files begin with.
    """

    name = "flyte"

    def get(self, request: SecretRequest) -> bytes | None:
        """Return the value of a secret; None if it is nowhere."""
        for variable in _variables(request):
            if variable in os.environ:
                return os.environ[variable].strip().encode()
        path = _path(request)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                return file.read().strip()
        return None

    def place(self, request: SecretRequest) -> str:
        """Say where it is looked for."""
        return f"the environment variable {' or '.join(_variables(request))}, the file {_path(request)}"

    def file(self, request: SecretRequest) -> str:
        """Return the path that its file has, or would have."""
        return _path(request)


def _parts(request: SecretRequest) -> list[str]:
    return [part for part in (request.group, request.version, request.key) if part]


def _variables(request: SecretRequest) -> Iterator[str]:
    name = "_".join(_parts(request)).upper()
    yield os.environ.get("FLYTE_SECRETS_ENV_PREFIX", "_FSEC_") + name
    yield name


def _path(request: SecretRequest) -> str:
    *folders, name = (part.lower() for part in _parts(request))
    prefix = os.environ.get("FLYTE_SECRETS_FILE_PREFIX", "")
    return os.path.join(os.environ.get("FLYTE_SECRETS_DEFAULT_DIR", "/etc/secrets"), *folders, prefix + name)
