"""Fréchet distances against closed forms; what counts as new, unique, valid; baselines."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.crystals import Protostructure
from erlangen.fields.crystals.wyckoffdiff import (
    EnergyEncoder,
    Judge,
    frechet_distance,
    independent_positions,
    known_crystals,
    other_elements,
    space_group_distances,
)
from erlangen.fields.crystals.wyckoffdiff.features import features

F64 = torch.float64
HALIDES = [
    Protostructure.from_wyckoffs(225, [("a", x), ("b", y)]) for x in ("Li", "Na", "K", "Rb", "Cs") for y in ("F", "Cl", "Br", "I")
]
PEROVSKITES = [
    Protostructure.from_wyckoffs(221, [("a", x), ("b", y), ("c", "O")]) for x in ("Ca", "Sr", "Ba") for y in ("Ti", "Zr", "Hf")
]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def with_moments(mean: Tensor, root: Tensor, n: int, seed: int) -> Tensor:
    """A sample with exactly this mean and the covariance ``root^T root``."""
    x = torch.randn(n, len(mean), generator=generator(seed), dtype=F64)
    x = x - x.mean(0)
    white = x @ torch.linalg.inv(torch.linalg.qr(x / (n - 1) ** 0.5, mode="r").R)
    return white @ root + mean


def test_frechet_distance_of_known_moments() -> None:
    d, g = 5, generator()
    turn = torch.linalg.qr(torch.randn(d, d, generator=g, dtype=F64)).Q
    means = torch.randn(2, d, generator=g, dtype=F64)
    widths = torch.rand(2, d, generator=g, dtype=F64) + 0.1
    # Covariances that commute: the distance is that of the axes' standard deviations.
    x, y = (with_moments(means[i], widths[i].diag() @ turn, 60 + i, i) for i in range(2))
    expected = float((means[0] - means[1]).square().sum() + (widths[0] - widths[1]).square().sum())
    assert frechet_distance(x, y) == pytest.approx(expected, abs=1e-8)
    # Any two, by matrix roots.
    roots = torch.randn(2, d, d, generator=g, dtype=F64)
    x, y = (with_moments(means[i], roots[i], 60, i + 7) for i in range(2))
    one, other = (root.mT @ root for root in roots)
    values, vectors = torch.linalg.eigh(one)
    half = vectors @ values.sqrt().diag() @ vectors.mT
    shared = torch.linalg.eigvalsh(half @ other @ half).clamp(min=0).sqrt().sum()
    expected = float((means[0] - means[1]).square().sum() + one.trace() + other.trace() - 2 * shared)
    assert frechet_distance(x, y) == pytest.approx(expected, abs=1e-8)


def test_frechet_distance_is_one() -> None:
    x, y = torch.randn(40, 6, generator=generator(), dtype=F64), torch.randn(30, 6, generator=generator(1), dtype=F64) * 2
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-10)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), abs=1e-10)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=generator(2), dtype=F64)).Q
    assert frechet_distance(x @ turn + 3, y @ turn + 3) == pytest.approx(frechet_distance(x, y), abs=1e-9)
    few, fewer = x[:3], y[:2]  # fewer than dimensions
    assert frechet_distance(few, fewer) > 0
    assert frechet_distance(few, few) == pytest.approx(0.0, abs=1e-10)
    for bad in (x[:1], x[:, :3], torch.full((3, 6), torch.nan)):
        with pytest.raises(ArgumentError):
            frechet_distance(x, bad)


def test_features_are_those_of_the_crystal() -> None:
    """Alike for all descriptions, different for different elements or positions."""
    crystals = [*HALIDES[:3], *PEROVSKITES[:3], Protostructure.from_wyckoffs(62, [("a", "Ti"), ("c", "O"), ("d", "O", 2)])]
    x = features(crystals)
    assert x.shape == (7, 120)
    again = features([one.equivalents()[-1] for one in crystals])
    torch.testing.assert_close(again, x, rtol=1e-10, atol=1e-10)
    apart = torch.cdist(x, x) + torch.eye(7, dtype=F64)
    assert float(apart.min()) > 1e-3
    with pytest.raises(ArgumentError, match="Lr"):
        features([Protostructure.from_wyckoffs(225, [("a", 110)])])


def test_an_encoder_learns_energies() -> None:
    crystals = HALIDES + PEROVSKITES
    energies = [-2.0 + 0.1 * one.composition.get("I", 0) for one in HALIDES] + [-3.5] * len(PEROVSKITES)
    encoder = EnergyEncoder(crystals, energies, steps=200, quiet=True)
    assert float((encoder.energies(crystals) - torch.tensor(energies)).abs().mean()) < 0.05
    assert encoder.embedded(crystals).shape == (29, 64)
    assert encoder.distance(HALIDES, PEROVSKITES) > 10 * encoder.distance(HALIDES[::2], HALIDES[1::2])
    assert encoder.distance(HALIDES, PEROVSKITES, trained=False) > 0


def test_what_is_new_and_what_is_valid() -> None:
    judge = Judge(HALIDES, PEROVSKITES)
    other = Protostructure.from_wyckoffs(225, [("b", "Na"), ("a", "Cl")])  # a known crystal in its other description
    generated = [
        None,
        other,
        HALIDES[0],
        HALIDES[0],
        Protostructure.from_wyckoffs(225, [("a", "Mg"), ("b", "O")]),  # a new crystal of a known prototype
        Protostructure.from_wyckoffs(225, [("a", "Na"), ("c", "Cl")]),  # a new prototype whose charges do not balance
        *PEROVSKITES[:2],
    ]
    found = judge(generated)
    assert found.requested == 8
    assert found.empty == 1 / 8
    assert found.unique == 6 / 8
    assert found.novel == 4 / 8
    assert found.new_prototype == 3 / 8
    assert found.valid == 6 / 8
    assert found.space_group_tv == pytest.approx(5 / 7)
    assert (found.fwd, found.fwd_features) == (None, None)
    assert found.elements == pytest.approx(16 / 7)
    assert found.atoms == 8
    with pytest.raises(ArgumentError, match="at least one"):
        judge([])
    with pytest.raises(ArgumentError, match="training"):
        Judge([], PEROVSKITES)


def test_too_few_have_no_distance() -> None:
    """Shares of what was asked for are numbers all the same; what needs crystals that there are not is none, and says so."""
    encoder = EnergyEncoder(HALIDES, torch.arange(len(HALIDES)).double(), steps=2, quiet=True)
    judge = Judge(HALIDES, PEROVSKITES, encoder)
    empty = judge([None] * 3)
    assert (empty.requested, empty.empty, empty.unique, empty.novel, empty.new_prototype, empty.valid) == (3, 1, 0, 0, 0, 0)
    for name in ("elements", "atoms", "space_group_tv", "space_group_js", "fwd", "fwd_features"):
        assert math.isnan(getattr(empty, name)), name
    single = judge([None, HALIDES[0]])
    assert (single.empty, single.unique, single.novel, single.elements, single.space_group_tv) == (0.5, 0.5, 0, 2, 1)
    assert math.isnan(single.fwd)
    assert math.isnan(single.fwd_features)
    twice = judge([PEROVSKITES[0]] * 2)  # no spread, but a mean
    assert 0 < twice.fwd < math.inf
    assert twice.unique == 0.5
    assert math.isnan(Judge(HALIDES, PEROVSKITES[:1], encoder)(PEROVSKITES[:3]).fwd)


def test_distances_of_space_groups() -> None:
    assert space_group_distances([1, 2, 2], [2, 1, 2]) == (0.0, 0.0)
    tv, js = space_group_distances([1], [2])
    assert tv == 1.0
    assert js == pytest.approx(torch.tensor(2.0).log().item())
    with pytest.raises(ArgumentError):
        space_group_distances([], [1])


def test_baselines() -> None:
    made = independent_positions(4000, HALIDES, generator())
    for position, element, share in ((0, 11, 1 / 5), (1, 17, 1 / 4), (0, 17, 0.0)):
        seen = sum(one is not None and (position, element, 1) in one.sites for one in made) / 4000
        assert seen == pytest.approx(share, abs=0.025)
    pairs = sum(one is not None and {(0, 11, 1), (1, 17, 1)} <= set(one.sites) for one in made) / 4000
    assert pairs == pytest.approx(1 / 20, abs=0.015)
    drawn = other_elements(200, PEROVSKITES, generator())
    assert {one.prototype() for one in drawn} == {PEROVSKITES[0].prototype()}
    assert {e for one in drawn for e in one.counts} <= {e for one in PEROVSKITES for e in one.counts}
    assert all(len(one.counts) == 3 for one in drawn)
    floor = known_crystals(5, HALIDES, generator())
    assert len(set(floor)) == 5
    with pytest.raises(ArgumentError):
        known_crystals(100, HALIDES)
