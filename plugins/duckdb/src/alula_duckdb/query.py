"""`DuckDBQuery`: a task that runs SQL on DuckDB."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import alula
from alula_kernel.errors import AlulaError, CompileError
from alula_kernel.types import BlobOf, DatasetOf, LiteralType, UnionOf

from .connections import DuckDBProvider, Provider, check_settings, connect
from .errors import QueryFailedError
from .parameters import Bound, ParameterPlan, bind, check_inputs, plan_parameters
from .statements import Statement, parse
from .tables import Tables
from .worker import Worker

if TYPE_CHECKING:
    import duckdb

    from alula_kernel.storage import Storage

    from .filesystem import StorageFileSystem

_QUERY_INPUT = "query"
_ROWS_OF_A_BATCH = 8_192


class DuckDBQuery(alula.DeclaredTask):
    """Runs one or several queries; the last one's rows are the output ``result``.

    Inputs that are data frames, files or directories are views of their names, read where they lie. Every other input is
    the value of the parameter ``$name``; the values of parameters written ``?`` come from one input that lists them. Values
    are bound, never pasted. An input named ``query`` gives the queries at run time.

    The result is written to storage while it is computed, so it may be larger than the memory::

        top = DuckDBQuery(
            name="top",
            query="SELECT * FROM sales WHERE amount >= $least ORDER BY amount DESC LIMIT 10",
            inputs={"sales": alula.DataFrame, "least": float},
            memory_limit="512MB",
        )

    Args:
        name: Its name.
        query: A query, or several, each of one or more statements; None if there is an input ``query``.
        inputs: Python type of each input, or a pair of the type and the default.
        provider: Where the queries run, or a function that opens a connection, which the task closes.
        output_type: Type of the result: `alula.DataFrame`, a data frame of any library, or one of these ``Annotated`` with
            columns and a format.
        memory_limit: Most memory that DuckDB uses, as ``"512MB"``; what does not fit goes to `temp_directory`. None for
            DuckDB's default, most of the machine's memory.
        threads: Threads that DuckDB uses; None for one per core.
        temp_directory: Where DuckDB puts what does not fit into memory; None for a folder of the attempt, removed when it
            ends.
        options: Other settings of DuckDB by name, as ``{"preserve_insertion_order": False}``.
        settings: Settings of the task, as `alula.task` takes them: ``cache``, ``retries``, ``timeout`` ...

    Raises:
        UsageError: A setting is unknown or wrong, or there is neither `query` nor an input for it. A query that cannot be
            read, or parameters without inputs, are told when the task is first used or compiled into a workflow.
    """

    task_type = "duckdb"

    def __init__(
        self,
        name: str,
        query: str | Sequence[str] | None = None,
        inputs: Mapping[str, Any] | None = None,
        provider: Provider = DuckDBProvider.LOCAL,
        *,
        output_type: Any = alula.DataFrame,
        memory_limit: str | None = None,
        threads: int | None = None,
        temp_directory: str | None = None,
        options: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(name, inputs=inputs, outputs={"result": output_type}, settings=settings)
        self._queries = [query] if isinstance(query, str) else list(query or ())
        self._provider = provider
        self._temp_directory = temp_directory
        given = {"memory_limit": memory_limit, "threads": threads, "temp_directory": temp_directory, **(options or {})}
        self._options = {key: value for key, value in given.items() if value is not None}
        check_settings(self._options)
        if not self._queries and _QUERY_INPUT not in self.python_interface.inputs:
            raise CompileError(
                f"{self.title} has no query",
                hint="Give it query=..., or an input named 'query'.",
                location=self.location,
            )
        if not callable(provider) and not isinstance(provider, DuckDBProvider):
            raise CompileError(
                f"the provider of {self.title} must be a DuckDBProvider or a function, found {provider!r}",
                location=self.location,
            )

    # --- when it is compiled ---

    def source(self) -> str:
        """Return the queries and where they run."""
        provider = self._provider
        where = provider.value if isinstance(provider, DuckDBProvider) else getattr(provider, "__qualname__", "")
        return "\0".join([where, *self._queries])

    def custom(self, app: alula.App) -> dict[str, Any]:
        """Return the queries, for whoever looks at the spec."""
        return {"queries": list(self._queries)}

    def validate(self, app: alula.App) -> None:
        """Check the queries with DuckDB's parser, their parameters, and the type of the output.

        Raises:
            CompileError: Something is wrong with them; the message says which query.
        """
        types = {name: variable.type for name, variable in self.compiled(app).interface.inputs.items()}
        result = self.compiled(app).interface.outputs["result"].type
        if not isinstance(result, DatasetOf):
            raise CompileError(
                f"output_type of {self.title} must be a data frame type, found {self.python_interface.outputs['result']!r}",
                hint="Use alula.DataFrame, pandas.DataFrame, polars.DataFrame or pyarrow.Table.",
            )
        if _QUERY_INPUT in types:
            return  # what it will be is known when it runs
        import duckdb

        with contextlib.closing(duckdb.connect(":memory:")) as connection:
            self._plan(parse(connection, self._queries), types)

    def _plan(self, statements: Sequence[Statement], types: Mapping[str, LiteralType]) -> ParameterPlan:
        tables = [name for name, type_ in types.items() if _is_table(type_)]
        values = {name: type_ for name, type_ in types.items() if name not in tables and name != _QUERY_INPUT}
        return plan_parameters(statements, values, tables)

    # --- when it runs ---

    def execute(self, **inputs: Any) -> alula.DataFrame:
        """Run the queries.

        Returns:
            The result, as a stream that is read while it is stored.

        Raises:
            QueryFailedError: DuckDB could not run a query.
            UsageError: The inputs do not fit the queries.
        """
        from .filesystem import StorageFileSystem

        context = alula.current_context()
        types = {name: variable.type for name, variable in self.compiled(context.app).interface.inputs.items()}
        queries = self._queries
        if (given := inputs.pop(_QUERY_INPUT, None)) is not None:
            check_inputs(given)
            queries = [given] if isinstance(given, str) else list(given)
        with contextlib.ExitStack() as resources:
            settings = dict(self._options)
            settings.setdefault("temp_directory", f"{context.working_directory}/duckdb")
            files = StorageFileSystem(context.app.storage, f"{context.working_directory}/duckdb-inputs")
            run = _Run(resources, connect(self._provider, settings), context.app.storage, files)
            statements = parse(run.connection, queries)
            plan = self._plan(statements, types)
            named = {parameter for statement in statements for parameter in statement.named}
            tables = [name for name, value in inputs.items() if _is_table(types[name]) and value is not None]
            for name in tables:
                inputs[name] = run.tables.add(name, inputs[name], needs_view=name.lower() not in named)
            return alula.DataFrame(run.rows(statements, bind(statements, plan, inputs)))


class _Run:
    """One run of a task's queries.

    Args:
        resources: What is released at the end.
        connection: Where the queries run.
        storage: Where files are read.
        files: How DuckDB reads them.
    """

    def __init__(
        self,
        resources: contextlib.ExitStack,
        connection: duckdb.DuckDBPyConnection,
        storage: Storage,
        files: StorageFileSystem,
    ) -> None:
        self._resources = resources
        self._worker = Worker(connection)
        self.connection = connection
        connection.register_filesystem(files)
        resources.callback(files.close)
        resources.callback(connection.close)
        resources.callback(self._worker.close)
        self.tables = Tables(connection, storage, files)

    def rows(self, statements: Sequence[Statement], parameters: Sequence[Sequence[Bound]]) -> Any:
        """Run every statement and return the rows of the last one as a ``pyarrow.RecordBatchReader``."""
        import pyarrow as pa

        for statement, runs in zip(statements[:-1], parameters[:-1], strict=True):
            with _blaming(statement):
                self._worker.call(lambda: self._run_for_effect(statement, runs))  # noqa: B023 - it is called at once
        last = statements[-1]
        with _blaming(last):
            reader = self._worker.call(lambda: self._reader(last, parameters[-1]))
        resources = self._resources.pop_all()

        def batches() -> Iterator[Any]:
            with resources, _blaming(last):
                while (batch := self._worker.call(lambda: next(reader, None))) is not None:
                    yield batch

        return pa.RecordBatchReader.from_batches(reader.schema, batches())

    def _run_for_effect(self, statement: Statement, runs: Sequence[Bound]) -> None:
        if len(runs) > 1:
            self.connection.executemany(statement.parsed, runs)
            return
        for parameters in runs:
            result = self._execute(statement, parameters)
            while result.fetchmany(_ROWS_OF_A_BATCH):
                pass  # rows that nobody wants; asking for all of them would keep them in memory

    def _execute(self, statement: Statement, parameters: Bound) -> duckdb.DuckDBPyConnection:
        if parameters is None:
            return self.connection.execute(statement.parsed)
        return self.connection.execute(statement.parsed, parameters)

    def _reader(self, statement: Statement, runs: Sequence[Bound]) -> Any:
        """Return the rows of a statement as they are computed.

        DuckDB 1 streams what `execute` gives and keeps in memory what `sql` with parameters gives; in DuckDB 2 it is the
        other way round.
        """
        import duckdb

        *before, parameters = runs or [None]
        for earlier in before:
            self._run_for_effect(statement, [earlier])
        result: Any
        if int(duckdb.__version__.partition(".")[0]) >= 2:
            result = self.connection.sql(statement.text, params=parameters)
        else:
            result = self._execute(statement, parameters)
        read = getattr(result, "to_arrow_reader", None) or result.fetch_record_batch
        return read(_ROWS_OF_A_BATCH)


@contextlib.contextmanager
def _blaming(statement: Statement) -> Iterator[None]:
    """Turn what DuckDB says about a statement into our error.

    Raises:
        QueryFailedError: The statement failed.
    """
    import duckdb
    import pyarrow as pa

    try:
        yield
    except AlulaError:
        raise
    # While rows are streamed, DuckDB's errors come as those of Arrow, one of which is an OSError.
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise QueryFailedError(str(error), query=statement.text, number=statement.number) from error


def _is_table(literal_type: LiteralType) -> bool:
    if isinstance(literal_type, UnionOf):
        return any(_is_table(variant) for variant in literal_type.variants)
    return isinstance(literal_type, (BlobOf, DatasetOf))
