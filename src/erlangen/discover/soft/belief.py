"""`graded_belief`: which of a few candidate symmetries a regression task has, and how well, judged on held-out data in seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.data.distinct import distinct
from erlangen.discover.finding import Finding
from erlangen.discover.samples import MOST_COMPONENTS
from erlangen.discover.soft.degrees import Degrees
from erlangen.discover.soft.features import conformal, tensor_features
from erlangen.discover.soft.held_out import Excess, HeldOut, amplitude, compared, folds, left_over
from erlangen.errors import ArgumentError
from erlangen.groups import SO, Group, MatrixGroup, O, Scalings
from erlangen.groups.orthogonal import so_basis
from erlangen.maps.subspaces import Candidate, candidates, dimension
from erlangen.reps import InBasis, Rep
from erlangen.reps.layout import SCALAR, VECTOR, Layout

Status = Literal["exact", "approximate", "broken", "unclear"]

#: A symmetry may be called exact only where a violation by this part of the target's spread (relative to what a group that has nothing
#: to do with the data loses) would have been seen.
RESOLUTION = 0.1
#: A certain violation of this part at most is none to care about.
NEGLIGIBLE = 0.02
#: What an unrelated group must lose, as a part of the target's amplitude, for the loss of this one to mean anything.
LEAST_CHANCE = 0.05
#: Features must explain this part of the target's variance for anything to be said.
LEAST_EXPLAINED = 0.1
#: An approximate symmetry worth a penalty; below this half it counts as broken.
HALF = 0.5
_MOST_SAMPLES = 4000


@dataclass(frozen=True)
class GroupBelief:
    """What the data say of one group.

    Attributes:
        name: of the group.
        status: ``"exact"`` (no violation seen, and one of a tenth would have been), ``"approximate"``, ``"broken"`` (degree below one
            half), or ``"unclear"`` (too few data, or features that do not explain the target).
        degree: ``1 - told / told_random``: how much amplitude of the target is lost on held-out data by imposing the group, against
            imposing a group of the same size that has nothing to do with the data.
        lowest: the same at the far end of what the held-out errors leave open.
        error: held-out squared error of the exactly equivariant model, as a part of the target's variance.
        free: how many parameters that model has.
    """

    name: str
    status: Status
    degree: float
    lowest: float
    error: float
    free: int

    @property
    def tested(self) -> str:
        """How small a violation the held-out data would have shown, in words."""
        open_ = 1 - self.lowest
        return f"a violation of {open_:.0%} would show" if open_ >= 0.01 else "a violation of less than 1% would show"


@dataclass(frozen=True)
class Belief:
    """A graded belief over groups; prints as one line.

    Attributes:
        groups: each candidate's :class:`GroupBelief`.
        ridge: held-out error of ridge regression without symmetry, as a part of the target's variance.
        soft: the same of :class:`SoftEquivariantRidge` with all groups at once.
        soft_degrees: the degrees of its weights.
        features: how many numbers the models see, and ``degree``, up to which power of the vectors.
        samples: how many different ones were used; copies of one sample stay together in the cross-validation.
        seconds: what it took.
    """

    groups: Mapping[str, GroupBelief]
    acting: Mapping[str, Rep]
    ridge: float
    soft: float
    soft_degrees: Degrees
    features: int
    degree: int
    samples: int
    seconds: float

    def __getitem__(self, name: str) -> GroupBelief:
        return self.groups[name]

    @property
    def degrees(self) -> Degrees:
        """The degree of each group."""
        return Degrees({name: belief.degree for name, belief in self.groups.items()})

    def named(self, status: Status) -> list[str]:
        """The groups of this status, the most constraining one first."""
        found = [b for b in self.groups.values() if b.status == status]
        return [b.name for b in sorted(found, key=lambda b: (b.free, -b.degree))]

    @property
    def near(self) -> list[str]:
        """The groups for a penalty: approximate ones, and unclear ones that are at least half kept whatever the data leave open."""
        return self.named("approximate") + [name for name in self.named("unclear") if self[name].lowest >= HALF]

    @property
    def advice(self) -> Literal["impose", "penalty", "none"]:
        """What to do: impose the first exact group, or use a soft penalty, or leave symmetry alone.

        A penalty is for approximate symmetries that ask for more than any exact one does.
        """
        exact, near = self.named("exact"), self.near
        if near and (not exact or min(self[n].free for n in near) < min(self[n].free for n in exact)):
            return "penalty"
        return "impose" if exact else "none"

    def finding(self) -> Finding:
        """In the terms that all discoverers share: it stands by exact groups only, and hands on the most constraining one."""
        exact = self.named("exact")
        shown = sorted(self.groups.values(), key=lambda b: -b.degree)
        found = ", ".join(f"{b.name} {b.degree:.2f}" for b in shown if b.degree >= HALF and b.status != "unclear")
        chosen = exact[0] if exact else None
        best = self.groups[chosen] if chosen else shown[0]
        unclear = all(b.status == "unclear" for b in shown)
        notes = {
            "impose": f"{chosen} looks exact ({best.tested})",
            "penalty": f"{self._almost()}; a penalty (--soft) allows for that, a frame does not",
            "none": "no candidate is a symmetry"
            if not unclear
            else "not enough data, or a target that these features do not explain",
        }
        group = self._group(chosen) if chosen else None
        # Of what is not surely exact only what the data leave no doubt about counts.
        confidence = None if unclear else best.degree if chosen else best.lowest
        note = notes[self.advice] + f"; held-out error free {self.ridge:.2g}, soft {self.soft:.2g}"
        return Finding("soft equivariance, ridge", found or "nothing", confidence, chosen is not None, self.seconds, note, group)

    def _almost(self) -> str:
        """The groups for a penalty, and what keeps them from being called exact."""
        kept = [f"{name} to {self[name].degree:.2f}, surely to {self[name].lowest:.2f}" for name in self.near]
        return f"not surely exact is {', '.join(kept)}"

    def _group(self, name: str) -> Group | None:
        rep = self.acting[name]
        return rep.group if rep == rep.group.vector else None

    def __str__(self) -> str:
        shown = sorted(self.groups.values(), key=lambda b: -b.degree)
        return "; ".join(f"{b.name} {b.status} ({b.degree:.2f})" for b in shown)


def default_candidates(n: int) -> dict[str, Group]:
    """Symmetries of ``R^n`` to ask for first: rotations, rotations about each axis, reflections too, scalings.

    Raises:
        ArgumentError: ``n`` is more than 32.

    >>> list(default_candidates(3))
    ['SO(3)', 'SO(2) about x', 'SO(2) about y', 'SO(2) about z', 'O(3)', 'Scalings(3)']
    >>> list(default_candidates(4))
    ['SO(4)', 'SO(3) about axis 1', 'SO(3) about axis 2', 'SO(3) about axis 3', 'SO(3) about axis 4', 'O(4)', 'Scalings(4)']
    """
    if n > MOST_COMPONENTS:
        hint = "name the groups to ask about, or give smaller tokens x [N, T, n]"
        raise ArgumentError("n", f"tokens of at most {MOST_COMPONENTS} components", repr(n), hint)
    if n < 2:
        return {"O(1)": O(1), "Scalings(1)": Scalings(1)}
    found: list[Group] = [SO(n)]
    if n == 3:
        found += [SO(2, axis=axis) for axis in "xyz"]
    elif 3 < n <= 5:
        basis = so_basis(n)
        for axis in range(n):
            still = basis[:, axis].abs().amax(1) == 0
            found.append(MatrixGroup(algebra=basis[still], name=f"SO({n - 1}) about axis {axis + 1}"))
    found += [O(n), Scalings(n)]
    return {group.name: group for group in found}


def graded_belief(
    x: Float[Tensor, "N T n"],
    y: Tensor,
    groups: Sequence[Candidate] | Mapping[str, Candidate] | None = None,
    *,
    target: Literal["scalar", "vector", "class"] | None = None,
    degree: int = 3,
    parts: int = 4,
    seed: int = 0,
) -> Belief:
    """How well each group fits a task "tokens in, numbers or vectors out", by polynomials of low degree in closed form.

    Every model is linear in products of up to three of a sample's vectors and judged on data it has not seen: without symmetry, exactly
    equivariant under each group (also on top of the group that does best), exactly equivariant under groups that have nothing to do with
    the data, softly equivariant under all. Imposing a true symmetry loses nothing; imposing a broken one loses as much of the target as it
    breaks. What is left of the errors is searched for violations of second degree that no model was sure enough to use.

    Args:
        x: vectors of ``R^n``, ``[N, T, n]`` or ``[N, n]``; not centred and not scaled component by component, which would break symmetries.
        y: ``[N]`` or ``[N, k]`` (numbers), ``[N, T_y, n]`` (vectors), or integer labels ``[N]``.
        groups: candidates; by default :func:`default_candidates`.
        target: what ``y`` is; by default vectors for three axes, classes for integers, else numbers.
        degree: of the products.
        parts: of the cross-validation.
        seed: of the folds and of the random groups.

    Raises:
        ArgumentError: fewer than 20 different samples, shapes that do not fit, numbers that are not finite.

    >>> x = torch.randn(200, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    >>> belief = graded_belief(x, (x[:, 0] * x[:, 1]).sum(-1))
    >>> belief["O(3)"].status, belief["Scalings(3)"].status
    ('exact', 'broken')
    """
    started = time.perf_counter()
    tokens, values, kinds, vector_target = _data(x, y, target)
    n = tokens.shape[2]
    acting = candidates(default_candidates(n) if groups is None else groups)
    d = next(iter(acting.values())).dim
    if d != n:
        raise ArgumentError("groups", f"groups that act on R^{n}, as the tokens", f"groups on R^{d}")
    layout = Layout(n, [(VECTOR, values.shape[1] // n) if vector_target else (SCALAR, values.shape[1])])
    limit = max(4 * n + 4, 1000 // n if vector_target else 400)
    features = tensor_features(tokens, vector_target, conformal(acting.values()), limit, degree, seed)
    held = HeldOut(features.x, values, features.layout, layout, folds(kinds, parts, seed), kinds)
    spread = float((values - values.mean(0)).square().sum(1).mean())
    free, decay = held.free()
    hard = {name: held.hard(vector) for name, vector in acting.items()}
    soft = {s: held.soft(dict(acting), s, decay) for s in (1e-3, 1e-1, 10.0)}
    strength = min(soft, key=lambda s: float(soft[s][0].sum()))
    leader = min(hard, key=lambda name: float(hard[name][0].sum()))
    best = min([hard[leader][0], free, soft[strength][0]], key=lambda e: float(e.sum()))
    explained = 1 - float(best.mean()) / spread
    rng = torch.Generator().manual_seed(seed)
    low = _low_degree(tokens, int(kinds.max()) + 1)
    beliefs = {}
    for name, vector in acting.items():
        # A weak constraint must not look worse than a strong one because it leaves more to fit: it is also imposed on top of the leader.
        models = [hard[name]] if name == leader else [hard[name], held.hard(vector, acting[leader])]
        judged = [_violation(squares, missed, best, low, spread, kinds, rng) for squares, missed in models]
        violation = min(judged, key=lambda e: (e.certain, e.upper))
        beliefs[name] = _judge(
            name, violation, _chance(vector, held, best, spread, tokens, rng), explained,
            float(hard[name][0].mean()) / spread, dimension(vector, layout, features.layout),
        )  # fmt: skip
    return Belief(
        beliefs,
        acting,
        float(free.mean()) / spread,
        float(soft[strength][0].mean()) / spread,
        Degrees(soft[strength][1]),
        features.layout.dim,
        features.degree,
        int(kinds.max()) + 1,
        time.perf_counter() - started,
    )


def _violation(
    squares: Tensor,
    missed: Tensor,
    best: Tensor,
    low: Tensor | None,
    spread: float,
    kinds: Tensor,
    generator: torch.Generator,
) -> Excess:
    """What imposing a group loses, by the comparison with the best model and by what its errors still depend on."""
    by_model = compared(squares, best, spread, kinds)
    # Whatever is violated is among the errors, so that small errors bound it.
    bound = amplitude(float(squares.mean()) / spread)
    if low is None:
        return Excess(by_model.told, bound, by_model.certain)
    by_errors = left_over(missed, low, spread, kinds, generator)
    told = max([e.told for e in (by_model, by_errors) if e.certain], default=by_model.told)
    upper = min(bound, max(by_model.upper, by_errors.upper))
    return Excess(told, max(told, upper), by_model.certain or by_errors.certain)


def _judge(name: str, violation: Excess, chance: float, explained: float, error: float, free: int) -> GroupBelief:
    """Put a loss beside that of an unrelated group."""
    if explained < LEAST_EXPLAINED or chance <= LEAST_CHANCE:
        return GroupBelief(name, "unclear", 0.0, 0.0, error, free)
    degree, lowest = (min(1.0, max(0.0, 1 - part / chance)) for part in (violation.told, violation.upper))
    status: Status
    if not violation.certain or degree >= 1 - NEGLIGIBLE:
        status = "exact" if lowest >= 1 - RESOLUTION else "unclear"
    else:
        status = "broken" if degree < HALF else "approximate"
    return GroupBelief(name, status, degree, lowest, error, free)


def _low_degree(tokens: Tensor, different: int) -> Tensor | None:
    """An orthonormal basis of products of up to two vectors' components, where they are at most half as many as the different samples."""
    found = tensor_features(tokens, False, False, max(2, different // 2), 2)
    if found.degree < 2 or found.mixed:
        return None
    turned, sizes, _ = torch.linalg.svd(found.x, full_matrices=False)
    return turned[:, sizes > 1e-8 * sizes[0]]


def _chance(vector: Rep, held: HeldOut, best: Tensor, spread: float, tokens: Tensor, generator: torch.Generator) -> float:
    """The amplitude that is lost by imposing a group of the same size that has nothing to do with the data."""
    if _central(vector):
        if not vector.group.dim:  # a sign: with the wrong parity nothing is explained
            return amplitude(1 - float(best.mean()) / spread)
        # Scalings look alike in every basis. What they could lose is what a degree of homogeneity wrong by one would: little where all
        # samples have one size, so that nothing can be said.
        size = tokens.square().mean((1, 2)).sqrt()
        centred = held.y - (held.y.mean(0) if held.target.parts[0][0] == SCALAR else 0)
        return amplitude(float(((size / size.mean() - 1).square()[:, None] * centred.square()).sum(1).mean()) / spread)
    losses = [compared(held.hard(_unrelated(vector, generator))[0], best, spread, held.kinds).told for _ in range(2)]
    loss = sum(losses) / len(losses)
    # A target that commutes with every linear map loses nothing to any group; then the whole target is the measure.
    return loss if loss > LEAST_CHANCE else amplitude(1 - float(best.mean()) / spread)


def _central(vector: Rep) -> bool:
    """Whether every element is a multiple of the identity, so that the group is the same in every basis."""
    tangents, generators = vector.group.tangents(torch.float64), vector.group.generators
    moved = [] if tangents is None else [vector.algebra(tangents)]
    moved += [] if generators is None else [vector.matrix(generators).to(torch.float64)]
    eye = torch.eye(vector.dim, dtype=torch.float64)
    return all(bool((m - m.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None] * eye).abs().max() < 1e-9) for m in moved)


def _unrelated(vector: Rep, generator: torch.Generator) -> Rep:
    """The same group in a random basis, of a condition number that leaves the maps of tensor powers a clear dimension."""
    d = vector.dim
    turn = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64)).Q
    stretch = torch.exp(torch.randn(d, generator=generator, dtype=torch.float64).clamp(-1, 1))
    return InBasis(vector, turn * stretch)


def _data(x: Any, y: Any, target: str | None) -> tuple[Tensor, Tensor, Tensor, bool]:
    """Tokens, and targets ``[N, m]`` of mean square one, in float64; and which samples have the same tokens."""
    tokens, values = torch.as_tensor(x).detach().cpu(), torch.as_tensor(y).detach().cpu()
    if target not in (None, "scalar", "vector", "class"):
        raise ArgumentError("target", "'scalar', 'vector', 'class' or None", repr(target))
    if tokens.ndim == 2:
        tokens = tokens.unsqueeze(1)
    if tokens.ndim != 3 or not tokens.is_floating_point():
        raise ArgumentError("x", "floating-point tokens [N, T, n]", f"{tokens.dtype} {tuple(tokens.shape)}")
    if len(tokens) < 20 or len(values) != len(tokens):
        raise ArgumentError("y", "as many targets as samples, at least 20", f"{len(values)} for {len(tokens)} samples")
    if not bool(torch.isfinite(tokens).all() and torch.isfinite(values).all()):
        raise ArgumentError("x", "finite numbers", "some that are not")
    kinds = distinct(tokens)
    if int(kinds.max()) + 1 < 20:
        hint = "copies of a sample in the training data would tell the held-out ones"
        raise ArgumentError("x", "at least 20 different samples", int(kinds.max()) + 1, hint)
    labels = target == "class" or (target is None and not values.is_floating_point())
    vector = not labels and (target == "vector" or (target is None and values.ndim == 3))
    if labels:
        values = torch.nn.functional.one_hot(values.flatten().long())
    values = values.to(torch.float64).flatten(1) if values.ndim > 1 else values.to(torch.float64).unsqueeze(1)
    tokens = tokens.to(torch.float64)
    if vector and values.shape[1] % tokens.shape[2]:
        raise ArgumentError("y", f"vectors of R^{tokens.shape[2]}", f"{values.shape[1]} numbers")
    if len(tokens) > _MOST_SAMPLES:
        kept = torch.randperm(len(tokens), generator=torch.Generator().manual_seed(0))[:_MOST_SAMPLES]
        tokens, values, kinds = tokens[kept], values[kept], distinct(tokens[kept])
    scale = values.square().mean().sqrt()
    if not float((values - values.mean(0)).abs().max()) > 1e-12 * float(scale):
        raise ArgumentError("y", "targets that vary", "a constant")
    return tokens / tokens.square().mean().sqrt().clamp_min(1e-300), values / scale, kinds, vector
