"""`task_symmetries`: which affine moves of the inputs a task does not notice, or follows by a law of its own, in any basis."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from erlangen.data.distinct import arranged, boundary, distinct
from erlangen.discover.samples import Samples, Target, samples_of
from erlangen.discover.task.active import active_directions
from erlangen.discover.task.answer import NEGLIGIBLE, ROUGH, TaskSymmetries, gaps, left_open
from erlangen.discover.task.components import Among, standard, two_valued
from erlangen.discover.task.coordinates import ROUNDING, Coordinates
from erlangen.discover.task.equations import Law, Spectrum, gap_interval, slopes_of, spectrum_of
from erlangen.discover.task.imposed import DEARER, imposed
from erlangen.discover.task.on_quadrics import leaves_quadric, on_quadric
from erlangen.discover.task.predictor import Predictor, fit_predictor, splits
from erlangen.discover.task.settled import exact_algebra, on_axes
from erlangen.errors import ArgumentError
from erlangen.groups.affine_algebra import affine_algebra
from erlangen.parallel import one_thread

#: Fewer different samples tell nothing; of more than the second number, so many are drawn.
FEWEST, MOST = 64, 1500
#: Of classes with fewer samples, parts of the data have none.
FEWEST_OF_CLASS = 8
#: Share of the samples that is looked at: those whose tokens lie nearest to the mean.
NEAR = 0.97
#: Tokens of more components have too many directions to ask about; of columns, those that the task listens to are looked for first.
WIDEST = 16
#: An algebra of a simpler kind, or on standard axes, may be violated more than what was found by this much, where members are apart.
AFFORDED = 0.04
#: Share that no member sees and none is chosen by: it says how good the predictor is.
TEST = 0.1
#: The predictor must explain this part of the target's variance.
LEAST_EXPLAINED = 0.3
#: A violation up to this one does not count where learning from moved data lowers the error on held-out data.
OUTWEIGHED = 0.1
#: Draws of held-out data on which it must help to impose what is only approximate.
SPLITS = 5
#: A component that slopes no further than this part of the mean one does not matter.
IDLE = 0.02
#: Idle directions with no more than this part, squared, off some coordinate axes are those.
ON_AXES = 0.02


def task_symmetries(
    x: Any,
    y: Any = None,
    *,
    kinds: Sequence[Hashable] | None = None,
    target: Target | None = None,
    law: bool | None = None,
    affine: bool = True,
    seed: int = 0,
) -> TaskSymmetries:
    """Which affine moves ``x -> A x + b`` of all tokens alike, or of each kind by a map of its own, leave a task as it is, in any basis?

    A smooth predictor ``f`` is fitted and chosen on held-out data. With its Jacobians at the data, ``J_f(x) (A x + b) = C f(x) + c`` is
    one linear problem for the generator ``(A | b)`` and the law ``(C | c)`` of the target; its small singular values, set apart by a
    gap, are symmetries. The span is made an exact Lie algebra, put on standard axes and about the origin where the data allow that.

    Args:
        x: tokens ``[N, T, n]`` or ``[N, n]``; anything that :func:`erlangen.discover` takes; or a mapping from names of kinds to tokens
            ``[N, T_k, n_k]``.
        y: numbers ``[N]`` or ``[N, k]``, vectors ``[N, T_y, n]``, class labels ``[N]``.
        kinds: of each token its kind, a number or a name: each kind has generators ``(A_k | b_k)`` of its own, all found in one linear
            problem (:func:`erlangen.discover.task.kinds_symmetries`). By default all tokens move alike.
        target: what ``y`` is; by default as its type says.
        law: whether numbers may move along by a law of their own; by default where there are several. Vectors move as the tokens do.
        affine: whether translations are looked for, too.
        seed: of everything random.

    Raises:
        ArgumentError: no target, or data that do not fit.

    Source: the linear problem is that of Otto et al., arXiv:2311.00212.

    >>> x = torch.randn(300, 2, 2, generator=torch.Generator().manual_seed(0))
    >>> found = task_symmetries(x, (x[:, 0] * x[:, 1]).sum(-1))
    >>> found.algebra.name, found.group
    ('so(2)', SO(2))
    """
    if kinds is not None or isinstance(x, Mapping):
        from erlangen.discover.task.kinds_symmetries import kinds_symmetries  # which needs this module

        return kinds_symmetries(x, y, kinds, target=target, law=law, affine=affine, seed=seed)
    return task_symmetries_of(samples_of(x, y, target), law=law, affine=affine, seed=seed)


@one_thread()  # of small matrices, threads cost more than they give
def task_symmetries_of(data: Samples, *, law: bool | None = None, affine: bool = True, seed: int = 0) -> TaskSymmetries:
    """:func:`task_symmetries` of samples that have been looked at."""
    started = time.perf_counter()
    data = data.of_common_classes(FEWEST_OF_CLASS)
    tokens, values = data.x.double().cpu(), target_values(data).cpu()
    n = tokens.shape[2]
    held = torch.zeros(n, dtype=torch.bool) if data.y.shape[1] else two_valued(tokens)
    asked = n - int(held.sum())
    kinds = distinct(tokens)
    count = int(kinds.max()) + 1
    idle = torch.zeros(0, n, dtype=torch.float64)

    error = 1.0

    def none(reason: str, spectrum: Spectrum | None = None, predictor: Predictor | None = None) -> TaskSymmetries:
        empty = torch.zeros(0, dtype=torch.float64)
        return TaskSymmetries(
            None,
            None,
            None,
            empty if spectrum is None else spectrum.violations,
            empty if spectrum is None else spectrum.noise,
            error,
            None,
            None,
            False,
            idle,
            reason,
            "" if predictor is None else predictor.members[0].about,
            time.perf_counter() - started,
        )

    if count < FEWEST:
        return none(f"{count} different samples; {FEWEST} are needed")
    if asked > WIDEST and (tokens.shape[1] > 1 or data.y.shape[1]):
        return none(
            f"tokens of {asked} components have {asked * (asked + 1)} directions to ask about; name a group "
            f"(or tokens of at most {WIDEST})"
        )
    if not bool(varying(values).any()):
        return none("the target is constant")
    if asked > WIDEST:
        return _of_active(data, tokens[:, 0], values, kinds, law, affine, seed, started, none)
    if len(tokens) > MOST:
        kept = arranged(kinds, torch.Generator().manual_seed(seed))[:MOST]
        tokens, values = tokens[kept], values[kept]
        kinds = distinct(tokens)
    if not asked:
        return none("all components take two values alone, and no move stays among these")
    # Between two values there is no slope: what takes no others stays where it is, and tells predictors what it is.
    moving, context = tokens[..., ~held], tokens[..., held]
    padded = bool((moving.abs().amax(-1) == 0).any())
    coordinates = Coordinates(moving, affine and not padded)
    if not coordinates.dim:
        return none("the tokens are constant")
    inside = coordinates.inside(moving)
    z = torch.cat([inside, standard(context)], -1)
    # The farthest samples are few and steep: a predictor spends itself on them.
    reach = inside.square().sum(-1).amax(1)
    near = reach <= reach.quantile(NEAR)
    z, values, kinds = z[near], values[near], distinct(tokens[near])
    if data.y.shape[1]:
        # Vectors keep their zero, and are seen in the tokens' coordinates.
        along: Law = "vector"
        vectors = coordinates.along(values.unflatten(1, (-1, n)))
        if vectors is None:
            return none(f"the tokens lie in {coordinates.dim} of {n} dimensions, and the target's vectors point out of them")
        t = vectors.flatten(1) / vectors.std()
    else:
        values = values[:, varying(values)]
        spread = values.std(0)
        # Classes count by how many there are of each; numbers have units of their own.
        spread = spread.square().mean().sqrt().expand_as(spread) if data.labels is not None else spread
        t = (values - values.mean(0)) / spread
        along = "own" if (law if law is not None else t.shape[1] > 1 and data.labels is None) else "none"

    everything = arranged(kinds, torch.Generator().manual_seed(seed))
    kept_back = boundary(kinds, everything, int(len(everything) * TEST))
    test, rest = everything[:kept_back], everything[kept_back:]

    split = splits(kinds, rest, seed)
    on_tokens = data.y.shape[1] == tokens.shape[1]
    predictor = fit_predictor(z, t, split, seed, labels=data.labels is not None, on_tokens=on_tokens)
    # A target beyond those that were seen is no better a guess.
    error = float((predictor(z[test]).clamp(t[rest].amin(0), t[rest].amax(0)) - t[test]).square().mean())
    if error > 1 - LEAST_EXPLAINED:
        return none(f"no predictor explains the target: held-out R² {1 - error:.2f}", None, predictor)
    slopes = slopes_of(predictor, z).along(coordinates.dim)
    spectrum = spectrum_of(slopes, along, coordinates.affine)
    idle = idle_directions(slopes.mean, slopes.weights)
    among = Among(~held)
    scale = torch.where(held, tokens.flatten(0, 1).std(0), among.vectors(coordinates.scale))
    if len(idle):
        whole = len(idle) == coordinates.dim
        idle = among.vectors(_on_axes(idle @ coordinates.back, coordinates.scale))
        if along == "vector" or whole:
            many = f"{len(idle)} direction{'s' if len(idle) > 1 else ''}"
            return none(f"the task does not depend on {many} of the tokens: leave them away", spectrum, predictor)
        return _lifted(data, idle, scale, held, law, affine, seed, started)
    k = set_apart(spectrum.violations)
    if not k and float(spectrum.violations[-1]) <= NEGLIGIBLE:
        return none("all affine moves are followed by a law of the target, so none is told from another", spectrum, predictor)
    if not k:
        lowest = float(spectrum.violations[0])
        return none(f"the smallest violation is {lowest:.2g} of an unrelated move's, with no gap after it", spectrum, predictor)
    span = spectrum.directions[:k].unflatten(1, (coordinates.dim, -1))
    seen = spectrum.of(span.flatten(1))
    allowed = affordable(seen, float(spectrum.noise[k - 1]))
    closed, way = exact_algebra(span, lambda candidate: spectrum.of(candidate.flatten(1)) <= allowed)
    if closed is None:
        return none(
            f"{k} directions are set apart, but they are no algebra (nearest one: {way:.0f} degrees off)", spectrum, predictor
        )
    algebra = on_axes(closed, coordinates, lambda candidate: spectrum.of(candidate.flatten(1)) <= allowed)
    onto = on_quadric(algebra.generators, moving)
    # Off a quadric, slopes are the predictor's own: what held-out data say of staying on it comes next.
    if onto is not None and spectrum.of(coordinates.into(onto).flatten(1)) <= max(allowed, OUTWEIGHED):
        algebra = affine_algebra(onto, algebra.units, algebra.origin)
    if leaves_quadric(algebra.generators, moving):
        return none(f"{algebra.name} was set apart, but its moves leave the quadric that the tokens lie on", spectrum, predictor)
    of_z = Among(torch.arange(z.shape[2]) < coordinates.dim)
    moves = of_z.generators(coordinates.into(algebra.generators))
    free = of_z.generators(torch.ones(1, coordinates.dim, coordinates.dim + coordinates.affine, dtype=z.dtype))[0]
    evidence, laws = imposed(predictor, z, t, moves, along, split, seed, free)
    # What a rough predictor has not learned may break what it keeps; a better one that learns from moved data was only prejudiced.
    violation, apart = float(spectrum.violations[k - 1]), float(spectrum.noise[k - 1])
    costs_nothing = violation <= OUTWEIGHED or evidence.error <= DEARER * evidence.free
    unseen = (violation <= left_open(apart) and costs_nothing) or (violation <= OUTWEIGHED and evidence.error <= evidence.free)
    exact = error <= ROUGH and unseen
    gain = None
    if not exact and error <= ROUGH and evidence.error < evidence.free:
        # A violation is seen: what counts is whether learning from moved data helps all the same, on other held-out data, too.
        others = [imposed(predictor, z, t, moves, along, partial(_other, split, r), seed + r, free)[0] for r in range(1, SPLITS)]
        gains = torch.tensor([each.free - each.error for each in (evidence, *others)])
        gain = float(gains.mean()), float(gains.std()) / SPLITS**0.5
    if not evidence:
        return none(f"{algebra.name} was set apart, but imposing it costs: {evidence}", spectrum, predictor)
    if along == "vector":
        laws = None
    elif laws is not None:
        laws = unscaled(laws, values.mean(0), spread)
    raw, reason = coordinates.out(span), f"{k} directions are set apart by a gap"
    if bool(held.any()):
        raw = among.generators(raw)
        algebra = affine_algebra(among.generators(algebra.generators), scale, among.vectors(algebra.origin))
        reason += f"; {int(held.sum())} of {n} components take two values alone and stay"
    return TaskSymmetries(
        algebra,
        laws,
        raw,
        spectrum.violations,
        spectrum.noise,
        error,
        evidence,
        gap_interval(slopes, along, coordinates.affine, k, seed),
        exact,
        idle,
        reason,
        predictor.members[0].about,
        time.perf_counter() - started,
        gain,
    )


def _other(split: Callable[[int], tuple[Tensor, Tensor]], ahead: int, number: int) -> tuple[Tensor, Tensor]:
    """Another draw of held-out data."""
    return split(ahead + number)


def target_values(data: Samples) -> Tensor:
    if data.y.shape[1]:
        return data.y.double().flatten(1)
    if data.labels is not None:
        return F.one_hot(data.labels, data.classes).double()[:, 1:]
    if not data.scalars.shape[1]:
        raise ArgumentError("y", "a target: its symmetries are asked about", "none")
    return data.scalars.double()


def affordable(seen: float, noise: float) -> float:
    """Up to which violation an exact algebra may take the place of what was found."""
    return max(1.5 * seen, min(3 * noise, seen + AFFORDED), 0.003)


def varying(values: Float[Tensor, "N k"]) -> Tensor:
    """``[k]``: which numbers differ by more than rounding."""
    return (values - values.mean(0)).square().mean(0).sqrt() > ROUNDING * values.abs().amax(0)


def set_apart(violations: Tensor) -> int:
    """How many directions are set apart: the largest gap after small violations, if it is a gap."""
    return max(gaps(violations), key=lambda gap: gap[1], default=(0, 0.0))[0]


def idle_directions(slopes: Float[Tensor, "N m T n"], weights: Tensor) -> Float[Tensor, "r n"]:
    """Directions of the tokens along which the predictor is flat."""
    energy = torch.einsum("n,nmti,nmtj->ij", weights, slopes, slopes)
    values, vectors = torch.linalg.eigh(energy)
    return vectors[:, values.clamp_min(0).sqrt() < IDLE * values.mean().sqrt()].mT


def _on_axes(idle: Float[Tensor, "r n"], scale: Float[Tensor, " n"]) -> Float[Tensor, "r n"]:
    """Idle directions, orthonormal; coordinate axes where, each component by its own scale, they nearly span some."""
    share = torch.linalg.qr((idle / scale).mT).Q.mT.square().sum(0)
    if bool(((share > 1 - ON_AXES) | (share < ON_AXES)).all()) and int((share > 0.5).sum()) == len(idle):
        return torch.eye(idle.shape[1], dtype=idle.dtype)[share > 0.5]
    return torch.linalg.qr(idle.mT).Q.mT


def _of_active(
    data: Samples,
    x: Tensor,
    values: Tensor,
    kinds: Tensor,
    law: bool | None,
    affine: bool,
    seed: int,
    started: float,
    none: Callable[[str], TaskSymmetries],
) -> TaskSymmetries:
    """The symmetries of many columns: among the few directions that the task listens to."""
    n = x.shape[1]
    first = torch.unique(kinds, return_inverse=True)[1]
    once = torch.full((int(first.max()) + 1,), len(first)).scatter_reduce_(0, first, torch.arange(len(first)), "amin")
    values = values[:, varying(values)]
    found = active_directions(x[once], ((values - values.mean(0)) / values.std(0))[once], seed)
    if found.on_directions > 1 - LEAST_EXPLAINED:
        return none(f"no predictor of {n} columns explains the target: held-out R² {1 - found.on_directions:.2f}")
    many = len(found.directions)
    if many > WIDEST:
        return none(
            f"not searched: the task listens to more than {WIDEST} directions of {n} columns (held-out R² {1 - found.error:.2f} of a "
            "predictor on all); name a group, or give smaller tokens x [N, T, n]"
        )
    alike = torch.ones(n, dtype=torch.float64)
    idle = _on_axes(torch.linalg.svd(found.directions, full_matrices=True).Vh[many:], alike)
    inside = _lifted(data, idle, alike, torch.zeros(n, dtype=torch.bool), law, affine, seed, started)
    also = f"searched among the {many} direction{'s' if many > 1 else ''} of {n} columns that the task listens to, and no others"
    return replace(inside, reason=f"{inside.reason}; {also}")


def _lifted(
    data: Samples,
    idle: Float[Tensor, "r n"],
    scale: Float[Tensor, " n"],
    held: Tensor,
    law: bool | None,
    affine: bool,
    seed: int,
    started: float,
) -> TaskSymmetries:
    """The symmetries of what matters, as moves of all that leave idle directions alone; components that are ``held`` stay apart."""
    across = Among(~held).vectors(torch.linalg.svd((idle / scale)[:, ~held], full_matrices=True).Vh[len(idle) :])
    across = torch.cat([across, torch.eye(len(held), dtype=across.dtype)[held]])
    rest, back = across / scale, across * scale
    if bool((idle.abs().amax(1) == 1).all()):
        rest = back = torch.eye(idle.shape[1], dtype=idle.dtype)[idle.abs().sum(0) == 0]
    seen = replace(data, x=data.x.double().cpu() @ rest.mT, y=data.y[..., : len(rest)])
    found = task_symmetries_of(seen, law=law, affine=affine, seed=seed)

    def lift(generators: Tensor | None) -> Tensor | None:
        if generators is None:
            return None
        m = len(rest)
        return torch.cat([back.mT @ generators[..., :m] @ rest, back.mT @ generators[..., m:]], 2)

    generators = lift(None if found.algebra is None else found.generators)
    many = f"{len(idle)} direction{'s' if len(idle) > 1 else ''}"
    return replace(
        found,
        algebra=None
        if found.algebra is None or generators is None
        else affine_algebra(generators, scale, found.algebra.origin @ back),
        raw=lift(found.raw),
        idle=idle,
        reason=f"{found.reason}; the task does not depend on {many} of the tokens",
        seconds=time.perf_counter() - started,
    )


def unscaled(law: Float[Tensor, "k m c"], mean: Float[Tensor, " m"], spread: Float[Tensor, " m"]) -> Float[Tensor, "k m c"]:
    """A law of standardised targets as one of the targets."""
    m = law.shape[1]
    C = spread[:, None] * law[..., :m] / spread
    return torch.cat([C, spread[:, None] * law[..., m:] - C @ mean[:, None]], 2)
