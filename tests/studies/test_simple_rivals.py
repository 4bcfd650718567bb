"""Simple models: settings are chosen on a part of the training data, and what comes out is what scikit-learn gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.mechanics import bodies, nbody
from erlangen.studies.rivals import (
    VectorRidge,
    beside,
    boosters,
    charges,
    columns,
    lassos,
    logistics,
    machines,
    polar_bispectrum,
    polar_moduli,
    ridges,
    simplest,
)


def test_the_degree_is_found() -> None:
    x = torch.randn(300, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = (x[:, 0] * x[:, 1]).sum(-1)
    found = simplest(ridges(degrees=(1, 2)), x, y)
    assert found.settings.startswith("ridge of degree 2")
    assert max(found.held, key=found.held.__getitem__) in found.settings
    assert (found.predict(x) - y).abs().max() < 1e-4
    assert found.seconds > 0


def test_classes_and_several_numbers() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 3))
    inside = (np.square(x).sum(-1) < 2).astype(int)
    for candidates in (boosters(classes=True, rates=(0.1,), leaves=(15,)), machines(classes=True)):
        found = simplest(candidates, x, inside)
        assert (found.predict(x).numpy() == inside).mean() > 0.9
    assert (simplest(logistics(), x, (x[:, 0] > 0).astype(int)).predict(x).numpy() == (x[:, 0] > 0)).mean() > 0.97
    assert simplest(ridges(), x, x[:, :2]).predict(x).shape == (240, 2)
    column = simplest(ridges(degrees=(1, 2)), x, x[:, :1] ** 2)  # one column stays one, in the choice as well
    assert column.predict(x).shape == (240, 1)
    assert column.settings.startswith("ridge of degree 2")
    few = simplest(lassos(), x, np.stack([x[:, 0], 2 * x[:, 1]], 1)).model[-1]
    assert (few.coef_[0, 1:] == 0).all()
    assert (few.coef_[1, [0, 2]] == 0).all()
    smooth = simplest(machines(classes=False), x, np.sin(x[:, 0]))
    assert (smooth.predict(x).numpy() - np.sin(x[:, 0])).std() < 0.1
    assert simplest(boosters(classes=False, leaves=(15,)), x, x[:, 0]).predict(x).dtype == torch.float64


def test_one_candidate_is_taken_as_it_is() -> None:
    found = simplest(ridges(alphas=(1e-6,)), np.arange(6.0)[:, None], np.arange(6.0))
    assert (found.settings, found.held) == ("ridge of degree 1, alpha 1e-06", {})
    with pytest.raises(ArgumentError, match="at least one model"):
        simplest({}, np.zeros((3, 1)), np.zeros(3))


@pytest.mark.parametrize(
    ("argument", "x", "y"),
    [
        ("y", np.zeros((0, 2)), np.zeros(0)),
        ("y", np.zeros((3, 2)), np.zeros(4)),
        ("y", np.zeros((3, 2)), np.array([0.0, np.nan, 1.0])),
        ("y", np.zeros((3, 2)), np.array(["a", "b", "a"])),
        ("y", np.arange(8.0), np.arange(8)),
        ("x", np.float64(1), np.zeros(1)),
    ],
)
def test_what_cannot_be_learned_is_refused(argument: str, x: np.ndarray, y: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match=f"argument '{argument}'"):
        simplest(machines(True), x, y)


def test_rare_classes_are_learned_from_and_columns_may_be_constant() -> None:
    rng = np.random.default_rng(0)
    y = np.array([0] * 30 + [1] * 30 + [2])
    x = np.stack([10.0 * y + rng.normal(size=61), np.ones(61)], 1).astype(np.float32)
    found = simplest(machines(True), x, y)
    assert found.predict(x)[-1] == 2
    pairs = np.repeat(np.arange(10), 2)  # a quarter of the data is less than a datum of each class
    assert simplest(machines(True), 10.0 * pairs, pairs).predict(10.0 * pairs).tolist() == pairs.tolist()
    alone = simplest(machines(True), x, np.ones(61, dtype=int))
    assert (alone.settings, alone.predict(x).unique().tolist()) == ("always the class 1, the only one", [1])
    line = torch.linspace(0, 1, 40, requires_grad=True)
    one = simplest(ridges(), line, 2 * line)
    assert one.predict(line).dtype == torch.float64
    assert float((one.predict(line) - 2 * line.detach()).abs().max()) < 1e-4


def test_a_score_that_is_no_number_chooses_nothing() -> None:
    x = np.linspace(-1, 1, 40)
    found = simplest(ridges(alphas=(1.0, 1e-6)), x, x, score=lambda a, b: float("nan") if abs(a - b).max() > 1e-3 else 1.0)
    assert found.settings.startswith("ridge of degree 1, alpha 1e-06")


def test_columns_are_flat() -> None:
    assert columns(np.zeros((0, 2, 3))).shape == (0, 6)
    assert columns(torch.zeros(4, 2, 3, dtype=torch.float32)).shape == (4, 6)
    assert columns([1.0, 2.0]).shape == (2, 1)


def test_a_ridge_of_vectors_finds_their_numbers_and_turns_along() -> None:
    x = torch.randn(20, 5, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()
    weights = np.array([1.0, -2.0, 0.5, 0.0])
    y = np.einsum("nbkd,k->nbd", x, weights).reshape(20, -1)
    model = VectorRidge(1e-9, 4).fit(columns(x), y)
    np.testing.assert_allclose(model.predict(columns(x)), y, atol=1e-7)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    there = model.predict(columns(x @ turn)).reshape(20, 5, 3)
    np.testing.assert_allclose(there, model.predict(columns(x)).reshape(20, 5, 3) @ turn, atol=1e-9)


def test_charges_need_no_network() -> None:
    """The law has float32's rounding of the states; the ridge a third of a straight line's error or less."""
    parts = [(bodies(d.x.float()), bodies(d.y.float())["pos"]) for d in (nbody("train", 400), nbody("test", 200))]
    found = charges(*parts[0], *parts[1])
    now, later = parts[1]
    line = (now["pos"] + 0.7 * now["vel"] - later).square().mean((1, 2))
    assert found.law.median() < 1e-12
    assert found.ridge.mean() < line.mean() / 2
    assert found.ridge.median() < line.median() / 3
    rows = beside([found, found], "the network", 0.02, 30.0, "200 systems")
    assert [row.winner for row in rows] == ["rival", "rival" if found.ridge.mean() < 0.02 else "method"]
    assert rows[1].rival.value == pytest.approx(float(found.ridge.mean()))


def test_polar_invariants_do_not_see_rotations_and_only_one_sees_mirrors() -> None:
    """A smooth image, turned by its formula, not by interpolation."""
    line = torch.linspace(-1, 1, 40)
    y, x = torch.meshgrid(-line, line, indexing="ij")

    def image(angle: float) -> torch.Tensor:
        c, s = math.cos(angle), math.sin(angle)
        u, v = c * x + s * y, c * y - s * x
        return (torch.exp(-8 * ((u - 0.3) ** 2 + v**2)) + 0.5 * torch.exp(-12 * (u**2 + (v - 0.5) ** 2)))[None]

    mirrored = image(0.0).flip(-1)
    for invariants, sees in ((polar_moduli, False), (polar_bispectrum, True)):
        here = invariants(image(0.0))
        turned, flipped = (np.linalg.norm(invariants(x) - here) / np.linalg.norm(here) for x in (image(0.7), mirrored))
        assert turned < 0.06
        assert (flipped > 0.1) == sees


def test_rows_of_one_thing_are_never_on_both_sides() -> None:
    """Of noise, copies in training tell the class of held-out copies; without them there is nothing to know."""
    from sklearn.dummy import DummyClassifier
    from sklearn.neighbors import KNeighborsClassifier

    rng = np.random.default_rng(0)
    x, y, of = np.repeat(rng.normal(size=(60, 5)), 4, 0), np.repeat(rng.integers(0, 2, 60), 4), np.repeat(np.arange(60), 4)
    both = {"nearest": lambda: KNeighborsClassifier(1), "often": DummyClassifier}
    assert simplest(both, x, y).held["nearest"] > 0.95
    assert simplest(both, x, y, of=of).held["nearest"] < 0.8
    for wrong in (of[:-1], np.zeros(len(y))):
        with pytest.raises(ArgumentError, match="of"):
            simplest(both, x, y, of=wrong)


def test_scores_of_several_draws_are_averaged():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 3)), rng.normal(size=24)
    each = [simplest(ridges(), x, y, seed=k).held for k in (5, 6, 7)]
    found = simplest(ridges(), x, y, seed=5, draws=3)
    assert found.held == pytest.approx({name: sum(one[name] for one in each) / 3 for name in each[0]})
    assert "3 held-out quarters" in found.settings


def test_without_a_draw_nothing_is_chosen():
    x = np.random.default_rng(0).normal(size=(24, 3))
    for draws in (0, -1, 1.5):
        with pytest.raises(ArgumentError, match="draws"):
            simplest(ridges(), x, x[:, 0], draws=draws)
