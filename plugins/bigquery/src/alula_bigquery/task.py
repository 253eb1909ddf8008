"""`BigQueryTask`: a query whose attempts are jobs of BigQuery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import alula
from alula_kernel.errors import CompileError, UnknownNameError, UnsupportedTypeError, UsageError
from alula_kernel.types import DatasetOf

from .config import BigQueryConfig
from .parameters import check_parameter
from .sql import parameters_of, template_inputs


class BigQueryTask(alula.DeclaredTask):
    """Runs a query, or a script, as a job of BigQuery. Its rows are the output ``results``, if an `output_type` is given.

    Each input is the value of the parameter ``@name``, bound and never pasted. Rows that the job leaves in no table of the
    user's are stored by Alula, since BigQuery forgets them after a day; with a ``destination`` in the job's config the
    output is that table, and nothing is fetched until somebody reads it::

        top = BigQueryTask(
            name="top",
            query="SELECT name, SUM(number) AS total FROM `bigquery-public-data.usa_names.usa_1910_2013` "
            "WHERE state = @state GROUP BY name ORDER BY total DESC LIMIT 10",
            inputs={"state": str},
            task_config=BigQueryConfig(project="my-project", location="US"),
            output_type=pandas.DataFrame,
        )

    Args:
        name: Its name.
        query: The query, in GoogleSQL.
        inputs: Python type of each input, or a pair of the type and the default.
        task_config: Where and how the job runs; None for the settings of the environment.
        output_type: Type of the rows: `alula.DataFrame`, a data frame of any library, or one of these ``Annotated`` with
            columns and a format; None if the query is run for what it does.
        settings: Settings of the task, as `alula.task` takes them: ``cache``, ``retries``, ``timeout`` ...

    Raises:
        UsageError: A setting is unknown or wrong. Parameters without inputs, and inputs without parameters, are told when
            the task is first used or compiled into a workflow.
    """

    task_type = "bigquery"
    takes_unused_inputs: ClassVar[bool] = False
    """Whether inputs that are in no query are taken for nothing instead of being refused."""

    def __init__(
        self,
        name: str,
        query: str,
        inputs: Mapping[str, Any] | None = None,
        task_config: BigQueryConfig | None = None,
        *,
        output_type: Any = None,
        **settings: Any,
    ) -> None:
        outputs = {} if output_type is None else {"results": output_type}
        super().__init__(
            name, inputs=inputs, outputs=outputs, config=task_config or BigQueryConfig(), settings=settings
        )
        self._query = query
        if not query.strip():
            raise CompileError(f"{self.title} has no query", hint="Give it query=...", location=self.location)

    def source(self) -> str:
        """Return the query and what the job's config says of its meaning."""
        job = self.config.job().get("query", {}) if isinstance(self.config, BigQueryConfig) else {}
        telling = {
            key: job[key] for key in sorted(job) if key in {"defaultDataset", "destinationTable", "queryParameters"}
        }
        return f"{self._query}\0{telling}" if telling else self._query

    def custom(self, app: alula.App) -> dict[str, Any]:
        """Return the query and the config, as the executor reads them.

        Raises:
            UsageError: The config is no `BigQueryConfig`.
        """
        if not isinstance(self.config, BigQueryConfig):
            raise UsageError(
                f"task_config of {self.title} must be a BigQueryConfig, found {type(self.config).__qualname__}",
                location=self.location,
            )
        return {"query": self._query, **self.config.to_custom()}

    def validate(self, app: alula.App) -> None:
        """Check the parameters and the types of inputs and output.

        Raises:
            CompileError: A parameter has no input, an input is no parameter, or the output is no data frame.
            UnsupportedTypeError: No parameter can have the type of an input.
        """
        interface = self.compiled(app).interface
        types = {name: variable.type for name, variable in interface.inputs.items()}
        for name, literal_type in types.items():
            try:
                check_parameter(name, literal_type)
            except UnsupportedTypeError as problem:
                raise UnsupportedTypeError(problem.message, hint=problem.hint, location=self.location) from None
        self._check_names(set(types))
        results = interface.outputs.get("results")
        if results is not None and not isinstance(results.type, DatasetOf):
            raise CompileError(
                f"output_type of {self.title} must be a data frame type, found {self.python_interface.outputs['results']!r}",
                hint="Use alula.DataFrame, pandas.DataFrame, polars.DataFrame or pyarrow.Table.",
                location=self.location,
            )

    def _check_names(self, inputs: set[str]) -> None:
        if pasted := template_inputs(self._query):
            raise CompileError(
                f"the query of {self.title} asks for the text of input {pasted[0]!r} in {{{{ .inputs.{pasted[0]} }}}}",
                hint=f"Values are bound, never pasted: write @{pasted[0]}, without quotes around it.",
                location=self.location,
            )
        job = self.config.job().get("query", {}) if isinstance(self.config, BigQueryConfig) else {}
        fixed = [given.get("name") for given in job.get("queryParameters", ())]
        if None in fixed:
            if inputs:
                raise CompileError(
                    f"job_config of {self.title} gives values for ?, so its inputs can be no parameters",
                    hint="Write @name in the query, and give job_config named parameters only.",
                    location=self.location,
                )
            return
        known = {name.lower(): name for name in [*filter(None, fixed), *inputs]}
        used = parameters_of(self._query)
        for name in used:
            if name.lower() not in known:
                found = UnknownNameError.among(f"parameter in the query of {self.title}:", f"@{name}", sorted(inputs))
                raise CompileError(
                    found.message, hint=f"{found.hint} Parameters are named like inputs.", location=self.location
                )
        unused = sorted(inputs - {known[name.lower()] for name in used})
        if unused and not self.takes_unused_inputs:
            raise CompileError(
                f"input {unused[0]!r} of {self.title} is not in its query",
                hint=f"Write @{unused[0]} in the query, or remove the input.",
                location=self.location,
            )
