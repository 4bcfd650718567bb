"""The rest shape whose equilibrium is a wanted shape, solved for directly: as many equations as rest coordinates."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.fields.solids.static import is_whole
from erlangen.fields.solids.system import System, largest
from erlangen.reporting import progress

#: Newton's steps that a share of the loads may take, and how few make the next share larger.
PATIENCE, QUICK = 8, 4
#: A share of the loads is reached at this part of the largest load; the last one is polished to rounding.
REACHED = 1e-6
#: The smallest step of the loads.
SMALLEST = 1e-3


def solve_direct(
    system: System, target: Float[Tensor, "n 3"], *, quiet: bool = True
) -> tuple[Float[Tensor, "n 3"], float, list[float], float, bool]:
    """Rest positions ``X`` with ``f_int(target; X) = s f_ext``, with ``s`` led from 0 to 1.

    At ``s = 0`` the target itself is the answer. Newton's steps are taken whole: a line search on the residual stalls after a sag of some
    per cent, since elements resist being turned through. A share that takes more than eight steps, or inverts an element, is halved; the
    next one starts from the line through the last two answers. All loads at once are tried first.

    Returns:
        The rest positions, the share of the loads that was reached, the residuals of all steps (N), the last residual, and whether it is
        as small as rounding lets it be at all loads.

    Source: X. Chen, C. Zheng, W. Xu, K. Zhou, "An asymptotic numerical method for inverse elastic shape design", ACM TOG 33 (2014), for
    continuation in this problem.
    """
    X, share, step = target.clone(), 0.0, 1.0
    before: tuple[Tensor, float] | None = None
    residuals: list[float] = []
    with progress(None, "rest shape", quiet) as bar:
        while share < 1 and step >= SMALLEST:
            aim = min(1.0, share + step)
            start = X
            if before is not None:
                start = X + (X - before[0]) * ((aim - share) / (share - before[1]))
                if not is_whole(system, start):
                    start = X
            there, told = _newton(system, target, start, aim)
            residuals += told
            bar.advance(len(told), loads=aim, residual=told[-1] if told else 0.0)
            if there is None:
                step = (aim - share) / 2
                continue
            step = (aim - share) * (1.7 if len(told) <= QUICK else 1.0)
            before, X, share = (X, share), there, aim
    if share < 1:
        return X, share, residuals, _residual(system, target, X, share)[1], False
    X, last, polished = _polish(system, target, X)
    floor = system.floor(X)
    return X, 1.0, residuals + polished, last, last <= max(floor, 1e-9 * largest(system.dead(X)))


def _newton(system: System, target: Tensor, X: Tensor, share: float) -> tuple[Tensor | None, list[float]]:
    """Whole steps at one share of the loads; nothing if they do not get there. The residuals of the steps."""
    told: list[float] = []
    r, size, goal = _residual(system, target, X, share)
    for _ in range(PATIENCE):
        if size <= goal:
            return X, told
        X = _stepped(system, target, X, r, share)
        if not is_whole(system, X):
            return None, told
        r, size, goal = _residual(system, target, X, share)
        told.append(size)
        if size > 1e6 * max(told[0], goal):
            return None, told
    return (X if size <= goal else None), told


def _polish(system: System, target: Tensor, X: Tensor) -> tuple[Tensor, float, list[float]]:
    """Further steps at all loads while the residual falls: convergence is quadratic, so there are one or two."""
    r, size, _ = _residual(system, target, X, 1.0)
    told: list[float] = []
    floor = system.floor(X)
    while size > floor and len(told) < 4:
        there = _stepped(system, target, X, r, 1.0)
        left, now, _ = _residual(system, target, there, 1.0)
        if not now < size or not is_whole(system, there):
            break
        X, r = there, left
        told.append(now)
        if now > size / 4:
            size = now
            break
        size = now
    return X, size, told


def _residual(system: System, target: Tensor, X: Tensor, share: float) -> tuple[Tensor, float, float]:
    """The forces that are left, the largest of them, and what counts as none at a share of the loads."""
    dead = system.dead(X)
    elements = system.elements(X, target)
    pull = dead if system.loads.potential is None else dead - system.loads.potential_terms(target)[1]
    r = (elements.forces() - share * pull).masked_fill(system.fixed.unsqueeze(1), 0.0)
    r = system.symmetric(r)
    return r, largest(r), max(REACHED * largest(pull), system.floor(X))


def _stepped(system: System, target: Tensor, X: Tensor, r: Tensor, share: float) -> Tensor:
    try:
        return X + system.step(system.rest_jacobian(system.elements(X, target), share), r)
    except np.linalg.LinAlgError:
        return torch.full_like(X, float("nan"))
