"""The closed form of summed spherical harmonics against direct sums, and the first degrees of the Platonic solids."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy.special import sph_harm_y

from erlangen.errors import ArgumentError
from erlangen.measure.gwl import dodecahedron, first_visible_degree, harmonic_power, star_harmonic

PHI = (1 + math.sqrt(5)) / 2
SOLIDS = {
    "tetrahedron": ([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], 3),
    "cube": (dodecahedron()[:8].tolist(), 4),
    "octahedron": ([[s if i == j else 0 for j in range(3)] for i in range(3) for s in (1, -1)], 4),
    "icosahedron": ([p for a in (1, -1) for b in (PHI, -PHI) for p in ([0, a, b], [a, b, 0], [b, 0, a])], 6),
    "dodecahedron": (dodecahedron().tolist(), 6),
}


@pytest.mark.parametrize("fold", range(2, 11))
def test_closed_form_against_direct_sums(fold: int) -> None:
    for angle in (0.0, 0.3, 1.1):
        azimuth = 2 * math.pi * np.arange(fold) / fold + angle
        for l in range(11):
            for m in range(-l, l + 1):
                direct = sph_harm_y(l, m, math.pi / 2, azimuth).sum()
                assert abs(star_harmonic(fold, l, m, angle) - direct) < 1e-12, (l, m)


@pytest.mark.parametrize("fold", range(2, 11))
def test_orientation_is_invisible_below_the_fold(fold: int) -> None:
    def moved(l: int) -> float:
        return max(abs(star_harmonic(fold, l, m, 0.1) - star_harmonic(fold, l, m)) for m in range(-l, l + 1))

    assert all(moved(l) == 0 for l in range(fold))
    assert moved(fold) > 0.01


@pytest.mark.parametrize("solid", SOLIDS)
def test_first_degree_of_the_solids(solid: str) -> None:
    points, first = SOLIDS[solid]
    assert first_visible_degree(torch.tensor(points, dtype=torch.float64)) == first


def test_power_is_that_of_the_harmonics() -> None:
    points = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    unit = (points / points.norm(dim=-1, keepdim=True)).numpy()
    polar, azimuth = np.arccos(unit[:, 2]), np.arctan2(unit[:, 1], unit[:, 0])
    for l in range(8):
        direct = sum(abs(sph_harm_y(l, m, polar, azimuth).sum()) ** 2 for m in range(-l, l + 1))
        assert harmonic_power(points, l) == pytest.approx(direct, rel=1e-11)


def test_a_star_that_no_degree_sees_up_to_a_bound() -> None:
    assert first_visible_degree(dodecahedron(), up_to=5) is None


def test_bad_degrees() -> None:
    for fold, l, m in ((0, 1, 0), (2, 1, 2), *product([3], [-1], [0])):
        with pytest.raises(ArgumentError):
            star_harmonic(fold, l, m)
