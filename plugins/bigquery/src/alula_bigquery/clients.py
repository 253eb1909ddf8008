"""Clients of BigQuery: which credentials they have, and one for each thread."""

from __future__ import annotations

import importlib.util
import json
import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from alula_kernel.errors import MissingDependencyError, UsageError

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

PROJECT_VARIABLE = "ALULA_BIGQUERY_PROJECT"
"""Environment variable with the project of tasks that name none."""

LOCATION_VARIABLE = "ALULA_BIGQUERY_LOCATION"
"""Environment variable with the location of tasks that name none."""

EMULATOR_VARIABLE = "BIGQUERY_EMULATOR_HOST"
"""Environment variable with the URL of an emulator, as Google's own client reads it."""

_VARIABLES = (PROJECT_VARIABLE, EMULATOR_VARIABLE, "GOOGLE_CLOUD_PROJECT", "GOOGLE_APPLICATION_CREDENTIALS")

_SCOPES = ("https://www.googleapis.com/auth/bigquery",)


def require_library() -> None:
    """Refuse to go on without Google's client.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        found = importlib.util.find_spec("google.cloud.bigquery")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise MissingDependencyError(
            "BigQuery needs google-cloud-bigquery, which is not installed",
            hint="Install it: pip install google-cloud-bigquery",
        )


class Account(NamedTuple):
    """Who asks BigQuery, and for whom.

    Attributes:
        credentials: Of ``google.auth``.
        project: The project that runs jobs and pays for them.
        url: Where the service is; empty for Google's own.
    """

    credentials: Any
    project: str
    url: str


def find_account(project: str, key: bytes | None, where: str, fallback: str = "") -> Account:
    """Find credentials and project.

    Args:
        project: The project; empty for that of the environment, else that of the credentials.
        key: Credentials as the JSON of a key file; None for Application Default Credentials. An emulator needs none.
        where: What asks for them, for messages.
        fallback: The project if nothing names one; empty for an error.

    Raises:
        MissingDependencyError: Google's client is not installed.
        UsageError: There are no credentials, they cannot be read, or nobody says which project it is.
    """
    require_library()
    wanted = project or os.environ.get(PROJECT_VARIABLE)
    url = os.environ.get(EMULATOR_VARIABLE, "")
    if url:
        from google.auth.credentials import AnonymousCredentials

        credentials, found = AnonymousCredentials(), os.environ.get("GOOGLE_CLOUD_PROJECT")
    else:
        credentials, found = _default(where) if key is None else _from_key(key, where)
    chosen = wanted or found or fallback
    if not chosen:
        raise UsageError(
            f"{where} has no project to run jobs in",
            hint=f"Write BigQueryConfig(project=...), or set {PROJECT_VARIABLE} or GOOGLE_CLOUD_PROJECT.",
        )
    return Account(credentials, chosen, url)


def _default(where: str) -> tuple[Any, str | None]:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

    try:
        return google.auth.default(scopes=_SCOPES)  # type: ignore[no-any-return]
    except DefaultCredentialsError as problem:
        raise UsageError(
            f"{where} has no credentials of Google Cloud",
            hint="Run `gcloud auth application-default login`, point GOOGLE_APPLICATION_CREDENTIALS at a key file, or name "
            f"a secret that holds one: BigQueryConfig(credentials=...). {EMULATOR_VARIABLE} names an emulator.",
        ) from problem
    except GoogleAuthError as problem:
        raise UsageError(f"the default credentials of Google Cloud cannot be used: {problem}") from problem


def _from_key(key: bytes, where: str) -> tuple[Any, str | None]:
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2 import credentials, service_account

    makers = {
        "service_account": service_account.Credentials.from_service_account_info,
        "authorized_user": credentials.Credentials.from_authorized_user_info,
    }
    try:
        info = json.loads(key)
        return makers[info["type"]](info, scopes=_SCOPES), info.get("project_id")
    except (KeyError, ValueError, TypeError, GoogleAuthError) as problem:
        raise UsageError(
            f"the secret with the credentials of {where} is no key file of Google Cloud ({type(problem).__name__})",
            hint="Its value must be the whole JSON of a service account's or a user's key file; credentials of other kinds "
            "are found by GOOGLE_APPLICATION_CREDENTIALS.",
        ) from None  # what was raised may hold parts of the secret


class Clients:
    """Clients by account, one for each thread: their connections are not made to be shared. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accounts: dict[tuple[str | bytes | None, ...], Account] = {}
        self._local = threading.local()
        self._made: list[Client] = []

    def account(self, project: str, key: bytes | None, where: str, fallback: str = "") -> Account:
        """Do what `find_account` does, once for the same arguments and environment."""
        wanted = (project, key, fallback, *map(os.environ.get, _VARIABLES))
        with self._lock:
            found = self._accounts.get(wanted)
            if found is None:
                found = self._accounts[wanted] = find_account(project, key, where, fallback)
            return found

    def client(self, account: Account) -> Client:
        """Return this thread's client of an account."""
        known = self._local.__dict__.setdefault("clients", {})
        key = (id(account.credentials), account.project, account.url)  # the account is kept as long as this object
        if (found := known.get(key)) is None:
            from google.cloud import bigquery

            options = {"api_endpoint": account.url} if account.url else None
            found = known[key] = bigquery.Client(
                project=account.project, credentials=account.credentials, client_options=options
            )
            with self._lock:
                self._made.append(found)
        return found

    def close(self) -> None:
        """Close the connections of all clients. Idempotent; the object can be used again."""
        with self._lock:
            made, self._made = self._made, []
            self._local = threading.local()
        for client in made:
            client.close()
