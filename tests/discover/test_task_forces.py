"""Forces between two bodies along the line that joins them: the group of moves of space, from vectors alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from erlangen.discover.task import task_symmetries
from erlangen.discover.task.modulated_network import ModulatedNetwork


@pytest.mark.parametrize("strength", [lambda r: torch.exp(-(r**2) / 4), lambda r: 1 - 1 / r], ids=["Gaussian", "spring"])
def test_central_forces_follow_se3(strength: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(600, 2, 3, generator=torch.Generator().manual_seed(41), dtype=torch.float64)
    apart = x[:, 0] - x[:, 1]
    force = apart * strength(apart.norm(dim=1, keepdim=True))
    found = task_symmetries(x, torch.stack([force, -force], 1), target="vector")
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
