"""Planar orbits of two and three bodies as data: one state in, the next state out."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from erlangen.data import DataSet, Split, check_split
from erlangen.errors import ArgumentError
from erlangen.fields.mechanics.gravity import trajectories
from erlangen.fields.mechanics.kepler import circular_speed, kepler

SAMPLES = 20  # states along each orbit
TWO_BODY_STEP = 20 / 49  # time between two states; G = m1 = m2 = 1
TWO_BODY_ORBITS = {"train": 814, "test": 790}
TWO_BODY_START = {
    "train": -math.pi,
    "test": 0.0,
}  # the half-plane where the first body starts: angles from here to + pi
PAIRS_PER_ORBIT = 18  # the source leaves the last of an orbit's 19 steps out: 814 orbits, 14652 pairs
THREE_BODY_ORBITS = {"train": 400, "test": 100}
THREE_BODY_STEP = 5 / 19
SEED = {"train": 1, "test": 2}


def two_body_orbits(split: Split = "train") -> Tensor:
    """Nearly circular orbits of two unit masses: float64 ``[orbits, 20, 8]``, a state is ``(q1, p1, q2, p2)``.

    The centre of mass rests at the origin, so ``q2 = -q1`` and ``p2 = -p1``. The radius is uniform in ``[1.5, 3]``; the
    motion is counter-clockwise at the circular speed times ``1 + N(0, 1e-3)``; states are ``20/49`` apart. The 814
    training orbits start with the first body in the lower half-plane, the 790 test orbits in the upper one: a model
    without the symmetry has to extrapolate. After the two-body task of Yang et al. 2023 (arXiv:2302.00236),
    itself after Greydanus et al. 2019 (arXiv:1906.01563); computed in closed form.

    Raises:
        ArgumentError: ``split`` is unknown.

    >>> two_body_orbits("test").shape
    torch.Size([790, 20, 8])
    """
    check_split(split)
    if split == "all":
        return torch.cat([two_body_orbits("train"), two_body_orbits("test")])
    n = TWO_BODY_ORBITS[split]
    generator = torch.Generator().manual_seed(SEED[split])
    angle = TWO_BODY_START[split] + math.pi * torch.rand(n, generator=generator, dtype=torch.float64)
    radius = 1.5 + 1.5 * torch.rand(n, generator=generator, dtype=torch.float64)
    speed = circular_speed(radius) * (1 + 1e-3 * torch.randn(n, generator=generator, dtype=torch.float64))
    outward = torch.stack([torch.cos(angle), torch.sin(angle)], -1)
    onward = torch.stack([-torch.sin(angle), torch.cos(angle)], -1)
    times = TWO_BODY_STEP * torch.arange(SAMPLES, dtype=torch.float64)
    # Half the separation obeys q'' = -q / (4 |q|^3).
    q, p = kepler(radius[:, None] * outward, speed[:, None] * onward, times, mu=0.25)
    return torch.cat([q, p, -q, -p], -1)


def two_body(split: Split = "train") -> DataSet:
    """The orbits of :func:`two_body_orbits` as pairs: a state and the state 20/49 later, both ``[N, 1, 8]``.

    14652 training and 14220 test pairs. A rotation of the plane turns ``q1``, ``p1``, ``q2`` and ``p2`` alike. The
    eight components span four dimensions only, so a generator is defined up to maps that vanish on the span.

    >>> print(two_body("train"))  # doctest: +ELLIPSIS
    two-body: 14652 samples of 1 token in R^8 (q1x, q1y, p1x, ...), vector target [1, 8]
    """
    orbits = two_body_orbits(split)
    return _pairs("two-body", orbits, PAIRS_PER_ORBIT, "two unit masses on nearly circular orbits; a state to the next")


def two_body_forecast(split: Split = "train", steps: int = 5) -> DataSet:
    """The orbits of :func:`two_body_orbits` as a forecast: ``steps`` states in, the ``steps`` states that follow out.

    All windows of an orbit: with 5 steps, ``[814 * 11, 5, 8]`` for training, ``[790 * 11, 5, 8]`` for test.

    Raises:
        ArgumentError: ``split`` is unknown, or ``steps`` is not between 1 and 10.

    >>> two_body_forecast("test").x.shape
    torch.Size([8690, 5, 8])
    """
    if not 1 <= steps <= SAMPLES // 2:
        raise ArgumentError("steps", f"1 to {SAMPLES // 2} states", repr(steps))
    windows = two_body_orbits(split).unfold(1, 2 * steps, 1).mT.flatten(0, 1)  # [orbits * windows, 2 steps, 8]
    return DataSet(
        "two-body",
        windows[:, :steps].contiguous(),
        windows[:, steps:].contiguous(),
        "vector",
        names=_state_names(8),
        source="closed-form Kepler orbits of erlangen.fields.mechanics, G = m = 1",
        about=f"two unit masses on nearly circular orbits; {steps} states to the next {steps}",
    )


def three_body_orbits(split: Split = "train") -> Tensor:
    """Three unit masses near a rotating triangle: float64 ``[orbits, 20, 12]``, ``(q1, p1, q2, p2, q3, p3)``.

    The bodies start on the corners of an equilateral triangle, its circumradius uniform in ``[0.9, 1.2]``, and move
    along its circle at the circular speed, each times its own ``1 + U(-0.2, 0.2)``; states are ``5/19`` apart. After
    Greydanus et al. 2019 (arXiv:1906.01563). 400 training and 100 test orbits, integrated at tolerance 1e-12 (two
    seconds).

    Raises:
        ArgumentError: ``split`` is unknown.
    """
    check_split(split)
    if split == "all":
        return torch.cat([three_body_orbits("train"), three_body_orbits("test")])
    n = THREE_BODY_ORBITS[split]
    generator = torch.Generator().manual_seed(SEED[split])
    first = 2 * math.pi * torch.rand(n, 1, generator=generator, dtype=torch.float64)
    angle = first + 2 * math.pi / 3 * torch.arange(3, dtype=torch.float64)
    radius = 0.9 + 0.3 * torch.rand(n, 1, generator=generator, dtype=torch.float64)
    # Both neighbours, at sqrt(3) r, together pull inwards with 1 / (sqrt(3) r^2).
    circular = torch.sqrt(1 / (math.sqrt(3) * radius))
    speed = circular * (1 + 0.2 * (2 * torch.rand(n, 3, generator=generator, dtype=torch.float64) - 1))
    q = radius[..., None] * torch.stack([torch.cos(angle), torch.sin(angle)], -1)
    p = speed[..., None] * torch.stack([-torch.sin(angle), torch.cos(angle)], -1)
    times = THREE_BODY_STEP * torch.arange(SAMPLES, dtype=torch.float64)
    path = trajectories(q, p, torch.ones(3, dtype=torch.float64), times)
    return torch.cat(path, -1).flatten(-2)


def three_body(split: Split = "train") -> DataSet:
    """The orbits of :func:`three_body_orbits` as pairs: a state and the state 5/19 later, both ``[N, 1, 12]``."""
    return _pairs("three-body", three_body_orbits(split), SAMPLES - 1, "three unit masses near a rotating triangle")


def _pairs(name: str, orbits: Tensor, steps: int, about: str) -> DataSet:
    """``[orbits, 20, d]`` as the first ``steps`` steps of each orbit, orbit by orbit."""
    dim = orbits.shape[-1]
    x, y = orbits[:, :steps], orbits[:, 1 : steps + 1]
    return DataSet(
        name,
        x.reshape(-1, 1, dim),
        y.reshape(-1, 1, dim),
        "vector",
        names=_state_names(dim),
        source="integrated by erlangen.fields.mechanics, G = m = 1",
        about=about,
    )


def _state_names(dim: int) -> tuple[str, ...]:
    return tuple(f"{kind}{body + 1}{axis}" for body in range(dim // 4) for kind in "qp" for axis in "xy")
