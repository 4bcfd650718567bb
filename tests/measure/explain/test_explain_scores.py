"""Scores of explanations: known attributions, exact guarantees, wrong baselines and windows, draws, and bad input."""

from __future__ import annotations

import math

import pytest
import torch

import erlangen as er
from erlangen.actions import OnAxes
from erlangen.errors import ArgumentError
from erlangen.measure.explain import (
    ExplanationRobustness,
    FeatureAblation,
    InputXGradient,
    IntegratedGradients,
    Occlusion,
    Saliency,
    captum_explainer,
    cosine,
    cosine_offset,
    guarantee,
    relative_l2,
)

F64 = torch.float64
T = 12


def ring(x):
    return (x * x.roll(-1, -1)).sum(-1)


@pytest.fixture(scope="module")
def net():
    """Circular convolutions and a mean: invariant under cyclic shifts, exactly."""
    torch.manual_seed(0)
    circular = {"padding": 1, "padding_mode": "circular"}
    return torch.nn.Sequential(
        torch.nn.Conv1d(1, 8, 3, **circular),
        torch.nn.ReLU(),
        torch.nn.Conv1d(8, 8, 3, **circular),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool1d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8, 3),
    ).double()


@pytest.fixture(scope="module")
def data():
    rng = torch.Generator().manual_seed(1)
    return torch.randn(6, 1, T, dtype=F64, generator=rng), torch.randint(3, (6,), generator=rng)


SHIFTS = OnAxes({-1: er.Cyclic(T).vector})


def test_a_ring_of_products_has_attributions_known_by_hand():
    x = torch.tensor([[1.0, 2.0, 3.0, -1.0, 0.5]], dtype=F64)
    expected = x * (x.roll(1, -1) + x.roll(-1, -1)) / 2
    assert torch.equal(expected, torch.tensor([[1.25, 4.0, 1.5, -1.75, 0.0]], dtype=F64))
    integrated, ablated = IntegratedGradients(ring)(x), FeatureAblation(ring)(x)
    assert torch.allclose(integrated, expected, atol=1e-12)
    assert torch.allclose(ablated, 2 * expected, atol=1e-12)
    verdict = ExplanationRobustness(ring, IntegratedGradients(ring), er.Cyclic(5).vector).score(x)
    assert verdict.how == "exhaustive"
    assert verdict.tried == 5
    assert abs(1 - verdict["mean"]) <= 1e-10
    assert verdict.witness.scores.shape == (1, 5)
    # The attributions of the definition, summed up by hand over one shift.
    assert verdict["model_invariance"] == 1


@pytest.mark.parametrize("name", ["Saliency", "InputXGradient", "IntegratedGradients", "FeatureAblation", "Occlusion", "DeepLift"])
def test_guaranteed_explainers_are_equivariant_over_the_whole_group(net, data, name):
    x, y = data
    explainer = {
        "Saliency": lambda: Saliency(net),
        "InputXGradient": lambda: InputXGradient(net),
        "IntegratedGradients": lambda: IntegratedGradients(net),
        "FeatureAblation": lambda: FeatureAblation(net),
        "Occlusion": lambda: Occlusion(net, (5,), wrap=True),
        "DeepLift": lambda: captum_explainer("DeepLift", net),
    }[name]()
    assert guarantee(explainer, net, SHIFTS, x) == "guaranteed"
    verdict = ExplanationRobustness(net, explainer, SHIFTS).score(x, y)
    assert verdict
    assert float((1 - verdict.witness.scores).abs().max()) <= 1e-9
    assert verdict["model_invariance"] > 1 - 1e-9
    # The cosine does not see scale; the distance does.
    by_distance = ExplanationRobustness(net, explainer, SHIFTS, similarity="relative_l2").score(x, y)
    assert by_distance["worst"] > 1 - 1e-9


def test_the_librarys_methods_agree_with_captums(net, data):
    x, y = data
    pairs = [
        (Saliency(net, absolute=True), captum_explainer("Saliency", net)),
        (InputXGradient(net), captum_explainer("InputXGradient", net)),
        (IntegratedGradients(net, steps=50), captum_explainer("IntegratedGradients", net)),
        (FeatureAblation(net, baseline=0.3), captum_explainer("FeatureAblation", net, baselines=0.3)),
        (Occlusion(net, (5,)), captum_explainer("Occlusion", net, sliding_window_shapes=(1, 5))),
    ]
    for own, other in pairs:
        a, b = own(x, y), other(x, y)
        # captum's ablation counts in single precision.
        assert torch.allclose(a, b.double(), atol=1e-6 * float(b.abs().max())), own.name


def test_a_baseline_that_moves_breaks_integrated_gradients(net, data):
    x, y = data
    ramp = torch.linspace(0, 1, T, dtype=F64).view(1, T)
    explainer = IntegratedGradients(net, baseline=ramp)
    assert ExplanationRobustness(net, explainer, SHIFTS).score(x, y)["mean"] < 0.99
    assert guarantee(explainer, net, SHIFTS, x).startswith("none: the baseline")
    level = IntegratedGradients(net, baseline=torch.full((1, T), 0.3, dtype=F64))
    assert guarantee(level, net, SHIFTS, x) == "guaranteed"
    assert abs(1 - ExplanationRobustness(net, level, SHIFTS).score(x, y)["mean"]) < 1e-9


def test_windows_must_wrap(net, data):
    x, y = data
    plain, circular = (ExplanationRobustness(net, Occlusion(net, (5,), wrap=wrap), SHIFTS).score(x, y) for wrap in (False, True))
    assert plain["mean"] < 1 - 1e-3
    assert abs(1 - circular["mean"]) <= 1e-9
    assert guarantee(Occlusion(net, (5,)), net, SHIFTS, x).startswith("none: masks")
    # Reflections map windows to windows as well; arbitrary permutations do not.
    mirror = er.Dihedral(T)
    assert guarantee(Occlusion(ring, (5,), wrap=True), ring, mirror.vector, x[:, 0]) == "guaranteed"
    total = lambda t: t.square().sum(-1)  # noqa: E731
    assert guarantee(Occlusion(total, (5,), wrap=True), total, er.Symmetric(T).vector, x[:, 0]).startswith("none: masks")


def test_a_batch_over_the_group_gives_what_a_loop_gives(net, data):
    x, y = data
    explainer = IntegratedGradients(net, baseline=torch.linspace(0, 1, T, dtype=F64).view(1, T), steps=8)
    found = ExplanationRobustness(net, explainer, SHIFTS).score(x, y).witness
    for rows in (1, 17):
        assert torch.allclose(ExplanationRobustness(net, explainer, SHIFTS, rows=rows).score(x, y).witness.scores, found.scores)
    here = explainer(x, y)
    for k, g in enumerate(er.Cyclic(T).elements()):
        there = explainer(SHIFTS.act(g, x), y)
        expected = torch.nn.functional.cosine_similarity(there.flatten(1), SHIFTS.act(g, here).flatten(1))
        assert torch.allclose(found.scores[:, k], expected, atol=1e-12)


def test_draws_lie_within_their_own_interval(net, data):
    x, y = data
    robust = ExplanationRobustness(net, Occlusion(net, (5,)), SHIFTS)
    exact = robust.score(x, y)["mean"]
    inside = narrow = 0
    for seed in range(100):
        verdict = robust.score(x, y, n=5, generator=torch.Generator().manual_seed(seed))
        low, high = verdict.interval
        inside += low <= exact <= high
        narrow += abs(verdict["mean"] - exact) <= 3 * verdict["standard_error"] + 1e-12
    assert inside >= 93
    assert narrow >= 93
    # Hoeffding's half-width for 30 draws of scores between -1 and 1.
    assert high - verdict["mean"] == pytest.approx(min(math.sqrt(2 * math.log(40) / 30), 1 - verdict["mean"]))


def test_the_exact_score_does_not_depend_on_the_order_of_elements(net, data):
    x, y = data
    C = er.Cyclic(T)
    robust = ExplanationRobustness(net, IntegratedGradients(net, baseline=torch.arange(float(T), dtype=F64).view(1, T)), SHIFTS)
    exact = robust.score(x, y)["mean"]
    shuffled = C.elements()[torch.randperm(T, generator=torch.Generator().manual_seed(0))]
    assert robust.score(x, y, elements=shuffled)["mean"] == pytest.approx(exact, abs=1e-12)
    assert robust.score(x, y, elements=C.inverse(C.elements()))["mean"] == pytest.approx(exact, abs=1e-12)


def test_a_set_of_elements_says_whether_it_is_closed(net, data):
    x, y = data
    robust = ExplanationRobustness(net, Saliency(net), SHIFTS)
    C = er.Cyclic(T)
    window = robust.score(x, y, elements=C.element(torch.tensor([0, 1, 2, T - 1, T - 2])))
    assert "not closed" in window.reason
    assert window.how == "statistical"
    assert "uniform" not in robust.score(x, y, n=2).reason
    thirds = robust.score(x, y, elements=C.element(torch.tensor([0, 4, 8])))
    assert "that is closed" in thirds.reason


def test_gradients_of_other_actions_move_by_the_dual():
    G = er.SO(1, 3)
    eta = torch.diag(torch.tensor([1.0, -1, -1, -1], dtype=F64))
    model = lambda p: torch.einsum("bni,ij,bmj->b", p, eta, p)  # noqa: E731
    x, rng = torch.randn(6, 5, 4, dtype=F64, generator=torch.Generator().manual_seed(0)), torch.Generator().manual_seed(1)
    good = ExplanationRobustness(model, Saliency(model), G.vector, "dual").score(x, n=8, generator=rng)
    assert good["worst"] > 1 - 1e-9
    assert "8 random elements for each, not uniform but by K A K" in good.reason  # there is no uniform law
    bad = ExplanationRobustness(model, Saliency(model), G.vector, "same").score(x, n=8, generator=rng)
    assert bad["mean"] < 0.99
    assert guarantee(Saliency(model), model, G.vector, x, explanation="dual") == "guaranteed"
    assert "dual" in guarantee(Saliency(model), model, G.vector, x)
    assert guarantee(InputXGradient(model), model, G.vector, x).startswith("none")


def test_quarter_turns_of_images_by_index_maps():
    D = er.Dihedral(4)
    turn = er.actions.Images(D.irrep(1))
    torch.manual_seed(0)
    base = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(64, 3)).double()
    model = er.symmetrize(base, turn, D.scalar)
    x = torch.randn(3, 1, 6, 6, dtype=F64)
    verdict = ExplanationRobustness(model, IntegratedGradients(model, steps=6), turn).score(x, torch.tensor([0, 1, 2]))
    assert verdict.tried == 8
    assert abs(1 - verdict["mean"]) < 1e-9
    assert ExplanationRobustness(base, IntegratedGradients(base, steps=6), turn).score(x, 1)["mean"] < 0.9


class GNN(torch.nn.Module):
    """Two rounds of sums over the edges of a list, then a sum over nodes."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = torch.nn.Linear(3, 8), torch.nn.Linear(8, 8), torch.nn.Linear(8, 4)

    def forward(self, graph):
        h = torch.tanh(self.first(graph["nodes"]))
        for layer in (self.second, self.second):
            h = torch.tanh(layer(h + self.gather(h, graph["edges"])))
        return self.last(h).sum(1)

    @staticmethod
    def gather(h, edges):
        source, sink = (edges[:, i].unsqueeze(-1).expand(-1, -1, h.shape[-1]) for i in (0, 1))
        return torch.zeros_like(h).scatter_add(1, sink, h.gather(1, source))


def test_graphs_need_nodes_and_edges_to_be_relabelled():
    torch.manual_seed(0)
    S, model = er.Symmetric(6), GNN().double()
    right = {"nodes": er.actions.nodes(S), "edges": er.actions.EdgeList(S)}
    wrong = {"nodes": er.actions.nodes(S), "edges": er.frames.PerDatum(S)}
    rng = torch.Generator().manual_seed(2)
    x = {"nodes": torch.randn(4, 6, 3, dtype=F64, generator=rng), "edges": torch.randint(6, (4, 2, 7), generator=rng)}
    good = ExplanationRobustness(model, IntegratedGradients(model, steps=8), right).score(x, 1, n=6, generator=rng)
    assert abs(1 - good["mean"]) < 1e-9
    assert good["model_invariance"] > 1 - 1e-9
    whole = ExplanationRobustness(model, Saliency(model), right).score(x, 1)
    assert whole.tried == 720
    assert whole["worst"] > 1 - 1e-9
    bad = ExplanationRobustness(model, IntegratedGradients(model, steps=8), wrong).score(x, 1, n=6, generator=rng)
    assert bad["model_invariance"] < 1 - 1e-4
    assert guarantee(Saliency(model), model, right, x) == "guaranteed"
    assert guarantee(Saliency(model), model, wrong, x).startswith("none: the model")


def test_degenerate_vectors():
    zero, one = torch.zeros(3, dtype=F64), torch.tensor([1.0, 0.0, 0.0], dtype=F64)
    assert cosine(zero, zero) == 1
    assert cosine(zero, one) == 0
    assert cosine(one, -one) == pytest.approx(-1)
    assert cosine(1e-200 * one, 1e-170 * one) == pytest.approx(1)
    assert relative_l2(zero, zero) == 1
    assert relative_l2(zero, one) == 0
    assert relative_l2(one, 2 * one) == pytest.approx(2 / 3)
    a, b = torch.randn(2, 40, dtype=F64, generator=torch.Generator().manual_seed(0))
    reference = torch.nn.functional.cosine_similarity(a + 1e-4, b + 1e-4, dim=0)
    assert cosine_offset(a, b) == pytest.approx(float(reference), abs=1e-12)
    # Orthogonal attributions of size 1e-5: the reference calls them alike.
    assert cosine_offset(1e-5 * one, 1e-5 * one.roll(1)) > 0.98


def test_nothing_of_the_users_is_changed(net, data):
    x, y = data
    net.train()
    net[1].eval()
    flags, before = [m.training for m in net.modules()], x.clone()
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in net.modules()]
    for name in ("DeepLift", "Saliency", "FeaturePermutation"):
        ExplanationRobustness(net, captum_explainer(name, net), SHIFTS).score(x, y, n=2)
    assert torch.equal(x, before)
    assert not x.requires_grad
    assert [m.training for m in net.modules()] == flags
    assert [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in net.modules()] == hooks
    assert all(p.grad is None for p in net.parameters())
    net.eval()


def test_stochastic_methods_follow_a_generator_and_leave_the_global_ones(net, data):
    import numpy as np

    x, y = data
    explainer = captum_explainer("GradientShap", net, baselines=x[:4], n_samples=3, stdevs=0.3)
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = torch.rand(1), np.random.rand()  # noqa: NPY002
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    one, two, other = (
        ExplanationRobustness(net, explainer, SHIFTS).score(x, y, generator=torch.Generator().manual_seed(seed))["mean"]
        for seed in (3, 3, 4)
    )
    assert one == two != other
    assert (torch.rand(1), np.random.rand()) == expected  # noqa: NPY002
    assert guarantee(explainer, net, SHIFTS, x) == "none: the baseline is moved"
    noisy = captum_explainer("GradientShap", net, baselines=torch.zeros(1, 1, T, dtype=F64), stdevs=0.3)
    assert guarantee(noisy, net, SHIFTS, x).startswith("conditional: its baselines and its noise")


def test_captums_sensitivity_is_another_number(net, data):
    """A small change of the data against a symmetry: one does not stand for the other."""
    from captum.metrics import sensitivity_max

    x, y = data
    ramp = IntegratedGradients(net, baseline=torch.linspace(0, 1, T, dtype=F64).view(1, T), steps=16)
    sensitivity = sensitivity_max(lambda t, target=None: ramp(t, target), x, target=y)
    assert float(sensitivity.max()) < 0.2
    assert ExplanationRobustness(net, ramp, SHIFTS).score(x, y)["mean"] < 0.99


def test_bad_input_is_named(net, data):
    x, y = data

    def score(explainer=None, inp=SHIFTS, explanation="same", similarity=None, **options):
        robust = ExplanationRobustness(net, explainer or Saliency(net), inp, explanation, similarity=similarity)
        return robust.score(x, y, **options)

    def raises(argument, match=".", **options):
        with pytest.raises(ArgumentError, match=match) as caught:
            score(**options)
        assert caught.value.argument == argument
        assert isinstance(caught.value, ValueError)

    raises("explanation", r"\[B, 12\].*\(6, 11\)", explainer=lambda x, target: x[:, 0, :-1])
    raises("kind", kind="covariance")
    raises("explainer", "spoiled.*72 NaN", explainer=_spoiled())
    raises("n", "479,001,600", inp=OnAxes({-1: er.Symmetric(T).vector}))
    raises("n", n=0)
    raises("similarity", similarity="angle")
    raises("explanation", explanation="sideways")
    raises("explanation", explanation=er.Cyclic(5).vector)
    raises("explainer", explainer=3)
    with pytest.raises(ArgumentError, match="target"):
        Saliency(net)(x, torch.tensor([7] * 6))
    with pytest.raises(ArgumentError, match="baseline"):
        IntegratedGradients(net, baseline=torch.zeros(3))(x, y)


def _spoiled():
    from erlangen.measure.explain import Function

    return Function(lambda x, target: x * float("nan"), name="spoiled")


def test_moved_data_go_through_the_model_once_and_outputs_of_explanations_are_the_models(net, data):
    x, y = data
    lopsided, rows = torch.linspace(0.5, 2.0, T, dtype=F64), []

    def model(x):
        rows.append(len(x))
        return net(x * lopsided)

    found = ExplanationRobustness(model, Saliency(model), SHIFTS).score(x, y)
    told, looked = found.witness.model_invariance, sum(rows)
    # Of the data: explanation, two looks at outputs, differences on thirty rows. Of all moved data: the explanation.
    assert looked == 3 * len(x) + 30 + T * len(x)
    here = net(x * lopsided)
    there = torch.stack([net(x.roll(k, -1) * lopsided) for k in range(T)], 1)
    assert torch.allclose(told, torch.cosine_similarity(there, here.unsqueeze(1), dim=-1).mean(1), atol=1e-12)
    separate = ExplanationRobustness(net, Saliency(model), SHIFTS).score(x, y)  # audited beside another model
    assert torch.allclose(separate.witness.model_invariance, torch.ones(len(x), dtype=F64))
