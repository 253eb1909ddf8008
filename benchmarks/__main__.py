"""Measure what Alula costs, beside a floor of bare Python and beside its peers: ``python benchmarks``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from budgets import BUDGETS
from environments import (
    PEERS,
    CommandFailedError,
    Environment,
    current_environment,
    fresh_environment,
    peer_environments,
)
from inside import measure_cache, measure_compilation, measure_map, measure_tasks
from processes import measure_forked, measure_kept
from results import Result
from series import Calibration
from startup import measure_import, measure_plugins, measure_run
from table import table

Measurement = Callable[[Environment, Mapping[str, Environment], int, Callable[[], None]], list[Result]]


@dataclasses.dataclass(frozen=True)
class Measured:
    """How a budget is measured.

    Attributes:
        measure: What measures it.
        rounds: How often, if nothing else is asked for.
    """

    measure: Measurement
    rounds: int


MEASUREMENTS = {
    "P1": Measured(measure_run, 21),
    "P2": Measured(measure_import, 21),
    "P3": Measured(measure_tasks, 5),
    "P4": Measured(measure_map, 5),
    "P5": Measured(measure_cache, 5),
    "P6": Measured(measure_forked, 3),
    "P7": Measured(measure_kept, 3),
    "P16": Measured(measure_compilation, 3),
    "P17": Measured(measure_plugins, 21),
}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="P3,P5", default="", help="measure only these")
    parser.add_argument("--rounds", type=int, metavar="N", help="measure each so often instead of as is usual for it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured to a file")
    parser.add_argument(
        "--fresh", action="store_true", help="measure a new environment in which Alula is installed from wheels"
    )
    parser.add_argument("--peers", action="store_true", help=f"measure {' and '.join(PEERS)} too, where installed")
    parser.add_argument(
        "--peer-python", type=Path, metavar="FILE", help="the Python in which the peers are installed; implies --peers"
    )
    options = parser.parse_args(arguments)
    options.only = [name.strip().upper() for name in options.only.split(",") if name.strip()] or list(MEASUREMENTS)
    if unknown := [name for name in options.only if name not in MEASUREMENTS]:
        parser.error(f"unknown measurement {unknown[0]}; there are {', '.join(MEASUREMENTS)}")
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if options.peer_python is not None:
        options.peers = True
        # Not resolved: the link is what makes it a virtual environment.
        options.peer_python = options.peer_python.absolute()
        if not options.peer_python.exists():
            parser.error(f"--peer-python: there is no {options.peer_python}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the measurements and print them; return the exit status.

    A time never makes it fail: 1 means that something could not be measured.
    """
    options = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="alula-benchmarks-") as folder:
        here = _environment(options, Path(folder))
        peers: dict[str, Environment] = {}
        if options.peers:
            peers = peer_environments(options.peer_python, here, _made(Path(folder) / "peer-home"))
            _warn_of_missing(peers)
        facts = _facts(here, peers)
        calibration = Calibration()
        results, failed = _measure(options, here, peers, calibration)
    print(_heading(facts, calibration))
    print(table(results, peers))
    if options.json is not None:
        content = {**facts, "calibration_ms": calibration.times, "results": [result.to_json() for result in results]}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 1 if failed else 0


def _environment(options: argparse.Namespace, folder: Path) -> Environment:
    home = _made(folder / "home")
    if not options.fresh:
        return current_environment(home)
    _progress("making an environment from wheels")
    return fresh_environment(folder / "environment", home)


def _measure(
    options: argparse.Namespace, here: Environment, peers: Mapping[str, Environment], calibration: Calibration
) -> tuple[list[Result], bool]:
    results: list[Result] = []
    failed = False
    for name in options.only:
        _progress(f"{name} {BUDGETS[name].title}")
        measured = MEASUREMENTS[name]
        try:
            results += measured.measure(here, peers, options.rounds or measured.rounds, calibration.tick)
        except CommandFailedError as error:
            failed = True
            print(f"{name} could not be measured: {error}", file=sys.stderr)
    calibration.tick()
    return results, failed


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _facts(here: Environment, peers: Mapping[str, Environment]) -> dict[str, Any]:
    """Say what was measured where."""
    own = here.describe()
    versions = {name: peer.describe()["versions"][name] for name, peer in peers.items()}  # type: ignore[index]
    return {
        "alula": own["versions"]["alula"],  # type: ignore[index]
        "installed_as": own["origin"],
        "distributions": own["distributions"],
        "python": own["python"],
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "peers": versions,
    }


def _heading(facts: Mapping[str, Any], calibration: Calibration) -> str:
    peers = "".join(f", {name} {version}" for name, version in facts["peers"].items())
    versions = f"Alula {facts['alula']} ({facts['installed_as']}){peers}; Python {facts['python']}"
    machine = f"{facts['system']} {facts['machine']}, {facts['cores']} cores, load {facts['load']:.1f}"
    return "\n".join(
        [
            f"{versions}, {facts['distributions']} distributions; {machine}",
            calibration.describe(),
            "medians ± half the distance between the quarters; floor, ratio, bar and peers are by the wall clock, as Alula's column",
            "",
        ]
    )


def _warn_of_missing(peers: Mapping[str, Environment]) -> None:
    for name in PEERS:
        if name not in peers:
            _progress(f"{name} is not installed there and is left out")


def _progress(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
