"""Are orbits aligned? The quadrupole of a population's directions, from the directions that are left of each binary."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.stats import chi2, norm
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups import SO
from erlangen.verdict import Verdict

#: The density ``1 + 15/2 Q_ij L_i L_j`` of directions has the second moments ``delta_ij / 3 + Q_ij``.
DENSITY = 7.5
#: Combinations of components that carry less than this share of what the best one does are not seen at all (rounding leaves 1e-15).
UNSEEN = 1e-12


def turns_about(k: Float[Tensor, "*batch 3"], n: int) -> Float[Tensor, "n *batch 3 3"]:
    """The rotations by multiples of ``2 pi / n`` about unit vectors."""
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ArgumentError("n", "how many directions are left of each, at least 1", repr(n))
    angles = 2 * math.pi / n * torch.arange(n, dtype=k.dtype, device=k.device)
    axis = k / k.norm(dim=-1, keepdim=True)
    zero = torch.zeros_like(axis[..., 0])
    x, y, z = axis.unbind(-1)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    angles = angles.view(n, *(1,) * (cross.ndim))
    eye = torch.eye(3, dtype=k.dtype, device=k.device)
    return eye + angles.sin() * cross + (1 - angles.cos()) * (cross @ cross)


def reynolds_projector(k: Float[Tensor, "*batch 3"], n: int, degree: int = 2) -> Float[Tensor, "*batch d d"]:
    """The average over the turns by ``2 pi / n`` about the line of sight, on harmonics of a degree: ``d = 2 degree + 1``.

    It keeps the orders about the line of sight that ``n`` divides: of degree 2, one of five for four candidates, three for two.

    >>> k = torch.tensor([0.0, 0.6, 0.8], dtype=torch.float64)
    >>> [round(float(reynolds_projector(k, n).trace())) for n in (4, 2, 1)]
    [1, 3, 5]
    """
    return SO(3).irrep(degree)(turns_about(k, n)).mean(0)


@dataclass(frozen=True)
class Quadrupole:
    """A quadrupole of directions, ``Q_ij = <L_i L_j> - delta_ij / 3``.

    Attributes:
        Q: symmetric, without trace, ``[3, 3]``; what is not seen of it is zero.
        components: ``Q`` in an orthonormal basis of five such matrices (:func:`basis`), ``[5]``.
        covariance: of the components, ``[5, 5]``, within what is seen.
        isotropic: the verdict on "all directions are alike", by the likelihood ratio.
        count: how many binaries.
        unseen: combinations of components of which these candidates tell nothing, ``[5, k]``: where all lines of sight are one, two of
            five with two candidates each, and four with four.
    """

    Q: Tensor
    components: Tensor
    covariance: Tensor
    isotropic: Verdict
    count: int
    unseen: Tensor

    @property
    def significance(self) -> float:
        """Of alignment, in standard deviations of a normal variable (one-sided)."""
        p, half, shape = self.isotropic["p"], self.isotropic["chi2"] / 2, self.isotropic["degrees of freedom"] / 2
        if p > 1e-300:
            return float(norm.isf(p))
        log_p = -half + (shape - 1) * math.log(half) - math.lgamma(shape)  # of the upper incomplete gamma function, far out
        return float(brentq(lambda z: norm.logsf(z) - log_p, 30.0, 2 * math.sqrt(2 * half)))

    def along(self, axis: Float[Tensor, " 3"]) -> tuple[float, float]:
        """``<(L.axis)^2> - 1/3`` and its standard error; the significance of alignment with an axis that was named before.

        The error is infinite where the candidates do not tell all of it.

        Raises:
            ArgumentError: an axis without a direction.
        """
        a = _unit(axis)
        direction = torch.einsum("cij,i,j->c", basis(), a, a)
        if float((direction @ self.unseen).norm()) > 1e-6:
            return float(direction @ self.components), math.inf
        return float(direction @ self.components), math.sqrt(float(direction @ self.covariance @ direction))


def _unit(axis: Tensor) -> Tensor:
    a = torch.as_tensor(axis, dtype=torch.float64)
    if a.shape != (3,) or not bool(a.isfinite().all()) or float(a.norm()) == 0:
        raise ArgumentError("axis", "a vector of three finite numbers, not all zero", repr(axis))
    return a / a.norm()


def basis() -> Float[Tensor, "5 3 3"]:
    """An orthonormal basis of symmetric matrices without trace; the first is along the third axis."""
    B = torch.zeros(5, 3, 3, dtype=torch.float64)
    B[0] = torch.diag(torch.tensor([-1.0, -1.0, 2.0])) / math.sqrt(6)
    B[1] = torch.diag(torch.tensor([1.0, -1.0, 0.0])) / math.sqrt(2)
    for c, (i, j) in enumerate(((0, 1), (0, 2), (1, 2)), start=2):
        B[c, i, j] = B[c, j, i] = 1 / math.sqrt(2)
    return B


def quadrupole(vectors: Float[Tensor, "count n 3"], weights: Float[Tensor, "count n"] | None = None) -> Quadrupole:
    """The quadrupole by maximum likelihood, from the directions that are left of each binary.

    Each binary counts with its density ``1 + 15/2 Q_ij L_i L_j`` averaged over its candidates, which is linear in ``Q``: the average is
    the Reynolds operator of the turns about its line of sight, so that only the components that they leave weigh (of five, one for four
    candidates, three for two). The likelihood is concave in the five components; they are found by Newton's method, their covariance from
    its curvature. Isotropy is tested by the ratio of likelihoods, which is chi-squared with as many degrees of freedom as components are
    seen: five, or fewer where lines of sight are all alike.

    Args:
        vectors: unit vectors of candidates, all in one frame.
        weights: how likely each is, summing to 1 for each binary; by default alike.

    Raises:
        ArgumentError: fewer than 20 binaries, vectors that are not of length 1, weights that are negative or do not sum to 1.

    >>> L = torch.randn(3000, 1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> found = quadrupole(L / L.norm(dim=-1, keepdim=True))
    >>> bool(found.isotropic), bool(found.Q.abs().max() < 0.03)
    (True, True)
    """
    if vectors.ndim != 3 or vectors.shape[-1] != 3 or len(vectors) < 20:
        raise ArgumentError("vectors", "unit vectors [count, n, 3] of at least 20 binaries", f"shape {tuple(vectors.shape)}")
    vectors = vectors.to(torch.float64)
    if not bool(((vectors.norm(dim=-1) - 1).abs() < 1e-6).all()):
        raise ArgumentError("vectors", "vectors of length 1", f"length {float(vectors.norm(dim=-1).max())!r}")
    if weights is None:
        weights = vectors.new_full(vectors.shape[:2], 1 / vectors.shape[1])
    weights = weights.to(torch.float64)
    if weights.shape != vectors.shape[:2] or bool((weights < 0).any()) or not bool(((weights.sum(-1) - 1).abs() < 1e-6).all()):
        raise ArgumentError("weights", "numbers of at least 0 that sum to 1 for each binary", f"shape {tuple(weights.shape)}")
    every = DENSITY * torch.einsum("bn,bni,bnj,cij->bc", weights, vectors, vectors, basis())
    size, axes = torch.linalg.eigh(every.mT @ every / len(every))
    if not float(size[-1]) > UNSEEN:
        raise ArgumentError("vectors", "candidates that tell something of a quadrupole", "candidates that average to none")
    within = size > UNSEEN * size[-1]
    axes, unseen = axes[:, within], axes[:, ~within]
    seen = every @ axes
    q = seen.new_zeros(seen.shape[1])
    value = 0.0
    for _ in range(100):
        density = 1 + seen @ q
        slope = (seen / density[:, None]).sum(0)
        curvature = torch.einsum("bc,bd,b->cd", seen, seen, density**-2)
        step = torch.linalg.solve(curvature, slope)
        share = 1.0
        while True:  # stay where every density is positive, and climb
            moved = 1 + seen @ (q + share * step)
            if bool((moved > 0).all()) and float(moved.log().sum()) >= value:
                break
            share /= 2
            if share < 1e-9:
                break
        if share < 1e-9:
            break
        gained = float(moved.log().sum()) - value
        q, value = q + share * step, value + gained
        if gained < 1e-12:
            break
    density = 1 + seen @ q
    covariance = torch.linalg.inv(torch.einsum("bc,bd,b->cd", seen, seen, density**-2))
    statistic = 2 * value
    p = float(chi2.sf(statistic, len(q)))
    numbers = {"chi2": statistic, "p": p, "degrees of freedom": len(q)}
    verdict = Verdict(p > 0.01, "all directions are alike", "statistical", tried=len(vectors), numbers=numbers,
                      reason=f"chi-squared {statistic:.1f} with {len(q)} degree{'s' * (len(q) > 1)} of freedom")  # fmt: skip
    q, covariance = axes @ q, axes @ covariance @ axes.mT
    return Quadrupole(torch.einsum("c,cij->ij", q, basis()), q, covariance, verdict, len(vectors), unseen)


def draw_directions(
    count: int, strength: float, axis: Float[Tensor, " 3"], generator: torch.Generator | None = None
) -> Float[Tensor, "count 3"]:
    """Directions with the density ``1 + 15/2 strength ((L.axis)^2 - 1/3)``: ``Q`` is ``strength (axis axis - 1/3)``.

    Args:
        count: how many.
        strength: from -0.2 to 0.4, where the density is positive.
        axis: that they are aligned with.

    Raises:
        ArgumentError: another strength, no whole number, an axis without a direction.
    """
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ArgumentError("count", "a whole number of at least 0", repr(count))
    if not -0.2 <= strength <= 0.4:
        raise ArgumentError("strength", "a number from -0.2 to 0.4, for which the density is positive", repr(strength))
    a = _unit(axis)
    top = max(1 - DENSITY * strength / 3, 1 + 2 * DENSITY * strength / 3)
    kept = torch.zeros(0, 3, dtype=torch.float64)
    while len(kept) < count:
        L = torch.randn(2 * count, 3, dtype=torch.float64, generator=generator)
        L = L / L.norm(dim=-1, keepdim=True)
        density = 1 + DENSITY * strength * ((L @ a) ** 2 - 1 / 3)
        kept = torch.cat([kept, L[torch.rand(len(L), dtype=torch.float64, generator=generator) * top < density]])
    return kept[:count]
