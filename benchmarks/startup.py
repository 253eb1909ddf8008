"""P1, P2 and P17: how long processes live."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping

from budgets import BUDGETS
from environments import PROBES, CommandFailedError, Environment
from plugin_site import make_plugin_site
from results import Result
from series import Timing, in_turns

Tick = Callable[[], None]

# Peers take several times longer and their figures are there for comparison only.
_PEER_SHARE = 3

_SCAN = "import sys, entrypoints; list(entrypoints.get_group_all('alula', path=[sys.argv[1]]))"
_IMPORT_ENTRYPOINTS = "import sys, entrypoints"
_METADATA_SCAN = (
    "import sys, importlib.metadata as m; "
    "[p for d in m.distributions(path=[sys.argv[1]]) for p in d.entry_points if p.group == 'alula']"
)
_IMPORT_METADATA = "import sys, importlib.metadata as m"

_PEER_RUN = {
    "flytekit": ("pyflyte", "run", "hello_flytekit.py", "hello"),
    "flyte": ("flyte", "run", "--local", "hello_flyte.py", "hello"),
}
_FIRST_NAMES = "from alula import File, Resources, map_task, task, workflow"
_PEER_IMPORT = {"flytekit": "import flytekit", "flyte": "import flyte"}


def _timed(environment: Environment, *command: str, extra: Mapping[str, str] | None = None) -> Callable[[], Timing]:
    """Return what runs a command once and gives its milliseconds, after it was tried and has warmed up."""
    for _ in range(2):
        environment.output(*command, extra=extra)
    return lambda: environment.time(*command, extra=extra)


def _python(environment: Environment, code: str, *arguments: str) -> Callable[[], Timing]:
    return _timed(environment, str(environment.python), "-c", code, *arguments)


def _run_command(environment: Environment) -> list[str]:
    """Return the command of P1, after it was seen to work."""
    shutil.copy(PROBES / "hello_alula.py", environment.home / "hello.py")
    command = [environment.command("alula"), "run", "hello.py", "hello"]
    printed = environment.output(*command)
    if "Hello, world!" not in printed:
        raise CommandFailedError(f"{' '.join(command)} printed no greeting:\n{printed}")
    return command


def measure_run(here: Environment, peers: Mapping[str, Environment], rounds: int, tick: Tick) -> list[Result]:
    """Measure P1: the whole process that runs the smallest program."""
    work = {
        "floor": _python(here, "pass"),
        "import asyncio, json": _python(here, "import asyncio, json"),
        "ours": _timed(here, *_run_command(here)),
    }
    found = in_turns(work, rounds, tick)
    compared: dict[str, Callable[[], Timing]] = {}
    for name, peer in peers.items():
        program, *arguments = _PEER_RUN[name]
        shutil.copy(PROBES / f"hello_{name}.py", peer.home)
        compared[name] = _timed(peer, peer.command(program), *arguments)
    return [
        Result(
            BUDGETS["P1"],
            found["ours"],
            "python -c pass",
            found["floor"],
            references={"import asyncio, json": found["import asyncio, json"]},
            peers=in_turns(compared, max(1, rounds // _PEER_SHARE), tick),
        )
    ]


def measure_import(here: Environment, peers: Mapping[str, Environment], rounds: int, tick: Tick) -> list[Result]:
    """Measure P2: what the import adds to bare Python."""
    work = {"floor": _python(here, "pass"), "ours": _python(here, "import alula"), "names": _python(here, _FIRST_NAMES)}
    found = in_turns(work, rounds, tick)
    compared: dict[str, Callable[[], Timing]] = {}
    for name, peer in peers.items():
        compared[f"{name} floor"] = _python(peer, "pass")
        compared[name] = _python(peer, _PEER_IMPORT[name])
    times = in_turns(compared, max(1, rounds // _PEER_SHARE), tick)
    added = {name: times[name].minus(times[f"{name} floor"]) for name in peers}
    floor = found["floor"]
    return [
        Result(
            BUDGETS["P2"],
            found["ours"].minus(floor),
            "python -c pass",
            floor,
            references={f"`{_FIRST_NAMES}`, which are loaded when they are asked for": found["names"].minus(floor)},
            peers=added,
        )
    ]


def measure_plugins(here: Environment, peers: Mapping[str, Environment], rounds: int, tick: Tick) -> list[Result]:
    """Measure P17: what plugins among many distributions add to a run."""
    command = _run_command(here)
    site, empty = here.home / "site", here.home / "empty-site"
    make_plugin_site(site)
    empty.mkdir()
    with_plugins, without = {"PYTHONPATH": str(site)}, {"PYTHONPATH": str(empty)}
    listed = here.output(here.command("alula"), "plugins", "list", extra=with_plugins)
    if "alula-demo-9" not in listed:
        raise CommandFailedError(f"alula plugins list does not show the plugins that are to be measured:\n{listed}")
    work = {
        "floor": _python(here, "pass"),
        "with": _timed(here, *command, extra=with_plugins),
        "without": _timed(here, *command, extra=without),
        "first": _first_run(here, command, with_plugins),
        "entrypoints": _python(here, _SCAN, str(site)),
        "no entrypoints": _python(here, _IMPORT_ENTRYPOINTS, str(site)),
        "importlib.metadata": _python(here, _METADATA_SCAN, str(site)),
        "no importlib.metadata": _python(here, _IMPORT_METADATA, str(site)),
    }
    found = in_turns(work, rounds, tick)
    return [
        Result(
            BUDGETS["P17"],
            found["with"].minus(found["without"]),
            "python -c pass",
            found["floor"],
            references={
                "the first run, which reads the metadata": found["first"].minus(found["without"]),
                "entrypoints scan": found["entrypoints"].minus(found["no entrypoints"]),
                "importlib.metadata scan": found["importlib.metadata"].minus(found["no importlib.metadata"]),
            },
            note="every plugin registers a type and a task type, so that all ten are imported",
        )
    ]


def _first_run(here: Environment, command: list[str], extra: Mapping[str, str]) -> Callable[[], Timing]:
    """Return what times a run that knows nothing of the installed plugins yet."""
    known = here.home / ".alula" / "plugins.json"

    def measure() -> Timing:
        known.unlink(missing_ok=True)
        return here.time(*command, extra=extra)

    measure()
    return measure
