"""`Spectrum`: which frequencies a set of motions has, with their angles known or not; and the group they make."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups import SO
from erlangen.reps.block_diagonalize import BlockDecomposition, block_diagonalize
from erlangen.reps.characters import frequency_multiplicities
from erlangen.reps.monomial import InBasis

#: A multiplicity of at least this counts as a frequency that is there (real copies are whole numbers).
PRESENT = 0.5
#: Blocks must turn together to within this mean cosine for whole frequencies to be named without angles.
TOGETHER = 0.95
#: Equations for multiplicities may enlarge errors by this much.
CONDITION = 1e3
#: The next frequency must miss the phases of a block by so many times the best one's miss (a squared distance).
APART = 10.0
#: The largest frequency of the block that the others are compared with.
REFERENCE = 8


@dataclass(frozen=True)
class Spectrum:
    """The frequencies of motions.

    Attributes:
        frequencies: those that are there, ascending, repeated as often as they occur. Without angles only known up to a common factor.
        multiplicities: with angles, how often each frequency 0, 1, ... occurs, not rounded ``[top + 1]``; empty without.
        decay: the median absolute value of eigenvalues; 1 for motions of a compact group.
    """

    frequencies: tuple[int, ...]
    multiplicities: Float[Tensor, " top+1"]
    decay: float

    def __str__(self) -> str:
        return f"frequencies {', '.join(map(str, self.frequencies)) or 'unknown'}; median |eigenvalue| {self.decay:.3f}"


def spectrum_of(matrices: Float[Tensor, "n a a"], angles: Any, top: int) -> Spectrum:
    """Read the frequencies off the traces where the angles are known, off the phases of the blocks where they are not.

    A few angles do not tell many frequencies by traces: the equations are nearly dependent, and rounding would be the answer. There each
    block's phase is compared with the multiples of the angles instead.

    Raises:
        ArgumentError: angles of another number than matrices.
    """
    motions = matrices.detach().to("cpu", torch.float64)
    decay = float(torch.linalg.eigvals(motions).abs().median())
    if angles is None:
        try:
            clear = steady(motions)
            found = block_diagonalize(clear)
        except ArgumentError:  # no compact group: nothing turns
            return Spectrum((), torch.zeros(0), decay)
        named = name_frequencies(found, clear)
        return Spectrum(tuple(sorted(map(abs, named or ()))), torch.zeros(0), decay)
    told = torch.as_tensor(np.asarray(angles) if not isinstance(angles, Tensor) else angles).detach().cpu()
    if tuple(told.shape) != (len(motions),):
        raise ArgumentError("angles", f"{len(motions)} angles, one for each sequence", f"shape {tuple(told.shape)}")
    if not _told_by_traces(told, top):
        return _by_phases(motions, told.to(motions), top, decay)
    counts = frequency_multiplicities(motions, told, top)
    # Traces of matrices that represent nothing (growth, noise) add up to more than the dimension.
    if float(counts[0] + 2 * counts[1:].abs().sum()) > 2 * motions.shape[-1]:
        return Spectrum((), counts, decay)
    present = [k for k, count in enumerate(counts.tolist()) for _ in range(max(0, round(count))) if count >= PRESENT]
    return Spectrum(tuple(present), counts, decay)


def _told_by_traces(angles: Tensor, top: int) -> bool:
    """Whether the traces at these angles tell the frequencies up to ``top`` apart, without enlarging errors much."""
    if len(angles) <= top:
        return False
    characters = torch.cos(angles.double()[:, None] * torch.arange(top + 1, dtype=torch.float64))
    values = torch.linalg.svdvals(characters)
    return bool(values[-1] * CONDITION > values[0])


def _by_phases(motions: Float[Tensor, "n a a"], angles: Float[Tensor, " n"], top: int, decay: float) -> Spectrum:
    """The frequency of every block: the one whose multiples of the angles its phases follow, and no other as well."""
    counts = torch.zeros(top + 1, dtype=torch.float64)
    try:
        found = block_diagonalize(steady(motions))
    except ArgumentError:
        return Spectrum((), counts, decay)
    k = torch.arange(top + 1, dtype=torch.float64)
    for size, block in zip(found.sizes, found.blocks(motions)):
        if size > 2 or bool((torch.linalg.det(block) < 0).any()):
            return Spectrum((), torch.zeros_like(counts), decay)
        if size == 1:
            counts[0] += 1
            continue
        phase, turns = plane_phase(block)[:, None], angles[:, None] * k
        follows = torch.stack([torch.cos(phase - turns).mean(0), torch.cos(phase + turns).mean(0)]).amax(0)
        best, second = follows.sort(descending=True).values[:2].tolist() if top else (float(follows[0]), -1.0)
        if best > TOGETHER and 1 - second > APART * (1 - best) + 1e-6:
            counts[int(follows.argmax())] += 1
    present = tuple(i for i, count in enumerate(counts.tolist()) for _ in range(int(count)))
    return Spectrum(present, counts, decay)


def steady(matrices: Float[Tensor, "n a a"], count: int = 64) -> Float[Tensor, "count a a"]:
    """The motions whose eigenvalues lie nearest to the unit circle.

    A sequence without energy in some block says nothing of it, and its matrix there is noise; others say it well.

    >>> steady(torch.tensor([[[0.1]], [[1.0]]]), 1)
    tensor([[[1.]]])
    """
    off = (torch.linalg.eigvals(matrices.detach().double()).abs() - 1).abs().amax(-1)
    return matrices[off.argsort()[:count]]


def name_frequencies(found: BlockDecomposition, matrices: Float[Tensor, "n a a"]) -> tuple[int, ...] | None:
    """A whole frequency for each block, in the blocks' order, when all turn by multiples of one angle; ``None`` when they do not.

    Blocks of size one have frequency 0. The smallest whole numbers are taken, so a common factor is not seen; a sign says that a block
    turns the other way in the basis ``found.P``.

    Args:
        found: blocks of size at most two.
        matrices: a few dozen motions; with one alone nothing is known of ratios.
    """
    blocks = found.blocks(matrices.to(found.P))
    planes = [i for i, size in enumerate(found.sizes) if size == 2]
    if any(size > 2 for size in found.sizes) or (len(planes) > 1 and len(matrices) < 4):
        return None
    if any(float((blocks[i] - 1).abs().max()) > 0.3 for i, size in enumerate(found.sizes) if size == 1):
        return None  # reflections
    phases = {i: plane_phase(blocks[i]) for i in planes}
    if any(bool(torch.linalg.det(blocks[i]).min() < 0) for i in planes):
        return None
    if len(planes) == 1:
        return tuple(1 if i in phases else 0 for i in range(len(found.sizes)))
    best = _compare(phases)
    return None if best is None else tuple(best.get(i, 0) for i in range(len(found.sizes)))


def plane_phase(blocks: Float[Tensor, "*batch 2 2"]) -> Float[Tensor, " *batch"]:
    """The angle of blocks that are nearly rotations ``[[cos, -sin], [sin, cos]]``.

    >>> plane_phase(torch.tensor([[0.0, -1.0], [1.0, 0.0]]))
    tensor(1.5708)
    """
    return torch.atan2(blocks[..., 1, 0] - blocks[..., 0, 1], blocks[..., 0, 0] + blocks[..., 1, 1])


def _compare(phases: dict[int, Tensor]) -> dict[int, int] | None:
    """Frequencies of all planes relative to the one with the smallest, trying its frequency 1, 2, ..."""
    k = torch.arange(-64, 65, dtype=torch.float64)
    for reference in range(1, REFERENCE + 1):
        branch = 2 * math.pi * torch.arange(reference, dtype=torch.float64)
        for i, phase in phases.items():
            angle = (phase[:, None] + branch) / reference  # [n, branches]
            named, score = {i: reference}, torch.zeros_like(angle)
            for j, other in phases.items():
                if j == i:
                    continue
                fits = torch.cos(other[:, None, None] - angle[..., None] * k)  # [n, branches, k]
                # The smallest of all frequencies that fit as well as the best one.
                mean = fits.amax(1).mean(0)
                near = (mean > mean.max() - 0.01).nonzero().flatten()
                choice = int(near[k[near].abs().argmin()])
                named[j] = int(k[choice])
                score = score + fits[..., choice]
            # One branch must suit all planes at once.
            together = float((score.amax(1) / max(1, len(phases) - 1)).mean())
            if together > TOGETHER and all(named.values()):
                common = math.gcd(*named.values())
                turn = 1 if sum(named.values()) > 0 else -1
                return {j: turn * value // common for j, value in named.items()}
    return None


def rep_of(found: BlockDecomposition, named: tuple[int, ...]) -> InBasis:
    """SO(2) with the frequencies of the blocks, in the basis in which the motions were found.

    For rows ``h``: ``rep.act(g, h)`` is ``h @ M``.

    Args:
        found: the blocks.
        named: a frequency for each, from :func:`name_frequencies`.
    """
    G = SO(2)
    parts = [G.scalar if k == 0 else G.irrep(abs(k)) for k in named]
    # Rows take transposed matrices: M^T = P^-T D^T P^T. A negative frequency is a mirrored plane.
    flips = torch.cat(
        [torch.tensor([1.0]) if size == 1 else torch.tensor([1.0, 1.0 if k < 0 else -1.0]) for size, k in zip(found.sizes, named)]
    )
    P = found.P.to("cpu", torch.float64) * flips.double()
    return InBasis(sum(parts[1:], start=parts[0]), P.mT)
