"""``flytekitplugins.spark``: what a job declares for its cluster, and sessions that a program makes itself."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import alula
import alula_spark
from alula.errors import UsageError
from alula_spark.masters import submit_arguments
from alula_spark.session import end_session, prepare, session


@dataclasses.dataclass
class Spark(alula_spark.Spark):
    """Give a task a Spark session, as `alula_spark.Spark`.

    Resources and images of the task are the cluster's: as in Flyte's local runs, a job on this machine has all of it, and
    the Python that is there.
    """

    def to_custom(self) -> dict[str, Any]:
        """Return it as plain data."""
        found = super().to_custom()
        workers = {"spark.python.daemon.module": "alula_flyte.flyte1.spark_workers"}
        return {**found, "properties": {**workers, **found["properties"]}, "cluster_resources": True}


@dataclasses.dataclass
class DatabricksV2(Spark):
    """A job for Databricks, which runs here as one of `Spark`: so does Flyte where a run has no remote store.

    Attributes:
        databricks_conf: The job and its cluster, as Databricks describes them; means nothing here.
        databricks_instance: Domain of the deployment; means nothing here.
        databricks_service_credential_provider: Credentials of a deployment; mean nothing here.
        databricks_token_secret: Name of the secret with the token; means nothing here.
        notebook_path: A notebook on Databricks; refused, since it is not here.
        notebook_base_parameters: Its parameters.

    Raises:
        UsageError: It is a notebook, or a field has no form that Spark could use.
    """

    databricks_conf: dict[str, Any] | None = None
    databricks_instance: str | None = None
    databricks_service_credential_provider: str | None = None
    databricks_token_secret: str | None = None
    notebook_path: str | None = None
    notebook_base_parameters: dict[str, str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.notebook_path:
            raise UsageError(
                f"the notebook {self.notebook_path} is on Databricks, where Alula runs nothing",
                hint="Export it, and run it as a NotebookTask of alula-papermill with task_config=Spark(...).",
            )
        alula.logger.warning("Databricks is not asked: tasks with this config run with Spark on this machine")


@dataclasses.dataclass
class Databricks(Spark):
    """A job for Databricks with the fields that Flyte had first; runs here as `DatabricksV2` does.

    Attributes:
        databricks_conf: The job and its cluster; means nothing here.
        databricks_instance: Domain of the deployment; means nothing here.
        databricks_token: Flyte 2: name of the secret with the token; means nothing here.
    """

    databricks_conf: dict[str, Any] | None = None
    databricks_instance: str | None = None
    databricks_token: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        alula.logger.warning("Databricks is not asked: tasks with this config run with Spark on this machine")


def new_spark_session(name: str, conf: dict[str, str] | None = None) -> Any:
    """Stop the session of this process, if there is one, and start another.

    Args:
        name: Name of the application, after ``FlyteSpark: ``.
        conf: Properties of Spark; those of the task, which may be none, do not count any more.
    """
    prepare()
    end_session()
    loopback = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false"}
    properties = {"spark.master": "local[*]", **loopback, **(conf or {}), "spark.app.name": f"FlyteSpark: {name}"}
    os.environ["PYSPARK_SUBMIT_ARGS"] = submit_arguments(properties)
    return session()
