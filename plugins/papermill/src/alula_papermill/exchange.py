"""The folder through which an attempt and its kernel exchange what the notebook takes and gives.

``attempt.msgpack``
    The attempt.
``search_path.msgpack``
    Where the process of the attempt looks for modules.
``types.pickle``
    The Python types of the inputs that the notebook loads, and of the outputs.
``inputs.msgpack``
    The inputs that the notebook loads, as literals.
``lock``
    Locked by the process of the attempt for as long as it lives.
``kernel.json``, ``socket-1`` and so on
    How the kernel is talked to.
``outputs.msgpack``
    What the notebook has recorded, as literals.
``refused``
    There if a cell raised what another try would raise again.
``executed.ipynb``
    The notebook with what its cells gave, written after every cell.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from typing import Any

import msgspec

from alula_kernel.contracts import Attempt
from alula_kernel.errors import UsageError
from alula_kernel.literals import Literal

VARIABLE = "ALULA_NOTEBOOK"
"""Environment variable of a kernel with the path of the folder."""


Types = Mapping[str, Any]
"""Python types by name."""


class Exchange:
    """The folder.

    Args:
        path: Where it is.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def file(self, name: str) -> str:
        """Return the path of a file in it."""
        return os.path.join(self.path, name)

    @property
    def executed(self) -> str:
        """Path of the executed notebook."""
        return self.file("executed.ipynb")

    # --- the attempt's side ---

    def describe(
        self, attempt: Attempt, inputs: Mapping[str, Literal], input_types: Types, output_types: Types, path: list[str]
    ) -> None:
        """Write down what the kernel needs to know.

        Args:
            attempt: The attempt.
            inputs: The inputs that the notebook loads.
            input_types: Their types.
            output_types: Types of the outputs that it records.
            path: Where modules are looked for.

        Raises:
            UsageError: A type cannot be pickled.
        """
        import cloudpickle  # type: ignore[import-untyped]  # it pickles types of scripts and functions as a whole

        try:
            types = cloudpickle.dumps((dict(input_types), dict(output_types)))
        except Exception as problem:
            raise UsageError(f"a type of the notebook task cannot be sent to its kernel: {problem}") from problem
        os.makedirs(self.path, mode=0o700)
        self._write("attempt.msgpack", msgspec.msgpack.encode(attempt))
        self._write("inputs.msgpack", msgspec.msgpack.encode(dict(inputs)))
        self._write("search_path.msgpack", msgspec.msgpack.encode(path))
        self._write("types.pickle", types)

    def was_refused(self) -> bool:
        """Tell whether a cell raised what another try would raise again."""
        return os.path.exists(self.file("refused"))

    # --- the kernel's side ---

    def attempt(self) -> Attempt:
        """Return the attempt."""
        return msgspec.msgpack.decode(self._read("attempt.msgpack"), type=Attempt)

    def search_path(self) -> list[str]:
        """Return where modules are looked for."""
        return msgspec.msgpack.decode(self._read("search_path.msgpack"), type=list[str])

    def types(self) -> tuple[Types, Types]:
        """Return the types of the inputs that the notebook loads, and of the outputs."""
        inputs, outputs = pickle.loads(self._read("types.pickle"))
        return inputs, outputs

    def inputs(self) -> dict[str, Literal]:
        """Return the inputs that the notebook loads."""
        return msgspec.msgpack.decode(self._read("inputs.msgpack"), type=dict[str, Literal])

    def record(self, outputs: Mapping[str, Literal]) -> None:
        """Add outputs; those that were recorded before under the same names are replaced."""
        self._write("outputs.msgpack", msgspec.msgpack.encode({**self.recorded(), **outputs}))

    def refuse(self) -> None:
        """Say that a cell raised what another try would raise again."""
        self._write("refused", b"")

    # --- both ---

    def recorded(self) -> dict[str, Literal]:
        """Return the outputs that the notebook has recorded so far."""
        try:
            return msgspec.msgpack.decode(self._read("outputs.msgpack"), type=dict[str, Literal])
        except FileNotFoundError:
            return {}

    def _read(self, name: str) -> bytes:
        with open(self.file(name), "rb") as file:
            return file.read()

    def _write(self, name: str, data: bytes) -> None:
        temporary = self.file(f".{name}")
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, self.file(name))


def of_this_kernel() -> Exchange | None:
    """Return the folder of the attempt to which this kernel belongs; None in any other process."""
    path = os.environ.get(VARIABLE, "")
    return Exchange(path) if path else None
