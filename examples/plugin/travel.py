"""Plan a trip: visit the nearest place first, and say how far it is.

    alula run travel.py trip --start "48.2082, 16.3738" --stops '["52.52, 13.405", "47.4979, 19.0402"]'

`Place` comes from the plugin in this folder, which must be installed: ``pip install .``.
"""

from itertools import pairwise
from typing import NamedTuple

from alula_places import Place

from alula import run, task, workflow

VIENNA = Place(48.2082, 16.3738)
BERLIN, BUDAPEST, PRAGUE = Place(52.52, 13.405), Place(47.4979, 19.0402), Place(50.0755, 14.4378)


class Trip(NamedTuple):
    """Places in the order in which they are visited, and the length of the way."""

    route: list[Place]
    km: float


@task(cache=True)
def nearest_first(start: Place, stops: list[Place]) -> list[Place]:
    """Go to the nearest place that is left, again and again. Equal places are a cache hit, wherever they come from."""
    route, left = [start], list(stops)
    while left:
        nearest = min(left, key=route[-1].distance_km)
        left.remove(nearest)
        route.append(nearest)
    return route


@task
def length(route: list[Place]) -> float:
    return round(sum(here.distance_km(there) for here, there in pairwise(route)), 1)


@workflow
def trip(start: Place = VIENNA, stops: list[Place] = [BERLIN, BUDAPEST, PRAGUE]) -> Trip:  # noqa: B006 - never changed
    """Visit some places."""
    route = nearest_first(start=start, stops=stops)
    return Trip(route=route, km=length(route=route))


if __name__ == "__main__":
    finished = run(trip)
    print(finished.tree())
    print(finished.result)
