"""The study of learned canonicalization runs, small, and says what it measured; the cost of the default networks."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import erlangen as er
from erlangen.actions import Images
from erlangen.errors import ArgumentError
from erlangen.groups import SO, Cyclic
from erlangen.nn import EGNN, Lifting
from erlangen.studies.canonicalize import STUDY, Config
from erlangen.studies.canonicalize.adapt import fit, named_right
from erlangen.studies.canonicalize.along_samples import along_samples
from erlangen.studies.canonicalize.images import consistency, lift
from erlangen.symmetrize import Energy, Lift, Vectors
from erlangen.testing import check_outcome
from erlangen.training import supervised


@pytest.mark.parametrize("part", ["nbody", "adapt"])
def test_parts_run(part):
    outcome = STUDY.run(Config(part=part, seconds=0.1, samples=200, seeds=2), quiet=True)
    assert check_outcome(STUDY, outcome)
    if part == "nbody":
        law, ridge = [claim.baseline for claim in outcome.claims if claim.key == "rival"]
        assert law.value < 1e-4
        assert ridge.value < 0.08
        assert len(outcome.metrics["learned"]["moved"]) == 2
    assert outcome.name == "canonicalize"
    assert len(list(outcome.claims)) >= 3
    exact = [claim for claim in outcome.claims if claim.reported == "exact"]
    assert exact and all(claim.holds for claim in exact)  # noqa: PT018 - what is exact is so without training
    if part == "adapt":
        simple = outcome.metrics["simple"]
        # A mean and a choice over all four turns do not ask which one came.
        for way in ("the surest turn", "the mean over turns"):
            assert all(len(set(right)) == 1 for right in simple[way])
        assert min(map(min, simple["a classifier of turns"])) > 0
        # The rival is the best on images held out, which need not be the best on the test.
        chosen = outcome.metrics["chosen"]
        best = max(chosen, key=lambda way: sum(chosen[way]))
        assert outcome.claims[0].baseline.value == pytest.approx(sum(map(min, simple[best])) / 2)


@pytest.mark.slow
@pytest.mark.parametrize("full", [False, True])
def test_images_run(full):
    outcome = STUDY.run(Config(part="images", seconds=0.2 / (60 if full else 1), samples=100, seeds=2, full=full), quiet=True)
    assert check_outcome(STUDY, outcome)
    assert next(claim for claim in outcome.claims if claim.reported == "exact").holds
    assert outcome.claims[0].baseline.value == pytest.approx(sum(outcome.metrics["rival"]) / 2)
    assert ("CN(SO(2))" in outcome.metrics) == full
    assert max(outcome.metrics["rival"]) < 90


@pytest.mark.slow
def test_along_samples():
    found = along_samples(Config(seeds=2), True, (120, 240), 0.2)
    assert found.method == "CircleNet"
    assert [len(found.curves[name][0]) for name in ("CircleNet", "SVM on polar Fourier moduli", "CN(C16)")] == [2, 2, 1]
    assert all(0 < value < 90 for name in found.rivals[:2] for runs in found.curves[name] for value in runs)


def test_an_unknown_part_is_named():
    with pytest.raises(ArgumentError) as caught:
        STUDY.run(dataclasses.replace(Config(), part="weights"))
    assert caught.value.argument == "part"


def test_consistency_is_one_by_construction_and_not_without():
    torch.manual_seed(0)
    act = Images(Cyclic(4).irrep(1))
    x = torch.rand(40, 1, 32, 32)
    f = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32 * 32, 10))
    model = er.symmetrize(f, act, act.group.scalar, frame=lift(act), check=False)
    assert consistency(model, x, Images(SO(2).vector), 0)[0] == 1
    assert consistency(f, x, Images(SO(2).vector), 0)[0] < 0.9


def test_the_prior_on_upright_images_leaves_them_upright():
    """A classifier that knows one pose only, frozen; the network that turns images up learns from the prior alone."""
    torch.manual_seed(0)
    x = 0.3 * torch.rand(300, 1, 28, 28)
    x[:, :, :10] += 0.7  # the sky is bright
    act = Images(Cyclic(4).irrep(1))
    labels = torch.arange(300) % 2
    x[labels == 1, :, 20:, :10] += 0.5
    f, score = (torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(28 * 28, outputs)) for outputs in (2, 1))
    fit(f, (x, labels), supervised(torch.nn.functional.cross_entropy), 1.0, 0)
    model = er.symmetrize(f.requires_grad_(False), act, act.group.scalar, frame=Energy(score, prior=1.0), check=False)
    fit(model, (x,), lambda model, x: model.frames(x).losses["prior"], 1.0, 1)
    assert model.frames(x).info["identity_metric"].mean() >= 0.95
    with torch.no_grad():
        upright = named_right(f, x, labels)
        assert upright > 0.9
        for k in range(4):
            assert named_right(model, torch.rot90(x, k, (2, 3)), labels) >= 0.95 * upright


def flops(call) -> int:
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        call()
    return counter.get_total_flops()


def test_canonicalization_costs_a_fraction_of_the_model():
    """Operations, not seconds: a learned pose adds less than a tenth of a network of pairs, or of a common convolutional network."""
    torch.manual_seed(0)
    group, x = er.E(3), torch.randn(16, 20, 3)
    net = EGNN(moving=False)

    class Energies(torch.nn.Module):
        def forward(self, x):
            return net(x)[1].mean(1)

    bare = flops(lambda: Energies()(x))
    both = flops(lambda: er.symmetrize(Energies(), group.point, group.scalar, frame=Vectors(), check=False)(x))
    assert bare < both <= 1.1 * bare
    act = Images(Cyclic(4).irrep(1))
    wide = torch.nn.Sequential(
        *(m for a, b in ((3, 64), (64, 64), (64, 128)) for m in (torch.nn.Conv2d(a, b, 3, padding=1), torch.nn.ReLU())),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
    )
    images = torch.rand(4, 3, 33, 33)
    frame = Lift(Lifting(act, 3, width=16, kernel=5, stride=2, padding=2))
    bare = flops(lambda: wide(images))
    both = flops(lambda: er.symmetrize(wide, act, act.group.scalar, frame=frame, check=False).eval()(images))
    assert bare < both <= 1.1 * bare
