"""``flytekitplugins.papermill``: notebooks as tasks, with the parameters of Flyte 1."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import alula
import alula_papermill


class NotebookTask(alula_papermill.NotebookTask):
    """A notebook as a task, as `alula_papermill.NotebookTask`, with Flyte's names and defaults.

    Args:
        name: Its name.
        notebook_path: Path of the notebook; a relative one is seen from here, or from the folder of the program.
        render_deck: Whether the executed notebook is the task's report.
        stream_logs: Whether what cells print is printed by the task.
        task_config: Not accepted.
        inputs: Python type of each input.
        outputs: Python type of each output that the notebook records.
        output_notebooks: Whether the executed notebook and its rendering are outputs.
        settings: Settings of the task.

    Raises:
        NotImplementedError: There is a `task_config`.
    """

    def __init__(
        self,
        name: str,
        notebook_path: str,
        render_deck: bool = False,
        stream_logs: bool = False,
        task_config: Any = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        output_notebooks: bool | None = True,
        **settings: Any,
    ) -> None:
        refuse_config(task_config, "task_config")
        deck = settings.pop("enable_deck", None) or settings.pop("disable_deck", None) is False
        settings.pop("disable_deck", None)
        super().__init__(
            name,
            existing(notebook_path),
            inputs,
            outputs,
            output_notebooks=bool(output_notebooks),
            log_output=stream_logs,
            report=render_deck or deck,
            **settings,
        )


def refuse_config(config: Any, parameter: str) -> None:
    """Refuse the config of another plugin for a notebook.

    Raises:
        NotImplementedError: There is one.
    """
    if config is not None:
        raise NotImplementedError(
            f"Alula runs notebooks as tasks of Python, without {parameter}={type(config).__name__}(...)\n"
            f"  Leave {parameter} out, and make the session or cluster in a cell"
        )


def existing(path: str) -> str:
    """Return a path as Flyte sees it, from the working directory, if that is there; else as it was given."""
    return os.path.abspath(path) if os.path.exists(path) else path


def load_flytefile(path: Any) -> Any:
    """Return a file: what the notebook was given is one already; a path becomes one."""
    return alula.File(path) if isinstance(path, str) else path


def load_flytedirectory(path: Any) -> Any:
    """Return a directory: what the notebook was given is one already; a path becomes one."""
    return alula.Directory(path) if isinstance(path, str) else path


def load_structureddataset(path: Any) -> Any:
    """Return a data frame: what the notebook was given is one already; a URI becomes one."""
    return alula.StructuredDataset(uri=path) if isinstance(path, str) else path
