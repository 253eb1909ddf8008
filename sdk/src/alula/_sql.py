"""Tasks that run a SQL query."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Mapping
from typing import IO, Any, ClassVar

from alula_kernel.errors import UnknownNameError, UsageError

from ._interface import PythonInterface
from ._settings_of import task_settings
from ._state import call_site
from ._task import Task

_PLACEHOLDER = re.compile(r"\{\{\s*\.?[iI]nputs\.([A-Za-z_]\w*)\s*\}\}")


class SQLTask(Task):
    """Base of tasks that run a query. ``{{ .inputs.x }}`` in it stands for an input, which is bound and never pasted.

    Subclasses define `run_query`.

    Args:
        name: Its name.
        query_template: The query.
        task_config: Config of the database.
        task_type: Value of `TaskSpec.type`.
        inputs: Python type of each input, or (type, default).
        metadata: Settings of the task in one object.
        outputs: Python type of each output.
        settings: Settings of the task, as `alula.task` takes them.

    Attributes:
        takes_unused_inputs: Whether inputs need not be in the query.

    Raises:
        UsageError: The query names an unknown input, or an input is not used.
    """

    takes_unused_inputs: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        query_template: str,
        task_config: Any = None,
        task_type: str = "sql",
        inputs: Mapping[str, Any] | None = None,
        metadata: Any = None,
        outputs: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        location = call_site()
        if metadata is not None:
            settings["metadata"] = metadata
        types = {n: t[0] if isinstance(t, tuple) else t for n, t in (inputs or {}).items()}
        defaults = {n: t[1] for n, t in (inputs or {}).items() if isinstance(t, tuple)}
        interface = PythonInterface(types, defaults, dict(outputs or {}))
        super().__init__(name, interface, task_settings(settings, location), task_config)
        self.task_type = task_type
        self.query_template = query_template
        self._location = location
        named = _PLACEHOLDER.findall(query_template)
        for key in named:
            if key not in types:
                raise UnknownNameError.among(f"input in the query of {name!r}", key, types, location=location)
        unused = [key for key in types if key not in named]
        if unused and not self.takes_unused_inputs:
            raise UsageError(
                f"input {unused[0]!r} of SQL task {name!r} is not in its query",
                hint=f"Write {{{{ .inputs.{unused[0]} }}}} in the query, or remove the input.",
                location=location,
            )

    @property
    def location(self) -> str:
        return self._location

    def source(self) -> str:
        return self.query_template

    def bound_query(self, placeholder: str = "?") -> tuple[str, list[str]]:
        """Return the query with a database's placeholders, and the names of the inputs that they stand for, in order.

        Args:
            placeholder: The placeholder of the database; ``{name}`` in it is replaced by the input's name.
        """
        names = _PLACEHOLDER.findall(self.query_template)
        return _PLACEHOLDER.sub(lambda m: placeholder.replace("{name}", m.group(1)), self.query_template), names

    def run_query(self, query: str, parameters: list[Any]) -> Any:
        """Run a query with positional parameters and return the output."""
        raise UsageError(
            f"{self.title} does not say how its query is run", hint="Subclass SQLTask and define run_query."
        )

    def execute(self, **inputs: Any) -> Any:
        query, names = self.bound_query()
        return self.run_query(query, [inputs[name] for name in names])


class SQLite3Config:
    """Where a SQLite database is.

    Args:
        uri: Path or URI of the database file.
        compressed: Whether that is a zip or tar archive with the database file and nothing else in it.
    """

    def __init__(self, uri: str, compressed: bool = False) -> None:
        self.uri = uri
        self.compressed = compressed


class SQLite3Task(SQLTask):
    """Runs a query on a SQLite database file and returns its rows as a data frame.

    Args:
        name: Its name.
        query_template: The query.
        inputs: Python type of each input.
        task_config: The database.
        output_schema_type: Type of the result; `alula.DataFrame` if not given.
        settings: Settings of the task, as `alula.task` takes them.
    """

    def __init__(
        self,
        name: str,
        query_template: str,
        inputs: Mapping[str, Any] | None = None,
        task_config: SQLite3Config | None = None,
        output_schema_type: Any = None,
        **settings: Any,
    ) -> None:
        from ._data.dataframe import DataFrame

        if task_config is None:
            raise UsageError(f"SQLite3Task {name!r} needs task_config=SQLite3Config(uri)", location=call_site())
        super().__init__(
            name,
            query_template,
            task_config,
            "sql",
            inputs,
            outputs={"results": output_schema_type or DataFrame},
            **settings,
        )

    def run_query(self, query: str, parameters: list[Any]) -> Any:
        import sqlite3

        import pyarrow as pa

        from ._app import current_app
        from ._leftovers import working_folder

        storage = current_app().storage
        with working_folder() as folder:
            uri = storage.uri(self.config.uri)
            path = storage.local_path(uri)
            if path is None:
                path = f"{folder}/downloaded"
                storage.download(uri, path)
            if self.config.compressed:
                path = _unpacked(path, f"{folder}/database", uri)
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                cursor = connection.execute(query, parameters)
                columns = [column[0] for column in cursor.description or ()]
                rows = cursor.fetchall()
        table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(columns)})
        return (
            current_app()
            .registry.converter(self.python_interface.outputs["results"])
            .to_python(
                current_app().registry.converter(pa.Table).to_literal(table, current_app().conversion),
                current_app().conversion,
            )
        )


def _unpacked(archive: str, target: str, uri: str) -> str:
    """Copy the only file of an archive to a path, whatever its name in the archive is.

    Raises:
        UsageError: It is no archive, or does not have one file.
    """
    import shutil
    import tarfile
    import zipfile

    openers: list[Callable[[], IO[bytes] | None]]
    with contextlib.ExitStack() as stack:
        if zipfile.is_zipfile(archive):
            zipped = stack.enter_context(zipfile.ZipFile(archive))
            openers = [functools.partial(zipped.open, entry) for entry in zipped.infolist() if not entry.is_dir()]
        elif tarfile.is_tarfile(archive):
            tarred = stack.enter_context(tarfile.open(archive))
            openers = [functools.partial(tarred.extractfile, entry) for entry in tarred if entry.isfile()]
        else:
            raise UsageError(f"{uri} is no zip or tar archive", hint="Leave out compressed=True.")
        if len(openers) != 1:
            raise UsageError(f"expected one file in {uri}, found {len(openers)}", hint="Pack the database file alone.")
        source = openers[0]()
        assert source is not None  # it is a file, and not a link
        with source, open(target, "wb") as file:
            shutil.copyfileobj(source, file)
    return target
