"""``flytekitplugins.flyteinteractive``: editors in a cluster's tasks. As in Flyte's local runs, the tasks run as they are."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CODE_TOGETHER_EXTENSION = "genuitecllc.codetogether"
COPILOT_EXTENSION = "github.copilot"
VIM_EXTENSION = "vscodevim.vim"


@dataclass
class VscodeConfig:
    """The editor of a task.

    Attributes:
        code_server_remote_paths: Where its server is found, by architecture.
        code_server_dir_names: Its folder, by architecture.
        extension_remote_paths: Where its extensions are found.
    """

    code_server_remote_paths: dict[str, str] = field(default_factory=dict)
    code_server_dir_names: dict[str, str] = field(default_factory=dict)
    extension_remote_paths: list[str] = field(default_factory=list)

    def add_extensions(self, extensions: str | list[str]) -> None:
        """Add extensions."""
        self.extension_remote_paths += [extensions] if isinstance(extensions, str) else extensions


CODE_TOGETHER_CONFIG = VscodeConfig(extension_remote_paths=[CODE_TOGETHER_EXTENSION])
COPILOT_CONFIG = VscodeConfig(extension_remote_paths=[COPILOT_EXTENSION])
VIM_CONFIG = VscodeConfig(extension_remote_paths=[VIM_EXTENSION])


def as_it_is(task_function: Callable[..., Any] | None = None, **_settings: Any) -> Callable[..., Any]:
    """Return a function as it is, or a decorator that does.

    Args:
        task_function: The function.
    """
    if task_function is None:
        return functools.partial(as_it_is)
    return task_function
