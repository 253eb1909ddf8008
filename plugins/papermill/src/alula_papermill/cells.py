"""What cells of a notebook call."""

from __future__ import annotations

from typing import Any

import alula
from alula_kernel.errors import UnknownNameError, UsageError, ValueConversionError

from .exchange import of_this_kernel


def record_outputs(**outputs: Any) -> None:
    """Give values to outputs of the task that runs this notebook. A later value of an output replaces an earlier one.

    In a notebook that no task runs, as in Jupyter, it does nothing.

    Args:
        outputs: Values by the names of the outputs.

    Raises:
        UnknownNameError: The task has no output of this name.
        ValueConversionError: A value does not fit the output's type.
    """
    exchange = of_this_kernel()
    if exchange is None:
        return
    context = alula.current_context()
    _, types = exchange.types()
    literals = {}
    for name, value in outputs.items():
        if name not in types:
            raise UnknownNameError.among("output of the notebook task", name, types)
        try:
            literals[name] = context.app.registry.converter(types[name]).to_literal(value, context.conversion)
        except ValueConversionError as problem:
            raise ValueConversionError(f"output {name!r} of the notebook task: {problem}") from None
    exchange.record(literals)


def load_input(name: str) -> Any:
    """Return an input of the task that runs this notebook, as the Python object that a task in Python would get.

    The cell that Alula puts into the notebook calls it for inputs that cannot be written down.

    Args:
        name: Name of the input.

    Raises:
        UsageError: No task runs this notebook, or it has no such input that is loaded.
    """
    exchange = of_this_kernel()
    if exchange is None:
        raise UsageError(
            f"no task runs this notebook, so there is no input {name!r} to load",
            hint="Give the name a value in the cell tagged 'parameters'.",
        )
    literals = exchange.inputs()
    if name not in literals:
        raise UnknownNameError.among("input of the notebook task", name, literals)
    context = alula.current_context()
    types, _ = exchange.types()
    return context.app.registry.converter(types[name]).to_python(literals[name], context.conversion)
