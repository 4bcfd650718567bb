"""Parts that a batch shares are held fixed by explainers, whatever their length; what each datum has goes along with its copies."""

from __future__ import annotations

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.measure.explain import (
    ExplanationRobustness,
    FeatureAblation,
    InputXGradient,
    IntegratedGradients,
    Occlusion,
    Saliency,
    guarantee,
    symmetrize_explainer,
)

F64 = torch.float64
C = er.Cyclic(4)
INP = {"x": C.vector, "scale": er.frames.PerDatum(C), "kind": er.frames.PerDatum(C), "table": None, "a_switch": None}
WAYS = {
    "saliency": Saliency,
    "input x gradient": InputXGradient,
    "integrated": lambda f, **named: IntegratedGradients(f, steps=6, rows=9, **named),
    "ablation": lambda f, **named: FeatureAblation(f, rows=9, **named),
    "occlusion": lambda f, **named: Occlusion(f, (1,), wrap=True, rows=9, **named),
}


def randn(*shape, seed=0, dtype=F64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64).to(dtype)


def record(size, dtype=F64, rows=3):
    kind = torch.arange(size) % rows
    table, scale = randn(rows, seed=1, dtype=dtype), randn(size, 1, seed=2, dtype=dtype)
    return {"x": randn(size, 4, dtype=dtype), "scale": scale, "kind": kind, "table": table, "a_switch": "on"}


def model(r):
    assert r["a_switch"] == "on"
    x = r["x"]
    return (x * x.roll(1, -1)).sum(-1) * r["table"][r["kind"]] * r["scale"].squeeze(-1) + r["table"].sum() * x.sum(-1)


def alone(explainer, data, i):
    """The explanation of one datum, as a function of its own numbers only."""

    def of(r):
        return model({**r, "kind": data["kind"][i].expand(len(r["x"])), "table": data["table"], "a_switch": "on"})

    return explainer(of)({name: data[name][i : i + 1] for name in ("x", "scale")})


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("way", WAYS)
def test_an_explanation_in_a_batch_is_that_of_the_datum_alone(way, size, dtype):
    data = record(size, dtype)
    found = WAYS[way](model, inp=INP)(data)
    assert found["table"] is found["a_switch"] is found["kind"] is None
    for i in range(size):
        for name, want in alone(WAYS[way], data, i).items():
            torch.testing.assert_close(found[name][i : i + 1], want, atol=300 * torch.finfo(dtype).eps, rtol=0)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("way", WAYS)
def test_scores_averages_and_audits_tell_explainers_what_is_shared(way, size):
    data = record(size)
    verdict = ExplanationRobustness(model, WAYS[way](model), INP).score(data)
    assert verdict["worst"] > 1 - 1e-9
    assert verdict["model_invariance"] > 1 - 1e-9
    if way in ("ablation", "integrated"):
        assert guarantee(WAYS[way](model), model, INP, data) == "guaranteed"
    uneven = lambda r: model(r) + r["table"][0] * r["x"][:, 0].square()  # noqa: E731
    plain = ExplanationRobustness(uneven, WAYS[way](uneven), INP).score(data)
    averaged = ExplanationRobustness(uneven, symmetrize_explainer(WAYS[way](uneven), INP), INP).score(data)
    assert plain["mean"] < 0.999
    assert averaged["worst"] > 1 - 1e-9
    audit = er.audit(model, data, er.Record(INP), C.scalar, explainers={"mine": WAYS[way](model)}, elements=4)
    assert not audit.left_out
    assert {row.name for row in audit.robustness} >= {"mine", "Saliency", "Integrated Gradients", "Feature Ablation"}
    for row in audit.robustness:
        assert row.score["worst"] > 1 - 1e-6


def test_parts_of_other_lengths_are_not_guessed():
    data = record(5)
    for way in ("integrated", "ablation"):
        with pytest.raises(ArgumentError, match="inp=") as caught:
            WAYS[way](model)(data)
        assert caught.value.argument == "x"
    # What is no real number is only repeated where data are.
    graph = {"nodes": randn(3, 4, 2), "edges": torch.tensor([[0, 1], [1, 2]])}
    summed = lambda g: (g["nodes"][:, g["edges"][0]] * g["nodes"][:, g["edges"][1]]).sum((1, 2))  # noqa: E731
    at_once = Saliency(summed)(graph)["nodes"]
    inp = {"nodes": er.actions.nodes(er.Symmetric(4)), "edges": None}
    torch.testing.assert_close(at_once, Saliency(summed, inp=inp)(graph)["nodes"])
    line = IntegratedGradients(summed, inp=inp)(graph)["nodes"]
    torch.testing.assert_close(line, graph["nodes"] * at_once / 2)  # of a quadratic form


def test_ragged_batches_and_captum_are_refused():
    G = er.SO(3)
    ragged = {"pos": randn(5, 3), "batch": torch.tensor([0, 0, 1, 1, 1])}
    energy = lambda r: torch.zeros(2, dtype=F64).index_add(0, r["batch"], r["pos"].square().sum(-1))  # noqa: E731
    with pytest.raises(UnsupportedError, match="ragged"):
        Saliency(energy, inp={"pos": G.vector, "batch": er.frames.Segment(G)})(ragged)

    class Method:
        def attribute(self, inputs, target=None):
            return inputs

    pair = (randn(3, 4), randn(3))
    inp = (C.vector, None)
    with pytest.raises(UnsupportedError, match="cannot hold parts fixed"):
        ExplanationRobustness(lambda x, t: x.sum(-1), Method(), inp).score(pair)
