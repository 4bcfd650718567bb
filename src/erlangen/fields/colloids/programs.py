"""What a computer does to particles: potentials with a delay, forces of many bodies, bias.

A program sees positions that a camera measured some time ago, and lays a landscape about them. :class:`Timing` says when; what is laid is
a :class:`~erlangen.fields.colloids.Potential`, or one of the many-body programs here. Inside, positions are ``[dim, M]`` with all
particles of all replicas in one row, and ``pairs`` are the neighbours ``(i, j)``, each in both orders.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.colloids.boxes import Box
from erlangen.fields.colloids.potentials import Potential


@dataclass(frozen=True)
class Timing:
    """When a landscape is laid, and what is known then. Times in the unit of ``dt``.

    Attributes:
        delay: from a picture to the landscape that follows it.
        hold: the landscape is made anew every so often and stands still in between (sample and hold); None: at every step.
        frame: the camera takes a picture every so often; None: at every step.
        error: standard deviation of each measured coordinate.
    """

    delay: float = 0.0
    hold: float | None = None
    frame: float | None = None
    error: float = 0.0

    def __post_init__(self) -> None:
        for name, value, least in (
            ("delay", self.delay, True),
            ("hold", self.hold, False),
            ("frame", self.frame, False),
            ("error", self.error, True),
        ):
            if value is None:
                continue
            if not math.isfinite(value) or value < 0 or (value == 0 and not least):
                raise ArgumentError(name, f"a {'number, not negative' if least else 'positive number'}", repr(value))


class ManyBody(ABC):
    """A program whose energy belongs to more than two particles; forces by automatic differentiation.

    With a delay, forces are computed from the measured picture alone and laid on the particles as they are then.
    """

    #: How far neighbours are looked for; infinite: ``pairs`` are all.
    range: float = math.inf

    @abstractmethod
    def energy(self, x: Tensor, pairs: tuple[Tensor, Tensor], box: Box) -> Tensor:
        """The energy of all particles of all replicas, a scalar."""

    def force(self, x: Tensor, pairs: tuple[Tensor, Tensor], box: Box, create_graph: bool = False) -> Tensor:
        """Minus the gradient, ``[dim, M]``."""
        with torch.enable_grad():
            leaf = x if create_graph and x.requires_grad else x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.energy(leaf, pairs, box), leaf, create_graph=create_graph)
        return -gradient


@dataclass(frozen=True)
class Shell:
    """Who counts as a neighbour: 1 up to ``inner``, 0 from ``outer`` on, smooth (twice differentiable) in between."""

    inner: float
    outer: float

    def __post_init__(self) -> None:
        if not 0 < self.inner < self.outer < math.inf:
            raise ArgumentError("shell", "0 < inner < outer", f"{self.inner!r}, {self.outer!r}")

    def __call__(self, rho: Tensor) -> Tensor:
        s = ((rho - self.inner) / (self.outer - self.inner)).clamp(0.0, 1.0)
        return 1 - s * s * s * (10 - s * (15 - 6 * s))


class BondAngle(ManyBody):
    """Angles between bonds: ``U = strength sum_i sum_{j<k} h(r_ij) h(r_ik) g(cos theta_jik)``, in two dimensions.

    ``g`` is a polynomial, and a sum of ``cos(m theta)``; with ``Q_m(i) = sum_j h(r_ij) exp(i m theta_ij)`` the double sum over
    neighbours is ``sum_m a_m |Q_m|^2``, so that the cost grows with the number of bonds, not of pairs of bonds.

    Args:
        polynomial: coefficients of ``g`` by growing powers of the cosine; or ``"honeycomb"``, ``(c + 1/2)^2``; ``"square"``,
            ``c^2 (c + 1)^2``; ``"hexagonal"``, ``((c - 1/2)(c + 1/2)(c + 1))^2``; ``"kagome"``, the same, for its angles are among
            those of the hexagonal lattice.
        strength: energy.
        shell: who is bound.

    >>> angles = BondAngle("honeycomb", 2.0, Shell(1.2, 1.5))
    >>> angles.g(torch.tensor([-0.5, 0.5])).tolist()
    [0.0, 1.0]
    """

    POLYNOMIALS: ClassVar[dict[str, Any]] = {
        "honeycomb": np.polynomial.polynomial.polyfromroots([-0.5, -0.5]),
        "square": np.polynomial.polynomial.polyfromroots([0, 0, -1, -1]),
        "hexagonal": np.polynomial.polynomial.polyfromroots([0.5, 0.5, -0.5, -0.5, -1, -1]),
        "kagome": np.polynomial.polynomial.polyfromroots([0.5, 0.5, -0.5, -0.5, -1, -1]),
    }

    def __init__(self, polynomial: str | Sequence[float], strength: Any, shell: Shell) -> None:
        if isinstance(polynomial, str):
            if polynomial not in self.POLYNOMIALS:
                raise ArgumentError("polynomial", f"coefficients, or one of {', '.join(self.POLYNOMIALS)}", repr(polynomial))
            self.coefficients = self.POLYNOMIALS[polynomial]
        else:
            self.coefficients = np.asarray(polynomial, dtype=np.float64)
            if self.coefficients.ndim != 1 or not len(self.coefficients) or not np.isfinite(self.coefficients).all():
                raise ArgumentError("polynomial", "finite coefficients by growing powers", repr(polynomial))
        self.waves = np.polynomial.chebyshev.poly2cheb(self.coefficients)
        self.strength, self.shell, self.range = strength, shell, shell.outer

    def g(self, cosine: Tensor) -> Tensor:
        """``g`` of cosines."""
        value = torch.zeros_like(cosine)
        for c in self.coefficients[::-1]:
            value = value * cosine + float(c)
        return value

    def energy(self, x: Tensor, pairs: tuple[Tensor, Tensor], box: Box) -> Tensor:
        if x.shape[0] != 2:
            raise ArgumentError("x", "positions in two dimensions", f"{x.shape[0]}")
        i, j = pairs
        d = box.nearest(x[:, j] - x[:, i])
        rho = d.square().sum(0).clamp_min(1e-36).sqrt()
        h = self.shell(rho)
        ux, uy = d / rho
        cos, sin = torch.ones_like(ux), torch.zeros_like(ux)
        total = x.new_zeros(())
        for m, wave in enumerate(self.waves):
            if m:
                cos, sin = cos * ux - sin * uy, sin * ux + cos * uy
            parts = [x.new_zeros(x.shape[1]).index_add(0, i, h * part) for part in ((cos, sin) if m else (cos,))]
            total = total + float(wave) * sum(part.square().sum() for part in parts)
        return self.strength / 2 * (total - float(self.waves.sum()) * h.square().sum())


class Coordination(ManyBody):
    """A wanted number of neighbours: ``U = strength sum_i (z_i - wanted)^2`` with ``z_i = sum_j h(r_ij)``.

    >>> x = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    >>> two = (torch.tensor([0, 1]), torch.tensor([1, 0]))
    >>> from erlangen.fields.colloids.boxes import Open
    >>> float(Coordination(3, 1.0, Shell(1.2, 1.5)).energy(x, two, Open()))
    8.0
    """

    def __init__(self, wanted: float, strength: Any, shell: Shell) -> None:
        self.wanted, self.strength, self.shell, self.range = wanted, strength, shell, shell.outer

    def energy(self, x: Tensor, pairs: tuple[Tensor, Tensor], box: Box) -> Tensor:
        i, j = pairs
        rho = box.nearest(x[:, j] - x[:, i]).square().sum(0).clamp_min(1e-36).sqrt()
        z = x.new_zeros(x.shape[1]).index_add(0, i, self.shell(rho))
        return self.strength * (z - self.wanted).square().sum()


class Template(ManyBody):
    """Local template feedback: each particle's neighbours are pulled to their places in a wanted star, which is turned as fits best.

    The star of ``p`` vectors is fitted to the particle's ``p`` nearest neighbours: a greedy assignment by angle, started from each
    neighbour in turn, and the best rotation (two-dimensional Procrustes). Energy ``k / 2`` times the squared misfit, whose gradient at
    the best rotation is that of the springs. Invariant under translations and rotations; it holds lattices that no forces of
    pairs hold. Where particles have several kinds of stars (the two of a honeycomb), the best fitting one is taken.

    Args:
        stars: star shapes ``[kinds, p, 2]``, or one ``[p, 2]``.
        k: stiffness.
        range: how far neighbours are looked for.

    Source: feedback-stabilised lattices, A. Popli, S. Ganguly, S. Sengupta, Soft Matter 14 (2018).

    >>> star = torch.tensor([[1.0, 0.0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]])
    >>> Template(star, k=10.0, range=2.0).stars.shape
    torch.Size([1, 3, 2])
    """

    def __init__(self, stars: Any, k: Any, range: float) -> None:
        given = torch.as_tensor(stars, dtype=torch.float64)
        given = given.unsqueeze(0) if given.ndim == 2 else given
        if given.ndim != 3 or given.shape[-1] != 2 or not given.shape[1] or not bool(given.isfinite().all()):
            raise ArgumentError("stars", "vectors [p, 2] or [kinds, p, 2], finite", f"shape {tuple(given.shape)}")
        order = torch.atan2(given[..., 1], given[..., 0]).argsort(-1)
        self.stars = given.gather(1, order.unsqueeze(-1).expand_as(given))
        self.k, self.range = k, float(range)

    def energy(self, x: Tensor, pairs: tuple[Tensor, Tensor], box: Box) -> Tensor:
        star = nearest_star(x, pairs, box, self.stars.shape[1])
        # Who has too few neighbours feels nothing, but costs a whole star, so that a dilute gas is no ground state.
        lacking = self.k / 2 * float(self.stars.square().sum()) / len(self.stars)
        if star is None:
            return x.sum() * 0.0 + lacking * x.shape[1]
        misfit, _ = fit_stars(star, self.stars.to(x.dtype))
        return self.k / 2 * misfit.sum() + lacking * (x.shape[1] - len(star))


def nearest_star(x: Tensor, pairs: tuple[Tensor, Tensor], box: Box, p: int) -> Tensor | None:
    """The vectors to the ``p`` nearest neighbours, by angle, ``[m, p, 2]``, of those ``m`` particles that have so many; None: of none."""
    i, j = pairs
    d = box.nearest(x[:, j] - x[:, i])
    rho2 = d.detach().square().sum(0)
    order = rho2.argsort(stable=True)
    order = order[i[order].argsort(stable=True)]
    counts = torch.bincount(i, minlength=x.shape[1])
    enough = (counts >= p).nonzero().flatten()
    if not len(enough):
        return None
    first = (counts.cumsum(0) - counts)[enough]
    chosen = order[first.unsqueeze(1) + torch.arange(p)]
    star = d.T[chosen]
    angle = torch.atan2(star.detach()[..., 1], star.detach()[..., 0]).argsort(-1)
    return star.gather(1, angle.unsqueeze(-1).expand_as(star))


def fit_stars(star: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest squared misfit of stars ``[m, p, 2]`` to turned templates ``[kinds, p, 2]``, both by angle, and which kind, ``[m]``.

    Neighbours in order of angle meet the template's in that order, from each of them on; the best rotation of each is in closed form:
    ``|s|^2 + |t|^2 - 2 |sum s conj(t)|``.
    """
    p = star.shape[1]
    s = torch.complex(star[..., 0], star[..., 1])
    t = torch.complex(wanted[..., 0], wanted[..., 1])
    turns = torch.stack([t.roll(shift, -1) for shift in range(p)], 1)  # [kinds, p, p]
    product = torch.einsum("mp,ksp->mks", s, turns.conj())
    overlap = torch.view_as_real(product).square().sum(-1).clamp_min(1e-36).sqrt()
    best = overlap.amax(-1)
    misfit = star.square().sum((1, 2)).unsqueeze(1) + wanted.square().sum((1, 2)) - 2 * best
    return misfit.min(1)


class Landscape:
    """Any program: ``function(r, history) -> energy``, and the force is minus its gradient with respect to ``r`` alone.

    Args:
        function: takes present positions ``[batch, n, dim]`` and measured ones of the same shape, and returns energies that are summed.
            It must treat particles and space alike where the simulation is to commute with permutations and motions.

    >>> spring = Landscape(lambda r, history: (r - history).square().sum((-1, -2)) / 2)
    """

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.function = function

    def force(self, r: Tensor, history: Tensor, create_graph: bool = False) -> Tensor:
        """``[batch, n, dim]``."""
        with torch.enable_grad():
            leaf = r if create_graph and r.requires_grad else r.detach().requires_grad_()
            energy = self.function(leaf, history)
            if not isinstance(energy, Tensor) or not energy.requires_grad:
                raise ArgumentError("function", "an energy that depends on the present positions", type(energy).__name__)
            (gradient,) = torch.autograd.grad(energy.sum(), leaf, create_graph=create_graph)
        return -gradient


class Bias:
    """A force on each particle: one vector ``[dim]``, one for each particle ``[n, dim]``, or a function of positions ``[batch, n, dim]``.

    >>> Bias([1.0, 0.0]).at(torch.zeros(1, 3, 2)).shape
    torch.Size([1, 3, 2])
    """

    def __init__(self, force: Any) -> None:
        self.force = force if callable(force) else torch.as_tensor(force)

    def at(self, r: Tensor) -> Tensor:
        """``[batch, n, dim]``."""
        value = self.force(r) if callable(self.force) else self.force.to(r)
        return value.expand_as(r)


@dataclass(frozen=True)
class Program:
    """An interaction program: what is laid about particles, and when.

    Attributes:
        cross: the potential that every particle feels about every other.
        core: hard cores that need no computer, always about present positions.
        many: many-body programs.
        own: the potential that a particle feels about its own past.
        timing: when.
        about: what it is for.

    >>> from erlangen.fields.colloids.potentials import WCA, Ring
    >>> Program(cross=Ring(1.0, 4.0, 0.1), core=WCA(0.8)).range
    1.6
    """

    cross: Potential | None = None
    core: Potential | None = None
    many: tuple[ManyBody, ...] = ()
    own: Potential | None = None
    timing: Timing = field(default_factory=Timing)
    about: str = ""

    @property
    def range(self) -> float:
        """How far particles see each other."""
        seen = [part.range for part in (self.cross, self.core, *self.many) if part is not None]
        return max(seen, default=0.0)

    def delayed(self, **timing: Any) -> Program:
        """The same with another timing: ``program.delayed(delay=0.1, hold=0.05)``."""
        from dataclasses import replace

        return replace(self, timing=Timing(**timing))
