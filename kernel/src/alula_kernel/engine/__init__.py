"""The engine: one state machine that grows the tree of actions of every run."""

from .actions import ROOT_ACTION, Action, ActionTable, AttemptRecord, RunOptions
from .engine import Engine, RunResult, new_run_name
from .gates import GateKeeper, GateRequest
from .phases import FINAL, TRANSITIONS, Phase
from .stepping import run_blocking
from .store import MemoryStore, Store

__all__ = [
    "FINAL",
    "ROOT_ACTION",
    "TRANSITIONS",
    "Action",
    "ActionTable",
    "AttemptRecord",
    "Engine",
    "GateKeeper",
    "GateRequest",
    "MemoryStore",
    "Phase",
    "RunOptions",
    "RunResult",
    "Store",
    "new_run_name",
    "run_blocking",
]
