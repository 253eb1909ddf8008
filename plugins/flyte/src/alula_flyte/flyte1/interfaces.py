"""``flytekit.core.interface.Interface``: the inputs and outputs of a task that is made by calling a class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alula.errors import ArgumentError


class Interface:
    """Inputs and outputs by name.

    Args:
        inputs: Python type of each input, or a pair of the type and the default.
        outputs: Python type of each output.
        output_tuple_name: Name of what holds several outputs; not used.
        docstring: Descriptions; not used.

    Raises:
        ArgumentError: A name is none that a variable could have.
    """

    def __init__(
        self,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        output_tuple_name: str | None = None,
        docstring: Any = None,
    ) -> None:
        self.inputs_with_defaults: dict[str, tuple[Any, Any]] = {
            name: given if isinstance(given, tuple) else (given, None) for name, given in (inputs or {}).items()
        }
        self.outputs: dict[str, Any] = dict(outputs or {})
        for name in (*self.inputs_with_defaults, *self.outputs):
            if not name.isidentifier():
                raise ArgumentError(
                    f"an input or output is called {name!r}", hint="Give it a name as Python's variables have."
                )
        self.output_tuple_name = output_tuple_name
        self.docstring = docstring

    @property
    def inputs(self) -> dict[str, Any]:
        """Python type of each input."""
        return {name: python_type for name, (python_type, _default) in self.inputs_with_defaults.items()}

    def declared(self) -> dict[str, Any]:
        """Return the inputs as `alula.DeclaredTask` takes them: with a default where there is one."""
        return {
            name: python_type if default is None else (python_type, default)
            for name, (python_type, default) in self.inputs_with_defaults.items()
        }

    def remove_inputs(self, names: list[str] | None) -> Interface:
        """Return the interface without some inputs."""
        left = {name: given for name, given in self.inputs_with_defaults.items() if name not in (names or ())}
        return Interface(left, self.outputs)
