"""What the transform is trained on: prediction of frames from frames, and of views from views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import optree
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

if TYPE_CHECKING:
    from erlangen.discover.nft.nft import NFT


def squared(x: Tensor, y: Tensor) -> Float[Tensor, ""]:
    """The mean over samples of the sum of squared differences."""
    return (x - y).square().flatten(1).sum(1).mean()


def orthogonality(matrices: Float[Tensor, "*batch a a"]) -> Float[Tensor, ""]:
    """``|1 - M M^T|^2``, the mean over a batch.

    >>> float(orthogonality(2 * torch.eye(3)))
    27.0
    """
    eye = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    return (eye - matrices @ matrices.mT).square().sum((-2, -1)).mean()


def connectedness(matrices: Float[Tensor, "n a a"]) -> Float[Tensor, ""]:
    """How far matrices are from blocks in the present basis: the trace norm of the normalised Laplacian of ``|M|^T |M|``.

    With coordinates as nodes, it is the sum of the Laplacian's eigenvalues, which is smaller the more blocks there are.

    Source: Miyato, Koyama & Fukumizu 2022, section 4.

    >>> float(connectedness(torch.eye(3)[None])) < float(connectedness(torch.ones(1, 3, 3)))
    True
    """
    weights = matrices.abs().mT @ matrices.abs()
    root = weights.sum(-1).clamp_min(1e-12).rsqrt()
    eye = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    laplacian = eye - root.unsqueeze(-1) * weights * root.unsqueeze(-2)
    return torch.linalg.svdvals(laplacian).sum(-1).mean()


class SequenceObjective(nn.Module):
    """Frames after the first ``conditioning`` predicted from these; and in a warm-up, those reconstructed.

    The number of steps so far is a buffer, so a checkpoint resumes in the right place.

    Args:
        nft: what is trained.
        conditioning: frames that the motion is solved from.
        warmup: steps in which the reconstruction counts.
        orthogonal, connected: weights of :func:`orthogonality` and :func:`connectedness`.
    """

    steps: Tensor

    def __init__(self, nft: NFT, conditioning: int, warmup: int, orthogonal: float, connected: float) -> None:
        super().__init__()
        self.nft, self.conditioning, self.warmup = nft, conditioning, warmup
        self.orthogonal, self.connected = orthogonal, connected
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Float[Tensor, "b t ..."]) -> Float[Tensor, ""]:
        seen, nft = self.conditioning, self.nft
        latents = nft.frames(x[:, :seen])
        M = nft.latent.solve(latents)
        loss = squared(nft.decode_frames(roll(latents[:, -1], M, x.shape[1] - seen)), x[:, seen:])
        if int(self.steps) < self.warmup:
            loss = loss + squared(nft.decode_frames(latents), x[:, :seen])
        if self.orthogonal:
            loss = loss + self.orthogonal * orthogonality(M)
        if self.connected:
            loss = loss + self.connected * connectedness(M)
        if self.training:
            self.steps += 1
        return loss


class ViewObjective(nn.Module):
    """Each view predicted from all others, whose latents are pooled in the common pose.

    Args:
        nft: what is trained.
        element: how an element of the group is made of tensors, the poses ``leaves`` of the views.
        alignment: weight of the squared distance of a view's latent from that of the others, moved to it.
    """

    def __init__(self, nft: NFT, element: Any, alignment: float) -> None:
        super().__init__()
        self.nft, self.element, self.alignment = nft, element, alignment

    def forward(self, x: Float[Tensor, "b v ..."], seen: Bool[Tensor, "b v"], *leaves: Tensor) -> Float[Tensor, ""]:
        nft = self.nft
        latents = nft.frames(x)
        matrices = nft.latent.matrices(optree.tree_unflatten(self.element, leaves), latents)
        others = pooled_without(latents @ nft.latent.undo(matrices), seen) @ matrices
        usable = seen & (seen.sum(1, keepdim=True) > 1)
        told = (nft.decode_frames(others) - x).square().flatten(2).sum(2)
        loss = (told * usable).sum() / usable.sum().clamp_min(1)
        if self.alignment:
            apart = (latents - others).square().sum((2, 3))
            loss = loss + self.alignment * (apart * usable).sum() / usable.sum().clamp_min(1)
        return loss


def roll(latent: Float[Tensor, "b m a"], M: Float[Tensor, "b a a"], steps: int) -> Float[Tensor, "b steps m a"]:
    """``H M, H M^2, ...``."""
    moved = []
    for _ in range(steps):
        latent = latent @ M
        moved.append(latent)
    return torch.stack(moved, 1)


def pooled_without(latents: Float[Tensor, "b v m a"], seen: Bool[Tensor, "b v"]) -> Float[Tensor, "b v m a"]:
    """For each view the mean of all others that are there."""
    weight = seen.to(latents)[..., None, None]
    total, count = (latents * weight).sum(1, keepdim=True), weight.sum(1, keepdim=True)
    return (total - latents * weight) / (count - weight).clamp_min(1)
