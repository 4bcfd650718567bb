"""The students are invariant before any training, and have the room to be the hard functions."""

from __future__ import annotations

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.measure.hardness import (
    CosReLU,
    DegreeParity,
    GraphCosReLU,
    GraphReLU,
    OrbitCNN,
    SignInvariantMLP,
    SparseInvariant,
    SumGNN,
)

#: A ring of seven nodes with a chord.
GRAPH = torch.eye(7).roll(1, 0) + torch.eye(7).roll(-1, 0)
GRAPH[0, 3] = GRAPH[3, 0] = 1


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("n", [4, 7, 10])
def test_message_passing_is_invariant_and_can_be_the_parity(n):
    family = DegreeParity(n)
    x = family.sample_inputs(64, seeded(0))
    student = SumGNN(n)
    assert er.equivariance_error(student, x, family.action, family.action.group.scalar, generator=seeded(0))["worst"] <= 1e-5
    for seed in range(3):
        target = family.sample_target(seeded(seed))
        with torch.no_grad():
            assert (student.become(target)(x) - target(x)).abs().max() < 1e-4


@pytest.mark.parametrize("group", [er.Cyclic(9), er.Dihedral(9)], ids=["cyclic", "dihedral"])
def test_convolutions_are_invariant_and_can_be_the_hard_function(group):
    family = CosReLU(9, 4, group)
    x = family.sample_inputs(64, seeded(0))
    student = OrbitCNN(family.elements, 32)
    assert er.equivariance_error(student, x, family.action, group.scalar, generator=seeded(0))["worst"] <= 1e-5
    target = family.sample_target(seeded(0))
    with torch.no_grad():
        assert (student.become(target)(x) - target(x)).abs().max() < 1e-4


def test_a_circular_layer_is_a_circular_correlation():
    student = OrbitCNN(er.Cyclic(8).elements(), 5)
    x = torch.randn(6, 8, generator=seeded(0))
    spectrum = torch.fft.fft(x)[:, None] * torch.fft.fft(student.filters).conj()
    t = torch.fft.ifft(spectrum).real  # [B, channel, shift]
    with torch.no_grad():
        expected = student.out((t + student.bias[:, None]).relu().sum(2) / 8**0.5).squeeze(1)
        assert torch.allclose(student(x), expected, atol=1e-5)


def test_graph_convolution_can_be_the_hard_function():
    family = GraphCosReLU(GRAPH, 6, 4)
    target, x = family.sample_target(seeded(0)), family.sample_inputs(64, seeded(1))
    with torch.no_grad():
        assert (GraphReLU(family.smooth, 6).become(target)(x) - target(x)).abs().max() < 1e-4


@pytest.mark.parametrize("m", [1, 3])
def test_the_perceptron_of_lengths_is_invariant(m):
    family = SparseInvariant(5, 2, er.O(m))
    x = family.sample_inputs(32, seeded(0))
    verdict = er.equivariance_error(SignInvariantMLP(5), x, family.action, family.action.group.scalar, generator=seeded(0))
    assert verdict["worst"] <= 1e-5


def test_students_refuse_what_they_cannot_be():
    for make in (
        lambda: SumGNN(5).become(DegreeParity(6).sample_target()),
        lambda: SumGNN(5, width=4).become(DegreeParity(5).sample_target()),
        lambda: OrbitCNN(er.Cyclic(5).elements()).become(CosReLU(5, 2).sample_target()),
        lambda: OrbitCNN(er.Cyclic(5).elements(), 3).become(CosReLU(5, 2, er.Cyclic(5)).sample_target()),
        lambda: GraphReLU(torch.eye(7), 6).become(GraphCosReLU(GRAPH, 6, 4).sample_target()),
    ):
        with pytest.raises(ArgumentError) as caught:
            make()
        assert caught.value.argument == "target"
