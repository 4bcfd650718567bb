"""Grids of orientations: unit vectors that stand for the circle or the sphere, and the symmetries that they keep exactly."""

from __future__ import annotations

import math
import re
from functools import cached_property, lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.closure import close_matrices
from erlangen.groups.matrix import MatrixGroup

#: Orientations that differ by no more than this are one; what making a grid leaves of rounding.
SAME = 1e-11
#: The same of vectors in float32.
ROUNDED = 1e-6

NAMES = "tetra, octa, cube, ico, dodeca, repulsion(N), fibonacci(N) on the sphere, circle(N) on the circle"


class Zonal(NamedTuple):
    """Where all matrices ``k(o_i . o_j)``, of whatever function, are diagonal in one basis: on grids as regular as the corners of a solid.

    ``k(o_i . o_j) = sum_e modes[e, i] modes[e, j] sum_m values[e, m] k(x_m)``. On the whole sphere the modes are spherical harmonics; these
    are the grid's own, so that nothing is cut off.

    Attributes:
        pairs: a pair of orientations for each angle that there is, ``[2, m]``; ``x_m`` is its cosine.
        modes: an orthonormal basis, ``[N, N]``.
        values: ``[N, m]``.
    """

    pairs: Int[Tensor, "2 m"]
    modes: Float[Tensor, "N N"]
    values: Float[Tensor, "N m"]


class Orientations:
    """``N`` unit vectors of the plane or of space. Antipodal grids are ordered: the second half is the first half's negatives.

    Args:
        vectors: ``[N, n]``, different, not zero and together not in a plane through the origin (a line, where ``n = 2``); their lengths
            do not matter. Kept in float64. Those in float32 are taken as rounded: what is symmetric to rounding is made so to the last
            digit.
        name: what it is called.

    Attributes:
        vectors: ``[N, n]``, of length one.
        antipodal: whether with each orientation its negative is one of the grid.

    Raises:
        ArgumentError: another shape, vectors that are zero, not finite or twice there, or that do not span the space.

    >>> ico = orientations("ico")
    >>> len(ico), ico.antipodal, ico.group.order, ico.rotations.order, ico.strength
    (12, True, 120, 60, 5)
    """

    def __init__(self, vectors: Float[Tensor, "N n"], name: str = "") -> None:
        if vectors.ndim != 2 or vectors.shape[1] not in (2, 3) or not vectors.is_floating_point():
            raise ArgumentError("vectors", "real numbers [N, 2] or [N, 3]", f"{vectors.dtype} {list(vectors.shape)}")
        o = vectors.detach().to("cpu", torch.float64)
        length = o.norm(dim=1, keepdim=True)
        if not bool((length > 0).all() & length.isfinite().all()):
            raise ArgumentError("vectors", "finite vectors that are not zero", "one that is zero or not finite")
        o = o / length
        if len(o) < o.shape[1] or int(torch.linalg.matrix_rank(o, rtol=1e-9)) < o.shape[1]:
            raise ArgumentError("vectors", f"orientations that span {o.shape[1]} dimensions", f"{len(o)} that do not")
        if vectors.dtype == torch.float32:
            o = _unrounded(o)
        same, opposite = ((o.unsqueeze(1) - other).norm(dim=2) < SAME for other in (o, -o))
        if bool((same.sum(1) > 1).any()):
            raise ArgumentError("vectors", "different orientations", "one that is there twice")
        self.antipodal = bool(opposite.any(1).all())
        if self.antipodal:
            other = opposite.to(torch.uint8).argmax(1)
            half = o[[i for i in range(len(o)) if i < int(other[i])]]
            o = torch.cat([half, -half])
        self.vectors, self.name = o, name or f"{len(o)} orientations"

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        """Of the space that the orientations are in."""
        return self.vectors.shape[1]

    @cached_property
    def group(self) -> MatrixGroup:
        """All orthogonal maps that permute the orientations, reflections included."""
        return _generated(_symmetries(self.vectors), f"symmetries of {self.name}")

    @cached_property
    def rotations(self) -> MatrixGroup:
        """All rotations that permute them."""
        every = self.group.elements()
        return _generated(every[torch.linalg.det(every) > 0], f"rotations of {self.name}")

    @cached_property
    def strength(self) -> int:
        """The largest ``t`` for which the grid is a spherical ``t``-design: means over it of polynomials up to degree ``t`` are those over
        the whole sphere (Delsarte, Goethals & Seidel 1977).

        With 2 or more, ``mean(o o^T) = 1/n``: lifting a vector to its components along the orientations and reading it back is a factor
        ``1/n``, in every direction the same.
        """
        cosines = (self.vectors @ self.vectors.T).clamp(-1, 1)
        t = 0
        while t < 2 * len(self) and float(_zonal(t + 1, cosines, self.dim).mean().abs()) < 1e-12:
            t += 1
        return t

    @cached_property
    def zonal(self) -> Zonal | None:
        """The basis in which all functions of the angle between two orientations are diagonal; ``None`` where there is none.

        >>> ico = orientations("ico")
        >>> ico.zonal.values.shape, orientations("repulsion(16)").zonal is None       # four angles between corners
        (torch.Size([12, 4]), True)
        >>> k = (ico.vectors @ ico.vectors.T).exp()
        >>> pairs, modes, values = ico.zonal
        >>> bool(torch.allclose(modes.T @ torch.diag(values @ k[pairs[0], pairs[1]]) @ modes, k))
        True
        """
        cosines = self.vectors @ self.vectors.T
        flat, order = cosines.flatten().sort()
        of = torch.empty_like(order)
        of[order] = torch.cat([flat.new_zeros(1), (flat.diff() > ROUNDED).to(flat)]).cumsum(0).long()
        count = int(of.max()) + 1
        if count > len(self):  # matrices that are diagonal in one basis are no more than its vectors
            return None
        same = (of.view(cosines.shape) == torch.arange(count).view(-1, 1, 1)).to(cosines)
        mixed = torch.rand(count, generator=torch.Generator().manual_seed(0), dtype=cosines.dtype)
        modes = torch.linalg.eigh((mixed.view(-1, 1, 1) * same).sum(0)).eigenvectors.T
        made = modes @ same @ modes.T
        values = made.diagonal(dim1=1, dim2=2)
        if float((made - torch.diag_embed(values)).abs().max()) > SAME:
            return None
        first = torch.stack([(of == m).nonzero()[0, 0] for m in range(count)])
        return Zonal(torch.stack([first // len(self), first % len(self)]), modes.contiguous(), values.T.contiguous())

    def __repr__(self) -> str:
        return f"Orientations({self.name})"


def orientations(grid: str | Orientations | Tensor, dim: int = 3) -> Orientations:
    """A grid by its name, from vectors, or as it is.

    * ``"tetra"`` (4), ``"octa"`` (6), ``"cube"`` (8), ``"ico"`` (12), ``"dodeca"`` (20): the corners of the regular solids, exact under
      the 12, 24, 24, 60, 60 rotations of these and, but for the first, antipodal.
    * ``"repulsion(N)"``: charges on a sphere at rest, the lowest of a few local minima; the symmetry is what the minimum happens to have.
    * ``"fibonacci(N)"``: equal areas along a spiral; for many orientations, without symmetry.
    * ``"circle(N)"``: equal angles in the plane, from the first axis on, exact under ``N`` rotations.

    Args:
        grid: as above.
        dim: the dimension that is wanted.

    Raises:
        ArgumentError: no such name, too few orientations, or a grid of another dimension.

    >>> orientations("repulsion(12)").group.order, orientations("circle(8)", 2).rotations.order
    (120, 8)
    """
    if isinstance(grid, Tensor):
        grid = Orientations(grid)
    if isinstance(grid, str):
        grid = _named(grid)
    if not isinstance(grid, Orientations):
        raise ArgumentError("grid", f"one of {NAMES}, or vectors", repr(grid))
    if grid.dim != dim:
        raise ArgumentError("grid", f"orientations in {dim} dimensions", f"{grid.name}, in {grid.dim}")
    return grid


@lru_cache(maxsize=64)
def _named(name: str) -> Orientations:
    match = re.fullmatch(r"(\w+?)(?:\((-?\d+)\))?", name.replace(" ", ""))
    kind, count = (match[1], match[2]) if match else (name, None)
    if kind in _SOLIDS and count is None:
        return Orientations(_solid(kind), name)
    makers = {"repulsion": (_repulsion, 4), "fibonacci": (_fibonacci, 4), "circle": (_circle, 3)}
    if kind not in makers or count is None:
        raise ArgumentError("grid", f"one of {NAMES}", repr(name))
    make, least = makers[kind]
    if int(count) < least:
        raise ArgumentError("grid", f"at least {least} orientations, that they may span the space", repr(name))
    return Orientations(make(int(count)), name)


_GOLDEN = (1 + math.sqrt(5)) / 2
_SIGNS = [(a, b, c) for a in (1.0, -1.0) for b in (1.0, -1.0) for c in (1.0, -1.0)]
_SOLIDS = ("tetra", "octa", "cube", "ico", "dodeca")


def _solid(name: str) -> Tensor:
    cube = torch.tensor(_SIGNS, dtype=torch.float64)
    if name == "cube":
        return cube
    if name == "tetra":
        return cube[cube.prod(1) > 0]
    if name == "octa":
        return torch.cat([torch.eye(3, dtype=torch.float64), -torch.eye(3, dtype=torch.float64)])
    long = _GOLDEN if name == "ico" else _GOLDEN**2
    corners = torch.tensor([(0.0, a, b * long) for a, b, _ in _SIGNS[::2]], dtype=torch.float64)
    turned = torch.cat([corners.roll(k, 1) for k in range(3)])
    return turned if name == "ico" else torch.cat([cube * _GOLDEN, turned])


def _circle(count: int) -> Tensor:
    angle = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
    return torch.stack([angle.cos(), angle.sin()], 1)


def _fibonacci(count: int) -> Tensor:
    k = torch.arange(count, dtype=torch.float64)
    z, angle = 1 - (2 * k + 1) / count, 2 * math.pi * k / _GOLDEN
    across = (1 - z * z).sqrt()
    return torch.stack([across * angle.cos(), across * angle.sin(), z], 1)


def _repulsion(count: int) -> Tensor:
    """The lowest of some local minima of the sum of ``1 / |o_i - o_j|``, to the last digits."""
    from scipy.optimize import minimize

    pairs = torch.triu_indices(count, count, 1)

    def energy(flat: Tensor) -> Tensor:
        o = torch.nn.functional.normalize(flat.view(count, 3), dim=1)
        return (o[pairs[0]] - o[pairs[1]]).norm(dim=1).reciprocal().sum()

    gradient, hessian = torch.func.grad_and_value(energy), torch.func.hessian(energy)

    def objective(x: object) -> tuple[float, object]:
        slope, value = gradient(torch.as_tensor(x))
        return float(value), slope.numpy()

    generator = torch.Generator().manual_seed(0)
    starts = [_fibonacci(count), *(torch.randn(count, 3, generator=generator, dtype=torch.float64) for _ in range(4))]
    found = [
        minimize(objective, start.flatten().numpy(), jac=True, method="L-BFGS-B", options={"maxiter": 3000}) for start in starts
    ]
    x = torch.from_numpy(min(found, key=lambda result: result.fun).x)
    for _ in range(4):  # Newton's steps across the rotations and lengths, which change nothing
        x = torch.nn.functional.normalize(x.view(count, 3), dim=1).flatten()
        x = x - torch.linalg.pinv(hessian(x), rtol=1e-6, hermitian=True) @ gradient(x)[0]
    return x.view(count, 3)


def _unrounded(o: Float[Tensor, "N n"]) -> Float[Tensor, "N n"]:
    """Vectors with the symmetries that they have to rounding in float32, moved by no more than that.

    Each map that nearly permutes them says where the others should be; what they say is averaged, and of the rest, which is of second
    order, once more.
    """
    for _ in range(3):
        turned = _symmetries(o, ROUNDED) @ o.mT  # [order, n, N]: where maps take vectors, and the vectors that stand there
        place = torch.stack([torch.cdist(some.T, o).argmin(1) for some in turned])
        u, _, v = torch.linalg.svd(o[place].mT @ o)  # the rotations, or reflections, that do it best
        o = torch.nn.functional.normalize((o[place] @ (u @ v)).mean(0), dim=1)
    return o


def _symmetries(o: Float[Tensor, "N n"], far: float = SAME) -> Float[Tensor, "order n n"]:
    """All orthogonal maps that permute vectors: those that take the first that span the space to some of the same inner products."""
    gram = o @ o.T
    base = [0]
    for i in range(1, len(o)):
        if len(base) < o.shape[1] and int(torch.linalg.matrix_rank(o[[*base, i]], rtol=1e-6)) > len(base):
            base.append(i)
    images = torch.arange(len(o)).unsqueeze(1)
    for k in range(1, len(base)):
        fits = (gram[images] - gram[base[:k], base[k]][None, :, None]).abs().amax(1) < 1e-6  # [tuples, N]
        at, new = fits.nonzero().T
        images = torch.cat([images[at], new.unsqueeze(1)], 1)
    maps = o[images].mT @ torch.linalg.inv(o[base].T)
    maps = maps.where(maps.abs() > 1e-14, 0.0)  # an exact zero stays one
    moved = (maps @ o.T).mT
    apart = torch.stack([(moved - vector).norm(dim=2) for vector in o]).amin(0).amax(1)  # how far images are from the grid
    return maps[apart < far]


def _generated(elements: Float[Tensor, "order n n"], name: str) -> MatrixGroup:
    """The group of these elements, by few generators: each at least doubles what the others generate."""
    inside, chosen = torch.eye(elements.shape[-1], dtype=elements.dtype).unsqueeze(0), []
    while len(inside) < len(elements):
        apart = (elements.unsqueeze(1) - inside).abs().amax((2, 3)).amin(1)
        chosen.append(elements[int(apart.argmax())])
        closed = close_matrices(torch.stack(chosen), len(elements))
        assert closed is not None
        inside = closed
    return MatrixGroup(chosen or [inside[0]], name=name)


def _zonal(degree: int, x: Tensor, dim: int) -> Tensor:
    """The polynomial of degree ``l`` of the cosine that is orthogonal to all others: of Chebyshev in the plane, of Legendre in space."""
    if dim == 2:
        return (degree * x.acos()).cos()
    before, now = torch.ones_like(x), x
    for l in range(1, degree):
        before, now = now, ((2 * l + 1) * x * now - l * before) / (l + 1)
    return now
