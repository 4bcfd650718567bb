"""Null spaces, ranks and angles against SciPy and against matrices whose answer is known by construction."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator

from erlangen.errors import ArgumentError
from erlangen.linalg import (
    cut,
    null_space,
    numerical_rank,
    numerical_ranks,
    orthonormal_span,
    principal_angles,
)


def with_values(rows: int, columns: int, values: list[float], seed: int, complex_: bool = False) -> torch.Tensor:
    """A matrix with these singular values and random singular vectors."""
    g = torch.Generator().manual_seed(seed)
    dtype = torch.complex128 if complex_ else torch.float64
    k = len(values)
    left = torch.linalg.qr(torch.randn(rows, k, generator=g, dtype=dtype)).Q
    right = torch.linalg.qr(torch.randn(columns, k, generator=g, dtype=dtype)).Q
    return left * torch.tensor(values, dtype=torch.float64) @ right.mH


@given(
    rows=st.integers(1, 60), columns=st.integers(1, 12), rank=st.integers(0, 12), seed=st.integers(0, 10**6),
    complex_=st.booleans(),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_every_method_spans_what_scipy_finds(rows: int, columns: int, rank: int, seed: int, complex_: bool) -> None:
    rank = min(rank, rows, columns)
    a = with_values(rows, columns, list(np.linspace(3.0, 0.1, rank)), seed, complex_)
    expected = torch.from_numpy(scipy.linalg.null_space(a.numpy(), rcond=1e-10))
    blocks = list(a.split(7))
    for found in (null_space(a), null_space(a, method="svd"), null_space(a, method="qr"), null_space(iter(blocks))):
        assert found.dim == columns - rank == expected.shape[1]
        assert found.rank == rank
        assert found.clear
        assert torch.allclose(found.basis @ found.basis.mH, expected @ expected.mH, atol=1e-11)
        eye = torch.eye(found.dim, dtype=a.dtype)
        assert torch.allclose(found.basis.mH @ found.basis, eye, atol=1e-12)
        assert found.singular_values.shape == (columns,)


def test_tall_matrices_go_through_qr_and_keep_small_singular_values() -> None:
    values = [1.0, 1e-3, 1e-5]
    a = with_values(5000, 6, values, seed=1)
    found = null_space(a)
    assert found.method == "qr"
    assert found.rank == 3
    assert found.clear
    # A Gram matrix would lose the last one (1e-10 beside an error of 1e-16 * 5000).
    assert torch.allclose(found.singular_values[:3], torch.tensor(values, dtype=torch.float64), rtol=1e-9)
    assert float((a @ found.basis).abs().max()) < 1e-14


def test_the_gap_is_reported_and_a_slope_is_not_clear() -> None:
    clear = null_space(with_values(8, 5, [1.0, 0.5, 1e-13, 1e-14, 1e-15], seed=2))
    assert clear.rank == 2
    assert clear.clear
    assert clear.gap > 1e10
    slope = null_space(with_values(8, 8, [10.0 ** (-2 * i) for i in range(8)], seed=3))
    assert not slope.clear
    assert slope.gap < 1e4
    two_steps = null_space(with_values(9, 3, [1.0, 1e-6, 1e-12], seed=4))
    assert not two_steps.clear


def test_float32_noise_is_not_taken_for_rank() -> None:
    a = with_values(40, 6, [2.0, 1.0, 0.5], seed=5).float()
    found = null_space(a)
    assert found.rank == 3
    assert found.clear
    assert found.basis.dtype == torch.float32
    assert null_space(a.double()).rank >= 3  # told that the entries are float64, noise of 1e-8 may count


def test_stated_tolerance_dimension_and_scale() -> None:
    a = with_values(9, 5, [1.0, 0.3, 1e-2, 1e-2, 1e-3], seed=6)
    assert null_space(a).dim == 0
    noisy = null_space(a, rtol=0.05)
    assert noisy.dim == 3
    assert noisy.clear
    assert noisy.gap == pytest.approx(30.0)
    fixed = null_space(a, dim=1)
    assert fixed.dim == 1
    assert float((a @ fixed.basis).norm()) == pytest.approx(1e-3, rel=1e-8)
    rounding = 1e-16 * torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert null_space(rounding, scale=1.0).dim == 4
    assert null_space(rounding).dim == 0


def test_edges() -> None:
    assert null_space(torch.zeros(3, 4)).dim == 4
    assert null_space(torch.zeros(0, 4)).dim == 4
    assert null_space(torch.eye(3, dtype=torch.int64)).dim == 0
    assert null_space(np.array([[1, 1], [2, 2]])).basis.dtype == torch.float64
    for bad, words in (
        (torch.ones(3), "matrix"), (torch.full((2, 2), math.nan), "finite"), ([], "row block"),
        ([torch.ones(1, 2), torch.ones(1, 3)], "row blocks"), (3.0, "float"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            null_space(bad)
    with pytest.raises(ArgumentError, match=r"0\.\.2"):
        null_space(torch.eye(2), dim=3)
    with pytest.raises(ArgumentError, match="both"):
        null_space(torch.eye(2), dim=1, rtol=0.1)
    with pytest.raises(ArgumentError, match="krylov"):
        null_space(torch.eye(2), method="krylov")


def test_krylov_finds_all_copies_of_zero() -> None:
    # The graph Laplacian of 23 disjoint rings: one null vector for each, more than one block of the iteration holds.
    ring = scipy.sparse.diags([2.0] * 20) - scipy.sparse.diags([1.0] * 19, 1) - scipy.sparse.diags([1.0] * 19, -1)
    ring = scipy.sparse.lil_matrix(ring)
    ring[0, 19] = ring[19, 0] = -1.0
    a = scipy.sparse.block_diag([ring] * 23).tocsr()
    expected = torch.kron(torch.eye(23, dtype=torch.float64), torch.ones(20, 20, dtype=torch.float64) / 20)
    for found in (null_space(aslinearoperator(a), method="krylov"), null_space(a, method="krylov"), null_space(a)):
        assert found.dim == 23
        assert found.rank == 437
        assert found.clear
        assert torch.allclose(found.basis @ found.basis.T, expected, atol=1e-10)
    exact = null_space(aslinearoperator(a), method="krylov", dim=23)
    assert exact.dim == 23
    assert torch.allclose(exact.basis @ exact.basis.T, expected, atol=1e-10)


def test_krylov_of_full_rank_and_of_zero() -> None:
    a = scipy.sparse.diags(np.linspace(1.0, 2.0, 200))
    full = null_space(a, method="krylov")
    assert full.dim == 0
    assert full.rank == 200
    assert full.clear
    g = torch.Generator().manual_seed(4)
    wide = torch.randn(150, 180, generator=g, dtype=torch.float64)
    found = null_space(aslinearoperator(wide.numpy()), method="krylov")
    dense = null_space(wide)
    assert found.dim == dense.dim == 30
    assert float(principal_angles(found.basis, dense.basis).angles.max()) < 1e-8
    with pytest.raises(ArgumentError, match="columns"):
        null_space(aslinearoperator(np.eye(5)), method="krylov")


@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 8), st.integers(0, 8))
@settings(max_examples=50, deadline=None)
def test_rank_of_integer_matrices_is_the_exact_one(seed: int, rows: int, columns: int, rank: int) -> None:
    import sympy

    g = np.random.default_rng(seed)
    a = g.integers(-3, 4, (rows, rank)) @ g.integers(-3, 4, (rank, columns))
    expected = sympy.Matrix(a.tolist()).rank() if a.size else 0
    found = numerical_rank(torch.from_numpy(a))
    assert found.rank == int(found) == expected
    assert found.clear
    assert orthonormal_span(torch.from_numpy(a)).shape == (rows, expected)


def test_ranks_of_a_batch() -> None:
    batch = torch.stack([with_values(5, 4, [1.0] * r, seed=r) for r in (1, 2, 3, 4)]).reshape(2, 2, 5, 4)
    found = numerical_ranks(batch)
    assert found.rank.tolist() == [[1, 2], [3, 4]]
    assert bool(found.clear.all())
    assert found.singular_values.shape == (2, 2, 4)
    with pytest.raises(ArgumentError, match="numerical_ranks"):
        numerical_rank(batch)


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4), st.booleans())
@settings(max_examples=50, deadline=None)
def test_angles_agree_with_scipy(seed: int, k: int, l: int, complex_: bool) -> None:
    g = torch.Generator().manual_seed(seed)
    dtype = torch.complex128 if complex_ else torch.float64
    u, v = torch.randn(7, k, generator=g, dtype=dtype), torch.randn(7, l, generator=g, dtype=dtype)
    expected = np.sort(scipy.linalg.subspace_angles(u.numpy(), v.numpy()))
    found = principal_angles(u, v)
    # SciPy knows small angles to about 1e-8 only.
    assert np.allclose(found.angles.numpy(), expected, atol=1e-7)
    assert np.allclose(found.cosines.numpy(), np.cos(expected), atol=1e-12)


def test_small_angles_are_accurate() -> None:
    t = 1e-10
    u = torch.tensor([[1.0], [0.0], [0.0]], dtype=torch.float64)
    v = torch.tensor([[math.cos(t)], [math.sin(t)], [0.0]], dtype=torch.float64)
    assert float(principal_angles(u, v).angles[0]) == pytest.approx(t, rel=1e-6)
    assert float(principal_angles(u.float(), u.float()).angles[0]) == 0.0


def test_cut_refuses_nan_and_knows_zero() -> None:
    assert cut(torch.zeros(3), shape=(3, 3), eps=1e-16).rank == 0
    assert cut(torch.zeros(0), shape=(3, 0), eps=1e-16).clear
    with pytest.raises(ArgumentError, match="finite"):
        cut(torch.tensor([math.inf]), shape=(1, 1), eps=1e-16)


@pytest.mark.parametrize(("iterations", "settles"), [(5, False), (400, True)])
def test_iterations_that_did_not_converge_are_not_clear(iterations, settles):
    """Differences around a circle of 300: the constant is null, the next singular value is 0.02."""
    from scipy import sparse
    from scipy.sparse.linalg import aslinearoperator

    from erlangen.linalg.krylov import krylov_null_space

    around = sparse.eye_array(300).tocsr()[np.roll(np.arange(300), -1)] - sparse.eye_array(300)
    found = krylov_null_space(aslinearoperator(around.tocsr()), rtol=None, dim=None, scale=None, iterations=iterations)
    assert found.clear == settles
    assert not settles or found.dim == 1


def test_an_unclear_null_space_is_said(monkeypatch):
    """Five iterations do not settle the value next to zero of a ring of 300, which is 0.02."""
    from functools import partial

    from scipy import sparse
    from scipy.sparse.linalg import aslinearoperator

    from erlangen.linalg import UnclearNullSpace, krylov

    ring = sparse.eye_array(300).tocsr()[np.roll(np.arange(300), -1)] - sparse.eye_array(300)
    monkeypatch.setattr(krylov, "krylov_null_space", partial(krylov.krylov_null_space, iterations=5))
    with pytest.warns(UnclearNullSpace, match="may be more"):
        found = null_space(aslinearoperator(ring.tocsr()), method="krylov")
    assert not found.clear
