"""Baselines that generators are judged beside, and properties that guide them."""

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.crystals import Crystal
from erlangen.fields.crystals.diffcsp import DiffCSP, Energy, Retrieval, random_crystals
from erlangen.training import TrainingConfig

F64 = torch.float64
pytestmark = pytest.mark.filterwarnings("ignore:the model has not been trained")


def salt(a="Na", b="Cl", edge=5.64):
    return Crystal(edge / 2 * (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), [a, b])


def fluorite(a="Ca", b="F", edge=5.46):
    return Crystal(edge / 2 * (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.25, 0.25, 0.25], [0.75, 0.75, 0.75]]), [a, b, b])


# ---- retrieval ----


def test_the_nearest_elements_are_found_and_exchanged():
    zincblende = Crystal(5.41 / 2 * (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.25, 0.25, 0.25]]), ["Zn", "S"])
    found = Retrieval([zincblende, salt()]).predict("KBr", 5)
    assert len(found) == 2
    first, second = found
    assert torch.allclose(first.fractional, salt().fractional)
    assert first.numbers.tolist() == [19, 35]  # K where Na was
    assert first.volume > salt().volume
    assert torch.allclose(second.fractional, zincblende.fractional)


def test_only_the_same_stoichiometry_serves():
    known = Retrieval([salt(), fluorite()])
    assert [len(one) for one in known.predict("BaCl2", 3)] == [3]
    assert known.predict("BaTiO3") == []
    assert known.predict("BaCl2")[0].composition == {"Ba": 1, "Cl": 2}


def test_a_known_composition_comes_back_as_it_was():
    one = Retrieval([salt(), fluorite()]).predict("NaCl")[0]
    assert torch.equal(one.cell, salt().cell)
    assert torch.equal(one.numbers, salt().numbers)


def test_chance_takes_known_cells():
    made = random_crystals("KBr", [salt(), fluorite()], 3, torch.Generator().manual_seed(0))
    assert all(torch.equal(one.cell, salt().cell) and one.composition == {"K": 1, "Br": 1} for one in made)
    with pytest.raises(ArgumentError, match="known"):
        random_crystals("BaTiO3", [salt()], 1, torch.Generator())
    with pytest.raises(ArgumentError, match="structures"):
        Retrieval([])


# ---- energies ----


def network():
    torch.manual_seed(0)
    return DiffCSP(width=16, layers=1, frequencies=4, steps=100)


def test_an_energy_is_invariant():
    energy = Energy(network()).double()
    rng = torch.Generator().manual_seed(0)
    record = {
        "lattice": 4 * torch.randn(3, 3, 3, generator=rng, dtype=F64),
        "frac": torch.rand(3, 4, 3, generator=rng, dtype=F64),
        "numbers": torch.randint(1, 90, (3, 4), generator=rng),
        "t": torch.tensor([1, 40, 90]),
    }
    q = torch.linalg.qr(torch.randn(3, 3, generator=rng, dtype=F64))[0]
    p = torch.tensor([2, 0, 3, 1])
    moved = {
        "lattice": record["lattice"] @ q,
        "frac": (record["frac"] + torch.rand(3, 1, 3, generator=rng, dtype=F64))[:, p],
        "numbers": record["numbers"][:, p],
        "t": record["t"],
    }
    assert (energy(**record) - energy(**moved)).abs().max() < 1e-10


def test_an_energy_is_learned_and_followed():
    crystals = [salt(edge=5.0 + 0.02 * i) for i in range(60)]
    volumes = torch.tensor([one.volume for one in crystals])
    model = network()
    model.fit(crystals, TrainingConfig(steps=120, batch_size=60, lr=5e-3, weight_decay=0.0), quiet=True)
    energy = Energy(model, width=24, layers=2)
    energy.fit(crystals, volumes, TrainingConfig(steps=150, batch_size=60, lr=5e-3, weight_decay=0.0), quiet=True)
    assert energy.history is not None
    assert sum(energy.history.losses[-10:]) < sum(energy.history.losses[:10])
    record = model.record(crystals)
    said = energy(t=torch.ones(60, dtype=torch.int64), **record).detach()
    assert float(torch.corrcoef(torch.stack([said, volumes.float()]))[0, 1]) > 0.8
    guide = energy.guide(0.1, target=40.0)
    x_t, _ = model.diffusion.process.noise(record, torch.full((60,), 20))
    liked = guide(x_t, torch.full((60,), 20))
    assert liked.shape == (60,)
    assert bool((liked <= 0).all())
    assert len(model.predict("NaCl", 2, steps=5, guide=energy.guide(0.01), seed=0)) == 2


def test_an_energy_has_the_precision_of_its_model():
    model = network()
    model.diffusion.double()
    energy = Energy(model).fit([salt(), salt(edge=5.0)], [1.0, 2.0], TrainingConfig(steps=2), quiet=True)
    assert energy.centre.dtype == F64
    assert len(model.predict("NaCl", steps=3, guide=energy.guide(0.1), seed=0)) == 1
    with pytest.raises(ArgumentError, match="layers"):
        Energy(model, layers=0)


def test_values_are_checked():
    energy = Energy(network())
    for values in ([1.0], [1.0, float("nan")]):
        with pytest.raises(ArgumentError, match="values"):
            energy.fit([salt(), salt()], values, TrainingConfig(steps=1), quiet=True)
