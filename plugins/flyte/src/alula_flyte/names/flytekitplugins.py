"""The tables of ``flytekitplugins``."""

from __future__ import annotations

from ..rows import Row, Table, adapted, missing, same

_LATER = "there is no plugin for it yet"
_NO_CONNECTOR = "jobs are submitted and watched by the engine, without a service in between"
_OWN_JOBS = "Install alula-bigquery where the engine runs."


def _run_here(kind: str, **names: str) -> Table:
    """Rows of configs of a service's jobs, whose functions run here as they are."""
    return {
        name: adapted(f"alula_flyte.flyte1.job_configs:{made}", f"its task runs on this machine, without {kind}")
        for name, made in names.items()
    }


def _same_names(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _dbt(*names: str) -> Table:
    return {
        name: adapted(f"alula_flyte.flyte1.dbt_commands:{name}", "needs dbt and the adapter of the database")
        for name in names
    }


_TRAINING = _same_names("CleanPodPolicy", "RestartPolicy", "RunPolicy")
_EDITORS = {
    **{
        name: adapted(f"alula_flyte.flyte1.interactive:{name}", "there is no editor on this machine's runs")
        for name in (
            *("CODE_TOGETHER_CONFIG", "CODE_TOGETHER_EXTENSION", "COPILOT_CONFIG", "COPILOT_EXTENSION"),
            *("VIM_CONFIG", "VIM_EXTENSION", "VscodeConfig"),
        )
    },
    **{
        name: adapted("alula_flyte.flyte1.interactive:as_it_is", "the task runs as it is, as in Flyte's local runs")
        for name in ("jupyter", "vscode")
    },
}

MODULES: dict[str, Table] = {
    "flytekitplugins": {},
    "flytekitplugins.awsbatch": _run_here("AWS Batch", **_same_names("AWSBatchConfig")),
    "flytekitplugins.dask": _run_here(
        "a cluster of its own", Dask="Dask", Scheduler="DaskScheduler", WorkerGroup="DaskWorkerGroup"
    ),
    "flytekitplugins.flyteinteractive": _EDITORS,
    "flytekitplugins.kfpytorch": {
        **_run_here("the other replicas", **_TRAINING, **_same_names("Master", "PyTorch", "Worker")),
        "Elastic": missing(_LATER, "Start torchrun in a ShellTask.", when_called=True),
    },
    "flytekitplugins.kftensorflow": _run_here(
        "the other replicas",
        **_TRAINING,
        **_same_names("TfJob", "Worker"),
        **dict.fromkeys(("Chief", "Evaluator", "PS"), "Worker"),
    ),
    "flytekitplugins.memray": {
        "memray_profiling": adapted("alula_flyte.flyte1.profiling:memray_profiling", "needs memray"),
    },
    "flytekitplugins.mmcloud": _run_here("Memory Machine Cloud", **_same_names("MMCloudConfig")),
    "flytekitplugins.modin": {},
    "flytekitplugins.onnxscikitlearn": {
        name: adapted(f"alula_flyte.onnx_models:{name}", "needs skl2onnx")
        for name in ("ScikitLearn2ONNX", "ScikitLearn2ONNXConfig")
    },
    "flytekitplugins.perian_job": _run_here("Perian", **_same_names("PerianConfig")),
    "flytekitplugins.duckdb": {
        "DuckDBQuery": adapted("alula_duckdb:DuckDBQuery", "MotherDuck's token comes from the environment"),
        "DuckDBProvider": same("alula_duckdb:DuckDBProvider"),
    },
    "flytekitplugins.duckdb.task": {
        "MissingSecretError": missing("MotherDuck's token comes from the environment", when_called=True),
    },
    "flytekitplugins.omegaconf": {
        name: adapted(
            f"alula_flyte.flyte1.configurations:{name}",
            "configurations are pickled, which keeps the dataclasses behind them",
        )
        for name in (
            *("OmegaConfTransformerMode", "get_transformer_mode", "local_transformer_mode", "set_transformer_mode"),
        )
    },
    "flytekitplugins.polars": {
        name: missing("Alula handles these data frames by itself", when_called=True)
        for name in ("ParquetToPolarsDataFrameDecodingHandler", "PolarsDataFrameToParquetEncodingHandler")
    },
    "flytekitplugins.ray": {
        **{
            name: adapted(f"alula_ray:{name}", "a pod_template is plain data")
            for name in ("HeadNodeConfig", "RayJobConfig", "WorkerNodeConfig")
        },
        "AutoscalerOptionsConfig": adapted(
            "alula_flyte.flyte1.autoscaling:AutoscalerOptionsConfig", "plain data, as RayJobConfig takes it"
        ),
    },
    "flytekitplugins.kfmpi": {
        **{
            name: same(f"alula_mpi:{name}")
            for name in ("CleanPodPolicy", "Launcher", "MPIJob", "RestartPolicy", "RunPolicy", "Worker")
        },
        "HorovodJob": missing(_LATER, "Run horovodrun in a ShellTask, or use MPIJob.", when_called=True),
    },
    "flytekitplugins.spark": {
        "Spark": adapted(
            "alula_flyte.flyte1.spark:Spark",
            "on this machine the job has all of it, and the Python that is there",
            own="alula_spark:Spark",
        ),
        "new_spark_session": adapted(
            "alula_flyte.flyte1.spark:new_spark_session", "ends with the attempt that asked for it"
        ),
        **{
            name: adapted(f"alula_flyte.flyte1.spark:{name}", "runs with Spark on this machine; notebooks are refused")
            for name in ("Databricks", "DatabricksV2")
        },
        "DatabricksConnector": missing(_NO_CONNECTOR, when_called=True),
        **{
            name: missing(_LATER, "Run spark-submit in a ShellTask.", when_called=True)
            for name in ("GenericSparkConf", "GenericSparkTask")
        },
        **{
            name: missing("alula-spark handles Spark's data frames and models by itself", when_called=True)
            for name in (
                "ParquetToSparkDecodingHandler",
                "PySparkPipelineModelTransformer",
                "SparkDataFrameSchemaReader",
                "SparkDataFrameSchemaWriter",
                "SparkDataFrameTransformer",
                "SparkToParquetEncodingHandler",
            )
        },
    },
    "flytekitplugins.bigquery": {
        "BigQueryConfig": adapted(
            "alula_flyte.flyte1.bigquery:BigQueryConfig",
            "all of QueryJobConfig counts",
            own="alula_bigquery:BigQueryConfig",
        ),
        "BigQueryTask": adapted(
            "alula_flyte.flyte1.bigquery:BigQueryTask",
            "rows without a destination are stored by Alula, which keeps them longer than a day",
            own="alula_bigquery:BigQueryTask",
        ),
        "BigQueryConnector": missing(_NO_CONNECTOR, _OWN_JOBS, when_called=True),
    },
    "flytekitplugins.pandera": {
        "ValidationConfig": adapted(
            "alula_flyte.schemas_of_frames:ValidationConfig",
            "frames of pandas, polars and Spark are checked; without a report",
        ),
    },
    "flytekitplugins.papermill": {
        "NotebookTask": adapted(
            "alula_flyte.flyte1.notebooks:NotebookTask",
            "the notebook works in its own folder; without task_config",
            own="alula_papermill:NotebookTask",
        ),
        "record_outputs": same("alula_papermill:record_outputs"),
        **{
            name: adapted(
                f"alula_flyte.flyte1.notebooks:{name}", "inputs are objects already; a path or URI becomes one"
            )
            for name in ("load_flytedirectory", "load_flytefile", "load_structureddataset")
        },
    },
    "flytekitplugins.sqlalchemy": {
        "SQLAlchemyConfig": adapted("alula_flyte.flyte1.sql_databases:SQLAlchemyConfig", "plain data"),
        "SQLAlchemyTask": adapted(
            "alula_flyte.flyte1.sql_databases:SQLAlchemyTask",
            "inputs are bound by the database, and cannot stand for names of tables; needs sqlalchemy and the driver",
        ),
    },
    "flytekitplugins.dbt": {},
    "flytekitplugins.dbt.error": _dbt("DBTHandledError", "DBTUnhandledError"),
    "flytekitplugins.dbt.schema": _dbt(
        *("BaseDBTInput", "BaseDBTOutput", "DBTFreshnessInput", "DBTFreshnessOutput"),
        *("DBTRunInput", "DBTRunOutput", "DBTTestInput", "DBTTestOutput"),
    ),
    "flytekitplugins.dbt.task": _dbt("DBTFreshness", "DBTRun", "DBTTest"),
    "flytekitplugins.pod": {"Pod": adapted("alula_flyte.pods:Pod", "its task runs on this machine, without the pod")},
    "flytekitplugins.whylogs.renderer": {
        name: adapted(f"alula_flyte.whylogs_profiles:{name}", "needs whylogs[viz]")
        for name in ("WhylogsConstraintsRenderer", "WhylogsSummaryDriftRenderer")
    },
    "flytekitplugins.whylogs.schema": {
        "WhylogsDatasetProfileTransformer": adapted(
            "alula_flyte.whylogs_profiles:WhylogsDatasetProfileTransformer", "registered already; needs whylogs[viz]"
        ),
    },
    "flytekitplugins.deck": {},
    "flytekitplugins.deck.renderer": {
        name: adapted(f"alula_flyte.flyte1.renderers:{name}", "needs the library that draws it")
        for name in ("BoxRenderer", "FrameProfilingRenderer", "GanttChartRenderer", "ImageRenderer", "TableRenderer")
    },
}
"""The rows of each module."""

MODULES["flytekitplugins.polars.sd_transformers"] = {
    **MODULES["flytekitplugins.polars"],
    "PolarsDataFrameRenderer": adapted("alula_flyte.flyte1.renderers:PolarsDataFrameRenderer", "shows statistics"),
}
MODULES["flytekitplugins.duckdb.task"].update(MODULES["flytekitplugins.duckdb"])
MODULES["flytekitplugins.omegaconf.config"] = MODULES["flytekitplugins.omegaconf"]
MODULES["flytekitplugins.kfmpi.task"] = MODULES["flytekitplugins.kfmpi"]
MODULES["flytekitplugins.bigquery.connector"] = MODULES["flytekitplugins.bigquery"]
MODULES["flytekitplugins.bigquery.task"] = MODULES["flytekitplugins.bigquery"]
MODULES["flytekitplugins.dbt"] = {**MODULES["flytekitplugins.dbt.task"], **MODULES["flytekitplugins.dbt.schema"]}
MODULES["flytekitplugins.sqlalchemy.task"] = MODULES["flytekitplugins.sqlalchemy"]
MODULES["flytekitplugins.papermill.task"] = MODULES["flytekitplugins.papermill"]
MODULES["flytekitplugins.ray.task"] = MODULES["flytekitplugins.ray"]
for _name in ("connector", "generic_task", "pyspark_transformers", "schema", "sd_transformers", "task"):
    MODULES[f"flytekitplugins.spark.{_name}"] = MODULES["flytekitplugins.spark"]
MODULES["flytekitplugins.whylogs"] = {
    **MODULES["flytekitplugins.whylogs.renderer"],
    **MODULES["flytekitplugins.whylogs.schema"],
}
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
                    "awssagemaker_inference",
                    "comet_ml",
                    "dolt",
                ),
                *(
                    "envd",
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
                    "kubeflow",
                    "mlflow",
                ),
                *(
                    "neptune",
                    "onnxpytorch",
                    "onnxtensorflow",
                    "openai",
                    "optuna",
                ),
                *(
                    "pydantic",
                    "pytorch",
                    "slurm",
                    "snowflake",
                    "vaex",
                    "wandb",
                ),
            ),
        ),
    )
    for name in names
}
"""Modules that are missing as a whole."""
