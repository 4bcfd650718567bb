"""Densities of states: the counting function's rules, closed forms, symmetry, and what the shortcuts cost."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from erlangen.errors import ArgumentError
from erlangen.fields.photonics import bands, counting, dos, dos_frequencies, empty_lattice_dos, random_cells, rods
from erlangen.fields.photonics.mesh import mesh
from erlangen.fields.photonics.planes import share_below, states_below, states_in_bins

F64 = torch.float64
MOVES = {
    "roll": lambda x: x.roll((7, 21), (-2, -1)),
    "quarter turn": lambda x: torch.rot90(x, 1, (-2, -1)),
    "mirror": lambda x: x.flip(-1),
    "diagonal mirror": lambda x: x.mT,
}


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-3, 2.0), st.floats(0.0, 1.0), st.floats(0.01, 0.5))
def test_counting_function_integrates_the_published_density(v1: float, ratio: float, b: float) -> None:
    v2 = ratio * v1
    w1, w4 = b * (v1 - v2) / 2, b * (v1 + v2) / 2

    def density(d: float) -> float:  # of a square of side b, in two dimensions
        return b / v1 if d <= w1 else (w4 - d) / (v1 * v2) if d < w4 else 0.0

    at = torch.linspace(-1.3 * w4, 1.3 * w4, 2001, dtype=F64)
    share = share_below(at, torch.tensor(b * v1, dtype=F64), torch.tensor(max(b * v2, 1e-12), dtype=F64))
    assert float(share[0]) == pytest.approx(0.0, abs=1e-12)
    assert float(share[-1]) == pytest.approx(1.0, abs=1e-12)
    assert bool((share.diff() >= -1e-15).all())
    middle = (at[1:] + at[:-1]) / 2
    published = torch.tensor([density(abs(float(d))) for d in middle], dtype=F64) * at.diff()
    assert float((share.diff() * b * b - published).abs().sum()) < 3e-3 * b * b


def test_flat_band_is_one_step() -> None:
    at = torch.tensor([-1e-6, 0.0, 1e-6], dtype=F64)
    assert share_below(at, torch.tensor(1e-12, dtype=F64), torch.tensor(1e-12, dtype=F64)).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("n", [2, 5, 8, 13])
def test_mesh_fills_the_zone_once(n: int) -> None:
    squares = mesh(n)
    _, pieces = squares.cut(3)
    for m in (squares, pieces):
        assert float(m.weight.sum()) == pytest.approx(1.0, abs=1e-12)
        # What 1, k_x^2, k_y^2 and k_x k_y have for means over the zone, by the midpoint rule and its known defect.
        both = (m.weight[:, None] * (m.k**2 + m.side[:, None] ** 2 / 12)).sum(0)
        assert both.tolist() == pytest.approx([1 / 12, 1 / 12], abs=1e-6)
        assert float((m.weight * m.k[:, 0] * m.k[:, 1]).sum()) == pytest.approx(0.0, abs=1e-6)
    assert bool((squares.k[:, 0] > 0).all())


def test_sum_rule() -> None:
    cells = random_cells(3, seed=2)
    for reduced, refine in ((None, 1), (10, 1), (6, 3)):
        total = counting(cells, [50.0], mesh=9, n_bands=8, reduced=reduced, refine=refine)
        assert float((total - 8).abs().max()) < 1e-9


def test_homogeneous_cell_has_circles() -> None:
    eps = 3.7
    omega = torch.linspace(0, 1.2, 241, dtype=F64)[:-1] / eps**0.5
    number = counting(torch.full((32, 32), eps), omega, mesh=25, n_bands=10, reduced=None)
    assert float((number - math.pi * omega**2 * eps).abs().max()) < 2e-3


def test_one_state_in_the_gap_of_rods() -> None:
    number = counting(rods(0.2, 12.0), torch.linspace(0.285, 0.41, 12), mesh=25)
    assert number.tolist() == pytest.approx([1.0] * 12, abs=5e-4)


@pytest.mark.parametrize("reduced", [None, 6], ids=["full", "reduced"])
@pytest.mark.parametrize("refine", [1, 3], ids=["plain", "refined"])
def test_moved_cells_have_the_same_states(reduced: int | None, refine: int) -> None:
    cells = random_cells(2, seed=14)
    omega = torch.linspace(0, 0.95, 150, dtype=F64) / cells.mean((1, 2)).sqrt()[:, None]
    settings = {"mesh": 7, "reduced": reduced, "refine": refine}
    number = counting(cells, omega, **settings)
    for name, move in MOVES.items():
        assert float((counting(move(cells), omega, **settings) - number).abs().max()) < 1e-4, name


def test_counting_agrees_with_the_frequencies_themselves() -> None:
    # Counting each state at its own place on a far finer mesh needs no velocities at all.
    cell = random_cells(1, seed=17)[0]
    line = (torch.arange(60, dtype=F64) + 0.5) / 60 - 0.5
    omega = bands(cell, torch.cartesian_prod(line, line), 6, reduced=8).flatten().sort().values
    at = torch.linspace(0.05, 0.9, 30, dtype=F64) / float(cell.mean().sqrt())
    wanted = torch.searchsorted(omega, at).to(F64) / 3600
    assert float((counting(cell, at, mesh=13, refine=3) - wanted).abs().max()) < 0.01


def test_bins_are_differences_of_the_counting_function() -> None:
    generator = torch.Generator().manual_seed(0)
    squares = mesh(5)
    frequency = torch.rand(2, len(squares.k), 3, dtype=F64, generator=generator)
    velocity = torch.randn(2, len(squares.k), 3, 2, dtype=F64, generator=generator)
    velocity[0, 3] = 0.0
    binned = states_in_bins(frequency, velocity, squares, 0.01, 80)
    edges = torch.arange(81, dtype=F64) * 0.01
    for i in range(2):
        assert torch.allclose(binned[i], states_below(edges, frequency[i], velocity[i], squares).diff(), atol=1e-12)


def test_density_of_a_homogeneous_cell() -> None:
    omega = dos_frequencies()
    assert omega.shape == (400,)
    assert float(omega[-1]) == pytest.approx(399 * 1.2 / 499)
    found = dos(torch.full((2, 32, 32), 6.0), quiet=True)
    assert float((found - empty_lattice_dos(omega)).abs().max()) < 0.01


def test_density_does_not_depend_on_the_scale_of_the_permittivity() -> None:
    cells = random_cells(2, seed=6)
    assert torch.allclose(dos(3 * cells, quiet=True), dos(cells, quiet=True), atol=1e-9)


def test_defaults_of_the_label_against_full_solutions() -> None:
    cells = random_cells(3, seed=70)
    found = dos(cells, quiet=True)
    assert found.shape == (3, 400)
    assert bool((found > -1e-12).all())
    same_mesh = dos(cells, mesh=36, refine=1, reduced=10, n_bands=8, quiet=True)
    finer = dos(cells, mesh=30, refine=3, reduced=8, n_bands=8, quiet=True)
    for other, worst in ((same_mesh, 1.5e-3), (finer, 5e-3)):
        relative = (found - other).abs()[:, 100:].sum(1) / other[:, 100:].sum(1)
        assert float(relative.max()) < worst
    # The plain mesh of 13 x 13 is an order worse.
    coarse = dos(cells, mesh=13, refine=1, reduced=10, n_bands=8, quiet=True)
    assert float(((coarse - finer).abs()[:, 100:].sum(1) / finer[:, 100:].sum(1)).min()) > 0.01


def test_full_basis_and_refined_squares() -> None:
    cell = random_cells(1, seed=71)
    full = dos(cell, mesh=5, refine=2, reduced=None, quiet=True)
    reduced = dos(cell, mesh=5, refine=2, reduced=10, quiet=True)
    assert float((full - reduced).abs().max()) < 1e-3 * float(full.max())


def test_kinds_and_shapes() -> None:
    cells = random_cells(4, seed=1).reshape(2, 2, 32, 32)
    found = dos(cells, mesh=4, quiet=True)
    assert found.shape == (2, 2, 400)
    array = dos(cells.numpy(), mesh=4, quiet=True)
    assert isinstance(array, np.ndarray)
    assert np.allclose(array, found.numpy(), atol=1e-12)
    number = counting(cells.numpy(), np.linspace(0, 0.3, 7), mesh=4)
    assert isinstance(number, np.ndarray)
    assert number.shape == (2, 2, 7)
    assert counting(cells[0, 0], [0.1, 0.2], mesh=4).shape == (2,)


def test_progress_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["erlangen.reporting.progress"], "SECONDS_BETWEEN_LINES", 0.0)
    dos(random_cells(2), mesh=3)
    assert "band structures: 2/2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("eps", lambda: dos(torch.zeros(32, 32))),
        ("eps", lambda: dos(torch.ones(0, 32, 32))),
        ("mesh", lambda: dos(torch.ones(32, 32), mesh=1)),
        ("refine", lambda: dos(torch.ones(32, 32), refine=0)),
        ("samples", lambda: dos(torch.ones(32, 32), samples=1)),
        ("keep", lambda: dos(torch.ones(32, 32), keep=501)),
        ("top", lambda: dos(torch.ones(32, 32), top=0.0)),
        ("smoothing", lambda: dos(torch.ones(32, 32), smoothing=0.0)),
        ("n_bands", lambda: dos(torch.ones(32, 32), n_bands=3)),
        ("n_bands", lambda: dos(torch.ones(32, 32), top=3.0)),
        ("n_bands", lambda: dos(torch.ones(32, 32), n_bands=25)),
        ("omega", lambda: counting(torch.ones(2, 32, 32), torch.ones(3, 5))),
        ("omega", lambda: counting(torch.ones(2, 32, 32), 0.3)),
    ],
)
def test_bad_input_is_named(argument: str, call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ArgumentError) as error:
        call()
    assert error.value.argument == argument
