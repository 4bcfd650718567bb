"""Orbit normals: SGP4 against first-order theory, and what is a symmetry of it."""

from __future__ import annotations

import math
import sys

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError, MissingExtra
from erlangen.fields.mechanics.satellites import nodal_drift, orbit_normals, shipped_normals

pytest.importorskip("sgp4")


def test_the_planes_turn_about_the_pole_as_theory_says() -> None:
    before, after = orbit_normals(200, 3.0, generator=torch.Generator().manual_seed(0), revolutions=(14.5, 14.5))
    assert torch.allclose(before.norm(dim=1), torch.ones(200, dtype=torch.float64))
    assert (before[:, 2] - after[:, 2]).abs().max() < 5e-4  # inclinations stay
    turned = torch.atan2(after[:, 1], after[:, 0]) - torch.atan2(before[:, 1], before[:, 0])
    turned = torch.remainder(turned + math.pi, 2 * math.pi) - math.pi
    wanted = torch.tensor([3 * nodal_drift(math.acos(z), 14.5) for z in before[:, 2].tolist()])
    steep = before[:, :2].norm(dim=1) > 0.2
    assert (turned - wanted)[steep].abs().max() < 0.02


def test_normals_are_isotropic_and_repeatable() -> None:
    first, _ = orbit_normals(2000, 0.0, generator=torch.Generator().manual_seed(1))
    again, _ = orbit_normals(2000, 0.0, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first, again)
    assert (first.mT @ first / 2000 - torch.eye(3) / 3).abs().max() < 0.03


def test_shipped_satellites() -> None:
    before, after, numbers = shipped_normals(1.0)
    assert len(before) == len(after) == len(numbers) >= 20
    assert 5 in numbers  # Vanguard 1
    assert bool(((before * after).sum(1) > 0.9).all())


def test_bad_input_and_a_missing_engine_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentError, match="'count'"):
        orbit_normals(0, 1.0)
    with pytest.raises(ArgumentError, match="'revolutions'"):
        orbit_normals(1, 1.0, revolutions=(15.0, 14.0))
    monkeypatch.setitem(sys.modules, "sgp4.api", None)
    with pytest.raises(MissingExtra, match="orbits"):
        orbit_normals(1, 1.0)


def test_rotations_about_the_pole_are_the_symmetry() -> None:
    before, after = orbit_normals(300, 4.0, generator=torch.Generator().manual_seed(0))
    from erlangen.discover.soft import graded_belief

    belief = graded_belief(before, after[:, None], [er.SO(3), er.SO(2, axis="z"), er.SO(2, axis="x")])
    assert belief.degrees.best == "SO(2) about z"
    assert belief["SO(2) about x"].status != "exact"
    assert belief["SO(3)"].status != "exact"
