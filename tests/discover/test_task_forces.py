"""Forces between bodies along the lines that join them: the group of moves of space, from vectors alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from erlangen.discover.task import task_symmetries
from erlangen.discover.task.modulated_network import ModulatedNetwork
from erlangen.discover.task.pair_network import PairNetwork, Pairs


@pytest.mark.parametrize(
    ("bodies", "strength"),
    [
        pytest.param(3, lambda r: torch.exp(-(r**2) / 2), id="three, Gaussian"),
        pytest.param(2, lambda r: 1 - 1 / r, id="two, springs", marks=pytest.mark.slow),
        pytest.param(4, lambda r: (r**2 + 0.25) ** -1.5, id="four, softened gravity", marks=pytest.mark.slow),
    ],
)
def test_central_forces_follow_se3(bodies: int, strength: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(250, bodies, 3, generator=torch.Generator().manual_seed(41), dtype=torch.float64)
    apart = x[:, :, None] - x[:, None]
    length = apart.norm(dim=3, keepdim=True) + torch.eye(bodies, dtype=torch.float64)[:, :, None]
    found = task_symmetries(x, -(apart * strength(length)).sum(2), target="vector")
    assert found.exact
    assert found.algebra is not None
    assert found.algebra.name == "se(3)"
    A = found.generators[..., :3]
    assert float((A + A.mT).norm() / A.norm()) < 0.02


def test_the_derivatives_of_a_modulated_network_are_those_of_autograd() -> None:
    rng = torch.Generator().manual_seed(42)
    phi = torch.randn(5, 4, generator=rng, dtype=torch.float64)
    power = torch.tensor([0, 0, 1, 1])
    network = ModulatedNetwork(power, power == 0, 2, 3, 2, rng)
    weights = network.weights

    def of_weights(w: Tensor) -> Tensor:
        network.weights = w
        return network(phi)

    expected = torch.autograd.functional.jacobian(of_weights, weights)
    network.weights = weights
    y, J = network.weight_jacobian(phi)
    assert torch.allclose(y, network(phi))
    assert torch.allclose(J, expected.flatten(0, 1))
    slopes = torch.autograd.functional.jacobian(lambda p: network(p).sum(0), phi)
    _, found = network.input_jacobian(phi, torch.eye(4, dtype=torch.float64).expand(5, 4, 4))
    assert torch.allclose(found, slopes.movedim(0, 1))
    assert len(network.prior) == len(weights)


def test_the_derivatives_of_a_sum_over_pairs_are_those_of_autograd() -> None:
    rng = torch.Generator().manual_seed(43)
    x = torch.randn(5, 3, 2, generator=rng, dtype=torch.float64)
    pairs = Pairs(x, 2)
    network = PairNetwork(pairs.power, pairs.degree <= 1, 2, 3, 2, rng)
    phi, weights = pairs(x), network.weights

    def of_weights(w: Tensor) -> Tensor:
        network.weights = w
        return network(phi)

    expected = torch.autograd.functional.jacobian(of_weights, weights)
    network.weights = weights
    y, J = network.weight_jacobian(phi)
    assert torch.allclose(y, network(phi))
    assert torch.allclose(J, expected.flatten(0, 1))
    slopes = torch.autograd.functional.jacobian(lambda tokens: network(pairs(tokens)).sum(0), x)
    y, found = network.input_jacobian(phi, pairs.gradient(x))
    assert torch.allclose(y, network(phi))
    assert torch.allclose(found, slopes.movedim(1, 0))
    # Tokens in another order have their vectors in that order.
    swapped = network(pairs(x[:, [1, 0, 2]])).unflatten(1, (3, 2))
    assert torch.allclose(swapped, y.unflatten(1, (3, 2))[:, [1, 0, 2]])
