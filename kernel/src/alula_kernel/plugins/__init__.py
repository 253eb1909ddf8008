"""Finding, loading and questioning plugins.

`load_plugins` builds the `PluginManager` of an application object; nothing here is kept at module level.
"""

from __future__ import annotations

from .discovery import FoundPlugin, PluginProblem, discover
from .manager import PluginInfo, PluginManager, load_plugins

__all__ = ["FoundPlugin", "PluginInfo", "PluginManager", "PluginProblem", "discover", "load_plugins"]
