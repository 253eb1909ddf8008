"""The tables of ``flytekitplugins``."""

from __future__ import annotations

from ..rows import Row, Table, adapted, missing, same

_LATER = "there is no plugin for it yet"

MODULES: dict[str, Table] = {
    "flytekitplugins": {},
    "flytekitplugins.duckdb": {
        "DuckDBQuery": same("alula_duckdb:DuckDBQuery"),
        "DuckDBProvider": same("alula_duckdb:DuckDBProvider"),
    },
    "flytekitplugins.ray": {
        name: adapted(f"alula_ray:{name}", "a pod_template is plain data")
        for name in ("HeadNodeConfig", "RayJobConfig", "WorkerNodeConfig")
    },
    "flytekitplugins.kfmpi": {
        **{
            name: same(f"alula_mpi:{name}")
            for name in ("CleanPodPolicy", "Launcher", "MPIJob", "RestartPolicy", "RunPolicy", "Worker")
        },
        "HorovodJob": missing(_LATER, "Run horovodrun in a ShellTask, or use MPIJob.", when_called=True),
    },
    "flytekitplugins.spark": {
        name: missing(_LATER, "Make a SparkSession in the task itself.", when_called=True)
        for name in ("Databricks", "DatabricksV2", "Spark", "new_spark_session")
    },
    "flytekitplugins.bigquery": {
        name: missing(_LATER, "Query in a task, by google.cloud.bigquery.", when_called=True)
        for name in ("BigQueryConfig", "BigQueryTask")
    },
    "flytekitplugins.pandera": {
        "ValidationConfig": adapted(
            "alula_flyte.schemas_of_frames:ValidationConfig",
            "frames of pandas and polars are checked; without a report",
        ),
    },
    "flytekitplugins.papermill": {
        name: missing(_LATER, "Call papermill.execute_notebook in a task.", when_called=True)
        for name in (
            "NotebookTask",
            "load_flytedirectory",
            "load_flytefile",
            "load_structureddataset",
            "record_outputs",
        )
    },
    "flytekitplugins.pod": {
        "Pod": missing("nothing here starts pods", "Give the task a pod_template, which is kept.", when_called=True)
    },
    "flytekitplugins.deck": {},
    "flytekitplugins.deck.renderer": {
        name: adapted(f"alula_flyte.flyte1.renderers:{name}", "needs the library that draws it")
        for name in ("BoxRenderer", "FrameProfilingRenderer", "ImageRenderer", "TableRenderer")
    },
}
"""The rows of each module."""

MODULES["flytekitplugins.duckdb.task"] = MODULES["flytekitplugins.duckdb"]
MODULES["flytekitplugins.kfmpi.task"] = MODULES["flytekitplugins.kfmpi"]
MODULES["flytekitplugins.ray.task"] = MODULES["flytekitplugins.ray"]
MODULES["flytekitplugins.spark.task"] = MODULES["flytekitplugins.spark"]
MODULES["flytekitplugins.deck.renderer"]["MarkdownRenderer"] = same("alula:MarkdownRenderer")
MODULES["flytekitplugins.deck.renderer"]["SourceCodeRenderer"] = same("alula:SourceCodeRenderer")
MODULES["flytekitplugins.deck.renderer"]["PythonDependencyRenderer"] = same("alula:PythonDependencyRenderer")
MODULES["flytekitplugins.deck"] = MODULES["flytekitplugins.deck.renderer"]

MISSING_MODULES: dict[str, Row] = {
    f"flytekitplugins.{name}": missing(why, instead)
    for why, instead, names in (
        (
            "there is no plugin for it yet",
            "Call its library in a task.",
            (
                *(
                    "airflow",
                    "async_fsspec",
                    "athena",
                    "awsbatch",
                    "awssagemaker_inference",
                    "comet_ml",
                    "dask",
                    "dbt",
                    "dolt",
                ),
                *(
                    "envd",
                    "flyteinteractive",
                    "geopandas",
                    "great_expectations",
                    "hive",
                    "huggingface",
                    "hydra",
                    "identity_aware_proxy",
                ),
                *(
                    "inference",
                    "k8sdataservice",
                    "kfpytorch",
                    "kftensorflow",
                    "kubeflow",
                    "mlflow",
                    "memray",
                    "mmcloud",
                    "modin",
                ),
                *(
                    "neptune",
                    "omegaconf",
                    "onnxpytorch",
                    "onnxscikitlearn",
                    "onnxtensorflow",
                    "openai",
                    "optuna",
                ),
                *(
                    "perian_job",
                    "polars",
                    "pydantic",
                    "pytorch",
                    "slurm",
                    "snowflake",
                    "sqlalchemy",
                    "vaex",
                    "wandb",
                    "whylogs",
                ),
            ),
        ),
    )
    for name in names
}
"""Modules that are missing as a whole."""
