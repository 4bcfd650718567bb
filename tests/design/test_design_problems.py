"""Problems from two fields: the excitations of a ring of antennas and the bars of a hub find the symmetry that is hidden in them."""

from __future__ import annotations

import math

import pytest
import torch

import erlangen as er
from erlangen.design import SubgroupSearch, Symmetrizer
from erlangen.groups import Dihedral, subgroup_lattice

D = torch.float64
N = 12
GROUP = Dihedral(N)
LATTICE = subgroup_lattice(GROUP)
ANGLES = 2 * math.pi * torch.arange(N, dtype=D) / N


# ---- a ring of antennas, half a wavelength apart: field synthesis ----

LOOK = 2 * math.pi * torch.arange(6 * N, dtype=D) / (6 * N)
DELAYS = (N / 2) * torch.cos(LOOK[:, None] - ANGLES)  # k R cos(phi - phi_i), the circumference being N / 2 wavelengths
EXCITATIONS = 2 * GROUP.vector  # real and imaginary parts


def field(w):
    """The far field ``sum_i w_i exp(i k R cos(phi - phi_i))`` in 72 directions, real and imaginary parts ``[..., 72, 2]``."""
    waves = torch.complex(w[..., :N], w[..., N:]) @ torch.polar(torch.ones_like(DELAYS), DELAYS).mT
    return torch.view_as_real(waves)


def synthesize(w, symmetrize, wanted):
    """Least squares by a quasi-Newton method."""
    w = w.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([w], max_iter=60, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = (field(symmetrize(w)) - wanted).square().mean()
        value.backward()
        return value

    optimizer.step(loss)
    return w.detach()


def antennas(place: int):
    hidden = Symmetrizer(LATTICE.subgroups[place], EXCITATIONS)(
        torch.randn(2 * N, dtype=D, generator=torch.Generator().manual_seed(place))
    )
    wanted = field(hidden)
    search = SubgroupSearch(
        LATTICE,
        lambda w, symmetrize, seed: -float((field(w) - wanted).square().mean()),
        lambda w, symmetrize, seed: synthesize(w, symmetrize, wanted),
        action=EXCITATIONS,
        tolerance=1e-3,
    )
    return hidden, search


def test_the_field_of_a_ring_moves_with_it() -> None:
    # The group turns and mirrors the directions as it does the antennas: six directions to each.
    class Directions(er.Action):
        data_shape = (6 * N, 2)

        def act(self, g, x):
            g, x = self.align(g, x)
            k, s = GROUP.parts(g)
            source = ((1 - 2 * s) * (torch.arange(6 * N) - 6 * k.unsqueeze(-1)).movedim(-1, 0)).movedim(0, -1) % (6 * N)
            return x.gather(-2, source.unsqueeze(-1).expand(x.shape))

    x = torch.randn(5, 2 * N, dtype=D, generator=torch.Generator().manual_seed(0))
    assert er.equivariance_error(field, x, EXCITATIONS, Directions(GROUP))


@pytest.mark.parametrize("name", ["H_12", "H_12_1", "H_3", "H_4_1", "H_2", "H_2_1"])
def test_the_symmetry_of_a_beam_is_found_whichever_it_is(name: str) -> None:
    start = torch.randn(2 * N, dtype=D, generator=torch.Generator().manual_seed(100))
    hidden, search = antennas(LATTICE.place(name))
    result = search.run(start, budget=200)
    # All that keeps the hidden excitations: on one ring of antennas more than the subgroup that made them, of a few subgroups.
    every = GROUP.elements()
    kept = {i for i in range(2 * N) if torch.allclose(EXCITATIONS.act(every[i], hidden), hidden, rtol=0, atol=1e-12)}
    assert result.best.is_exact
    assert result.subgroup.positions == kept
    assert result.trainings < len(LATTICE.subgroups) / 2
    assert torch.allclose(result.design, hidden, rtol=0, atol=1e-3)


def test_trying_all_subgroups_agrees_and_costs_more() -> None:
    _, search = antennas(LATTICE.place("H_4_1"))
    start = torch.randn(2 * N, dtype=D, generator=torch.Generator().manual_seed(1))
    every, found = search.exhaustive(start, epochs=1), search.run(start, budget=200)
    assert every.name == found.name == "H_4_1"
    assert found.trainings < every.trainings == 34
    inside = LATTICE.subgroups[LATTICE.place("H_4_1")].positions
    good = {name for name, value in every.values_of_subgroups().items() if value > -1e-3}
    assert good == {name for name, s in zip(LATTICE.names, LATTICE.subgroups) if s.positions <= inside}
    none, full = search.fixed(start, "H_12", epochs=1), search.fixed(start, "H_1_0", epochs=1)
    assert none.value > -1e-3 > full.value


# ---- a hub on twelve bars: the stiffest for given loads ----

BARS = torch.stack([ANGLES.cos(), ANGLES.sin()], 1)


def stiffness(areas):
    """Of bars of length and modulus one from the hub to a fixed ring."""
    return torch.einsum("e,ei,ej->ij", areas, BARS, BARS)


def compliance(areas, loads):
    """``sum f^T K^-1 f`` over the loads, given as ``sum f f^T``."""
    return float(torch.trace(torch.linalg.solve(stiffness(areas), loads)))


def stiffened(areas, symmetrize, loads):
    """The multiplicative update that makes all bars work equally hard (B. Torsney, 1983), of volume one."""
    areas = symmetrize(areas)
    for _ in range(40):
        moved = torch.linalg.solve(stiffness(areas), BARS.mT).mT
        areas = areas * symmetrize(torch.einsum("ei,ij,ej->e", moved, loads, moved)).clamp_min(0).sqrt()
        areas = areas / areas.sum()
    return areas


def test_a_hub_is_as_symmetric_as_what_its_loads_do() -> None:
    turn = 3  # the loads' axes lie between bars
    c, s = math.cos(turn * math.pi / N), math.sin(turn * math.pi / N)
    axes = torch.tensor([[c, -s], [s, c]], dtype=D)
    loads = axes @ torch.diag(torch.tensor([4.0, 1.0], dtype=D)) @ axes.mT
    # trace(K^-1 F) over K of trace 1 has its least value (trace F^(1/2))^2, and 2 trace F where K is isotropic.
    least, isotropic = (2 + 1) ** 2, 2 * (4 + 1)
    search = SubgroupSearch(
        LATTICE,
        lambda areas, symmetrize, seed: -compliance(areas, loads),
        lambda areas, symmetrize, seed: stiffened(areas, symmetrize, loads),
        action=GROUP.vector,
        tolerance=1e-4,
    )
    start = torch.rand(N, dtype=D, generator=torch.Generator().manual_seed(0))
    result = search.run(start / start.sum(), budget=200)
    # A load and its opposite do the same, so the half turn is a symmetry beside the mirrors of the loads' axes.
    assert result.name == f"H_6_{turn}"
    assert result.value == pytest.approx(-least, rel=1e-6)
    every = search.exhaustive(start / start.sum(), epochs=1)
    assert every.name == result.name
    kept = LATTICE.subgroups[LATTICE.place(f"H_6_{turn}")].positions
    for subgroup, (_, value) in zip(LATTICE.subgroups, every.values_of_subgroups().items()):
        if subgroup.positions <= kept:
            assert value == pytest.approx(-least, rel=1e-6)
        elif any(i < N and (2 * i) % N for i in subgroup.positions):
            assert value == pytest.approx(-isotropic, rel=1e-6)  # a turn that is no half turn
        else:
            assert value < -least - 1e-2
