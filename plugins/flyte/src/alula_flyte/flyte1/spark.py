"""``flytekitplugins.spark``: sessions that a program makes itself."""

from __future__ import annotations

import os
from typing import Any

from alula_spark.masters import submit_arguments
from alula_spark.session import end_session, session


def new_spark_session(name: str, conf: dict[str, str] | None = None) -> Any:
    """Stop the session of this process, if there is one, and start another.

    Args:
        name: Name of the application.
        conf: Properties of Spark; those of the task, which may be none, do not count any more.
    """
    session()  # whatever it needs is there then, and goes when the attempt ends
    end_session()
    loopback = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false"}
    properties = {"spark.master": "local[*]", **loopback, **(conf or {}), "spark.app.name": name}
    os.environ["PYSPARK_SUBMIT_ARGS"] = submit_arguments(properties)
    return session()
