"""Is a discovered symmetry one of the data? A fresh judge, trained on data the discoverer has not seen, tries to tell."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from erlangen.data.distinct import arranged, boundary, distinct
from erlangen.discover.discriminator import Discriminator
from erlangen.discover.exponential import matrix_exp
from erlangen.discover.samples import Samples
from erlangen.errors import ArgumentError
from erlangen.measure import auc, auc_interval
from erlangen.verdict import Verdict

#: Moved and unmoved data that a judge tells apart with at least this area under the curve do not share a symmetry.
TELLABLE = 0.6
#: An interval wider than this, to either side, is no evidence for anything.
TOO_WIDE = 0.1
#: Moves that change tokens by less than this part of their size, root mean square, are too small to be evidence.
REAL_MOVE = 0.35


@dataclass(frozen=True)
class Judged:
    """What a judge found.

    Attributes:
        verdict: holds when moved data cannot be told from unmoved ones: the upper end of the interval of the area under the curve
            lies below 0.6.
        displacement: how far the elements moved tokens, root mean square, relative to the tokens.
    """

    verdict: Verdict
    displacement: float


def judge(
    basis: Float[Tensor, "k n n"],
    data: Samples,
    *,
    steps: int = 600,
    width: int = 128,
    seed: int = 0,
    confidence: float = 0.95,
    swapped: bool = False,
) -> Judged:
    """Train a discriminator on half of ``data`` against the same half moved by ``exp(sum_k w_k L_k)``, ``w ~ N(0, 1)``; test on the rest.

    Weights decay and the best of several stops on a part of the training half is kept, so that a judge does not lose to noise.

    Args:
        basis: generators at the scale to be tried.
        data: samples that were not used for finding them.
        steps: of the judge.
        width: of its hidden layers.
        seed: of everything random.
        confidence: level of the interval.
        swapped: train on the half that is tested on otherwise.
    """
    rng = torch.Generator().manual_seed(seed)
    data, _ = data.scaled()
    basis = basis.to(torch.float32)
    w = torch.randn(len(data), len(basis), generator=rng, dtype=torch.float32)
    tokens = data.tokens
    moved = tokens @ matrix_exp((w @ basis.flatten(1)).view(len(data), *basis.shape[1:])).mT
    displacement = float(((moved - tokens).square().sum(-1) / tokens.square().sum(-1).clamp_min(1e-12)).mean().sqrt())
    kinds = distinct(tokens)
    order = arranged(kinds, rng)
    order = order.flip(0) if swapped else order
    # Copies of a sample stay together: a judge that has seen one would know the other.
    cut, early = (boundary(kinds, order, max(1, len(data) // part)) for part in (2, 8))
    fit, stop, test = order[early:cut], order[:early], order[cut:]
    if not len(fit) or not len(test):
        raise ArgumentError(
            "x", "more different samples, to train a judge on some and to ask it about others", int(kinds.max()) + 1
        )
    different = len(kinds[test].unique())
    flat = torch.cat([torch.cat([t.flatten(1), data.scalars], 1) for t in (tokens, moved)])  # [2 N, F]
    both = flat[torch.cat([fit, fit + len(data)])]
    centre, spread = both.mean(0), both.std(0).clamp_min(1e-6)
    flat = ((flat - centre) / spread).clamp(-10, 10)
    model = Discriminator(data.features, width, data.classes, rng)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.05, fused=data.x.device.type in ("cpu", "cuda"))
    weights = list(model.parameters())

    def logits(index: Tensor) -> Tensor:
        """Of the samples and of the same moved, in one pass."""
        return model(flat[torch.cat([index, index + len(data)])], None if data.labels is None else data.labels[index].repeat(2))

    def unmoved(index: Tensor) -> Tensor:
        return torch.cat([torch.ones(len(index), dtype=torch.float32), torch.zeros(len(index), dtype=torch.float32)])

    def area(index: Tensor) -> float:
        with torch.no_grad():
            return auc(logits(index), unmoved(index))

    batch = min(256, len(fit))
    signs = 1 - 2 * unmoved(fit[:batch]).to(flat.device)
    best, kept = -1.0, None
    for step in range(steps):
        index = fit[torch.randint(len(fit), (batch,), generator=rng)]
        loss = F.softplus(signs * logits(index)).mean()
        for p, grad in zip(weights, torch.autograd.grad(loss, weights)):
            p.grad = grad
        optimizer.step()
        if (step + 1) % max(1, steps // 12) == 0 and (now := area(stop)) > best:
            best, kept = now, {name: t.detach().clone() for name, t in model.state_dict().items()}
    if kept is not None:
        model.load_state_dict(kept)
    value = area(test)
    low, high = auc_interval(value, different, different, confidence)
    enough = high - value <= TOO_WIDE
    told = "can be told apart" if value >= TELLABLE else "cannot be told apart"
    return Judged(
        Verdict(
            holds=enough and high < TELLABLE,
            claim="moved and unmoved data cannot be told apart",
            how="statistical",
            tried=2 * different,
            numbers={"auc": value},
            interval=(low, high),
            confidence=confidence,
            reason=told if enough else "not enough data to tell",
        ),
        displacement,
    )


def at_fitted_scale(basis: Float[Tensor, "k n n"], data: Samples, seed: int = 0) -> Verdict:
    """Whether held-out data survive the learned generators as they are, at the scale they were learned at.

    Generators that shrink towards zero survive anything: where the fitted moves are small beside the tokens, they are judged at norm
    ``sqrt(n)`` instead.

    Returns:
        a :class:`Verdict` with numbers ``auc`` (which decides), ``auc_fitted``, ``auc_unit`` (at norm ``sqrt(n)``) and ``displacement``
        (of tokens at the fitted scale).
    """
    norms = basis.flatten(1).norm(dim=1).clamp_min(1e-12)
    fitted = judge(basis, data, seed=seed)
    unit = judge(basis * (basis.shape[-1] ** 0.5 / norms)[:, None, None], data, seed=seed)
    shrunk = fitted.displacement < REAL_MOVE
    verdict = unit.verdict if shrunk else fitted.verdict
    numbers = {
        "auc": verdict["auc"],
        "auc_fitted": fitted.verdict["auc"],
        "auc_unit": unit.verdict["auc"],
        "displacement": fitted.displacement,
    }
    where = "at unit norm, as the learned moves are too small to tell" if shrunk else "at the fitted scale"
    return replace(verdict, numbers=numbers, reason=f"{verdict.reason} ({where})")


def at_displacement(basis: Float[Tensor, "k n n"], tokens: Float[Tensor, "N T n"], displacement: float) -> Float[Tensor, "k n n"]:
    """The generators scaled so that ``w ~ N(0, 1)`` moves tokens by about ``displacement``, root mean square and to first order."""
    unit = torch.einsum("kij,ntj->knti", basis, tokens.to(basis.dtype)).square().sum(-1).sum(0)
    rate = (unit / tokens.to(basis.dtype).square().sum(-1).clamp_min(1e-12)).mean().sqrt()
    return basis * (displacement / rate.clamp_min(1e-12))
