"""The config of a BigQuery task: where its job runs, and how."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alula import Secret
from alula_kernel.errors import ArgumentError, UsageError
from alula_kernel.secrets import SecretRequest

if TYPE_CHECKING:
    from google.cloud.bigquery import QueryJobConfig

_REFUSED = {
    "useLegacySql": "Parameters need GoogleSQL: translate the query, and leave use_legacy_sql out.",
    "dryRun": "A dry run gives no rows: leave dry_run out; maximum_bytes_billed limits what a query costs.",
}


@dataclasses.dataclass(frozen=True)
class BigQueryConfig:
    """Where the job of a `BigQueryTask` runs, and how.

    Attributes:
        project: The project that runs the job and pays for it; None for the one in ``ALULA_BIGQUERY_PROJECT``, else that
            of the credentials.
        location: Where the job runs, as ``EU``; None for the one in ``ALULA_BIGQUERY_LOCATION``, else where BigQuery finds
            the tables.
        job_config: Everything else about the job, as a ``google.cloud.bigquery.QueryJobConfig`` or in the form of its
            REST API: ``destination``, ``maximum_bytes_billed``, ``labels``, ``priority``, ``use_query_cache`` ...
        credentials: The secret that holds credentials as the JSON of a key file: a `Secret`, or the key of one; None for
            Application Default Credentials.

    Raises:
        UsageError: A part is of another type, or asks for what a task cannot do.
    """

    project: str | None = None
    location: str | None = None
    job_config: QueryJobConfig | Mapping[str, Any] | None = None
    credentials: Secret | str | None = None

    def __post_init__(self) -> None:
        for name in ("project", "location"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value):
                raise ArgumentError(f"{name} of a BigQueryConfig must be a text, found {value!r}")
        if self.credentials is not None and not isinstance(self.credentials, (Secret, str)):
            raise ArgumentError(
                f"credentials of a BigQueryConfig must be a Secret or the key of one, found {type(self.credentials).__qualname__}",
                hint="A spec never holds credentials themselves: `alula secret set NAME` keeps them.",
            )
        job = self.job()
        for key, hint in _REFUSED.items():
            if job.get(key) or job.get("query", {}).get(key):
                raise UsageError(f"job_config of a BigQueryConfig sets {key}, with which no task can run", hint=hint)

    def job(self) -> dict[str, Any]:
        """Return the job's configuration in the form of the REST API.

        Raises:
            UsageError: It is neither a ``QueryJobConfig`` nor a mapping.
        """
        given: Any = self.job_config
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            to_api = getattr(given, "to_api_repr", None)
            given = to_api() if to_api is not None else given
        if not isinstance(given, Mapping) or not isinstance(given.get("query", {}), Mapping):
            raise UsageError(
                f"job_config of a BigQueryConfig must be a QueryJobConfig, found {type(self.job_config).__qualname__}",
                hint="Write job_config=google.cloud.bigquery.QueryJobConfig(...).",
            )
        return dict(given)

    def to_custom(self) -> dict[str, Any]:
        """Return it as plain data for the spec of a task."""
        given = {"project": self.project, "location": self.location, "job": self.job() or None}
        if self.credentials is not None:
            secret = self.credentials if isinstance(self.credentials, Secret) else Secret(self.credentials)
            wanted = {"key": secret.key, "group": secret.group, "version": secret.group_version}
            given["credentials"] = {name: text for name, text in wanted.items() if text}
        return {name: value for name, value in given.items() if value is not None}


def secret_of(custom: Mapping[str, Any]) -> SecretRequest | None:
    """Return which secret holds the credentials that a task's spec asks for; None for the default ones."""
    wanted = custom.get("credentials")
    return SecretRequest(**wanted) if wanted else None
