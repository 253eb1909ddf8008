"""The engine: one state machine that grows the tree of actions of every run."""

from .actions import ROOT_ACTION, Action, ActionTable, AttemptRecord, RunOptions
from .engine import Engine, OpenRun, RunResult, check_interface, new_run_name
from .gates import GateKeeper, GateRequest
from .phases import FINAL, TRANSITIONS, Phase
from .runs import RunRecord, process_lives, this_process
from .stepping import run_blocking
from .store import MemoryStore, Store, StoreError, name_taken

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
    "OpenRun",
    "Phase",
    "RunOptions",
    "RunRecord",
    "RunResult",
    "Store",
    "StoreError",
    "check_interface",
    "name_taken",
    "new_run_name",
    "process_lives",
    "run_blocking",
    "this_process",
]
