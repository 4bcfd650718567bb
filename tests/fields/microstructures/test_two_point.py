"""Two-point correlations: their identities, both ways to compute them, relations, spectra."""

import itertools

import numpy as np
import pytest
import torch

import erlangen as er
from erlangen.actions import GridArrays, GridShifts
from erlangen.errors import ArgumentError
from erlangen.fields import microstructures as micro
from erlangen.groups import GridSymmetries, PermutationGroup


def random_structures(count, seed=0):
    rng = np.random.default_rng(seed)
    for i in range(count):
        sizes = tuple(rng.integers(2, (13, 6, 4)[i % 3], i % 3 + 1).tolist())
        n = int(rng.integers(2, 6))
        if np.prod(sizes) < n:
            sizes = (*sizes[:-1], n)
        S = rng.integers(1, n + 1, sizes)
        S.reshape(-1)[rng.permutation(S.size)[:n]] = np.arange(1, n + 1)
        yield S


def negated(C, dims):
    axes = tuple(range(-dims, 0))
    return np.roll(np.flip(C, axes), 1, axes)


def test_every_identity_holds_exactly_on_random_structures():
    for S in random_structures(200):
        n, N, D = S.max(), S.size, S.ndim
        C = micro.two_point(S, "all").reshape(n, n, *S.shape)
        assert C.dtype == np.int64
        assert np.array_equal(C, micro.direct_two_point(S))
        counts = np.array(micro.phase_counts(S))
        assert np.array_equal(np.swapaxes(C, 0, 1), negated(C, D))
        assert np.array_equal(C.sum(1), np.broadcast_to(counts.reshape(-1, *(1,) * D), C.sum(1).shape))
        assert np.array_equal(C.reshape(n, n, -1).sum(2), np.outer(counts, counts))
        assert np.array_equal(C[(..., *(0,) * D)], np.diag(counts))
        hats = np.fft.fftn(C, axes=tuple(range(2, 2 + D)))
        for c in range(n):
            assert np.allclose(hats * hats[c, c], hats[:, c, None] * hats[None, c], atol=1e-9 * N**4)
        pairs = micro.phase_pairs(int(n))
        assert len(pairs) == n * (n - 1) // 2
        assert np.array_equal(micro.two_point(S), np.stack([C[a - 1, b - 1] for a, b in pairs]))


def test_tensors_batches_and_fractions():
    S = torch.tensor([[[1, 2], [3, 1]], [[3, 2], [1, 1]]])
    C = micro.two_point(S, dims=2)
    assert isinstance(C, torch.Tensor)
    assert torch.equal(C[1], micro.two_point(S[1]))
    assert torch.allclose(micro.two_point(S[0], normalise=True) * 4, micro.two_point(S[0]).double())
    assert micro.two_point(np.ones((2, 2), int)).shape == (0, 2, 2)


def test_soft_indicators_give_the_counts_and_a_gradient():
    S = next(random_structures(1, seed=3))
    n = int(S.max())
    masks = torch.stack([torch.from_numpy(np.equal(S, a)) for a in range(1, n + 1)]).double().requires_grad_()
    C = micro.soft_two_point(masks, S.ndim)
    assert torch.allclose(C, torch.from_numpy(micro.direct_two_point(S)).double(), atol=1e-10)
    weights = torch.randn(C.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda m: (micro.soft_two_point(m, S.ndim) * weights).sum(), masks)


def test_the_correlations_are_audited_like_any_model():
    """They move along with automorphisms, and do not move with translations; exactly."""
    x = torch.randint(1, 4, (6, 4, 5), generator=torch.Generator().manual_seed(0))
    for linear in ("translations", "axis-reflections", "automorphisms"):
        G = GridSymmetries((4, 5), linear)
        verdict = er.equivariance_error(lambda S: micro.two_point(S, dims=2), x, GridArrays(G), GridShifts(G))
        assert verdict.holds
        assert verdict["worst"] == 0
    assert not er.equivariance_error(lambda S: S, x, GridArrays(G), GridShifts(G)).holds


def test_relations_and_their_witnesses():
    rng = np.random.default_rng(1)
    for linear in ("translations", "inversion", "axis-reflections", "point-group", "automorphisms"):
        act = GridArrays(GridSymmetries((3, 3), linear))
        for seed in range(5):
            S = torch.from_numpy(rng.permutation([1, 1, 1, 2, 2, 2, 3, 3, 3]).reshape(3, 3))
            moved = act.act(act.group.sample(generator=torch.Generator().manual_seed(seed)), S)
            verdict = micro.related(S, moved, linear)
            assert verdict
            assert torch.equal(act.act(verdict.witness.permutation, S), moved)
            assert torch.equal(micro.canonical(S, linear), micro.canonical(moved, linear))
            orbit = {tuple(y.flatten().tolist()) for y in act.orbit(S)}
            other = torch.from_numpy(rng.permutation(S.flatten().numpy()).reshape(3, 3))
            assert micro.related(S, other, linear).holds == (tuple(other.flatten().tolist()) in orbit)


def test_relations_of_structures_that_repeat_and_of_any_group():
    stripes = np.tile([[1, 2]], (40, 20))
    assert micro.related(stripes, np.roll(stripes, 1, 1))
    other = stripes.copy()
    other[0, :2] = [2, 1]
    assert not micro.related(stripes, other)
    assert micro.related(other, np.roll(other, (5, 7), (0, 1)), "translations").witness.shift == [5, 7]
    swap = PermutationGroup(["(1 2)"], degree=4)
    assert micro.related([1, 1, 2, 3], [1, 2, 1, 3], swap)
    assert micro.relation_group((4,), swap).order == 24  # with translations


def test_equivalence_and_its_witnesses():
    a, b = [1, 1, 2, 2, 1, 2, 1, 2, 2, 2, 2, 2], [1, 1, 2, 1, 2, 2, 2, 1, 2, 2, 2, 2]
    assert micro.equivalent(a, b)
    assert not micro.related(a, b)
    verdict = micro.equivalent([1, 1, 2, 2], [1, 2, 1, 2])
    assert not verdict
    (pair, shift, first, second) = verdict.witness
    assert pair == (1, 1)
    assert (first, second) == tuple(micro.two_point(S)[0, shift[0]] for S in ([1, 1, 2, 2], [1, 2, 1, 2]))
    assert micro.equivalent([1, 1, 2, 2], [1, 2, 1, 2], tol=2)
    assert "sites" in micro.equivalent([1, 1, 2], [1, 2, 2]).reason
    assert not micro.equivalent([1, 1, 2], [1, 2, 3])


def test_complements_of_half_of_a_ring_share_the_correlation():
    """The hexachord theorem, for every half of each even ring up to 12."""
    for N in range(2, 13, 2):
        halves = np.array([[1 + (i not in half) for i in range(N)] for half in itertools.combinations(range(N), N // 2)])
        assert np.array_equal(micro.two_point(halves, dims=1), micro.two_point(3 - halves, dims=1))


def test_inversion_of_three_phases_is_not_free():
    S = np.array([1, 1, 2, 3, 3, 3])
    assert not micro.equivalent(S, S[::-1])
    assert micro.related(S, S[::-1], "inversion")
    assert micro.equivalent([1, 1, 2, 1, 2, 2], [2, 2, 1, 2, 1, 1])


def test_one_row_of_correlations_does_not_determine_the_others():
    """Both counterexamples to "n - 1 correlations suffice" (Niezgoda, Fullwood, Kalidindi 2008)."""
    S = np.array([[2, 3, 1], [2, 2, 1], [2, 3, 3], [2, 2, 3]])
    hats = np.fft.fft2(micro.two_point(S, "all").reshape(3, 3, 4, 3))
    assert np.abs(hats[0, 0, 2]).max() < 1e-12
    assert np.abs(hats[0, 0, [0, 1, 3]]).min() > 0.1
    other = hats.copy()
    change = np.array([-2, 1, 1])
    other[1, 1, 2] += change
    other[2, 2, 2] += change
    other[1, 2, 2] -= change
    other[2, 1, 2] -= change
    C = np.fft.ifft2(other)
    # All that is known of correlations when the row of phase 1 is given:
    assert np.allclose(other[0], hats[0])
    assert np.allclose(C.sum(1), np.array(micro.phase_counts(S)).reshape(3, 1, 1))
    assert np.allclose(C, np.swapaxes(negated(C, 2), 0, 1))
    assert np.abs(C.imag).max() < 1e-12
    for a, b in itertools.product(range(3), repeat=2):
        assert np.allclose(other[a, b] * other[0, 0], other[a, 0] * other[0, b])
    assert np.abs(other - hats).max() > 0.5
    T = np.array([[1, 1, 3], [1, 2, 3], [1, 1, 3], [3, 1, 2]])
    hats = np.fft.fft2(micro.two_point(T, "all").reshape(3, 3, 4, 3))
    for q in ((1, 0), (3, 0)):
        assert max(abs(hats[(c, c, *q)]) for c in range(3)) < 1e-12


def test_bispectra_are_invariants_that_tell_mates_apart():
    rng = np.random.default_rng(2)
    for S in random_structures(12, seed=4):
        shift = tuple(int(rng.integers(p)) for p in S.shape)
        moved = np.roll(S, shift, tuple(range(S.ndim)))
        mirrored = np.roll(np.flip(S), 1, tuple(range(S.ndim)))
        B = micro.bispectrum(S)
        assert np.allclose(B, micro.bispectrum(moved), atol=1e-9 * S.size**3)
        assert np.allclose(B.conj(), micro.bispectrum(mirrored), atol=1e-9 * S.size**3)
        assert not micro.distinguished(S, moved)
        assert not micro.distinguished(S, mirrored)
        power = micro.invariants(S).power
        assert np.allclose(np.fft.ifftn(power, axes=tuple(range(1, S.ndim + 1))), micro.two_point(S), atol=1e-9)


@pytest.mark.parametrize(
    ("call", "name", "said"),
    [
        (lambda: micro.two_point([1.0, 2.0]), "S", "integer"),
        (lambda: micro.two_point([1, 3]), "S", "no site of phase 2"),
        (lambda: micro.two_point([0, 1]), "S", "the label 0"),
        (lambda: micro.two_point([[1, 2], [1]]), "S", "different lengths"),
        (lambda: micro.two_point([]), "S", "got float64|at least one"),
        (lambda: micro.two_point([1, 2], "some"), "pairs", "independent"),
        (lambda: micro.two_point([1, 2], dims=2), "dims", "from 1 to 1"),
        (lambda: micro.equivalent([1, 2], [1, 2, 2]), "b", "shape"),
        (lambda: micro.related([1, 2], [2, 1], "mirrors"), "relations", "known name"),
        (lambda: micro.related([1, 2], [2, 1], er.Symmetric(3)), "relations", "2 points"),
        (lambda: micro.search_roots(0, (1,)), "P", "positive"),
        (lambda: micro.search_roots((4, 3), (10, 4)), "counts", "at most 12"),
        (lambda: micro.search_roots((4, 3), (1.5,)), "counts", "positive"),
        (lambda: micro.search_roots((8, 8), (20,)), "P", "go through"),
        (lambda: micro.factor_roots((3, 3)), "P|copies", "sites"),
        (lambda: micro.factor_roots((64, 64), 1), "n_phases", "2 phases"),
        (lambda: micro.factor_roots((64, 64), motif=2), "motif", "at least 3"),
        (lambda: micro.factor_roots((64, 64), copies=10**6), "copies", "room"),
        (lambda: micro.bispectrum([1, 2], [[0.5]]), "frequencies", "integers"),
        (lambda: micro.effective_conductivity([1, 2], (1.0, -1.0)), "k", "positive"),
        (lambda: micro.effective_conductivity([1, 2], (1.0,)), "k", "one for each phase"),
        (lambda: micro.effective_conductivity([1, 2], (1.0, 2.0), 0), "refine", "at least 1"),
        (lambda: micro.effective_conductivity([1, 2], (1.0, 2.0), method="fem"), "method", "direct"),
        (lambda: micro.bounds_conductivity([[1, 2]], (1.0, np.nan)), "k", "positive"),
        (lambda: micro.bounds_elasticity([1, 2], np.ones((2, 6, 6))), "stiffness", "positive"),
    ],
)
def test_bad_input_is_refused_by_name(call, name, said):
    with pytest.raises(ArgumentError, match=rf"'({name})'.*({said})") as caught:
        call()
    assert isinstance(caught.value, ValueError)
