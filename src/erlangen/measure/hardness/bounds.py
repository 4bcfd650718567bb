"""What pairwise correlations prove about learners that ask for correlations: query lower bounds, dimensions, gradient signal."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy import stats
from torch import Tensor

from erlangen.equivariance.error import seeded
from erlangen.errors import ArgumentError
from erlangen.measure.hardness.base import Family
from erlangen.measure.hardness.cliques import greedy_independent, largest_independent, pairs_above_diagonal
from erlangen.measure.hardness.gram import Gram, as_gram

#: Up to so many functions the best sub-family is found exactly.
EXACT = 40

#: Thresholds that the greedy search tries.
THRESHOLDS = 32


@dataclass(frozen=True)
class CSQBound:
    """A lower bound on correlational statistical queries.

    Attributes:
        queries: ``N (tau^2 - gamma) / 2``: with fewer queries, 0 is a valid answer to all of them for some function of the family.
        size: ``N``, how many functions the bound rests on.
        gamma: the largest ``|correlation|`` among them.
        tau: the tolerance of a query.
        members: which functions, by position; empty where the bound is about a random sample.
        exact: whether no other sub-family gives more.
        note: one sentence for a person.
    """

    queries: float
    size: int
    gamma: float
    tau: float
    members: tuple[int, ...]
    exact: bool
    note: str


def csq_lower_bound(gram: Gram | Tensor, tau: float) -> CSQBound:
    """How many queries of tolerance ``tau`` a learner must ask, from the correlations of some of the functions it must tell apart.

    A query is a function ``phi`` with ``E phi^2 <= 1``, answered by any number within ``tau`` of ``E f phi``; gradients of the square
    loss are such answers. If ``N`` functions of norm 1 are pairwise correlated by at most ``gamma < tau^2``, then at most
    ``(1 - gamma) / (tau^2 - gamma)`` of them have ``E f phi >= tau`` (expand the squared norm of their sum), and as many ``<= -tau``. For
    all others 0 is a valid answer; so it takes ``N (tau^2 - gamma) / 2`` queries to rule 0 out for every function. (Szorenyi 2009.) A
    learner's output is one more query, hence to correlate by ``tau`` with every member takes at least this number minus 1.

    The sub-family is chosen to make the bound large: the best one up to 40 functions, by a greedy search beyond. Functions are brought to
    norm 1 first. Copies, also up to sign, are correlated by 1 and never counted twice. The entries of a Monte Carlo Gram are replaced by
    upper confidence bounds.

    Args:
        gram: ``[N, N]``, a tensor of exact inner products or a :class:`Gram`.
        tau: tolerance, in (0, 1).

    Raises:
        ArgumentError: ``tau`` is outside (0, 1), or ``gram`` is no Gram matrix of functions that are not zero.

    >>> round(csq_lower_bound(torch.eye(1000, dtype=torch.float64), tau=0.1).queries, 12)
    5.0
    >>> print(csq_lower_bound(torch.ones(3, 3), tau=0.1).note)
    no two functions are correlated by less than tau^2 = 0.01: nothing follows
    """
    if not 0 < tau < 1:
        raise ArgumentError("tau", "a tolerance strictly between 0 and 1", repr(tau))
    size = as_gram(gram).magnitudes()
    off = pairs_above_diagonal(size)
    # A threshold matters only where it is some pair's correlation, and is below tau^2 beyond rounding in single precision.
    thresholds = off[off < tau * tau * (1 - 1e-6)].unique(sorted=True)
    if not len(thresholds):
        note = f"no two functions are correlated by less than tau^2 = {tau * tau:.3g}: nothing follows"
        return CSQBound(0.0, 1, 0.0, tau, (), len(size) <= EXACT, note)
    exact = len(size) <= EXACT
    if not exact and len(thresholds) > THRESHOLDS:
        thresholds = thresholds[torch.linspace(0, len(thresholds) - 1, THRESHOLDS).round().long()]
    best, members = 0.0, []
    for gamma in thresholds.flip(0).tolist():
        if exact:
            needed = math.floor(2 * best / (tau * tau - gamma) * (1 + 1e-12))
            found = largest_independent(size > gamma, more_than=max(1, needed))
        else:
            found = greedy_independent(size > gamma)
        if found is not None and len(found) > 1:
            reached = _largest(size, found)
            if len(found) * (tau * tau - reached) / 2 > best:
                best, members = len(found) * (tau * tau - reached) / 2, found
    gamma = _largest(size, members)
    how = "the best" if exact else "a greedily chosen"
    note = f"{len(members)} of {len(size)} functions, {how} sub-family, pairwise correlated by at most {gamma:.3g}"
    return CSQBound(best, len(members), gamma, tau, tuple(members), exact, note)


def csq_dimension(gram: Gram | Tensor) -> tuple[int, bool]:
    """The largest ``N`` such that ``N`` of the functions are pairwise correlated by at most ``1 / N``, and whether that is exact.

    This is the statistical query dimension (Blum, Furst, Jackson, Kearns, Mansour & Rudich 1994) of the functions given. Exact up to 40
    of them; beyond, a greedy search gives a lower bound.

    >>> csq_dimension(torch.eye(12))
    (12, True)
    >>> csq_dimension(torch.full((12, 12), 0.25) + 0.75 * torch.eye(12))
    (4, True)
    """
    size = as_gram(gram).magnitudes()
    exact = len(size) <= EXACT

    def reached(count: int) -> bool:
        conflicts = size > (1 + 1e-9) / count
        if exact:
            return largest_independent(conflicts, more_than=count - 1) is not None
        return len(greedy_independent(conflicts)) >= count

    # More functions and a smaller threshold are both harder to have: bisection.
    low, high = 1, len(size) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reached(middle) else (low, middle)
    return low, exact


def gradient_signal(gram: Gram | Tensor) -> float:
    """``lambda_max / N``: the most that the squared correlation of any one query with a random function of the family can be on average.

    For every ``phi`` with ``E phi^2 <= 1``, the variance over uniform ``f`` of ``E f phi`` is at most this. Where it is tiny the gradient
    of the square loss hardly depends on the target (compare Shalev-Shwartz, Shamir & Shammah 2017).

    >>> gradient_signal(torch.eye(4))
    0.25
    """
    values = as_gram(gram).correlations()
    return float(torch.linalg.eigvalsh(values)[-1]) / len(values)


def sampled_bound(
    family: Family, tau: float, pairs: int = 20_000, *, confidence: float = 0.95, generator: torch.Generator | None = None
) -> CSQBound:
    """The bound of :func:`csq_lower_bound` for a whole family, from exact correlations of random pairs.

    If a random pair is correlated by more than ``gamma`` with probability ``delta``, then ``floor(1 / delta)`` members are pairwise
    correlated by at most ``gamma`` (Turan's theorem in its limit: among ``M`` independent draws the expected size of such a set is at least
    ``M / (1 + delta (M - 1))``, by Caro and Wei). Here ``gamma = tau^2 / 2``, fixed before anything is drawn, and ``delta`` is replaced by
    its upper confidence limit (Clopper & Pearson 1934); so the bound holds with the stated confidence, and more pairs can prove more.

    Raises:
        ArgumentError: ``tau`` or ``confidence`` is outside (0, 1), or no pairs.
        UnsupportedError: the family has no closed form of products.

    >>> from erlangen.measure.hardness import DegreeParity
    >>> bound = sampled_bound(DegreeParity(200), 0.1, generator=torch.Generator().manual_seed(0))
    >>> bound.size, round(bound.queries, 2)
    (6676, 16.69)
    """
    if not 0 < tau < 1:
        raise ArgumentError("tau", "a tolerance strictly between 0 and 1", repr(tau))
    gamma = tau * tau / 2
    above = (_draw(family, pairs, generator) > gamma).sum()
    size = int(_turan(above, pairs, confidence))
    if size < 2:
        return CSQBound(
            0.0, 1, gamma, tau, (), False, f"random pairs are too often correlated by more than {gamma:.3g}: nothing follows"
        )
    note = f"{size} members pairwise correlated by at most {gamma:.3g} exist, with confidence {confidence:g} ({pairs} random pairs)"
    return CSQBound(size * (tau * tau - gamma) / 2, size, gamma, tau, (), False, note)


def sampled_dimension(
    family: Family, pairs: int = 20_000, *, confidence: float = 0.95, generator: torch.Generator | None = None
) -> int:
    """A lower confidence bound of the statistical query dimension of a whole family, from exact correlations of random pairs.

    As :func:`sampled_bound`; the hypotheses "some ``N`` members are pairwise correlated by at most ``1 / N``" are tested in a fixed order
    of growing ``N``, up to the first that fails, so that the last to pass has the stated confidence. At most about a third of ``pairs``.

    Raises:
        ArgumentError: ``confidence`` is outside (0, 1), or no pairs.
        UnsupportedError: the family has no closed form of products.

    >>> from erlangen.measure.hardness import SparseInvariant
    >>> sampled_dimension(SparseInvariant(40, 5), 3000, generator=torch.Generator().manual_seed(0))
    1001
    """
    correlations = _draw(family, pairs, generator).sort().values
    counts = torch.arange(2, max(3, pairs), dtype=torch.float64)
    above = pairs - torch.searchsorted(correlations, 1 / counts, right=True)
    passed = _turan(above, pairs, confidence) >= counts
    return 1 + int(passed.long().cumprod(0).sum())


def _draw(family: Family, pairs: int, generator: torch.Generator | None) -> Tensor:
    if pairs < 1:
        raise ArgumentError("pairs", "at least one pair", repr(pairs))
    return family.sample_correlations(pairs, seeded(generator)).abs()


def _turan(above: Tensor, pairs: int, confidence: float) -> Tensor:
    """``floor(1 / delta)`` for the upper confidence limit of ``delta``, the share of pairs that are too much correlated."""
    if not 0 < confidence < 1:
        raise ArgumentError("confidence", "a level strictly between 0 and 1", repr(confidence))
    limit = stats.beta.ppf(confidence, above + 1, (pairs - above).clamp_min(1e-9))
    return torch.as_tensor(1 / limit).floor()


def _largest(size: Tensor, members: list[int]) -> float:
    return float(pairs_above_diagonal(size[members][:, members]).max())
