"""P6 and P7: attempts in processes of their own, measured by ``probes/processes_probe.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from budgets import BUDGETS
from environments import Environment
from results import Result
from series import Timing, Timings

Tick = Callable[[], None]

_REPETITIONS = 3


def _probe(case: str, here: Environment, rounds: int, tick: Tick, scale: float) -> dict[str, Timings]:
    """Run a case and return its figures by name, multiplied."""
    measured: dict[str, list[Timing]] = {}
    for _ in range(rounds):
        tick()
        for name, timing in here.probe("processes", case, _REPETITIONS).items():
            measured.setdefault(name, []).append(Timing(timing.wall * scale, timing.processor * scale))
    return {name: Timings.of(timings) for name, timings in measured.items()}


def measure_forked(here: Environment, peers: Mapping[str, Environment], rounds: int, tick: Tick) -> list[Result]:
    """Measure P6."""
    ours = _probe("fork", here, rounds, tick, 1e-3)
    references = {"a new Python": ours["start"]}
    return [Result(BUDGETS["P6"], ours["measured"], "fork, exit and wait", ours["fork"], references=references)]


def measure_kept(here: Environment, peers: Mapping[str, Environment], rounds: int, tick: Tick) -> list[Result]:
    """Measure P7."""
    ours = _probe("kept", here, rounds, tick, 1.0)
    return [Result(BUDGETS["P7"], ours["measured"], "a round trip over a socket pair", ours["round trip"])]
