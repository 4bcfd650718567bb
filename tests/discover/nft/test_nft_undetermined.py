"""Motions that the data do not determine, or that no connected group holds: refused, or named with what they are."""

from __future__ import annotations

import pytest
import torch

import erlangen as er
from erlangen.discover.nft import LinearNFT, frequencies, solve_transition
from erlangen.discover.nft.finding import linear_nft_finding
from erlangen.discover.nft.solves import least_transition
from erlangen.errors import ArgumentError, UnsupportedError

F64 = torch.float64
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, F64])


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed), dtype=F64)


def rows_of(M, rows, frames=2):
    x = [rows]
    for _ in range(frames - 1):
        x.append(x[-1] @ M)
    return torch.stack(x, -3)


def sequences_of(M, rows, frames):
    """``[N, T, n]``: each row moved on and on."""
    return rows_of(M, rows, frames).transpose(0, 1)


def labelled(labels, dtype, noise=0.0):
    """Six sequences for each label, in ``R^8``, of frequencies 0, 2, 5 of an angle of its own."""
    rep = frequencies((0, 2, 5))
    angles = torch.rand(labels, generator=rng(5), dtype=F64) * 3
    which = torch.arange(labels).repeat_interleave(6)
    g = er.SO(2).exp(er.SO(2).algebra.combine(angles[which, None]))
    x = [randn(len(which), rep.dim, seed=1)]
    for _ in range(2):
        x.append(rep.act(g, x[-1]))
    x = torch.stack(x, 1) @ randn(rep.dim, 8)
    return (x + noise * x.std() * randn(*x.shape, seed=3)).to(dtype), which, angles


# ---- one transition that does not say everything ----


@DTYPES
@pytest.mark.parametrize("kind", ["equal columns", "zero column", "combination"])
def test_a_transition_that_does_not_span_is_refused(kind, dtype):
    M, H = torch.linalg.qr(randn(5, 5, seed=1)).Q, randn(16, 5)
    H[:, 4] = {"equal columns": H[:, 3], "zero column": 0 * H[:, 3], "combination": H[:, 0] - 2 * H[:, 1] + H[:, 2]}[kind]
    latents = rows_of(M, H).to(dtype)
    with pytest.raises(ArgumentError, match="span all 5 columns") as caught:
        solve_transition(latents)
    assert caught.value.argument == "latents"
    found, determined = least_transition(latents)
    assert not determined
    # On the span it is the motion itself, however little is known across it.
    torch.testing.assert_close((H.to(dtype) @ found).double(), H @ M, atol=1e3 * torch.finfo(dtype).eps, rtol=0)
    assert float(found.norm()) <= float(M.norm()) * (1 + 1e-5)
    batch = torch.stack([latents, rows_of(M, randn(16, 5, seed=2)).to(dtype)])
    with pytest.raises(ArgumentError, match="1 of 2"):
        solve_transition(batch)
    assert least_transition(batch)[1].tolist() == [False, True]


@DTYPES
def test_columns_of_different_sizes_do_span(dtype):
    M, sizes = torch.linalg.qr(randn(4, 4, seed=1)).Q, torch.tensor([1.0, 1e-8, 1e5, 1e-3], dtype=F64)
    scaled = torch.diag(1 / sizes) @ M @ torch.diag(sizes)
    found = solve_transition(rows_of(scaled, randn(12, 4) * sizes).to(dtype))
    there = torch.diag(sizes) @ found.double() @ torch.diag(1 / sizes)
    torch.testing.assert_close(there, M, atol=1e3 * torch.finfo(dtype).eps, rtol=0)


def test_batched_solves_go_through_vmap_and_compile_free_of_checks():
    M, H = torch.linalg.qr(randn(3, 3, 3, seed=1)).Q, randn(3, 8, 3)
    latents = torch.stack([rows_of(m, h) for m, h in zip(M, H)])
    torch.testing.assert_close(torch.func.vmap(solve_transition)(latents), M, atol=1e-10, rtol=0)


@DTYPES
def test_one_transition_alone_that_starts_in_a_plane_is_refused(dtype):
    """Frames lie in four dimensions, but all sequences start in two of them: nothing is known of the motion of the others."""
    M = torch.linalg.qr(randn(4, 4, seed=1)).Q
    x = sequences_of(M, randn(30, 2) @ randn(2, 4, seed=3), 2).to(dtype)
    with pytest.raises(ArgumentError, match="start from all 4 directions") as caught:
        LinearNFT().fit(x)
    assert caught.value.argument == "sequences"
    longer = sequences_of(M, randn(30, 2) @ randn(2, 4, seed=3), 3).to(dtype)
    nft = LinearNFT().fit(longer)
    torch.testing.assert_close(nft.predict(x[:, 1:]).double()[:, 0], longer[:, 2].double(), atol=1e-5, rtol=0)
    with pytest.raises(ArgumentError, match="30 of 30 sequences"):
        nft.transition(longer)


def test_sequences_that_hardly_move_do_not_spoil_the_others():
    """Among cyclic shifts some are the identity or of a small order: their frames span few directions."""
    n = 5
    shift = torch.arange(200) % n
    index = (torch.arange(n)[None] - shift[:, None]) % n
    x = [randn(200, n)]
    for _ in range(n + 1):
        x.append(x[-1].gather(1, index))
    x = torch.stack(x, 1)
    nft = LinearNFT(motions="each").fit(x)
    assert nft.block_diagonalize().sizes == (1, 2, 2)
    assert torch.isfinite(nft.transitions).all()
    torch.testing.assert_close(nft.predict(x[:, :-1])[:, 0], x[:, -1], atol=1e-10, rtol=0)


# ---- reversals ----


def powers_of_a_shift(n):
    return torch.stack([torch.eye(n, dtype=F64).roll(k, 0) for k in range(n)])


@DTYPES
@pytest.mark.parametrize("n", [2, 6, 7, 8])
def test_the_group_of_cyclic_shifts_holds_the_shift(n, dtype):
    shift = powers_of_a_shift(n)[1]
    x = sequences_of(shift.mT, randn(100, n), 4).to(dtype)
    found = linear_nft_finding(x)
    assert found.holds
    tolerance = 1e3 * torch.finfo(dtype).eps
    if n % 2:
        g = found.group.exp(found.group.tangents(F64))[0]
        torch.testing.assert_close(g, shift, atol=tolerance, rtol=0)
        return
    assert found.group.order == n
    assert f"of order {n}" in found.found
    far = torch.cdist(powers_of_a_shift(n).flatten(1), found.group.elements().flatten(1)).amin(1)
    assert float(far.max()) < tolerance
    nft = LinearNFT().fit(x)
    with pytest.raises(UnsupportedError, match="reverses an odd number"):
        nft.generator()


@DTYPES
@pytest.mark.parametrize("frames", [3, 8])
def test_each_its_own_shift_of_an_even_number_of_points(frames, dtype):
    n = 6
    shift = torch.randint(n, (400,), generator=rng(2))
    index = (torch.arange(n)[None] - shift[:, None]) % n
    x = [randn(400, n, seed=3)]
    for _ in range(frames - 1):
        x.append(x[-1].gather(1, index))
    found = linear_nft_finding(torch.stack(x, 1).to(dtype))
    assert found.holds
    assert found.group.order == n
    far = torch.cdist(powers_of_a_shift(n).flatten(1), found.group.elements().flatten(1)).amin(1)
    assert float(far.max()) < 2e3 * torch.finfo(dtype).eps


def test_a_turn_with_a_reversal_is_in_its_group():
    turn = torch.linalg.matrix_exp(torch.tensor([[0.0, -0.37], [0.37, 0.0]], dtype=F64))
    M = torch.block_diag(-torch.ones(1, 1, dtype=F64), turn)
    basis = randn(3, 3, seed=4)
    M = torch.linalg.inv(basis) @ M @ basis
    found = linear_nft_finding(sequences_of(M, randn(60, 3), 4))
    assert "a reversal" in found.found
    (generator,), (reversal,) = found.group.tangents(F64), found.group.generators
    torch.testing.assert_close(reversal @ torch.linalg.matrix_exp(generator), M.mT, atol=1e-9, rtol=0)
    torch.testing.assert_close(reversal @ reversal, torch.eye(3, dtype=F64), atol=1e-9, rtol=0)


def test_half_turns_have_a_logarithm():
    M = torch.diag(torch.tensor([-1.0, -1.0, 1.0], dtype=F64))
    nft = LinearNFT().fit(sequences_of(M, randn(40, 3), 4))
    torch.testing.assert_close(torch.linalg.matrix_exp(nft.generator()), M, atol=1e-10, rtol=0)


def test_rotations_and_reflections_of_a_plane():
    """O(2): every motion is a rotation or a mirror, each sequence its own; the group found has both."""
    angle, mirror = 6 * torch.rand(300, generator=rng(1), dtype=F64), torch.arange(300) % 3 == 0
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(-1, 2, 2)
    M = torch.where(mirror[:, None, None], torch.diag(torch.tensor([1.0, -1.0], dtype=F64)) @ turn, turn)
    x = [randn(300, 1, 2)]
    for _ in range(4):
        x.append(x[-1] @ M)
    x = torch.cat(x, 1)
    nft = LinearNFT(motions="each").fit(x)
    torch.testing.assert_close(nft.predict(x[:, :-1])[:, 0], x[:, -1], atol=1e-9, rtol=0)
    found = linear_nft_finding(x)
    assert "reflections" in found.found
    assert found.group.dim == 1
    assert float(torch.linalg.det(found.group.generators[0])) == pytest.approx(-1)


# ---- a spectrum from few labels ----


@DTYPES
@pytest.mark.parametrize("labels", [3, 20, 150])
def test_a_spectrum_from_a_few_shared_labels(labels, dtype):
    x, which, angles = labelled(labels, dtype)
    nft = LinearNFT().fit(x, which)
    for top in (8, 19, 32):
        found = nft.spectrum(angles, top=top)
        assert found.frequencies == (0, 2, 5)
        assert found.multiplicities.round().nonzero().flatten().tolist() == [0, 2, 5]


@pytest.mark.parametrize("labels", [12, 40])
def test_a_spectrum_from_noisy_labels_is_not_made_of_rounding(labels):
    x, which, angles = labelled(labels, F64, noise=0.01)
    assert LinearNFT(rank=5).fit(x, which).spectrum(angles).frequencies == (0, 2, 5)


def test_angles_that_cannot_tell_frequencies_apart_name_none():
    """Turns by multiples of a third: frequencies 1, 2, 4, 5 ... all look alike."""
    rep = frequencies((1, 2))
    angles = torch.arange(3, dtype=F64) * 2 * torch.pi / 3
    g = er.SO(2).exp(er.SO(2).algebra.combine(angles[:, None]))
    from erlangen.discover.nft.spectrum import spectrum_of

    assert spectrum_of(rep(g).mT, angles, 8).frequencies == ()
