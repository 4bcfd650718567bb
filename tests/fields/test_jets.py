"""Jets: the cache's physics, and live generation."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError, MissingExtra
from erlangen.fields.jets import MASSES, JetTable, cached, generate, jets
from erlangen.fields.jets.cache import CACHE

TABLE = cached()
METRIC = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))


def square(p: torch.Tensor) -> torch.Tensor:
    return torch.einsum("...i,ij,...j->...", p, METRIC, p)


def test_layout_and_balance():
    train, test = jets(), jets("test", constituents=2)
    assert train.x.shape == (4000, 20, 4)
    assert test.x.shape == (2000, 2, 4)
    assert len(jets("all")) == 6000
    assert train.x.dtype == torch.float64
    assert train.y.sum() == 2000
    assert test.y.sum() == 1000
    assert (train.target, train.units, train.names) == ("class", "GeV", ("E", "px", "py", "pz"))
    assert torch.equal(jets("test").x[:, :2], test.x)
    assert CACHE.stat().st_size < 2_000_000


def test_no_jet_is_in_both_parts_or_twice():
    assert len(np.unique(TABLE.jets, axis=0)) == 6000
    hardest = {tuple(p) for p in jets("train").x[:, 0].tolist()}
    assert not hardest & {tuple(p) for p in jets("test").x[:, 0].tolist()}


def test_every_particle_is_on_its_mass_shell():
    p = TABLE.four_momenta(20)
    masses = torch.from_numpy(TABLE.masses)
    assert ((square(p) - masses**2).abs() <= 1e-15 * 4 * p[..., 0] ** 2).all()
    assert set(np.unique(np.abs(TABLE.particles)).tolist()) == {0, *MASSES}
    photons = torch.from_numpy(TABLE.particles == 22)
    assert 0.3 < photons.sum() / (TABLE.particles != 0).sum() < 0.5  # neutral pions decay to two photons each


def test_padding_is_zero_and_only_at_the_end():
    p = jets("all").x
    real = p[..., 0] > 0
    assert torch.equal(real.sum(1), torch.from_numpy(np.minimum(TABLE.counts, 20)).long())
    assert (real[:, :-1] | ~real[:, 1:]).all()
    assert (p[~real] == 0).all()
    assert np.array_equal(real.numpy(), TABLE.particles != 0)


def test_particles_add_up_to_the_jet_where_all_are_kept():
    p = TABLE.four_momenta(20).sum(1).numpy()
    whole = TABLE.counts <= 20
    assert whole.sum() == 90
    assert np.abs(p - TABLE.jets)[whole].max() < 1e-4  # GeV of 600: the momenta are stored in float32
    assert np.all(p[~whole, 0] < TABLE.jets[~whole, 0])


def test_cuts_and_order():
    pt = np.hypot(TABLE.jets[:, 1], TABLE.jets[:, 2])
    assert pt.min() > 550
    assert pt.max() < 650
    assert np.abs(np.arcsinh(TABLE.jets[:, 3] / pt)).max() < 2
    particles = TABLE.four_momenta(20)
    hardness = particles[..., 1:3].norm(dim=-1)
    assert (hardness[:, :-1] >= hardness[:, 1:] - 1e-5).all()
    axis = torch.from_numpy(TABLE.jets)[:, None]
    turn = torch.atan2(particles[..., 2], particles[..., 1]) - torch.atan2(axis[..., 2], axis[..., 1])
    turn = torch.remainder(turn + torch.pi, 2 * torch.pi) - torch.pi
    rapidity = torch.atanh(particles[..., 3] / particles[..., 0]) - torch.atanh(axis[..., 3] / axis[..., 0])
    # A cluster of radius 0.8 may reach beyond 0.8 from its final axis, yet nearly all of it lies within.
    assert (torch.hypot(turn, rapidity)[particles[..., 0] > 0] < 0.8).double().mean() > 0.995


def test_medians():
    top, mass = TABLE.labels == 1, TABLE.jet_mass
    assert np.median(mass[top]) == pytest.approx(170.0, abs=1.5)
    assert np.median(mass[~top]) == pytest.approx(72.5, abs=2.5)
    assert TABLE.counts[top].mean() == pytest.approx(70.5, abs=1.5)
    assert TABLE.counts[~top].mean() == pytest.approx(58.5, abs=1.5)


@pytest.mark.parametrize("constituents", [0, 21, -1])
def test_too_many_constituents(constituents):
    with pytest.raises(ArgumentError, match="'constituents': expected 1 to 20"):
        jets(constituents=constituents)


def test_unknown_split():
    with pytest.raises(ArgumentError, match="argument 'split'"):
        jets("validation")


def test_save_and_load(tmp_path):
    part = TABLE.subset(np.arange(5))
    part.save(tmp_path / "a.npz")
    again = JetTable.load(tmp_path / "a.npz")
    for field in ("momenta", "particles", "jets", "counts", "labels"):
        assert np.array_equal(getattr(part, field), getattr(again, field))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_live_jets_reproduce_the_cache():
    pytest.importorskip("pythia8mc")
    pytest.importorskip("fastjet")
    seen = []
    table = generate(6, seed=1, constituents=20, progress=lambda done, n: seen.append((done, n)))
    assert seen == [(i, 6) for i in range(1, 7)]
    np.testing.assert_allclose(table.jets, TABLE.jets[:6], rtol=1e-9)
    assert np.array_equal(table.particles, TABLE.particles[:6])
    np.testing.assert_allclose(table.momenta, TABLE.momenta[:6], rtol=1e-6)
    assert table.labels.tolist() == [1, 0, 1, 0, 1, 0]


def test_live_jets_with_all_particles():
    pytest.importorskip("pythia8mc")
    pytest.importorskip("fastjet")
    table = generate(3, seed=7)
    assert table.labels.tolist() == [1, 0, 1]
    total = table.four_momenta(200).sum(1).numpy()
    np.testing.assert_allclose(total, table.jets, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    ("argument", "options"),
    [("n", {"n": 0}), ("constituents", {"n": 1, "constituents": 0}), ("seed", {"n": 1, "seed": -1})],
)
def test_generate_refuses(argument, options):
    with pytest.raises(ArgumentError, match=f"argument '{argument}'"):
        generate(**options)


@pytest.mark.parametrize("engine", ["pythia8mc", "fastjet"])
def test_generate_without_an_engine(monkeypatch, engine):
    monkeypatch.setitem(sys.modules, "pythia8mc", None if engine == "pythia8mc" else ModuleType("pythia8mc"))
    monkeypatch.setitem(sys.modules, engine, None)
    with pytest.raises(MissingExtra, match=rf"'{engine}'.*erlangen\[jets\]"):
        generate(1)
