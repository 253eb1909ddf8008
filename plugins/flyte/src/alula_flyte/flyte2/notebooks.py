"""``flyteplugins.papermill``: notebooks as tasks, with the parameters of Flyte 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import alula
import alula_papermill
from alula_kernel.contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from alula_kernel.literals import Literal

from ..flyte1.notebooks import existing, refuse_config


class _CutNumbers(Converter[int]):
    """Converts integers, and numbers with a fraction without it.

    Args:
        integers: What converts integers.
    """

    def __init__(self, integers: Converter[int]) -> None:
        self._integers = integers
        self.python_type = integers.python_type
        self.literal_type = integers.literal_type

    def to_literal(self, value: int, context: ConversionContext) -> Literal:
        return self._integers.to_literal(int(value) if isinstance(value, float) else value, context)

    def to_python(self, literal: Literal, context: ConversionContext) -> int:
        return self._integers.to_python(literal, context)


class _CutsNumbers(TypeTransformer):
    """Makes the converter of outputs that are integers: Flyte takes any number that a notebook records for one."""

    name = "flyte-cut-numbers"

    def converter(self, request: TypeRequest) -> Converter[Any]:
        return _CutNumbers(request.registry.converter(int))


class NotebookTask(alula_papermill.NotebookTask):
    """A notebook as a task, as `alula_papermill.NotebookTask`, with Flyte's names and defaults; it always has a report.

    Args:
        name: Its name.
        notebook_path: Path of the notebook; a relative one is seen from here, or from the folder of the program.
        task_environment: The environment that it belongs to.
        plugin_config: Not accepted.
        inputs: Python type of each input.
        outputs: Python type of each output that the notebook records.
        engine_name: Not accepted.
        progress_bar: Whether papermill shows its progress on stderr.
        request_save_on_cell_execute: Not looked at: the notebook is saved after every cell.
        settings: What `alula_papermill.NotebookTask` takes.

    Raises:
        NotImplementedError: There is a `plugin_config` or an `engine_name`.
    """

    notebook_outputs: ClassVar[Mapping[str, tuple[Any, str]]] = {
        "output_notebook": (alula.File, "source"),
        "output_notebook_executed": (alula.File, "executed"),
    }

    def __init__(
        self,
        *,
        name: str,
        notebook_path: str,
        task_environment: Any = None,
        plugin_config: Any = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        engine_name: str | None = None,
        progress_bar: bool = True,
        request_save_on_cell_execute: bool = True,
        **settings: Any,
    ) -> None:
        refuse_config(plugin_config, "plugin_config")
        if engine_name is not None:
            raise NotImplementedError(
                f"Alula runs notebooks with papermill's own engine, not {engine_name!r}\n  Leave engine_name out"
            )
        super().__init__(
            name,
            existing(notebook_path),
            inputs,
            {name: Annotated[int, _CutsNumbers()] if kind is int else kind for name, kind in (outputs or {}).items()},
            progress_bar=progress_bar,
            task_environment=task_environment,
            report=True,
            **settings,
        )


def load_file(path: Any) -> Any:
    """Return a file: what the notebook was given is one already; a path becomes one."""
    return alula.File(path) if isinstance(path, str) else path


def load_dir(path: Any) -> Any:
    """Return a directory: what the notebook was given is one already; a path becomes one."""
    return alula.Directory(path) if isinstance(path, str) else path


def load_dataframe(uri: Any, fmt: str = "parquet") -> Any:
    """Return a data frame: what the notebook was given is one already; a URI becomes one."""
    return alula.DataFrame(uri=uri, format=fmt) if isinstance(uri, str) else uri
