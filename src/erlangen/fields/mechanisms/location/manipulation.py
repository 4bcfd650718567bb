"""Strategy-proofness: every report of a finite domain, or a hunt for one that pays."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.location.domain import Domain
from erlangen.fields.mechanisms.location.mechanism import Mechanism
from erlangen.fields.mechanisms.location.profiles import agent_costs, spread
from erlangen.fields.mechanisms.location.rule import expected_costs, outcomes_of
from erlangen.fields.mechanisms.location.witness import Manipulation

#: A gain counts from this share of the profile's size on.
TOLERANCE = 1e-9
#: Tables of costs have at most so many entries.
LARGEST = 60_000_000


def manipulation_on(
    mechanism: Mechanism, domain: Domain, n: int, norm: float, coalition: int = 1
) -> tuple[Manipulation | None, int]:
    """The most profitable manipulation by agents of a finite domain, all reports being points of it, and how many were looked at.

    Of a coalition every member has to gain.

    Raises:
        ArgumentError: the domain has too many profiles to go through.
    """
    m = len(domain)
    if m ** (n + 1) > LARGEST or (coalition > 1 and m ** (n + coalition) > LARGEST):
        raise ArgumentError(
            "data",
            f"a domain of at most {LARGEST} cases to go through",
            f"{m} points and n = {n}",
            "give profiles, or let them be drawn",
        )
    profiles = domain.profiles(n)
    y = outcomes_of(mechanism, domain.locations(profiles))
    points = torch.from_numpy(domain.points)
    cost = agent_costs(points, y, norm).mean(-2).reshape(*(m,) * n, m)  # of an agent at the last axis' point, for all profiles
    best: tuple[float, tuple[int, ...], np.ndarray, np.ndarray] | None = None
    tried = 0
    for size in range(1, coalition + 1):
        for who in itertools.combinations(range(n), size):
            # For each truth (a profile) and each joint report b: what every member gains.
            rest = [a for a in range(n) if a not in who]
            moved = cost.permute(*who, *rest, n).reshape(m**size, m ** (n - size), m)  # [b, others, point]
            least: Tensor | None = None
            truths = torch.from_numpy(np.indices((m,) * size).reshape(size, -1))  # member, truth
            for member in range(size):
                at = truths[member]
                told = moved[:, :, at]  # [b, others, truth]: cost of a member at its place after the report b
                honest = moved[torch.arange(m**size), :, at].T  # [others, truth]
                gain = honest.unsqueeze(0) - told
                least = gain if least is None else torch.minimum(least, gain)
            assert least is not None
            tried += least.numel()
            worst = int(least.argmax())
            value = float(least.flatten()[worst])
            if best is None or value > best[0]:
                b, others, truth = np.unravel_index(worst, least.shape)
                whole = np.empty(n, dtype=np.int64)
                whole[list(who)] = truths[:, truth].numpy()
                whole[rest] = np.unravel_index(others, (m,) * len(rest)) if rest else []
                best = (value, who, whole, np.array(np.unravel_index(b, (m,) * size)))
    assert best is not None
    value, who, profile, report = best
    if value <= TOLERANCE * domain.scale:
        return None, tried
    x = domain.locations(profile)
    return witnessed(mechanism, x, who, torch.from_numpy(domain.points[report]), norm), tried


def search_manipulation(
    mechanism: Mechanism,
    x: Float[Tensor, "count n d"],
    norm: float,
    generator: torch.Generator,
    reports: Float[Tensor, "m d"] | None = None,
    refine: int = 6,
    agents: Sequence[int] | None = None,
) -> tuple[Manipulation | None, int]:
    """The most profitable report that was found, for one agent of one of the profiles, and how many were tried.

    Each agent tries the others' places, the chosen places and its mirror images in them, far points along the axes, the report that would
    move a mean to it, and random ones; the most promising are improved by Nelder and Mead's method. With ``reports``, each agent
    tries these and nothing else; with ``agents``, only these agents are tried.
    """
    promising: list[tuple[float, int, int, Tensor]] = []
    tried = 0
    count, n, d = x.shape
    step = max(1, 500_000 // (n * n * d * 16))
    for start in range(0, count, step):
        part = x[start : start + step]
        y = outcomes_of(mechanism, part)
        honest = expected_costs(part, y, norm)
        size = spread(part).clamp_min(1e-6 * part.abs().amax((1, 2)).clamp_min(1e-300))
        for agent in range(n) if agents is None else agents:
            tries = _candidates(part, y, agent, generator) if reports is None else reports.to(part).expand(len(part), -1, -1)
            changed = part.unsqueeze(1).repeat(1, tries.shape[1], 1, 1)
            changed[:, :, agent] = tries
            after = outcomes_of(mechanism, changed)
            cost = agent_costs(part[:, None, None, agent : agent + 1], after, norm).squeeze(-1).mean(-1)
            gain = (honest[:, agent : agent + 1] - cost) / size[:, None]
            tried += gain.numel()
            value, where = gain.max(1)
            for i in value.topk(min(2, len(value))).indices.tolist():
                promising.append((float(value[i]), start + i, agent, tries[i, where[i]].clone()))
    promising.sort(key=lambda entry: -entry[0])
    best = promising[0]
    if reports is None:
        for _, i, agent, begin in promising[:refine]:
            better, refined, used = _refined(mechanism, x[i], agent, begin, norm)
            tried += used
            if better > best[0]:
                best = (better, i, agent, refined)
    if best[0] <= TOLERANCE:
        return None, tried
    _, i, agent, told = best
    return witnessed(mechanism, x[i], (agent,), told[None], norm), tried


def search_coalition(
    mechanism: Mechanism, x: Float[Tensor, "count n d"], norm: float, generator: torch.Generator, coalition: int
) -> tuple[Manipulation | None, int]:
    """A coalition of up to so many agents who all gain by joint reports.

    The reports are the candidates of :func:`search_manipulation`, combined at random.
    """
    count, n, d = x.shape
    y = outcomes_of(mechanism, x)
    honest, tried = expected_costs(x, y, norm), 0
    size = spread(x).clamp_min(1e-6 * x.abs().amax((1, 2)).clamp_min(1e-300))
    best: tuple[float, int, tuple[int, ...], Tensor] | None = None
    for members in range(1, min(coalition, n) + 1):
        for who in itertools.combinations(range(n), members):
            told = [_candidates(x, y, agent, generator) for agent in who]
            draws = told[0].shape[1] * (1 if members == 1 else 8)
            pick = [
                torch.arange(draws).expand(count, draws)
                if members == 1
                else torch.randint(t.shape[1], (count, draws), generator=generator)
                for t in told
            ]
            joint = torch.stack([t.gather(1, p[..., None].expand(-1, -1, d)) for t, p in zip(told, pick, strict=True)], 2)
            changed = x.unsqueeze(1).repeat(1, draws, 1, 1)
            changed[:, :, list(who)] = joint
            after = outcomes_of(mechanism, changed)
            cost = agent_costs(x[:, None, None, list(who)], after, norm).mean(-2)
            gain = ((honest[:, None, list(who)] - cost) / size[:, None, None]).amin(-1)
            tried += gain.numel()
            value = float(gain.max())
            if best is None or value > best[0]:
                i, j = divmod(int(gain.argmax()), draws)
                best = (value, i, who, joint[i, j])
    if best is None or best[0] <= TOLERANCE:
        return None, tried
    return witnessed(mechanism, x[best[1]], best[2], best[3], norm), tried


def witnessed(
    mechanism: Mechanism, x: Float[Tensor, "n d"], who: tuple[int, ...], reports: Float[Tensor, "agents d"], norm: float
) -> Manipulation:
    """The manipulation, computed once more by itself."""
    changed = x.clone()
    changed[list(who)] = reports
    before, after = outcomes_of(mechanism, x), outcomes_of(mechanism, changed)
    costs = [expected_costs(x, y, norm)[list(who)].numpy() for y in (before, after)]
    shown = [(y[0] if len(y) == 1 else y).numpy() for y in (before, after)]
    return Manipulation(x.numpy(), who, reports.numpy(), shown[0], shown[1], costs[0], costs[1])


def _candidates(
    x: Float[Tensor, "count n d"], y: Float[Tensor, "count outcomes k d"], agent: int, generator: torch.Generator
) -> Float[Tensor, "count reports d"]:
    count, n, d = x.shape
    own = x[:, agent : agent + 1]
    others = x[:, [a for a in range(n) if a != agent]]
    places = y.flatten(1, 2)[:, :8]
    size = spread(x).clamp_min(1e-300)[:, None, None]
    axes = torch.cat([torch.eye(d), -torch.eye(d)]).to(x)
    noise = torch.randn(count, 8, d, generator=generator, dtype=torch.float64).to(x)
    near = torch.randn(count, 4, d, generator=generator, dtype=torch.float64).to(x)
    return torch.cat(
        [
            others,
            places,
            2 * places - own,
            2 * own - places,
            n * own - others.sum(1, keepdim=True),
            own + 10 * size * axes,
            own + 0.5 * size * axes,
            own + size * noise,
            own + 0.05 * size * near,
        ],
        1,
    )


def _refined(
    mechanism: Mechanism, x: Float[Tensor, "n d"], agent: int, report: Float[Tensor, " d"], norm: float
) -> tuple[float, Tensor, int]:
    """A report as good or better near by, its gain as a share of the profile's size, and how many were tried."""
    from scipy.optimize import minimize

    size = float(spread(x)) or 1.0
    honest = float(expected_costs(x, outcomes_of(mechanism, x), norm)[agent])

    def loss(told: np.ndarray) -> float:
        if not np.isfinite(told).all():
            return math.inf
        changed = x.clone()
        changed[agent] = torch.from_numpy(told).to(x)
        after = outcomes_of(mechanism, changed)
        return float(agent_costs(x[None, agent : agent + 1], after, norm).mean()) / size

    found = minimize(loss, report.numpy(), method="Nelder-Mead", options={"maxfev": 200, "xatol": 1e-10, "fatol": 1e-12})
    return honest / size - float(found.fun), torch.from_numpy(np.asarray(found.x)).to(x), int(found.nfev)
