"""Features without training: whitened patches of the data as filters, and what a finite group makes of any features.

They are the companions to learned features. A linear probe on them is the whole method, closed form but for the probe.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError, unsupported


class PatchFeatures(nn.Module):
    """One layer of filters that are patches of the data themselves, whitened; responses of both signs, averaged over a grid of regions.

    Each patch is centred and scaled to unit contrast, whitened by the patches' covariance, and compared with the filters; what exceeds
    ``threshold`` counts.

    Args:
        x: images ``[n, channels, height, width]`` to take patches from.
        filters: how many.
        patch: their side.
        grid: regions along each side.
        threshold: in deviations of the responses.
        circular: whether images go on beyond their border periodically.
        seed: of the choice of patches.

    Source: Coates, Ng & Lee 2011, "An analysis of single-layer networks in unsupervised feature learning", AISTATS.

    >>> images = torch.rand(50, 1, 12, 12)
    >>> PatchFeatures(images, filters=8, patch=4)(images).shape
    torch.Size([50, 64])
    """

    filters: Tensor
    offset: Tensor
    floor: Tensor

    def __init__(
        self,
        x: Float[Tensor, "n c h w"],
        filters: int = 128,
        patch: int = 6,
        grid: int = 2,
        *,
        threshold: float = 0.5,
        circular: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if x.ndim != 4 or not 1 <= patch <= min(x.shape[-2:]):
            raise ArgumentError("patch", f"a side from 1 to that of images [n, c, h, w], {tuple(x.shape)}", repr(patch))
        self.patch, self.grid, self.threshold, self.circular = patch, grid, threshold, circular
        generator = torch.Generator().manual_seed(seed)
        # What a patch without contrast is divided by.
        self.register_buffer("floor", 0.01 * x.var())
        pieces = self._patches(x[torch.randperm(len(x), generator=generator)[:500]].double()).flatten(0, 1)
        pieces = pieces[torch.randperm(len(pieces), generator=generator)[: 100 * max(filters, pieces.shape[1])]]
        centre = pieces.mean(0)
        value, vector = torch.linalg.eigh((pieces - centre).mT @ (pieces - centre) / len(pieces))
        # Directions that patches hardly have are noise: they are not blown up.
        whiten = vector @ ((value.clamp_min(0) + 0.1 * value.mean()).rsqrt().unsqueeze(1) * vector.mT)
        chosen = (pieces[:filters] - centre) @ whiten
        chosen = whiten @ F.normalize(chosen, dim=1).mT
        response = (pieces - centre) @ chosen
        scale = response.std()
        self.register_buffer("filters", (chosen / scale).to(x.dtype))
        self.register_buffer("offset", (centre @ chosen / scale).to(x.dtype))

    def _patches(self, x: Tensor) -> Float[Tensor, "n places size"]:
        if self.circular:
            x = F.pad(x, (0, self.patch - 1, 0, self.patch - 1), mode="circular")
        pieces = F.unfold(x, self.patch).mT
        pieces = pieces - pieces.mean(-1, keepdim=True)
        return pieces / (pieces.square().mean(-1, keepdim=True) + self.floor).sqrt()

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        response = self._patches(x) @ self.filters - self.offset
        height, width = (n if self.circular else n - self.patch + 1 for n in x.shape[-2:])
        both = torch.cat([F.relu(response - self.threshold), F.relu(-response - self.threshold)], -1)
        return F.adaptive_avg_pool2d(both.mT.unflatten(-1, (height, width)), self.grid).flatten(1)


class OrbitFeatures(nn.Module):
    """What a finite group makes of features: their average over the orbit, which is invariant, or all of them side by side.

    The average sees nothing that the group moves. Side by side, the moved copies are permuted by the group (the regular representation,
    which holds every irreducible part), so a linear map behind them can use or drop what it likes.

    Args:
        encoder: makes features ``[batch, d]``.
        action: of a finite group, on the samples.
        average: ``True`` for ``[batch, d]``, ``False`` for ``[batch, order * d]``.

    >>> from erlangen.discover.essl.transforms import turns
    >>> from erlangen.groups import Cyclic
    >>> average, images = OrbitFeatures(nn.Flatten(), turns(Cyclic(4))), torch.rand(3, 1, 4, 4)
    >>> bool(torch.allclose(average(images), average(images.rot90(1, (2, 3)))))
    True
    """

    def __init__(self, encoder: nn.Module, action: Action, *, average: bool = True) -> None:
        super().__init__()
        if not action.group.is_finite:
            unsupported(action.group, "finite orbit to average over", "use a finite subgroup")
        self.encoder, self.action, self.average = encoder, action, average

    def forward(self, x: Tensor) -> Float[Tensor, "batch d"]:
        group = self.action.group
        every = group.map(lambda leaf, shape: leaf.unsqueeze(1).to(x.device), group.elements())
        moved = self.action.act(every, x.unsqueeze(0))
        features = self.encoder(moved.flatten(0, 1)).unflatten(0, moved.shape[:2])
        return features.mean(0) if self.average else features.movedim(0, 1).flatten(1)
