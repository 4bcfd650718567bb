"""Bonds as oriented points: as written down, exact under all motions, and back; PONITA as the network of potentials and of diffusions."""

import warnings

import pytest
import torch

import erlangen as er
from erlangen.actions import AtomBatch
from erlangen.errors import ArgumentError
from erlangen.generate import Categorical, Diffusion, Gaussian, Together
from erlangen.measure.gwl import counterexample, kchain, probe
from erlangen.nn import PNITA, PONITA, PONITADenoiser, Potential, lift_bonds

F64 = torch.float64


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def graph():
    """A path with a branch, and a second graph of two nodes."""
    pos = torch.randn(6, 3, generator=seeded(), dtype=F64)
    bonds = torch.tensor([[0, 1, 1, 4], [1, 2, 3, 5]])
    return pos, torch.cat([bonds, bonds.flip(0)], 1), torch.tensor([0, 0, 0, 0, 1, 1])


def test_as_written_down():
    pos, edges, batch = graph()
    up = lift_bonds(pos, edges, batch)
    connected = {tuple(pair) for pair in edges.T.tolist()} | {(k, k) for k in range(6)}
    expected = set()
    for u in range(8):
        s, t = edges[:, u]
        assert torch.allclose(up.pos[u], pos[t])
        assert torch.allclose(up.ori[u] * (pos[s] - pos[t]).norm(), pos[s] - pos[t])
        assert (int(up.owner[u]), int(up.batch[u])) == (int(t), int(batch[t]))
        expected |= {(u, w) for w in range(8) if u != w and (int(t), int(edges[1, w])) in connected}
    found = [tuple(pair) for pair in up.edge_index.T.tolist()]
    assert set(found) == expected
    assert len(found) == len(expected)
    assert torch.allclose(up.mean(up.pos), pos)
    assert torch.equal(up.spread(pos), up.pos)


@pytest.mark.parametrize("options", [{}, {"separable": False, "attributes": "complete"}])
def test_exact_under_all_motions(options):
    torch.manual_seed(0)
    net = PONITA(1, 12, 1, 2, in_vectors=1, out_vectors=1, task="node", **options).double()
    pos, edges, batch = graph()
    vec = torch.randn(6, 1, 3, generator=seeded(5), dtype=F64)

    def run(pos, vec):
        up = lift_bonds(pos, edges, batch)
        return tuple(up.mean(y) for y in net(up.pos, vec=up.spread(vec), edge_index=up.edge_index, batch=up.batch, ori=up.ori))

    s, v = run(pos, vec)
    for g in er.O(3).sample(5, dtype=F64, generator=seeded(2)):
        s2, v2 = run(pos @ g.T + 5, vec @ g.T)
        assert torch.allclose(s2, s, rtol=0, atol=1e-12 * float(s.detach().abs().max()))
        assert torch.allclose(v2, v @ g.T, rtol=0, atol=1e-12 * float(v.detach().abs().max()))


def test_refuses_what_has_no_direction():
    pos, edges, _ = graph()
    with pytest.raises(ArgumentError, match=r"argument 'pos'.*an edge of length zero, 0 to 1"):
        lift_bonds(torch.cat([pos[:1], pos[:1], pos[2:]]), edges)
    with pytest.raises(ArgumentError, match=r"argument 'edge_index'.*none at node 6"):
        lift_bonds(torch.cat([pos, pos[:1]]), edges)


class Lifted(torch.nn.Module):
    """A geometric graph's number by PONITA on its bonds."""

    def __init__(self, layers, **options):
        super().__init__()
        self.net = PONITA(1, 16, 1, layers, **options)

    def forward(self, graph):
        up = lift_bonds(graph.pos, graph.edge_index)
        return self.net(up.pos, edge_index=up.edge_index, ori=up.ori)[0]


def test_what_it_tells_apart():
    """On a grid, chains of k bodies from k // 2 + 1 layers on, as the geometric Weisfeiler-Leman test; on bonds, which turn freely about
    themselves, nothing that a straight chain would have to hand on; by distances alone nothing at all."""

    def network(kind, layers, **options):
        def make():
            net = kind(1, 16, 1, layers, **options).double()
            return lambda graph: net(graph.pos / 5, edge_index=graph.edge_index)[0]

        return make

    def tells(make, pair):
        return bool(probe(make, {"pair": pair}, n_init=3)["pair"])

    assert not tells(network(PNITA, 4), kchain(2))
    for k in (3, 4):
        assert not tells(network(PONITA, k // 2), kchain(k))
        assert tells(network(PONITA, k // 2 + 1), kchain(k))
    assert tells(lambda: Lifted(1), kchain(2))
    assert not tells(lambda: Lifted(4), kchain(4))
    assert not tells(network(PNITA, 2), counterexample("2-body"))
    assert tells(lambda: Lifted(2), counterexample("2-body"))


def test_potentials_along_edges_and_for_all_pairs():
    torch.manual_seed(0)
    pos = torch.randn(7, 3, generator=seeded(3), dtype=F64)
    water = AtomBatch.of(pos, [8, 1, 1, 8, 1, 1, 1], batch=torch.tensor([0, 0, 0, 1, 1, 1, 1]))
    for network in (PONITA(2, 12, 1, 2, task="node"), PNITA(2, 12, 1, 2, task="node")):
        for cutoff in (None, 2.0):
            model = Potential(network, [1, 8], cutoff=cutoff).double().eval()
            y = model(water)
            assert (y["energy"].shape, y["forces"].shape) == ((2, 1), (7, 3))
            total = torch.zeros(2, 3, dtype=F64).index_add(0, water.batch, y["forces"])
            assert total.abs().max() < 1e-10
            step = 1e-5
            for i, k in ((0, 0), (4, 2)):
                ends = []
                for sign in (1, -1):
                    moved = pos.clone()
                    moved[i, k] += sign * step
                    with torch.no_grad():
                        ends.append(model(water.replace(pos=moved))["energy"].sum())
                assert float(-(ends[0] - ends[1]) / (2 * step)) == pytest.approx(float(y["forces"][i, k]), abs=1e-6)


def test_as_an_ase_calculator():
    ase = pytest.importorskip("ase")
    torch.manual_seed(0)
    potential = Potential(PONITA(2, 12, 1, 2, task="node", radius=3.0), [1, 8], cutoff=3.0).double().eval()
    water = ase.Atoms("OHH", [[0, 0, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]])
    water.calc = er.nn.calculator(potential, 3.0)
    forces, ends = water.get_forces(), []
    for step in (1e-5, -2e-5):
        water.positions[1, 1] += step
        ends.append(water.get_potential_energy())
    assert (ends[1] - ends[0]) / 2e-5 == pytest.approx(forces[1, 1], abs=1e-7)
    packed = ase.Atoms("OHH", water.positions, cell=[2.5, 2.5, 2.5], pbc=True)  # atoms see their own images
    packed.calc = water.calc
    assert abs(packed.get_potential_energy() - ends[1]) > 1e-3
    assert abs(packed.get_forces().sum(0)).max() < 1e-10


def test_denoiser():
    torch.manual_seed(0)
    process = Together({"pos": Gaussian(schedule=10), "kind": Categorical(2, schedule=10)}, segments={"pos": "of", "kind": "of"})
    net = PONITADenoiser(2, 10, 12, 2, batch="of", grid="octa").double()
    record = {"pos": torch.randn(5, 3, dtype=F64), "kind": torch.tensor([0, 1, 1, 0, 1]), "of": torch.tensor([0, 0, 0, 1, 1])}
    t = torch.tensor([3, 7])
    y = net(t=t, **record)
    assert {name: part.shape for name, part in y.items()} == {"pos": (5, 3), "kind": (5, 2)}
    assert torch.zeros(2, 3, dtype=F64).index_add(0, record["of"], y["pos"]).abs().max() < 1e-14
    for g in net.net.orientations.group.elements()[:12]:
        moved = net(t=t, **record | {"pos": record["pos"] @ g.T + 2})
        assert torch.allclose(moved["pos"], y["pos"] @ g.T, rtol=0, atol=1e-11)
        assert torch.allclose(moved["kind"], y["kind"], rtol=0, atol=1e-11)
    assert not torch.allclose(net(t=t + 1, **record)["kind"], y["kind"])
    model = Diffusion(process, net)
    model.loss(record).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    with pytest.raises(ArgumentError, match="argument 'record'.*'kind'"):
        net(t=t, pos=record["pos"], of=record["of"])
    for name, wrong in {
        "kind": {"kind": record["kind"] + 1},
        "kind'.*int64": {"kind": record["pos"][:, 0]},
        "t": {"t": t[:1]},
    }.items():
        with pytest.raises(ArgumentError, match=name):
            net(**{"t": t, **record, **wrong})
    with pytest.raises(ArgumentError, match="argument 'kinds'"):
        PONITADenoiser(0, 10, 12, 2)


def test_bonds_of_any_length_and_edges_that_are_none():
    pos = torch.randn(4, 3, dtype=F64)
    edges = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
    torch.testing.assert_close(lift_bonds(1e-200 * pos, edges).ori, lift_bonds(pos, edges).ori, rtol=0, atol=1e-15)
    for name, wrong in {
        "edge_index": {"edge_index": edges.T},
        "edge_index'.*graphs": {"batch": torch.tensor([0, 0, 1, 1])},
        "batch": {"batch": torch.zeros(3, dtype=torch.int64)},
        "pos": {"pos": torch.zeros(4, 3, dtype=torch.int64)},
    }.items():
        with pytest.raises(ArgumentError, match=name):
            lift_bonds(**{"pos": pos, "edge_index": edges, **wrong})


@pytest.mark.parametrize("name", ["task", "out_vectors", "in_scalars"])
def test_a_denoiser_decides_what_goes_in_and_out(name):
    with pytest.raises(ArgumentError, match=f"argument '{name}'.*the diffusion decides"):
        PONITADenoiser(2, 10, 12, 2, **{name: "graph"})


def test_energies_that_jump_where_edges_end_are_warned_of():
    pair = AtomBatch.of(torch.tensor([[0.0, 0, 0], [0, 0, 2.0]], dtype=F64), [1, 8])

    def jump(network):
        model = Potential(network, [1, 8], cutoff=2.0).double().eval()
        with torch.no_grad():
            one, other = (model(pair.replace(pos=pair.pos * by))["energy"] for by in (1 - 1e-7, 1 + 1e-7))
        return float((one - other).abs())

    for kind in (PONITA, PNITA):
        for radius in (None, 3.0):
            torch.manual_seed(0)
            with pytest.warns(UserWarning, match=f"energies jump.*{kind.__name__} has radius={radius}"):
                assert jump(kind(2, 12, 1, 2, task="node", radius=radius)) > 1e-3
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert jump(kind(2, 12, 1, 2, task="node", radius=2.0)) < 1e-6
    with pytest.warns(UserWarning, match="GAAEnergyModel has cutoff=3"):
        Potential(er.nn.GAAEnergyModel(2, cutoff=3.0), [1, 8], cutoff=2.0)


def test_rows_of_another_number_are_named():
    up = lift_bonds(torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0]]), torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]))
    with pytest.raises(ArgumentError, match="a row for each of 3 nodes") as caught:
        up.spread(torch.zeros(4, 1))
    assert caught.value.argument == "x"
    with pytest.raises(ArgumentError, match="a row for each of 4 oriented points") as caught:
        up.mean(torch.zeros(3, 1))
    assert caught.value.argument == "y"
