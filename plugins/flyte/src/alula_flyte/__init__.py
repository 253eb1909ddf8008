"""Programs written for Flyte run unmodified: in a process that asks for it, Flyte's modules are Alula's.

`install` makes ``flytekit``, ``flytekitplugins``, ``flyte`` and ``flyteplugins`` resolve to Alula, whether or not the real
packages are installed. ``alula run --flyte``, ``alula flyte run`` and ``python -m alula_flyte`` do so before they load a
program. What becomes of each name is in the tables of `alula_flyte.names`.
"""

from __future__ import annotations

from .finder import install, installed

__all__ = ["install", "installed"]
__version__ = "0.1.0"
