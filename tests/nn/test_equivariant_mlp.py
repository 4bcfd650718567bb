"""Networks by construction: what activation is admitted, parity, and that they stay equivariant through depth."""

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError, NotEquivariantError
from erlangen.nn import EquivariantMLP, Gated, PointwiseActivation

D = torch.float64


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


CASES = {
    "graphs": (er.Symmetric(5).vector ** 2, er.Symmetric(5).vector, PointwiseActivation),
    "sets up to even permutations": (er.Alternating(4).vector, er.Alternating(4).vector ** 2, PointwiseActivation),
    "vectors": (2 * er.SO(3).vector, er.SO(3).vector, Gated),
    "second-rank tensors": (er.O(3).vector, er.O(3).vector ** 2, Gated),
    "phase space": (er.Sp(4).vector ** 2, er.Sp(4).vector ** 2 + er.Sp(4).scalar, Gated),
    "Lorentz": (2 * er.O(1, 3).vector, er.O(1, 3).vector + er.O(1, 3).scalar, Gated),
    "finite": (er.Dihedral(4).vector, er.Dihedral(4).vector, PointwiseActivation),
    "irreps": (er.SO(3).irrep(2) + er.SO(3).irrep(1), er.SO(3).irrep(1), Gated),
}


@pytest.mark.parametrize("name", CASES)
def test_deep_networks_are_equivariant(name):
    V, W, kind = CASES[name]
    net = EquivariantMLP(V, W, channels=8, layers=3, generator=seeded()).double()
    assert all(isinstance(step, kind) for step in net.nonlinears)
    for p in net.parameters():
        if p.ndim == 2:  # biases start at zero
            torch.nn.init.normal_(p, generator=seeded(1), std=0.3)
    g = V.group.sample(16, generator=seeded(2), dtype=D)
    x = torch.randn(16, V.dim, generator=seeded(3), dtype=D)
    expected = W.act(g, net(x))
    assert float(net(x).std()) > 1e-3
    assert float((net(V.act(g, x)) - expected).norm() / expected.norm()) <= 1e-12


def test_inadmissible_activations_are_refused_with_reason_and_choice():
    V = er.SO(3).vector
    with pytest.raises(NotEquivariantError, match="counterexample") as caught:
        EquivariantMLP(V, V, activation=torch.nn.ReLU())
    assert "gated" in str(caught.value)
    assert not caught.value.verdict.holds
    signed = er.Symmetric(4).vector @ er.Symmetric(4).pseudoscalar
    with pytest.raises(NotEquivariantError, match="ReLU"):
        EquivariantMLP(signed, signed, hidden=signed, activation=torch.nn.ReLU())
    EquivariantMLP(signed, signed, hidden=signed, activation=torch.nn.Tanh())


def test_activation_that_changes_the_representation_types_the_next_layer():
    group = er.Symmetric(4)
    odd, even = group.vector @ group.pseudoscalar, group.vector
    net = EquivariantMLP(odd, even, hidden=odd, layers=1, activation=torch.abs, channels=4, generator=seeded()).double()
    g, x = group.elements(), torch.randn(24, 4, generator=seeded(1), dtype=D)
    torch.testing.assert_close(net(odd.act(g, x)), even.act(g, net(x)), rtol=1e-12, atol=1e-12)


def test_alternating_networks_see_parity_and_say_when_they_cannot():
    group = er.Alternating(4)
    V = group.vector
    net = EquivariantMLP(V, group.scalar, hidden=V**2, channels=8, generator=seeded()).double()
    for p in net.parameters():
        torch.nn.init.normal_(p, generator=seeded(2), std=0.5)
    x = torch.randn(32, 4, generator=seeded(1), dtype=D)
    even = torch.stack([V.act(g, x) for g in group.elements()])
    assert ((net(even) - net(x)).norm() / net(x).norm()).item() <= 1e-12
    swapped = x[:, [1, 0, 2, 3]]
    assert ((net(swapped) - net(x)).norm() / net(x).norm()).item() > 1e-3
    large = er.Alternating(6)
    with pytest.raises(ArgumentError, match="at least 5 axes"):
        EquivariantMLP(large.vector, large.scalar)
    with pytest.warns(UserWarning, match="Symmetric"):
        EquivariantMLP(large.vector, large.scalar, require_parity=False)


def test_norm_activation_and_hidden_per_layer():
    V = er.O(3).vector
    net = EquivariantMLP(V, V, hidden=[V + V.group.scalar, 2 * V], activation="norm", channels=4, generator=seeded()).double()
    g, x = V.group.sample(8, generator=seeded(1), dtype=D), torch.randn(8, 3, generator=seeded(2), dtype=D)
    torch.testing.assert_close(net(V.act(g, x)), V.act(g, net(x)), rtol=1e-12, atol=1e-12)
    assert [layer.target.symbol for layer in net.linears] == ["V + 0e", "2·V", "V"]


def test_it_learns_a_cross_product():
    V = er.SO(3).vector
    net = EquivariantMLP(2 * V, V, channels=8, layers=1, generator=seeded())
    x = torch.randn(512, 6, generator=seeded(1))
    y = torch.linalg.cross(x[:, :3], x[:, 3:])
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
    assert float(loss) < 0.05 * float(y.var())


@pytest.mark.parametrize(
    ("options", "argument"), [({"channels": 0}, "channels"), ({"layers": 0}, "layers"), ({"hidden": []}, "hidden")]
)
def test_bad_input(options, argument):
    V = er.O(3).vector
    with pytest.raises(ArgumentError, match=f"'{argument}'"):
        EquivariantMLP(V, V, **options)
    with pytest.raises(ArgumentError, match="'x'"):
        EquivariantMLP(V, V)(torch.zeros(2, 4))


@pytest.mark.parametrize("name", ["graphs", "vectors", "phase space"])
def test_whole_networks_compile_and_export(name):
    torch.compiler.reset()
    V, W, _ = CASES[name]
    net = EquivariantMLP(V, W, channels=4, layers=1, generator=seeded())  # every step is there once
    x = torch.randn(6, V.dim, generator=seeded(1))
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    found, expected = (torch.autograd.grad(model(x).sum(), list(net.parameters()), allow_unused=True) for model in (compiled, net))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(compiled(x), net(x), rtol=1e-5, atol=1e-5)
    sizes = {"x": {0: torch.export.Dim("batch", min=2, max=64)}}
    exported = torch.export.export(net, (x,), dynamic_shapes=sizes).module()
    other = torch.randn(9, V.dim, generator=seeded(2))
    torch.testing.assert_close(exported(other), net(other), rtol=1e-5, atol=1e-5)
