"""The kernel of forces: a closed form that says its own data, whose forces are a gradient and move as the molecule does."""

import dataclasses

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.molecules import bond_permutations, fit_force_kernel, fit_pair_potentials, trajectory


@pytest.fixture(scope="module")
def ethanol():
    return trajectory("ethanol")


@pytest.fixture(scope="module")
def fitted(ethanol):
    return fit_force_kernel(ethanol[:40], noise=1e-12)


def at(frames, positions):
    return dataclasses.replace(frames, positions=positions)


def test_it_says_the_forces_that_it_was_given(ethanol, fitted):
    """Forces of the quantum chemistry are a gradient: nothing of them is lost where the six motions are left out."""
    learn = ethanol[:40]
    assert (fitted(learn) - learn.forces).abs().max() < 1e-3 * learn.forces.abs().max()


def test_forces_are_a_gradient(ethanol, fitted):
    """Their derivative by positions is symmetric, which is checked without the formula that made them."""
    frame = ethanol[900:901]
    jacobian = torch.autograd.functional.jacobian(lambda pos: fitted(at(frame, pos)).flatten(), frame.positions).flatten(1)
    assert jacobian.abs().max() > 1
    assert torch.allclose(jacobian, jacobian.T, atol=1e-8 * float(jacobian.abs().max()))


def test_forces_turn_and_are_permuted_along_and_balance(ethanol, fitted):
    frames = ethanol[900:905]
    forces = fitted(frames)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
    assert torch.allclose(fitted(at(frames, frames.positions @ turn.T + 1)), forces @ turn.T, atol=1e-6)
    assert forces.sum(1).abs().max() < 1e-7
    for order in bond_permutations(frames):
        assert torch.allclose(fitted(at(frames, frames.positions[:, order])), forces[:, order], atol=1e-6)


def test_the_system_is_that_of_second_derivatives(ethanol):
    """Beside derivatives by autograd of the covariance of energies: the same forces, of a sum over two permutations."""
    length, noise, learn, new = 2.0, 1e-3, ethanol[:3], ethanol[500:502]
    orders = torch.tensor([list(range(9)), [0, 1, 2, 4, 3, *range(5, 9)]])
    i, j = torch.triu_indices(9, 9, 1)

    def covariance(one, other):
        x = 1 / (one[i] - one[j]).norm(dim=-1)
        total = 0.0
        for order in orders:
            y = 1 / (other[order][i] - other[order][j]).norm(dim=-1)
            s = 5**0.5 / length * ((x - y).square().sum() + 1e-11).sqrt()  # its kink at zero, smoothed
            total = total + (1 + s + s.square() / 3) * (-s).exp()
        return total

    def block(one, other):
        return torch.func.jacrev(torch.func.jacrev(covariance, 0), 1)(one, other).reshape(27, 27)

    def gram(first, second):
        return torch.cat([torch.cat([block(a, b) for b in second.positions], 1) for a in first.positions])

    k = gram(learn, learn)
    # The same noise, relative to the mean over the directions that forces have.
    share = noise * k.diagonal().sum() / (3 * 21)
    weights = torch.linalg.solve(k + share * torch.eye(81, dtype=k.dtype), learn.forces.flatten())
    wanted = (gram(new, learn) @ weights).view(2, 9, 3)
    assert torch.allclose(fit_force_kernel(learn, length, noise, orders)(new), wanted, atol=1e-4)


def test_permutations_are_those_of_bonds(ethanol):
    found = bond_permutations(ethanol)
    assert len(found) == 12
    assert len(bond_permutations(trajectory("malonaldehyde"))) == 4
    assert {tuple(order[:3].tolist()) for order in found} == {(0, 1, 2)}


def test_it_is_ahead_of_fitted_pairs_and_products(ethanol):
    learn, new = ethanol[:500:10], ethanol[1000:1100]
    off = [
        float((fit(new) - new.forces).abs().mean())
        for fit in (fit_force_kernel(learn), fit_pair_potentials(learn, products=True, penalty=1e-5))
    ]
    assert off[0] < 0.7 * off[1]


def test_unusable_arguments_are_named(ethanol):
    frames = ethanol[:3]
    for name, value in (("length", 0.0), ("noise", -1.0), ("permutations", torch.zeros(2, 9, dtype=torch.int64))):
        with pytest.raises(ArgumentError, match=name):
            fit_force_kernel(frames, **{name: value})
    with pytest.raises(ArgumentError, match="learn"):
        fit_force_kernel(ethanol[:0])
    with pytest.raises(ArgumentError, match="frames"):
        fit_force_kernel(frames)(trajectory("malonaldehyde")[:3])


def test_permutations_that_are_no_group_or_mix_elements_are_refused(ethanol):
    own, few = bond_permutations(ethanol), ethanol[:3]
    turn = next(p for p in own if not torch.equal(p[p], torch.arange(9)) and torch.equal(p[p[p]], torch.arange(9)))
    fit_force_kernel(few, permutations=torch.stack([torch.arange(9), turn, turn[turn]]))
    mixed = torch.tensor([list(range(9)), [8, *range(1, 8), 0]])
    for wrong in (torch.stack([torch.arange(9), turn]), own[:1].repeat(2, 1), own[:0], own.double(), mixed):
        with pytest.raises(ArgumentError, match="permutations"):
            fit_force_kernel(few, permutations=wrong)


def test_atoms_in_one_place_and_equations_without_solution_are_refused(ethanol):
    few, fitted = ethanol[:3], fit_force_kernel(ethanol[:3])
    meeting = few.positions.clone()
    meeting[1, 0] = meeting[1, 1]
    with pytest.raises(ArgumentError, match="learn"):
        fit_force_kernel(dataclasses.replace(few, positions=meeting))
    with pytest.raises(ArgumentError, match="frames"):
        fitted(dataclasses.replace(few, positions=meeting))
    with pytest.raises(ArgumentError, match="learn"):
        fit_force_kernel(dataclasses.replace(few, forces=few.forces * float("nan")))
    with pytest.raises(ArgumentError, match="noise"):
        fit_force_kernel(ethanol[[0, 0, 1, 1]], noise=1e-300)
