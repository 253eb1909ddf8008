"""What to write instead of names of Flyte that Alula has under another name, or does not have.

Loaded only when a program asks for a name that is not there.
"""

from __future__ import annotations

_RENAMED = {
    "FlyteDirectory": "Directory",
    "FlyteError": "WorkflowError",
    "FlyteFile": "File",
    "FlytePickle": "Pickle",
    "FlyteRecoverableException": "RecoverableError",
    "FlyteSchema": "Schema",
    "HashFunction": "HashMethod",
    "StructuredDatasetDecoder": "DataFrameDecoder",
    "StructuredDatasetEncoder": "DataFrameEncoder",
    "StructuredDatasetTransformerEngine": "register_dataframe_handler",
}

_NEW_TYPES = "a new type is a plugin, which `alula plugins new NAME` begins"
_NOT_YET = "it is not there yet"

_INSTEAD = {
    "AppEnvironment": _NOT_YET,
    "ClusteredTaskEnvironment": _NOT_YET,
    "ContainerTask": _NOT_YET,
    "Email": _NOT_YET,
    "FileSensor": _NOT_YET,
    "FlyteContext": "converters and handlers get what they may use as an argument",
    "FlyteContextManager": "alula.current_context() is the context of the running task",
    "FlyteRemote": _NOT_YET,
    "PagerDuty": _NOT_YET,
    "PodTemplate": _NOT_YET,
    "SecretsManager": "alula.current_context().secrets has the secrets of the running task",
    "Slack": _NOT_YET,
    "Trigger": _NOT_YET,
    "TypeEngine": _NEW_TYPES,
    "TypeTransformer": _NEW_TYPES,
    "eager": "an async task of a TaskEnvironment calls tasks and awaits them in the same way",
}


def instead_of(name: str) -> str:
    """Say what to write instead of a name of Flyte; empty for any other name."""
    if name in _RENAMED:
        return f"{name} is called {_RENAMED[name]} here"
    return f"Alula has no {name}: {_INSTEAD[name]}" if name in _INSTEAD else ""
