"""The study of orbit distance minimization: its parts run, and the ordering that it claims."""

import math

import pytest
import torch

from erlangen.fields.scattering import lorentz_elements, momenta
from erlangen.studies import orbit
from erlangen.studies.orbit import POLAR, RIDGE, STUDY, SYMMETRIC, Config, run, scattering_models, settled
from erlangen.testing import check_outcome


@pytest.fixture
def few(monkeypatch):
    """A twentieth of the events, a tenth of the images, a few steps: what is exact does not depend on their number."""
    momenta, fashion = orbit.momenta, orbit.fashion
    monkeypatch.setattr(orbit, "FEWEST", 4)
    monkeypatch.setattr(orbit, "momenta", lambda count, seed: momenta(count // 20, seed))
    monkeypatch.setattr(orbit, "fashion", lambda split: fashion(split).subset(slice(600 if split == "train" else 200)))


@pytest.mark.parametrize("part", ["lorentz", "so2"])
def test_runs_and_reports_every_model(part, few):
    outcome = run(Config(part=part, seconds=0.1, seeds=2), quiet=True)
    assert check_outcome(STUDY, outcome)
    table, *others = outcome.metrics[part]
    assert len(others) == 1
    assert len(outcome.claims) == (17 if part == "lorentz" else 7)
    if part == "so2":
        assert table[POLAR]["error"] < 60
    for name, row in table.items():
        assert all(math.isfinite(value) for value in row.values()), name
    if part == "lorentz":
        # The target is a polynomial of the products: with the law's form in hand there is nothing left to learn.
        assert table[RIDGE]["moved"] < 1e-8
        assert outcome.answer.startswith("Ridge on the ten products is better")
        assert set(SYMMETRIC) < set(table)
        # Exact symmetry does not wait for training.
        for name in set(SYMMETRIC) - {"orbit, probabilistic"}:
            assert table[name]["moved"] == pytest.approx(table[name]["unmoved"], rel=0.02)


def test_models_of_a_seed_are_the_same():
    one, two = (scattering_models(3)["orbit"].state_dict() for _ in range(2))
    assert all(value.equal(two[name]) for name, value in one.items())


def test_learning_in_the_pose_is_learning_through_the_frame():
    """What a model of settled momenta gives, and its gradient, are those of the whole model."""
    p, moved = momenta(40, 0), momenta(40, 0) @ lorentz_elements(40, 1).mT
    for name in ("Gram-Schmidt", "frame and exponential"):
        model = scattering_models(0)[name].double()
        if name != "Gram-Schmidt":
            torch.nn.init.normal_(model.frame.network.layers[-1].weight, std=0.1)
        learner, (pose, other) = settled(model, p, moved)
        assert torch.allclose(pose, other, atol=1e-8)
        assert {id(weight) for weight in learner.parameters()} <= {id(weight) for weight in model.parameters()}
        weight = model.model.layers[0].weight
        gradients = [torch.autograd.grad(net(x).square().sum(), weight)[0] for net, x in ((learner, pose), (model, p))]
        assert torch.allclose(*gradients, rtol=1e-6)
        assert torch.allclose(learner(pose), model(moved), atol=1e-8)
    plain = scattering_models(0)["plain"]
    assert settled(plain, p)[0] is plain


@pytest.mark.slow
def test_ordering_in_three_seeds():
    outcome = run(Config(part="lorentz"), quiet=True)
    for table in outcome.metrics["lorentz"]:
        moved = {name: row["moved"] for name, row in table.items()}
        for name in ("orbit", "orbit, projected", "orbit, probabilistic", "frame and exponential"):
            assert moved[name] < moved["augmented"] < moved["plain"]
            assert moved[name] <= 0.1 * moved["plain"]
        assert moved["products"] < min(moved["orbit"], moved["Gram-Schmidt"])
