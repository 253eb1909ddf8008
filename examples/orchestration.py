"""Orchestrate in plain Python: fan out, take results as they come, fall back where one fails, try again with more.

    alula run examples/orchestration.py survey --stations '["harbour", "hill", "island"]'

There is no graph here: `survey` is a task, and the tasks that it calls become its children in the run's tree. Loops,
conditions and `try` are Python's own.
"""

import asyncio
import dataclasses

from alula import Resources, TaskEnvironment, current_context, errors, run

# What the tasks share. Each of them, and each call with `override`, may change it.
env = TaskEnvironment("survey", resources=Resources(cpu=1, memory="100Mi"))

WEATHER = {"harbour": 11.5, "hill": 7.0, "island": 13.0, "airport": 9.5}


@dataclasses.dataclass
class Reading:
    """The temperature at a station, measured or estimated."""

    station: str
    degrees: float
    estimated: bool = False


@dataclasses.dataclass
class Survey:
    """What the stations said."""

    mean: float
    warmest: str
    measured: list[str]
    estimated: list[str]
    grid_points: int


# --- tasks ------------------------------------------------------------------------------------------------------------


@env.task(retries=1)
async def measure(station: str) -> Reading:
    """Ask a station. One that does not answer is asked a second time before the task fails."""
    await asyncio.sleep(0.01 * len(station))
    if station not in WEATHER:
        raise ConnectionError(f"{station} does not answer")
    return Reading(station, WEATHER[station])


@env.task
def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@env.task
def estimate(station: str, others: list[Reading]) -> Reading:
    """Guess what a station would have said. A plain task calls tasks as functions, and waits for each."""
    return Reading(station, mean(values=[reading.degrees for reading in others]), estimated=True)


@env.task
async def interpolate(readings: list[Reading]) -> int:
    """Fill a grid between the stations; it grows with the square of their number and takes 20 MB for each point."""
    points = len(readings) ** 2
    if points * 20 > granted_megabytes():
        raise MemoryError(f"{points} points do not fit into {granted_megabytes()} MB")
    return points


def granted_megabytes() -> int:
    """Say how much memory the running task was given, which stands in here for really running out of it."""
    resources = current_context().attempt.task.resources
    return int(resources.limits["memory"].removesuffix("Mi"))


# --- the orchestration ------------------------------------------------------------------------------------------------


@env.task
async def survey(stations: list[str]) -> Survey:
    """Measure the temperature everywhere.

    Args:
        stations: Where to measure: harbour, hill, island and airport answer, others are estimated.
    """
    # Fan out: all stations are asked at once, and answers are taken as they come.
    measured = []
    for answer in asyncio.as_completed([measure(station) for station in stations]):
        try:
            measured.append(await answer)
        except ConnectionError as silence:
            print(f"{silence}: its temperature is estimated")
    if not measured:
        raise errors.NonRecoverableError("no station answers")
    # Sorted, so that neither what the tasks below are given nor the result depends on who was first.
    measured.sort(key=lambda reading: reading.station)

    # Fall back for those that failed. `aio` makes a coroutine of a plain task, so that these run side by side, too.
    silent = sorted({*stations} - {reading.station for reading in measured})
    estimates = await asyncio.gather(*[estimate.aio(station, others=measured) for station in silent])
    readings = [*measured, *estimates]

    # Try, and try again with more. A task that is killed for its memory, as in a pod, raises OOMError.
    try:
        grid_points = await interpolate(readings)
    except (MemoryError, errors.OOMError):
        roomy = interpolate.override(resources=Resources(cpu=1, memory="800Mi"))
        grid_points = await roomy(readings)

    return Survey(
        mean=await mean.aio([reading.degrees for reading in readings]),
        warmest=max(readings, key=lambda reading: reading.degrees).station,
        measured=[reading.station for reading in measured],
        estimated=silent,
        grid_points=grid_points,
    )


if __name__ == "__main__":
    finished = run(survey, stations=["harbour", "hill", "lighthouse", "island"])
    print(finished.tree())
    print(finished.result)
