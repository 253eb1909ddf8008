"""Values of classes that nothing converts are pickled, as Flyte does; in a process that asked for Flyte's names only."""

from __future__ import annotations

import copy
from typing import Any

from alula import Pickle
from alula_kernel.contracts import Converter, TypeRequest, TypeTransformer


class UnknownTypeTransformer(TypeTransformer):
    """Takes what no other transformer takes, or what says too little for one, as ``Any`` and a bare ``list``."""

    name = "flyte-unknown-type"
    python_types = ()
    priority = -1_000_000
    takes_refused = True

    def matches(self, request: TypeRequest) -> bool:
        """Take anything."""
        return True

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Return the converter of ``Pickle`` of the type, whose values fit wherever anything pickled is taken."""
        pickle: Any = Pickle
        made: Any = copy.copy(request.registry.converter(pickle[request.python_type]))
        made.literal_type = request.registry.converter(pickle).literal_type
        converter: Converter[Any] = made
        return converter
