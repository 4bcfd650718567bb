"""Explainers averaged over a group respect it, whatever they are; a guarantee is kept; models that lose symmetry lose robustness."""

from __future__ import annotations

import pytest
import torch

import erlangen as er
from erlangen.actions import OnAxes
from erlangen.errors import ArgumentError
from erlangen.measure.explain import (
    ExplanationRobustness,
    FeatureAblation,
    FixedElements,
    Function,
    IntegratedGradients,
    Occlusion,
    Saliency,
    captum_explainer,
    guarantee,
    relaxation,
    symmetrize_explainer,
)
from erlangen.symmetrize import Symmetrized

F64 = torch.float64
T = 9
C = er.Cyclic(T)


@pytest.fixture(scope="module")
def anything():
    """A fixed random network as an explainer: nothing about it is symmetric."""
    torch.manual_seed(3)
    net = torch.nn.Sequential(torch.nn.Linear(T, 20), torch.nn.Tanh(), torch.nn.Linear(20, T)).double()

    def explain(x, target):
        return net(x).detach() * (1.0 if target is None else (1.0 + target.double()).unsqueeze(1))

    return Function(explain, name="random network")


def ring(x):
    return (x * x.roll(-1, -1)).sum(-1)


X = torch.randn(5, T, dtype=F64, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0, 1, 2, 1, 0])


@pytest.mark.parametrize("kind", ["invariant", "equivariant"])
def test_any_explainer_averaged_respects_the_group(anything, kind):
    averaged = symmetrize_explainer(anything, C.vector, kind)
    assert isinstance(averaged.averaged, Symmetrized)
    word = f"{kind[:-1]}ce"
    plain = ExplanationRobustness(ring, anything, C.vector).score(X, Y, word)
    assert plain["mean"] < 0.99
    verdict = ExplanationRobustness(ring, averaged, C.vector).score(X, Y, word)
    assert float((1 - verdict.witness.scores).abs().max()) <= 1e-9
    assert guarantee(averaged, ring, C.vector, X) == "guaranteed"
    # By its definition, element by element.
    terms = [anything(C.vector.act(g, X), Y) for g in C.elements()]
    if kind == "equivariant":
        terms = [C.vector.act(C.inverse(g), e) for g, e in zip(C.elements(), terms)]
    assert torch.allclose(averaged(X, Y), torch.stack(terms).mean(0), atol=1e-12)
    # Averaging twice changes nothing, and averaging commutes with scaling.
    twice = symmetrize_explainer(averaged, C.vector, kind)
    assert torch.allclose(twice(X, Y), averaged(X, Y), atol=1e-9)
    scaled = symmetrize_explainer(lambda x, target: 2.5 * anything(x, target), C.vector, kind)
    assert torch.allclose(scaled(X, Y), 2.5 * averaged(X, Y), atol=1e-12)


def test_a_few_elements_help_and_all_are_exact(anything):
    scores = []
    for n in (1, 4, T):
        averaged = symmetrize_explainer(anything, C.vector, "equivariant", n, seed=1)
        scores.append(ExplanationRobustness(ring, averaged, C.vector).score(X, Y)["mean"])
    assert scores[0] == pytest.approx(ExplanationRobustness(ring, anything, C.vector).score(X, Y)["mean"], abs=1e-12)
    assert scores[0] < scores[1] < scores[2]
    assert scores[2] == pytest.approx(1, abs=1e-9)
    few = FixedElements.drawn(C, 4, seed=1).elements
    exponents = C.exponent(few)
    assert exponents[0] == 0
    assert len(exponents.unique()) == 4
    assert guarantee(symmetrize_explainer(anything, C.vector, "equivariant", 4), ring, C.vector, X).startswith("none")
    large = FixedElements.drawn(er.Symmetric(15), 3, seed=0).elements
    assert large.shape == (3, 15)
    assert torch.equal(large[0], torch.arange(15))


def test_yes_and_no_are_rounded_and_half_is_yes():
    says = lambda x, target: torch.stack([x[:, 0] > 0, x[:, 1] > 10], 1)  # noqa: E731
    x = torch.tensor([[1.0, -1.0], [-1.0, -1.0]])
    two = er.Cyclic(2).vector
    assert torch.equal(symmetrize_explainer(says, two, "invariant")(x), torch.tensor([[0.5, 0.0], [0.0, 0.0]], dtype=F64))
    rounded = symmetrize_explainer(says, two, "invariant", round=True)(x)
    assert torch.equal(rounded, torch.tensor([[True, False], [False, False]]))


def test_records_and_explainers_that_depend_on_the_batch():
    S = er.Symmetric(4)
    act = {"nodes": er.actions.nodes(S), "edges": er.actions.EdgeList(S)}
    x = {"nodes": torch.randn(3, 4, 2, dtype=F64), "edges": torch.randint(4, (3, 2, 5))}
    explain = lambda graph, target: {"nodes": graph["nodes"].cumsum(1), "edges": None}  # noqa: E731
    averaged = symmetrize_explainer(explain, act)
    model = lambda graph: graph["nodes"].square().sum((1, 2))  # noqa: E731
    verdict = ExplanationRobustness(model, averaged, act).score(x)
    assert verdict.tried == 24
    assert verdict["worst"] > 1 - 1e-9

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(T, 3)).double()
    permuting = captum_explainer("FeaturePermutation", net)
    sizes = []
    permuting.method.forward_func = lambda t: (sizes.append(len(t)), net(t))[1]
    symmetrize_explainer(permuting, C.vector)(X, Y)
    assert set(sizes) == {len(X)}


def test_a_guarantee_is_kept_by_every_pair_of_explainer_and_model():
    torch.manual_seed(0)
    circular = {"padding": 1, "padding_mode": "circular"}

    def network(pool):
        head = [torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten(), torch.nn.Linear(6, 3)]
        flat = [torch.nn.Flatten(), torch.nn.Linear(6 * T, 3)]
        return torch.nn.Sequential(torch.nn.Conv1d(1, 6, 3, **circular), torch.nn.ReLU(), *(head if pool else flat)).double()

    shifts, x = OnAxes({-1: C.vector}), X.unsqueeze(1)
    models = {"invariant": network(True), "plain": network(False)}
    models["averaged"] = er.symmetrize(models["plain"], shifts, C.scalar)
    answers = {}
    for name, model in models.items():
        for explainer in (
            Saliency(model),
            IntegratedGradients(model, steps=8),
            IntegratedGradients(model, baseline=X[:1], steps=8),
            FeatureAblation(model),
            Occlusion(model, (4,)),
            Occlusion(model, (4,), wrap=True),
            captum_explainer("GradientShap", model, baselines=0 * x[:1], stdevs=0.2),
            captum_explainer("FeaturePermutation", model),
            captum_explainer("KernelShap", model, n_samples=20),
        ):
            answer = guarantee(explainer, model, shifts, x)
            verdict = ExplanationRobustness(model, explainer, shifts).score(x, Y, generator=torch.Generator().manual_seed(0))
            if answer == "guaranteed":
                assert verdict["mean"] >= 0.9999, (name, explainer.name)
            else:
                assert verdict["mean"] < 0.9999, (name, explainer.name)
            answers[name, answer.split(":")[0]] = answers.get((name, answer.split(":")[0]), 0) + 1
    assert answers["invariant", "guaranteed"] == answers["averaged", "guaranteed"] == 4
    assert answers["plain", "none"] == 9
    # Without data the model's invariance is left as a condition.
    assert guarantee(Saliency(models["plain"]), models["plain"], shifts) == "conditional: the model is invariant"


def test_robustness_falls_with_the_models_symmetry():
    weights = torch.arange(float(T), dtype=F64)
    models = {a: lambda x, a=a: (x.square() * (1 + a * weights)).sum(-1) for a in (0.0, 0.05, 0.2, 1.0)}
    found = relaxation({str(a): ExplanationRobustness(f, Saliency(f), C.vector).score(X) for a, f in models.items()})
    assert found.spearman > 0.8
    assert set(found.pairs) == {"0.0", "0.05", "0.2", "1.0"}
    exact = relaxation({"one": ExplanationRobustness(ring, Saliency(ring), C.vector).score(X)})
    assert exact.spearman != exact.spearman


def test_bad_input_is_named(anything):
    for options, argument in (
        ({"kind": "covariant"}, "kind"),
        ({"n": 0}, "n"),
        ({"n": T + 1}, "n"),
        ({"explanation": "up"}, "explanation"),
    ):
        with pytest.raises(ArgumentError) as caught:
            symmetrize_explainer(anything, C.vector, **options)
        assert caught.value.argument == argument
    with pytest.raises(ArgumentError, match="'n'"):
        symmetrize_explainer(anything, er.Symmetric(15).vector)
    with pytest.raises(ArgumentError, match="'n'"):
        symmetrize_explainer(anything, er.SO(3).vector)
