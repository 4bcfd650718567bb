"""Bounds and effective conductivities: exact cases, printed values, and what two-point correlations fix."""

import itertools

import numpy as np
import pytest

from erlangen.fields import microstructures as micro


@pytest.fixture(scope="module")
def root():
    """In the order of the source: {(0,0), (0,1), (1,0), (3,0)} and so on; the poorer conductor first."""
    return micro.search_roots((4, 3), (5,)).roots[0].members


def test_bounds_of_the_root(root):
    for S in root:
        found = micro.bounds_conductivity(S, (10, 1))
        assert found == pytest.approx((1.6, 2.0344827586, 3.5384615385, 4.75), abs=1e-7)
        matrices = micro.bounds_conductivity(S, np.multiply.outer([10.0, 1.0], np.eye(2)))
        for number, matrix in zip(found, matrices):
            assert np.allclose(matrix, number * np.eye(2), atol=1e-12)


def test_stiffness_of_the_three_dimensional_root():
    S = micro.search_roots((2, 3, 4), (5,)).roots[0].members[0]
    phases = np.stack([micro.isotropic(10, 2), micro.isotropic(1, 5)])
    reuss, lower, upper, voigt = micro.bounds_elasticity(S, phases)
    assert reuss[0, 0] == pytest.approx(2.94993895, abs=1e-7)
    assert reuss[0, 1] == pytest.approx(-0.85958486, abs=1e-7)
    assert reuss[3, 3] == pytest.approx(3.80952381, abs=1e-7)
    for below, above in ((reuss, lower), (lower, upper), (upper, voigt)):
        assert np.linalg.eigvalsh(above - below).min() > -1e-12
    # Hashin and Shtrikman's own formulas for bulk and shear moduli, in their notation.
    v = micro.volume_fractions(S)
    K, G = np.array([10, 1]) / 3, np.array([2, 5]) / 2
    for matrix, K0, G0 in ((lower, K.min(), G.min()), (upper, K.max(), G.max())):
        bulk = 1 / (v @ (1 / (K + 4 * G0 / 3))) - 4 * G0 / 3
        zeta = G0 * (9 * K0 + 8 * G0) / (6 * (K0 + 2 * G0))
        shear = 1 / (v @ (1 / (G + zeta))) - zeta
        assert np.allclose(matrix, micro.isotropic(3 * bulk, 2 * shear), atol=1e-12)


@pytest.mark.parametrize("method", ["direct", "fft"])
def test_laminates_are_exact(method):
    for S in ([[1, 1, 1], [2, 2, 2], [3, 3, 3]], [[[1, 1]], [[2, 2]], [[3, 3]]]):
        K = micro.effective_conductivity(S, (1.0, 4.0, 10.0), 3, method)
        along, across = 5.0, 3 / (1 + 1 / 4 + 1 / 10)
        assert np.allclose(K, np.diag([across, *[along] * (len(K) - 1)]), atol=1e-10)
    assert micro.effective_conductivity([1, 2], (1.0, 3.0), method=method) == pytest.approx(1.5)
    assert np.allclose(micro.effective_conductivity([[1, 1]], (7.0,), method=method), 7 * np.eye(2))


def test_printed_conductivities_of_the_root(root):
    values = sorted(np.diag(micro.effective_conductivity(S, (10, 1), 4)).tolist() for S in root)
    assert np.allclose(values, [[2.98387956, 2.21064494], [3.40994949, 2.80599347]], atol=1e-7)


def test_both_solvers_agree_and_tensors_turn_with_the_structure():
    rng = np.random.default_rng(0)
    S = rng.integers(1, 4, (4, 5))
    k = (1.0, 20.0, 0.3)
    K = micro.effective_conductivity(S, k, 2)
    assert np.allclose(K, micro.effective_conductivity(S, k, 2, "fft"), atol=1e-9)
    assert np.allclose(K[::-1, ::-1], micro.effective_conductivity(S.T, k, 2), atol=1e-10)
    flipped = micro.effective_conductivity(S[::-1], k, 2)
    assert np.allclose(flipped, K * [[1, -1], [-1, 1]], atol=1e-10)
    assert np.allclose(micro.effective_conductivity(np.kron(S, np.ones((2, 2), int)), k), K, atol=1e-10)
    cube = rng.integers(1, 3, (3, 4, 2))
    assert np.allclose(
        micro.effective_conductivity(cube, k[:2]), micro.effective_conductivity(cube, k[:2], method="direct"), atol=1e-9
    )


def test_reciprocity_and_brackets(root):
    """Keller: K11(k1, k2) K22(k2, k1) = k1 k2, nearer and nearer on finer meshes; brackets hold the finest value."""
    S, errors = root[0], []
    finest = micro.effective_conductivity(S, (10, 1), 32)
    for refine in (4, 8, 16, 32):
        here, there = micro.effective_conductivity(S, (10, 1), refine), micro.effective_conductivity(S, (1, 10), refine)
        errors.append(here[0, 0] * there[1, 1] / 10 - 1)
        low, high = micro.conductivity_brackets(S, (10, 1), refine)
        assert np.linalg.eigvalsh(finest - low).min() > 0
        assert np.linalg.eigvalsh(high - finest).min() > -1e-12
    assert all(a > b > 0 for a, b in itertools.pairwise(errors))
    assert errors[-1] < 0.03


def test_mates_differ_from_the_third_order_of_the_contrast_on(root):
    deltas = np.array([0.1, 0.05, 0.025, 0.0125])
    gaps = [
        np.abs(micro.effective_conductivity(root[0], (1 + d, 1), 4) - micro.effective_conductivity(root[1], (1 + d, 1), 4)).max()
        for d in deltas
    ]
    slopes = np.diff(np.log(gaps)) / np.diff(np.log(deltas))
    assert (slopes > 2.9).all()
    assert (slopes < 3.1).all()
    assert gaps[1] / deltas[1] ** 3 == pytest.approx(0.0155, abs=1e-4)


def test_the_same_of_a_pair_by_factors_in_three_dimensions():
    a, b = micro.factor_roots((6, 6, 6), seed=0)
    gaps = []
    for d in (0.1, 0.05):
        gaps.append(np.abs(micro.effective_conductivity(a, (1 + d, 1)) - micro.effective_conductivity(b, (1 + d, 1))).max())
    assert 2.8 < np.log2(gaps[0] / gaps[1]) < 3.2
