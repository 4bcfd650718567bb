"""The multiplier group of an unknown function, found by evaluating it in float64.

The function is looked at from 1e-9 to 1e9 on both sides of zero, eight points to a factor of ten, so that neither a feature near zero
(``x tanh(50 x)`` is not ``|x|``) nor one far out is missed. What is narrower than a tenth of its own position can be missed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.reps.multipliers import LINEAR, ActivationClass, Multipliers, affine_class

#: Largest relative difference that counts as rounding.
RELATIVE = 1e-9
#: Differences below this part of the function's own size on [-max(1, t), max(1, t)] are rounding, too.
NOISE = 64 * float(torch.finfo(torch.float64).eps)
#: Periods log q that are searched, and the step of the search.
PERIODS = (math.log(1.1), math.log(1000.0), 0.004)


def numerical_class(function: Callable[[Tensor], Tensor], name: str) -> ActivationClass:
    """Classify a function of float64 tensors that acts on each entry alone.

    Raises:
        ArgumentError: it is not such a function: wrong shape, complex, not finite at 0 or near it, different at a second call,
            entries that influence each other, an argument that it overwrites.

    >>> numerical_class(lambda t: t.clamp(min=0) ** 2, "squared rectifier").kind
    'positively homogeneous of degree 2'
    """
    f = _Probe(function, name)
    u = f.here
    a, b = float(f(torch.tensor([1.0])) - f(torch.tensor([-1.0]))) / 2, float(f(torch.zeros(1)))
    if _agree(f.grid, u, a * f.grid + b, (a * f.grid).abs() + abs(b), _scale(f.grid, u)):
        return affine_class(name, a, b, "numerical")
    signs = f.multiplier(-1.0)
    reflection = None if signs is None else (1.0, float(round(signs)))
    power = _power(f)
    if power is not None:
        if reflection == (1.0, -1.0) and power == 1.0:
            return ActivationClass(name, LINEAR, (a, 0.0), "numerical")
        return ActivationClass(name, Multipliers(power, None, reflection), how="numerical")
    ratio = _ratio(f)
    if ratio is not None and reflection is None:
        root = math.sqrt(ratio[0])
        c = f.multiplier(-root)
        reflection = None if c is None else (root, _snap_value(root, c))
    return ActivationClass(name, Multipliers(None, ratio, reflection), how="numerical")


class _Probe:
    """The function, checked, with its values on the grid."""

    def __init__(self, function: Callable[[Tensor], Tensor], name: str) -> None:
        self.function, self.name = function, name
        # Exponents that are no multiples of anything, so that no scaling law holds by accident of the grid.
        size = 10.0 ** (torch.linspace(-9.0, 9.0, 146, dtype=torch.float64) + 0.01)
        some = 3 * torch.randn(64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        self.grid = torch.cat([torch.zeros(1, dtype=torch.float64), size, -size, some])
        before = self.grid.clone()
        self.here = self(before)
        if not torch.equal(before, self.grid):
            self._refuse("leaves its argument as it is", "it overwrites it", "set inplace=False")
        if not _same(self.here, self(self.grid)):
            self._refuse(
                "is a function", "two calls differ", "a randomised activation cannot be decided; put the module in eval mode"
            )
        near = self.here[self.grid.abs() <= 10]
        if not bool(torch.isfinite(near).all()):
            bad = self.grid[self.grid.abs() <= 10][~torch.isfinite(near)]
            at = 0.0 if bool((bad == 0).any()) else float(bad[0])
            self._refuse("is finite on all real numbers", f"{float(self(torch.tensor([at]))[0])} at {at:.3g}")
        part = torch.arange(0, len(self.grid), 3)
        if not _same(self.here[part], self(self.grid[part])) or not _same(self.here, self(self.grid[:, None])[:, 0]):
            self._refuse(
                "acts on each entry alone",
                "entries influence each other",
                "softmax, layer norm and gated units are maps, not activations: measure them with erlangen.equivariance_error",
            )

    def _refuse(self, what: str, got: str, hint: str = "") -> None:
        raise ArgumentError("activation", f"an activation that {what}", f"'{self.name}': {got}", hint)

    def __call__(self, t: Tensor) -> Tensor:
        t = t.to(torch.float64)
        shape = tuple(t.shape)
        try:
            with torch.no_grad():
                value = self.function(t)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            raise ArgumentError(
                "activation", "a function of tensors of any shape", f"'{self.name}', which raised {type(error).__name__}: {error}"
            ) from error
        if not isinstance(value, Tensor) or value.is_complex():
            self._refuse("returns a real tensor", str(value.dtype) if isinstance(value, Tensor) else type(value).__name__)
        if tuple(value.shape) != shape:
            self._refuse("keeps the shape", f"{tuple(value.shape)} from {shape}")
        return value.to(torch.float64)

    def multiplier(self, factor: float) -> float | None:
        """``c`` with ``f(factor t) = c f(t)`` on the whole grid, if there is one."""
        u, v = self.here, self(factor * self.grid)
        finite = torch.isfinite(u) & torch.isfinite(v)
        t, u, v = self.grid[finite], u[finite], v[finite]
        scale_u, scale_v = _scale(t, u), _scale(factor * t, v)
        clear = u.abs() > 1e6 * NOISE * scale_u
        if not bool(clear.any()):
            return None
        c = float((v[clear] / u[clear]).median())
        return c if c != 0 and _agree(t, v, c * u, v.abs(), scale_v + abs(c) * scale_u) else None


def _power(f: _Probe) -> float | None:
    """The degree, when all positive numbers are multipliers: powers of 2 and 3 are dense among them."""
    values = {factor: f.multiplier(factor) for factor in (2.0, 3.0, 0.7390851332151607)}
    if any(c is None or c < 0 for c in values.values()):
        return None
    degree = math.log(values[2.0]) / math.log(2.0)  # type: ignore[arg-type]
    if any(abs(c / factor**degree - 1) > 1e-7 for factor, c in values.items()):  # type: ignore[operator]
        return None
    return _snap(degree)


def _ratio(f: _Probe) -> tuple[float, float] | None:
    """The smallest ``q > 1`` in the searched range with ``f(q t) = c f(t)``, and ``c``: a period of ``f(e^s)`` up to a factor."""
    from scipy.optimize import least_squares

    rng = np.random.default_rng(0)
    s, sides = rng.uniform(-6, 6, 96), rng.choice([-1.0, 1.0], 96)

    def values(shift: np.ndarray) -> np.ndarray:
        return f(torch.as_tensor(sides * np.exp(s + shift[:, None]))).numpy()

    first = values(np.zeros(1))[0]
    seen = np.abs(first) > 0
    if seen.sum() < 16:
        return None
    # Taking out the mean growth keeps all points of like weight; any exponent would do.
    slope = np.polyfit(s[seen], np.log(np.abs(first[seen])), 1)[0]

    def level(shift: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.nan_to_num(values(shift) * np.exp(-slope * (s + shift[:, None])), posinf=1e30, neginf=-1e30)

    here = level(np.zeros(1))[0]
    shifts = np.arange(*PERIODS)
    moved = level(shifts)
    # A log-periodic function keeps its growth: one that outruns a power is none.
    if not np.abs(here).max() > 0 or np.abs(moved).max() > 1e8 * np.abs(here).max():
        return None
    factor = moved @ here / (here @ here)
    misfit = np.linalg.norm(moved - factor[:, None] * here, axis=1) / np.maximum(np.linalg.norm(moved, axis=1), 1e-300)
    inner = (misfit[1:-1] <= misfit[:-2]) & (misfit[1:-1] <= misfit[2:]) & (misfit[1:-1] < 0.2)
    for i in (np.flatnonzero(inner) + 1)[:20]:
        fit = least_squares(
            lambda p: level(np.array([p[0]]))[0] - p[1] * here, [shifts[i], factor[i]], xtol=1e-15, ftol=1e-15, gtol=1e-15
        )
        q = _snap(math.exp(fit.x[0]))
        c = f.multiplier(q) if q > 1.0 + 1e-6 else None
        if c is not None:
            return q, _snap_value(q, c)
    return None


def _scale(t: Tensor, u: Tensor) -> Tensor:
    """The largest ``|f|`` on ``[-max(1, |t|), max(1, |t|)]``, for each ``t``: what an intermediate result may have been."""
    order = t.abs().argsort()
    size = torch.where(torch.isfinite(u), u.abs(), torch.zeros_like(u))[order].cummax(0).values
    reach = torch.searchsorted(t.abs()[order], t.abs().clamp_min(1.0), right=True) - 1
    return size[reach.clamp_min(0)]


def _agree(t: Tensor, u: Tensor, v: Tensor, size: Tensor, scale: Tensor) -> bool:
    """Whether ``u = v`` up to rounding at every point where both are finite."""
    finite = torch.isfinite(u) & torch.isfinite(v)
    close = (u - v).abs() <= RELATIVE * torch.maximum(u.abs(), size) + NOISE * scale
    return bool((close | ~finite).all())


def _same(u: Tensor, v: Tensor) -> bool:
    """Equal up to the rounding of vectorised kernels, which treat the ends of an array in another way."""
    return torch.allclose(u, v, rtol=1e-12, atol=1e-300, equal_nan=True)


def _snap(value: float) -> float:
    """The nearest fraction of a small denominator, where rounding cannot tell it from the value."""
    near = round(value * 2520) / 2520
    return near if abs(value - near) <= 1e-9 * max(1.0, abs(value)) else value


def _snap_value(q: float, c: float) -> float:
    """``c`` as a signed power of ``q`` whose exponent is snapped."""
    return math.copysign(q ** _snap(math.log(abs(c)) / math.log(q)), c)
