"""Attributions by taking something away: feature ablation, occlusion by windows that may wrap around."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.measure.explain.explainers import Needs
from erlangen.measure.explain.gradients import Attributor, Explained, baseline_for


class Masked(Attributor):
    """Each mask's entries are replaced by the baseline; the change of the output is shared out to the entries of the mask.

    A subclass says which masks. An entry's attribution is the mean over the masks that contain it, as in captum's occlusion, or the
    plain change where each entry is in one mask.

    Args:
        model, inp: as for :class:`~erlangen.measure.explain.gradients.Attributor`.
        baseline: a number, or a tensor of a datum's shape.
        rows: perturbed data in one batch.
    """

    def __init__(self, model: Callable[..., Any], baseline: float | Tensor = 0.0, rows: int = 256, *, inp: Any = None) -> None:
        super().__init__(model, inp)
        self.baseline, self.rows = baseline, rows

    def masks(self, shape: tuple[int, ...]) -> Tensor:
        """The masks of a datum of this shape, bool ``[masks, *shape]``."""
        raise NotImplementedError

    def needs(self, x: Any) -> Needs:
        masks = self.masks(tuple(x.shape[1:])) if isinstance(x, Tensor) else None
        return Needs("permutation", baseline=self.baseline, masks=masks)

    def attribute_leaves(self, value: Explained, leaves: list[Tensor]) -> list[Tensor]:
        with torch.no_grad():
            whole = value(leaves)
            return [self._leaf(value, leaves, i, whole) for i in range(len(leaves))]

    def _leaf(self, value: Explained, leaves: list[Tensor], which: int, whole: Tensor) -> Tensor:
        x = leaves[which]
        size, base = len(x), baseline_for(self.baseline, x)
        total, count = torch.zeros_like(x), torch.zeros(x.shape[1:], dtype=x.dtype, device=x.device)
        for some in self._batches(tuple(x.shape[1:]), size, x.device):
            k = len(some)
            perturbed = torch.where(some, base, x.unsqueeze(1)).flatten(0, 1)
            others = [perturbed if i == which else leaf.repeat_interleave(k, 0) for i, leaf in enumerate(leaves)]
            change = whole.unsqueeze(1) - value(others, rows=torch.arange(size).repeat_interleave(k)).view(size, k)
            total += torch.einsum("bk,k...->b...", change.to(x), some.to(x.dtype))
            count += some.sum(0)
        return total / count.clamp_min(1)

    def _batches(self, shape: tuple[int, ...], size: int, device: torch.device) -> Iterator[Tensor]:
        yield from self.masks(shape).to(device).split(max(1, self.rows // max(1, size)))


class FeatureAblation(Masked):
    """The change of the output when an entry is replaced by the baseline: masks of size one, or groups of entries.

    Args:
        model, baseline, rows, inp: as for :class:`Masked`.
        groups: which group each entry is in, integers of a datum's shape; by default each entry is its own.

    >>> FeatureAblation(lambda x: (x * x.roll(1, -1)).sum(1))(torch.tensor([[1.0, 2.0, 3.0, -1.0, 0.5]]))
    tensor([[ 2.5000,  8.0000,  3.0000, -3.5000,  0.0000]])
    """

    name = "Feature Ablation"

    def __init__(
        self,
        model: Callable[..., Any],
        baseline: float | Tensor = 0.0,
        groups: Tensor | None = None,
        rows: int = 256,
        *,
        inp: Any = None,
    ) -> None:
        super().__init__(model, baseline, rows, inp=inp)
        self.groups = groups

    def needs(self, x: Any) -> Needs:
        # Single entries are mapped to single entries by every permutation.
        return super().needs(x) if self.groups is not None else Needs("permutation", baseline=self.baseline)

    def masks(self, shape: tuple[int, ...]) -> Tensor:
        if self.groups is None:
            entries = torch.Size(shape).numel()
            return torch.eye(entries, dtype=torch.bool).view(entries, *shape)
        if tuple(self.groups.shape) != shape:
            raise ArgumentError("groups", f"integers of a datum's shape {shape}", tuple(self.groups.shape))
        return torch.stack([self.groups == label for label in self.groups.unique()])


class Occlusion(Masked):
    """A window slides over the last axes; an entry's attribution is the mean change over the windows that cover it.

    Args:
        model, baseline, rows, inp: as for :class:`Masked`.
        window: its lengths along the datum's last axes; axes before those are covered whole.
        wrap: windows go on at the other end, so that every shift of a window is a window; without it (captum's way) entries near the
            ends are covered by fewer, and the attribution does not move along with shifts.

    Source: Zeiler & Fergus 2014, arXiv:1311.2901.

    >>> ring = lambda x: (x * x.roll(1, -1)).sum(1)
    >>> Occlusion(ring, (2,), wrap=True).masks((3,)).int()
    tensor([[1, 1, 0],
            [0, 1, 1],
            [1, 0, 1]], dtype=torch.int32)
    """

    name = "Occlusion"

    def __init__(
        self,
        model: Callable[..., Any],
        window: tuple[int, ...],
        wrap: bool = False,
        baseline: float | Tensor = 0.0,
        rows: int = 256,
        *,
        inp: Any = None,
    ) -> None:
        super().__init__(model, baseline, rows, inp=inp)
        if not window or any(not isinstance(w, int) or w < 1 for w in window):
            raise ArgumentError("window", "positive lengths along the last axes", repr(window))
        self.window, self.wrap = tuple(window), wrap
        self.name = "Occlusion, wrapping" if wrap else "Occlusion"

    def masks(self, shape: tuple[int, ...]) -> Tensor:
        sides = shape[len(shape) - len(self.window) :]
        if len(sides) < len(self.window) or any(w > side for w, side in zip(self.window, sides)):
            raise ArgumentError("window", f"a window within the datum's last axes, {shape}", repr(self.window))
        first = torch.zeros(sides, dtype=torch.bool)
        first[tuple(slice(w) for w in self.window)] = True
        axes = tuple(range(len(sides)))
        ranges = [range(side if self.wrap else side - w + 1) for w, side in zip(self.window, sides)]
        every = torch.stack([first.roll(shift, axes) for shift in itertools.product(*ranges)])
        return every.view(len(every), *(1,) * (len(shape) - len(sides)), *sides).expand(len(every), *shape)
