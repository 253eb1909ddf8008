"""P3, P4, P5 and P16: what happens inside a process, measured by the programs in ``probes``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from budgets import BUDGETS
from environments import Environment
from results import Result
from series import Timing, Timings

Tick = Callable[[], None]

# Each probe takes the median of this many passes, after one to warm up.
_REPETITIONS = 5
_PEER_REPETITIONS = 1
_PEER_ROUNDS = 2


def _probe(
    case: str, here: Environment, peers: Mapping[str, Environment], rounds: int, tick: Tick
) -> tuple[dict[str, Timings], dict[str, Timings]]:
    """Run a case of every probe in turns.

    Returns:
        Alula's figures and floors by name, and the peers' figures by peer.
    """
    ours: dict[str, list[Timing]] = {}
    theirs: dict[str, list[Timing]] = {}
    for turn in range(rounds):
        tick()
        for name, timing in here.probe("alula", case, _REPETITIONS).items():
            ours.setdefault(name, []).append(timing)
        if turn >= _PEER_ROUNDS:
            continue
        for name, peer in peers.items():
            if figures := peer.probe(name, case, _PEER_REPETITIONS):
                theirs.setdefault(name, []).append(figures["measured"])
    return _together(ours), _together(theirs)


def _together(measured: Mapping[str, list[Timing]]) -> dict[str, Timings]:
    return {name: Timings.of(timings) for name, timings in measured.items()}


def measure_tasks(here: Environment, peers: Mapping[str, Environment], rounds: int, tick: Tick) -> list[Result]:
    """Measure P3, in both styles: a workflow, and an async task that awaits tasks."""
    results = []
    for case, variant in (("chain", "a workflow"), ("tree", "an async task that awaits them")):
        compared = {name: peer for name, peer in peers.items() if name == ("flytekit" if case == "chain" else "flyte")}
        ours, theirs = _probe(case, here, compared, rounds, tick)
        results.append(
            Result(
                BUDGETS["P3"],
                ours["measured"],
                "asyncio.create_task and await",
                ours["asyncio task"],
                references={"a plain call": ours["call"]},
                peers=theirs,
                variant=variant,
            )
        )
    return results


def measure_map(here: Environment, peers: Mapping[str, Environment], rounds: int, tick: Tick) -> list[Result]:
    """Measure P4."""
    ours, theirs = _probe("map", here, peers, rounds, tick)
    note = "flyte maps 1,000 items" if "flyte" in theirs else ""
    return [Result(BUDGETS["P4"], ours["measured"], "a plain call", ours["call"], peers=theirs, note=note)]


def measure_cache(here: Environment, peers: Mapping[str, Environment], rounds: int, tick: Tick) -> list[Result]:
    """Measure P5."""
    ours, theirs = _probe("cache", here, peers, rounds, tick)
    references = {
        "SQLite: read of one row": ours["row read"],
        "disk: append and fdatasync": ours["append + fdatasync"],
    }
    return [
        Result(
            BUDGETS["P5"],
            ours["measured"],
            "SQLite: commit of one row",
            ours["row commit"],
            references=references,
            peers=theirs,
        )
    ]


def measure_compilation(here: Environment, peers: Mapping[str, Environment], rounds: int, tick: Tick) -> list[Result]:
    """Measure P16, with its growth from 1,000 to 10,000 nodes."""
    ours, theirs = _probe("compile", here, peers, rounds, tick)
    growth = ours["measured"].processor.median / ours["a tenth"].processor.median
    return [
        Result(
            BUDGETS["P16"],
            ours["measured"],
            "an object per node",
            ours["plain object"],
            references={"the same of 1,000 nodes": ours["a tenth"]},
            peers=theirs,
            note=f"10,000 nodes take {growth:.2f} times as long per node as 1,000 (1.00 is linear)",
        )
    ]
