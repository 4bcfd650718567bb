"""`Potential`: sums of atoms, conservative forces, units, periodic images."""

import numpy as np
import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.actions import AtomBatch
from erlangen.errors import ArgumentError
from erlangen.nn import Potential, calculator


class Pairs(nn.Module):
    """Half of sum exp(-a r) over neighbours, with a weight for each pair of elements: a closed form to compare with."""

    def __init__(self, elements: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(1.0, 1 + elements, dtype=torch.float64))

    def forward(self, pos, x, edge_index, batch, edge_shift):
        if edge_index is None:
            i, j = torch.nonzero(batch[:, None] == batch, as_tuple=True)
            j, i, edge_shift = j[i != j], i[i != j], 0.0
        else:
            j, i = edge_index
        r = (pos[j] + edge_shift - pos[i]).norm(dim=-1, keepdim=True)
        charge = x @ self.weight.to(x)[:, None]
        return torch.zeros_like(pos[:, :1]).index_add(0, i, 0.5 * charge[i] * charge[j] * torch.exp(-r))


def two_molecules():
    rng = torch.Generator().manual_seed(0)
    pos = torch.randn(5, 3, generator=rng, dtype=torch.float64)
    return AtomBatch.of(pos, [8, 1, 1, 6, 8], batch=torch.tensor([0, 0, 0, 1, 1]))


def by_hand(data, cutoff=np.inf):
    charge = {1: 1.0, 6: 2.0, 8: 3.0}
    energies = []
    for b in range(len(data)):
        pos, z = data.pos[data.batch == b].numpy(), data.numbers[data.batch == b].tolist()
        pairs = [(i, k) for i in range(len(z)) for k in range(i)]
        energies.append(
            sum(charge[z[i]] * charge[z[k]] * np.exp(-r) for i, k in pairs if (r := np.linalg.norm(pos[i] - pos[k])) < cutoff)
        )
    return np.array(energies)


@pytest.mark.parametrize("cutoff", [None, 1.5])
def test_energies_are_those_of_the_closed_form(cutoff):
    data = two_molecules()
    y = Potential(Pairs(3), [1, 6, 8], cutoff).double().eval()(data)
    assert np.allclose(y["energy"].detach().squeeze(1).numpy(), by_hand(data, cutoff or np.inf), rtol=1e-13)


def test_forces_are_the_gradient_and_can_be_learnt():
    data, model = two_molecules(), Potential(Pairs(3), [1, 6, 8]).double()
    y = model.train()(data)
    h = 1e-6
    for atom, axis in ((0, 0), (4, 2)):
        step = torch.zeros_like(data.pos)
        step[atom, axis] = h
        down, up = (by_hand(data.replace(pos=data.pos + s * step)).sum() for s in (-1, 1))
        assert float(y["forces"].detach()[atom, axis]) == pytest.approx((down - up) / (2 * h), abs=1e-8)
    sums = torch.zeros(2, 3, dtype=torch.float64).index_add(0, data.batch, y["forces"].detach())
    assert float(sums.abs().max()) < 1e-14
    y["forces"].square().sum().backward()
    assert model.network.weight.grad.abs().min() > 0
    with torch.no_grad():
        seen = model.eval()(data)
    assert torch.equal(seen["forces"], y["forces"])
    assert not seen["energy"].requires_grad


def test_units_are_fitted_and_undone():
    data, model = two_molecules(), Potential(Pairs(3), [1, 6, 8]).double()
    forces = torch.full((5, 3), 2.0, dtype=torch.float64)
    model.fit_units(data, torch.tensor([-100.0, -60.0], dtype=torch.float64), forces).eval()
    assert float(model.scale) == pytest.approx(2.0)
    content = np.array([[2.0, 0, 1], [0, 1, 1]])
    assert np.allclose(content @ model.per_element.numpy(), [-100, -60])
    assert np.allclose(model(data)["energy"].detach().squeeze(1), 2 * by_hand(data) + [-100, -60])
    copy = Potential(Pairs(3), [1, 6, 8]).double()
    copy.load_state_dict(model.state_dict())
    assert torch.equal(copy.eval()(data)["energy"], model(data)["energy"])


def test_periodic_images_count():
    pytest.importorskip("ase")
    from ase.build import bulk

    crystal = bulk("C", "diamond", a=3.6)
    one = AtomBatch.from_ase(crystal, dtype=torch.float64)
    eight = AtomBatch.from_ase(crystal.repeat(2), dtype=torch.float64)
    model = Potential(Pairs(1), [6], cutoff=4.0).double().eval()
    small, large = model(one), model(eight)
    assert large["energy"].item() == pytest.approx(8 * small["energy"].item(), rel=1e-12)
    assert large["forces"].abs().max().item() < 1e-12
    crystal.calc = calculator(model, 4.0)
    assert crystal.get_potential_energy() == pytest.approx(small["energy"].item(), rel=1e-12)
    with pytest.raises(ArgumentError, match="'cutoff'"):
        Potential(Pairs(1), [6]).double()(one)


def test_refusals():
    with pytest.raises(ArgumentError, match="'elements'"):
        Potential(Pairs(1), [6, 6])
    with pytest.raises(ArgumentError, match="'cutoff'"):
        Potential(Pairs(1), [6], cutoff=0.0)
    with pytest.raises(ArgumentError, match="'numbers'.*92"):
        Potential(Pairs(1), [6])(AtomBatch.of(torch.zeros(1, 3), [92]))
    with pytest.raises(ArgumentError, match="'network'"):
        Potential(_Graph(), [6])(AtomBatch.of(torch.zeros(1, 3), [6]))


class _Graph(nn.Module):
    def __init__(self) -> None:
        super().__init__()

    def forward(self, pos, x, **_):
        return pos.sum().view(1)


@pytest.mark.parametrize("cutoff", ["3", True, float("nan"), -1.0])
def test_lengths_that_are_none(cutoff):
    for make in (
        lambda: Potential(Pairs(1), [6], cutoff=cutoff),
        lambda: er.nn.GAAEnergyModel(1, cutoff=cutoff),
        lambda: er.nn.PONITA(1, 8, 1, 1, radius=cutoff),
    ):
        with pytest.raises(ArgumentError, match="argument '(cutoff|radius)'.*a positive length"):
            make()
