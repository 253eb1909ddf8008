"""Fixtures and settings that hold for every test of the repository, those of the plugins included."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: a shared machine stalls for longer than any example takes. The rest is as Hypothesis sets it: where the
# variable CI is set, examples come from a fixed seed, so that a red build is red again when it is repeated.
settings.register_profile("alula", deadline=None)
settings.load_profile("alula")

# A shell that starts the tests in the background lets them ignore SIGINT, and every process that they start would too:
# tests that interrupt one would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def alula_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test an empty ALULA_HOME of its own: no cache, no history of runs, no configuration.

    It lies beside the test's ``tmp_path``, not in it, so that a test which lists ``tmp_path`` sees only its own files.

    Returns:
        The folder, which exists and is empty.
    """
    home = tmp_path_factory.mktemp("alula-home")
    monkeypatch.setenv("ALULA_HOME", str(home))
    return home
