"""Trajectories: that the shipped ones are what they say, and that the engine gives such."""

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.molecules import Trajectory, simulate, trajectory

KB = 8.617333e-5  # eV per kelvin


@pytest.mark.parametrize("molecule", ["ethanol", "malonaldehyde"])
def test_shipped_frames_are_whole_and_forces_balance(molecule):
    data = trajectory(molecule)
    assert (len(data), data.positions.dtype) == (1600, torch.float64)
    # No net force and no net torque: what any potential of relative positions has.
    assert data.forces.sum(1).abs().max() < 1e-6
    about = data.positions - data.positions.mean(1, keepdim=True)
    assert torch.linalg.cross(about, data.forces).sum(1).abs().max() < 2e-4  # what is left of the self-consistency
    # Equipartition: 3n - 6 vibrations, nearly harmonic at 500 K, let the potential energy vary by kT sqrt((3n - 6) / 2).
    assert float(data.energies.std()) == pytest.approx(KB * 500 * (21 / 2) ** 0.5, rel=0.15)
    # Bonds hold.
    assert torch.pdist(data.positions[0]).min() > 0.8
    assert not torch.equal(data.positions[0], data.positions[1])


def test_parts_batches_and_files(tmp_path):
    data = trajectory()[:3]
    batch = data.batch(torch.float32)
    assert (len(batch), batch.pos.shape, batch.pos.dtype) == (3, (27, 3), torch.float32)
    assert batch.numbers.view(3, 9)[2].tolist() == data.numbers.tolist()
    data.save(tmp_path / "few.npz")
    assert torch.equal(Trajectory.load(tmp_path / "few.npz").forces, data.forces)
    with pytest.raises(ArgumentError, match="'forces'"):
        Trajectory(data.numbers, data.positions, data.energies, data.forces[:1])
    with pytest.raises(ArgumentError, match="'molecule'.*simulate"):
        trajectory("benzene")


def test_the_engine_gives_the_gradient_of_its_energy():
    pytest.importorskip("tblite")
    pytest.importorskip("rdkit")
    from ase import Atoms
    from tblite.ase import TBLite

    data = simulate("O", 2, every=1, seed=3)
    assert data.numbers.tolist() == [8, 1, 1]
    step, energies = 1e-3, []
    for sign in (1, -1):
        moved = data.positions[1].numpy().copy()
        moved[1, 0] += sign * step
        energies.append(Atoms([8, 1, 1], moved, calculator=TBLite(method="GFN2-xTB", verbosity=0)).get_potential_energy())
    assert np.isclose(-(energies[0] - energies[1]) / (2 * step), float(data.forces[1, 1, 0]), atol=2e-3)
    with pytest.raises(ArgumentError, match="'smiles'"):
        simulate("not a molecule")
