"""Space groups on coordinates and on periodic grids: exactness, independent formulas, what turning about grid point 0 is."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import erlangen as er
from erlangen.actions import Fractional, PeriodicField
from erlangen.actions.periodic import into_cell
from erlangen.errors import ArgumentError
from erlangen.groups import PlaneGroup, SpaceGroup


@pytest.mark.parametrize("group", [PlaneGroup("p4gm"), PlaneGroup("p6mm"), SpaceGroup(14), SpaceGroup(227), SpaceGroup(166, "R")])
def test_points_obey_the_laws_of_actions(group) -> None:
    er.testing.check_action(Fractional(group))
    assert group.point == Fractional(group)


def test_thirds_are_exact_in_double_precision() -> None:
    group = SpaceGroup(146)  # its centring shifts by thirds
    act, g = Fractional(group), group.elements()
    moved = act.act(g, torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64).expand(len(g), 3))
    exact = [act.act(one, (Fraction(1, 10), Fraction(1, 5), Fraction(3, 10))) for one in g]
    assert float((moved - torch.tensor([[float(v) for v in x] for x in exact], dtype=torch.float64)).abs().max()) < 1e-15


def test_zero_is_one() -> None:
    act = Fractional(SpaceGroup(221))
    for dtype in (torch.float32, torch.float64):
        for x, size in (
            ([0.0, 0.0, 0.0], 1),
            ([1.0, 0.0, 1e-17], 1),
            ([0.5, 1.0, -0.5], 3),
            ([0.3, 0.3, 0.3], 8),
            ([0.1, 0.2, 0.3], 48),
        ):
            point = torch.tensor(x, dtype=dtype)
            assert len(act.orbit(point)) == size, x
            assert len(act.stabilizer(point)) == 48 // size
    tiny = torch.tensor([-1e-17, 1.0, 2.0], dtype=torch.float64)
    assert act.act(act.group.identity(), tiny).tolist() == [0.0, 0.0, 0.0]
    assert act.same(tiny, torch.zeros(3, dtype=torch.float64))
    assert not act.same(torch.tensor([0.5, 0, 0]), torch.tensor([0.5001, 0, 0]))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 230), st.integers(0, 26), st.integers(0, 2**31))
def test_exact_orbits_are_wyckoff_orbits(number: int, which: int, seed: int) -> None:
    G = SpaceGroup(number)
    position = G.wyckoff_positions[which % len(G.wyckoff_positions)]
    rng = torch.Generator().manual_seed(seed)
    free = [Fraction(int(v), 997) for v in torch.randint(1, 997, (3,), generator=rng)]
    value = position.representative.tolist()
    x = tuple(sum(c * f for c, f in zip(row[:-1], free)) + Fraction(row[-1], position.denominator) for row in value)
    if position.dof and len({*free, *(1 - f for f in free)}) < 6:
        return  # by chance on a more special position
    orbit = G.point.orbit(x)
    assert len(orbit) == position.multiplicity
    assert all(0 <= v < 1 for y in orbit[1:] for v in y)  # the first is x as it was given
    representative, g = G.point.representative(orbit[-1])
    assert G.point.act(g, orbit[-1]) == representative == G.point.representative(x)[0]


def wave(h: tuple[int, ...], sizes: tuple[int, ...], phase: float = 0.3) -> torch.Tensor:
    """``cos(2 pi h.x + phase)`` on the grid."""
    axes = [torch.arange(n, dtype=torch.float64) / n for n in sizes]
    x = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    return torch.cos(2 * torch.pi * torch.einsum("i,i...->...", torch.tensor(h, dtype=torch.float64), x) + phase)


@pytest.mark.parametrize(
    ("group", "sizes"),
    [
        (PlaneGroup("p4gm"), (8, 8)),
        (PlaneGroup("p31m"), (6, 6)),
        (PlaneGroup("p2mg"), (6, 5)),
        (SpaceGroup(62), (4, 6, 2)),
        (SpaceGroup(227), (8, 8, 8)),
    ],
)
def test_waves_are_moved_as_formulas_move_them(group, sizes: tuple[int, ...]) -> None:
    """``u(g^-1 x)`` of a plane wave is another wave: ``h -> W^-T h`` with a phase, on any grid."""
    action, rng = PeriodicField(group, sizes), torch.Generator().manual_seed(0)
    for g in group.sample(6, generator=rng):
        h = torch.randint(-2, 3, (group.n,), generator=rng)
        back = group.inverse(g)
        moved_h = back[:, :-1].T @ h
        phase = 0.3 + 2 * torch.pi * float(h @ back[:, -1]) / group.denominator
        wanted = wave(tuple(moved_h.tolist()), sizes, phase)
        got = action.act(g, wave(tuple(h.tolist()), sizes).unsqueeze(0))
        torch.testing.assert_close(got[0], wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("value", ["scalar", "pseudoscalar", "vector", "pseudovector"])
@pytest.mark.parametrize(
    ("group", "sizes"), [(PlaneGroup("p4gm"), (4, 4)), (PlaneGroup("p3m1"), (3, 3)), (SpaceGroup(198), (4, 4, 4))]
)
def test_fields_obey_the_laws_of_actions(group, sizes: tuple[int, ...], value: str) -> None:
    er.testing.check_action(PeriodicField(group, sizes, value))


def curl(u: torch.Tensor) -> torch.Tensor:
    """The vorticity of a velocity ``[..., 2, N, N]`` by the Fourier transform."""
    n = u.shape[-1]
    k = torch.fft.fftfreq(n, 1 / n, dtype=torch.float64)
    k = torch.where(k.abs() == n / 2, 0, k)
    x, y = torch.fft.fft2(u).unbind(-3)
    return torch.fft.ifft2(1j * (k[:, None] * y - k[None, :] * x)).real.unsqueeze(-3)


def test_vorticity_is_a_pseudoscalar() -> None:
    G = PlaneGroup("p4mm")
    velocity, vorticity, wrong = (PeriodicField(G, (8, 8), kind) for kind in ("vector", "pseudoscalar", "scalar"))
    u = velocity.example(4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert er.equivariance_error(curl, u, velocity, vorticity)
    assert not er.equivariance_error(curl, u, velocity, wrong)


def test_turning_about_a_grid_point_is_not_turning_a_picture() -> None:
    action = PeriodicField(PlaneGroup("p4"), (5, 5))
    quarter = torch.tensor([[0, -1, 0], [1, 0, 0]])
    x = torch.randn(1, 5, 5, generator=torch.Generator().manual_seed(0))
    moved = action.act(quarter, x)
    assert moved[0, 0, 0] == x[0, 0, 0]
    assert torch.equal(moved[0, 0, 1], x[0, 1, 0])  # (0, 1) comes from W^-1 (0, 1) = (1, 0)
    picture = torch.rot90(x, 1, (1, 2))
    assert not torch.equal(moved, picture)
    assert any(torch.equal(moved, picture.roll(shift, axis).clone()) for shift in (1, -1) for axis in (1, 2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_batches_spectators_and_integers(dtype: torch.dtype) -> None:
    action = PeriodicField(PlaneGroup("p4gm"), (4, 4))
    x = torch.randn(3, 2, 5, 4, 4, generator=torch.Generator().manual_seed(0)).mul(10).to(dtype)
    g = action.group.sample(3, generator=torch.Generator().manual_seed(1))
    moved = action.act(g, x)
    assert moved.dtype == dtype
    for b in range(3):
        for s in range(2):
            assert torch.equal(moved[b, s], action.act(g[b], x[b, s]))
    assert action.act(g, x[0, 0]).shape == (3, 5, 4, 4)
    assert action.act(g[:0], x[:0]).shape == (0, 2, 5, 4, 4)


def test_grids_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"sizes.*equal sides along axes 0 and 1"):
        PeriodicField(PlaneGroup("p4"), (4, 6))
    with pytest.raises(ArgumentError, match=r"sizes.*multiple of 2 along axis 0"):
        PeriodicField(PlaneGroup("p4gm"), (5, 5))
    with pytest.raises(ArgumentError, match=r"multiple of 4"):
        PeriodicField(SpaceGroup(227), (6, 6, 6))
    with pytest.raises(ArgumentError, match="2 positive"):
        PeriodicField(PlaneGroup(1), (4, 4, 4))
    with pytest.raises(ArgumentError, match=r"value.*pseudovector"):
        PeriodicField(PlaneGroup(1), (4, 4), "temperature")
    with pytest.raises(ArgumentError, match="group"):
        Fractional(er.SO(3))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="floating-point"):
        Fractional(PlaneGroup(1)).act(PlaneGroup(1).identity(), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ArgumentError, match="2 numbers"):
        Fractional(PlaneGroup(1)).act(PlaneGroup(1).identity(), (0.5, 0))
    PeriodicField(PlaneGroup("p2mm"), (4, 6))  # these axes are not mixed


def test_coordinates_in_the_cell() -> None:
    for dtype in (torch.float16, torch.float32, torch.float64):
        x = torch.tensor([-1e-20, -0.25, 1.0, 3.5], dtype=dtype)
        assert into_cell(x).tolist() == [0.0, 0.75, 0.0, 0.5]


def test_fields_compile_and_differentiate() -> None:
    action = PeriodicField(PlaneGroup("p4gm"), (4, 4), "vector")
    g = action.group.sample(2, generator=torch.Generator().manual_seed(0))
    x = action.example(2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    compiled = torch.compile(action.act, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(g, x), action.act(g, x))
    assert torch.autograd.gradcheck(lambda y: action.act(g, y), (x,))
