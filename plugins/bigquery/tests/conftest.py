"""Fixtures of the plugin's tests: an emulator for each process that runs tests, and a service in front of it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from service import Service

PYTHON = Path(sys.prefix) / "bigquery-emulator" / "bin" / "python"
"""The Python of the emulator's environment, which the nox session ``conformance`` makes inside its own."""

_START_SECONDS = 120


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an emulator that ends with the tests."""
    if not PYTHON.exists():
        pytest.fail(f'there is no emulator in {PYTHON.parents[1]}: run `nox -s "conformance(bigquery)"`', pytrace=False)
    folder = tmp_path_factory.mktemp("bigquery-emulator")
    port_file, log = folder / "port", folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [PYTHON, Path(__file__).with_name("emulator.py"), folder, port_file], stdout=stream, stderr=stream
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not (port_file.exists() and port_file.read_text()):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the emulator did not start:\n{log.read_text()[-4_000:]}", pytrace=False)
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port_file.read_text()}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def front(emulator: str) -> Iterator[Service]:
    """The service of all tests of a process."""
    service = Service(emulator)
    yield service
    service.close()


@pytest.fixture
def service(front: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service, which the client finds by its variable, with the project ``tests``."""
    for variable in ("GOOGLE_APPLICATION_CREDENTIALS", "ALULA_BIGQUERY_LOCATION"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", front.url)
    monkeypatch.setenv("ALULA_BIGQUERY_PROJECT", "tests")
    return front
