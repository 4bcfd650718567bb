"""What must not pass for an explanation: zeros without a gradient, chance, and data that were overwritten on the way."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import erlangen as er
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.measure.explain import (
    CAV,
    ExplanationRobustness,
    FeatureAblation,
    InputXGradient,
    IntegratedGradients,
    Occlusion,
    RepSim,
    Saliency,
    captum_explainer,
    explanation_equivariance,
    guarantee,
    relaxation,
    symmetrize_explainer,
)

F64 = torch.float64
C = er.Cyclic(5)
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, F64])


def data(dtype=F64, size=4):
    return torch.randn(size, 5, dtype=F64, generator=torch.Generator().manual_seed(0)).to(dtype)


def ring(x):
    return (x * x.roll(1, -1)).sum(-1)


class Frozen(nn.Module):
    """A network without gradients, before a head that has some."""

    def __init__(self, head: bool) -> None:
        super().__init__()
        self.head = nn.Linear(1, 1).double() if head else nn.Identity()

    def forward(self, x):
        with torch.no_grad():
            y = ring(x.double()).unsqueeze(-1)
        return self.head(y)


WITHOUT = {
    "no_grad": Frozen(False),
    "no_grad before a head": Frozen(True),
    "detached": lambda x: ring(x.detach()),
    "numpy": lambda x: torch.from_numpy(ring(x.detach()).numpy()),
    "inference mode": torch.inference_mode()(ring),
    "steps": lambda x: (x > 0).sum(-1).to(x.dtype),
}


@DTYPES
@pytest.mark.parametrize("name", WITHOUT)
@pytest.mark.parametrize("explainer", [Saliency, InputXGradient, lambda f: IntegratedGradients(f, steps=4)])
def test_there_is_no_gradient_explanation_without_a_gradient(name, explainer, dtype):
    model = WITHOUT[name]
    with pytest.raises(UnsupportedError, match="no gradient of it reaches x"):
        explainer(model)(data(dtype))
    with pytest.raises(UnsupportedError, match="no gradient"):
        ExplanationRobustness(model, explainer(model), C.vector).score(data(dtype))


@pytest.mark.parametrize("name", WITHOUT)
def test_nor_does_the_chain_rule_say_anything(name):
    with pytest.raises(UnsupportedError, match="no gradient"):
        explanation_equivariance(WITHOUT[name], data(), C.vector, C.scalar, elements=2)


def test_a_model_that_does_not_depend_on_its_data_has_gradient_zero():
    x = data()
    constant = lambda t: torch.ones(len(t), dtype=t.dtype)  # noqa: E731
    assert torch.equal(Saliency(constant)(x), torch.zeros_like(x))
    parts = {"used": x, "unused": x + 1}
    found = Saliency(lambda r: ring(r["used"]))(parts)
    assert torch.equal(found["unused"], torch.zeros_like(x))
    assert torch.allclose(found["used"], x.roll(1, -1) + x.roll(-1, -1))


def test_gradients_are_found_within_inference_mode():
    x = data()
    with torch.inference_mode():
        found = Saliency(ring)(x.clone())
    assert torch.allclose(found, x.roll(1, -1) + x.roll(-1, -1))


PARTLY = {
    "a factor": lambda x: (x * x.roll(1, -1).detach()).sum(-1),
    "one entry": lambda x: 4 * x[:, 0].detach().square() + x[:, 1:].square().sum(-1),
    "a norm": lambda x: (x @ torch.arange(5.0).to(x)) / x.norm(dim=-1).detach(),
    "numpy": lambda x: x.sum(-1) * torch.from_numpy(x.detach().numpy().max(-1)),
}


@DTYPES
@pytest.mark.parametrize("name", PARTLY)
@pytest.mark.parametrize("explainer", [Saliency, InputXGradient, lambda f: IntegratedGradients(f, steps=4)])
def test_a_gradient_that_is_only_a_part_is_told(name, explainer, dtype):
    for size, offset in ((1, 3.0), (4, 3.0), (40, 10.0)):
        with pytest.warns(UserWarning, match="not what its output does"):
            explainer(PARTLY[name])(offset + data(dtype, size))


def test_the_chain_rule_is_not_asked_of_a_part_of_the_gradient_without_a_word():
    with pytest.warns(UserWarning, match="not what its output does"):
        explanation_equivariance(PARTLY["a factor"], 3 + data(), C.vector, C.scalar, elements=2)


KINKED = {
    "ReLU": lambda x: F.relu(F.relu(x @ torch.eye(5).to(x) - 0.5) @ torch.ones(5, 7).to(x) - 1).sum(-1),
    "largest": lambda x: x.amax(-1),
    "absolute": lambda x: x.abs().sum(-1),
    "sorted": lambda x: (x.sort(-1).values * torch.arange(5.0).to(x)).sum(-1),
    "steps and slopes": lambda x: (x > 0).to(x).sum(-1) + x.sum(-1),
    "root": lambda x: x.relu().sqrt().sum(-1),
    "fast": lambda x: (3000 * x).sin().sum(-1),
    "steep": lambda x: (1000 * x).tanh().sum(-1),
    "a large constant": lambda x: 1e6 + ring(x),
    "tiny": lambda x: 1e-30 * ring(x),
    "single": lambda x: ring(x.float()),
    "rounded": lambda x: ring(x.bfloat16()).to(x),
    "one size only": lambda x: ring(x) * torch.ones(4).to(x),
}


@DTYPES
@pytest.mark.parametrize("name", KINKED)
def test_kinks_jumps_and_noise_are_no_missing_gradient(name, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for x in (
            data(dtype),
            data(dtype) + 50,
            data(dtype).round(),
            torch.zeros(4, 5, dtype=dtype),
            torch.ones(4, 5, dtype=dtype),
        ):
            if name != "root" or x.any():  # whose slope at zero is infinite times zero
                Saliency(KINKED[name])(x)


@pytest.mark.parametrize("similarity", ["cosine", "relative_l2"])
def test_two_explanations_of_zero_are_no_agreement(similarity):
    constant = lambda t: 0 * t.sum(-1) + 1  # noqa: E731
    verdict = ExplanationRobustness(constant, Saliency(constant), C.vector, similarity=similarity).score(data())
    assert not verdict
    assert verdict["degenerate"] == 1
    assert verdict["mean"] != verdict["mean"]
    assert verdict.witness.degenerate.all()
    assert "20 of 20 pairs of explanations are zero" in verdict.reason
    drawn = ExplanationRobustness(constant, Saliency(constant), C.vector).score(data(), n=3)
    assert drawn.interval is None
    assert not explanation_equivariance(constant, data(), C.vector, C.scalar, elements=4)
    assert explanation_equivariance(constant, data(), C.vector, C.scalar, elements=4)["degenerate"] == 1


def test_data_without_an_explanation_are_left_out_of_the_mean():
    dead = lambda x: F.relu(x.sum(-1)) * x[..., 0]  # noqa: E731
    x = torch.cat([data(size=3).abs(), -data(size=1).abs()])
    robust = ExplanationRobustness(dead, Saliency(dead), C.vector)
    every, living = robust.score(x), robust.score(x[:3])
    assert every["mean"] == pytest.approx(living["mean"], abs=1e-12)
    assert every["worst"] == pytest.approx(living["worst"], abs=1e-12)
    assert every["degenerate"] == 0.25
    assert every.witness.per_example.isnan().tolist() == [False, False, False, True]
    by_rule = explanation_equivariance(dead, x, C.vector, C.scalar, elements=C.elements())
    assert by_rule["degenerate"] == 0.25
    assert by_rule["mean_cosine"] == pytest.approx(
        explanation_equivariance(dead, x[:3], C.vector, C.scalar, elements=C.elements())["mean_cosine"]
    )
    assert relaxation({"one": every, "two": every}).pairs["one"][1].isnan().sum() == 1


def test_answers_of_no_do_agree():
    never = lambda x, target: x > 1e9  # noqa: E731
    verdict = ExplanationRobustness(ring, never, C.vector).score(data())
    assert verdict["mean"] == 1
    assert verdict["degenerate"] == 0


def test_a_random_model_is_not_scored_without_a_word():
    net = nn.Linear(5, 5).double()
    model = lambda x: F.dropout(net(x), training=True).square().sum(-1)  # noqa: E731
    with pytest.warns(UserWarning, match="different outputs"):
        ExplanationRobustness(model, Saliency(model), C.vector).score(data())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ExplanationRobustness(ring, Saliency(ring), C.vector).score(data())
        dropping = nn.Sequential(nn.Linear(5, 5), nn.Dropout()).double()
        ExplanationRobustness(dropping, Saliency(dropping), C.vector).score(data())


def spoiling(x):
    """The ring of products, computed in place."""
    return x.mul_(x.roll(1, -1)).sum(-1)


@DTYPES
@pytest.mark.parametrize(
    "explainer", [Saliency, InputXGradient, IntegratedGradients, FeatureAblation, lambda f: Occlusion(f, (2,), wrap=True)]
)
def test_models_that_work_in_place_are_explained_at_the_callers_data(explainer, dtype):
    x = data(dtype)
    before = x.clone()
    found = explainer(spoiling)(x)
    assert torch.equal(x, before)
    assert torch.equal(found, explainer(ring)(before))
    verdict = ExplanationRobustness(spoiling, explainer(spoiling), C.vector).score(x)
    assert torch.equal(x, before)
    assert verdict["mean"] == pytest.approx(1, abs=1e-6)
    assert verdict["model_invariance"] == pytest.approx(1, abs=1e-6)
    assert guarantee(explainer(spoiling), spoiling, C.vector, x) == "guaranteed"
    assert torch.equal(x, before)


def test_layers_that_work_in_place_leave_examples_and_data_alone():
    torch.manual_seed(0)
    net = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(5, 3)).double()
    examples, x = data(size=7), data()
    before = examples.clone(), x.clone()
    RepSim(net, "1", examples)(x)
    assert torch.equal(examples, before[0])
    assert torch.equal(x, before[1])
    pytest.importorskip("sklearn")
    shown = 3 + examples.abs()
    CAV(net, "1", {"large": (-shown, examples)})(x)
    assert torch.equal(shown, 3 + before[0].abs())
    assert torch.equal(examples, before[0])


def test_explainers_that_work_in_place_leave_the_data_alone():
    x = data()
    before = x.clone()
    twice = lambda t, target: t.mul_(2)  # noqa: E731
    assert ExplanationRobustness(ring, twice, C.vector).score(x)["mean"] == pytest.approx(1)
    assert torch.equal(x, before)


def test_equivariance_is_that_of_the_callers_data():
    x = data()
    before = x.clone()
    assert er.equivariance_error(spoiling, x, C.vector, C.scalar)
    assert torch.equal(x, before)
    assert explanation_equivariance(spoiling, x, C.vector, C.scalar)
    assert torch.equal(x, before)


def test_captums_methods_refuse_models_that_work_in_place():
    pytest.importorskip("captum")
    x = data()
    before = x.clone()
    with pytest.raises(ArgumentError, match="works in place") as caught:
        captum_explainer("FeatureAblation", spoiling)(x)
    assert caught.value.argument == "model"
    assert torch.equal(x, before)
    assert torch.equal(captum_explainer("FeatureAblation", ring)(x), FeatureAblation(ring)(x))


def test_an_audit_says_which_explainers_cannot_be_used(tmp_path):
    result = er.audit(WITHOUT["no_grad"], data(size=8), C.vector, C.scalar)
    assert result.explanations is None
    rows = {row.name: row for row in result.robustness}
    for name in ("Saliency", "Input x Gradient", "Integrated Gradients"):
        assert not rows[name].score
        assert "no gradient" in str(rows[name])
        assert rows[name].guarantee.startswith("none: the model's output depends on x")
    assert rows["Feature Ablation"].score["worst"] == pytest.approx(1)
    assert rows["Feature Ablation"].guarantee == "guaranteed"
    assert "no gradient of it reaches x" in result.report(tmp_path / "audit.html").read_text()


def test_outputs_that_are_no_rows_are_the_models_fault():
    x = data()
    for model, got in (
        (lambda t: t.sum(), r"shape \(\)"),
        (lambda t: t.sum(-1)[:2], r"shape \(2,\)"),
        (lambda t: {"y": t}, "dict"),
    ):
        with pytest.raises(ArgumentError, match=got) as caught:
            Saliency(model)(x)
        assert caught.value.argument == "model"
    with pytest.raises(ArgumentError, match="a row for each datum") as caught:
        ExplanationRobustness(lambda t: t.sum(), lambda t, target: t, C.vector).score(x)
    assert caught.value.argument == "model"


# ---- data and models as they come ----


@DTYPES
@pytest.mark.parametrize("given", [list, torch.Tensor.numpy])
def test_classes_may_be_a_list_or_an_array(given, dtype):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)
    x, y = data(dtype), torch.tensor([0, 2, 1, 1])
    classes = y.tolist() if given is list else y.numpy()
    for explainer in (Saliency(net), IntegratedGradients(net, steps=4), FeatureAblation(net), Occlusion(net, (2,))):
        assert torch.equal(explainer(x, classes), explainer(x, y))
        averaged = symmetrize_explainer(explainer, C.vector)
        assert torch.equal(averaged(x, classes), averaged(x, y))
        robustness = ExplanationRobustness(net, explainer, C.vector)
        assert robustness.score(x, classes)["mean"] == robustness.score(x, y)["mean"]


@DTYPES
def test_models_of_other_libraries_answer_in_double_precision_and_numpy(dtype):
    weights = torch.arange(1.0, 6, dtype=F64)

    def predict(x):
        return (x.double() @ weights).numpy()

    x = data(dtype)
    found = FeatureAblation(predict)(x)
    assert found.dtype == dtype
    torch.testing.assert_close(found, (x.double() * weights).to(dtype), atol=30 * torch.finfo(dtype).eps, rtol=0)
    with pytest.raises(UnsupportedError, match="no gradient"):
        Saliency(lambda t: predict(t.detach()))(x)
    for labels in (lambda t: t.argmax(-1), lambda t: t[:, 0] > 0):
        for explainer in (FeatureAblation, Saliency):
            with pytest.raises(ArgumentError, match="explain scores") as caught:
                explainer(labels)(x)
            assert caught.value.argument == "model"


def test_no_data_are_no_answer():
    none = data(size=0)
    assert Saliency(ring)(none).shape == IntegratedGradients(ring)(none).shape == FeatureAblation(ring)(none).shape == (0, 5)
    assert guarantee(Saliency(ring), ring, C.vector, none) == guarantee(Saliency(ring), ring, C.vector)
    for ask in (
        lambda: ExplanationRobustness(ring, Saliency(ring), C.vector).score(none),
        lambda: explanation_equivariance(ring, none, C.vector, C.scalar),
    ):
        with pytest.raises(ArgumentError, match="at least one datum") as caught:
            ask()
        assert caught.value.argument == "x"
