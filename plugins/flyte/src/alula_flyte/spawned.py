"""What a spawned process of a program runs in the place of the program's ``__main__``: Flyte's names first, then the script.

Everything that the script defines is then found in this module.
"""

from __future__ import annotations

import os
import runpy

from alula_flyte.finder import install
from alula_flyte.program import SCRIPT

if __name__ != "alula_flyte.spawned":
    install()
    globals().update(runpy.run_path(os.environ[SCRIPT], run_name=__name__))
