"""The network for soft equivariance and its strictly bound relatives."""

from __future__ import annotations

import pytest
import torch

import erlangen as er
from erlangen.discover.soft import Layout, SoftEquivariance, SoftEquivariantRegressor, TensorType, project
from erlangen.errors import ArgumentError
from erlangen.nn.soft_linear import BoundLinear, EquivariantWeight, SoftLinear
from erlangen.nn.soft_mlp import SoftEquivariantMLP, SoftGate, TensorProducts

G = er.O(3)
S, V = G.scalar, G.vector
INP, OUT = 5 * S + 5 * V, V**2
GROUPS = {"O3": er.O(3), "O2z": er.AxialO("z")}


def net(weights: str = "soft", **options: object) -> SoftEquivariantMLP:
    torch.manual_seed(0)
    return SoftEquivariantMLP(INP, OUT, width=48, blocks=2, weights=weights, groups=GROUPS, **options)  # type: ignore[arg-type]


def error(model: torch.nn.Module, group: er.Group, x: torch.Tensor) -> float:
    inp, out = Layout.of(INP, 3).rep(group.vector), Layout.of(OUT, 3).rep(group.vector)
    return er.equivariance_error(model, x, inp, out, generator=torch.Generator().manual_seed(0))["mean"]


def test_hard_weights_are_equivariant() -> None:
    assert error(net("hard"), er.O(3), torch.randn(32, 20)) < 1e-6
    assert error(net("hard").double(), er.O(3), torch.randn(32, 20, dtype=torch.float64)) < 1e-6
    assert error(net("soft"), er.O(3), torch.randn(32, 20)) > 0.1


def test_a_residual_pathway_without_its_free_part_is_the_hard_network() -> None:
    rpp, hard = net("rpp"), net("hard")
    state = rpp.state_dict()
    hard.load_state_dict({name: state[name] for name in hard.state_dict()})
    x = torch.randn(32, 20)
    assert (rpp(x) - hard(x)).abs().max() > 1e-6
    with torch.no_grad():
        for p in rpp.basic:
            p.zero_()
    assert torch.equal(rpp(x), hard(x))
    assert error(rpp, er.O(3), x) < 1e-6


def test_mixed_pathways_keep_the_smaller_group() -> None:
    mixed = net("mixed-rpp")
    with torch.no_grad():
        for g in mixed.gates:
            g.free.zero_()  # type: ignore[union-attr, operator]
        for p in mixed.basic:
            p.mul_(300)
    x = torch.randn(32, 20)
    assert error(mixed, er.AxialO("z"), x) < 1e-5
    assert error(mixed, er.O(3), x) > 1e-3


@pytest.mark.parametrize("name", ["O3", "scaling"])
def test_products_and_gates_commute_with_every_group(name: str) -> None:
    group = {"O3": er.O(3), "scaling": er.Scalings(3)}[name]
    kinds = [TensorType(), TensorType(1), TensorType(2)] if name == "O3" else [
        TensorType(), TensorType(1), TensorType(0, 1), TensorType(1, 1), TensorType(2)
    ]  # fmt: skip
    layout = Layout(3, [(kind, 2) for kind in kinds])
    product = TensorProducts(layout).double()
    x = torch.randn(16, layout.dim, dtype=torch.float64)
    rep = layout.rep(group.vector)
    assert product(x).abs().max() > 0.01
    assert er.equivariance_error(product, x, rep, rep, generator=torch.Generator().manual_seed(0))["worst"] < 1e-10
    gates = sum(count for kind, count in layout if kind.rank)
    gate = SoftGate(layout, free=False)
    wide = layout + Layout(3, [(TensorType(), gates)])
    y = torch.randn(16, wide.dim, dtype=torch.float64)
    assert er.equivariance_error(gate, y, wide.rep(group.vector), rep, generator=torch.Generator().manual_seed(0))["worst"] < 1e-10


def test_the_penalty_needs_no_more_than_the_network() -> None:
    model = net()
    penalty = SoftEquivariance(model, GROUPS, tune="off")
    assert sum(w.name.endswith("weight") for w in penalty.energy.weights) == 3
    with torch.no_grad():
        for g in model.gates:
            g.free.zero_()  # type: ignore[union-attr, operator]
        for layer in (*model.linears, model.last):
            inp, out = layer.layouts
            layer.weight.copy_(project(layer.weight, er.O(3).vector, out, inp))
            one = Layout(3, [(TensorType(), 1)])
            layer.bias.copy_(project(layer.bias[:, None], er.O(3).vector, out, one)[:, 0])
    assert penalty.residuals()["O3"] < 1e-9
    assert error(model, er.O(3), torch.randn(32, 20)) < 1e-5


def test_initial_weights() -> None:
    inp, out = Layout.of(INP, 3), Layout.of(OUT, 3)
    torch.manual_seed(0)
    plain = SoftLinear(inp, out)
    assert torch.allclose(plain.weight @ plain.weight.mT, torch.eye(9), atol=1e-5)
    near = SoftEquivariance(SoftLinear(inp, out, "rpp", V, bias=False), [er.O(3)]).cosine_residuals()["O(3)"]
    half = SoftEquivariance(SoftLinear(inp, out, "half", V, bias=False), [er.O(3)]).cosine_residuals()["O(3)"]
    assert near < 1e-3 < half
    weight = EquivariantWeight(V, inp, out)()
    assert torch.allclose(project(weight, V, out, inp), weight, atol=1e-5)
    assert not BoundLinear([V], inp, out, free=False).basic


def test_the_regressor_finds_the_axis() -> None:
    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    y = 2 * x + x[:, [2]] * torch.tensor([0.0, 0.0, 1.5])
    groups = [er.SO(3), er.SO(2, axis="z"), er.SO(2, axis="x")]
    model = SoftEquivariantRegressor(groups, 1, 1, width=20, blocks=1, steps=300, lr=1e-2).fit(x, y)
    assert model.degrees().best == "SO(2) about z"
    assert model.score(x, y) > 0.95
    report = model.report(x)
    assert report["SO(2) about z"].error < report["SO(2) about x"].error
    assert model.predict(x.numpy()).shape == (200, 3)


def test_bad_input_is_named() -> None:
    with pytest.raises(ArgumentError, match="'weights'"):
        net("loose")
    with pytest.raises(ArgumentError, match="'groups'"):
        SoftEquivariantMLP(INP, OUT, weights="hard")
    with pytest.raises(ArgumentError, match="'init'"):
        net(init="zero")
    with pytest.raises(ArgumentError, match="'x'"):
        net()(torch.randn(4, 19))
    with pytest.raises(ArgumentError, match="'y'"):
        SoftEquivariantRegressor(GROUPS, 1, 1).fit(torch.randn(4, 3), torch.randn(4, 6))
