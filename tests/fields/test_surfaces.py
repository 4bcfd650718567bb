"""Surfaces: that labels are the simulator's, that structures are what they say, and the calculator that ASE sees."""

import numpy as np
import pytest
import torch

pytest.importorskip("ase")

import erlangen as er
from erlangen.actions import AtomBatch
from erlangen.errors import ArgumentError, MissingExtra
from erlangen.fields.surfaces import ADSORBATES, METALS, Labelled, emt_oc, random_surface
from erlangen.fields.surfaces.emt import LARGEST_ENERGY, LARGEST_FORCE
from erlangen.nn import FAENet, GradientForces, calculator
from erlangen.symmetrize import Principal


@pytest.fixture(scope="module")
def few():
    return emt_oc(12, cache=False)


def test_structures_are_slabs_with_adsorbates(few):
    batch = few.batch
    assert batch.pbc.tolist() == [[True, True, False]] * 12
    assert set(batch.tags.tolist()) == {0, 1, 2}
    for i in range(12):
        one = batch.select([i])
        assert (one.tags == 0).sum() == 8
        assert (one.tags == 1).sum() == 4
        assert 1 <= (one.tags == 2).sum() <= 7
        assert set(one.numbers[one.tags == 2].tolist()) <= {1, 6, 7, 8}
        assert set(one.numbers[one.tags < 2].tolist()) <= {13, 28, 29, 46, 47, 78, 79}
        heights = one.pos[:, 2]
        assert float(heights[one.tags == 2].min()) > float(heights[one.tags == 1].mean()) + 0.6
    assert float(few.energy.abs().max()) < LARGEST_ENERGY
    assert float(few.forces.norm(dim=1).max()) < LARGEST_FORCE


def test_labels_are_the_simulators_and_forces_its_gradients(few):
    from ase import Atoms
    from ase.calculators.emt import EMT

    for i in (0, 7):
        one = few.select([i])
        make = {"numbers": one.batch.numbers.numpy(), "cell": one.batch.cell[0].numpy(), "pbc": (True, True, False)}
        pos = one.batch.pos.numpy()
        slab = one.batch.tags.numpy() < 2

        def energy(pos, make=make, slab=slab):
            both, alone = Atoms(positions=pos, **make), Atoms(positions=pos, **make)[slab]
            both.calc, alone.calc = EMT(), EMT()
            return both.get_potential_energy(), both.get_potential_energy() - alone.get_potential_energy()

        assert energy(pos)[1] == pytest.approx(float(one.energy), abs=1e-9)
        step = np.zeros_like(pos)
        step[-1, 2] = 1e-4
        slope = (energy(pos + step)[0] - energy(pos - step)[0]) / 2e-4
        assert -slope == pytest.approx(float(one.forces[-1, 2]), abs=1e-4)


def test_labels_have_the_symmetry_that_models_are_given(few):
    from ase.calculators.emt import EMT

    rng = np.random.default_rng(1)
    atoms, _ = random_surface(rng)
    atoms.calc = EMT()
    before, forces = atoms.get_potential_energy(), atoms.get_forces()
    atoms.rotate(73.0, "z", rotate_cell=True)
    atoms.positions[:, 0] *= -1
    atoms.set_cell(atoms.cell.array * [-1, 1, 1])
    assert atoms.get_potential_energy() == pytest.approx(before, abs=1e-9)
    assert np.allclose(np.linalg.norm(atoms.get_forces(), axis=1), np.linalg.norm(forces, axis=1), atol=1e-9)


def test_a_larger_set_begins_with_the_smaller_one(few):
    more = emt_oc(14, cache=False, jobs=1)
    assert torch.equal(more.energy[:12], few.energy)
    assert not torch.equal(emt_oc(3, seed=1, cache=False).energy, few.energy[:3])


def test_the_cache_is_whole_and_without_pickles(few, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = emt_oc(12)
    (file,) = (tmp_path / "erlangen").iterdir()
    again = emt_oc(12)
    for a, b in ((made, again), (made, few)):
        assert torch.equal(a.energy, b.energy)
        assert torch.equal(a.forces, b.forces)
        for name, value in a.batch.record().items():
            assert torch.equal(value, b.batch.record()[name]), name
    with np.load(file, allow_pickle=False) as stored:
        assert "forces" in stored
    np.savez(tmp_path / "bad.npz", pos=np.zeros((1, 3)))
    with pytest.raises(ArgumentError, match="'path'"):
        Labelled.load(tmp_path / "bad.npz")


def test_selecting(few):
    some = few.select([5, 2])
    assert torch.equal(some.energy, few.energy[[5, 2]])
    assert torch.equal(some.forces[: int((few.batch.batch == 5).sum())], few.forces[few.batch.batch == 5])
    assert some.to(torch.float32).batch.pos.dtype == torch.float32
    with pytest.raises(ArgumentError, match="'structures'"):
        few.select([12])


def test_bad_requests(monkeypatch):
    for options, name in (({"count": 0}, "count"), ({"count": 1, "layers": 0}, "layers"), ({"count": 1, "seed": -1}, "seed")):
        with pytest.raises(ArgumentError, match=f"'{name}'"):
            emt_oc(**options)
    monkeypatch.setitem(__import__("sys").modules, "ase.build", None)
    with pytest.raises(MissingExtra, match="materials"):
        emt_oc(1, cache=False)


def test_all_adsorbates_and_metals_are_drawn():
    rng = np.random.default_rng(0)
    seen = [random_surface(rng)[0].get_chemical_symbols() for _ in range(60)]
    assert set().union(*map(set, seen)) == set(METALS) | {"H", "C", "N", "O"}
    assert len(ADSORBATES) == len(set(ADSORBATES)) == 52


def test_the_calculator_relaxes_with_forces_that_are_gradients():
    from ase.build import molecule
    from ase.optimize import BFGS

    torch.manual_seed(0)
    net = FAENet(
        cutoff=4.0, hidden_channels=32, num_filters=16, num_gaussians=8, num_interactions=1, tag_hidden_channels=0, pg_hidden_channels=4,
        phys_hidden_channels=4,
    ).double()  # fmt: skip
    G = er.SE(3)
    model = GradientForces(er.symmetrize(net, *net.records(G), frame=Principal(grad=True))).train()
    atoms = molecule("CH3CHO")
    atoms.rattle(0.05, seed=1)
    atoms.calc = calculator(model, 4.0, scale=2.0, per_element={6: 1.5, 1: -0.5})
    frozen = next(m for m in model.modules() if isinstance(m, torch.nn.BatchNorm1d | torch.nn.LayerNorm | torch.nn.Linear)).eval()
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    assert model.training
    assert not frozen.training
    record = AtomBatch.from_ase(atoms, dtype=torch.float64).with_edges(4.0).record()
    y = model.eval()(record)
    assert energy == pytest.approx(2 * float(y["energy"].detach()) + 2 * 1.5 - 4 * 0.5, abs=1e-9)
    assert np.allclose(forces, 2 * y["forces"].detach().numpy())
    h = 1e-5
    moved = []
    for sign in (1, -1):
        other = atoms.copy()
        other.positions[2, 0] += sign * h
        other.calc = atoms.calc
        moved.append(other.get_potential_energy())
    assert (moved[1] - moved[0]) / (2 * h) == pytest.approx(forces[2, 0], rel=1e-5)
    atoms.rotate(40, "x")
    assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-9)
    BFGS(atoms, logfile=None).run(fmax=1e-9, steps=3)
    assert atoms.get_potential_energy() < energy

    class Bad(torch.nn.Module):
        def forward(self, record):
            return {"dipole": record["pos"]}

    atoms.calc = calculator(Bad(), 4.0)
    with pytest.raises(ArgumentError, match="'model'"):
        atoms.get_potential_energy()
