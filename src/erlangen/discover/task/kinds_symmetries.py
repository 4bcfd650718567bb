"""`kinds_symmetries`: a task's affine symmetries where tokens are of several kinds and each kind moves by generators of its own."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.data.distinct import arranged, boundary, distinct
from erlangen.discover.finding import Finding
from erlangen.discover.samples import Samples, Target, samples_of
from erlangen.discover.task.answer import NEGLIGIBLE, ROUGH, TaskSymmetries, left_open
from erlangen.discover.task.closure import CLOSED_ENOUGH, nearest_closed
from erlangen.discover.task.coordinates import Coordinates
from erlangen.discover.task.equations import Law, Slopes, gap_interval, slopes_of, spectrum_of
from erlangen.discover.task.imposed import imposed
from erlangen.discover.task.kinds import JointCoordinates, KindTokens, kind_tokens, kind_views
from erlangen.discover.task.kinds_settled import idealised_kinds, settled_kinds
from erlangen.discover.task.on_quadrics import leaves_quadric
from erlangen.discover.task.predictor import fit_predictor, splits
from erlangen.discover.task.settled import FARTHEST
from erlangen.discover.task.symmetries import (
    FEWEST,
    FEWEST_OF_CLASS,
    LEAST_EXPLAINED,
    MOST,
    NEAR,
    OUTWEIGHED,
    TEST,
    affordable,
    idle_directions,
    set_apart,
    target_values,
    unscaled,
    varying,
)
from erlangen.errors import ArgumentError
from erlangen.groups.parts_algebra import allowed_entries, parts_algebra
from erlangen.parallel import one_thread

#: More directions are not asked about: closing a span costs the square of their number, and more.
MOST_DIRECTIONS = 130
#: A generator that is found alone must be violated by no more than this to be claimed.
LONE = 0.1
#: Multiplications that the search for a predictor may cost: kinds are seen in more ways than tokens that are alike.
BUDGET = 1.2e11


@one_thread()
def kinds_symmetries(
    x: Any,
    y: Any,
    kinds: Sequence[Hashable] | None = None,
    *,
    target: Target | None = None,
    law: bool | None = None,
    affine: bool = True,
    seed: int = 0,
) -> TaskSymmetries:
    """Which moves leave a task as it is, that act on tokens of each kind by an affine map ``x -> A_k x + b_k`` of its own?

    All ``(A_k | b_k)`` are the unknowns of one linear problem, as in :func:`~erlangen.discover.task.task_symmetries`; so their numbers add
    up. What is found is an algebra of affine maps of the sum of the kinds' spaces, a
    :class:`~erlangen.groups.parts_algebra.PartsAlgebra`, which says what each kind does and which kinds move together.

    Args:
        x: a mapping from names of kinds to tokens ``[N, T_k, n_k]`` (``[N, n_k]``: one), or tokens ``[N, T, n]`` with ``kinds``.
        y: numbers ``[N]`` or ``[N, k]``, vectors ``[N, T_y, n]`` (which follow a law that is found, as numbers do), class labels ``[N]``.
        kinds: of each token its kind, a number or a name.
        target: what ``y`` is; by default as its type says.
        law: whether numbers may move along by a law of their own; by default where there are several.
        affine: whether translations are looked for, too.
        seed: of everything random.

    Raises:
        ArgumentError: naming ``x``, ``y`` or ``kinds``: they do not fit, or the kinds have more than 130 directions in all.

    >>> rng = torch.Generator().manual_seed(0)
    >>> x = {name: torch.randn(400, 2, 2, generator=rng) for name in ("position", "velocity")}
    >>> y = x["velocity"].square().sum((1, 2)) + (x["position"][:, 0] - x["position"][:, 1]).square().sum(-1)
    >>> found = kinds_symmetries(x, y)
    >>> found.algebra.name
    'se(2) on position + so(2) on velocity'
    """
    started = time.perf_counter()
    tokens = kind_tokens(x, kinds)
    sizes = tokens.sizes
    asked = sum(n * (n + 1) for n in sizes)
    if asked > MOST_DIRECTIONS:
        names = " + ".join(f"{n} x {n + 1} of {name}" for name, n in zip(tokens.names, sizes))
        raise ArgumentError("x", f"kinds of at most {MOST_DIRECTIONS} directions in all", f"{asked} ({names})")
    if y is None:
        raise ArgumentError("y", "a target: its symmetries are asked about", "None")
    y, target = _without_vectors(y, target)
    data = samples_of(tokens.embedded(), y, target)
    if data.labels is None and not data.scalars.shape[1]:
        raise ArgumentError("y", "numbers or class labels", f"{target or 'shape'} {tuple(torch.as_tensor(y).shape)}")
    common = data.in_common_classes(FEWEST_OF_CLASS)
    tokens, data = tokens.subset(common), data.of_common_classes(FEWEST_OF_CLASS)
    values = target_values(data).cpu()
    return replace(_found(tokens, values, data.labels is not None, law, affine, seed), seconds=time.perf_counter() - started)


def kinds_finding(data: Samples, kinds: Sequence[Hashable], seed: int) -> Finding:
    """What a task keeps where each kind of tokens moves by itself, as a row beside other findings; its group acts on no token alone.

    Raises:
        ArgumentError: as :func:`kinds_symmetries`, or no target.
    """
    target: Target = "class" if data.labels is not None else "vector" if data.y.shape[1] else "scalar"
    if target == "scalar" and not data.scalars.shape[1]:
        raise ArgumentError("kinds", "nothing where there is no target: the symmetries of kinds are those of a task", list(kinds))
    y = data.labels if target == "class" else data.y if target == "vector" else data.scalars
    found = kinds_symmetries(data.x, y, kinds, target=target, seed=seed)
    return replace(found.finding(), method="task, each kind by itself", group=None)


def _without_vectors(y: Any, target: Target | None) -> tuple[Any, Target | None]:
    """Vectors as numbers: of which kind they are is not told, so that they follow a law that is found."""
    shape = tuple(y.shape) if isinstance(y, Tensor) else np.shape(y)
    if target != "vector" and len(shape) != 3:
        return y, target
    return (y.flatten(1) if isinstance(y, Tensor) else np.reshape(y, (shape[0], -1))), "scalar"


def _found(tokens: KindTokens, values: Tensor, classes: bool, law: bool | None, affine: bool, seed: int) -> TaskSymmetries:
    """The answer, with no seconds."""
    n = sum(tokens.sizes)
    error, predictor, spectrum = 1.0, None, None

    def none(reason: str) -> TaskSymmetries:
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
            torch.zeros(0, n, dtype=torch.float64),
            reason,
            "" if predictor is None else predictor.members[0].about,
            0.0,
        )

    same = distinct(tokens.embedded())
    if (many := int(same.max()) + 1) < FEWEST:
        return none(f"{many} different samples; {FEWEST} are needed")
    if not bool(varying(values).any()):
        return none("the target is constant")
    if len(values) > MOST:
        kept = arranged(same, torch.Generator().manual_seed(seed))[:MOST]
        tokens, values = tokens.subset(kept), values[kept]
    # Rows of zeros are padding, which no translation moves.
    translated = [affine and not bool((part.abs().amax(-1) == 0).any()) for part in tokens.parts]
    coordinates = JointCoordinates([Coordinates(part, moves) for part, moves in zip(tokens.parts, translated)])
    for name, own in zip(tokens.names, coordinates.parts):
        if not own.dim:
            return none(f"the tokens of {name} are constant: leave them away")
    inside = coordinates.by_kind(tokens)
    reach = torch.stack([part.square().mean(-1).amax(1) for part in inside.parts]).amax(0)
    near = (reach <= reach.quantile(NEAR)).nonzero()[:, 0]
    inside, values, seen_tokens = inside.subset(near), values[near], tokens.subset(near)
    same = distinct(seen_tokens.embedded())
    values = values[:, varying(values)]
    spread = values.std(0)
    spread = spread.square().mean().sqrt().expand_as(spread) if classes else spread
    t = (values - values.mean(0)) / spread
    along: Law = "own" if (law if law is not None else t.shape[1] > 1 and not classes) else "none"

    everything = arranged(same, torch.Generator().manual_seed(seed))
    kept_back = boundary(same, everything, int(len(everything) * TEST))
    test, rest = everything[:kept_back], everything[kept_back:]
    split = splits(same, rest, seed)
    z = inside.embedded()
    predictor = fit_predictor(z, t, split, seed, BUDGET, views=kind_views(inside), labels=classes)
    error = float((predictor(z[test]).clamp(t[rest].amin(0), t[rest].amax(0)) - t[test]).square().mean())
    if error > 1 - LEAST_EXPLAINED:
        return none(f"no predictor explains the target: held-out R² {1 - error:.2f}")

    entries = allowed_entries(inside.sizes)
    entries[:, -1] = torch.cat([torch.full((own.dim,), moves) for own, moves in zip(coordinates.parts, translated)])
    there = entries.flatten()
    slopes = slopes_of(predictor, z)
    spectrum = spectrum_of(slopes, along, entries=there)
    if reason := _idle_reason(slopes, inside):
        return none(reason)
    k = set_apart(spectrum.violations)
    if not k and float(spectrum.violations[-1]) <= NEGLIGIBLE:
        return none("all affine moves are followed by a law of the target, so none is told from another")
    if not k:
        return none(f"the smallest violation is {float(spectrum.violations[0]):.2g} of an unrelated move's, with no gap after it")
    span = torch.zeros(k, len(there), dtype=torch.float64)
    span[:, there] = spectrum.directions[:k]
    span = span.unflatten(1, tuple(entries.shape))
    closed, defect, way = nearest_closed(span, entries=entries)
    if defect > CLOSED_ENOUGH or math.degrees(way) > FARTHEST:
        plain = idealised_kinds(torch.linalg.qr(span.flatten(1).mT).Q.mT.unflatten(1, tuple(entries.shape)), inside.sizes)
        if plain is not None and len(plain) == k:
            closed, defect, way = nearest_closed(plain, entries=entries)
    if defect > CLOSED_ENOUGH or math.degrees(way) > FARTHEST:
        return none(f"{k} directions are set apart, but they are no algebra (nearest one: {math.degrees(way):.0f} degrees off)")
    afforded = affordable(spectrum.of(span.flatten(1)), float(spectrum.noise[k - 1]))
    exactly = settled_kinds(closed, coordinates, tokens.sizes, spectrum, afforded)
    algebra = parts_algebra(exactly * allowed_entries(tokens.sizes), tokens.sizes, tokens.names, coordinates.scale)
    for place, part in enumerate(seen_tokens.parts):
        if leaves_quadric(algebra.block(algebra.generators, place), part):
            return none(
                f"{algebra.name} was set apart, but its moves leave the quadric that the tokens of {tokens.names[place]} lie on"
            )
    evidence, laws = imposed(predictor, z, t, coordinates.into(algebra.generators), along, split, seed, entries)
    violation, apart = float(spectrum.violations[k - 1]), float(spectrum.noise[k - 1])
    unseen = violation <= left_open(apart) or (violation <= OUTWEIGHED and evidence.error <= evidence.free)
    # One of many directions may be apart by chance.
    unseen &= k > 1 or violation <= LONE
    if not evidence:
        return none(f"{algebra.name} was set apart, but imposing it costs: {evidence}")
    return TaskSymmetries(
        algebra,
        None if laws is None else unscaled(laws, values.mean(0), spread),
        coordinates.out(span),
        spectrum.violations,
        spectrum.noise,
        error,
        evidence,
        gap_interval(slopes, along, True, k, seed, there),
        error <= ROUGH and unseen,
        torch.zeros(0, n, dtype=torch.float64),
        f"{k} directions are set apart by a gap",
        predictor.members[0].about,
        0.0,
    )


def _idle_reason(slopes: Slopes, tokens: KindTokens) -> str:
    """Which kinds the task does not depend on, or on which directions of them; empty where on all."""
    idle = idle_directions(slopes.mean, slopes.weights)
    said, start = [], 0
    for name, size in zip(tokens.names, tokens.sizes):
        many = round(float(idle[:, start : start + size].square().sum()))
        start += size
        if many:
            said.append(
                f"the tokens of {name}" if many == size else f"{many} direction{'s' if many > 1 else ''} of the tokens of {name}"
            )
    return f"the task does not depend on {' and '.join(said)}: leave them away" if said else ""
