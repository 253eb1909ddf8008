"""What a command that serves an app finds as ``flytekit``: it gives way to Alula's."""

import sys

from alula_flyte.finder import install

del sys.modules["flytekit"]
install()
__import__("flytekit")
