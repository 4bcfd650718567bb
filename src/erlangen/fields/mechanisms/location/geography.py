"""Degrees of latitude and longitude as kilometres on a plane, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from erlangen.errors import ArgumentError

#: Mean radius of the earth in kilometres (IUGG).
RADIUS = 6371.0088
LATITUDE, LONGITUDE = ("lat", "latitude", "breite", "breitengrad"), ("lon", "lng", "long", "longitude", "länge", "längengrad")


@dataclass(frozen=True)
class Projection:
    """The equirectangular projection about a place: right near it in all directions, and off by a share that grows with the distance.

    Attributes:
        latitude, longitude: of the place, in degrees.

    >>> about = Projection(50.0, 10.0)
    >>> [round(v, 2) for v in about.to_plane(np.array([[51.0, 10.0]]))[0].tolist()]
    [0.0, 111.2]
    """

    latitude: float
    longitude: float

    @classmethod
    def about(cls, degrees: Float[np.ndarray, "n 2"]) -> Projection:
        """About the middle of places, latitude and longitude in degrees; a set across the date line has its middle there."""
        turns = np.radians(degrees[:, 1])
        middle = np.degrees(np.arctan2(np.sin(turns).mean(), np.cos(turns).mean()))
        return cls(float(degrees[:, 0].mean()), float(middle))

    def to_plane(self, degrees: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Kilometres to the east and to the north."""
        east = (degrees[..., 1] - self.longitude + 180) % 360 - 180
        scale = np.cos(np.radians(self.latitude))
        return RADIUS * np.radians(np.stack([east * scale, degrees[..., 0] - self.latitude], -1))

    def to_degrees(self, plane: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Latitude and longitude of points of the plane."""
        degrees = np.degrees(np.asarray(plane) / RADIUS)
        east = degrees[..., 0] / np.cos(np.radians(self.latitude)) + self.longitude
        return np.stack([degrees[..., 1] + self.latitude, (east + 180) % 360 - 180], -1)


def degree_columns(columns: Sequence[str]) -> tuple[int, int] | None:
    """Which of two columns are latitude and longitude, by their names; None where they are not.

    >>> degree_columns(["Longitude", "Latitude"]), degree_columns(["x", "y"])
    ((1, 0), None)
    """
    names = [name.strip().lower().removesuffix("(deg)").removesuffix("[deg]").strip() for name in columns]
    if len(names) == 2:
        for latitude, longitude in ((0, 1), (1, 0)):
            if names[latitude] in LATITUDE and names[longitude] in LONGITUDE:
                return latitude, longitude
    return None


def check_degrees(degrees: Float[np.ndarray, "n 2"], names: Sequence[str], argument: str = "data") -> None:
    """Raise ArgumentError where a latitude is beyond the poles or a longitude beyond a full turn."""
    for column, what, most in ((0, "latitude", 90), (1, "longitude", 360)):
        off = np.abs(degrees[:, column]) > most
        if off.any():
            i = int(off.argmax())
            raise ArgumentError(
                argument,
                "latitudes between -90 and 90 and longitudes between -180 and 180",
                f"{what} {degrees[i, column]:g} of {names[i]!r}",
            )
