"""What the check of a specification sees: units that are off, labels of two, outputs of any kind; and models that write in place."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.parameters import Grouped, WeightSpec, check_weight_spec, weight_spec


class Written(nn.Module):
    """Layers by name and a forward pass that is written beside them."""

    def __init__(self, run, **layers):
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.run(self, x)


@dataclass
class Answer:
    value: torch.Tensor
    note: str = ""


def moves_nothing(spec, model, x, tries=3):
    """Whether the outputs stay as they are, looked at from outside: other weights, other permutations."""
    g = torch.Generator().manual_seed(7)
    model, x = model.double().eval(), x.double() if x.is_floating_point() else x
    params = {n: p.detach() + 0.2 * torch.randn(p.shape, generator=g, dtype=p.dtype) for n, p in model.named_parameters()}
    buffers = dict(model.named_buffers())
    before = torch.func.functional_call(model, params | buffers, x.clone())
    for _ in range(tries):
        moved = spec.apply_permutation(params | buffers, spec.random_permutation(g))
        after = torch.func.functional_call(model, params | buffers | moved, x.clone())
        if not torch.allclose(after, before, rtol=1e-10, atol=1e-10 * float(before.abs().max())):
            return False
    return True


def loose(net):
    """A specification that is wrong: the bias of the first layer has come loose."""
    spec = weight_spec(net)
    return WeightSpec(spec.shapes, {**spec.axes, "0.bias": ("other",)})


def off(net):
    net[0].bias.data.fill_(-100.0)


def sharp(net):
    net[2].weight.data.mul_(1e6)


def equal(net):
    for p in net.parameters():
        p.data.fill_(1e13)


@pytest.mark.parametrize("spoil", [off, sharp, equal])
def test_a_wrong_specification_is_seen_where_units_are_off_or_saturated(spoil):
    net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2), nn.Softmax(-1))
    good, wrong = weight_spec(net), loose(net)
    spoil(net)
    assert check_weight_spec(good, net)
    assert not check_weight_spec(wrong, net)


def test_every_label_of_two_units_is_moved():
    layers = [m for i in range(12) for m in (nn.Linear(3 if i == 0 else 2, 2), nn.Tanh())]
    net = nn.Sequential(*layers, nn.Linear(2, 1))
    spec = weight_spec(net)
    assert len(spec.labels) == 12
    for label in spec.labels:
        wrong = WeightSpec(spec.shapes, {**spec.axes, f"{label}.bias": (None,)})
        assert not check_weight_spec(wrong, net), label


def test_an_empty_batch_shows_nothing():
    net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    spec = weight_spec(net)
    for call in (lambda x: weight_spec(net, example=x), lambda x: check_weight_spec(spec, net, x)):
        with pytest.raises(ArgumentError, match="'example'.*numbers that can be compared"):
            call(torch.randn(0, 3))
    assert weight_spec(net, example=torch.randn(1, 3)) == spec


def test_integer_outputs_are_compared():
    net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 5))
    model = Written(lambda m, x: m.net(x).argmax(-1), net=net)
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    with pytest.warns(UserWarning, match="argmax"):
        spec = weight_spec(model, example=x)
    assert dict(spec.labels) == {"net.0": 8}
    assert check_weight_spec(spec, model, x)
    assert not check_weight_spec(WeightSpec(spec.shapes, {**spec.axes, "net.0.bias": ("other",)}), model, x)


def test_outputs_in_a_data_class_are_outputs():
    net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 5))
    model, x = Written(lambda m, x: Answer(m.net(x), "said"), net=net), torch.randn(4, 3)
    spec = weight_spec(model, example=x)
    assert dict(spec.labels) == {"net.0": 8}  # and not the outputs, which are to stay
    assert dict(weight_spec(model, example=x, outputs="permuted").labels) == {"net.0": 8, "net.2": 5}
    assert not check_weight_spec(WeightSpec(spec.shapes, {**spec.axes, "net.2.bias": ("out",)}), model, x)


def test_infinite_outputs_are_compared_with_each_other():
    mask = torch.tensor([0.0, -torch.inf])
    model = Written(lambda m, x: m.net(x) + m.mask, net=nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)))
    model.register_buffer("mask", mask, persistent=False)
    assert dict(weight_spec(model, example=torch.randn(5, 3)).labels) == {"net.0": 4}


def test_what_training_alone_uses_is_named():
    def run(m, x):
        h = m.a(x).tanh()
        return (m.b(h), m.aux(h)) if m.training else m.b(h)

    model = Written(run, a=nn.Linear(3, 6), b=nn.Linear(6, 2), aux=nn.Linear(6, 2))
    with pytest.warns(UserWarning, match=r"aux.weight, aux.bias: not used in evaluation mode"):
        spec = weight_spec(model, example=torch.randn(4, 3))
    assert spec.axes["aux.weight"] == (None, None)
    assert spec.axes["b.weight"] == (None, "a")


def added(m, x):
    h = torch.zeros(x.shape[0], 6)
    h.add_(m.a(x))
    return m.b(h.tanh())


def summed(m, x):
    h = torch.zeros_like(m.a(x))
    h += m.a(x)
    return m.b(h.tanh())


def copied(m, x):
    h, g = x.new_empty(x.shape[0], 6), torch.empty(x.shape[0], 6)
    h.copy_(m.a(x))
    g.copy_(h)
    return m.b(g.tanh())


def turned(m, x):
    h = m.a(x)
    h.t_()
    return m.b(h.tanh().mT)


def narrowed(m, x):
    return m.b(m.a(x).float().softmax(-1, dtype=torch.float32) * torch.tensor([0.5]) + torch.full((6,), 1, dtype=torch.float32))


def as_gpt2(m, x):
    return torch.addmm(m.b.bias, m.a(x).tanh(), m.b.weight.mT)


def round_about(m, x):
    return m.b(torch.hstack([m.a(x).movedim(0, 1).movedim(0, 1)]))


@pytest.mark.parametrize("run", [added, summed, copied, turned, narrowed, as_gpt2, round_about])
def test_what_is_done_in_place_or_in_single_precision_is_followed(run):
    model, x = Written(run, a=nn.Linear(6, 6), b=nn.Linear(6, 6)), torch.randn(5, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spec = weight_spec(model, example=x)
    assert dict(spec.labels) == {"a": 6}
    assert spec.axes["b.weight"] == (None, "a")


def test_an_axis_that_changed_its_place_is_not_taken_for_another():
    def run(m, x):
        h = m.a(x)
        h.transpose_(0, 1)  # as many units as samples
        return m.b(h.tanh())

    model, x = Written(run, a=nn.Linear(6, 6), b=nn.Linear(6, 6)), torch.randn(6, 6)
    spec = weight_spec(model, example=x)
    assert spec.axes["b.weight"] == (None, None)
    assert moves_nothing(spec, model, x)


@pytest.mark.parametrize("heads_first", [False, True])
def test_attention_with_a_mask_cut_to_the_length(heads_first):
    """As GPT-2 and as GPT-NeoX write it: q, k and v side by side, or side by side in each head, where features stay and heads move."""

    def run(m, x):
        batch, length, _ = x.shape
        if heads_first:
            q, k, v = m.qkv(x).view(batch, length, 2, 12).transpose(1, 2).chunk(3, -1)
        else:
            q, k, v = m.qkv(x).split(8, 2)
            q, k, v = (t.view(batch, length, 2, 4).transpose(1, 2) for t in (q, k, v))
        a = (q @ k.transpose(-2, -1) / math.sqrt(4)).masked_fill(m.mask[:length, :length] == 0, float("-inf")).softmax(-1)
        return m.o((a @ v).transpose(1, 2).contiguous().view(batch, length, 8))

    model = Written(run, qkv=nn.Linear(8, 24), o=nn.Linear(8, 3))
    model.register_buffer("mask", torch.ones(6, 6).tril())
    x = torch.randn(2, 5, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spec = weight_spec(model, example=x)
    if heads_first:
        assert spec.axes["qkv.bias"] == (Grouped("qkv", 12),)
        assert spec.axes["o.weight"] == (None, Grouped("qkv", 4))
    else:
        assert sorted(spec.labels.values()) == [2, 4, 4]
    assert spec.axes["mask"] == (None, None)
    assert moves_nothing(spec, model, x)


def test_a_buffer_whose_name_torch_fx_needs_is_refused_by_name():
    model = Written(lambda m, x: m.a(x) @ m.code, a=nn.Linear(3, 4))
    model.register_buffer("code", torch.randn(4, 2))
    with pytest.raises(ArgumentError, match="'model'.*torch.fx"):
        weight_spec(model, example=torch.randn(5, 3))


@pytest.mark.parametrize("unit", [1e13, 1e-13])
def test_outputs_of_unlike_units_in_one_tensor_are_each_looked_at(unit):
    def run(self, x):
        return torch.cat([x[:, :1] * unit, self.last(torch.relu(self.first(x)))], -1)

    net = Written(run, first=nn.Linear(4, 8), last=nn.Linear(8, 2))
    right = WeightSpec(
        {name: tuple(p.shape) for name, p in net.named_parameters()},
        {"first.weight": ("h", None), "first.bias": ("h",), "last.weight": (None, "h"), "last.bias": (None,)},
    )
    wrong = WeightSpec(right.shapes, {**right.axes, "first.bias": ("other",)})
    assert check_weight_spec(right, net)["worst"] < 1e-14
    assert check_weight_spec(wrong, net)["worst"] > 0.1  # was below 1e-13, beside the large output
