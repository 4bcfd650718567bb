"""Simultaneous block diagonalisation: sizes, kinds and commutants that theory knows, in a basis that hides them; and noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from erlangen.errors import ArgumentError
from erlangen.groups import SO, Cyclic, Symmetric
from erlangen.reps import SpatialIrrep
from erlangen.reps.block_diagonalize import block_diagonalize, in_basis, off_block
from erlangen.reps.characters import character_multiplicities, frequency_multiplicities

F64 = torch.float64


def planar(*frequencies, count=12, seed=0):
    G = SO(2)
    parts = [G.irrep(k) for k in frequencies]
    rep = sum(parts[1:], start=parts[0])
    return rep(G.sample(count, generator=torch.Generator().manual_seed(seed), dtype=F64))


def spatial(power):
    return (SO(3).vector ** power)(SO(3).sample(12, generator=torch.Generator().manual_seed(1), dtype=F64))


def regular(group):
    return group.regular(group.elements()).to(F64)


def hidden(matrices, seed=0, condition=4.0):
    """The same in a random basis of a given condition number."""
    a = matrices.shape[-1]
    rng = torch.Generator().manual_seed(seed)
    u, v = (torch.linalg.qr(torch.randn(a, a, generator=rng, dtype=F64)).Q for _ in range(2))
    return in_basis(matrices, u @ torch.diag(torch.linspace(1, condition, a, dtype=F64)) @ v)


CASES = {
    "SO2-025": (lambda: planar(0, 2, 5), (1, 2, 2), (0, 1, 2), 3),
    "SO2-331": (lambda: planar(3, 3, 1), (2, 2, 2), None, 5),
    "S3-regular": (lambda: regular(Symmetric(3)), (1, 1, 2, 2), (0, 1, 2, 2), 5),
    "C5-regular": (lambda: regular(Cyclic(5)), (1, 2, 2), (0, 1, 2), 3),
    "SO3-11": (lambda: spatial(2), (1, 3, 5), (0, 1, 2), 3),
    "SO3-111": (lambda: spatial(3), (1, 3, 3, 3, 5, 5, 7), (0, 1, 1, 1, 2, 2, 3), 11),
}


@pytest.mark.parametrize("case", CASES)
def test_blocks_and_commutants_that_theory_knows(case):
    make, sizes, kinds, dim = CASES[case]
    matrices = hidden(make())
    found = block_diagonalize(matrices)
    assert found.sizes == sizes
    assert found.commutant_dim == dim
    if kinds is not None:
        assert found.isotypes == kinds
    else:
        assert sorted(found.isotypes.count(k) for k in set(found.isotypes)) == [1, 2]
    moved = in_basis(matrices, found.P)
    assert off_block(moved, sizes) < 1e-10
    assert found.residual < 1e-10
    for block in found.blocks(matrices):
        torch.testing.assert_close(block @ block.mT, torch.eye(block.shape[-1], dtype=F64).expand_as(block), atol=1e-9, rtol=0)


@pytest.mark.parametrize("case", CASES)
def test_noise_of_a_percent_keeps_the_blocks(case):
    make, sizes, _, dim = CASES[case]
    matrices = hidden(make(), condition=2.0)
    noisy = matrices + 0.01 * torch.randn(matrices.shape, generator=torch.Generator().manual_seed(2), dtype=F64)
    found = block_diagonalize(noisy)
    assert (found.sizes, found.commutant_dim) == (sizes, dim)
    assert 1e-4 < found.residual < 0.15


def test_quaternions_are_never_split():
    """Multiplication by unit quaternions on R^4 is irreducible; its commutant has dimension four, its symmetric part one."""
    q = torch.nn.functional.normalize(torch.randn(10, 4, generator=torch.Generator().manual_seed(0), dtype=F64), dim=1)
    w, x, y, z = q.unbind(1)
    left = torch.stack([torch.stack(r, -1) for r in ((w, -x, -y, -z), (x, w, -z, y), (y, z, w, -x), (z, -y, x, w))], -2)
    assert block_diagonalize(hidden(left)).sizes == (4,)
    twice = torch.stack([torch.block_diag(m, m) for m in left])
    found = block_diagonalize(hidden(twice))
    assert (found.sizes, found.isotypes, found.commutant_dim) == ((4, 4), (0, 0), 6)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(0, 10_000))
def test_any_sum_of_frequencies_comes_back(frequencies, seed):
    G = SO(2)
    parts = [G.scalar if k == 0 else G.irrep(k) for k in frequencies]
    g = G.sample(24, generator=torch.Generator().manual_seed(seed), dtype=F64)
    matrices = hidden(sum(parts[1:], start=parts[0])(g), seed=seed, condition=3.0)
    found = block_diagonalize(matrices, seed=seed)
    assert found.sizes == tuple(sorted(1 if k == 0 else 2 for k in frequencies))
    assert found.residual < 1e-8
    counts = sorted(found.isotypes.count(kind) for kind in set(found.isotypes))
    assert counts == sorted(frequencies.count(k) for k in set(frequencies))


def test_amplitudes_are_invariant():
    matrices = hidden(planar(0, 2, 5))
    found = block_diagonalize(matrices)
    rows = torch.randn(7, 5, generator=torch.Generator().manual_seed(0), dtype=F64)
    moved = rows @ matrices[3]
    torch.testing.assert_close(found.amplitudes(moved), found.amplitudes(rows), rtol=1e-10, atol=1e-12)


def test_identities_and_small_motions():
    assert block_diagonalize(torch.eye(3)[None].repeat(4, 1, 1)).sizes == (1, 1, 1)
    tiny = SO(3).exp(0.05 * SO(3).algebra.combine(torch.randn(12, 3, generator=torch.Generator().manual_seed(0), dtype=F64)))
    assert block_diagonalize(tiny).sizes == (3,)
    assert block_diagonalize(tiny, noisy=False).sizes == (3,)


def test_what_is_not_compact_is_refused():
    shear = torch.tensor([[[1.0, 1.0], [0.0, 1.0]]])
    for matrices in (shear, torch.diag(torch.tensor([2.0, 0.5]))[None]):
        with pytest.raises(ArgumentError) as caught:
            block_diagonalize(matrices)
        assert caught.value.argument == "matrices"
    for bad in (torch.zeros(3, 2), torch.full((2, 3, 3), float("nan")), torch.zeros(2, 3, 4), np.zeros((2, 3, 3))):
        with pytest.raises(ArgumentError):
            block_diagonalize(bad)


def test_multiplicities_from_characters():
    S3 = Symmetric(3)
    g = SO(3).sample(40, generator=torch.Generator().manual_seed(0), dtype=F64)
    counts = character_multiplicities(hidden((SO(3).vector ** 3)(g)), g, [SO(3).irrep(l) for l in range(5)])
    torch.testing.assert_close(counts, torch.tensor([1, 3, 2, 1, 0], dtype=F64), atol=1e-9, rtol=0)
    counts = character_multiplicities(hidden(regular(S3)), S3.elements(), [S3.scalar, S3.pseudoscalar])
    torch.testing.assert_close(counts, torch.ones(2, dtype=F64), atol=1e-9, rtol=0)
    angles = torch.linspace(0.05, 3.1, 60, dtype=F64)
    matrices = planar_at(angles, 2, 5, 5)
    found = frequency_multiplicities(hidden(matrices), angles, 8)
    torch.testing.assert_close(found, torch.tensor([0, 0, 1, 0, 0, 2, 0, 0, 0], dtype=F64), atol=1e-9, rtol=0)
    with pytest.raises(ArgumentError, match="angles"):
        frequency_multiplicities(matrices, angles[:-1], 8)
    with pytest.raises(ArgumentError, match="top"):
        frequency_multiplicities(matrices, angles, 60)
    with pytest.raises(ArgumentError, match="elements"):
        character_multiplicities(matrices, g, [SO(3).irrep(1)])
    with pytest.raises(ArgumentError, match="irreps"):
        character_multiplicities(matrices, g, [])


def planar_at(angles, *frequencies):
    G = SO(2)
    parts = [G.irrep(k) for k in frequencies]
    return sum(parts[1:], start=parts[0])(G.exp(G.algebra.combine(angles[:, None])))


@pytest.mark.parametrize("degree", range(9))
def test_wigner_matrices(degree):
    """What the latent action of SO(3) rests on, for every degree up to 8."""
    rng = torch.Generator().manual_seed(degree)
    G, D = SO(3), SpatialIrrep(SO(3), degree)
    r, s = (G.sample(20, generator=rng, dtype=F64) for _ in range(2))
    torch.testing.assert_close(D(r @ s), D(r) @ D(s), atol=1e-10, rtol=0)
    torch.testing.assert_close(D(r) @ D(r).mT, torch.eye(D.dim, dtype=F64).expand(20, -1, -1), atol=1e-10, rtol=0)
    angle = ((r.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1).acos()
    torch.testing.assert_close(D.character(r), torch.sin((2 * degree + 1) * angle / 2) / torch.sin(angle / 2), atol=1e-10, rtol=0)
    if degree == 1:
        torch.testing.assert_close(D(r).diagonal(dim1=1, dim2=2).sum(1), r.diagonal(dim1=1, dim2=2).sum(1), atol=1e-10, rtol=0)


@pytest.mark.parametrize("unit", [1e-3, 1e-6, 1e-9])
def test_units_are_not_taken_for_growth(unit):
    """A quarter turn of (x, p) beside a third of a turn, in units that differ: two blocks, and never a refusal."""
    third = torch.tensor([[-0.5, -(0.75**0.5)], [0.75**0.5, -0.5]], dtype=torch.float64)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    units = torch.diag(torch.tensor([1.0, unit, 1.0, 1 / unit], dtype=torch.float64))
    matrices = torch.stack([torch.block_diag(quarter, third), torch.block_diag(quarter @ quarter, third @ third)])
    moved = units @ matrices @ torch.linalg.inv(units)
    found = block_diagonalize(moved)
    assert found.sizes == (2, 2)
    assert len(set(found.isotypes)) == 2
    for block in found.blocks(moved):
        assert float((block @ block.mT - torch.eye(2, dtype=torch.float64)).abs().max()) < 1e-6


@pytest.mark.parametrize(
    "matrix", [2 * torch.eye(2), 0.5 * torch.eye(3), torch.tensor([[1.0, 1.0], [0.0, 1.0]])], ids=["grows", "decays", "shears"]
)
def test_what_keeps_no_form_is_refused(matrix):
    with pytest.raises(ArgumentError, match="matrices"):
        block_diagonalize(matrix[None])
