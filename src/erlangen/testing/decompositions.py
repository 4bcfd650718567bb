"""`check_decomposition`: that factors, coordinates and points agree, and that the density is that of the invariant measure."""

from __future__ import annotations

import torch

from erlangen.errors import UnsupportedError
from erlangen.groups.decompositions import Decomposition, Normal
from erlangen.testing.laws import Laws
from erlangen.verdict import Verdict

#: Estimates of one integral may differ by this many standard errors.
DEVIATIONS = 6.0
#: How many points an integral takes.
POINTS = 2**16


def check_decomposition(how: Decomposition, *, seed: int = 0, trials: int = 16, scale: float = 0.7, atol: float = 1e-9) -> Verdict:
    """Check a decomposition of a group.

    On random points: that the product of the factors is the element, that coordinates lead back to it (where the group has them), that
    points are elements, that their weights are the density over that of the window, that a seed decides them, and that batches go
    through. And that the integral of a bump does not change, beyond six standard errors, when its argument is multiplied from the left.

    Args:
        how: what to check.
        seed, trials: of the random points.
        scale: deviation of the normal law of their coordinates, wide enough to cover a bump about the identity.
        atol: relative tolerance, in float64.

    Raises:
        AssertionError: naming the law and by how much it fails.

    >>> from erlangen.groups import SL
    >>> bool(check_decomposition(SL(2).decomposition("iwasawa")))
    True
    """
    laws, group = Laws(how, atol), how.group
    window = Normal(scale)

    def points(count: int, kind: str = "random"):
        return how.points(count, window, kind, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    g = points(trials).elements
    for kind in ("random", "sobol"):
        one, two = points(trials, kind), points(trials, kind)
        laws.true(f"a seed decides {kind} points", torch.equal(one.elements, two.elements))
        laws.true(f"{kind} points are elements", group.contains(one.elements).all())
    laws.equal("the product of the factors is the element", how.join(*how.split(g)), g)
    laws.equal(
        "factors of a batch are those of its elements",
        [f[:1] for f in how.split(g)],
        [f.unsqueeze(0) for f in how.split(g[0])],
    )
    laws.true("densities have the batch's shape", how.log_density(g).shape == (trials,))
    try:
        c = how.coordinates(how.element(scale * _normal(trials, how.dim, seed)))
    except UnsupportedError:
        pass
    else:
        laws.true("coordinates have the stated number", c.shape == (trials, how.dim))
        laws.equal("coordinates lead back to the element", how.element(how.coordinates(how.element(c))), how.element(c))
    moves = how.points(
        4, Normal(0.5 * scale), "random", generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    ).elements
    _check_measure(how, laws, moves, window, seed)
    return laws.verdict()


def _check_measure(how: Decomposition, laws: Laws, moves: torch.Tensor, window: Normal, seed: int) -> None:
    """That integrals by its points are invariant under multiplication from the left."""
    group = how.group
    one = group.identity(dtype=torch.float64)

    def bump(g: torch.Tensor) -> torch.Tensor:
        both = (g - one).square().sum((-2, -1)) + (group.inverse(g) - one).square().sum((-2, -1))
        return (-4 * both).exp()

    def change(g: torch.Tensor) -> torch.Tensor:
        g = g.unsqueeze(1)
        return bump(group.multiply(moves, g)) - bump(g)

    value, error = how.integrate(change, window, POINTS, "sobol", torch.Generator().manual_seed(seed))
    laws.true(
        "integrals do not move under multiplication from the left",
        (value.abs() <= DEVIATIONS * error + laws.atol).all(),
        f"a bump's integral moves by {float((value / error).abs().max()):.3g} standard errors",
    )


def _normal(count: int, dim: int, seed: int) -> torch.Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
