"""What a command that serves an app finds as ``flytekitplugins``: it gives way to Alula's."""

import sys

from alula_flyte.finder import install

del sys.modules["flytekitplugins"]
install()
__import__("flytekitplugins")
