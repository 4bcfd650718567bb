"""Degrees of latitude and longitude as kilometres on a plane, and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from erlangen.errors import ArgumentError

#: Mean radius of the earth in kilometres (IUGG).
RADIUS = 6371.0088
#: Distances on the plane that are off by more than such a share are said to be, and refused.
SAID, REFUSED = 0.01, 0.5
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

    def on_earth(self, plane: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Points of the plane, those beyond a pole or half a turn moved to there."""
        ends = RADIUS * np.radians([[-180.0, -90.0 - self.latitude], [180.0, 90.0 - self.latitude]])
        ends[:, 0] *= np.cos(np.radians(self.latitude))
        return np.clip(plane, ends[0], ends[1])

    def off(self, one: Float[np.ndarray, "n 2"], other: Float[np.ndarray, "m 2"]) -> float:
        """The largest share by which a distance on the plane is longer or shorter than on the globe, between any of these points."""
        plane = np.linalg.norm(self.to_plane(one)[:, None] - self.to_plane(other), axis=-1)
        true = great_circle(one[:, None], other)
        apart = true > 1e-6
        return float(np.abs(plane[apart] / true[apart] - 1).max(initial=0.0))


def great_circle(a: Float[np.ndarray, "*batch 2"], b: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, " *batch"]:
    """Kilometres on the globe between points in degrees of latitude and longitude.

    >>> great_circle(np.array([0.0, 179.5]), np.array([0.0, -179.5])).round(1).item()
    111.2
    """
    (north, east), (far_north, far_east) = (np.moveaxis(np.radians(points), -1, 0) for points in (a, b))
    half = np.sin((north - far_north) / 2) ** 2 + np.cos(north) * np.cos(far_north) * np.sin((east - far_east) / 2) ** 2
    return np.asarray(2 * RADIUS * np.arcsin(np.sqrt(np.clip(half, 0, 1))))


def degree_columns(columns: Sequence[str]) -> tuple[int, int] | None:
    """Which columns are latitude and longitude, by a word in their names; None where they are not one of each.

    >>> degree_columns(["Longitude", "Latitude"]), degree_columns(["geo_lat", "geo_lon (deg)"]), degree_columns(["x", "y"])
    ((1, 0), (0, 1), None)
    """
    words = [re.findall(r"[^\W\d_]+", name.lower()) for name in columns]
    found = [[i for i, each in enumerate(words) if set(each) & set(known)] for known in (LATITUDE, LONGITUDE)]
    return (found[0][0], found[1][0]) if len(found[0]) == len(found[1]) == 1 and found[0] != found[1] else None


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
