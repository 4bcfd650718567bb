"""A decomposition of your own: how elements split, their coordinates, and the density of the invariant measure.

Copy this file. Polar, Iwasawa, Cartan and triangular decompositions are there by name: ``er.SL(2).decomposition("polar")``.
"""

import math
from typing import NamedTuple

import torch

import erlangen as er
from erlangen.groups.decompositions import Decomposition


class Factors(NamedTuple):
    """``g = shear @ scaling @ turn``."""

    shear: torch.Tensor
    scaling: torch.Tensor
    turn: torch.Tensor


class HalfPlane(Decomposition):
    """``g = n a k`` of SL(2): ``n a`` moves i to the point ``x + i y`` of the upper half-plane, and ``k`` turns about i.

    Coordinates are ``x``, ``log y`` and the angle. The density is that of the hyperbolic area ``dx dy / y^2``; the half is what
    makes it the measure of the other decompositions, with plain coordinates of ``log P`` at the identity.
    """

    name, group, dim = "half-plane", er.SL(2), 3
    window_dim, compact_uniforms = 2, 1

    def split(self, g):
        x, log_y, angle = self.coordinates(g).unbind(-1)
        return Factors(*self._factors(x, log_y, angle))

    def coordinates(self, g):
        (a, b), (c, d) = (row.unbind(-1) for row in g.unbind(-2))
        square = c * c + d * d  # (a i + b) / (c i + d) is x + i / square
        return torch.stack([(a * c + b * d) / square, -square.log(), torch.atan2(c, d)], -1)

    def element(self, c):
        return self.join(*self._factors(*c.unbind(-1)))

    def log_density(self, g):
        return self._log_density(self.coordinates(g)[..., 1])

    def place(self, c, u):
        x, log_y = c.unbind(-1)
        return self.join(*self._factors(x, log_y, 2 * math.pi * u[..., 0])), self._log_density(log_y)

    def _log_density(self, log_y):
        return -log_y - math.log(2)

    def _factors(self, x, log_y, angle):
        one, zero, root = torch.ones_like(x), torch.zeros_like(x), (0.5 * log_y).exp()
        cos, sin = angle.cos(), angle.sin()
        entries = [one, x, zero, one], [root, zero, zero, 1 / root], [cos, -sin, sin, cos]
        return [torch.stack(four, -1).unflatten(-1, (2, 2)) for four in entries]


if __name__ == "__main__":
    print(er.testing.check_decomposition(HalfPlane()))
