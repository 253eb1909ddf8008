"""``flyte.ctx()``: the context of the running task, with the fields that Flyte's has."""

from __future__ import annotations

import os
import types
from typing import Any

import alula

from .models import GroupData, RawDataPath


class CheckpointPaths:
    """Where checkpoints are.

    Attributes:
        checkpoint_path: Where this attempt leaves one.
        prev_checkpoint_path: Where the attempt before left one; None if it did not.
    """

    def __init__(self, checkpoint_path: str, prev_checkpoint_path: str | None) -> None:
        self.checkpoint_path = checkpoint_path
        self.prev_checkpoint_path = prev_checkpoint_path

    def __repr__(self) -> str:
        return f"CheckpointPaths({self.checkpoint_path!r}, {self.prev_checkpoint_path!r})"


class TaskContext:
    """A context; what is not here is `alula.ctx`'s.

    Args:
        context: The context of the running task.
    """

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def __getitem__(self, key: str) -> Any:
        return self._context.data.get(key)

    @property
    def attempt_number(self) -> int:
        """Number of the attempt, from 0."""
        return int(self._context.attempt.number) - 1

    @property
    def raw_data_path(self) -> RawDataPath:
        """URI prefix for what the attempt writes."""
        return RawDataPath(self._context.output_prefix)

    @property
    def input_path(self) -> None:
        """None: inputs are not in a file."""
        return

    @property
    def group_data(self) -> GroupData | None:
        """The group in which children are made now."""
        name = self._context.group_data
        return GroupData(name) if name else None

    @property
    def checkpoint_paths(self) -> CheckpointPaths:
        """Where checkpoints are."""
        before = self._context.attempt.previous_checkpoint
        return CheckpointPaths(f"{self._context.output_prefix}/checkpoint", before or None)

    @property
    def task_action(self) -> Any:
        """Id of the action."""
        return self._context.action

    @property
    def interactive_mode(self) -> bool:
        """Whether the program is a notebook: not known, and not needed."""
        return False

    # Of a process among those that torchrun has started; None in other tasks.

    @property
    def rank(self) -> int | None:
        """Number of this process among all."""
        return _number("RANK")

    @property
    def local_rank(self) -> int | None:
        """Number of this process among those of its machine."""
        return _number("LOCAL_RANK")

    @property
    def world_size(self) -> int | None:
        """How many processes there are."""
        return _number("WORLD_SIZE")

    @property
    def local_world_size(self) -> int | None:
        """How many processes this machine has."""
        return _number("LOCAL_WORLD_SIZE")

    @property
    def node_rank(self) -> int | None:
        """Number of this machine."""
        return _number("NODE_RANK")

    @property
    def nnodes(self) -> int | None:
        """How many machines there are."""
        return _number("NNODES")

    @property
    def master_addr(self) -> str | None:
        """Address of the first machine."""
        return os.environ.get("MASTER_ADDR")

    @property
    def master_port(self) -> int | None:
        """Port of the first machine."""
        return _number("MASTER_PORT")


def _number(variable: str) -> int | None:
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() else None


def ctx() -> TaskContext | None:
    """Return the context of the running task; None outside of one."""
    context = alula.ctx()
    return None if context is None else TaskContext(context)


def internal_ctx() -> Any:
    """Return what programs take from Flyte's own context: the one of the running task, as ``data.task_context``."""
    return types.SimpleNamespace(data=types.SimpleNamespace(task_context=ctx()))
