"""The flow of a generator on boundary data by an explicit method: a check of the finite formulas, and what one would write first.

The third derivatives of the generator are sources that do not change along the flow: what limits a step is the speed at which it carries
the data along the grid, ``N max|Y| / 2 < 2.8`` steps to a unit of time, not the third power of N.
"""

from __future__ import annotations

from erlangen.errors import ArgumentError
from erlangen.fields.spacetime.data import BoundaryData
from erlangen.fields.spacetime.vectors import BMS3Vector


def explicit_flow(data: BoundaryData, vector: BMS3Vector, steps: int, time: float = 1.0) -> BoundaryData:
    """Runge-Kutta of order 4 for ``d(Theta, Xi)/ds = delta(Theta, Xi)``.

    Args:
        data: where it begins.
        vector: the generator.
        steps: how many steps.
        time: how far.

    >>> import torch
    >>> data, boost = BoundaryData(-0.5, 0.1, n=16), BMS3Vector(0, lambda phi: 0.1 * torch.sin(phi), n=16)
    >>> from erlangen.fields.spacetime import BMS3Element
    >>> off = explicit_flow(data, boost, 100).theta - data.act(BMS3Element.exp(boost)).theta
    >>> bool(off.abs().max() < 1e-8)
    True
    """
    if not isinstance(steps, int) or steps < 1:
        raise ArgumentError("steps", "a positive number of steps", repr(steps))
    ds = time / steps

    def moved(by: tuple, far: float) -> BoundaryData:  # type: ignore[type-arg]
        return data._made(data.theta + far * by[0], data.xi + far * by[1])

    for _ in range(steps):
        a = data.variation(vector)
        b = moved(a, ds / 2).variation(vector)
        c = moved(b, ds / 2).variation(vector)
        d = moved(c, ds).variation(vector)
        data = moved(tuple((p + 2 * q + 2 * r + s) / 6 for p, q, r, s in zip(a, b, c, d)), ds)
    return data
