"""The tables of ``flyteplugins``."""

from __future__ import annotations

from ..rows import Row, Table, adapted, missing, same

_RAY: Table = {
    "AutoscalerOptionsConfig": adapted(
        "builtins:dict", "the options are a dict, as the autoscaler's own", own="builtins:dict"
    ),
    "HeadNodeConfig": same("alula_ray:HeadNodeConfig"),
    "RayJobConfig": same("alula_ray:RayJobConfig"),
    "WorkerNodeConfig": same("alula_ray:WorkerNodeConfig"),
}


def _config(*names: str, instead: str = "Leave plugin_config out: the tasks then run in a process") -> Table:
    """Return the table of a plugin that is not there: its config is refused when it is made."""
    return dict.fromkeys(names, missing("this plugin is not there yet", instead, when_called=True))


_BIGQUERY: Table = {
    "BigQueryConfig": adapted(
        "alula_flyte.flyte1.bigquery:BigQueryConfig",
        "all of QueryJobConfig counts",
        own="alula_bigquery:BigQueryConfig",
    ),
    "BigQueryTask": adapted(
        "alula_flyte.flyte2.bigquery:BigQueryTask",
        "rows without a destination are stored by Alula, which keeps them longer than a day",
        own="alula_bigquery:BigQueryTask",
    ),
    "BigQueryConnector": missing(
        "jobs are submitted and watched by the engine, without a service in between",
        "Install alula-bigquery where the engine runs",
        when_called=True,
    ),
}
_DASK: Table = {
    name: adapted(f"alula_flyte.flyte2.dask:{name}", "the task makes its cluster on this machine, with Client()")
    for name in ("Dask", "Scheduler", "WorkerGroup")
}
_DATABRICKS: Table = {
    "Databricks": adapted("alula_flyte.flyte2.spark:Databricks", "runs with Spark on this machine"),
    "DatabricksConnector": missing(
        "jobs are submitted and watched by the engine, without a service in between", when_called=True
    ),
}
_ECHO: Table = {"Echo": adapted("alula_flyte.flyte2.leaf_tasks:Echo", "the task returns its inputs in its process")}
_ELASTIC = _config("Elastic", instead="Start torchrun in a task")
_JSONL = "JSON is read and written by msgspec; levels of compression are not looked at"
_NOTEBOOK: Table = {
    "NotebookTask": adapted(
        "alula_flyte.flyte2.notebooks:NotebookTask",
        "the notebook works in its own folder, and tasks that cells call run in its kernel",
        own="alula_papermill:NotebookTask",
    ),
    "record_outputs": same("alula_papermill:record_outputs"),
    **{
        name: adapted(f"alula_flyte.flyte2.notebooks:{name}", "inputs are objects already; a path or URI becomes one")
        for name in ("load_dataframe", "load_dir", "load_file")
    },
}
_OTEL = "made by alula-otel; names of attributes begin with flyte"
_OTEL_ROWS: Table = {
    "OtelObserver": adapted("alula_flyte.flyte2.telemetry:OtelObserver", _OTEL, own="alula_otel:SpanObserver"),
    "RunScopedIdGenerator": adapted("alula_otel.ids:RunTraceIds", "needs the generator that it stands before"),
    "format_trace_id": adapted("alula_flyte.flyte2.telemetry:format_trace_id", "the same"),
    "get_tracer": same("alula_otel:get_tracer"),
    "init": adapted("alula_flyte.flyte2.telemetry:init", _OTEL, own="alula_otel:init"),
    "shutdown": same("alula_otel:shutdown"),
    "trace_id_for_run": adapted("alula_flyte.flyte2.telemetry:trace_id_for_run", "another id than Flyte's"),
}
_SNOWFLAKE = _config("Snowflake", "SnowflakeConfig", instead="Use the client of Snowflake in a task")
_SPARK: Table = {
    "Spark": adapted(
        "alula_flyte.flyte2.spark:Spark",
        "on this machine properties count too, but for those that fetch something from elsewhere",
        own="alula_spark:Spark",
    ),
    **{
        name: missing("alula-spark handles Spark's data frames by itself", when_called=True)
        for name in ("ParquetToSparkDecoder", "SparkToParquetEncoder", "register_spark_df_transformers")
    },
}

MODULES: dict[str, Table] = {
    "flyteplugins": {},
    "flyteplugins.bigquery": _BIGQUERY,
    "flyteplugins.bigquery.connector": _BIGQUERY,
    "flyteplugins.bigquery.task": _BIGQUERY,
    "flyteplugins.dask": _DASK,
    "flyteplugins.dask.task": _DASK,
    "flyteplugins.databricks": _DATABRICKS,
    "flyteplugins.databricks.task": _DATABRICKS,
    "flyteplugins.echo": _ECHO,
    "flyteplugins.echo.task": _ECHO,
    "flyteplugins.hitl": _config(
        "Event", "env", "new_event", instead="Use alula.new_condition, and answer with `alula signal`"
    ),
    "flyteplugins.hydra": {
        name: adapted(f"alula_flyte.flyte2.hydra_runs:{name}", note)
        for name, note in {
            "apply_task_env": "images of containers are left out",
            "hydra_run": "runs here, whatever the mode",
            "hydra_sweep": "runs here, one after the other, whatever the mode",
        }.items()
    },
    "flyteplugins.jsonl": {
        "JsonlDir": adapted("alula_flyte.flyte2.jsonl:JsonlDir", _JSONL),
        "JsonlFile": adapted("alula_flyte.flyte2.jsonl:JsonlFile", _JSONL),
    },
    "flyteplugins.lance": {},
    "flyteplugins.omegaconf": {
        "log_yaml": adapted("alula_flyte.flyte2.configurations:log_yaml", "the same"),
    },
    "flyteplugins.otel": _OTEL_ROWS,
    "flyteplugins.otel.grafana": {
        "GrafanaTrace": adapted("alula_flyte.flyte2.telemetry:GrafanaTrace", "kept; its get_link gives the address"),
    },
    "flyteplugins.pandera": {
        "ValidationConfig": adapted(
            "alula_flyte.schemas_of_frames:ValidationConfig",
            "frames of pandas, polars and Spark are checked; without a report",
        ),
    },
    "flyteplugins.papermill": _NOTEBOOK,
    "flyteplugins.papermill.task": _NOTEBOOK,
    "flyteplugins.polars": {},
    "flyteplugins.pytorch": _ELASTIC,
    "flyteplugins.pytorch.task": _ELASTIC,
    "flyteplugins.ray": _RAY,
    "flyteplugins.ray.task": _RAY,
    "flyteplugins.snowflake": _SNOWFLAKE,
    "flyteplugins.snowflake.task": _SNOWFLAKE,
    "flyteplugins.spark": _SPARK,
    "flyteplugins.spark.df_transformer": _SPARK,
    "flyteplugins.spark.task": _SPARK,
}
"""The rows of each module. ``flyteplugins.lance`` and ``flyteplugins.polars`` have no names: importing them is enough."""

_THERE_IS_NONE = "this plugin is not there yet"
_USE_THE_LIBRARY = "Use the library itself in a task, with @alula.trace on its calls"

MISSING_MODULES: dict[str, Row] = {
    f"flyteplugins.{name}": missing(_THERE_IS_NONE, instead)
    for name, instead in {
        "agento11y": _USE_THE_LIBRARY,
        "agents": _USE_THE_LIBRARY,
        "codegen": _USE_THE_LIBRARY,
        "connectors": "Write a plugin with an executor",
        "huggingface": _USE_THE_LIBRARY,
        "mlflow": _USE_THE_LIBRARY,
        "nsight": _USE_THE_LIBRARY,
        "openai": _USE_THE_LIBRARY,
        "redis": _USE_THE_LIBRARY,
        "sglang": "Serve the model with its own framework",
        "trackio": _USE_THE_LIBRARY,
        "union": _USE_THE_LIBRARY,
        "vllm": "Serve the model with its own framework",
        "wandb": _USE_THE_LIBRARY,
    }.items()
}
"""Modules that are missing as a whole."""
