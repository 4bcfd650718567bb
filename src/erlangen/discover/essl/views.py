"""Random views of a batch of images: tensor operations for the whole batch, on its device, each image with its own random numbers.

A view is a function ``view(x, generator=None)``. Images are ``[batch, channels, height, width]`` with values from 0 to 1. Without a
generator random numbers come from torch's global one of the images' device, as for dropout; a generator's device decides where they
are drawn.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from erlangen.actions.base import Action
from erlangen.discover.essl.transforms import mirrors
from erlangen.errors import ArgumentError

#: What red, green and blue weigh in a grey value (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)


class View(ABC):
    """A random transformation of a batch. A subclass implements :meth:`__call__`; ``actions`` are the group actions it draws from."""

    actions: tuple[Action, ...] = ()

    @abstractmethod
    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Each sample of ``x`` ``[batch, ...]`` transformed by random numbers of its own."""


class Views(View):
    """One view after the other.

    >>> Views(Crop(14), Mirror())(torch.rand(8, 1, 28, 28)).shape
    torch.Size([8, 1, 14, 14])
    """

    def __init__(self, *views: View) -> None:
        self.views = views
        self.actions = tuple(action for view in views for action in view.actions)

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        for view in self.views:
            x = view(x, generator)
        return x

    def __repr__(self) -> str:
        return f"Views({', '.join(map(repr, self.views))})"


@dataclass(frozen=True)
class Crop(View):
    """A random part of the image, resampled bilinearly.

    Attributes:
        size: the side of what comes out: pixels, or (below or equal to 1.0, as a float) a share of the image's shorter side.
        scale: smallest and largest area of the part, of the image's.
        ratio: smallest and largest width over height; its logarithm is uniform. A part longer than the image is cut to it.

    >>> Crop(0.5, scale=(0.2, 1.0))(torch.rand(8, 3, 32, 32)).shape
    torch.Size([8, 3, 16, 16])
    """

    size: int | float = 1.0
    scale: tuple[float, float] = (0.2, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        if not self.size > 0 or (isinstance(self.size, float) and self.size > 1):
            raise ArgumentError("size", "a number of pixels (int) or a share of the side in (0, 1] (float)", repr(self.size))
        for name, (low, high), largest in (("scale", self.scale, 1.0), ("ratio", self.ratio, math.inf)):
            if not 0 < low <= high <= largest:
                raise ArgumentError(name, "two increasing positive numbers" + (" up to 1" if name == "scale" else ""), (low, high))

    def side(self, x: Tensor) -> int:
        """The side of what comes out of ``x``."""
        return self.size if isinstance(self.size, int) else max(1, round(self.size * min(x.shape[-2:])))

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        u = _uniform(x, 4, generator)
        area = self.scale[0] + (self.scale[1] - self.scale[0]) * u[0]
        low, high = (math.log(r) for r in self.ratio)
        aspect = torch.exp((low + (high - low) * u[1]) / 2)
        height, width = x.shape[-2:]
        # Half-lengths of the part in units where the image is [-1, 1]; the aspect is of pixels, not of these units.
        square = math.sqrt(height / width)
        w, h = (area.sqrt() * aspect * square).clamp(max=1), (area.sqrt() / aspect / square).clamp(max=1)
        zero = torch.zeros_like(w)
        theta = torch.stack([w, zero, (2 * u[2] - 1) * (1 - w), zero, h, (2 * u[3] - 1) * (1 - h)], 1).view(-1, 2, 3)
        side = self.side(x)
        grid = F.affine_grid(theta, [len(x), x.shape[1], side, side], align_corners=False)
        return _laid_out(F.grid_sample(x, grid, padding_mode="border", align_corners=False), x)


@dataclass(frozen=True)
class Mirror(View):
    """Left and right exchanged, with probability ``p``.

    >>> Mirror(p=1.0)(torch.tensor([[[[1.0, 2.0]]]]))
    tensor([[[[2., 1.]]]])
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        _check_probability(self.p)

    @property
    def actions(self) -> tuple[Action, ...]:  # type: ignore[override]
        return (mirrors(),)

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return torch.where(_chosen(x, self.p, generator), x.flip(-1), x)


@dataclass(frozen=True)
class Jitter(View):
    """Brightness, contrast, saturation and hue changed at random, in this order, with probability ``p``.

    Attributes:
        brightness, contrast, saturation: largest relative change; factors are uniform. Contrast is about the image's mean grey value.
        hue: largest change, in turns of the colour circle, as a rotation of the plane of the two colour differences (YIQ).
        p: probability that an image is changed at all.

    Saturation and hue leave images that do not have three channels alone. Values are clipped to ``[0, 1]``, of images that go beyond (as
    standardised ones do) to the image's own range.

    >>> Jitter(0.4, 0.4, 0.4, 0.1)(torch.rand(8, 3, 32, 32)).shape
    torch.Size([8, 3, 32, 32])
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.0
    hue: float = 0.0
    p: float = 0.8

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) <= 1:
                raise ArgumentError(name, "a largest relative change from 0 to 1", getattr(self, name))
        if not 0 <= self.hue <= 0.5:
            raise ArgumentError("hue", "a largest change from 0 to 0.5 turns", repr(self.hue))
        _check_probability(self.p)

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        u = 2 * _uniform(x, 4, generator) - 1
        chosen = _chosen(x, self.p, generator)
        brightness, contrast, saturation = (
            1 + strength * part.view(-1, 1, 1, 1) for strength, part in zip((self.brightness, self.contrast, self.saturation), u)
        )
        y = x * brightness
        y = torch.lerp(_grey(y).mean((-2, -1), keepdim=True), y, contrast)
        if x.shape[1] == 3:
            y = torch.lerp(_grey(y), y, saturation)
            if self.hue:
                y = torch.einsum("bij,bjhw->bihw", _hue_rotation(2 * math.pi * self.hue * u[3]), y)
        # Images that were standardised have no black and white to clip at but their own.
        low, high = x.amin((1, 2, 3), keepdim=True).clamp(max=0), x.amax((1, 2, 3), keepdim=True).clamp(min=1)
        return _laid_out(torch.where(chosen, y.clamp(low, high), x), x)


@dataclass(frozen=True)
class Grey(View):
    """All channels replaced by the grey value, with probability ``p``; images without three channels are left alone."""

    p: float = 0.2

    def __post_init__(self) -> None:
        _check_probability(self.p)

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return x if x.shape[1] != 3 else torch.where(_chosen(x, self.p, generator), _grey(x), x)


@dataclass(frozen=True)
class Noise(View):
    """Gaussian noise of this standard deviation on every value."""

    deviation: float = 0.1

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        device = x.device if generator is None else generator.device
        return x + self.deviation * torch.randn(x.shape, generator=generator, device=device, dtype=x.dtype).to(x.device)


class Moved(View):
    """Each sample moved by a random element of a group: how any action of the library becomes an augmentation.

    Args:
        action: how the group acts on a sample; elements are drawn by ``group.sample`` (uniformly, for a compact group).
        p: probability that a sample is moved at all.

    >>> from erlangen.actions import Images
    >>> from erlangen.groups import Cyclic
    >>> Moved(Images(Cyclic(4).irrep(1)))(torch.rand(8, 1, 28, 28)).shape
    torch.Size([8, 1, 28, 28])
    """

    def __init__(self, action: Action, p: float = 1.0) -> None:
        _check_probability(p)
        if not isinstance(action, Action):
            raise ArgumentError("action", "an action of a group", type(action).__name__)
        self.action, self.p, self.actions = action, p, (action,)

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        g = self.action.group.sample(len(x), generator=generator, dtype=x.dtype if x.is_floating_point() else None)
        moved = self.action.act(self.action.group.map(lambda leaf, shape: leaf.to(x.device), g), x)
        return _laid_out(moved if self.p == 1 else torch.where(_chosen(x, self.p, generator), moved, x), x)

    def __repr__(self) -> str:
        return f"Moved({self.action!r})"


def image_view(size: int | float = 1.0, scale: tuple[float, float] = (0.2, 1.0), *, mirror: bool = True) -> Views:
    """The usual view of small images: crop, mirror, colour jitter, grey.

    Source: the CIFAR recipe of Dangovski et al. 2022, arXiv:2111.00899.

    >>> image_view(16)(torch.rand(4, 3, 32, 32)).shape
    torch.Size([4, 3, 16, 16])
    """
    return Views(Crop(size, scale), *([Mirror()] if mirror else []), Jitter(0.4, 0.4, 0.4, 0.1), Grey())


def _laid_out(y: Tensor, x: Tensor) -> Tensor:
    """``y`` in memory as ``x`` is: ``channels_last`` images stay so, for the networks that are fast on them."""
    last = x.ndim == 4 and y.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return y.contiguous(memory_format=torch.channels_last) if last else y


def _uniform(x: Tensor, count: int, generator: torch.Generator | None) -> Float[Tensor, "count batch"]:
    device = x.device if generator is None else generator.device
    return torch.rand(count, len(x), generator=generator, device=device, dtype=x.dtype).to(x.device)


def _chosen(x: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
    return (_uniform(x, 1, generator) < p).view(-1, *(1,) * (x.ndim - 1))


def _grey(x: Tensor) -> Tensor:
    if x.shape[1] != 3:
        return x
    return (x * torch.tensor(LUMA, dtype=x.dtype, device=x.device).view(3, 1, 1)).sum(1, keepdim=True)


def _hue_rotation(angle: Float[Tensor, " batch"]) -> Float[Tensor, "batch 3 3"]:
    """RGB -> YIQ, a rotation of I and Q, and back."""
    yiq = torch.tensor([LUMA, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)], dtype=torch.float64)
    to, back = yiq.to(angle), torch.linalg.inv(yiq).to(angle)
    turn = torch.eye(3, dtype=angle.dtype, device=angle.device).repeat(len(angle), 1, 1)
    turn[:, 1, 1], turn[:, 1, 2], turn[:, 2, 1], turn[:, 2, 2] = angle.cos(), -angle.sin(), angle.sin(), angle.cos()
    return back @ turn @ to


def _check_probability(p: float) -> None:
    if not 0 <= p <= 1:
        raise ArgumentError("p", "a probability", repr(p))
