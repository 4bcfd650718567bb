"""`LinearNFT`: the closed form for motions that are linear in the data themselves: principal directions, then least squares."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from erlangen.discover.nft.invariants import blocks_of_pairs
from erlangen.discover.nft.objective import roll
from erlangen.discover.nft.on_span import OnSpan
from erlangen.discover.nft.solves import least_transition, plane_matrices, solve_planes, solve_transition
from erlangen.discover.nft.spectrum import Spectrum, name_frequencies, rep_of, spectrum_of, steady
from erlangen.errors import ArgumentError, unsupported
from erlangen.linalg import cut
from erlangen.reps import Rep
from erlangen.reps.block_diagonalize import BlockDecomposition, block_diagonalize

#: Blocks in which reflections fit sequences of at least this part of the energy are mirrored by some motions.
MIRRORED = 0.05


class LinearNFT:
    """The linear special case of :class:`NFT`: dynamic mode decomposition, read as a representation.

    All frames are written in their ``rank`` principal directions; there the motion of a sequence is a matrix, found by least squares.
    Always try this first: where it fits, a network only loses digits.

    Args:
        rank: how many directions; by default as many as the frames span (for noisy frames, state it).
        motions: ``"shared"``: one motion, or one for each label given to :meth:`fit`. ``"each"``: every sequence has its own, of a
            common kind: where sequences are shorter than the rank, the planes in which all move are found from the quadratic forms
            that no motion changes, and the motion of each in these planes from as few as two frames.

    Attributes:
        basis: ``[n, rank]``, orthonormal; ``scale`` ``[rank]``, what coordinates are divided by.
        transitions: ``[L, rank, rank]``, one for each label, or for each sequence whose frames determine it.

    Source: P. J. Schmid, J. Fluid Mech. 656 (2010), for one shared motion.

    >>> from erlangen.linalg import matrix_exp
    >>> turn = matrix_exp(torch.tensor([[0.0, -0.3], [0.3, 0.0]]))
    >>> x = [torch.randn(20, 2)]
    >>> for _ in range(3): x.append(x[-1] @ turn.mT)
    >>> nft = LinearNFT().fit(torch.stack(x, 1))
    >>> nft.block_diagonalize().sizes, round(float(nft.rates()[0]), 4)
    ((2,), 0.3)
    """

    basis: Tensor
    scale: Tensor
    transitions: Tensor
    blocks: BlockDecomposition | None

    def __init__(self, rank: int | None = None, motions: Literal["shared", "each"] = "shared") -> None:
        if motions not in ("shared", "each"):
            raise ArgumentError("motions", "'shared' or 'each'", repr(motions))
        if rank is not None and rank < 1:
            raise ArgumentError("rank", "at least 1", repr(rank))
        self.rank, self.motions = rank, motions

    def fit(self, sequences: Any, labels: Int[Tensor, " n"] | None = None) -> LinearNFT:
        """Find the directions and the motions of ``[N, T, n]`` sequences.

        Args:
            sequences: one motion between all neighbours of a sequence.
            labels: with shared motions, which sequences share theirs.

        Raises:
            ArgumentError: not ``[N, T, n]`` with ``T >= 2``, NaNs, a rank above ``n``, too few frames for it, or transitions of a label
                that start from fewer than ``rank`` directions.
        """
        x = _frames(sequences)
        _, values, vh = torch.linalg.svd(x.flatten(0, 1), full_matrices=False)
        rank = self.rank or cut(values, shape=tuple(x.flatten(0, 1).shape), eps=_eps(sequences)).rank  # type: ignore[arg-type]
        if rank > min(x.shape[-1], len(values)) or rank < 1:
            raise ArgumentError("rank", f"a number of directions from 1 to {min(x.shape[-1], len(values))}", repr(rank))
        self.basis = vh[:rank].mT
        self.scale = values[:rank] / x.flatten(0, 1).shape[0] ** 0.5
        # Coordinates are divided by their scales: so is the rounding of the frames.
        self._eps = _eps(sequences) * float(values[0] / values[rank - 1])
        self.blocks = None
        z = self._encode(x)
        count = len(z)
        if self.motions == "shared":
            group = torch.zeros(count, dtype=torch.int64) if labels is None else torch.as_tensor(labels).cpu()
            if tuple(group.shape) != (count,):
                raise ArgumentError("labels", f"{count} labels, one for each sequence", f"shape {tuple(group.shape)}")
            self.transitions = torch.stack([self._shared(z[group == label]) for label in group.unique(sorted=True)])
            return self
        own, determined = least_transition(z.unsqueeze(2), self._eps)
        if bool(determined.any()):
            self.blocks = block_diagonalize(steady(own[determined]))
        else:
            self.blocks = blocks_of_pairs(z[:, :-1].flatten(0, 1), z[:, 1:].flatten(0, 1))
        self._mirrored = self._mirrors(z)
        # Planes are known from all sequences, so that each needs only its angle in them; larger blocks need whole matrices.
        planar = max(self.blocks.sizes) <= 2
        self.transitions = torch.where(determined[:, None, None], own, self._structured(z)) if planar else own[determined]
        return self

    def encode(self, x: Any) -> Any:
        """Coordinates ``[*batch, rank]`` of data ``[*batch, n]``, in float64. NumPy in, NumPy out."""
        return _like(x, self._encode(_tensor(x)))

    transform = encode

    def decode(self, z: Any) -> Any:
        """Data of coordinates."""
        return _like(z, self._decode(_tensor(z)))

    def transition(self, sequences: Any) -> Any:
        """The motion ``[N, rank, rank]`` of each of ``[N, T, n]`` sequences on its own.

        Within known planes two frames are enough; a plane in which a sequence has nothing is taken to stand still.

        Raises:
            ArgumentError: no planes known in which each moves, and frames that do not span ``rank`` directions.
        """
        z = self._encode(_frames(sequences))
        M, determined = self._transition(z)
        if not bool(determined.all()):
            rank = self.basis.shape[1]
            raise ArgumentError(
                "sequences",
                f"at least {rank + 1} frames that span {rank} directions, or motions within planes of all",
                f"{z.shape[1]} frames, with too few directions in {int((~determined).sum())} of {len(z)} sequences",
                "fit with motions='each', or state a smaller rank",
            )
        return _like(sequences, M)

    def predict(self, sequences: Any, steps: int = 1, label: int = 0) -> Any:
        """The frames ``[N, steps, n]`` that follow: by the shared motion of ``label``, or by that of each sequence."""
        z = self._encode(_frames(sequences, least=1 if self.motions == "shared" else 2))
        # A motion that the frames do not determine goes on by the smallest matrix that fits: right where the last frame is of their span.
        M = self.transitions[label].expand(len(z), -1, -1) if self.motions == "shared" else self._transition(z)[0]
        return _like(sequences, self._decode(roll(z[:, -1:], M, steps).squeeze(2)))

    def block_diagonalize(self) -> BlockDecomposition:
        """The irreducible blocks of all motions, in the coordinates of :meth:`encode`."""
        return self.blocks if self.blocks is not None else block_diagonalize(steady(self.transitions))

    def spectrum(self, angles: Any = None, *, top: int = 32) -> Spectrum:
        """Which frequencies act; see :meth:`NFT.spectrum`."""
        return spectrum_of(self.transitions, angles, top)

    def rates(self, label: int = 0) -> Float[Tensor, " rank"]:
        """How fast each eigendirection of a motion turns, in radians per step, descending in size; a pair counts once."""
        phases = torch.angle(torch.linalg.eigvals(self.transitions[label]))
        return phases[phases > 1e-7].sort(descending=True).values

    def amplitudes(self, x: Any) -> Any:
        """Invariant features ``[*batch, blocks]``: the norm of the part in each block."""
        return _like(x, self.block_diagonalize().amplitudes(self._encode(_tensor(x))))

    @property
    def rep(self) -> Rep:
        """SO(2) on the data ``[n]`` as they are, with the frequencies found: what ``symmetrize`` and ``equivariance_error`` take.

        Raises:
            UnsupportedError: the frequencies could not be named; state a group of your own, or use :meth:`generator`.
        """
        found = self.block_diagonalize()
        named = name_frequencies(found, steady(self.transitions))
        if named is None:
            unsupported("these motions", "whole frequencies of one angle", "look at spectrum() and rates()")
        return self.rep_with(named)

    def rep_with(self, named: tuple[int, ...]) -> Rep:
        """SO(2) on the data, with a frequency for each of the blocks (a negative one turns the other way)."""
        inner = rep_of(self.block_diagonalize(), named)
        # rep_of acts on rows z = x basis / scale in the basis of its own planes: go there and back at once.
        inward = inner.basis @ (self.basis / self.scale).mT
        return OnSpan(inner.rep, inward, self.basis * self.scale @ inner.inverse)

    def generator(self, label: int = 0) -> Float[Tensor, "n n"]:
        """The Lie algebra element ``A`` of one motion on the data, ``g = exp(A)`` for columns; it does nothing across the span.

        Raises:
            ArgumentError: the motion is not that of a compact group.
            UnsupportedError: it reverses an odd number of directions (as a shift by one does to the highest frequency of an even number
                of points), so that no motion like it, done many times over, leads there from rest.
        """
        rows, reversal = logarithm(self.transitions[label])
        if reversal is not None:
            unsupported(
                "this motion", "logarithm, for it reverses an odd number of directions", "take the motion itself as a generator"
            )
        return self.tangent(rows)

    def tangent(self, rows: Float[Tensor, "rank rank"]) -> Float[Tensor, "n n"]:
        """A matrix for rows of coordinates as one for columns of data, zero across the span."""
        return (self.basis / self.scale @ rows @ (self.basis * self.scale).mT).mT

    def on_data(self, rows: Float[Tensor, "*batch rank rank"]) -> Float[Tensor, "*batch n n"]:
        """A motion of rows of coordinates as one of columns of data, the identity across the span."""
        eye = torch.eye(rows.shape[-1], dtype=rows.dtype)
        outer = torch.eye(self.basis.shape[0], dtype=rows.dtype)
        return outer + (self.basis / self.scale @ (rows - eye) @ (self.basis * self.scale).mT).mT

    def _encode(self, x: Tensor) -> Tensor:
        if x.shape[-1] != self.basis.shape[0]:
            raise ArgumentError("x", f"{self.basis.shape[0]} numbers on the last axis", x.shape[-1])
        return x @ self.basis / self.scale

    def _decode(self, z: Tensor) -> Tensor:
        return z * self.scale @ self.basis.mT

    def _shared(self, z: Float[Tensor, "n t r"]) -> Float[Tensor, "r r"]:
        rank, rows = z.shape[-1], z.shape[0] * (z.shape[1] - 1)
        if rows < rank:
            raise ArgumentError("labels", f"at least {rank} transitions of each label for rank {rank}", rows)
        try:
            return solve_transition(z.transpose(0, 1), eps=self._eps)
        except ArgumentError:
            raise ArgumentError(
                "sequences",
                f"transitions that start from all {rank} directions in which the frames lie",
                "ones that start from fewer, and say nothing of the motion elsewhere",
                "take more frames or sequences, or state a smaller rank",
            ) from None

    def _transition(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The motion of each sequence, and whether its frames determine it."""
        if self.blocks is not None and max(self.blocks.sizes) <= 2:
            return self._structured(z), torch.ones(len(z), dtype=torch.bool)
        return least_transition(z.unsqueeze(2), self._eps)

    def _structured(self, z: Float[Tensor, "n t r"]) -> Float[Tensor, "n r r"]:
        """Each sequence's motion within the planes that all share; mirrored where that fits better, in blocks that some motion mirrors."""
        found = self.blocks
        assert found is not None
        P = found.P
        M = torch.eye(P.shape[0], dtype=P.dtype).repeat(len(z), 1, 1)
        for part, size, mirrored in zip(found.slices, found.sizes, self._mirrored):
            y = z @ P[:, part]
            flip = _mirror_fits(y) & mirrored if size <= 2 else torch.zeros(len(z), dtype=torch.bool)
            if size == 1:
                M[flip, part, part] = -1.0
            elif size == 2:
                # A reflection is a rotation after the second axis was turned round.
                before = torch.where(flip[:, None, None], y[:, :-1] * y.new_tensor([1.0, -1.0]), y[:, :-1])
                pairs = torch.stack([before, y[:, 1:]], 1)
                turn = plane_matrices(solve_planes(pairs)[:, 0])
                M[:, part, part] = torch.where(flip[:, None, None], y.new_tensor([[1.0], [-1.0]]) * turn, turn)
        return P @ M @ torch.linalg.inv(P)

    def _mirrors(self, z: Float[Tensor, "n t r"]) -> tuple[bool, ...]:
        """Which blocks are mirrored by some of the motions: those where reflections fit sequences of a good part of the energy."""
        found, told = self.blocks, []
        assert found is not None
        for part, size in zip(found.slices, found.sizes):
            y = z @ found.P[:, part]
            energy = y.square().sum((1, 2))
            told.append(size <= 2 and float(energy[_mirror_fits(y)].sum()) > MIRRORED * float(energy.sum()))
        return tuple(told)


def _mirror_fits(y: Float[Tensor, "n t d"]) -> Bool[Tensor, " n"]:
    """Whether a reflection takes the frames of a line or a plane to the next better than a rotation does."""
    before, after = y[:, :-1], y[:, 1:]
    if y.shape[-1] == 1:
        return (before * after).sum((1, 2)) < 0
    (a, b), (c, d) = before.unbind(-1), after.unbind(-1)
    turned = torch.complex((a * c + b * d).sum(1), (a * d - b * c).sum(1)).abs()
    mirrored = torch.complex((a * c - b * d).sum(1), (a * d + b * c).sum(1)).abs()
    return mirrored > (1 + 1e-6) * turned  # one pair of frames is served by both alike


def logarithm(M: Float[Tensor, "r r"]) -> tuple[Float[Tensor, "r r"], Float[Tensor, "r r"] | None]:
    """``A`` and ``F`` with ``M = F exp(A)``, for a motion of a compact group.

    ``F`` reverses one direction, and is ``None`` where nothing needs to be reversed: a pair of reversed directions is a half turn.

    Raises:
        ArgumentError: the motion is not that of a compact group.
    """
    found = block_diagonalize(M[None])
    A, F = torch.zeros_like(M), torch.eye(len(M), dtype=M.dtype)
    lines = []
    for part, size, block in zip(found.slices, found.sizes, found.blocks(M)):
        if size == 1 and float(block) < 0:
            lines.append(part.start)
        elif size == 2 and float(torch.linalg.det(block)) > 0:
            angle = torch.atan2(block[1, 0] - block[0, 1], block[0, 0] + block[1, 1])
            A[part, part] = angle * block.new_tensor([[0.0, -1.0], [1.0, 0.0]])
        elif size == 2:
            F[part, part] = orthogonalised(block)
    for i, j in zip(lines[::2], lines[1::2]):
        A[j, i], A[i, j] = torch.pi, -torch.pi
    if len(lines) % 2:
        F[lines[-1], lines[-1]] = -1.0
    P, inverse = found.P, torch.linalg.inv(found.P)
    whole = bool((torch.eye(len(M), dtype=M.dtype) == F).all())
    return P @ A @ inverse, None if whole else P @ F @ inverse


def orthogonalised(blocks: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch d d"]:
    """The orthogonal matrices nearest to given ones."""
    u, _, vh = torch.linalg.svd(blocks)
    return u @ vh


def _frames(x: Any, least: int = 2) -> Tensor:
    frames = _tensor(x)
    if frames.ndim != 3 or frames.shape[1] < least or not len(frames):
        raise ArgumentError("sequences", f"[N, T, n] with T >= {least}", f"shape {tuple(frames.shape)}")
    if not bool(torch.isfinite(frames).all()):
        raise ArgumentError("sequences", "finite numbers", "NaN or infinity")
    return frames


def _tensor(x: Any) -> Tensor:
    return torch.as_tensor(x).detach().to("cpu", torch.float64)


def _eps(x: Any) -> float:
    """The precision of the numbers that were given."""
    dtype = torch.as_tensor(x[:0]).dtype
    return float(torch.finfo(dtype).eps) if dtype.is_floating_point else 2.2e-16


def _like(given: Any, result: Tensor) -> Any:
    return result.numpy() if isinstance(given, np.ndarray) else result
