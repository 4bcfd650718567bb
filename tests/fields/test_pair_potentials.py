"""Pair potentials fitted by least squares: they find themselves, and their forces are a gradient."""

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.molecules import Trajectory, fit_pair_potentials, trajectory


def test_fitted_pair_potentials_find_their_own_forces():
    frames = trajectory("ethanol")[:40]
    fitted = fit_pair_potentials(frames)
    pair = Trajectory(frames.numbers, frames.positions, frames.energies, fitted(frames))
    assert torch.allclose(fit_pair_potentials(pair)(frames), pair.forces, atol=1e-6)
    assert pair.forces.sum(1).abs().max() < 1e-8
    # Frames do not see each other.
    moved = frames.positions.clone()
    moved[0, 0, 0] += 1e-3
    changed = fitted(Trajectory(frames.numbers, moved, frames.energies, frames.forces)) - pair.forces
    assert changed[1:].abs().max() < 1e-12 < changed[0].abs().max()


def test_a_spring_of_one_power_is_found_exactly():
    """Two atoms with the energy ``3 / r^2``: the force on the second is ``6 / r^3`` along the line between them."""
    r = torch.linspace(1, 2, 5, dtype=torch.float64)
    pos = torch.zeros(5, 2, 3, dtype=torch.float64)
    pos[:, 1, 0] = r
    forces = torch.zeros_like(pos)
    forces[:, 1, 0], forces[:, 0, 0] = 6 / r**3, -6 / r**3
    frames = Trajectory(torch.tensor([1, 1]), pos, 3 / r**2, forces)
    assert torch.allclose(fit_pair_potentials(frames, powers=(2,))(frames), forces, atol=1e-12)


def test_products_find_their_own_forces_and_are_better_on_new_frames():
    ethanol = trajectory("ethanol")
    learn, new = ethanol[:200], ethanol[1000:1100]
    fitted, plain = fit_pair_potentials(learn, products=True), fit_pair_potentials(learn)
    off, plainly = ((f(new) - new.forces).abs().mean() for f in (fitted, plain))
    assert off < 0.5 * plainly
    forces = fitted(new)
    assert forces.sum(1).abs().max() < 1e-8
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
    assert torch.allclose(fitted(Trajectory(new.numbers, new.positions @ turn.T, new.energies, forces)), forces @ turn.T, atol=1e-7)


def test_unusable_arguments_are_named():
    frames = trajectory("ethanol")[:5]
    with pytest.raises(ArgumentError, match="powers"):
        fit_pair_potentials(frames, powers=())
    with pytest.raises(ArgumentError, match="frames"):
        fit_pair_potentials(frames)(trajectory("malonaldehyde")[:5])
