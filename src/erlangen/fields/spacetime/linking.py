"""The link of past and future null infinity: the map that commutes with the isometries of Minkowski space, and that it is the only one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.spacetime import series
from erlangen.fields.spacetime.data import BoundaryData
from erlangen.fields.spacetime.elements import BMS3Element
from erlangen.fields.spacetime.vectors import BMS3Vector
from erlangen.verdict import Verdict

NAMES = ("time", "x", "y", "rotation", "boost x", "boost y")
#: What is asked of less than all isometries, to see which of them matter.
SUBSETS = {
    "translations": ("time", "x", "y"),
    "rotation and boosts": ("rotation", "boost x", "boost y"),
    "time and rotation": ("time", "rotation"),
    "all but the boosts": ("time", "x", "y", "rotation"),
    "all": NAMES,
}


def link(data: BoundaryData) -> BoundaryData:
    """The data at the other end: ``Theta+(phi) = Theta-(phi + pi)``, ``Xi+(phi) = Xi-(phi + pi)``, exactly, and the same backwards.

    Source: S. Prohazka, J. Salzer, F. Schoeller, "Linking past and future null infinity in three dimensions" (2017), arXiv:1701.06573.

    >>> past = BoundaryData(lambda phi: torch.cos(phi) - 0.5, 0.25, end="past", n=32)
    >>> future = link(past)
    >>> T = torch.cos(series.circle(32))
    >>> future.charge(T, 0), past.charge(link_generator(BMS3Vector(T, 0)))
    (tensor(-0.0625, dtype=torch.float64), tensor(-0.0625, dtype=torch.float64))
    """
    if not isinstance(data, BoundaryData):
        raise ArgumentError("data", "boundary data of one end", type(data).__name__)
    other = "past" if data.end == "future" else "future"
    return data._made(series.shifted(data.theta, math.pi), series.shifted(data.xi, math.pi), other)


def link_generator(vector: BMS3Vector) -> BMS3Vector:
    """The same generator as it looks at the other end: ``T(phi + pi), Y(phi + pi)``."""
    return vector.shift(math.pi)


def link_element(element: BMS3Element) -> BMS3Element:
    """The same element as it looks at the other end: ``f(phi + pi) - pi, alpha(phi + pi)``."""
    return element.shift(math.pi)


def link_values(x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """:func:`link` on the values of any fields, for audits by ``er.equivariance_error``."""
    return series.shifted(x, math.pi)


def conserved(past: BoundaryData, future: BoundaryData, vectors: BMS3Vector, *, tolerance: float = 1e-12) -> Verdict:
    """Whether ``Q+ = Q-`` for generators that are named at the future end, relative to the size of what is integrated.

    Args:
        past, future: data at both ends.
        vectors: generators ``[*batch, N]``.

    Returns:
        a verdict with the number ``worst`` and the worst generator's index as its witness.
    """
    for name, data, end in (("past", past, "past"), ("future", future, "future")):
        if data.end != end:
            raise ArgumentError(name, f"data of the {end} end", f"{data!r}")
    if past.G != future.G:
        raise ArgumentError("future", f"data with the past's G = {past.G:g}", f"G = {future.G:g}")
    before, after = past.charge(link_generator(vectors)), future.charge(vectors)
    size = ((vectors.T * future.theta).abs() + 2 * (vectors.Y * future.xi).abs()).mean(-1) / (8 * future.G)
    off = ((before - after).abs() / size.clamp_min(torch.finfo(size.dtype).tiny)).flatten()
    if not len(off):
        raise ArgumentError("vectors", "at least one generator", f"{vectors!r}")
    worst = int(off.argmax())
    return Verdict(
        float(off[worst]) <= tolerance,
        "charges are the same at both ends",
        "statistical",
        off.numel(),
        {"worst": float(off[worst]), "tolerance": tolerance},
        witness=worst,
        reason="relative to the mean size of what is integrated",
    )


@dataclass(frozen=True)
class Proof:
    """What stands behind :func:`link_is_unique`.

    Attributes:
        equations: the conditions at a point ``(v, phi)``, polynomials that vanish.
        basis: their reduced Groebner basis over the rational functions of ``v`` and ``tan(phi / 2)``.
        solution: the only values of ``h, cos k, sin k`` and the derivatives, or ``None``.
        free: how many dimensions of solutions, of values and first derivatives of the map at a point, remain when only some of the vectors
            are carried over.
        u, angle: the map, SymPy expressions of ``v`` and ``phi``.
    """

    equations: list[Any]
    basis: list[Any]
    solution: dict[Any, Any] | None
    free: dict[str, int] = field(default_factory=dict)
    u: Any = None
    angle: Any = None


@lru_cache(maxsize=1)
def link_is_unique() -> Verdict:
    """Solve for all differentiable maps ``(v, phi) -> (u, phi~) = (h(v, phi), k(v, phi))`` that carry the six Killing vectors over.

    A vector ``F d_v + Y d_phi`` of the past end goes over into the one of the same isometry at the future end when ``F h_v + Y h_phi =
    F+(h, k)`` and ``F k_v + Y k_phi = Y+(k)``: 12 equations at each point for the 7 numbers ``h, cos k, sin k`` and the derivatives,
    polynomial with coefficients in ``v`` and ``tan(phi / 2)``. Their Groebner basis is linear with one solution, ``h = v`` and ``k = phi +
    pi``: no form of the map is assumed, not even that it can be inverted. That it is a solution is seen by putting it in.

    The basis is one at all points but those on some curves; there the map is the same because it is continuous. What is assumed is which
    vectors belong together: each with the one of the *same* isometry. Were translations matched with ``c`` times themselves, an
    automorphism, the answer would be ``h = c v``; with a mirror image, a reflection.

    Returns:
        an exact verdict; the witness is a :class:`Proof`.

    >>> verdict = link_is_unique()
    >>> verdict.how, verdict.witness.u, verdict.witness.angle
    ('exact', v, phi + pi)
    """
    import sympy as sp

    v, t, phi = sp.Symbol("v", real=True), sp.Symbol("t", real=True), sp.Symbol("phi", real=True)
    h, c, s, hv, hp, kv, kp = unknowns = sp.symbols("h cos_k sin_k h_v h_phi k_v k_phi")
    cosine, sine = (1 - t**2) / (1 + t**2), 2 * t / (1 + t**2)

    # T, Y and Y' of each isometry at a direction with this cosine and sine; the sign is 1 at the future end.
    def killing(sign: int, x: Any, y: Any) -> dict[str, tuple[Any, Any, Any]]:
        values = {
            "time": (1, 0, 0), "x": (-sign * x, 0, 0), "y": (-sign * y, 0, 0),
            "rotation": (0, 1, 0), "boost x": (0, -sign * y, -sign * x), "boost y": (0, sign * x, -sign * y),
        }  # fmt: skip
        return {name: tuple(map(sp.sympify, triple)) for name, triple in values.items()}  # type: ignore[misc]

    past, future = killing(-1, cosine, sine), killing(1, c, s)

    def conditions(names: tuple[str, ...]) -> list[Any]:
        found = [c**2 + s**2 - 1]
        for name in names:
            (lift, turn, slope), (to_lift, to_turn, to_slope) = past[name], future[name]
            speed = lift + v * slope
            found += [speed * hv + turn * hp - (to_lift + h * to_slope), speed * kv + turn * kp - to_turn]
        return [sp.numer(sp.together(one)) for one in found if one != 0]

    field = sp.QQ.frac_field(v, t)

    def solve(names: tuple[str, ...]) -> Any:
        return sp.groebner(conditions(names), *unknowns, order="grevlex", domain=field)

    basis = solve(NAMES)
    solution = None
    if len(basis.exprs) == len(unknowns) and all(sp.Poly(p, *unknowns).total_degree() == 1 for p in basis.exprs):
        (values,) = sp.linsolve(basis.exprs, unknowns)
        solution = dict(zip(unknowns, map(sp.simplify, values)))
    expected = {h: v, c: -cosine, s: -sine, hv: 1, hp: 0, kv: 0, kp: 1}
    unique = solution is not None and all(sp.simplify(solution[k] - expected[k]) == 0 for k in unknowns)
    exists = all(sp.simplify(one.subs(expected)) == 0 for one in conditions(NAMES))
    free = {name: _dimension(solve(some), unknowns) for name, some in SUBSETS.items()}
    return Verdict(
        unique and exists,
        "the map of past to future null infinity that commutes with the isometries of Minkowski space is (v, phi) -> (v, phi + pi)",
        "exact",
        len(conditions(NAMES)) - 1,
        witness=Proof(conditions(NAMES), list(basis.exprs), solution, free, v, phi + sp.pi)
        if unique
        else Proof(conditions(NAMES), list(basis.exprs), solution, free),
        reason="a Groebner basis of the conditions at a point has one solution: no shift, no reflection, no other form",
    )


def _dimension(basis: Any, unknowns: Any) -> int:
    """Of the solutions: the most unknowns of which no leading monomial is a product; -1 of none."""
    from itertools import combinations

    import sympy as sp

    if basis.exprs == [1]:
        return -1
    leads = [{i for i, power in enumerate(sp.Poly(p, *unknowns).monoms(order="grevlex")[0]) if power} for p in basis.exprs]
    for size in range(len(unknowns), -1, -1):
        if any(not any(lead <= set(some) for lead in leads) for some in combinations(range(len(unknowns)), size)):
            return size
    return 0
