"""What a failure handler is told."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class FlyteError:
    """Why a workflow failed, in the input ``err`` of its failure handler.

    Attributes:
        message: Why.
        failed_node_id: Id of the action that failed.
    """

    message: str
    failed_node_id: str
