"""`LinearNFT`: the closed form for motions that are linear in the data themselves: principal directions, then least squares."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.discover.nft.invariants import blocks_of_pairs
from erlangen.discover.nft.objective import roll
from erlangen.discover.nft.on_span import OnSpan
from erlangen.discover.nft.solves import plane_matrices, solve_planes, solve_transition
from erlangen.discover.nft.spectrum import Spectrum, name_frequencies, rep_of, spectrum_of, steady
from erlangen.errors import ArgumentError, unsupported
from erlangen.linalg import cut
from erlangen.reps import Rep
from erlangen.reps.block_diagonalize import BlockDecomposition, block_diagonalize


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
        transitions: ``[L, rank, rank]``, one for each label, or each sequence where that can be.

    Source: P. J. Schmid, J. Fluid Mech. 656 (2010), for one shared motion.

    >>> turn = torch.linalg.matrix_exp(torch.tensor([[0.0, -0.3], [0.3, 0.0]]))
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
            raise ArgumentError("rank", "at least 1", rank)
        self.rank, self.motions = rank, motions

    def fit(self, sequences: Any, labels: Int[Tensor, " n"] | None = None) -> LinearNFT:
        """Find the directions and the motions of ``[N, T, n]`` sequences.

        Args:
            sequences: one motion between all neighbours of a sequence.
            labels: with shared motions, which sequences share theirs.

        Raises:
            ArgumentError: not ``[N, T, n]`` with ``T >= 2``, NaNs, a rank above ``n``, or too few frames for it.
        """
        x = _frames(sequences)
        _, values, vh = torch.linalg.svd(x.flatten(0, 1), full_matrices=False)
        rank = self.rank or cut(values, shape=tuple(x.flatten(0, 1).shape), eps=_eps(sequences)).rank  # type: ignore[arg-type]
        if rank > min(x.shape[-1], len(values)) or rank < 1:
            raise ArgumentError("rank", f"a number of directions from 1 to {min(x.shape[-1], len(values))}", rank)
        self.basis = vh[:rank].mT
        self.scale = values[:rank] / x.flatten(0, 1).shape[0] ** 0.5
        self.blocks = None
        z = self._encode(x)
        count, frames = z.shape[:2]
        if self.motions == "shared":
            group = torch.zeros(count, dtype=torch.int64) if labels is None else torch.as_tensor(labels).cpu()
            if tuple(group.shape) != (count,):
                raise ArgumentError("labels", f"{count} labels, one for each sequence", f"shape {tuple(group.shape)}")
            self.transitions = torch.stack([_shared(z[group == label], rank) for label in group.unique(sorted=True)])
        elif frames - 1 >= rank:
            self.transitions = solve_transition(z.unsqueeze(2))
            self.blocks = block_diagonalize(steady(self.transitions))
        else:
            self.blocks = blocks_of_pairs(z[:, :-1].flatten(0, 1), z[:, 1:].flatten(0, 1))
            self.transitions = self._structured(z)
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

        Raises:
            ArgumentError: fewer than ``rank + 1`` frames, and no planes known in which each moves.
        """
        return _like(sequences, self._transition(self._encode(_frames(sequences))))

    def predict(self, sequences: Any, steps: int = 1, label: int = 0) -> Any:
        """The frames ``[N, steps, n]`` that follow: by the shared motion of ``label``, or by that of each sequence."""
        z = self._encode(_frames(sequences, least=1 if self.motions == "shared" else 2))
        M = self.transitions[label].expand(len(z), -1, -1) if self.motions == "shared" else self._transition(z)
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
        inner = rep_of(found, named)
        # rep_of acts on rows z = x basis / scale in the basis of its own planes: go there and back at once.
        inward = inner.basis @ (self.basis / self.scale).mT
        return OnSpan(inner.rep, inward, self.basis * self.scale @ inner.inverse)

    def generator(self, label: int = 0) -> Float[Tensor, "n n"]:
        """The Lie algebra element ``A`` of one motion on the data, ``g = exp(A)`` for columns; it does nothing across the span.

        Raises:
            ArgumentError: the motion is not that of a compact group.
        """
        found = block_diagonalize(self.transitions[label : label + 1])
        pieces = []
        for size, block in zip(found.sizes, found.blocks(self.transitions[label])):
            angle = torch.atan2(block[1, 0] - block[0, 1], block[0, 0] + block[1, 1]) if size == 2 else block.new_zeros(())
            pieces.append(angle * block.new_tensor([[0.0, -1.0], [1.0, 0.0]]) if size == 2 else block.new_zeros(size, size))
        rows = found.P @ torch.block_diag(*pieces) @ torch.linalg.inv(found.P)
        return (self.basis / self.scale @ rows @ (self.basis * self.scale).mT).mT

    def _encode(self, x: Tensor) -> Tensor:
        if x.shape[-1] != self.basis.shape[0]:
            raise ArgumentError("x", f"{self.basis.shape[0]} numbers on the last axis", x.shape[-1])
        return x @ self.basis / self.scale

    def _decode(self, z: Tensor) -> Tensor:
        return z * self.scale @ self.basis.mT

    def _transition(self, z: Tensor) -> Tensor:
        if self.blocks is not None and max(self.blocks.sizes) <= 2:
            return self._structured(z)
        rank = self.basis.shape[1]
        if z.shape[1] - 1 < rank:
            raise ArgumentError(
                "sequences",
                f"at least {rank + 1} frames, or motions within planes of all",
                z.shape[1],
                "fit with motions='each', or state a smaller rank",
            )
        return solve_transition(z.unsqueeze(2))

    def _structured(self, z: Float[Tensor, "n t r"]) -> Float[Tensor, "n r r"]:
        """Each sequence's motion within the planes that all share."""
        found = self.blocks
        assert found is not None
        P = found.P
        y = (z @ P).unsqueeze(2)
        M = torch.eye(P.shape[0], dtype=P.dtype).repeat(len(z), 1, 1)
        for part, size in zip(found.slices, found.sizes):
            if size == 2:
                M[:, part, part] = plane_matrices(solve_planes(y[..., part])[:, 0])
        return P @ M @ torch.linalg.inv(P)


def _shared(z: Float[Tensor, "n t r"], rank: int) -> Float[Tensor, "r r"]:
    rows = z.shape[0] * (z.shape[1] - 1)
    if rows < rank:
        raise ArgumentError("labels", f"at least {rank} transitions of each label for rank {rank}", rows)
    return solve_transition(z.transpose(0, 1))


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
