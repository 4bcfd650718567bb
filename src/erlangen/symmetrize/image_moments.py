"""`ImageMoments` and `LiftedPose`: frames of images that are moved by affine maps, from their ink or from a network over the group."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from erlangen.actions.base import Action
from erlangen.actions.image_moments import moment_pose, planar_linear_part
from erlangen.actions.images import Images
from erlangen.errors import ArgumentError
from erlangen.groups.haar import planar_rotation
from erlangen.symmetrize.frames import Frame, Weighted, for_network
from erlangen.symmetrize.outline import lacks
from erlangen.symmetrize.symmetrized import Batch

if TYPE_CHECKING:
    from erlangen.nn.lie_conv.network import LieConvNet


class ImageMoments(Frame):
    """Centre of mass and ``C^(1/2)`` of the ink's covariance, followed by equidistant rotations.

    Affine maps are translations, stretches and rotations. The first two, which are not compact, are taken off exactly (up to
    interpolation) by the moments; the rotations that remain are averaged over. With one angle they are left to the model.

    Images need an empty background: ink that enters at the border of the canvas has no moments.

    Args:
        size: deviation of the canonical ink in pixels; by default 0.23 of the canvas's side. Of SL(2) and SO(2) it is not used.
        angles: how many rotations.
        of: the image's name in a dict; by default the first.

    Raises:
        ArgumentError: when called, images without positive ink.

    >>> import erlangen as er
    >>> G = er.Affine(2)
    >>> frame = ImageMoments()
    >>> frame(er.actions.Images(G.point), torch.rand(8, 1, 20, 20)).elements.shape
    torch.Size([8, 8, 3, 3])
    """

    is_exact = False
    differentiable = True

    def __init__(self, size: float | None = None, angles: int = 8, of: str | None = None) -> None:
        super().__init__()
        if size is not None and not size > 0:
            raise ArgumentError("size", "a positive deviation in pixels, or None", repr(size))
        if isinstance(angles, bool) or not isinstance(angles, int) or angles < 1:
            raise ArgumentError("angles", "a positive number of angles", repr(angles))
        self.size, self.angles, self.of = size, angles, of

    def forward(self, inp: Action, x: Any) -> Weighted:
        image = next(part for name, action, part in Batch(inp, x).named if self._is_image(name, action))
        pose = moment_pose(image, inp.group, self.size or SHARE * image.shape[-1])
        turns = planar_rotation(2 * math.pi * torch.arange(self.angles, dtype=pose.dtype, device=pose.device) / self.angles)
        if inp.group.translates:
            turns = inp.group.element(turns)  # type: ignore[attr-defined]
        return Weighted(pose.unsqueeze(1) @ turns)

    def refuse(self, inp: Action) -> str:
        try:
            planar_linear_part(inp.group)
        except ArgumentError as error:
            return f"{error.got} is none of {error.expected}"
        return lacks(inp, self.of, self._is_image, "is images in the plane")

    def _is_image(self, name: str | None, action: Any) -> bool:
        return self.of in (None, name) and isinstance(action, Images) and action.space.dim == 2


class LiftedPose(Frame):
    """The one pose of an image that a Lie-group network is surest of: learned canonicalization under affine maps.

    Among the network's poses of the image (its moments or its centre, followed by its samples) it is the one of the largest score, over all
    classes. They move along with the image, as far as samples and interpolation go, whatever the weights; trained as a classifier
    before, the network brings images to the pose that it knows best.

    Args:
        network: an :class:`erlangen.nn.LieConvNet`.
        of: the image's name in a dict; by default the first part that moves as the network's images do.

    Raises:
        ArgumentError: another network.

    Source: the canonical form of a lifting network, as in Kaba et al., arXiv:2211.06489, for affine groups.

    >>> import erlangen as er
    >>> G = er.Affine(2)
    >>> frame = LiftedPose(er.nn.LieConvNet(G, channels=(4, 8)))
    >>> frame(er.actions.Images(G.point), torch.rand(8, 1, 20, 20)).elements.shape
    torch.Size([8, 1, 3, 3])
    """

    is_exact = False

    def __init__(self, network: LieConvNet, of: str | None = None) -> None:
        super().__init__()
        from erlangen.nn.lie_conv.network import LieConvNet

        if not isinstance(network, LieConvNet):
            raise ArgumentError("network", "an erlangen.nn.LieConvNet", type(network).__name__, "Lift takes an erlangen.nn.Lifting")
        self.network, self.of = network, of

    def forward(self, inp: Action, x: Any) -> Weighted:
        part = next(part for name, action, part in Batch(inp, x).named if self._is_image(name, action))
        image = for_network(self.network, part)
        best = self.network.scores(image).amax(-1).argmax(-1)
        elements = self.network.poses(image)
        return Weighted(elements[torch.arange(len(best), device=best.device), best].unsqueeze(1))

    def refuse(self, inp: Action) -> str:
        return lacks(inp, self.of, self._is_image, f"moves as the network's {self.network.acting()[0]!r}")

    def _is_image(self, name: str | None, action: Any) -> bool:
        own = self.network.acting()[0]
        return self.of in (None, name) and isinstance(action, Images) and action.group == own.group and action.space.dim == 2


#: The canonical deviation in parts of the canvas's side: ink of a disc then reaches 0.46 of it.
SHARE = 0.23
