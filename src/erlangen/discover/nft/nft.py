"""`NFT`: an encoder and a decoder between which an unknown, nonlinear motion of the data is a matrix.

The latent of a datum is ``H = encode(x)``, ``[m, a]``: ``m`` rows (copies) on which the motion acts from the right,
``encode(g x) = encode(x) M(g)``. Block-diagonalised, the matrices are a Fourier transform that the data have chosen.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import optree
import torch
from jaxtyping import Bool, Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from erlangen.discover.nft.latent import Action, LatentAction
from erlangen.discover.nft.objective import SequenceObjective, ViewObjective, roll
from erlangen.discover.nft.poses import as_elements, poses_of
from erlangen.discover.nft.spectrum import Spectrum, name_frequencies, rep_of, spectrum_of, steady
from erlangen.errors import ArgumentError, unsupported
from erlangen.groups.base import Element, Group
from erlangen.reps import Rep
from erlangen.reps.block_diagonalize import BlockDecomposition, block_diagonalize
from erlangen.serialization import weights_bytes, write_bytes
from erlangen.training import History, TrainingConfig, train
from erlangen.training.modes import evaluating

#: Fitted sequences whose matrices are kept for :meth:`NFT.spectrum` and :meth:`NFT.block_diagonalize`.
KEPT = 1024
#: The largest part of sequences that is encoded at once outside of training.
CHUNK = 4096


class NFT(nn.Module):
    """A neural Fourier transform.

    * ``action="free"``: neither the group nor its elements are known; each sequence has one motion, solved by least squares (U-NFT).
    * a representation, and sequences alone: the motion is solved for within the group (G-NFT): SO(2), tori, SO(3), finite groups.
    * a representation, and the elements ``g``: (g-NFT) any group and representation.

    Args:
        encoder: takes ``[B, *item]`` to ``multiplicity * a`` numbers for each datum, in any shape.
        decoder: takes ``[B, multiplicity * a]`` back.
        action: ``"free"`` or a representation, for instance ``frequencies(range(9))``, ``degrees(range(4))``, or any other sum.
        multiplicity: ``m``, the number of rows.
        ridge: of the free solve; relative.

    Raises:
        ArgumentError: ``action`` is neither, or ``multiplicity`` is not positive.

    Attributes:
        history: of the last training; ``None`` before.

    Source: Koyama, Fukumizu, Hayashi & Miyato 2024, arXiv:2305.18484.

    >>> import erlangen as er
    >>> nft = NFT(nn.Flatten(), nn.Identity(), er.SO(3).vector, multiplicity=2)       # two points of space: already equivariant
    >>> x = torch.randn(4, 2, 3)
    >>> R = er.SO(3).sample(4)
    >>> bool(torch.allclose(nft.identify(x, er.SO(3).vector.act(R, x)), R, atol=1e-4))
    True
    """

    transitions: Tensor

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, action: Action = "free", *, multiplicity: int, ridge: float = 1e-6
    ) -> None:
        super().__init__()
        if not isinstance(multiplicity, int) or multiplicity < 1:
            raise ArgumentError("multiplicity", "a positive number of rows", repr(multiplicity))
        self.encoder, self.decoder, self.multiplicity = encoder, decoder, multiplicity
        self.latent = LatentAction(action, ridge)
        self.history: History | None = None
        self.register_buffer("transitions", torch.zeros(0, 0, 0), persistent=False)

    # ---- data and latents ----

    def encode(self, x: Any) -> Any:
        """Latents ``[B, m, a]`` of data ``[B, *item]``. NumPy in, NumPy out, as everywhere here.

        Raises:
            ArgumentError: the encoder's output is no multiple of ``m``, or not ``m * a`` numbers.
        """
        return _like(x, self._encode(self._data("x", x)))

    transform = encode  # scikit-learn's name for it

    def decode(self, latents: Any) -> Any:
        """Data ``[B, *item]`` of latents ``[B, m, a]``."""
        return _like(latents, self.decoder(self._data("latents", latents).flatten(1)))

    def forward(self, x: Tensor) -> Tensor:
        """Encode and decode."""
        return self.decoder(self._encode(x).flatten(1))

    def frames(self, x: Float[Tensor, "b t ..."]) -> Float[Tensor, "b t m a"]:
        """Latents of all frames of sequences."""
        return self._encode(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    def decode_frames(self, latents: Float[Tensor, "b t m a"]) -> Float[Tensor, "b t ..."]:
        """Sequences of latents."""
        return self.decoder(latents.flatten(0, 1).flatten(1)).unflatten(0, latents.shape[:2])

    # ---- training ----

    def fit(
        self,
        sequences: Any,
        g: Element | None = None,
        *,
        mask: Bool[Tensor, "b t"] | None = None,
        conditioning: int = 2,
        warmup: float = 0.3,
        orthogonal: float = 0.0,
        connected: float = 0.0,
        alignment: float = 0.0,
        config: TrainingConfig | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        quiet: bool = False,
    ) -> NFT:
        """Learn from sequences, or from views whose poses are known.

        Without ``g``, ``sequences`` are ``[B, T, *item]`` with one motion between all neighbours; the motion is solved from the first
        ``conditioning`` frames and the others are predicted. With ``g`` they are pairs or views ``[B, V, *item]``, each predicted from
        the pooled latents of all others.

        Args:
            sequences: the data.
            g: elements ``[B]`` that move each view to the next, or ``[B, V]``, the pose of each view; for SO(2), angles in radians do.
            mask: with ``g``: which views are there.
            conditioning: ``T_c``.
            warmup: the share of steps in which the conditioning frames must also be reconstructed; without it dead columns come early.
            orthogonal, connected: weights of the penalties for matrices that are not orthogonal, or without blocks in this basis.
            alignment: with ``g``: weight of the distance between a view's latent and that of the others, moved.
            config: by default 2500 steps of 128 sequences, learning rate 2e-3.
            checkpoint: a folder to resume from.
            quiet: no progress bar.

        Raises:
            ArgumentError: too few frames or rows, an encoder of another size, NaNs, elements of another number or shape.
        """
        x = self._data("sequences", sequences)
        if x.ndim < 2 or len(x) < 1:
            raise ArgumentError("sequences", "[B, T, *item]", f"shape {tuple(x.shape)}")
        if not bool(torch.isfinite(x).all()):
            raise ArgumentError("sequences", "finite numbers", "NaN or infinity")
        config = config or TrainingConfig(steps=2500, batch_size=128, lr=2e-3, weight_decay=0.0, warmup=500)
        objective: nn.Module
        data: list[Tensor]
        if g is None:
            if mask is not None:
                raise ArgumentError("mask", "None without g", "a mask", "missing frames need the poses of those that are there")
            self._check_frames(x, conditioning)
            objective = SequenceObjective(self, conditioning, round(warmup * config.steps), orthogonal, connected)
            data = [x]
        else:
            poses = poses_of(self.latent, g, (x.shape[0], x.shape[1]), x)
            seen = torch.ones(x.shape[:2], dtype=torch.bool) if mask is None else torch.as_tensor(mask)
            if tuple(seen.shape) != tuple(x.shape[:2]) or seen.dtype != torch.bool or not bool((seen.sum(1) > 1).any()):
                raise ArgumentError(
                    "mask", f"bool {tuple(x.shape[:2])} with two views of some datum", f"{tuple(seen.shape)} {seen.dtype}"
                )
            self._check_size(x[:, 0])
            leaves, tree = optree.tree_flatten(poses)
            objective, data = ViewObjective(self, tree, alignment), [x, seen, *leaves]
        self.history = train(
            objective,
            data,
            lambda model, *batch: model(*batch),
            config,
            checkpoint=None if checkpoint is None else os.fspath(checkpoint),
            description="neural Fourier transform",
            quiet=quiet,
        )
        with torch.no_grad():
            device = next(iter(self.parameters()), x).device
            some = x[: min(KEPT, len(x))].to(device)
            if g is None:
                self.transitions = self.latent.solve(self.frames(some[:, :conditioning]))
            else:
                first = self.latent.named.group.take(poses, (slice(KEPT), 0))
                second = self.latent.named.group.take(poses, (slice(KEPT), 1))
                step = self.latent.named.group.multiply(second, self.latent.named.group.inverse(first))
                self.transitions = self.latent.matrices(step, x).to(device)
        return self

    # ---- motion ----

    def transition(self, x0: Any, x1: Any) -> Any:
        """The matrices ``M`` ``[B, a, a]`` with ``encode(x1)`` nearest to ``encode(x0) M``."""
        return _like(x0, self.latent.solve(self._pair(x0, x1)))

    def identify(self, x0: Any, x1: Any) -> Element:
        """The group elements that take each ``x0`` to ``x1``.

        Raises:
            UnsupportedError: the action is free.
            ArgumentError: no solve is known for the group, or latent vectors along one line leave a rotation of space open.
        """
        found = self.latent.identify(self._pair(x0, x1))
        return optree.tree_map(lambda leaf: _like(x0, leaf), found)

    def predict(self, x: Any, steps: int = 1) -> Any:
        """The ``steps`` frames ``[B, steps, *item]`` that follow sequences ``[B, T, *item]`` of at least two frames."""
        frames = self._data("x", x)
        if frames.ndim < 2:
            raise ArgumentError("x", "sequences [B, T, *item]", f"shape {tuple(frames.shape)}")
        self._check_frames(frames, frames.shape[1], predicted=0)
        latents = self.frames(frames)
        return _like(x, self.decode_frames(roll(latents[:, -1], self.latent.solve(latents), steps)))

    def move(self, x: Any, g: Element) -> Any:
        """Data ``[B, *item]`` moved by known elements (for SO(2), angles in radians will do)."""
        latents = self._encode(self._data("x", x))
        M = self.latent.matrices(as_elements(self.latent, g, "g"), latents)
        return _like(x, self.decoder((latents @ M).flatten(1)))

    def view(self, views: Any, poses: Element, target: Element, mask: Bool[Tensor, "b v"] | None = None) -> Any:
        """The view ``[B, *item]`` from the pose ``target``, from any number of views ``[B, V, *item]`` with their poses; some may miss."""
        x = self._data("views", views)
        placed = poses_of(self.latent, poses, (x.shape[0], x.shape[1]), x, "poses")
        latents = self.frames(x)
        latents = latents @ self.latent.undo(self.latent.matrices(placed, latents))
        seen = torch.ones(x.shape[:2]) if mask is None else torch.as_tensor(mask)
        weight = seen.to(latents)[..., None, None]
        weight = weight / weight.sum(1, keepdim=True).clamp_min(1)
        M = self.latent.matrices(as_elements(self.latent, target, "target"), latents)
        return _like(views, self.decoder(((latents * weight).sum(1) @ M).flatten(1)))

    # ---- what was found ----

    def block_diagonalize(self, sequences: Any = None) -> BlockDecomposition:
        """The irreducible blocks of the motions of ``sequences`` (by default of some of those it was fitted to)."""
        return block_diagonalize(steady(self._motions(sequences)))

    def spectrum(self, angles: Any = None, sequences: Any = None, *, top: int = 32) -> Spectrum:
        """Which frequencies act on the latents.

        Args:
            angles: of the motions of ``sequences`` in radians; without them frequencies are found up to a common factor.
            sequences: by default the first 1024 of those it was fitted to.
            top: the highest frequency that is looked for.

        Raises:
            ArgumentError: not fitted, or angles of another number.
        """
        return spectrum_of(self._motions(sequences), angles, top)

    def amplitudes(self, x: Any, blocks: BlockDecomposition | None = None) -> Any:
        """Invariant features ``[B, m, blocks]``: the norm of each row's part in each block.

        Args:
            x: data.
            blocks: of a free action; by default :meth:`block_diagonalize` of the fitted sequences.
        """
        latents = self._encode(self._data("x", x))
        if self.latent.rep is not None:
            return _like(x, self.latent.amplitudes(latents))
        return _like(x, (blocks or self.block_diagonalize()).amplitudes(latents))

    @property
    def rep(self) -> Rep:
        """How the group acts on rows of latents: the stated representation; of a free action SO(2) with the frequencies found.

        ``rep.act(g, encode(x))`` is the latent of the moved datum; ``symmetrize(head, m * rep, ...)`` makes a head on flattened latents
        symmetric.

        Raises:
            UnsupportedError: the motions of a free action do not turn by multiples of one angle.
        """
        if self.latent.rep is not None:
            return self.latent.rep
        motions = steady(self._motions(None))
        found = block_diagonalize(motions)
        named = name_frequencies(found, motions)
        if named is None:
            unsupported("these motions", "whole frequencies of one angle", "look at block_diagonalize() and transition()")
        return rep_of(found, named)

    @property
    def group(self) -> Group:
        """The group of :attr:`rep`."""
        return self.rep.group

    # ---- files ----

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the weights and the kept motions as safetensors, in one step."""
        write_bytes(path, weights_bytes({**self.state_dict(), "transitions": self.transitions}))

    def load(self, path: str | os.PathLike[str]) -> NFT:
        """Read what :meth:`save` wrote into a transform of the same networks.

        Raises:
            ArgumentError: no such file, or tensors that are not this transform's.
        """
        try:
            tensors = load_file(path)
        except (SafetensorError, OSError) as error:
            raise ArgumentError("path", "a .safetensors file", f"{os.fspath(path)} ({error})") from None
        motions = tensors.pop("transitions", None)
        own = self.state_dict()
        if motions is None or set(own) != set(tensors) or any(own[n].shape != tensors[n].shape for n in own):
            raise ArgumentError("path", "the weights of a transform with these networks", os.fspath(path))
        self.load_state_dict(tensors)
        self.transitions = motions.to(next(iter(self.parameters()), motions).device)
        return self

    # ---- checks ----

    def _encode(self, x: Tensor) -> Tensor:
        flat = self.encoder(x).flatten(1)
        self._check_width(flat.shape[1])
        return flat.unflatten(1, (self.multiplicity, -1))

    def _check_width(self, width: int) -> None:
        rep = self.latent.rep
        expected = "a multiple of" if rep is None else "exactly"
        size = self.multiplicity if rep is None else self.multiplicity * rep.dim
        if width % size or (rep is not None and width != size):
            raise ArgumentError("encoder", f"{expected} {size} numbers for each datum (rows times columns)", width)

    def _check_size(self, x: Tensor) -> int:
        """The number of columns, having tried the networks on one datum."""
        device = next(iter(self.parameters()), x).device
        with torch.no_grad(), evaluating(self):
            latent = self._encode(x[:1].to(device, copy=True))
            back = self.decoder(latent.flatten(1))
        if back.shape != x[:1].shape:
            raise ArgumentError("decoder", f"data of shape {tuple(x.shape[1:])}", tuple(back.shape[1:]))
        return latent.shape[-1]

    def _check_frames(self, x: Tensor, conditioning: int, predicted: int = 1) -> None:
        if conditioning < 2:
            raise ArgumentError("conditioning", "at least 2 frames", repr(conditioning), "one frame shows no motion")
        if x.shape[1] < conditioning + predicted:
            raise ArgumentError("sequences", f"at least {conditioning + predicted} frames", x.shape[1])
        a = self._check_size(x[:, 0])
        if self.latent.kind == "free" and (conditioning - 1) * self.multiplicity < a:
            raise ArgumentError(
                "multiplicity", f"(conditioning - 1) * multiplicity >= {a} columns", (conditioning - 1) * self.multiplicity
            )
        vectors = sum(p.dim == 3 for p in self.latent.parts) * self.multiplicity
        if self.latent.kind == "space" and (conditioning - 1) * vectors < 2:
            raise ArgumentError(
                "multiplicity", "at least two vectors of space, as one leaves the turn about it open", repr(self.multiplicity)
            )
        if self.latent.kind == "given":
            raise ArgumentError(
                "g",
                f"the elements of {self.latent.named.group}",
                "none",
                "an unknown motion is solved for in SO(2), tori, SO(3), finite groups",
            )

    def _pair(self, x0: Any, x1: Any) -> Tensor:
        a, b = self._data("x0", x0), self._data("x1", x1)
        if a.shape != b.shape:
            raise ArgumentError("x1", f"shape {tuple(a.shape)} like x0", tuple(b.shape))
        return torch.stack([self._encode(a), self._encode(b)], 1)

    def _motions(self, sequences: Any) -> Tensor:
        if sequences is None:
            if not len(self.transitions):
                raise ArgumentError("sequences", "sequences, or a transform that was fitted", "neither")
            return self.transitions
        x = self._data("sequences", sequences)
        with torch.no_grad():
            return torch.cat([self.latent.solve(self.frames(part)) for part in x.split(CHUNK)])

    def _data(self, name: str, x: Any) -> Tensor:
        """As a tensor in the networks' dtype and place."""
        if not isinstance(x, Tensor | np.ndarray):
            raise ArgumentError(name, "a tensor or an array", type(x).__name__)
        tensor = torch.as_tensor(x)
        like = next(iter(self.parameters()), None)
        if like is None:
            return tensor if tensor.is_floating_point() else tensor.to(torch.get_default_dtype())
        return tensor.to(like.device, like.dtype)


def _like(given: Any, result: Tensor) -> Any:
    """A NumPy array where one was given."""
    return result.detach().cpu().numpy() if isinstance(given, np.ndarray) else result
