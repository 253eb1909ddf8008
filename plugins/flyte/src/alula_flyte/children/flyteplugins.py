"""What a command that serves an app finds as ``flyteplugins``: it gives way to Alula's."""

import sys

from alula_flyte.finder import install

del sys.modules["flyteplugins"]
install()
__import__("flyteplugins")
