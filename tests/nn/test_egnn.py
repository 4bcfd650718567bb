"""EGNN and the graph network averaged over frames layer by layer: equivariant, and what each is made of."""

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.nn import EGNN, PairGNN
from erlangen.symmetrize import FAGNN, SignFixed, Stochastic, Symmetrized

F64 = torch.float64


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def system(batch=6, n=5, seed=0):
    pos, vel = torch.randn(2, batch, n, 3, generator=seeded(seed), dtype=F64)
    charge = torch.randn(batch, n, 1, generator=seeded(seed + 1), dtype=F64).sign()
    return pos, vel, charge * charge.mT


class Positions(torch.nn.Module):
    """The positions of an EGNN alone."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, pos, vel, products):
        return self.net(pos, vel, pairs=products.unsqueeze(-1))[0]


def egnn(**options):
    torch.manual_seed(0)
    net = EGNN(pairs=1, width=16, layers=3, **options).double()
    for layer in net.layers:  # as it starts, positions hardly move: make the test see it
        layer.shift[-1].weight.data.mul_(1e3)
    return net


def test_egnn_is_equivariant_under_rigid_motions_and_its_scalars_invariant():
    G, (pos, vel, products) = er.E(3), system()
    act = (G.point, G.vector, er.frames.PerDatum(G))
    model = Positions(egnn())
    assert er.equivariance_error(model, (pos, vel, products), act, G.point, scale=10.0)["worst"] < 1e-10
    g = G.sample(6, dtype=F64, generator=seeded(3))
    scalars = [egnn()(x, v, pairs=products.unsqueeze(-1))[1] for x, v in ((pos, vel), (G.point.act(g, pos), G.vector.act(g, vel)))]
    assert torch.allclose(*scalars, atol=1e-11)
    assert (model(pos, vel, products) - pos).norm() > 0.1 * pos.norm()


def test_egnn_commutes_with_relabelling_and_a_node_sends_nothing_to_itself():
    pos, vel, products = system()
    model, order = Positions(egnn()), torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(model(pos[:, order], vel[:, order], products[:, order][:, :, order]), model(pos, vel, products)[:, order])
    loops = products + 7 * torch.eye(5, dtype=F64)
    assert torch.allclose(model(pos, vel, loops), model(pos, vel, products))


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize(("n", "layers"), [(5, 4), (100, 20)])
def test_neither_nodes_nor_layers_make_it_overflow(dtype, n, layers):
    torch.manual_seed(0)
    net = EGNN(width=16, layers=layers).to(dtype)
    pos, vel = torch.randn(2, 1, n, 3, generator=seeded(2), dtype=dtype)
    moved, h = net(pos, vel)
    assert (moved - pos).norm() < 2 * vel.norm()
    assert h.abs().max() < 30
    (moved.square().mean() + h.square().mean()).backward()
    assert max(float(p.grad.norm()) for p in net.parameters()) < 1e3
    plain = PairGNN(vectors=1, pairs=1, width=16, layers=layers).to(dtype)
    assert plain(pos.unsqueeze(2), pos.new_ones(1, n, n, 1)).abs().max() < 30


def test_scalars_hear_the_mean_of_the_other_nodes():
    net = EGNN(width=8, layers=2, moving=False).double()
    pos = torch.randn(1, 8, 3, generator=seeded(5), dtype=F64)
    layer, h = net.layers[0], net.embed(torch.ones(1, 8, 1, dtype=F64))
    _, _, out = layer(pos, None, h, None)
    m = layer.messages(h, (pos.unsqueeze(2) - pos.unsqueeze(1)).square().sum(-1, keepdim=True).log1p())
    heard = torch.stack([m[0, i, [j for j in range(8) if j != i]].mean(0) for i in range(8)])
    assert torch.allclose(out[0], h[0] + layer.node(torch.cat([h[0], heard], -1)), atol=1e-14)


def test_one_layer_by_hand():
    net = EGNN(scalars=2, width=8, layers=1, moving=False).double()
    pos, h = torch.randn(1, 3, 2, dtype=F64), torch.randn(1, 3, 2, dtype=F64)
    layer, inside = net.layers[0], net.embed(h)[0]
    moved = pos[0].clone()
    for i in range(3):
        for j in range(3):
            if i != j:
                square = (pos[0, i] - pos[0, j]).square().sum().log1p().view(1, 1, 1, 1)
                pair = torch.stack([inside[i], inside[j]])[None]
                m = layer.messages(pair, square.expand(1, 2, 2, 1))[0, 0, 1]
                moved[i] = moved[i] + (pos[0, i] - pos[0, j]) * layer.shift(m) / 2
    assert torch.allclose(net(pos, scalars=h)[0][0], moved, atol=1e-14)


@pytest.mark.parametrize("frame", [er.frames.Principal, SignFixed, lambda: Stochastic(er.frames.Principal())])
def test_layers_over_frames_are_equivariant(frame):
    torch.manual_seed(0)
    pos, vel, products = system()
    G = er.O(3)
    net = FAGNN(pairs=1, width=12, layers=2, frame=frame).double().eval()
    vectors = torch.stack([pos - pos.mean(1, keepdim=True), vel], 2)
    act = (G.vector, er.frames.PerDatum(G))
    assert er.equivariance_error(net, (vectors, products.unsqueeze(-1)), act, G.vector)["worst"] < 1e-10
    assert all(isinstance(layer, Symmetrized) for layer in net.layers)
    plain = PairGNN(pairs=1, width=12, layers=2).double()
    assert er.equivariance_error(plain, (vectors, products.unsqueeze(-1)), act, G.vector)["worst"] > 1e-2


def test_any_number_of_nodes():
    net = FAGNN(width=12, layers=1)
    assert [net(torch.randn(2, n, 2, 3), torch.ones(2, n, n, 1)).shape[1] for n in (1, 2, 9)] == [1, 2, 9]


def test_errors_name_what_is_wrong():
    pos, vel, products = system()
    for argument, call in (
        ("vel", lambda: egnn()(pos, pairs=products.unsqueeze(-1))),
        ("pairs", lambda: egnn()(pos, vel)),
        ("scalars", lambda: EGNN(scalars=0)),
        ("width", lambda: FAGNN(width=10)),
    ):
        with pytest.raises(ArgumentError, match=f"argument '{argument}'"):
            call()


def test_energies_of_atoms_are_invariant_and_refuse_what_they_cannot_see():
    from erlangen.nn import EGNNEnergyModel

    torch.manual_seed(0)
    net = EGNNEnergyModel(2, width=8, layers=2).double()
    pos, x = torch.randn(6, 3, dtype=torch.float64), torch.eye(2, dtype=torch.float64).repeat(3, 1)
    of = torch.tensor([0, 0, 0, 1, 1, 1])
    turn = er.O(3).sample(dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = net(pos, x, batch=of)
    assert torch.allclose(net(pos @ turn.T + 1.0, x, batch=of), y, atol=1e-12)
    assert torch.allclose(net(pos[:3], x[:3]), y[:3], atol=1e-12)
    with pytest.raises(ArgumentError, match="edge_index"):
        net(pos, x, edge_index=torch.tensor([[0], [1]]))
    with pytest.raises(ArgumentError, match="batch"):
        net(pos, x, batch=torch.tensor([0, 0, 0, 0, 1, 1]))
