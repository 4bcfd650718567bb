"""What a model gives for moved data beside the moved output: part by part, how far off, how large, and what zero is measured by."""

from __future__ import annotations

from typing import Any

import optree
import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.equivariance.vanishing import VANISHING, rounded_scale
from erlangen.errors import ArgumentError
from erlangen.linalg.relative import ROUNDINGS


class Compared:
    """The parts of an output under one element after the other: how far each is off, and how large it is."""

    def __init__(self, out: Action, y: Any) -> None:
        self.out = out
        first = self._parts(y)
        self.dtypes = {_computed_in(part) for _, part in first if part.is_floating_point() or part.is_complex()}
        self.names = [name for name, _ in first]
        self.off: list[list[Tensor]] = [[] for _ in first]
        self.size: list[list[Tensor]] = [[] for _ in first]
        self.least = [torch.zeros((), dtype=torch.float64) for _ in first]

    def _parts(self, y: Any) -> list[tuple[str, Tensor]]:
        """The parts that have an action, by name."""
        y = numbers(y)
        if not isinstance(self.out, Record):
            pairs = [("the output", self.out, y)]
        else:
            leaves, parts = self.out.leaves, self.out.flatten(y, "model", "outputs")
            named = isinstance(self.out.parts, dict) and len(self.out.parts) == len(leaves)
            names = sorted(self.out.parts) if named else range(len(leaves))
            pairs = [(f"part {name!r} of the output", a, p) for name, a, p in zip(names, leaves, parts) if a is not None]
        for _, action, part in pairs:
            action.check(part, "model")
            if part.ndim == 0 or not len(part):
                raise ArgumentError(
                    "model", "outputs with a leading batch axis, of at least one datum", f"shape {tuple(part.shape)}"
                )
        return [(name, part) for name, _, part in pairs]

    def add(self, got: Any, wanted: Any) -> None:
        """Another element: ``f(g x)`` and ``g f(x)``."""
        for i, ((_, a), (_, b)) in enumerate(zip(self._parts(got), self._parts(wanted))):
            if a.shape != b.shape:
                raise ArgumentError("model", f"outputs of one shape {tuple(b.shape)}", tuple(a.shape))
            if a.is_floating_point() or a.is_complex() or b.is_floating_point() or b.is_complex():
                self.off[i].append(_norms(a.to(b.device) - b))
                self.size[i].append(_norms(b).square().mean().sqrt())
            else:
                self.off[i].append(_norms((a.to(b.device) != b).double()))
                self.size[i].append(_norms(torch.ones_like(b, dtype=torch.float64)).square().mean().sqrt())

    def floor(self, distorted: Any, summed: Any) -> str:
        """Compare parts that are next to nothing, beside those of distorted data or of what was summed, with these; which, in words."""
        others = [[_norms(part).square().mean().sqrt() for _, part in self._parts(y)] for y in (distorted, summed) if y is not None]
        about = ""
        for i, name in enumerate(self.names):
            here = torch.stack(self.size[i]).max()
            typical = torch.stack([here, *(sizes[i] for sizes in others)]).max()
            if bool(here < VANISHING * typical):
                self.least[i] = typical
                everywhere = distorted is not None and bool(others[0][i] < VANISHING * typical)
                about += f"; {name} vanishes by symmetry" + (
                    ", for all data, so that there nothing was tested" if everywhere else ""
                )
        return about

    def floor_by_rounding(self, precision: torch.dtype, versions: dict[torch.dtype, list[Any] | None]) -> str:
        """Compare parts that are nothing but rounding, told by two precisions, with what was rounded; which, in words."""
        sizes = {}
        for dtype, found in versions.items():
            if found is None:
                return ""
            parts = [[_norms(part).square().mean().sqrt() for _, part in self._parts(y)] for y in found]
            sizes[dtype] = [float(torch.stack(part).max()) for part in zip(*parts)]
        about = ""
        for i, name in enumerate(self.names):
            scale = rounded_scale({dtype: each[i] for dtype, each in sizes.items()})
            here = torch.stack([*self.size[i], *(off.square().mean().sqrt() for off in self.off[i])]).max()
            if scale > self.least[i] and here <= ROUNDINGS * torch.finfo(precision).eps * scale:
                self.least[i] = torch.tensor(scale, dtype=torch.float64)
                about += f"; {name} is nothing but rounding, for it grows with the unit of rounding"
        return about

    def errors(self) -> tuple[Tensor, Tensor]:
        """Relative and absolute errors ``[elements, B]``, the largest over the parts."""
        relative, absolute = [], []
        for off, size, least in zip(self.off, self.size, self.least):
            difference, scale = torch.stack(off), torch.maximum(torch.stack(size), least.to(off[0])).unsqueeze(1)
            absolute.append(difference)
            relative.append(torch.where(difference == 0, 0.0, difference / scale))
        if len({r.shape[1] for r in relative}) > 1:  # parts per node beside parts per datum: only their worst can be compared
            relative, absolute = ([e.amax(1, keepdim=True) for e in errors] for errors in (relative, absolute))
        return torch.stack(relative).amax(0), torch.stack(absolute).amax(0)

    @property
    def output_scale(self) -> float:
        """The root mean square size of a datum's output, of the smallest part."""
        return min(float(torch.stack(size).max()) for size in self.size)

    @property
    def least_scale(self) -> float:
        """The largest of what vanishing parts are measured by."""
        return max(float(least) for least in self.least)

    @property
    def zero(self) -> str:
        """Which parts are exactly zero, before and after every move, in words; empty where none is."""
        silent = [name for name, off, size in zip(self.names, self.off, self.size) if not any(bool(t.any()) for t in (*off, *size))]
        return f"{' and '.join(silent)} {'is' if len(silent) == 1 else 'are'} zero" if silent else ""


def _computed_in(part: Tensor) -> torch.dtype:
    """The dtype of an output; of one in double precision, single where that holds all its numbers, and half would not: it was widened."""
    real = torch.view_as_real(part.resolve_conj()) if part.is_complex() else part
    if real.dtype == torch.float64 and torch.equal(real.float().double(), real) and not torch.equal(real.half().double(), real):
        return torch.float32
    return part.dtype


def _norms(t: Tensor) -> Tensor:
    """The size of each datum's numbers, ``[B]``, in double precision."""
    t = torch.view_as_real(t.resolve_conj()) if t.is_complex() else t
    return t.reshape(len(t), -1).double().norm(dim=1)


def numbers(y: Any) -> Any:
    """A model's output with tensors in place of NumPy arrays, which other libraries' models return.

    Raises:
        ArgumentError: an array holds no numbers (names of classes).
    """
    import numpy as np

    def read(t: Any) -> Any:
        if not isinstance(t, np.ndarray):
            return t
        if t.dtype.kind not in "biufc":
            raise ArgumentError("model", "outputs of numbers", f"an array of {t.dtype}", "return numbers of classes, or scores")
        return torch.from_numpy(t)

    return optree.tree_map(read, y, none_is_leaf=True)
