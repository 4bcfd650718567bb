"""Mixtures of experts: what they compute, in closed form, and that they are modules like others."""

import copy

import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.parameters import MoE, MoIE, asymmetrize, average, trainable_parameters
from erlangen.parameters.asymmetric import FixedEntries
from erlangen.parameters.experts import ExpertLinear, Gate

CASES = [(c, kind, gate) for c in (MoE, MoIE) for kind in (None, "w") for gate in ("softmax", "gumbel")]


def exact(cls, experts=5, out=3, **kwargs):
    torch.manual_seed(0)
    return cls(6, out, experts, 16, **kwargs).double().eval()


def points(*shape):
    return torch.randn(*shape, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize(("cls", "kind", "gate"), CASES)
def test_a_mixture_is_what_its_experts_and_its_gate_say(cls, kind, gate):
    mixture = exact(cls, kind=kind, gate=gate)
    x = points(4, 7)
    alpha = mixture.alpha(x)
    torch.testing.assert_close(alpha.sum(-1), torch.ones(4, 7, dtype=torch.float64))
    if cls is MoE:
        every = torch.stack([mixture.expert(k)(x) for k in range(5)])
        expected = torch.einsum("abk,kabo->abo", alpha, every)
    else:
        each = [mixture.network(a)(p) for a, p in zip(alpha.flatten(0, 1), x.flatten(0, 1))]
        expected = torch.stack(each).view(4, 7, 3)
    torch.testing.assert_close(mixture(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("experts", [1, 2, 3, 8])
def test_both_ways_to_mix_a_layer_are_one(experts):
    layer = ExpertLinear(experts, 4, 3).double()  # up to 3 experts inputs are weighted, then weights mixed
    x = points(9)[:, :4]
    alpha = torch.rand(9, experts, dtype=torch.float64)
    expected = torch.einsum("nk,koi,ni->no", alpha, layer.weight, x) + alpha @ layer.bias
    torch.testing.assert_close(layer.mixed(x, alpha), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer(x.expand(experts, 9, 4)), torch.einsum("koi,ni->kno", layer.weight, x) + layer.bias[:, None])


@pytest.mark.parametrize("kind", [None, "w"])
def test_one_expert_is_a_plain_network(kind):
    x = points(5)
    for cls in (MoE, MoIE):
        mixture = exact(cls, experts=1, kind=kind)
        torch.testing.assert_close(mixture(x), mixture.expert(0)(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cls", [MoE, MoIE])
def test_equal_experts_do_not_notice_the_gate_and_a_sure_gate_takes_one_expert(cls):
    x = points(5)
    mixture = exact(cls)
    with torch.no_grad():
        mixture.gate.linear.weight.zero_()
        mixture.gate.linear.bias.copy_(torch.tensor([0.0, 0.0, 800.0, 0.0, 0.0]))
    torch.testing.assert_close(mixture(x), mixture.expert(2)(x), rtol=1e-12, atol=1e-12)
    equal = exact(cls)
    with torch.no_grad():
        for layer in equal.layers:
            layer.weight.copy_(layer.weight[:1].expand_as(layer.weight))
            layer.bias.copy_(layer.bias[:1].expand_as(layer.bias))
    before = equal(x)
    with torch.no_grad():
        equal.gate.linear.weight.normal_()
    torch.testing.assert_close(equal(x), before, rtol=1e-12, atol=1e-12)


def test_the_mean_of_outputs_over_draws_is_the_output_of_the_mean_weights():
    mixture = exact(MoE, gate="gumbel")
    x = points(8)
    logits = mixture.gate.linear(x)
    each = [((logits + noise) / 2).softmax(-1) for noise in mixture.gate.fixed_noise]
    outputs = torch.stack([mixture.expert(k)(x) for k in range(5)])
    mean = torch.stack([torch.einsum("nk,kno->no", a, outputs) for a in each]).mean(0)
    torch.testing.assert_close(mixture(x), mean, rtol=1e-12, atol=1e-12)
    interpolated = exact(MoIE, gate="gumbel")
    logits = interpolated.gate.linear(x)
    alpha = torch.stack([((logits + noise) / 2).softmax(-1) for noise in interpolated.gate.fixed_noise]).mean(0)
    torch.testing.assert_close(interpolated.alpha(x), alpha, rtol=1e-12, atol=1e-12)


def test_gumbel_draws_have_their_law():
    gate = Gate(2, 3, "gumbel", tau=1e-3)
    with torch.no_grad():
        gate.linear.weight.zero_()
        gate.linear.bias.copy_(torch.tensor([0.7, 0.2, 0.1]).log())
    torch.manual_seed(0)
    # As tau goes to 0 draws are one-hot, with the softmax's probabilities (Maddison et al. 2017).
    shares = gate.train()(torch.zeros(20_000, 2)).mean(0)
    torch.testing.assert_close(shares, torch.tensor([0.7, 0.2, 0.1]), atol=0.015, rtol=0)
    assert not torch.equal(gate(torch.zeros(99, 2)), gate(torch.zeros(99, 2)))
    # In evaluation nothing is drawn anew, and a sample does not depend on the others.
    other = Gate(2, 3, "gumbel").eval()
    x = torch.randn(6, 2)
    torch.testing.assert_close(other(x)[4:], other(x[4:]))


def test_experts_share_masks_and_fixed_entries():
    mixture = exact(MoIE, kind="w", n_fix=2, seed=3)
    single = asymmetrize(nn.Sequential(nn.Linear(6, 16), nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 3)), n_fix=2, seed=3)
    for layer, alone in zip(mixture.layers, single):
        ours, theirs = layer.parametrizations.weight[0], alone.parametrizations.weight[0]
        for k in range(5):
            assert torch.equal(ours.mask[k], theirs.mask)
            assert torch.equal(ours.values[k], theirs.values.double())
    gate = 6 * 5 + 5
    assert trainable_parameters(mixture) == 5 * trainable_parameters(single) + gate


def test_the_papers_settings():
    one, two = MoE(8, 2, 4, 64, kind="w", preset="paper"), MoIE(8, 2, 4, 64, kind="w", preset="paper")
    fixed = lambda m: [int((~p.mask[0, 0]).sum()) for p in m.modules() if isinstance(p, FixedEntries)]  # noqa: E731
    assert fixed(one) == [2, 3, 3, 3]
    assert fixed(two) == [2] * 5
    assert fixed(MoE(8, 2, 2, 256, kind="w", preset="paper")) == [2, 4, 4, 4]
    assert isinstance(one.activation, nn.GELU)
    assert isinstance(two.activation, nn.ReLU)


@pytest.mark.parametrize(("cls", "kind", "gate"), CASES)
def test_gradients_are_right_and_can_be_differentiated_again(cls, kind, gate):
    torch.manual_seed(0)
    mixture = cls(3, 2, 3, 4, depth=1, kind=kind, gate=gate, n_fix=1).double().eval()
    x = points(2)[:, :3]
    names = [name for name, _ in mixture.named_parameters()]

    def outputs(*weights):
        return torch.func.functional_call(mixture, dict(zip(names, weights)), (x,))

    weights = tuple(p.detach().clone().requires_grad_() for p in mixture.parameters())
    assert torch.autograd.gradcheck(outputs, weights)
    assert torch.autograd.gradgradcheck(outputs, weights)


@pytest.mark.parametrize(("cls", "kind", "gate"), CASES)
def test_mixtures_are_copied_saved_mapped_and_compiled(cls, kind, gate):
    mixture = exact(cls, kind=kind, gate=gate)
    x = points(3, 4)
    expected = mixture(x)
    assert torch.equal(copy.deepcopy(mixture)(x), expected)
    torch.manual_seed(9)
    other = cls(6, 3, 5, 16, kind=kind, gate=gate, seed=4).double().eval()
    other.load_state_dict(mixture.state_dict())
    assert torch.equal(other(x), expected)
    torch.testing.assert_close(torch.func.vmap(mixture)(x), expected)
    torch.testing.assert_close(torch.compile(mixture, fullgraph=True, backend="aot_eager")(x), expected)


@pytest.mark.parametrize(
    ("argument", "make"),
    [
        ("experts", lambda: MoE(4, 2, 0)),
        ("hidden", lambda: MoE(4, 2, 2, 0)),
        ("depth", lambda: MoIE(4, 2, 2, depth=0)),
        ("kind", lambda: MoIE(4, 2, 2, kind="sigma")),
        ("gate", lambda: MoIE(4, 2, 2, gate="hard")),
        ("preset", lambda: MoIE(4, 2, 2, preset="best")),
        ("tau", lambda: MoIE(4, 2, 2, tau=0.0)),
        ("samples", lambda: MoIE(4, 2, 2, samples=0)),
        ("n_fix", lambda: MoIE(4, 2, 2, kind="w", n_fix=4)),
        ("mask", lambda: MoIE(4, 2, 2, kind="w", kappa=0.0)),
        ("x", lambda: MoE(4, 2, 2)(torch.zeros(3, 5))),
        ("x", lambda: MoE(4, 2, 2).alpha(torch.zeros(3, 5))),
        ("k", lambda: MoE(4, 2, 2).expert(2)),
        ("alpha", lambda: MoIE(4, 2, 2).network(torch.zeros(3))),
    ],
)
def test_what_cannot_be_a_mixture_is_refused(argument, make):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert caught.value.argument == argument


def test_draws_in_half_precision_are_finite():
    gate = MoE(2, 2, 8, 4, gate="gumbel").half().gate
    torch.manual_seed(0)
    assert bool(gate(torch.zeros(1_000_000, 2, dtype=torch.float16)).isfinite().all())


def test_copies_of_experts_share_nothing_with_the_mixture():
    mixture = MoIE(4, 2, 2, 8, activation=nn.PReLU)
    parts = [*mixture.parameters(), *mixture.expert(0).parameters()]
    assert len({p.data_ptr() for p in parts}) == len(parts)


def test_mixtures_with_other_draws_have_no_mean():
    make = lambda seed: MoE(4, 2, 2, 8, gate="gumbel", seed=seed)  # noqa: E731
    assert torch.equal(average([make(0), make(0)]).gate.fixed_noise, make(0).gate.fixed_noise)
    for of in (lambda m: m, lambda m: m.state_dict()):
        with pytest.raises(ArgumentError, match="fixed_noise"):
            average([of(make(0)), of(make(1))])


def test_kept_draws_come_near_the_mean_over_all_noise_as_one_over_the_root_of_their_number():
    """The error that the docstring states: 0.05 for ten draws of four experts."""
    x = torch.randn(8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def error(samples):
        off = []
        for seed in range(40):
            torch.manual_seed(seed)
            few = Gate(5, 4, "gumbel", samples=samples, seed=seed).double().eval()
            many = Gate(5, 4, "gumbel", samples=10_000, seed=99).double().eval()
            many.linear.load_state_dict(few.linear.state_dict())
            off.append((few(x) - many(x)).square().mean())
        return torch.stack(off).mean().sqrt().item()

    ten, hundreds = error(10), error(250)
    assert ten == pytest.approx(0.05, rel=0.2)
    assert ten / hundreds == pytest.approx(5, rel=0.3)


@pytest.mark.parametrize("cls", [MoE, MoIE])
@pytest.mark.parametrize("gate", ["softmax", "gumbel"])
def test_batches_of_none_and_one_and_low_precision(cls, gate):
    torch.manual_seed(0)
    mixture = cls(5, 3, 4, 8, kind="w", gate=gate)
    assert mixture(torch.randn(0, 5)).shape == (0, 3)
    assert mixture(torch.randn(2, 0, 5)).shape == (2, 0, 3)
    assert mixture(torch.randn(5)).shape == (3,)
    mixture.eval()
    x = torch.randn(20, 5)
    for dtype, tolerance in ((torch.bfloat16, 0.02), (torch.float16, 0.005)):
        low = copy.deepcopy(mixture).to(dtype)
        torch.testing.assert_close(low(x.to(dtype)).float(), mixture(x), rtol=tolerance, atol=tolerance)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = mixture(x)
    assert mixed.dtype == torch.bfloat16
    torch.testing.assert_close(mixed.float(), mixture(x), rtol=0.02, atol=0.02)
