"""Random cells and their Fourier coefficients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from erlangen.errors import ArgumentError
from erlangen.fields.photonics import PLANE_GROUPS, FourierCells, fourier, random_cells, rods, symmetrize_coefficients

F64 = torch.float64


def half(x: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    return x.roll((16 * rows, 16 * columns), (-2, -1))


# Each operation of the International Tables as what it does to an image of 32 x 32 pixels.
OPERATIONS = {
    "half turn": lambda x: x.flip(-1, -2),
    "mirror": lambda x: x.flip(-1),
    "glide": lambda x: half(x.flip(-1), 1, 0),
    "diagonal mirror": lambda x: x.mT,
    "mirror off the turn": lambda x: half(x.flip(-1), 0, 1),
    "glide off the turn": lambda x: half(x.flip(-1), 1, 1),
    "quarter turn": lambda x: torch.rot90(x, 1, (-2, -1)),
}
HAS = {
    "p1": [],
    "p2": ["half turn"],
    "pm": ["mirror"],
    "pg": ["glide"],
    "cm": [],
    "pmm": ["half turn", "mirror"],
    "pmg": ["half turn", "mirror off the turn"],
    "pgg": ["half turn", "glide off the turn"],
    "cmm": ["half turn", "diagonal mirror"],
    "p4": ["half turn", "quarter turn"],
    "p4m": ["half turn", "quarter turn", "mirror", "diagonal mirror"],
    "p4g": ["half turn", "quarter turn", "glide off the turn"],
}


@pytest.mark.parametrize("name", list(PLANE_GROUPS))
def test_cells_have_their_plane_group_and_no_more(name: str) -> None:
    cells = random_cells(6, name, harmonics=2, seed=3)
    found = [what for what, move in OPERATIONS.items() if bool((move(cells) == cells).all())]
    assert sorted(found) == sorted(HAS[name])
    if name == "cm":  # the diagonal from the top left, in image rows
        assert bool((cells.flip(-1).mT.flip(-1) == cells).all())


def test_elements_form_a_group() -> None:
    c = torch.randn(4, 5, 5, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    for name in PLANE_GROUPS:
        once = symmetrize_coefficients(c, name)
        assert torch.allclose(symmetrize_coefficients(once, name), once, atol=1e-14), name


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.0, 1.0), st.integers(1, 3))
def test_share_below_the_level(seed: int, fill: float, harmonics: int) -> None:
    # Without symmetry every pixel has its own value, so that the share is exact to a pixel.
    low, high = 2.0, 3.0
    cells = random_cells(2, size=16, harmonics=harmonics, fill=(fill, fill), eps=(low, high), seed=seed)
    for cell in cells:
        values = cell.unique()
        assert len(values) == 2
        assert low <= values[0]
        assert values[1] <= high
        shares = [float((cell == v).double().mean()) for v in values]
        wanted = min(max(fill, 1 / 256), 255 / 256)
        assert min(abs(share - wanted) for share in shares) <= 0.5 / 256 + 1e-12


def test_a_longer_list_begins_with_the_shorter() -> None:
    assert torch.equal(random_cells(9, "p4m", seed=5)[:4], random_cells(4, "p4m", seed=5))
    assert not torch.equal(random_cells(4, seed=5), random_cells(4, seed=6))


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("plane_group", lambda: random_cells(1, "p6")),
        ("fill", lambda: random_cells(1, fill=(0.5, 0.2))),
        ("fill", lambda: random_cells(1, fill=(0.5, 1.2))),
        ("eps", lambda: random_cells(1, eps=(0.0, 20.0))),
        ("n", lambda: random_cells(0)),
        ("size", lambda: random_cells(1, size=3)),
        ("eps", lambda: fourier(np.zeros((32, 32)))),
        ("eps", lambda: fourier(-torch.ones(2, 32, 32))),
        ("eps", lambda: fourier(np.full((32, 32), np.nan))),
        ("eps", lambda: fourier(np.ones((32, 31)))),
        ("eps", lambda: fourier(np.ones(32))),
        ("eps", lambda: fourier([[1.0, 1.0], [1.0, 1.0]])),
        ("eps", lambda: fourier(np.ones((16, 16)))),
        ("n_waves", lambda: fourier(np.ones((32, 32)), 80)),
        ("n_waves", lambda: fourier(np.ones((32, 32)), 64)),
        ("radius", lambda: rods(0.6, 12.0)),
        ("eps_rod", lambda: rods(0.2, 0.0)),
        ("coefficients", lambda: FourierCells(torch.ones(6, 6, dtype=torch.complex128))),
        ("coefficients", lambda: FourierCells(torch.ones(5, 5))),
    ],
)
def test_bad_input_is_named(argument: str, call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ArgumentError) as error:
        call()
    assert error.value.argument == argument


def test_coefficients_of_known_waves() -> None:
    x = (torch.arange(32, dtype=F64) + 0.5) / 32
    y = 1 - x[:, None]
    cells = fourier(5 + torch.cos(2 * math.pi * (x + 2 * y)) + 2 * torch.sin(2 * math.pi * 3 * y), 49)
    wanted = torch.zeros(13, 13, dtype=torch.complex128)
    wanted[6, 6] = 5
    wanted[7, 8] = wanted[5, 4] = 0.5
    wanted[6, 9], wanted[6, 3] = -1j, 1j
    assert torch.allclose(cells.coefficients, wanted, atol=1e-13)


def test_matrix_is_hermitian_and_positive() -> None:
    cells = fourier(random_cells(3, seed=2))
    matrix = cells.matrix
    assert matrix.shape == (3, 81, 81)
    assert torch.allclose(matrix, matrix.mH, atol=1e-13)
    # A section of a circulant matrix of the pixels: between the extreme permittivities.
    values = torch.linalg.eigvalsh(matrix)
    eps = random_cells(3, seed=2).flatten(1)
    assert bool((values[:, 0] >= eps.amin(1) - 1e-10).all() and (values[:, -1] <= eps.amax(1) + 1e-10).all())


def test_rod_is_the_limit_of_pixels() -> None:
    size = 512
    x = (np.arange(size) + 0.5) / size - 0.5
    image = np.where(np.hypot(x, x[:, None]) < 0.3, 9.0, 2.0)
    difference = fourier(image, 25).coefficients - rods(0.3, 9.0, 2.0, 25).coefficients
    assert float(difference.abs().max()) < 2e-3
