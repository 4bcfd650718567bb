"""`evolve`: antithetic evolution strategies for any design and any objective; `EvolutionTraining`: the same inside a `SubgroupSearch`."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optree
import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.design.designs import checked, differences, real_number, seed_from, shapes_of, whole_number
from erlangen.design.symmetrizer import SoftSymmetrizer, Symmetrizer
from erlangen.errors import ArgumentError
from erlangen.reporting import progress
from erlangen.serialization import read_tensors, weights_bytes, write_bytes

#: Of a batch of designs, each tensor with one more leading axis, and a seed: how good each is.
Objective = Callable[[Any, int], Any]
#: Adam's decay of the two moments, and what keeps it from dividing by zero.
DECAYS, TINY = (0.9, 0.999), 1e-8


@dataclass(frozen=True)
class Generation:
    """One generation: its number from 0, and the mean and the best of its values."""

    number: int
    mean: float
    best: float


@dataclass(frozen=True)
class Evolution:
    """Where an evolution has come to; all that it needs to go on.

    Attributes:
        design: the design around which the next generation is drawn, the result.
        first, second: Adam's moments, of the design's structure.
        history: the generations so far.
        settings: what must be the same to go on.
    """

    design: Any
    first: Any
    second: Any
    history: list[Generation]
    settings: dict[str, Any]

    @property
    def evaluations(self) -> int:
        """How many designs were evaluated."""
        return len(self.history) * int(self.settings["population"])

    def save(self, path: str | Path) -> Path:
        """Write it as one safetensors file, in one step; what is no tensor is JSON in the metadata."""
        tensors = {
            f"{what}.{i}": t
            for what in ("design", "first", "second")
            for i, t in enumerate(optree.tree_leaves(getattr(self, what)))
        }
        meta = {"settings": self.settings, "history": [asdict(one) for one in self.history]}
        return write_bytes(path, weights_bytes(tensors, {"evolution": json.dumps(meta)}))

    @classmethod
    def load(cls, path: str | Path, like: Any) -> Evolution:
        """Read a file of :meth:`save`; ``like`` is any design of the same structure and shapes.

        Raises:
            ArgumentError: the file is damaged, or of another design.
        """
        tensors, meta = read_tensors(path, "evolution", "path")
        try:
            shapes, history = meta["settings"]["shapes"], [Generation(**one) for one in meta["history"]]
        except (KeyError, TypeError) as error:
            raise ArgumentError("path", "a file of Evolution.save", f"{path} ({type(error).__name__}: {error})") from None
        if shapes != shapes_of(like):
            raise ArgumentError("path", f"an evolution of designs of {shapes_of(like)}", f"one of {shapes}")
        tree = optree.tree_structure(like)
        trees: dict[str, Any] = {
            what: optree.tree_unflatten(tree, [tensors[f"{what}.{i}"] for i in range(tree.num_leaves)])
            for what in ("design", "first", "second")
        }
        return cls(**trees, history=history, settings=meta["settings"])


def evolve(
    evaluate: Objective,
    start: Any,
    *,
    generations: int,
    population: int = 24,
    sigma: float = 0.08,
    rate: float = 0.05,
    scale: Any = 1.0,
    project: Callable[[Any], Any] | None = None,
    seed: int = 0,
    resume: Evolution | None = None,
    path: str | Path | None = None,
    quiet: bool = True,
) -> Evolution:
    """Improve a design by an evolution strategy: no gradients, only values, of whole generations at a time.

    Each generation draws ``population / 2`` directions and looks at both sides of the design along each. Only the ranks of the values
    count, equal ones alike, so the objective may have any scale and outliers; the mean of the directions, weighted by ranks, is the slope
    that Adam follows.

    Args:
        evaluate: ``evaluate(designs, seed)``, the values ``[population]`` of a batch of designs (a tensor, an array or a list; larger is
            better). The seed is that of the generation: what is random in the objective should follow from it, and be the same for all.
        start: a tensor of floating-point numbers, or a pytree of such.
        generations: how many there are to be in all, those of ``resume`` or ``path`` counted.
        population: even.
        sigma: how far from the design a generation is drawn, in units of ``scale``.
        rate: how far Adam steps, in units of ``scale``.
        scale: the natural size of a change: a number, or a pytree of the design's structure of numbers or tensors that broadcast.
        project: puts a design back to where it may be after each step (into a box).
        seed: every other seed follows from it.
        resume: go on from an earlier result; ``start`` is then not looked at but for its shapes.
        path: keep the evolution in this file after each generation, and go on from it where it exists, to the bit.
        quiet: show no progress.

    Raises:
        ArgumentError: no such numbers; values of another shape or not finite; ``resume`` or ``path`` of another evolution.

    Source: T. Salimans, J. Ho, X. Chen, S. Sidor, I. Sutskever, "Evolution strategies as a scalable alternative to reinforcement
    learning", 2017, arXiv:1703.03864; D. Kingma, J. Ba, "Adam", 2015, arXiv:1412.6980.

    >>> wanted = torch.tensor([1.0, -2.0, 0.5])
    >>> found = evolve(lambda x, seed: -(x - wanted).square().sum(-1), torch.zeros(3), generations=150, rate=0.1)
    >>> bool((found.design - wanted).abs().max() < 0.1), found.evaluations
    (True, 3600)
    """
    generations, seed = whole_number(generations, 1, "generations"), whole_number(seed, 0, "seed")
    population = whole_number(population, 2, "population")
    if population % 2:
        raise ArgumentError("population", "an even number, for both sides of each direction", repr(population))
    sigma, rate = (real_number(size, 0.0, math.inf, name, open_below=True) for name, size in (("sigma", sigma), ("rate", rate)))
    start = checked(start, None, "start")
    for leaf in optree.tree_leaves(start):
        if not leaf.is_floating_point():
            raise ArgumentError("start", "floating-point numbers, which can be changed a little", leaf.dtype)
    sizes = _sizes(scale, start)
    kept = zlib.crc32(b"".join(size.to("cpu", torch.float64).numpy().tobytes() for size in sizes))
    settings = {
        "population": population,
        "sigma": sigma,
        "rate": rate,
        "checksum of scale": kept,
        "seed": seed,
        "shapes": shapes_of(start),
    }
    if resume is not None and not isinstance(resume, Evolution):
        raise ArgumentError("resume", "an earlier result of evolve", repr(resume), "a file of one is given as path")
    here = resume
    if here is None and path is not None and Path(path).exists():
        here = Evolution.load(path, start)
    if here is None:
        zero = optree.tree_map(torch.zeros_like, start)
        here = Evolution(start, zero, zero, [], settings)
    differs = differences(here.settings, settings)
    if differs:
        raise ArgumentError("path" if resume is None else "resume", "the same evolution as now", f"one with {differs}")
    with progress(generations, "evolution", quiet=quiet) as bar:
        bar.advance(min(len(here.history), generations))
        while len(here.history) < generations:
            here = _next(evaluate, here, sizes, project)
            if path is not None:
                here.save(path)
            bar.advance(1, value=here.history[-1].mean)
    return here


@dataclass(frozen=True)
class EvolutionTraining:
    """The ``train`` of a :class:`~erlangen.design.SubgroupSearch` by :func:`evolve`: as many generations in each epoch.

    What the state's subgroup takes away from a design does not change: values say nothing of it, and left to itself it would drift.

    Args:
        evaluate: ``evaluate(designs, seed)`` of a batch of designs that have the state's symmetry already.
        generations, population, sigma, rate, scale, project: as in :func:`evolve`.

    >>> from erlangen.design import SubgroupSearch
    >>> from erlangen.groups import Cyclic, subgroup_lattice
    >>> C, wanted = Cyclic(4), torch.tensor([1.0, 3.0, 1.0, 3.0])
    >>> def value(x, seed):
    ...     return -(x - wanted).square().sum(-1)
    >>> train = EvolutionTraining(value, generations=60, rate=0.1)
    >>> search = SubgroupSearch(subgroup_lattice(C), lambda x, s, seed: value(x, seed), train, action=C.vector, tolerance=0.2)
    >>> search.run(torch.zeros(4), budget=60).name
    'C_2'
    """

    evaluate: Objective
    generations: int
    population: int = 24
    sigma: float = 0.08
    rate: float = 0.05
    scale: Any = 1.0
    project: Callable[[Any], Any] | None = None

    def __call__(self, design: Any, symmetrize: nn.Module, seed: int) -> Any:
        settings = {name: getattr(self, name) for name in ("generations", "population", "sigma", "rate", "scale", "project")}
        found = evolve(lambda batch, now: self.evaluate(symmetrize(batch), now), design, seed=seed, **settings).design
        # A soft state is seen through the projector of its lower subgroup only.
        onto = symmetrize.lower if isinstance(symmetrize, SoftSymmetrizer) else symmetrize
        if not isinstance(onto, Symmetrizer):
            return found
        with torch.no_grad():
            return optree.tree_map(lambda a, b, c: a + (b - c), design, onto(found), onto(design))


def ranks(values: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Ranks from -1/2 (the least) to 1/2 (the largest); equal values have the mean of theirs.

    >>> ranks(torch.tensor([3.0, 1.0, 1.0, 7.0, -2.0])).tolist()
    [0.25, -0.125, -0.125, 0.5, -0.5]
    """
    higher = (values[:, None] > values).sum(1) - (values[:, None] < values).sum(1)
    return higher.to(values.dtype) / (2 * max(1, len(values) - 1))


def _next(evaluate: Objective, here: Evolution, sizes: list[Tensor], project: Callable[[Any], Any] | None) -> Evolution:
    """One more generation."""
    settings, number = here.settings, len(here.history)
    half, sigma, rate = settings["population"] // 2, settings["sigma"], settings["rate"]
    leaves, tree = optree.tree_flatten(here.design)
    draw = torch.Generator().manual_seed(seed_from(settings["seed"], number, 0))
    steps = [torch.randn(half, *t.shape, generator=draw, dtype=t.dtype).to(t.device) for t in leaves]
    batch = [torch.cat([t + sigma * size * e, t - sigma * size * e]) for t, size, e in zip(leaves, sizes, steps)]
    with torch.no_grad():
        values = _values(evaluate(optree.tree_unflatten(tree, batch), seed_from(settings["seed"], number, 1)), 2 * half)
    weights = ranks(values)
    weights = (weights[:half] - weights[half:]) / half
    moments: list[list[Tensor]] = [[], [], []]
    for t, size, e, m, v in zip(leaves, sizes, steps, optree.tree_leaves(here.first), optree.tree_leaves(here.second)):
        slope = torch.tensordot(weights.to(e), e, 1)
        m = DECAYS[0] * m + (1 - DECAYS[0]) * slope
        v = DECAYS[1] * v + (1 - DECAYS[1]) * slope.square()
        mean, square = m / (1 - DECAYS[0] ** (number + 1)), v / (1 - DECAYS[1] ** (number + 1))
        for kept, value in zip(moments, (t + rate * size * mean / (square.sqrt() + TINY), m, v)):
            kept.append(value)
    design, first, second = (optree.tree_unflatten(tree, kept) for kept in moments)
    if project is not None:
        with torch.no_grad():
            design = checked(project(design), here.design, "project")
    history = [*here.history, Generation(number, float(values.mean()), float(values.max()))]
    return Evolution(design, first, second, history, settings)


def _values(found: Any, count: int) -> Tensor:
    try:
        values = torch.as_tensor(found).detach().to("cpu", torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise ArgumentError("evaluate", f"a function whose value is {count} numbers", type(found).__name__) from None
    if tuple(values.shape) != (count,):
        raise ArgumentError(
            "evaluate", f"a function whose value is {count} numbers, one for each design", f"shape {tuple(values.shape)}"
        )
    if not bool(torch.isfinite(values).all()):
        hint = "a design that fails should have a low value, which only counts by its rank"
        raise ArgumentError("evaluate", "a function whose values are finite", f"{values[~torch.isfinite(values)][0]}", hint)
    return values


def _sizes(scale: Any, design: Any) -> list[Tensor]:
    """The scale for each leaf of a design."""
    leaves, tree = optree.tree_flatten(design)
    sizes: list[Tensor] = []
    try:
        given = [scale] * len(leaves) if isinstance(scale, int | float) else tree.flatten_up_to(scale)
        for one, leaf in zip(given, leaves):
            size: Tensor = torch.as_tensor(one, dtype=leaf.dtype, device=leaf.device)  # type: ignore[arg-type]
            sizes.append(size.expand(leaf.shape))
    except (ValueError, TypeError, RuntimeError):
        shapes = [tuple(t.shape) for t in leaves]
        raise ArgumentError(
            "scale", f"a number, or numbers or tensors that broadcast to the design's {shapes}", repr(scale)
        ) from None
    if not all(bool(((s > 0) & torch.isfinite(s)).all()) for s in sizes):
        raise ArgumentError("scale", "positive numbers", repr(scale))
    return sizes
