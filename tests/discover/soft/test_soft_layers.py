"""Which weights a soft penalty counts, and what it takes them for: attention, layers in any order, layers of other kinds."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.discover.soft import SoftEquivariance
from erlangen.discover.soft.order import ends_of
from erlangen.discover.soft.weights import weights_of
from erlangen.reps.layout import Layout

F64 = torch.float64
G = er.SO(3)
S, V = G.scalar, G.vector


def equivariant(layer: nn.Linear) -> None:
    """Multiples of the identity between vectors."""
    with torch.no_grad():
        out, inp = layer.out_features // 3, layer.in_features // 3
        layer.weight.copy_(torch.kron(torch.randn(out, inp, generator=torch.Generator().manual_seed(0)), torch.eye(3)))


class Attending(nn.Module):
    """Self-attention on four vectors, after a linear layer or before it."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(12, 12, bias=False)
        self.attention = nn.MultiheadAttention(12, 1, bias=False, batch_first=True)
        self.last = last
        equivariant(self.linear)
        with torch.no_grad():
            self.attention.in_proj_weight.copy_(torch.kron(torch.randn(12, 4), torch.eye(3)))

    def forward(self, x):
        if self.last:
            x = self.linear(x)
            return self.attention(x, x, x)[0]
        return self.linear(self.attention(x, x, x)[0])


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("explicit", [False, True])
def test_the_output_of_attention_counts(last: bool, explicit: bool) -> None:
    net = Attending(last).double()
    pair = (4 * V, 4 * V)
    options = {"layers": {"linear": pair, "attention": pair}} if explicit else {"inp": 4 * V, "out": 4 * V, "hidden": 4 * V}
    penalty = SoftEquivariance(net, [G], tune="off", **options)
    x = torch.randn(8, 5, 12, dtype=F64, generator=torch.Generator().manual_seed(1))
    report = penalty.report(x, generator=torch.Generator().manual_seed(2))
    assert report["SO(3)"].error > 0.1
    assert report["SO(3)"].degree < 0.999
    assert penalty.residuals()["SO(3)"] > 0.1
    equivariant(net.attention.out_proj)
    report = penalty.report(x, generator=torch.Generator().manual_seed(2))
    assert report["SO(3)"].error < 1e-12
    assert report["SO(3)"].degree == pytest.approx(1)
    assert penalty.residuals()["SO(3)"] == pytest.approx(0, abs=1e-20)


def test_an_output_projection_that_is_said_on_its_own_counts_once() -> None:
    net, pair = Attending(True), (4 * V, 4 * V)
    layers = {"linear": pair, "attention": pair}
    names = [w.name for w in weights_of(net, 3, layers=layers)]
    assert names == ["linear.weight", "attention.in_proj_weight", "attention.out_proj.weight"]
    own = weights_of(net, 3, layers={**layers, "attention.out_proj": (4 * V, 12 * S)})
    assert [w.name for w in own] == names
    assert [w.last for w in own] == [False, False, True]
    assert [w.name for w in weights_of(net, 3, inp=4 * V)] == names


class Headed(nn.Module):
    """Self-attention whose projections mix whole vectors of space, with any number of heads."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, heads, bias=False, batch_first=True)
        kept = torch.kron(torch.randn(16, 4, generator=torch.Generator().manual_seed(3)), torch.eye(3))
        with torch.no_grad():
            self.attention.in_proj_weight.copy_(kept[:36])
            self.attention.out_proj.weight.copy_(kept[36:])

    def forward(self, x):
        return self.attention(x, x, x)[0]


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize(("heads", "cut"), [(1, 0), (2, 0), (4, 0), (3, 2), (6, 4), (12, 4)])
def test_heads_that_cut_vectors_break_the_symmetry(heads: int, cut: int, explicit: bool, dtype: torch.dtype) -> None:
    net = Headed(heads).to(dtype)
    options = {"layers": {"attention": (4 * V, 4 * V)}} if explicit else {"inp": 4 * V, "out": 4 * V, "hidden": 4 * V}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        penalty = SoftEquivariance(net, [G], tune="off", **options)
    told = [str(w.message) for w in said if "heads of" in str(w.message)]
    assert [text.startswith(f"attention: {cut} of the tensors in 4·V") for text in told] == [True] * bool(cut)
    x = torch.randn(8, 5, 12, dtype=F64, generator=torch.Generator().manual_seed(1)).to(dtype)
    report = penalty.report(x, generator=torch.Generator().manual_seed(2))["SO(3)"]
    if not cut:
        assert report.error < 100 * torch.finfo(dtype).eps
        assert report.degree == pytest.approx(1, abs=1e-3)
        return
    assert report.error > 1e-2
    assert report.degree < 0.7
    # Without the vectors that are cut the symmetry is there, and counts.
    whole = torch.tensor([heads == 3, False, False, heads == 3]).repeat_interleave(3)
    with torch.no_grad():
        net.attention.in_proj_weight[~whole.repeat(3)] = 0
        net.attention.out_proj.weight[:, ~whole] = 0
    report = penalty.report(x, generator=torch.Generator().manual_seed(2))["SO(3)"]
    assert report.error < 100 * torch.finfo(dtype).eps
    assert penalty.residuals()["SO(3)"] == pytest.approx(0, abs=1e-6)


def test_attention_is_not_symmetric_under_groups_that_stretch() -> None:
    with pytest.warns(UserWarning, match=r"which SO\(1,2\) does not keep"):
        SoftEquivariance(Headed(2), [G, er.SO(1, 2)], layers={"attention": (4 * V, 4 * V)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SoftEquivariance(Headed(2), [G, er.SO(2, axis="z")], layers={"attention": (4 * V, 4 * V)})


class Backwards(nn.Module):
    """Layers in the opposite of the order in which they run."""

    def __init__(self, branches: bool = False) -> None:
        super().__init__()
        self.out = nn.Linear(24, 3)
        self.middle = nn.Linear(24, 24)
        self.skip = nn.Linear(9, 24) if branches else None
        self.start = nn.Linear(9, 24)

    def forward(self, x):
        h = torch.tanh(self.start(x))
        h = h + self.middle(h) if self.skip is None else self.middle(h) + self.skip(x)
        return self.out(torch.tanh(h))


@pytest.mark.parametrize("branches", [False, True])
def test_layers_are_what_they_are_when_they_run(branches: bool) -> None:
    found = {w.name: w for w in weights_of(Backwards(branches), 3, inp=2 * V + 3 * S, out=3 * S) if w.name.endswith("weight")}
    inp, out = Layout.of(2 * V + 3 * S, 3), Layout.of(3 * S, 3)
    readers = {"start.weight", "skip.weight"} & set(found)
    assert {n for n, w in found.items() if w.first} == readers
    assert {n for n, w in found.items() if w.last} == {"out.weight"}
    assert all(found[n].source == inp for n in readers)
    assert found["out.weight"].target == out
    assert found["middle.weight"].source == found["out.weight"].source == found["start.weight"].target
    report = SoftEquivariance(Backwards(branches), [G], inp=2 * V + 3 * S, out=3 * S).report(torch.randn(16, 9))
    assert report["SO(3)"].error > 0


def test_all_heads_are_outputs_and_blocks_are_looked_into() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.heads = nn.ModuleList([nn.Linear(24, 3), nn.Linear(24, 3)])
            self.body = nn.Sequential(nn.Linear(9, 24), nn.SiLU(), nn.Linear(24, 24))

        def forward(self, x):
            h = self.body(x)
            return self.heads[0](h) + self.heads[1](h)

    names = ["heads.0", "heads.1", "body.0", "body.2"]
    ends = ends_of(Heads(), names)
    assert ends is not None
    assert (set(ends.first), set(ends.last)) == ({"body.0"}, {"heads.0", "heads.1"})


def test_an_order_that_cannot_be_found_is_said_to_be_a_guess() -> None:
    class Deciding(Backwards):
        def forward(self, x):
            return super().forward(x) if x.sum() > 0 else super().forward(-x)

    assert ends_of(Deciding(), ["out", "middle", "start"]) is None
    with pytest.warns(UserWarning, match="out is taken for the layer that reads the input and start for"):
        weights_of(Deciding(), 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights_of(Deciding(), 3, layers={"start": (3 * V, 8 * V)})
        weights_of(nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 3)), 3)
        weights_of(Backwards(), 3)


@pytest.mark.parametrize("other", [nn.LSTMCell(3, 3), nn.LayerNorm(3), nn.Bilinear(3, 3, 3), nn.PReLU()])
def test_weights_that_do_not_count_are_named(other: nn.Module) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.other = nn.Linear(3, 3), other

        def forward(self, x):
            return self.linear(x)

    with pytest.warns(UserWarning, match=rf"other \({type(other).__name__}\) are not counted"):
        SoftEquivariance(Net(), [G])


def test_networks_that_say_what_they_map_between_warn_of_nothing() -> None:
    from erlangen.nn.soft_mlp import SoftEquivariantMLP

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SoftEquivariance(SoftEquivariantMLP(2 * V, V, width=32, blocks=2), [G, er.SO(2, axis="z")])
