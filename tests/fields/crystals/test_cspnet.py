"""The denoiser of DiffCSP: its symmetries, padding, tables, and the published network written down plainly."""

import math

import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.diffcsp import CSPNet, TabulatedTrunk, Trunk
from erlangen.groups import O


def made(n=5, size=3, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return {
        "lattice": 4 * torch.randn(size, 3, 3, generator=rng, dtype=torch.float64),
        "frac": torch.rand(size, n, 3, generator=rng, dtype=torch.float64),
        "numbers": torch.randint(1, 95, (size, n), generator=rng),
        "t": torch.randint(1, 1001, (size,), generator=rng),
    }


def network(**settings):
    torch.manual_seed(1)
    return CSPNet(24, 2, 8, **settings).double()


def far(a, b, names=("lattice", "frac")):
    return max(float((a[name] - b[name]).detach().abs().max()) for name in names)


def turned(record, proper):
    q = O(3).sample(3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    q = q * (torch.linalg.det(q) * (1 if proper else -1)).sign().reshape(-1, 1, 1)
    return {**record, "lattice": record["lattice"] @ q}, q


@pytest.mark.parametrize("proper", [True, False])
@pytest.mark.parametrize("settings", [{}, {"types": True}])
def test_rotations_and_reflections_turn_the_lattice_alone(proper, settings):
    net, record = network(**settings), made()
    if settings:
        record["types"] = torch.randn(3, 5, 100, dtype=torch.float64)
        record.pop("numbers")
    moved, q = turned(record, proper)
    one, other = net(**record), net(**moved)
    assert (one["lattice"] @ q - other["lattice"]).abs().max() < 1e-10
    assert all((one[name] - other[name]).abs().max() < 1e-10 for name in one if name != "lattice")


def test_chirality_tells_mirror_images_and_nothing_else():
    net, record = network(chirality=True), made()
    for proper in (True, False):
        moved, q = turned(record, proper)
        one, other = net(**record), net(**moved)
        off = max(float((one["lattice"] @ q - other["lattice"]).detach().abs().max()), far(one, other, ["frac"]))
        assert (off < 1e-10) == proper


def test_without_inner_products_a_turn_changes_what_is_said():
    net, record = network(inner_product=False), made()
    moved, q = turned(record, True)
    one, other = net(**record), net(**moved)
    assert (one["lattice"] @ q - other["lattice"]).abs().max() > 1e-2


def test_shifts_and_whole_cells_change_nothing():
    net, record = network(), made()
    shift = torch.randn(3, 1, 3, dtype=torch.float64)
    whole = torch.randint(-3, 4, (3, 5, 3)).double()
    for frac in (record["frac"] + shift, (record["frac"] + shift) % 1, record["frac"] + whole):
        assert far(net(**record), net(**{**record, "frac": frac})) < 1e-10


def test_without_waves_the_boundary_of_the_cell_is_seen():
    net, record = network(fourier=False), made()
    crossed = (record["frac"] + 0.5) % 1
    assert far(net(**record), net(**{**record, "frac": record["frac"] + 0.5})) < 1e-10
    assert far(net(**record), net(**{**record, "frac": crossed})) > 1e-3


@pytest.mark.parametrize("equal", [True, False])
def test_permutations(equal):
    net, record = network(), made()
    if equal:
        record["numbers"][:] = 22
    p = torch.tensor([3, 0, 4, 1, 2])
    one = net(**record)
    other = net(**{**record, "frac": record["frac"][:, p], "numbers": record["numbers"][:, p]})
    assert (one["frac"][:, p] - other["frac"]).abs().max() < 1e-10
    assert (one["lattice"] - other["lattice"]).abs().max() < 1e-10


def test_padding_and_company_change_nothing():
    net, record = network(), made()
    alone = []
    for i in range(3):
        atoms = {name: record[name][i : i + 1, : 3 + i] for name in ("frac", "numbers")}
        alone.append(net(lattice=record["lattice"][i : i + 1], t=record["t"][i : i + 1], **atoms))
    for wide in (5, 9):
        mask = torch.arange(wide) < torch.tensor([[3], [4], [5]])
        frac = torch.full((3, wide, 3), 0.37, dtype=torch.float64)
        numbers = torch.zeros(3, wide, dtype=torch.int64)
        frac[:, :5], numbers[:, :5] = record["frac"], record["numbers"]
        together = net(**{**record, "frac": frac, "numbers": numbers, "mask": mask})
        for i, one in enumerate(alone):
            assert (together["lattice"][i] - one["lattice"][0]).abs().max() < 1e-10
            assert (together["frac"][i, : 3 + i] - one["frac"][0]).abs().max() < 1e-10


def test_one_atom():
    record = made(1)
    assert network()(**record)["frac"].shape == (3, 1, 3)


class Plain(nn.Module):
    """The trunk as it is published: one long vector for each ordered pair, k = 0 included, waves in each layer anew."""

    def __init__(self, trunk):
        super().__init__()
        self.trunk = trunk

    def forward(self, h, cell, frac):
        trunk, n = self.trunk, frac.shape[1]
        for layer in trunk.layers:
            d = frac.unsqueeze(1) - frac.unsqueeze(2)
            angle = (2 * math.pi * torch.arange(trunk.frequencies, dtype=d.dtype) * d.unsqueeze(-1)).flatten(-2)
            psi = torch.cat([angle.sin(), angle.cos()], -1)
            normed = layer.norm(h)
            pairs = [normed.unsqueeze(2).expand(-1, -1, n, -1), normed.unsqueeze(1).expand(-1, n, -1, -1)]
            long = torch.cat([*pairs, cell[:, None, None].expand(-1, n, n, -1), psi], -1)
            fill = [nn.functional.pad(w.weight.unflatten(1, (3, -1)), (1, 0)).flatten(1) for w in (layer.odd, layer.even)]
            weight = torch.cat([layer.receiver.weight, layer.sender.weight, layer.cell.weight, *fill], 1)
            m = nn.functional.silu(layer.message(nn.functional.silu(long @ weight.mT + layer.sender.bias)))
            h = h + layer.update(torch.cat([normed, m.mean(2)], -1))
        return trunk.norm(h)


def test_factored_network_is_the_published_one():
    torch.manual_seed(0)
    trunk = Trunk(16, 3, 6, 9).double()
    at = torch.randn(2, 4, 16).double(), torch.randn(2, 9).double(), torch.rand(2, 4, 3).double()
    assert (trunk(*at) - Plain(trunk)(*at)).abs().max() < 1e-12


def test_tables_err_by_1e5_at_most_and_by_the_fourth_power_of_their_spacing(monkeypatch):
    torch.manual_seed(0)
    trunk = Trunk(16, 2, 32, 9).double()
    at = torch.randn(2, 6, 16).double(), torch.randn(2, 9).double(), torch.rand(2, 6, 3).double()
    errors = []
    for points in (16, 32, 64):
        monkeypatch.setattr("erlangen.fields.crystals.diffcsp.trunk.POINTS", points)
        tables = TabulatedTrunk(trunk)
        errors.append(float((tables.between(tables.bases(at[2]), 0) - trunk.between(trunk.bases(at[2]), 0)).detach().abs().max()))
    assert errors[2] < 1e-5
    assert 10 < errors[0] / errors[1] < 22
    assert 10 < errors[1] / errors[2] < 22
    assert (tables(*at) - trunk(*at)).abs().max() < 1e-5


def test_tables_know_no_boundary():
    trunk = TabulatedTrunk(Trunk(8, 1, 4, 9).double())
    h, cell = torch.randn(1, 4, 8).double(), torch.randn(1, 9).double()
    frac = torch.tensor([[[0.0, 0, 0], [1 - 1e-12, 0, 0.5], [1e-17, 0.5, 1.0], [0.25, 0.3, 0.1]]], dtype=torch.float64)
    assert (trunk(h, cell, frac) - trunk(h, cell, frac + 0.37)).abs().max() < 1e-6
    assert (trunk(h, cell, frac) - trunk(h, cell, frac - 2)).abs().max() < 1e-10


@pytest.mark.slow
def test_compiled_is_the_same():
    net, record = network(), made()
    assert far(torch.compile(net, fullgraph=True)(**record), net(**record)) < 1e-10


def test_gradients_reach_all_weights():
    net, record = network(types=True), made()
    record["types"] = torch.randn(3, 5, 100, dtype=torch.float64)
    record.pop("numbers")
    sum(part.square().sum() for part in net(**record).values()).backward()
    assert all(weight.grad is not None and bool(weight.grad.abs().max() > 0) for weight in net.parameters())


def test_refusals():
    with pytest.raises(ArgumentError, match="frequencies"):
        CSPNet(8, 1, 1)
    record = made()
    record.pop("numbers")
    with pytest.raises(ArgumentError, match="numbers"):
        network()(**record)
    with pytest.raises(ArgumentError, match="waves"):
        TabulatedTrunk(Trunk(8, 1, 4, 9, fourier=False))
