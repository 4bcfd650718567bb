"""How strong is the case for an algebra? Its own moves against random moves of the same size, before a fresh judge."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.discover.confidence import TELLABLE, TOO_WIDE, at_displacement, judge
from erlangen.discover.samples import Samples
from erlangen.measure import auc_interval
from erlangen.verdict import Verdict

#: The displacement of tokens at which moved data are judged.
DISPLACEMENT = 1.0
#: A symmetry's moves are told apart at most this part as well as random moves of the same size are. On simulated data, exact symmetries
#: measured 0 to 25 % (the latter on orbits that cover half of the plane), near misses 53 % and more.
SHARE = 0.38
#: Without outputs that move along, where nothing but the distribution of the samples is asked about, a difference that is certain (the
#: whole interval above one half) may be this large at most. Exact symmetries measured 0 to 7 %, uniform cubes taken for balls 29 %.
SHARE_IF_CERTAIN = 0.15
#: The same for an algebra that keeps a quadric on which the data lie exactly, which is a second, independent indication.
SHARE_ON_QUADRIC = 0.7


def share_told(auc: float, chance: float) -> float:
    """How well a judge tells moved data, as a part of how well it tells randomly moved ones.

    >>> share_told(0.6, 0.9), share_told(0.4, 0.9), share_told(0.6, 0.5)
    (0.24999999999999994, 0.0, 1.0)
    """
    return max(0.0, auc - 0.5) / (chance - 0.5) if chance > 0.5 else 1.0


def evidence(
    basis: Float[Tensor, "k n n"], data: Samples, mask: Tensor | None = None, seed: int = 0, on_quadric: bool = False
) -> Verdict:
    """Whether data that were not used for finding the algebra look the same after its moves.

    A judge can only fail to see a difference that it could have seen: random generators (as many, in the same places) that move tokens
    equally far are judged beside. The verdict holds when the algebra's moves are told apart much less well than the random ones (at most
    0.38 of the area above one half; 0.7 for an algebra that keeps a quadric on which the data lie), and the upper end of the interval
    still is: few data leave it too wide. Where no output moves along, the area must be below 0.6, too, and the share at most 0.15 if the
    interval excludes one half. Pairs are spared that, because inputs may cover a part of the orbits only: what should stay is the output
    given the input.

    Args:
        basis: generators ``[K, n, n]``, of any scale.
        data: held-out samples.
        mask: ``[n, n]``, where random generators may be non-zero.
        seed: of everything random.
        on_quadric: whether the data lie exactly on a quadric that the algebra keeps.

    Returns:
        a :class:`Verdict` with numbers ``auc``, ``auc_random`` and ``displacement``; the interval is that of ``auc``.
    """
    basis = basis.to(torch.float64)
    tokens = data.scaled()[0].tokens
    moves = at_displacement(basis, tokens, DISPLACEMENT)
    # Each half of the data is tested by a judge trained on the other one, so that all of them count.
    folds = [judge(moves, data, seed=seed, swapped=swapped) for swapped in (False, True)]
    tried = sum(fold.verdict.tried for fold in folds)
    auc = sum(fold.verdict["auc"] for fold in folds) / len(folds)
    low, high = auc_interval(auc, tried // 2, tried // 2)
    rng = torch.Generator().manual_seed(seed + 1)
    random = []
    for draw in range(2):
        other = torch.randn(basis.shape, generator=rng, dtype=torch.float64) * (1 if mask is None else mask)
        random.append(judge(at_displacement(other, tokens, DISPLACEMENT), data, seed=seed + draw).verdict["auc"])
    chance = sum(random) / len(random)
    seen = chance - 0.5
    told = share_told(auc, chance)
    limit = SHARE_ON_QUADRIC if on_quadric else SHARE
    clear = on_quadric or data.y.shape[1] > 0 or (auc < TELLABLE and (low <= 0.5 or told <= SHARE_IF_CERTAIN))
    close = clear and told <= limit
    # Noise must neither make a near miss look good nor random moves look bad.
    enough = high - auc <= TOO_WIDE and seen > high - auc and (not close or high - 0.5 <= limit * seen)
    holds = enough and close
    compared = f"moved data are told apart {told:.0%} as well as randomly moved ones"
    if not enough:
        reason = "not enough data to tell"
    elif not holds:
        reason = f"{compared}: too well for a symmetry"
    elif told > SHARE:
        reason = f"{compared}: not a symmetry of the distribution, but of the quadric that the data lie on"
    else:
        reason = compared
    return Verdict(
        holds=holds,
        claim="the data look the same after the algebra's moves",
        how="statistical",
        tried=tried,
        numbers={"auc": auc, "auc_random": chance, "displacement": folds[0].displacement},
        interval=(low, high),
        reason=reason,
    )
