"""Networks of geometric-algebra attention: invariant, conservative, continuous where atoms come and go."""

import pytest
import torch

import erlangen as er
from erlangen.actions import AtomBatch
from erlangen.errors import ArgumentError
from erlangen.nn import GAABackmapper, GAAClassifier, GAAEnergyModel, Potential

F64 = torch.float64


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make(kind, *sizes, **options):
    torch.manual_seed(0)
    return kind(*sizes, **options).double()


def molecules(seed=0, sizes=(5, 1, 3)):
    pos = torch.randn(sum(sizes), 3, generator=seeded(seed), dtype=F64) * 1.5
    numbers = torch.tensor([1, 6])[torch.randint(2, (sum(sizes),), generator=seeded(seed))]
    batch = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return AtomBatch.of(pos, numbers, batch=batch)


def test_the_classifier_does_not_see_turns_order_or_padding():
    net = make(GAAClassifier, 2, 3, width=8)
    assert er.assert_equivariant(net, elements=4)["worst"] < 1e-4
    r, x = torch.randn(4, 6, 3, generator=seeded(), dtype=F64), torch.randn(4, 6, 2, generator=seeded(1), dtype=F64)
    y = net(r, x)
    order = torch.randperm(6, generator=seeded(2))
    assert torch.allclose(net(r[:, order], x[:, order]), y, atol=1e-13)
    padded = torch.nn.functional.pad(r, (0, 0, 0, 2), value=7.0), torch.nn.functional.pad(x, (0, 0, 0, 2), value=torch.nan)
    mask = torch.arange(8).expand(4, 8) < 6
    assert torch.allclose(net(*padded, mask=mask), y, atol=1e-13)
    assert net(r[:0], x[:0]).shape == (0, 3)
    chiral = make(GAAClassifier, 2, 3, width=8, rank=3, invariant_mode="partial")
    assert (chiral(-r, x) - chiral(r, x)).abs().max() > 1e-5
    assert torch.allclose(net(-r, x), y, atol=1e-13)
    chunked = make(GAAClassifier, 2, 3, width=8, chunk=7)
    assert torch.allclose(chunked(r, x), y, atol=1e-13)
    with pytest.raises(ArgumentError, match="'x'"):
        net(r, x[..., :1])
    with pytest.raises(ArgumentError, match="features"):
        GAAClassifier(0, 3)


@pytest.mark.parametrize("cutoff", [None, 4.0])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_energies_are_sums_over_structures_and_forces_their_gradient(rank, cutoff):
    model = Potential(make(GAAEnergyModel, 2, 8, 1, rank, cutoff=cutoff), [1, 6], cutoff=cutoff).double().eval()
    batch = molecules()
    y = model(batch)
    for k in range(3):
        mine = batch.batch == k
        alone = model(AtomBatch.of(batch.pos[mine], batch.numbers[mine]))
        assert torch.allclose(alone["energy"][0], y["energy"][k], atol=1e-12)
        assert torch.allclose(alone["forces"], y["forces"][mine], atol=1e-12)
    assert y["forces"][batch.batch == 1].abs().max() < 1e-14  # of a lone atom
    total = torch.zeros(3, 3, dtype=F64).index_add(0, batch.batch, y["forces"])
    assert total.abs().max() < 1e-12
    g, t = er.O(3).sample(1, generator=seeded(3), dtype=F64)[0], torch.tensor([3.0, -1.0, 2.0], dtype=F64)
    moved = model(batch.replace(pos=batch.pos @ g.mT + t))
    assert torch.allclose(moved["energy"], y["energy"], atol=1e-12)
    assert torch.allclose(moved["forces"], y["forces"] @ g.mT, atol=1e-11)
    along, step = torch.randn(9, 3, generator=seeded(4), dtype=F64), 1e-5
    ahead, behind = (model(batch.replace(pos=batch.pos + s * along))["energy"].sum().item() for s in (step, -step))
    assert (ahead - behind) / (2 * step) == pytest.approx(-float((y["forces"] * along).sum()), rel=1e-6)


def test_forces_can_be_learnt_where_atoms_lie_on_a_line_or_in_one_place():
    for pos in ([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0.0, 0, 0], [0, 0, 0], [1, 1, 1]], [[0.0, 0, 0]] * 3):
        model = Potential(make(GAAEnergyModel, 2, 8, 1), [1, 6]).double().train()
        y = model(AtomBatch.of(torch.tensor(pos, dtype=F64), [6, 1, 1]))
        y["forces"].square().sum().backward()
        assert y["forces"].isfinite().all()
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        assert grads
        assert all(bool(g.isfinite().all()) and float(g.abs().max()) < 1e6 for g in grads)


def test_networks_that_know_their_types_are_equivariant():
    for net in (make(GAAEnergyModel, 2, 8, 1), make(GAAEnergyModel, 2, 8, 1, 3, parity="so3"), make(GAABackmapper, 2, 5, width=8)):
        assert er.assert_equivariant(net.eval(), elements=3)["worst"] < 1e-9


def test_energies_and_forces_are_continuous_at_the_cutoff():
    model = Potential(make(GAAEnergyModel, 1, 8, 2, cutoff=3.0), [1], cutoff=3.0).double().eval()

    def at(distance):
        pos = torch.tensor([[0.0, 0, 0], [1, 0.2, 0], [distance, 0, 0]], dtype=F64)
        return model(AtomBatch.of(pos, [1, 1, 1]))

    for where in (3.0, 3.0**0.5):
        near, far = at(where - 1e-6), at(where + 1e-6)
        assert torch.allclose(near["energy"], far["energy"], atol=1e-5)
        assert torch.allclose(near["forces"], far["forces"], atol=1e-4)
    apart = at(50.0)["energy"] - at(60.0)["energy"]
    assert apart.abs() < 1e-13


def test_a_crystal_and_its_supercell_have_the_same_energy_per_atom():
    model = Potential(make(GAAEnergyModel, 1, 8, 1, cutoff=3.2), [29], cutoff=3.2).double().eval()
    cell = 2.5 * torch.eye(3, dtype=F64)
    one = AtomBatch.of(torch.zeros(1, 3, dtype=F64), [29], cell=cell[None])
    double = torch.tensor([[0.0, 0, 0], [2.5, 0, 0]], dtype=F64)
    two = AtomBatch.of(double, [29, 29], cell=(cell * torch.tensor([[2.0], [1], [1]]))[None])
    assert torch.allclose(2 * model(one)["energy"], model(two)["energy"], atol=1e-12)


def test_edges_want_a_cutoff_and_features_their_size():
    net = make(GAAEnergyModel, 2, 8)
    pos, x = torch.randn(3, 3, dtype=F64), torch.ones(3, 2, dtype=F64)
    with pytest.raises(ArgumentError, match="cutoff"):
        net(pos, x, edge_index=torch.tensor([[0], [1]]))
    with pytest.raises(ArgumentError, match="'x'"):
        net(pos, x[:, :1])
    with pytest.raises(ArgumentError, match="cutoff"):
        GAAEnergyModel(2, cutoff=-1.0)
    assert net(pos[:0], x[:0]).shape == (0, 1)


def test_a_calculator_for_dynamics():
    ase = pytest.importorskip("ase")
    model = Potential(make(GAAEnergyModel, 2, 8, 1, cutoff=4.0), [1, 8], cutoff=4.0).double()
    water = ase.Atoms("OH2", [[0.0, 0, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]])
    water.calc = er.nn.calculator(model, 4.0)
    assert water.get_forces().shape == (3, 3)
    assert abs(water.get_forces().sum(0)).max() < 1e-12


def test_atoms_from_beads_turn_along():
    for parity, group in (("so3", er.SO(3)), ("o3", er.O(3))):
        net = make(GAABackmapper, 4, 5, width=8, parity=parity)
        r, x = torch.randn(6, 4, 3, generator=seeded(), dtype=F64), torch.randn(6, 4, 4, generator=seeded(1), dtype=F64)
        labels = torch.randint(5, (6, 7), generator=seeded(2))
        act = group.vector
        assert er.equivariance_error(lambda r, net=net, x=x, labels=labels: net(r, x, labels), r, act, act)["worst"] < 1e-11
        y = net(r, x, labels)
        assert y.abs().max() > 1e-3
        shown = torch.arange(7).expand(6, 7) < 5
        fewer = net(r, x, labels[:, :5])
        assert torch.allclose(net(r, x, labels, label_mask=shown)[:, :5], fewer, atol=1e-12)
        mask = torch.arange(4).expand(6, 4) < 3
        assert torch.allclose(net(r, x, labels, mask=mask), net(r[:, :3], x[:, :3], labels), atol=1e-12)
    with pytest.raises(ArgumentError, match="'x'"):
        net(r, x[..., :1], labels)


def test_what_padding_holds_reaches_no_gradient():
    r, x = torch.randn(2, 5, 3, generator=seeded(), dtype=F64), torch.randn(2, 5, 2, generator=seeded(1), dtype=F64)
    mask = torch.arange(5).expand(2, 5) < torch.tensor([[5], [3]])
    r[~mask] = x[~mask] = torch.nan
    labels, asked = torch.tensor([[0, 1], [2, -1]]), torch.tensor([[True, True], [True, False]])
    back = make(GAABackmapper, 2, 3, width=8)
    runs = [(net := make(GAAClassifier, 2, 3, width=8), net(r, x, mask)), (back, back(r, x, labels, mask, asked)[asked])]
    for net, y in runs:
        y.sum().backward()
        assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)
    alone = back(r[1:, :3], x[1:, :3], labels[1:, :1])
    torch.testing.assert_close(back(r, x, labels, mask, asked)[1, :1], alone[0], rtol=0, atol=1e-13)


def test_an_atom_is_in_its_own_cloud_once():
    net = make(GAAEnergyModel, 2, 8, 1, cutoff=4.0).eval()
    pos, x = torch.randn(4, 3, generator=seeded(), dtype=F64), torch.eye(2, dtype=F64)[[0, 1, 1, 0]]
    loops = torch.cartesian_prod(torch.arange(4), torch.arange(4)).T
    torch.testing.assert_close(net(pos, x, edge_index=loops), net(pos, x), rtol=0, atol=1e-13)
    image = torch.zeros(16, 3, dtype=F64)
    image[0, 0] = 2.0  # its own image is another neighbour
    assert abs(net(pos, x, edge_index=loops, edge_shift=image)[0] - net(pos, x)[0]).max() > 1e-6


def test_inputs_that_do_not_fit_are_refused():
    net = make(GAAEnergyModel, 2, 8, 1, cutoff=4.0).eval()
    right = {
        "pos": torch.randn(4, 3, dtype=F64),
        "x": torch.ones(4, 2, dtype=F64),
        "edge_index": torch.tensor([[0, 1, 2], [1, 0, 3]]),
    }
    for name, wrong in (
        ("edge_index", {"edge_index": right["edge_index"].T}),
        ("edge_index", {"edge_index": right["edge_index"] + 1}),
        ("edge_index", {"batch": torch.tensor([0, 0, 0, 1])}),
        ("edge_shift", {"edge_shift": torch.zeros(2, 3, dtype=F64)}),
        ("batch", {"batch": torch.zeros(3, dtype=torch.int64)}),
        ("pos", {"pos": torch.randn(4, 2, dtype=F64)}),
        ("x", {"x": torch.ones(4, 2, dtype=torch.int64)}),
    ):
        with pytest.raises(ArgumentError, match=f"'{name}'"):
            net(**right | wrong)
    back, r, x = make(GAABackmapper, 2, 3, width=8), torch.randn(1, 4, 3, dtype=F64), torch.ones(1, 4, 2, dtype=F64)
    for labels in (torch.tensor([[3]]), torch.tensor([[0.0]]), torch.tensor([0])):
        with pytest.raises(ArgumentError, match="'labels'"):
            back(r, x, labels)


@pytest.mark.parametrize("cutoff", [None, 4.0])
def test_running_numbers_move_once_in_chunks_and_hold_when_differentiating(cutoff):
    batch, found = molecules(), []
    for chunk in (None, 3):
        net = make(GAAEnergyModel, 2, 8, 2, cutoff=cutoff, chunk=chunk)
        pos = batch.pos.clone().requires_grad_()
        x = torch.nn.functional.one_hot((batch.numbers == 6).long(), 2).double()
        energy = net(pos, x, batch=batch.batch).sum()
        (force,) = torch.autograd.grad(energy, pos, create_graph=True)
        (second,) = torch.autograd.grad(force.square().sum(), pos)
        found.append([energy, force, second, *net.buffers()])
    for whole, chunked in zip(*found):
        torch.testing.assert_close(chunked, whole, rtol=1e-10, atol=1e-12)
    assert (found[0][3] != 0).any()
