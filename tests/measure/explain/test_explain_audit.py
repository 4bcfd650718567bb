"""An audit's table of explainers: scores beside guarantees, the user's own explainers, and what it leaves out."""

from __future__ import annotations

import json

import torch

import erlangen as er
from erlangen.actions import OnAxes
from erlangen.measure.explain import Saliency, captum_explainer

F64 = torch.float64
T = 10
C = er.Cyclic(T)
X = torch.randn(40, 1, T, dtype=F64, generator=torch.Generator().manual_seed(0))
SHIFTS = OnAxes({-1: C.vector})


def classifier(pooled):
    torch.manual_seed(0)
    conv = torch.nn.Conv1d(1, 6, 3, padding=1, padding_mode="circular")
    head = [torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten(), torch.nn.Linear(6, 3)]
    flat = [torch.nn.Flatten(), torch.nn.Linear(6 * T, 3)]
    return torch.nn.Sequential(conv, torch.nn.ReLU(), *(head if pooled else flat)).double()


def test_scores_stand_beside_what_is_guaranteed(tmp_path):
    result = er.audit(classifier(True), X, SHIFTS, C.scalar)
    rows = {row.name: row for row in result.robustness}
    assert list(rows) == ["Saliency", "Input x Gradient", "Integrated Gradients", "Feature Ablation"]
    for row in rows.values():
        assert row.guarantee == "guaranteed"
        assert row.score["worst"] > 1 - 1e-9
        assert row.score.tried == 8
        assert row.seconds > 0
    text = str(result)
    assert "Integrated Gradients: equivariant to 1.0000 (worst 1.0000), guaranteed" in text
    page = result.report(tmp_path / "audit.html").read_text()
    assert "Robustness of explanations" in page
    assert json.loads(json.dumps(result.as_dict()))["robustness"][0]["guarantee"] == "guaranteed"

    plain = er.audit(classifier(False), X, SHIFTS, C.scalar, generator=torch.Generator().manual_seed(1))
    for row in plain.robustness:
        assert row.guarantee.startswith("none: the model is not invariant")
        assert row.score["mean"] < 0.99


def test_given_explainers_are_scored_for_their_targets():
    model = classifier(True)
    y = model(X).argmax(1)
    calls = []
    given = {
        "DeepLift": captum_explainer("DeepLift", model),
        "first half": lambda x, target: calls.append(target) or x * (torch.arange(T) < T // 2),
    }
    result = er.audit(model, X, SHIFTS, C.scalar, explainers=given, target=y)
    rows = {row.name: row for row in result.robustness}
    assert rows["DeepLift"].guarantee == "guaranteed"
    assert rows["DeepLift"].score["worst"] > 1 - 1e-9
    assert rows["first half"].guarantee.startswith("none")
    assert rows["first half"].score["mean"] < 0.9
    assert torch.equal(calls[0], y[:16])
    # The audit's own explainers explain the same classes: at the data themselves, and repeated over their copies.
    from erlangen.measure.explain.table import _quantity

    quantity = _quantity(model, SHIFTS, C.scalar, y)
    assert torch.equal(quantity(X), model(X).gather(1, y[:, None]).squeeze(1))
    assert torch.equal(quantity(X.repeat_interleave(3, 0)), quantity(X).repeat_interleave(3))
    listed = er.audit(model, X, SHIFTS, C.scalar, explainers=[Saliency(model, absolute=True)], target=0)
    assert listed.robustness[-1].name == "Saliency"
    assert listed.robustness[-1].guarantee == "guaranteed"


def test_groups_that_do_not_permute_entries_and_actions_that_are_not_linear():
    x = torch.randn(6, 5, 3, dtype=F64, generator=torch.Generator().manual_seed(0))
    G = er.SO(3)
    model = lambda p: p.norm(dim=-1).sum(1) + p.mean(1).square().sum(1)  # noqa: E731
    rows = {row.name: row for row in er.audit(model, x, G.vector, G.scalar).robustness}
    assert rows["Saliency"].guarantee == "guaranteed"
    assert rows["Saliency"].score["worst"] > 1 - 1e-9
    assert rows["Input x Gradient"].guarantee == "none: the group does not permute entries"
    assert rows["Input x Gradient"].score["mean"] < 0.9

    E = er.SE(3)
    distances = lambda p: torch.cdist(p, p).sum((1, 2))  # noqa: E731
    moved = er.audit(distances, x, E.point, E.scalar)
    assert moved.explanations
    assert moved.robustness == ()

    L = er.SO(1, 3)
    eta = torch.diag(torch.tensor([1.0, -1, -1, -1], dtype=F64))
    mass = lambda p: torch.einsum("bni,ij,bmj->b", p, eta, p)  # noqa: E731
    momenta = torch.randn(6, 5, 4, dtype=F64, generator=torch.Generator().manual_seed(0))
    rows = {row.name: row for row in er.audit(mass, momenta, L.vector, L.scalar).robustness}
    assert rows["Saliency"].guarantee == "guaranteed"
    assert rows["Saliency"].score["worst"] > 1 - 1e-9


def test_vectors_out_several_arguments_and_large_data():
    G = er.SO(3)
    x = (torch.randn(4, 5, 3, dtype=F64), torch.randn(4, 5, 3, dtype=F64))
    result = er.audit(lambda p, v: (p + 2 * v).mean(1), x, (G.vector, G.vector), G.vector)
    rows = {row.name: row for row in result.robustness}
    assert rows["Saliency"].guarantee == "guaranteed"
    assert rows["Saliency"].score["worst"] > 1 - 1e-9
    wide = er.audit(lambda t: t.square().sum((1, 2)), torch.randn(4, 8, T, dtype=F64), SHIFTS, C.scalar)
    assert [row.name for row in wide.robustness] == ["Saliency", "Input x Gradient", "Integrated Gradients"]


def test_ragged_batches_are_audited_without_explanations():
    from erlangen.symmetrize import Segment

    G = er.SO(3)
    x = {"pos": torch.randn(9, 3, dtype=F64), "batch": torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 1])}
    model = lambda data: torch.zeros(2, dtype=F64).index_add(0, data["batch"], data["pos"].norm(dim=1)).unsqueeze(1)  # noqa: E731
    result = er.audit(model, x, {"pos": G.vector, "batch": Segment(G)}, G.scalar)
    assert result.equivariance
    assert result.explanations is None
    assert result.robustness == ()
