"""Examples and concepts: closed forms against automatic differentiation, the simplex against its optimality, layers that move or not."""

from __future__ import annotations

import itertools
import sys

import pytest
import torch

import erlangen as er
from erlangen.actions import OnAxes
from erlangen.errors import ArgumentError, MissingExtra
from erlangen.measure.explain import (
    CAR,
    CAV,
    ExplanationRobustness,
    Influence,
    RepSim,
    SimplEx,
    TracIn,
    guarantee,
    simplex_weights,
    symmetrize_explainer,
)

F64 = torch.float64
T = 12
SHIFTS = OnAxes({-1: er.Cyclic(T).vector})


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    circular = {"padding": 1, "padding_mode": "circular"}
    return torch.nn.Sequential(
        torch.nn.Conv1d(1, 8, 3, **circular),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool1d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8, 5),
        torch.nn.Tanh(),
        torch.nn.Linear(5, 3),
    ).double()


@pytest.fixture(scope="module")
def data():
    rng = torch.Generator().manual_seed(1)
    x, y = torch.randn(46, 1, T, dtype=F64, generator=rng), torch.randint(3, (46,), generator=rng)
    return x[:6], y[:6], x[6:], y[6:]


def last_gradients(net, x, y):
    """By automatic differentiation, datum by datum, ``[B, C (d + 1)]``."""
    rows = []
    for datum, label in zip(x, y):
        loss = torch.nn.functional.cross_entropy(net(datum[None]), label[None])
        weight, bias = torch.autograd.grad(loss, [net[-1].weight, net[-1].bias])
        rows.append(torch.cat([weight, bias[:, None]], 1).flatten())
    return torch.stack(rows)


def test_tracin_is_the_product_of_gradients(net, data):
    x, y, examples, labels = data
    expected = last_gradients(net, x, y) @ last_gradients(net, examples, labels).mT
    assert torch.allclose(TracIn(net, "6", examples, labels)(x, y), expected, atol=1e-12)
    earlier = {name: 0.5 * value for name, value in net.state_dict().items()}
    both = TracIn(net, "6", examples, labels, [net.state_dict(), earlier], [1.0, 0.1])(x, y)
    other = torch.nn.Sequential(*net)
    kept = {name: value.clone() for name, value in net.state_dict().items()}
    other.load_state_dict(earlier)
    then = last_gradients(other, x, y) @ last_gradients(other, examples, labels).mT
    other.load_state_dict(kept)
    assert torch.allclose(both, expected + 0.1 * then, atol=1e-12)


def test_influence_solves_with_the_hessian_of_automatic_differentiation(net, data):
    x, y, examples, labels = data
    hidden = torch.cat([net[:-1](examples), torch.ones(len(examples), 1, dtype=F64)], 1).detach()

    def loss(flat):
        return torch.nn.functional.cross_entropy(hidden @ flat.view(3, 6).mT, labels)

    weights = torch.cat([net[-1].weight, net[-1].bias[:, None]], 1).detach().flatten()
    hessian = torch.func.hessian(loss)(weights) + 1e-3 * torch.eye(18, dtype=F64)
    expected = last_gradients(net, x, y) @ torch.linalg.solve(hessian, last_gradients(net, examples, labels).mT)
    assert torch.allclose(Influence(net, "6", examples, labels)(x, y), expected, rtol=1e-8, atol=1e-10)


def test_examples_by_loss_are_invariant(net, data):
    x, y, examples, labels = data
    for explainer in (TracIn(net, "6", examples, labels), Influence(net, "6", examples, labels)):
        assert guarantee(explainer, net, SHIFTS, x) == "guaranteed"
        verdict = ExplanationRobustness(net, explainer, SHIFTS).score(x, y)
        assert verdict.claim.endswith("invariant")
        assert float((1 - verdict.witness.scores).abs().max()) <= 1e-8


@pytest.mark.parametrize("method", [RepSim, SimplEx], ids=["RepSim", "SimplEx"])
def test_representations_are_as_invariant_as_their_layer(net, data, method):
    x, y, examples, _ = data
    moving, pooled = method(net, "1", examples), method(net, "3", examples)
    assert ExplanationRobustness(net, moving, SHIFTS).score(x, y)["mean"] < 0.99
    assert guarantee(moving, net, SHIFTS, x).startswith("none: the layer")
    assert abs(1 - ExplanationRobustness(net, pooled, SHIFTS).score(x, y)["mean"]) <= 1e-9
    assert guarantee(pooled, net, SHIFTS, x) == "guaranteed"


def test_simplex_weights_satisfy_the_conditions_of_optimality():
    rng = torch.Generator().manual_seed(0)
    for points, d in ((30, 50), (40, 6), (5, 3)):
        corners = torch.randn(points, d, dtype=F64, generator=rng)
        targets = 2 * torch.randn(8, d, dtype=F64, generator=rng)
        w = simplex_weights(corners, targets)
        assert torch.allclose(w.sum(1), torch.ones(8, dtype=F64))
        assert (w >= 0).all()
        # At the nearest point of the hull no corner lies further ahead in the direction of the target.
        residual = targets - w @ corners
        ahead = torch.einsum("bd,bnd->bn", residual, corners - (w @ corners).unsqueeze(1))
        assert float(ahead.max()) <= 1e-9
    inside = torch.softmax(torch.randn(4, 5, dtype=F64, generator=rng), 1)
    corners = torch.randn(5, 9, dtype=F64, generator=rng)
    assert torch.allclose(simplex_weights(corners, inside @ corners), inside, atol=1e-9)


def test_a_ridge_makes_weights_unique_where_examples_surround_the_datum(net, data):
    rng = torch.Generator().manual_seed(2)
    corners, targets = torch.randn(30, 4, dtype=F64, generator=rng), 0.1 * torch.randn(3, 4, dtype=F64, generator=rng)
    noise = 1e-9 * torch.randn(3, 4, dtype=F64, generator=rng)
    order = torch.randperm(30, generator=rng)
    for ridge, same in ((0.0, False), (1e-3, True)):
        one, other = simplex_weights(corners, targets, ridge), simplex_weights(corners[order], targets + noise, ridge)
        assert torch.allclose(one[:, order], other, atol=1e-6) == same
        # The datum lies in the hull, and a small ridge keeps the combination near it.
        assert float((one @ corners - targets).norm(dim=1).max()) < 0.05
    # The condition of optimality with the ridge.
    s = (corners - corners.mean(0)).square().sum(1).mean()
    gradient = (one @ corners - targets) @ corners.mT + 1e-3 * s * one
    assert float((gradient - gradient.min(1, keepdim=True).values)[one > 1e-9].abs().max()) < 1e-9
    x, _, examples, _ = data
    assert guarantee(SimplEx(net, "3", examples, ridge=0), net, SHIFTS, x) == "conditional: weights are unique"
    many = SimplEx(net, "3", examples)
    assert abs(1 - ExplanationRobustness(net, many, SHIFTS).score(x)["mean"]) <= 1e-9
    assert guarantee(many, net, SHIFTS, x) == "guaranteed"
    with pytest.raises(ArgumentError, match="'ridge'"):
        SimplEx(net, "3", examples, ridge=-1)


def test_simplex_weights_are_at_least_as_near_as_the_references_descent():
    rng = torch.Generator().manual_seed(1)
    corners, targets = torch.randn(20, 8, dtype=F64, generator=rng), torch.randn(3, 8, dtype=F64, generator=rng)
    free = torch.zeros(3, 20, dtype=F64, requires_grad=True)
    optimizer = torch.optim.Adam([free], lr=0.05)
    for _ in range(1000):
        optimizer.zero_grad()
        loss = (free.softmax(1) @ corners - targets).square().sum()
        loss.backward()
        optimizer.step()
    assert (simplex_weights(corners, targets) @ corners - targets).square().sum() <= loss + 1e-9


def concepts(rng):
    """Series with one tall peak, and with several low ones."""
    peak = torch.zeros(60, 1, T, dtype=F64)
    peak[torch.arange(60), 0, torch.randint(4, (60,), generator=rng)] = 4.0
    noise = torch.randn(120, 1, T, dtype=F64, generator=rng)
    return {"peak": (peak + 0.3 * noise[:60], noise[60:]), "level": (noise[:60] + 1, noise[60:] - 1)}


@pytest.mark.parametrize("method", [CAV, CAR], ids=["CAV", "CAR"])
def test_concepts_find_what_they_are_fitted_to_and_are_as_invariant_as_their_layer(net, method):
    rng = torch.Generator().manual_seed(0)
    shown = concepts(rng)
    fresh = concepts(torch.Generator().manual_seed(9))
    # A wide untrained layer, so that there is something to see.
    torch.manual_seed(1)
    wide = torch.nn.Sequential(
        torch.nn.Conv1d(1, 32, 3, padding=1, padding_mode="circular"),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool1d(1),
        torch.nn.Flatten(),
    ).double()
    moving, pooled = method(wide, "1", shown), method(wide, "3", shown)
    for column, (present, absent) in enumerate(fresh.values()):
        right = torch.cat([pooled(present)[:, column], ~pooled(absent)[:, column]]).double().mean()
        assert right > 0.8
    x = torch.cat([fresh["peak"][0][:10], fresh["peak"][1][:10]])
    verdict = ExplanationRobustness(wide, pooled, SHIFTS).score(x)
    assert "accuracy" in verdict.reason
    assert verdict["mean"] == 1
    assert guarantee(pooled, wide, SHIFTS, x) == "guaranteed"
    assert ExplanationRobustness(wide, moving, SHIFTS).score(x)["mean"] < 0.99
    assert guarantee(moving, wide, SHIFTS, x).startswith("none: the layer")


def test_averaging_concepts_over_more_elements_makes_them_invariant(net):
    shown = concepts(torch.Generator().manual_seed(0))
    x = concepts(torch.Generator().manual_seed(9))["peak"][0][:20]
    torch.manual_seed(1)
    wide = torch.nn.Sequential(torch.nn.Conv1d(1, 8, 3, padding=1, padding_mode="circular"), torch.nn.ReLU()).double()
    cav = CAV(wide, "1", shown)
    found = []
    for n in (1, 3, 6, T):
        averaged = symmetrize_explainer(cav, SHIFTS, "invariant", n, round=True)
        assert averaged(x).dtype == torch.bool
        found.append(ExplanationRobustness(wide, averaged, SHIFTS).score(x))
    for before, after in itertools.pairwise(found):
        error = 2 * (before["standard_error"] ** 2 + after["standard_error"] ** 2) ** 0.5
        assert after["mean"] >= before["mean"] - error
    assert found[0]["mean"] == ExplanationRobustness(wide, cav, SHIFTS).score(x)["mean"]
    assert found[0]["mean"] < 0.99
    assert found[-1]["mean"] == 1


def test_layers_and_labels_that_are_not_there_are_named(net, data):
    _, _, examples, labels = data
    with pytest.raises(ArgumentError, match="'layer'"):
        RepSim(net, "conv9", examples)
    with pytest.raises(ArgumentError, match="'layer'"):
        RepSim(net, torch.nn.ReLU(), examples)
    with pytest.raises(ArgumentError, match="'last'"):
        TracIn(net, "5", examples, labels)
    with pytest.raises(ArgumentError, match="'rates'"):
        TracIn(net, "6", examples, labels, [net.state_dict()], [1.0, 2.0])
    with pytest.raises(ArgumentError, match="'damp'"):
        Influence(net, "6", examples, labels, damp=0)
    with pytest.raises(ArgumentError, match="'concepts'"):
        CAV(net, "1", {})


@pytest.mark.parametrize("module", ["sklearn", "captum"])
def test_a_missing_engine_names_the_extra(net, monkeypatch, module):
    from erlangen.measure.explain import captum_explainer

    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=r"erlangen\[explain\]"):
        captum_explainer("DeepLift", net) if module == "captum" else CAV(net, "1", concepts(torch.Generator()))
