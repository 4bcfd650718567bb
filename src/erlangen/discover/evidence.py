"""How strong is the case for an algebra? Its own moves against random moves of the same size, before a fresh judge."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.discover.confidence import TOO_WIDE, at_displacement, judge
from erlangen.discover.samples import Samples
from erlangen.verdict import Verdict

#: The displacement of tokens at which moved data are judged.
DISPLACEMENT = 0.5
#: A symmetry's moves are told apart at most this part as well as random moves of the same size are.
SHARE = 0.35
#: However well random moves are told apart, those of a symmetry are not told apart better than this.
MOST = 0.7


def evidence(
    basis: Float[Tensor, "k n n"], data: Samples, mask: Tensor | None = None, seed: int = 0, share: float | None = None
) -> Verdict:
    """Whether data that were not used for finding the algebra look the same after its moves.

    A judge can only fail to see a difference that it could have seen: random generators (as many, in the same places) that move tokens
    equally far are judged beside. The verdict holds when the algebra's moves are told apart much less well than the random ones
    (at most 0.35 of the area above one half) and not well in absolute terms (area below 0.7).

    Args:
        basis: generators ``[K, n, n]``, of any scale.
        data: held-out samples.
        mask: ``[n, n]``, where random generators may be non-zero.
        seed: of everything random.
        share: how well, as a part of chance, moved data may be told apart; by default 0.35.

    Returns:
        a :class:`Verdict` with numbers ``auc``, ``auc_random``, ``auc_unit`` (at unit-norm generators and ``w ~ N(0, 1)``) and
        ``displacement``; the interval is that of ``auc``.
    """
    basis = basis.to(torch.float64)
    n = basis.shape[-1]
    tokens = data.scaled()[0].tokens
    own = judge(at_displacement(basis, tokens, DISPLACEMENT), data, seed=seed)
    rng = torch.Generator().manual_seed(seed + 1)
    random = []
    for draw in range(2):
        other = torch.randn(basis.shape, generator=rng, dtype=torch.float64) * (1 if mask is None else mask)
        random.append(judge(at_displacement(other, tokens, DISPLACEMENT), data, seed=seed + draw).verdict["auc"])
    chance = sum(random) / len(random)
    norms = basis.flatten(1).norm(dim=1).clamp_min(1e-12)
    unit = judge(basis * (n**0.5 / norms)[:, None, None], data, seed=seed).verdict["auc"]
    interval = own.verdict.interval
    assert interval is not None
    low, high = interval
    auc = own.verdict["auc"]
    seen = chance - 0.5
    enough = high - auc <= TOO_WIDE and seen > high - auc
    alike = auc - 0.5 <= (SHARE if share is None else share) * seen
    holds = enough and alike and auc < MOST
    if not enough:
        reason = "not enough data to tell"
    elif holds:
        reason = f"moved data are told apart {max(0.0, auc - 0.5) / seen:.0%} as well as randomly moved ones"
    else:
        reason = f"moved data are told apart {max(0.0, auc - 0.5) / seen:.0%} as well as randomly moved ones: too well for a symmetry"
    return Verdict(
        holds=holds,
        claim="the data look the same after the algebra's moves",
        how="statistical",
        tried=own.verdict.tried,
        numbers={"auc": auc, "auc_random": chance, "auc_unit": unit, "displacement": own.displacement},
        interval=interval,
        reason=reason,
    )
