"""`check_location`: does a rule for locations keep an axiom, and if not, what shows it?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.axioms import Axiom
from erlangen.fields.mechanisms.axioms import axiom as axiom_of
from erlangen.fields.mechanisms.location.domain import Domain, as_domain
from erlangen.fields.mechanisms.location.manipulation import manipulation_on, search_coalition, search_manipulation
from erlangen.fields.mechanisms.location.mechanism import Mechanism
from erlangen.fields.mechanisms.location.pareto import dominated, dominated_among
from erlangen.fields.mechanisms.location.profiles import agent_costs, as_profiles, draw, norm_order, spread
from erlangen.fields.mechanisms.location.rule import as_mechanism, outcomes_of
from erlangen.fields.mechanisms.location.symmetry import symmetric
from erlangen.fields.mechanisms.location.witness import Different, Dominated
from erlangen.verdict import Verdict

#: Profiles of a sampler: ``sampler(count, generator)`` gives ``[count, n, d]``.
Sampler = Callable[[int, torch.Generator], Any]
SPACE = ("TRANS", "SCALE", "REFL", "SWAP", "ROT")


def check_location(
    mechanism: Any,
    axiom: str | Axiom,
    data: Any = None,
    *,
    norm: float | str = 2,
    n: int = 3,
    d: int | None = None,
    tried: int = 300,
    reports: Any = None,
    outcomes: Any = None,
    coalition: int = 3,
    seed: int = 0,
) -> Verdict:
    """Whether a mechanism keeps an axiom: a verdict with a witness where it does not.

    Anonymity and the equivariances go through the core's groups; Pareto optimality is decided exactly for each profile; what is said
    of all profiles is exhaustive on a finite domain, and elsewhere a search, which never proves strategy-proofness.

    Args:
        mechanism: a :class:`Mechanism`, or a callable, profiles ``[*batch, n, d]`` to places ``[*batch, k, d]`` (of arrays of NumPy,
            unless ``data`` is a tensor).
        axiom: ``ANON``, ``PO``, ``SP``, ``GSP``, ``UNAN``, ``DUP``, ``TRANS``, ``SCALE``, ``REFL``, ``SWAP`` or ``ROT``.
        data: what to try: a :class:`Domain` (every profile of ``n`` agents on it, and every report), profiles ``[count, n, d]`` or one
            ``[n, d]``, or what draws them, ``sampler(count, generator)``. By default the domain of a mechanism that has one (a table), else
            ``tried`` random profiles of ``n`` agents, some with ties.
        norm: agents pay distances in this p-norm; also ``"euclidean"``, ``"manhattan"``.
        n, d: how many agents and coordinates, where ``data`` does not say.
        tried: how many profiles are drawn.
        reports: strategy-proofness is asked of these reports ``[m, d]`` alone.
        outcomes: Pareto optimality is asked among these places ``[c, d]`` alone; by default among all of space, and of a mechanism with a
            domain among the domain's.
        coalition: group strategy-proofness is asked of groups of at most so many.
        seed: of everything random.

    Returns:
        a :class:`Verdict`; the witness is a :class:`Manipulation`, :class:`Dominated` or :class:`Different`, with ``in_words(names)``.

    Raises:
        ArgumentError: naming the argument: points that are not finite, no agents, a norm below 1, another number of coordinates.

    >>> from erlangen.fields.mechanisms.location import Mean, Median
    >>> bool(check_location(Median(), "SP", Domain.grid(3, 3)))
    True
    >>> verdict = check_location(Mean(), "SP", [[[0.0], [1.0], [5.0]]])
    >>> verdict.holds, float(verdict.witness.costs_after[0]) < 1e-9
    (False, True)
    """
    wanted, p = axiom_of(axiom, "location"), norm_order(norm)
    rule = as_mechanism(mechanism, isinstance(data, Tensor))
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ArgumentError("n", "at least one agent", repr(n))
    generator = torch.Generator().manual_seed(seed)
    own = getattr(rule, "domain", None)
    if data is None and own is not None:
        data, n = own, getattr(rule, "n", n)
    domain = data if isinstance(data, Domain) else None
    if domain is not None:
        _fits(rule, domain.dimension)
        if wanted.name in ("SP", "GSP"):
            return _manipulable(rule, wanted, None, domain, n, p, None, coalition, generator)
        if wanted.name in SPACE or wanted.name == "DUP":
            raise ArgumentError(
                "data", f"profiles, or what draws them, for {wanted.name}: a finite domain is not moved to itself", "a Domain"
            )
        x = domain.locations(domain.orbits(n) if wanted.name == "UNAN" else domain.profiles(n))
        if wanted.name == "UNAN":
            x = torch.from_numpy(domain.points).unsqueeze(1).repeat(1, n, 1)
        where = f"on all profiles of {n} on {domain!r}"
    else:
        x = _profiles(rule, data, n, d, tried, generator)
        where = f"of {x.shape[-2]} agents in R^{x.shape[-1]}"
    claim = f"{rule.name}: {wanted.title}, {where}"
    if wanted.name in ("SP", "GSP"):
        told = None if reports is None else as_profiles(reports, "reports")[0]
        return replace(_manipulable(rule, wanted, x, None, n, p, told, coalition, generator), claim=claim)
    if wanted.name == "PO":
        among = outcomes if outcomes is not None else getattr(rule, "outcomes", None)
        verdict = _efficient(rule, x, p, among)
    elif wanted.name == "UNAN":
        verdict = _unanimous(rule, x)
    elif wanted.name == "DUP":
        verdict = _duplicated(rule, x)
    else:
        verdict = symmetric(rule, wanted.name, x, generator)
        return replace(verdict, claim=claim, how=_how(domain, verdict.how), reason=verdict.reason)
    return replace(verdict, claim=claim, how=_how(domain, verdict.how))


def _how(domain: Domain | None, how: Any) -> Any:
    return "exhaustive" if domain is not None else "search" if how == "exhaustive" else how


def _fits(rule: Mechanism, d: int) -> None:
    if rule.dimension not in (None, d):
        raise ArgumentError("data", f"points of {rule.dimension} coordinates, as {rule.name} takes", f"{d} coordinates")


def _profiles(
    rule: Mechanism, data: Any, n: int, d: int | None, tried: int, generator: torch.Generator
) -> Float[Tensor, "count n d"]:
    if data is None:
        if not isinstance(tried, int) or tried < 1:
            raise ArgumentError("tried", "a positive number of profiles", repr(tried))
        d = d or rule.dimension or 2
        _fits(rule, d)
        return draw(tried, n, d, generator=generator)
    if callable(data):
        data = data(tried, generator)
    x, _ = as_profiles(data, "data")
    x = x.detach().reshape(-1, *x.shape[-2:]).to(torch.float64)
    if not len(x):
        raise ArgumentError("data", "at least one profile", "none")
    _fits(rule, x.shape[-1])
    return x


def _manipulable(
    rule: Mechanism,
    wanted: Axiom,
    x: Tensor | None,
    domain: Domain | None,
    n: int,
    norm: float,
    reports: Tensor | None,
    coalition: int,
    generator: torch.Generator,
) -> Verdict:
    size = coalition if wanted.name == "GSP" else 1
    if domain is not None:
        found, count = manipulation_on(rule, domain, n, norm, min(size, n))
        claim = f"{rule.name}: {wanted.title}, of {n} agents on {domain!r}"
        how: Any = "exhaustive"
    else:
        assert x is not None
        found, count = (
            search_coalition(rule, x, norm, generator, size) if size > 1 else search_manipulation(rule, x, norm, generator, reports)
        )
        claim, how = "", "search"
    if found is None:
        every = "every report of every profile was tried" if domain is not None else "no report that pays was found"
        return Verdict(True, claim, how, count, reason=every)
    return Verdict(False, claim, how, count, {"gain": found.gain}, witness=found, reason=found.in_words())


def _efficient(rule: Mechanism, x: Tensor, norm: float, outcomes: Any) -> Verdict:
    y = outcomes_of(rule, x)
    lots, k = y.shape[1:3]
    each = x.unsqueeze(1).expand(-1, lots, -1, -1).flatten(0, 1)
    flat = y.flatten(0, 1)
    if outcomes is None:
        bad, better = dominated(each, flat, norm)
    else:
        places = as_domain(outcomes)
        if places.dimension != x.shape[-1]:
            raise ArgumentError("outcomes", f"places of {x.shape[-1]} coordinates", f"{places.dimension} coordinates")
        bad, better = dominated_among(each, flat, torch.from_numpy(places.points[places.choices(k)]), norm)
    if not bool(bad.any()):
        return Verdict(
            True, "", "search", len(x), reason="no outcome is better for somebody and worse for nobody: exact on each profile"
        )
    gain = agent_costs(each, flat, norm) - agent_costs(each, better, norm)
    worst = int(torch.where(bad, gain.amax(-1) / spread(each).clamp_min(1e-300), -1.0).argmax())
    costs, better_costs = (agent_costs(each[worst], places[worst], norm).numpy() for places in (flat, better))
    witness = Dominated(each[worst].numpy(), flat[worst].numpy(), better[worst].numpy(), costs, better_costs)
    share = float(bad.reshape(len(x), lots).any(1).double().mean())
    return Verdict(False, "", "search", len(x), {"share": share}, witness=witness, reason=witness.in_words())


def _unanimous(rule: Mechanism, x: Tensor) -> Verdict:
    same = x[:, :1].expand_as(x).contiguous()
    y = outcomes_of(rule, same)
    off = (y - same[:, None, :1]).abs().amax((1, 2, 3))
    nearest = torch.linalg.vector_norm(y - same[:, None, :1], dim=-1).amin(-1).amax(-1)
    bad = nearest > 1e-9 * (same.abs().amax((1, 2)) + off).clamp_min(1e-300)
    return _differing(bad, same, same, y, same[:, None, :1].expand_as(y))


def _duplicated(rule: Mechanism, x: Tensor) -> Verdict:
    from erlangen.actions import Unordered
    from erlangen.groups import Translations

    kept = Unordered(Translations(x.shape[-1]).point)
    twice = torch.cat([x, x], 1)
    once, doubled = outcomes_of(rule, x), outcomes_of(rule, twice)
    if once.shape[1] != doubled.shape[1]:
        raise ArgumentError("mechanism", "one that draws no lots, for DUP", rule.name)
    once, doubled = kept.ordered(once), kept.ordered(doubled)
    bad = (once - doubled).abs().amax((1, 2, 3)) > 1e-9 * spread(x).clamp_min(1e-300)
    return _differing(bad, x, twice, doubled, once)


def _differing(bad: Tensor, x: Tensor, other: Tensor, got: Tensor, wanted: Tensor) -> Verdict:
    if not bool(bad.any()):
        return Verdict(True, "", "search", len(x), reason="no profile breaks it")
    i = int(bad.to(torch.int8).argmax())
    witness = Different(x[i].numpy(), other[i].numpy(), got[i].flatten(0, 1).numpy(), wanted[i].flatten(0, 1).numpy())
    return Verdict(False, "", "search", len(x), {"share": float(bad.double().mean())}, witness=witness, reason=witness.in_words())
