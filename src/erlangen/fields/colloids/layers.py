"""Layers: what shares one picture and one timing, and its forces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.fields.colloids.boxes import Box
from erlangen.fields.colloids.neighbours import NeighbourList
from erlangen.fields.colloids.potentials import Potential, takes_arrays
from erlangen.fields.colloids.programs import Landscape, ManyBody

#: The skin of neighbour lists, beside the range; chosen by time, results do not depend on it.
SKIN = 0.35
#: Up to so many pairs forces are summed with NumPy, beyond (and for gradients) with torch.
FEW = 4000


@dataclass(frozen=True)
class Step:
    """A timing in steps; 0 stands for none."""

    delay: int
    hold: int
    frame: int

    @property
    def instant(self) -> bool:
        """Whether present positions are seen."""
        return not (self.delay or self.hold or self.frame)

    @property
    def back(self) -> int:
        """How many steps one looks back."""
        return self.delay + max(0, self.frame - 1)


@dataclass(eq=False)
class Layer:
    """Everything that acts about the centres of one measurement.

    Attributes:
        own, cross, many, landscapes: what acts.
        kept, seen: the picture in use and the step it was taken at.
        near, near_many: lists of neighbours, and with the first of them all of ``cross`` together, and whether it takes arrays.
    """

    steps: Step
    error: float
    own: list[Potential] = field(default_factory=list)
    cross: list[Potential] = field(default_factory=list)
    many: list[ManyBody] = field(default_factory=list)
    landscapes: list[Landscape] = field(default_factory=list)
    kept: Tensor | None = None
    seen: int = -1
    near: NeighbourList | None = None
    about_others: Potential | None = None
    arrays: bool = False
    near_many: NeighbourList | None = None

    def centre(self, k: int, x: Tensor, ring: list[Tensor], camera: torch.Generator, trial: bool) -> Tensor:
        """Where the landscape's centres are at step ``k``, particles being at ``x``; a trial step leaves nothing behind."""
        if self.steps.instant and not self.error:
            return x
        steps = self.steps
        if self.kept is not None and ((steps.hold and k % steps.hold) or (trial and (steps.hold or steps.frame or self.error))):
            return self.kept
        taken = k - steps.delay
        if steps.frame:
            taken -= taken % steps.frame
        taken = max(taken, 0)
        if taken == self.seen and self.kept is not None:
            return self.kept
        picture = x if taken == k else ring[taken % len(ring)]
        if self.error:
            picture = picture + self.error * torch.randn(picture.shape, generator=camera, dtype=picture.dtype)
        if not trial:
            self.kept, self.seen = picture, taken
        return picture

    def pair_list(self, box: Box, batch: int, n: int) -> NeighbourList:
        """Of the potentials about other particles; each pair once where particles are their own centres."""
        if self.near is None:
            self.about_others = _together(self.cross)
            self.arrays = takes_arrays(self.about_others)
            reach, half = self.about_others.range, self.steps.instant and not self.error
            self.near = NeighbourList(reach, batch, n, box, SKIN * min(reach, 2.0), half=half)
        return self.near

    def many_list(self, box: Box, batch: int, n: int) -> NeighbourList:
        """Of the many-body programs."""
        if self.near_many is None:
            reach = max(one.range for one in self.many)
            self.near_many = NeighbourList(reach, batch, n, box, SKIN * min(reach, 2.0))
        return self.near_many

    def force(self, x: Tensor, c: Tensor, box: Box, batch: int, n: int, differentiable: bool) -> Tensor:
        """``[dim, batch * n]``."""
        total = pull(_together(self.own), x - c) if self.own else torch.zeros_like(x)
        if self.cross:
            near, potential = self.pair_list(box, batch, n), self.about_others
            assert potential is not None
            i, j = near.pairs(x, c)
            if self.arrays and not differentiable and len(i) <= FEW:
                total += torch.from_numpy(_pulled(potential, x.detach().numpy(), c.detach().numpy(), near, i.numpy(), j.numpy()))
            else:
                d = _chosen(x, near.places[0]) - _chosen(c, near.places[1])
                force = pull(potential, d if near.shift is None else d - near.shift)
                total.index_add_(1, i, force)
                if near.half:
                    total.index_add_(1, j, -force)
        if self.many:
            pairs = self.many_list(box, batch, n).pairs(c, c)
            for many in self.many:
                total = total + many.force(c, pairs, box, differentiable)
        for landscape in self.landscapes:
            shape = (x.shape[0], batch, n)
            r, history = (one.view(shape).permute(1, 2, 0) for one in (x, c))
            total = total + landscape.force(r, history, differentiable).permute(2, 0, 1).reshape(x.shape)
        return total


def pull(potential: Potential, d: Tensor) -> Tensor:
    """The force on particles that are ``d`` away from the centre, ``[dim, *n]``."""
    first, *others = d.unbind(0)
    square = first * first
    for other in others:
        square = torch.addcmul(square, other, other)
    rho = square.clamp_min(1e-36).sqrt()
    return d * (potential.slope(rho) / -rho)


def _pulled(potential: Potential, x: Any, c: Any, near: NeighbourList, i: Any, j: Any) -> Any:
    """The forces ``[dim, particles]`` of few pairs, with arrays."""
    d = x.take(i, 1) - c.take(j, 1)
    if near.shift is not None:
        d -= near.shift.numpy()
    square = d[0] * d[0]
    for other in d[1:]:
        square += other * other
    rho = np.sqrt(np.maximum(square, 1e-36))
    d *= potential.slope(rho) / rho
    number = x.shape[1]
    lines = [np.bincount(i, line, number) for line in d]
    if near.half:
        lines = [one - np.bincount(j, line, number) for one, line in zip(lines, d)]
    return np.negative(lines, dtype=x.dtype)


def _chosen(x: Tensor, places: Tensor) -> Tensor:
    """Columns of ``x`` by their places in the flattened tensor, which is several times faster than by columns."""
    return x.reshape(-1).index_select(0, places).view(x.shape[0], -1)


def _together(potentials: list[Potential]) -> Potential:
    together = potentials[0]
    for one in potentials[1:]:
        together = together + one
    return together
