"""The contracts that plugins implement, and the frozen values that pass between them and the engine.

A plugin returns objects that fulfil a contract from the hooks of `alula_kernel.hookspecs`. What each contract
promises is checked by the scenarios of `alula_kernel.testing`.
"""

from __future__ import annotations

from .additions import Command, TaskType
from .attempts import (
    CANCELLED,
    LOST,
    OUT_OF_MEMORY,
    OUTCOME_KINDS,
    PREEMPTED,
    SUCCEEDED,
    SYSTEM_FAILURE,
    TIMED_OUT,
    USER_FAILURE,
    Attempt,
    CodeReference,
    Handle,
    Outcome,
    depth_of,
)
from .blobs import BlobBackend, BlobInfo
from .caches import Cache, CacheEntry, CacheKey
from .calls import CallEnd, CallFailedError, CallRequest, Calls, Trace, TraceRequest
from .conversion import ConversionContext, Converter, TypeRequest, TypeTransformer, brief
from .events import ActionEvent, EventListener
from .executors import Controller, ExecutorBusyError, ExecutorContext, TaskExecutor
from .tables import TableStore

__all__ = [
    "CANCELLED",
    "LOST",
    "OUTCOME_KINDS",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "SUCCEEDED",
    "SYSTEM_FAILURE",
    "TIMED_OUT",
    "USER_FAILURE",
    "ActionEvent",
    "Attempt",
    "BlobBackend",
    "BlobInfo",
    "Cache",
    "CacheEntry",
    "CacheKey",
    "CallEnd",
    "CallFailedError",
    "CallRequest",
    "Calls",
    "CodeReference",
    "Command",
    "Controller",
    "ConversionContext",
    "Converter",
    "EventListener",
    "ExecutorBusyError",
    "ExecutorContext",
    "Handle",
    "Outcome",
    "TableStore",
    "TaskExecutor",
    "TaskType",
    "Trace",
    "TraceRequest",
    "TypeRequest",
    "TypeTransformer",
    "brief",
    "depth_of",
]
