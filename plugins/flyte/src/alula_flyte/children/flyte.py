"""What a command that serves an app finds as ``flyte``: it gives way to Alula's."""

import sys

from alula_flyte.finder import install

del sys.modules["flyte"]
install()
__import__("flyte")
