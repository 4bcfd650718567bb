"""Bands: closed forms, another program, an independent eigensolver, symmetry, slopes, the reduced basis."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy.linalg
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.photonics import FourierCells, bands, fourier, random_cells, rods
from erlangen.fields.photonics.expansion import Expansion
from erlangen.fields.photonics.operator import PlaneWaves

F64 = torch.float64
POINTS = torch.tensor([[0.13, 0.37], [-0.31, 0.22], [0.41, -0.05], [-0.17, -0.44], [0.28, 0.28]], dtype=F64)


def plane_waves(k: torch.Tensor, n: int) -> torch.Tensor:
    line = torch.arange(-4, 5, dtype=F64)
    return (k[:, None] + torch.cartesian_prod(line, line)).norm(dim=-1).sort(1).values[:, :n]


def test_homogeneous_cells_have_plane_waves() -> None:
    k = torch.cat([POINTS, torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]], dtype=F64)])
    eps = torch.tensor([1.0, 2.25, 17.0], dtype=F64)[:, None, None].expand(3, 32, 32)
    wanted = plane_waves(k, 8) / torch.tensor([1.0, 1.5, 17.0**0.5], dtype=F64)[:, None, None]
    found = bands(eps, k, 8)
    assert float((found[:, k.norm(dim=1) > 0] - wanted[:, k.norm(dim=1) > 0]).abs().max()) < 1e-10
    # At k = 0 the lowest is the root of a rounded zero.
    assert float((found**2 - wanted**2).abs().max()) < 1e-10


def test_rods_in_air() -> None:
    found = bands(rods(0.2, 12.0, n_waves=225), torch.tensor([[0.5, 0.0], [0.5, 0.5]]), 2)
    assert found[0].tolist() == pytest.approx([0.2416, 0.4172], abs=1e-3)
    assert float(found[1, 0]) == pytest.approx(0.2807, abs=1e-3)
    line = torch.linspace(-0.5, 0.5, 11, dtype=F64)
    every = bands(rods(0.2, 12.0), torch.cartesian_prod(line, line), 2)
    assert float(every[:, 0].max()) == pytest.approx(0.281, abs=2e-3)
    assert float(every[:, 1].min()) == pytest.approx(0.417, abs=2e-3)


def test_agrees_with_legume() -> None:
    legume = pytest.importorskip("legume")
    layer = legume.ShapesLayer(legume.Lattice("square"), eps_b=1.5)
    layer.add_shape(legume.Circle(eps=9.0, x_cent=0.5, y_cent=0.5, r=0.3))
    layer.add_shape(legume.Circle(eps=5.0, x_cent=0.13, y_cent=0.07, r=0.15))
    peer = legume.PlaneWaveExp(layer, gmax=4.01)
    assert peer.gvec.shape[1] == 81
    peer.run(2 * np.pi * POINTS.numpy().T, pol="tm", numeig=8)
    # The second rod stands off the first one's place: move its coefficients there.
    one, other = rods(0.3, 9.0, 1.5).coefficients, rods(0.15, 5.0, 1.5).coefficients
    line = torch.arange(-8, 9, dtype=F64)
    angle = -2 * torch.pi * (line[:, None] * (0.13 - 0.5) + line * (0.07 - 0.5))
    total = one + other * torch.polar(torch.ones_like(angle), angle)
    total[8, 8] -= 1.5
    assert float((bands(FourierCells(total), POINTS, 8) - torch.from_numpy(np.asarray(peer.freqs))).abs().max()) < 1e-5


def test_agrees_with_a_generalised_eigensolver() -> None:
    cells = random_cells(2, seed=4)
    found = bands(cells, POINTS, 10)
    line = np.arange(-4, 5)
    g = np.array([(n, m) for n in line for m in line])
    x = (np.arange(32) + 0.5) / 32
    place = np.stack([np.broadcast_to(x, (32, 32)), np.broadcast_to(1 - x[:, None], (32, 32))], -1).reshape(-1, 2)
    wave = np.exp(2j * np.pi * place @ g.T)
    for i, cell in enumerate(cells.numpy()):
        b = wave.conj().T @ (cell.reshape(-1, 1) * wave) / 1024
        for j, k in enumerate(POINTS.numpy()):
            squares = scipy.linalg.eigh(np.diag(((k + g) ** 2).sum(1)), b, eigvals_only=True)
            assert np.abs(np.sqrt(squares[:10]) - found[i, j].numpy()).max() < 1e-10


def test_four_times_the_permittivity_halves_the_frequencies() -> None:
    cells = random_cells(3, "pm", seed=8)
    for reduced in (None, 10):
        assert torch.allclose(
            bands(4 * cells, POINTS, 6, reduced=reduced), bands(cells, POINTS, 6, reduced=reduced) / 2, rtol=1e-12
        )


@pytest.mark.parametrize("reduced", [None, 6], ids=["full", "reduced"])
def test_a_moved_cell_has_the_bands_of_the_moved_wave_vector(reduced: int | None) -> None:
    cells = random_cells(3, seed=12)
    found = bands(cells, POINTS, 6, reduced=reduced)
    quarter = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=F64)  # rows: k -> (-k_y, k_x)
    moves = {
        "translation": (cells.roll((5, 19), (-2, -1)), POINTS),
        "quarter turn": (torch.rot90(cells, 1, (-2, -1)), POINTS @ quarter),
        "mirror": (cells.flip(-1), POINTS * torch.tensor([-1.0, 1.0])),
        "time reversal": (cells, -POINTS),
        "another zone": (cells, POINTS + torch.tensor([2.0, -1.0])),
    }
    for name, (moved, k) in moves.items():
        assert float((bands(moved, k, 6, reduced=reduced) - found).abs().max()) < 1e-10, name


@pytest.mark.parametrize("reduced", [None, 8], ids=["full", "reduced"])
def test_velocities_are_slopes(reduced: int | None) -> None:
    cells = random_cells(4, seed=21)
    omega, velocity = bands(cells, POINTS, 5, velocities=True, reduced=reduced)
    apart = omega.diff(dim=-1).amin(-1) > 5e-3
    assert int(apart.sum()) >= 10
    step = 1e-5
    for i in range(2):
        offset = torch.zeros(2, dtype=F64)
        offset[i] = step
        higher, lower = (bands(cells, POINTS + s * offset, 5, reduced=reduced) for s in (1, -1))
        slope = (higher - lower) / (2 * step)
        # The fifth band's upper neighbour is not among those whose distance is known.
        assert float((slope - velocity[..., i])[apart][:, :4].abs().max()) < 1e-5


def test_reduced_basis_bounds_from_above_and_is_accurate() -> None:
    cells = random_cells(24, seed=30)
    k = torch.rand(12, 2, dtype=F64, generator=torch.Generator().manual_seed(0)) - 0.5
    full = bands(cells, k, 8)
    for modes, worst in ((12, 1e-4), (6, 2e-3)):
        reduced = bands(cells, k, 8, reduced=modes)
        assert float((reduced - full).min()) > -1e-10
        assert float((reduced - full)[..., :6].max()) < worst
    # At the corners it is exact.
    corners = torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.0, 0.5], [0.5, 0.5], [0.5, -0.5]], dtype=F64)
    squares = [bands(cells, corners, 6, reduced=r) ** 2 for r in (None, 6)]
    assert float((squares[0] - squares[1]).abs().max()) < 1e-10


def test_expansion_errs_in_third_order() -> None:
    cells = fourier(random_cells(4, seed=40))
    operator = PlaneWaves.of(cells).full()
    expansion = Expansion.about(operator, POINTS, 6)
    errors = []
    for length in (0.02, 0.01):
        q = length * torch.tensor([[0.6, 0.8], [-1.0, 0.3]], dtype=F64).expand(len(POINTS), 2, 2)
        found, _ = expansion.solve(q, 4)
        exact, _ = operator.solve((POINTS[:, None] + q).flatten(0, 1), 4, False)
        errors.append(float((found.flatten(1, 2) - exact).abs().amax()))
    assert errors[0] < 1e-4
    assert errors[0] / errors[1] > 5.6  # 8, were it only the third order


def test_kinds_and_shapes() -> None:
    cells = random_cells(6, seed=1)
    k = POINTS[:2]
    found, velocity = bands(cells.reshape(2, 3, 32, 32), k, 4, velocities=True)
    assert found.shape == (2, 3, 2, 4)
    assert velocity.shape == (2, 3, 2, 4, 2)
    assert torch.allclose(found.reshape(6, 2, 4), bands(cells, k, 4), atol=1e-13)
    array, slopes = bands(cells.numpy().astype(np.float32), k.numpy(), 4, velocities=True)
    assert isinstance(array, np.ndarray)
    assert isinstance(slopes, np.ndarray)
    assert array.dtype == np.float64
    assert np.abs(array - found.reshape(6, 2, 4).numpy()).max() < 1e-6
    assert bands(cells[0], k, 4).shape == (2, 4)


def test_chunks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = random_cells(5, seed=1)
    whole = bands(cells, POINTS, 4, reduced=6)
    monkeypatch.setattr(sys.modules[bands.__module__], "CHUNK_BYTES", 1)
    assert torch.allclose(bands(cells, POINTS, 4, reduced=6), whole, atol=1e-12)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("eps", lambda: bands(torch.zeros(32, 32), POINTS)),
        ("eps", lambda: bands(torch.ones(32), POINTS)),
        ("eps", lambda: bands(torch.ones(0, 32, 32), POINTS)),
        ("k", lambda: bands(torch.ones(32, 32), POINTS[0])),
        ("k", lambda: bands(torch.ones(32, 32), torch.ones(4, 3))),
        ("n_bands", lambda: bands(torch.ones(32, 32), POINTS, 0)),
        ("n_bands", lambda: bands(torch.ones(32, 32), POINTS, 82)),
        ("n_bands", lambda: bands(torch.ones(32, 32), POINTS, 9, reduced=2)),
        ("reduced", lambda: bands(torch.ones(32, 32), POINTS, reduced=0)),
        ("reduced", lambda: bands(torch.ones(32, 32), POINTS, reduced=21)),
    ],
)
def test_bad_input_is_named(argument: str, call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ArgumentError) as error:
        call()
    assert error.value.argument == argument
