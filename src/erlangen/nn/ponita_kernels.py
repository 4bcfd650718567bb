"""What kernels between oriented points are functions of: invariants of pairs, their polynomials, a window, and the basis they share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError

#: ``|d - (o . d) o|`` is softened by this share of ``|d|``: else it has a kink wherever an edge is parallel to an orientation, where forces
#: would jump and second derivatives be infinite.
SOFT = 1e-2


def length(square: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """The root, with derivatives zero at zero."""
    zero = square == 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, square).sqrt())


def unit(way: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """Vectors, not zero, of any size that there are numbers for, at length one.

    >>> unit(torch.tensor([3e-30, 4e-30]))
    tensor([0.6000, 0.8000])
    """
    way = way / way.detach().abs().amax(-1, keepdim=True)
    return way / way.norm(dim=-1, keepdim=True)


def across(along: Float[Tensor, "*batch"], square: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """``|d - (o . d) o|`` from ``o . d`` and ``|d|^2``, softened: ``sqrt(|d|^2 (1 + SOFT^2) - (o . d)^2)``.

    >>> across(torch.tensor([0.0, 2.0]), torch.tensor([4.0, 4.0]))          # at right angles, and parallel
    tensor([2.0001, 0.0200])
    """
    return length((square * (1 + SOFT**2) - along.square()).clamp_min(0))


def window(square: Float[Tensor, "*batch"], radius: float) -> Float[Tensor, "*batch"]:
    """``1 - 28 u^6 + 48 u^7 - 21 u^8`` of ``u = |d| / radius``, 0 beyond: it and two derivatives vanish at the radius.

    Source: Gasteiger, Groß & Günnemann, "Directional message passing for molecular graphs", ICLR 2020, arXiv:2003.03123.

    >>> window(torch.tensor([0.0, 0.25, 1.0, 4.0]), 1.0)
    tensor([1.0000, 0.8555, 0.0000, 0.0000])
    """
    s = (square / radius**2).clamp_max(1.0)
    return torch.where(s < 1, 1 - s**3 * (28 - 48 * length(s) + 21 * s), 0.0)


def polynomials(x: Float[Tensor, "*batch m"], degree: int) -> Float[Tensor, "*batch p"]:
    """All products of up to ``degree`` of the numbers, each order of factors for itself: ``m + m^2 + ... + m^degree``.

    >>> [polynomials(torch.ones(m), 3).shape[-1] for m in (1, 2, 3)]
    [3, 14, 39]
    """
    numbers = x.unbind(-1)
    powers = [list(numbers)]
    for _ in range(degree - 1):
        powers.append([a * b for a in powers[-1] for b in numbers])
    # One after another, each over the whole batch: long rows are quick to multiply and to stack.
    return torch.stack([product for products in powers for product in products]).movedim(0, -1)


#: Pairs ways with orientations: :func:`by_entry` or :func:`with_each`.
Inner = Callable[[Tensor, Tensor], Tensor]


class KernelBasis(nn.Module):
    """Functions of invariants that the kernels of all layers are combinations of: ``Linear GELU Linear GELU`` on :func:`polynomials`.

    Args:
        numbers: of invariants, ``m``.
        hidden: width in between.
        basis: how many functions.
        degree: of the polynomials.

    >>> KernelBasis(2, 32, 16)(torch.randn(5, 12, 2)).shape
    torch.Size([5, 12, 16])
    """

    def __init__(self, numbers: int, hidden: int, basis: int, degree: int = 3) -> None:
        super().__init__()
        self.degree = degree
        self.first = nn.Linear(sum(numbers**k for k in range(1, degree + 1)), hidden)
        self.second = nn.Linear(hidden, basis)
        for layer in (self.first, self.second):
            # He's initialisation: with torch's own what directions tell is a thousandth of all at the start.
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x: Float[Tensor, "*batch m"]) -> Float[Tensor, "*batch basis"]:
        y = nn.functional.gelu(self.first(polynomials(x.reshape(-1, x.shape[-1]), self.degree)))
        y = nn.functional.gelu(self.second(y))
        return y.reshape(*x.shape[:-1], y.shape[-1])


class Invariants:
    """Which invariants of two oriented points ``(0, o)`` and ``(d, p)`` kernels see, for motions with or without reflections.

    Two make a *spatial* kernel, of the way and one orientation: ``o . d`` and :func:`across`; a third, ``o . p``, one of orientations. A
    separable kernel is the product of both; a joint one sees all. ``complete`` adds what tells all orbits apart: ``p . d``; without
    reflections also ``det(o, d, p)``; in the plane without reflections the components of ``d`` along ``o`` and across it with their sign,
    cosine and sine of the angle.

    Args:
        dim: 2 or 3.
        proper: whether mirror images may be told apart.
        complete: see above.
        joint: whether kernels are joint.

    Raises:
        ArgumentError: mirror images are to be told apart by kernels that cannot.
    """

    def __init__(self, dim: int, proper: bool, complete: bool, joint: bool) -> None:
        if proper and not complete:
            raise ArgumentError("group", f"E({dim}) with attributes='paper', which are blind to mirror images", f"SE({dim})")
        self.signed = proper and dim == 2
        if complete and not joint and not self.signed:
            expected = f"False with complete attributes of E({dim})" + (f" or SE({dim})" if dim == 3 else "")
            raise ArgumentError("separable", f"{expected}: they are of both orientations at once", True)
        self.handed = proper and dim == 3
        self.complete = complete and not self.signed
        self.spatial, self.angular = 2, 2 if self.signed else 1
        self.joint = self.spatial + self.angular + self.complete + self.handed

    def along(self, d: Tensor, o: Tensor, square: Tensor, inner: Inner) -> Float[Tensor, "*g 2"]:
        """The two of a way and an orientation; ``inner`` pairs them."""
        first = inner(d, o)
        return torch.stack([first, inner(d, turned(o)) if self.signed else across(first, square)], -1)

    def between(self, o: Tensor, p: Tensor, inner: Inner) -> Float[Tensor, "*g k"]:
        """The one, or two, of two orientations, seen from the first."""
        cosine = inner(p, o)
        return torch.stack([cosine, inner(p, turned(o))] if self.signed else [cosine], -1)

    def all(self, d: Tensor, o: Tensor, p: Tensor, square: Tensor) -> Float[Tensor, "*g m"]:
        """Those that a joint kernel sees; leading axes broadcast."""
        parts = [*self.along(d, o, square, by_entry).unbind(-1), *self.between(o, p, by_entry).unbind(-1)]
        if self.complete:
            parts.append(by_entry(d, p))
        if self.handed:
            parts.append(by_entry(torch.linalg.cross(*torch.broadcast_tensors(o, d)), p))
        return torch.stack(torch.broadcast_tensors(*parts), -1)


def by_entry(d: Float[Tensor, "*e n"], o: Float[Tensor, "*f n"]) -> Float[Tensor, "*g"]:
    """Inner products of vectors in the same place; leading axes broadcast."""
    return (d * o).sum(-1)


def with_each(d: Float[Tensor, "*e n"], o: Float[Tensor, "N n"]) -> Float[Tensor, "N ..."]:
    """Inner products of every orientation of a grid with every vector."""
    return (o @ d.reshape(-1, d.shape[-1]).T).view(len(o), *d.shape[:-1])


def turned(o: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 2"]:
    """Vectors of the plane, turned left by a right angle."""
    return torch.stack([-o[..., 1], o[..., 0]], -1)
