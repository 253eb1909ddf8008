"""Values of classes that nothing converts are pickled, as Flyte does; in a process that asked for Flyte's names only."""

from __future__ import annotations

from typing import Any

from alula import Pickle
from alula_kernel.contracts import Converter, TypeRequest, TypeTransformer


class UnknownTypeTransformer(TypeTransformer):
    """Takes what no other transformer takes."""

    name = "flyte-unknown-type"
    python_types = ()
    priority = -1_000_000

    def matches(self, request: TypeRequest) -> bool:
        """Take anything."""
        return True

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Return the converter of ``Pickle`` of the type."""
        pickle: Any = Pickle
        return request.registry.converter(pickle[request.python_type])
