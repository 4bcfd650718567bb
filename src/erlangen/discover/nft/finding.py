"""`linear_nft_finding`: the closed form as a discoverer of sequences, judged on sequences it has not seen."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.data.distinct import arranged, boundary, distinct
from erlangen.discover.finding import Finding
from erlangen.discover.nft.linear import LinearNFT, logarithm, orthogonalised
from erlangen.discover.nft.spectrum import name_frequencies, steady
from erlangen.errors import ArgumentError
from erlangen.groups import MatrixGroup
from erlangen.linalg import cut, relative_error

METHOD = "linear NFT"
#: The finding stands when it predicts with less than this part of the error of the best trivial prediction.
STANDS = 0.5
#: Eigenvalues of a motion of a compact group lie this near to the unit circle, in the median.
COMPACT = 0.05
#: Shares of the energy that the directions kept have, from which a held part of the training sequences chooses.
ENERGIES = (0.9, 0.99, 0.999, 0.9999)
#: Turns within this of a fraction with a denominator up to the largest order count as that fraction.
FRACTION, LARGEST_ORDER = 1e-6, 100
#: At most so many directions are tried where the frames do not clearly span fewer.
WIDEST = 48


@dataclass(frozen=True)
class _Fit:
    nft: LinearNFT
    error: float


def linear_nft_finding(sequences: Any, *, seed: int = 0) -> Finding:
    """Whether sequences move linearly, by one motion or each by its own of a common kind, and in which irreducible blocks.

    Two closed forms are fitted to three quarters of the sequences: one motion shared by all, and one for each. The last frame of the
    others is predicted from those before it, and compared with the best of three predictions that know no motion: the frame before,
    the mean frame, and a random motion of the same blocks.

    Args:
        sequences: ``[N, T, n]`` with ``T >= 3`` frames.
        seed: of the split and the random motion.

    Returns:
        a finding whose ``group`` acts on frames as they are (columns) and has the motions among its elements: the motion's one-parameter
        group, or the rotation with the frequencies found. Motions that reverse directions (the highest frequency of cyclic shifts of an
        even number of points) are on no connected group: they give the finite group of their powers, or reflections beside the rotations.

    Raises:
        ArgumentError: not ``[N, T, n]`` with at least 3 frames and 4 different sequences, or NaNs.

    >>> rows = [torch.randn(40, 2)]
    >>> for _ in range(3): rows.append(rows[-1] @ torch.tensor([[0.8, 0.6], [-0.6, 0.8]]))
    >>> linear_nft_finding(torch.stack(rows, 1)).found
    'blocks 2, one motion: 0.102 turns per frame'
    """
    started = time.perf_counter()
    x = torch.as_tensor(sequences).detach().to("cpu")
    if x.ndim != 3 or x.shape[0] < 4 or x.shape[1] < 3:
        raise ArgumentError("sequences", "[N >= 4, T >= 3, n]", f"shape {tuple(x.shape)}")
    if not bool(torch.isfinite(x).all()):
        raise ArgumentError("sequences", "finite numbers", "NaN or infinity")
    # Copies of a sequence stay on one side: a held one must be news.
    kinds = distinct(x)
    if int(kinds.max()) < 3:
        raise ArgumentError("sequences", "at least 4 different ones", int(kinds.max()) + 1)
    order = arranged(kinds, torch.Generator().manual_seed(seed))
    parts = boundary(kinds, order, max(1, len(x) // 4))
    held, kept = x[order[:parts]], x[order[parts:]]
    fits: dict[str, _Fit] = {}
    needed: list[str] = []
    for motions in ("shared", "each"):
        fit, why = _best(kept, held, motions)
        if fit is not None:
            fits[motions] = fit
        elif why:
            needed.append(why)
    if not fits:
        return Finding(METHOD, "nothing", 0.0, False, time.perf_counter() - started, "; ".join(needed))
    # What one motion explains needs no more; each its own must do clearly better.
    chosen = min(fits, key=lambda name: fits[name].error * (2.0 if name == "each" else 1.0) + 1e-12 * (name == "each"))
    best = fits[chosen]
    trivial = _trivial(best.nft, kept, held, seed)
    confidence = max(0.0, 1 - best.error / trivial) if trivial > 0 else 0.0
    decay = float((torch.linalg.eigvals(best.nft.transitions).abs() - 1).abs().median())
    if confidence < STANDS or decay > COMPACT:
        note = "the motion grows or decays: no compact group" if confidence >= STANDS else "; ".join(needed)
        told = confidence if decay <= COMPACT else 0.0
        return Finding(METHOD, "nothing", told, False, time.perf_counter() - started, note)
    named = _named(best.nft, chosen)
    if named is None:
        note = "predicted, but no compact group keeps its blocks"
        return Finding(METHOD, "nothing", 0.0, False, time.perf_counter() - started, note)
    found, group = named
    note = f"last frame predicted with relative squared error {best.error:.2g}, without a motion {trivial:.2g}"
    return Finding(METHOD, found, confidence, True, time.perf_counter() - started, note, group)


def _best(kept: Tensor, held: Tensor, motions: Literal["shared", "each"]) -> tuple[_Fit | None, str]:
    """The rank that predicts a part of the training sequences best, fitted to all of them; or what is missing."""
    inner = boundary(distinct(kept), torch.arange(len(kept)), max(1, len(kept) // 4))
    scores: dict[int, float] = {}
    why = ""
    for rank in _ranks(kept):
        try:
            scores[rank] = _error(LinearNFT(rank, motions).fit(kept[inner:]), kept[:inner])
        except ArgumentError as error:
            why = f"motion of each: {error.expected} needed, {error.got} given" if motions == "each" else str(error)
    if not scores:
        return None, why
    rank = min(scores, key=lambda r: (scores[r] > 1.05 * min(scores.values()) + 1e-12, r))
    try:
        nft = LinearNFT(rank, motions).fit(kept)
        return _Fit(nft, _error(nft, held)), ""
    except ArgumentError as error:
        return None, str(error)


def _ranks(x: Tensor) -> list[int]:
    """As many directions as frames span, where that is clear; otherwise by their energy."""
    rows = x.flatten(0, 1)
    values = torch.linalg.svdvals(rows.double())
    eps = float(torch.finfo(x.dtype).eps) if x.is_floating_point() else 2.2e-16
    exact = cut(values, shape=tuple(rows.shape), eps=eps)  # type: ignore[arg-type]
    if exact.clear and exact.rank < len(values):
        return [exact.rank]
    share = values.square().cumsum(0) / values.square().sum()
    ranks = {int((share < energy).sum()) + 1 for energy in ENERGIES} | {exact.rank}
    return sorted(r for r in ranks if r <= WIDEST)


def _error(nft: LinearNFT, x: Tensor) -> float:
    """The relative squared error of the last frame, predicted from those before."""
    told = torch.as_tensor(nft.predict(x[:, :-1])[:, 0])
    return _relative_square(told, x[:, -1])


def _trivial(nft: LinearNFT, kept: Tensor, held: Tensor, seed: int) -> float:
    """The smallest relative error of predictions without a motion."""
    last, x = held[:, -1].double(), held.double()
    z = torch.as_tensor(nft.encode(x[:, -2]))
    turn = torch.linalg.qr(torch.randn(z.shape[-1], z.shape[-1], generator=torch.Generator().manual_seed(seed), dtype=z.dtype)).Q
    guesses = (x[:, -2], kept.double().mean((0, 1)).expand_as(last), torch.as_tensor(nft.decode(z @ turn)))
    return min(_relative_square(guess, last) for guess in guesses)


def _relative_square(told: Tensor, true: Tensor) -> float:
    """The squared error relative to the truth, whatever the units: squares of 1e-30 are nothing in single precision."""
    told, true = told.double(), true.double()
    size = true.norm()
    return float(relative_error((told - true).norm(), size, size)) ** 2


def _named(nft: LinearNFT, motions: str) -> tuple[str, MatrixGroup] | None:
    """The blocks in words, and the group on frames: one that has the motions among its elements."""
    try:
        blocks = nft.block_diagonalize()
    except ArgumentError:
        return None
    sizes = "+".join(map(str, blocks.sizes))
    if motions == "shared":
        rates = ", ".join(f"{float(r) / (2 * torch.pi):.3g}" for r in nft.rates())
        return _of_one(nft, f"blocks {sizes}, one motion: {rates} turns per frame")
    matrices = steady(nft.transitions)
    mirrored = torch.stack([torch.linalg.det(block) < 0 for block in blocks.blocks(matrices)], 1)
    if bool(mirrored.any()):
        return _with_reflections(nft, sizes, matrices, mirrored)
    named = name_frequencies(blocks, matrices)
    if named is None:
        return f"blocks {sizes}, turning independently", MatrixGroup(algebra=_independent(nft), name="rotations of the blocks")
    return f"blocks {sizes}, {_in_words(named)}", MatrixGroup(algebra=_turning(nft, named), name="SO(2)")


def _of_one(nft: LinearNFT, words: str) -> tuple[str, MatrixGroup] | None:
    """The one-parameter group of one motion. A reversed direction is on no such group: then the motion's powers, or both together."""
    A, reversal = logarithm(nft.transitions[0])
    generator = nft.tangent(A)
    still = float(generator.abs().max()) < 1e-9
    if reversal is None:
        return None if still else (words, MatrixGroup(algebra=generator[None], name="exp(tA)"))
    powers = _finite(nft, nft.transitions[:1])
    if powers is not None:
        return f"{words}, of order {powers.order}", powers
    flip = nft.on_data(reversal)[None]
    return f"{words}, and a reversal", MatrixGroup(flip, None if still else generator[None], name="exp(tA), and a reversal")


def _with_reflections(nft: LinearNFT, sizes: str, matrices: Tensor, mirrored: Tensor) -> tuple[str, MatrixGroup]:
    """The group of motions of which some reverse directions: finite, or a connected one and a motion of each kind of reversal."""
    finite = _finite(nft, matrices)
    if finite is not None:
        return f"blocks {sizes}, {finite.order} motions", finite
    blocks, plain = nft.block_diagonalize(), matrices[~mirrored.any(1)]
    named = name_frequencies(blocks, plain) if len(plain) else None
    words = _in_words(named) if named else "turning independently"
    kinds = [int((mirrored == kind).all(1).nonzero()[0]) for kind in mirrored.unique(dim=0) if bool(kind.any())]
    generators = nft.on_data(_orthogonal(nft, matrices[kinds]))
    turning = None if max(blocks.sizes) == 1 else _turning(nft, named) if named else _independent(nft)
    return f"blocks {sizes}, {words}, and reflections", MatrixGroup(
        generators, turning, name="rotations and reflections of the blocks"
    )


def _in_words(named: tuple[int, ...]) -> str:
    return f"frequencies {', '.join(map(str, sorted(map(abs, named))))}"


def _turning(nft: LinearNFT, named: tuple[int, ...]) -> Float[Tensor, "1 n n"]:
    """The Lie algebra of SO(2) on frames, with a frequency for each block."""
    quarter = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]], dtype=torch.float64)
    return nft.rep_with(named).algebra(quarter)


def _independent(nft: LinearNFT) -> Float[Tensor, "k n n"]:
    """Blocks that do not turn together: every plane on its own, a torus on frames; larger blocks with all their rotations."""
    found = nft.block_diagonalize()
    basis: list[Float[Tensor, "n n"]] = []
    P = found.P
    inverse = torch.linalg.inv(P)
    for part, size in zip(found.slices, found.sizes):
        for i in range(size):
            for j in range(i):
                turn = torch.zeros_like(P)
                turn[part.start + i, part.start + j], turn[part.start + j, part.start + i] = 1.0, -1.0
                basis.append(nft.tangent(P @ turn @ inverse))
    return torch.stack(basis)


def _orthogonal(nft: LinearNFT, matrices: Float[Tensor, "m r r"]) -> Float[Tensor, "m r r"]:
    """Motions with every block the nearest orthogonal one."""
    found = nft.block_diagonalize()
    moved = torch.zeros_like(matrices)
    for part, block in zip(found.slices, found.blocks(matrices)):
        moved[:, part, part] = orthogonalised(block)
    return found.P @ moved @ torch.linalg.inv(found.P)


def _finite(nft: LinearNFT, matrices: Float[Tensor, "m r r"]) -> MatrixGroup | None:
    """The finite group that motions generate, where each is of a small order to within what the data tell; ``None`` otherwise."""
    found = nft.block_diagonalize()
    if max(found.sizes) > 2:
        return None
    exact = torch.zeros_like(matrices)
    for part, size, block in zip(found.slices, found.sizes, found.blocks(matrices)):
        near = orthogonalised(block)
        if size == 1:
            exact[:, part, part] = near
            continue
        mirrored = torch.linalg.det(near) < 0
        if bool(mirrored.any()):
            return None  # reflections of planes in one basis with exact rotations: not looked for
        turns = torch.atan2(near[:, 1, 0], near[:, 0, 0]) / (2 * torch.pi)
        whole = [Fraction(t).limit_denominator(LARGEST_ORDER) for t in turns.tolist()]
        snapped = torch.tensor([float(f) for f in whole], dtype=torch.float64)
        if float((snapped - turns).abs().max()) > FRACTION:
            return None
        angle = 2 * torch.pi * snapped
        exact[:, part, part] = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(-1, 2, 2)
    motions = nft.on_data(found.P @ exact @ torch.linalg.inv(found.P))
    generators: list[Tensor] = []
    elements = torch.eye(motions.shape[-1], dtype=torch.float64)[None]
    for motion in motions:
        if float((elements - motion).abs().amax((1, 2)).min()) > 1e-6 * float(motion.abs().max()):
            generators.append(motion)
            group = MatrixGroup(generators, name="powers of the motion")
            if not group.is_finite:
                return None
            elements = group.elements()
    return MatrixGroup(generators, name=f"{len(elements)} motions") if generators else None
