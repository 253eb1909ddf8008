"""`NotebookTask`: a task that executes a Jupyter notebook."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import alula
from alula.file_types import HTMLPage, PythonNotebook
from alula_kernel.errors import CompileError
from alula_kernel.literals import Literal

from .errors import NotebookRefusedError
from .exchange import Exchange
from .source import NotebookSource, inject, language_of

if TYPE_CHECKING:
    from nbformat import NotebookNode

_NATIVE = (str, int, float, bool, type(None))


class NotebookTask(alula.DeclaredTask):
    """Executes a Jupyter notebook in a kernel of its own.

    The notebook finds the inputs under their names: they are set after the cell that is tagged ``parameters``, or at the top
    if there is none. It gives values to the outputs with `alula_papermill.record_outputs`::

        score = NotebookTask(
            name="score",
            notebook_path="score.ipynb",
            inputs={"data": pd.DataFrame, "threshold": (float, 0.5)},
            outputs={"accuracy": float},
            report=True,
        )

    Args:
        name: Its name.
        notebook_path: Path of the notebook; a relative one is seen from the folder of the file that makes the task.
        inputs: Python type of each input, or a pair of the type and the default.
        outputs: Python type of each output that the notebook records.
        output_notebooks: Whether the executed notebook and its rendering are the outputs ``out_nb`` and
            ``out_rendered_nb``.
        log_output: Whether what cells print is printed by the task, while they run.
        kernel_name: An installed Jupyter kernel; None for the Python that runs the task.
        language: The notebook's language if it does not say it itself.
        start_timeout: Seconds that the kernel may take to start.
        execution_timeout: Seconds that each cell may take; None for no limit. The whole has the task's ``timeout``.
        report_mode: Whether the rendering leaves out the sources of cells.
        progress_bar: Whether papermill shows its progress on stderr.
        engine_kwargs: Other arguments of papermill's engine, as ``{"autosave_cell_every": 5}``.
        settings: Settings of the task, as `alula.task` takes them: ``cache``, ``retries``, ``timeout``, ``report``,
            ``task_environment`` ...

    Raises:
        UsageError: A setting is unknown or wrong. What is wrong with the notebook is told when the task is first used or
            compiled into a workflow.
    """

    task_type = "notebook"
    notebook_outputs: ClassVar[Mapping[str, tuple[Any, str]]] = {
        "out_nb": (PythonNotebook, "executed"),
        "out_rendered_nb": (HTMLPage, "rendered"),
    }
    """Type of each output that `output_notebooks` adds, and which form of the notebook it is: also ``source``."""

    def __init__(
        self,
        name: str,
        notebook_path: str | os.PathLike[str],
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        *,
        output_notebooks: bool = False,
        log_output: bool = False,
        kernel_name: str | None = None,
        language: str | None = None,
        start_timeout: float = 60,
        execution_timeout: float | None = None,
        report_mode: bool = False,
        progress_bar: bool = False,
        engine_kwargs: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        added = self.notebook_outputs if output_notebooks else {}
        declared = {**(outputs or {}), **{name: kind for name, (kind, _) in added.items()}}
        super().__init__(name, inputs=inputs, outputs=declared, settings=settings)
        if taken := sorted(added.keys() & (outputs or {}).keys()):
            raise CompileError(
                f"{self.title} has an output {taken[0]!r} of its own, and output_notebooks adds one",
                hint="Call it otherwise, or leave output_notebooks out.",
                location=self.location,
            )
        self._added = {name: form for name, (_, form) in added.items()}
        self._notebook = NotebookSource(_beside(self.location, notebook_path))
        self._log_output = log_output
        self._kernel_name = kernel_name
        self._language = language
        self._report_mode = report_mode
        self._execution_timeout = execution_timeout
        self._options = {
            **(engine_kwargs or {}),
            "start_timeout": start_timeout,
            "progress_bar": progress_bar,
            "report_mode": report_mode,
        }

    @property
    def notebook_path(self) -> str:
        """Path of the notebook."""
        return self._notebook.path

    # --- when it is compiled ---

    def source(self) -> str:
        """Return what of the notebook decides what it does."""
        return self._notebook.content()

    def custom(self, app: alula.App) -> dict[str, Any]:
        """Return the name of the notebook, for whoever looks at the spec."""
        return {"notebook": os.path.basename(self._notebook.path)}

    def included_paths(self) -> Sequence[str]:
        """Return the notebook, which goes where the code goes."""
        return [self._notebook.path]

    def validate(self, app: alula.App) -> None:
        """Check that the notebook is there and is one.

        Raises:
            CompileError: It is not.
        """
        self._notebook.check()

    # --- when it runs ---

    def execute(self, **inputs: Any) -> Any:
        """Execute the notebook.

        Returns:
            The outputs.

        Raises:
            NotebookFailedError: A cell raised an exception or took too long, an output was not recorded, or the kernel died.
            UsageError: There is no such kernel, or an input cannot be handed to it.
        """
        from . import failures
        from .running import OWN_KERNEL, Kernels, execute, in_thread, locked

        context = alula.current_context()
        exchange = Exchange(os.path.join(context.working_directory, "notebook"))
        notebook = self._notebook.read()
        language = self._language or language_of(notebook)
        written = {name: value for name, value in inputs.items() if _is_native(value)}
        loaded = self._literals(context, inputs.keys() - written.keys())
        self._check_language(language, loaded)
        if inputs:
            inject(notebook, written, loaded, language)
        notebook.metadata.setdefault("kernelspec", {}).update(
            {"name": self._kernel_name or OWN_KERNEL, "language": language}
        )
        notebook.metadata["kernelspec"].setdefault("display_name", language)
        recorded = {name: kind for name, kind in self.python_interface.outputs.items() if name not in self._added}
        types = {name: self.python_interface.inputs[name] for name in loaded}
        folder = self._notebook.folder or context.working_directory
        exchange.describe(context.attempt, loaded, types, recorded, _search_path(self._notebook.folder))
        kernels = Kernels(exchange, context.app.settings.environment())
        options = {
            **self._options,
            "kernel_name": self._kernel_name or OWN_KERNEL,
            "language": language,
            "execution_timeout": self._execution_timeout,
        }
        try:
            with locked(exchange.file("lock")):
                in_thread(
                    lambda: execute(
                        notebook, exchange, kernels, folder=folder, log_output=self._log_output, options=options
                    ),
                    kernels.kill,
                )
        except Exception as problem:  # noqa: BLE001 - libraries of Jupyter raise what they like, which is translated
            executed = self._finish(exchange, context)
            raised = failures.describe(
                problem,
                self._notebook.path,
                executed,
                refused=exchange.was_refused(),
                mask=context.secrets.mask,
            )
            raise raised from raised.__cause__
        finally:
            kernels.kill()
        self._finish(exchange, context)
        return self._outputs(exchange, context, recorded)

    def _literals(self, context: Any, names: Any) -> dict[str, Literal]:
        """Return the literals of inputs, as they came or by their defaults."""
        defaults = {name: variable.default for name, variable in self.compiled(context.app).interface.inputs.items()}
        found = {name: context.attempt.inputs.get(name, default) for name, default in defaults.items() if name in names}
        return {name: literal for name, literal in found.items() if literal is not None}

    def _check_language(self, language: str, loaded: Mapping[str, Any]) -> None:
        if language.lower() == "python":
            return
        outputs = [name for name in self.python_interface.outputs if name not in self._added]
        for names, what in ((list(loaded), "load the input"), (outputs, "record the output")):
            if names:
                raise CompileError(
                    f"{self._notebook.path} is written in {language}, and only notebooks in Python can {what} {names[0]!r}",
                    location=self.location,
                )

    def _finish(self, exchange: Exchange, context: Any) -> NotebookNode | None:
        """Take secrets out of the executed notebook and show it in the report; None if there is none yet."""
        import nbformat

        from .rendering import to_html

        if not os.path.exists(exchange.executed):
            return None
        with open(exchange.executed, encoding="utf-8") as file:
            text = context.secrets.mask(file.read())
        with open(exchange.executed, "w", encoding="utf-8") as file:
            file.write(text)
        executed: NotebookNode = nbformat.reads(text, as_version=4)
        if context.attempt.task.report or "rendered" in self._added.values():
            page = to_html(executed, self.name, without_sources=self._report_mode)
            with open(exchange.file("rendered.html"), "w", encoding="utf-8") as file:
                file.write(page)
            if context.attempt.task.report:
                context.report.tab("Notebook").append(page)
        return executed

    def _outputs(self, exchange: Exchange, context: Any, recorded: Mapping[str, Any]) -> Any:
        found = exchange.recorded()
        if missing := [name for name in recorded if name not in found]:
            raise NotebookRefusedError(
                f"{self._notebook.path} recorded no value for the output{'s' * (len(missing) > 1)} "
                f"{', '.join(map(repr, missing))} of {self.title}; it recorded {', '.join(found) or 'nothing'}"
                f"\n  Call alula_papermill.record_outputs({missing[0]}=...) in one of its cells."
            )
        registry = context.app.registry
        values = {
            name: registry.converter(kind).to_python(found[name], context.conversion) for name, kind in recorded.items()
        }
        paths = {
            "executed": exchange.executed,
            "rendered": exchange.file("rendered.html"),
            "source": self._notebook.path,
        }
        for name, form in self._added.items():
            values[name] = self.python_interface.outputs[name](paths[form])
        ordered = [values[name] for name in self.python_interface.outputs]
        return tuple(ordered) if len(ordered) != 1 else ordered[0]


def _beside(location: str, path: str | os.PathLike[str]) -> str:
    """Return a path as it is seen from the folder of a source file, or from here if there is none."""
    filename = location.rpartition(":")[0]
    folder = os.path.dirname(os.path.abspath(filename)) if os.path.exists(filename) else os.getcwd()
    return os.path.normpath(os.path.join(folder, os.path.expanduser(path)))


def _search_path(folder: str) -> list[str]:
    """Return where the kernel looks for modules: beside the notebook, as in Jupyter, and where this process does."""
    import sys

    return list(dict.fromkeys(filter(None, [folder, *(os.path.abspath(place) for place in sys.path)])))


def _is_native(value: Any) -> bool:
    """Tell whether a value can be written into a cell in any language, and is the same when it is read."""
    kind = type(value)
    if kind is list:
        return all(map(_is_native, value))
    if kind is dict:
        return all(type(key) is str and _is_native(item) for key, item in value.items())
    return kind in _NATIVE
