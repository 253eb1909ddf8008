"""Importing this module calls `alula_flyte.install`; the processes of a run do so before they load the program."""

from __future__ import annotations

from .finder import install

install()
