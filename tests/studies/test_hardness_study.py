"""The study of hardness runs, small; its students are invariant, have the room, and learn the easy functions only."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.measure.hardness import CosReLU, DegreeParity, GraphCosReLU, SparseInvariant
from erlangen.studies.hardness import STUDY, train_student
from erlangen.studies.hardness.circles import CIRCLE
from erlangen.studies.hardness.circles import train as train_circle
from erlangen.studies.hardness.config import Config
from erlangen.studies.hardness.graphs import PARITY, graph
from erlangen.studies.hardness.graphs import train as train_graph
from erlangen.studies.hardness.rows import EASY, HARD, Row
from erlangen.studies.hardness.students import GraphReLU, OrbitCNN, SignInvariantMLP, SumGNN
from erlangen.training import TrainingConfig

TINY = Config(steps=2, seeds=1, functions=20, samples=50_000, jobs=1)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("part", ["tables", "graphs", "circles", "polynomials"])
def test_parts_run(part):
    outcome = STUDY.run(dataclasses.replace(TINY, part=part), quiet=True)
    assert outcome.name == "hardness"
    exact = [claim for claim in outcome.claims if claim.reported == "exact"]
    assert exact
    assert all(claim.holds for claim in exact)  # what is exact is so without training
    if part == "polynomials":
        assert next(claim for claim in outcome.claims if "growing basis" in claim.text).holds


@pytest.mark.slow
def test_the_whole_study_keeps_the_contract():
    assert er.testing.check_study(STUDY, TINY, quiet=True)


@pytest.mark.slow
def test_two_seeds_in_two_processes_give_the_same_numbers():
    config = dataclasses.replace(TINY, part="circles", seeds=2)
    one, two = (STUDY.run(dataclasses.replace(config, jobs=jobs), quiet=True).metrics["circles"] for jobs in (1, 2))
    assert one == two
    assert all(len(row["errors"]) == 2 for row in one.values())


def test_an_unknown_part_is_named():
    with pytest.raises(ArgumentError) as caught:
        STUDY.run(dataclasses.replace(Config(), part="weights"))
    assert caught.value.argument == "part"


# ---- students ----


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
    family = GraphCosReLU(graph(7), 6, 4)
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
        lambda: GraphReLU(torch.eye(7), 6).become(GraphCosReLU(graph(7), 6, 4).sample_target()),
    ):
        with pytest.raises(ArgumentError) as caught:
            make()
        assert caught.value.argument == "target"


# ---- training ----


def test_any_module_any_target():
    curve = train_student(
        lambda x: x[:, :1],
        nn.Linear(3, 1),
        lambda count, g: torch.randn(count, 3, generator=g),
        TrainingConfig(steps=400, lr=0.05, evaluate_every=100),
    )
    assert curve.steps == (100, 200, 300, 400)
    assert curve.final < 1e-4
    assert list(curve.errors) == sorted(curve.errors, reverse=True)
    assert curve.baseline == pytest.approx(1, abs=0.01)
    assert curve.variance == pytest.approx(1, abs=0.1)


def test_errors_are_relative_to_the_variance_of_the_labels():
    """A target a hundred times smaller is not learned just because its mean squared error is small."""
    silent = nn.Linear(3, 1).requires_grad_(True)
    nn.init.zeros_(silent.weight)
    nn.init.zeros_(silent.bias)
    config = TrainingConfig(steps=1, lr=1e-12)
    curve = train_student(lambda x: 0.01 * x[:, 0], silent, lambda count, g: torch.randn(count, 3, generator=g), config)
    assert curve.final == pytest.approx(1, abs=0.01)


def test_bad_targets_are_named():
    draw = lambda count, g: torch.randn(count, 3, generator=g)  # noqa: E731
    for who, target, student in (
        ("target", lambda x: torch.zeros(len(x)), nn.Linear(3, 1)),
        ("target", lambda x: x, nn.Linear(3, 1)),
        ("student", lambda x: x[:, 0], nn.Linear(3, 2)),
    ):
        with pytest.raises(ArgumentError) as caught:
            train_student(target, student, draw, TrainingConfig(steps=2))
        assert caught.value.argument == who


def test_the_hard_circle_is_not_learned_and_the_easy_one_is():
    hard, easy = (train_circle(Row(CIRCLE, 20, 6, kind, 64, 0, 1200)) for kind in (HARD, EASY))
    assert hard.final >= 0.9
    assert easy.final <= 0.05
    control = train_circle(Row(CIRCLE, 10, 2, HARD, 64, 0, 1200))
    assert control.final <= 0.05


@pytest.mark.slow
def test_the_parity_of_ten_nodes_is_not_learned_and_its_partner_is():
    hard, easy, control = (train_graph(Row(PARITY, n, 0, kind, 64, 0, 1000)) for n, kind in ((10, HARD), (10, EASY), (4, HARD)))
    assert hard.final >= 0.95
    assert easy.final <= 0.05
    assert control.final <= 0.05
