"""Kernels of group convolutions: functions of ``u`` in the plane, of an element ``v`` of GL+(2), or of both, with learned values.

They are functions of *coordinates* of ``v = P R`` that do not jump: of ``log P`` and of the rotation itself, not of its angle, which does
at half turns. All decay in ``u`` and in ``log P``.
"""

from __future__ import annotations

import itertools
import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups import GLplus
from erlangen.groups.decompositions import PolarDecomposition

#: Made once: graphs that are traced find it ready.
POLAR = PolarDecomposition(GLplus(2))
#: Radius of the ring of centres in ``log P``, and the width of their bells in parts of it.
RADIUS, WIDTH = 0.4, 0.6


class PlaneSplines(nn.Module):
    """Products of cubic B-splines with centres in a disc: ``u [..., 2] -> [..., dim]``, zero beyond ``reach``.

    Args:
        reach: radius of the disc in pixels.
        knots: splines along a diameter.

    >>> basis = PlaneSplines(reach=2.5, knots=5)
    >>> basis(torch.zeros(7, 2)).shape, float(basis(torch.tensor([2.5, 0.0])).sum())
    (torch.Size([7, 21]), 0.0)
    """

    centres: Tensor

    def __init__(self, reach: float = 2.5, knots: int = 5) -> None:
        super().__init__()
        if not reach > 0:
            raise ArgumentError("reach", "a positive radius in pixels", repr(reach))
        check_count("knots", knots)
        self.reach, self.step = float(reach), 2 * reach / (knots + 3)
        line = self.step * (torch.arange(knots, dtype=torch.float64) - 0.5 * (knots - 1))
        centres = torch.cartesian_prod(line, line).view(-1, 2)
        inside = centres.norm(dim=1) <= self.step * (0.5 * (knots - 1) + 0.3)
        self.register_buffer("centres", centres[inside].to(torch.get_default_dtype()), persistent=False)
        self.dim = int(inside.sum())

    def forward(self, u: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch dim"]:
        at = (u.unsqueeze(-2) - self.centres.to(u)) / self.step
        return cubic(at).prod(-1) * plane_window(u, self.reach).unsqueeze(-1)


class GroupSplines(nn.Module):
    """Bells in ``log P`` times periodic cubic B-splines in ``R``: ``v [..., 2, 2] -> [..., dim]``.

    Args:
        kind: ``"SO"``: of the rotation alone; ``"SL"``: bells at zero and on a ring of six in the plane of traceless ``log P``;
            ``"GL"``: at zero and at six points of a sphere.
        turns: splines around the circle, at least 4.

    >>> basis = GroupSplines("SL", turns=6)
    >>> basis(torch.eye(2).expand(5, 2, 2)).shape
    torch.Size([5, 42])
    """

    centres: Tensor

    def __init__(self, kind: str, turns: int = 6) -> None:
        super().__init__()
        check_count("turns", turns, least=4)
        if kind not in ("SO", "SL", "GL"):
            raise ArgumentError("kind", "'SO', 'SL' or 'GL'", repr(kind))
        self.kind, self.turns = kind, turns
        angles = math.pi / 3 * torch.arange(6, dtype=torch.float64)
        ring = torch.stack([angles.cos(), angles.sin(), torch.zeros(6)], 1)
        sphere = torch.cat([torch.eye(3, dtype=torch.float64), -torch.eye(3, dtype=torch.float64)])
        around = {"SO": ring[:0], "SL": ring, "GL": sphere}[kind]
        centres = torch.cat([torch.zeros(1, 3, dtype=torch.float64), RADIUS * around])
        self.register_buffer("centres", centres.to(torch.get_default_dtype()), persistent=False)
        self.dim = len(centres) * turns

    def forward(self, v: Float[Tensor, "*batch 2 2"]) -> Float[Tensor, "*batch dim"]:
        stretch, turn = group_coordinates(v)
        angle = torch.atan2(turn[..., 1], turn[..., 0])
        knots = torch.arange(self.turns, dtype=v.dtype, device=v.device)
        off = angle.unsqueeze(-1) * (self.turns / (2 * math.pi)) - knots
        around = cubic(off - self.turns * torch.round(off / self.turns))
        if self.kind == "SO":
            return around
        square = (stretch.unsqueeze(-2) - self.centres.to(v)).square().sum(-1)
        bells = torch.exp(-0.5 * square / (WIDTH * RADIUS) ** 2)
        return (bells.unsqueeze(-1) * around.unsqueeze(-2)).flatten(-2)


class SplineKernel(nn.Module):
    """``k(z) = sum_b w_b basis_b(z)``: a learned combination of functions, for each of ``count`` kernels.

    Args:
        basis: a module of ``dim`` functions of ``u`` or of ``v``.
        count: how many kernels.
    """

    def __init__(self, basis: PlaneSplines | GroupSplines | Waves, count: int) -> None:
        super().__init__()
        check_count("count", count)
        self.basis = basis
        self.weight = nn.Parameter(torch.randn(count, basis.dim) * basis.dim**-0.5)

    def forward(self, z: Tensor) -> Float[Tensor, "*batch count"]:
        return self.basis(z).to(self.weight.dtype) @ self.weight.mT

    def rescale_(self, factor: float) -> None:
        """Multiply the kernels by a number."""
        with torch.no_grad():
            self.weight.mul_(factor)


class FourierKernel(SplineKernel):
    """A combination of random waves in the coordinates, under a window.

    Args:
        coordinates: the coordinates of a kernel's argument, ``"plane"`` or ``"group"``.
        count: how many kernels.
        reach: of the window in the plane.
        waves: how many.
        frequency: deviation of their wave numbers, for coordinates of size one.
        seed: of the waves.
    """

    def __init__(
        self,
        coordinates: str,
        count: int,
        reach: float = 2.5,
        waves: int = 24,
        frequency: float = 1.5,
        seed: int = 0,
    ) -> None:
        super().__init__(Waves(Coordinates(coordinates, reach), waves, frequency, seed), count)


class Waves(nn.Module):
    """Cosines of random linear functions of coordinates, under their window."""

    numbers: Tensor
    phases: Tensor

    def __init__(self, coordinates: Coordinates, waves: int, frequency: float, seed: int) -> None:
        super().__init__()
        check_count("waves", waves)
        self.coordinates, self.dim = coordinates, waves
        rng = torch.Generator().manual_seed(seed)
        numbers = frequency * torch.randn(coordinates.dim, waves, generator=rng, dtype=torch.float64)
        phases = 2 * math.pi * torch.rand(waves, generator=rng, dtype=torch.float64)
        self.register_buffer("numbers", numbers.to(torch.get_default_dtype()))
        self.register_buffer("phases", phases.to(torch.get_default_dtype()))

    def forward(self, z: Tensor) -> Float[Tensor, "*batch waves"]:
        c, window = self.coordinates(z)
        return window.unsqueeze(-1) * torch.cos(c @ self.numbers.to(c) + self.phases.to(c)) * 2**0.5


class SirenKernel(nn.Module):
    """A network of sines on the coordinates, under a window.

    Args:
        coordinates, count, reach: see :class:`FourierKernel`.
        width, layers: of the sines.
        omega: factor of the first layer's argument.

    Source: V. Sitzmann et al., "Implicit neural representations with periodic activation functions", NeurIPS 2020, arXiv:2006.09661.
    """

    def __init__(
        self,
        coordinates: str,
        count: int,
        reach: float = 2.5,
        width: int = 60,
        layers: int = 3,
        omega: float = 10.0,
    ) -> None:
        super().__init__()
        check_count("layers", layers)
        self.coordinates, self.omega = Coordinates(coordinates, reach), omega
        sizes = [self.coordinates.dim] + [width] * layers
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.last = nn.Linear(width, count)
        with torch.no_grad():
            for i, layer in enumerate(self.hidden):
                bound = 1 / sizes[0] if i == 0 else (6 / width) ** 0.5 / omega
                layer.weight.uniform_(-bound, bound)  # type: ignore[operator, union-attr]
            bound = (6 / width) ** 0.5
            self.last.weight.uniform_(-bound, bound)
            self.last.bias.zero_()

    def forward(self, z: Tensor) -> Float[Tensor, "*batch count"]:
        c, window = (t.to(self.last.weight.dtype) for t in self.coordinates(z))
        for layer in self.hidden:
            c = torch.sin(self.omega * layer(c))
        return window.unsqueeze(-1) * self.last(c)

    def rescale_(self, factor: float) -> None:
        """Multiply the kernels by a number."""
        with torch.no_grad():
            self.last.weight.mul_(factor)
            self.last.bias.mul_(factor)


def make_kernel(name: str, coordinates: str, count: int, *, kind: str, reach: float, turns: int) -> SplineKernel | SirenKernel:
    """Kernels by name: ``"spline"``, ``"fourier"``, ``"siren"``, on ``"plane"`` or ``"group"``."""
    if name == "spline":
        basis = PlaneSplines(reach) if coordinates == "plane" else GroupSplines(kind, turns)
        return SplineKernel(basis, count)
    if name == "fourier":
        return FourierKernel(coordinates, count, reach=reach)
    if name == "siren":
        return SirenKernel(coordinates, count, reach=reach)
    raise ArgumentError("kernel", "'spline', 'fourier' or 'siren'", repr(name))


class Coordinates(nn.Module):
    """Coordinates of size about one, and a window: of points of the plane, or of elements of GL+(2) (``log P``, cosine and sine)."""

    def __init__(self, kind: str, reach: float) -> None:
        super().__init__()
        if kind not in ("plane", "group"):
            raise ArgumentError("coordinates", "'plane' or 'group'", repr(kind))
        if not reach > 0:
            raise ArgumentError("reach", "a positive radius in pixels", repr(reach))
        self.kind, self.reach, self.dim = kind, float(reach), 2 if kind == "plane" else 5

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        if self.kind == "plane":
            return z / self.reach, plane_window(z, self.reach)
        stretch, turn = group_coordinates(z)
        window = torch.exp(-0.5 * stretch.square().sum(-1) / (2 * RADIUS) ** 2)
        return torch.cat([stretch / RADIUS, turn], -1), window


def group_coordinates(v: Float[Tensor, "*batch 2 2"]) -> tuple[Float[Tensor, "*batch 3"], Float[Tensor, "*batch 2"]]:
    """``log P`` of ``v = P R`` in an orthonormal basis (the difference of its diagonal, its entry off the diagonal, its trace), and the
    cosine and sine of ``R``.

    >>> group_coordinates(2 * torch.eye(2))[0]
    tensor([0.0000, 0.0000, 0.9803])
    """
    x, turn = POLAR.log_split(v)
    root = 0.5**0.5
    a, b, d = x[..., 0, 0], x[..., 0, 1], x[..., 1, 1]
    return torch.stack([root * (a - d), b / root, root * (a + d)], -1), turn[..., :, 0]


def cubic(t: Tensor) -> Tensor:
    """The cubic B-spline with knots at the whole numbers: twice differentiable, zero from 2 on.

    >>> cubic(torch.tensor([0.0, 1.0, 2.0]))
    tensor([0.6667, 0.1667, 0.0000])
    """
    t = t.abs()
    near, far = (1 - t).clamp_min(0.0), (2 - t).clamp_min(0.0)
    return (far**3 - 4 * near**3) / 6


def plane_window(u: Tensor, reach: float) -> Tensor:
    """``(1 - |u|^2 / reach^2)^2`` within ``reach``, zero beyond."""
    return (1 - u.square().sum(-1) / reach**2).clamp_min(0.0) ** 2


def check_count(name: str, value: int, least: int = 1) -> None:
    """Raise ArgumentError unless ``value`` is a whole number from ``least`` on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ArgumentError(name, f"a whole number from {least} on", repr(value))
