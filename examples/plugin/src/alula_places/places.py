"""The type that tasks use."""

from __future__ import annotations

import dataclasses
import math

EARTH_RADIUS_KM = 6_371.0088
"""Mean radius of the Earth (IUGG: Moritz, "Geodetic Reference System 1980", Journal of Geodesy 74, 2000)."""


@dataclasses.dataclass(frozen=True)
class Place:
    """A point on the globe.

    Attributes:
        latitude: Degrees north of the equator, -90 to 90.
        longitude: Degrees east of Greenwich, -180 to 180.

    Raises:
        ValueError: A number is out of range.
    """

    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        # Written so that nan is out of range, too.
        if not -90 <= self.latitude <= 90:
            raise ValueError(f"expected a latitude of -90 to 90, found {self.latitude}")
        if not -180 <= self.longitude <= 180:
            raise ValueError(f"expected a longitude of -180 to 180, found {self.longitude}")

    def __str__(self) -> str:
        """Return the place as `parse` takes it."""
        return f"{self.latitude}, {self.longitude}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Make a place from ``latitude, longitude``.

        Raises:
            ValueError: The text has another form, or a number is out of range.
        """
        parts = text.split(",")
        try:
            latitude, longitude = (float(part) for part in parts)
        except ValueError as error:
            raise ValueError(f"expected a place as '48.2082, 16.3738', found {text[:80]!r}") from error
        return cls(latitude, longitude)

    def distance_km(self, other: Place) -> float:
        """Return the distance along the surface of a sphere, in kilometres.

        By the haversine formula (Sinnott, "Virtues of the Haversine", Sky and Telescope 68, 1984), which is exact to
        about 0.5 % on the real, flattened Earth.
        """
        here, there = math.radians(self.latitude), math.radians(other.latitude)
        east = math.radians(other.longitude - self.longitude)
        half_chord = math.sin((there - here) / 2) ** 2 + math.cos(here) * math.cos(there) * math.sin(east / 2) ** 2
        return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(half_chord)))
