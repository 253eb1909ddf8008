"""The ``process`` executor: attempts in processes of their own on this machine.

`executor` is what the engine calls, `running` one attempt as it sees it; `admission` decides who may begin, `templates` and
`pools` where. In the other processes, `template` forks children that do what `worker` says, and `kept` is one that stays. Both
sides meet in `orders` and in the files of an attempt (`files`, `endings`).
"""

from __future__ import annotations

from .executor import ProcessExecutor

__all__ = ["ProcessExecutor"]
