"""`SubgroupSearch`: which symmetry a design should have, by steps through the lattice of a finite group's subgroups."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import optree
import torch

from erlangen.design import checkpoint
from erlangen.design.designs import checked, real_number, seed_from, shapes_of, whole_number
from erlangen.design.result import Epoch, SearchResult
from erlangen.design.states import Key, State, States
from erlangen.errors import ArgumentError
from erlangen.groups.subgroups import SubgroupLattice
from erlangen.parallel import Backend, run_jobs
from erlangen.reporting import progress

#: Of one design with a symmetrizer: how good it is, and the design that training makes of it.
Evaluate = Callable[[Any, torch.nn.Module, int], float]
Train = Callable[[Any, torch.nn.Module, int], Any]
#: How a search chooses what to look at next.
How = Literal["structured", "unstructured", "bandit", "fixed"]
#: So many random subgroups does an unstructured search look at in each epoch.
DRAWN = 2


class SubgroupSearch:
    """Search the subgroups of a finite group for the symmetry that a design should have, and the design with it.

    A design is a tensor, or a pytree of tensors, without any constraint; a subgroup ``H`` makes it symmetric by the projector ``P_H``
    (:class:`Symmetrizer`). Each epoch trains the design under the present state, then evaluates it under that state and all its
    neighbours in the lattice, covers and covered subgroups, without training; the search moves to the best of them. Between neighbours
    lie soft states, relaxed symmetries (:class:`SoftSymmetrizer`). Values that differ by at most ``tolerance`` are equal, and the more
    symmetric state is then the better one: so the search climbs as long as symmetry costs nothing.

    It is greedy, and begins at the trivial subgroup, under which every design is one. Training should bring a design near to its best
    under a state before neighbours are compared: a design that is still noise is improved by averaging under any group. From a state that
    is too symmetric the way down is seen only through what earlier epochs trained; :meth:`exhaustive` tells whether something was missed.

    Args:
        lattice: all subgroups; see :func:`erlangen.groups.subgroup_lattice`.
        evaluate: ``evaluate(design, symmetrize, seed)``, a finite number, larger is better; ``design`` is symmetric already,
            ``symmetrize.weights`` tells the state. States of one epoch get the same seeds, so that noise is compared with itself.
        train: ``train(design, symmetrize, seed)``, a better design of the same shapes, by any optimiser; it looks at
            ``symmetrize(design)`` where it needs the symmetric one.
        action: how the whole group acts on designs: a representation, an action, or a dict or tuple of them.
        start: the name of the first subgroup; by default the trivial one.
        soft_steps: how many steps lead from a subgroup to one that covers it.
        tolerance: values nearer than this are equal. Where ``evaluate`` is noisy, more than the noise of ``repeats`` together.
        repeats: how often a state is evaluated in an epoch.
        rate: how much of a new value is taken, the rest being that of earlier epochs; the source has 0.2. 1: values are those of the
            present design, which earlier values of a design in training are not.
        up_to_conjugacy: whether conjugate subgroups count as one, which is right where nothing in the problem has a direction.
        training_cost: how many evaluations a training counts for in the budget.
        seed: every other seed follows from it.

    Source: H. Dong, J. Zhang, T. Wang, C. Zhang, "Symmetry-aware robot design with structured subgroups", ICML 2023, arXiv:2306.00036.
    There a state's value starts at zero and nothing prefers symmetry among equals.

    >>> from erlangen.groups import Cyclic, subgroup_lattice
    >>> C = Cyclic(4)
    >>> wanted = torch.tensor([1.0, 3.0, 1.0, 3.0])                     # the half turn keeps it
    >>> search = SubgroupSearch(
    ...     subgroup_lattice(C), lambda x, symmetrize, seed: -float((x - wanted).square().sum()),
    ...     lambda x, symmetrize, seed: x + 0.9 * symmetrize(wanted - x), action=C.vector, tolerance=0.1)
    >>> result = search.run(torch.zeros(4), budget=60)
    >>> result.name, result.design.round().tolist()
    ('C_2', [1.0, 3.0, 1.0, 3.0])
    """

    def __init__(
        self,
        lattice: SubgroupLattice,
        evaluate: Evaluate,
        train: Train,
        *,
        action: Any,
        start: str | None = None,
        soft_steps: int = 3,
        tolerance: float = 0.0,
        repeats: int = 1,
        rate: float = 1.0,
        up_to_conjugacy: bool = False,
        training_cost: int = 0,
        seed: int = 0,
    ) -> None:
        self.states = States(lattice, action, soft_steps, up_to_conjugacy)
        self.evaluate, self.train = evaluate, train
        for name, function in (("evaluate", evaluate), ("train", train)):
            if not callable(function):
                raise ArgumentError(name, "a function", repr(function))
        self.tolerance = real_number(tolerance, 0.0, math.inf, "tolerance")
        self.rate = real_number(rate, 0.0, 1.0, "rate", open_below=True)
        self.repeats, self.seed = whole_number(repeats, 1, "repeats"), whole_number(seed, 0, "seed")
        self.training_cost = whole_number(training_cost, 0, "training_cost")
        self.start = State(0, 0) if start is None else self.states.exact(start, "start")

    def run(
        self,
        design: Any,
        *,
        budget: int,
        how: How = "structured",
        patience: int = 3,
        directory: str | Path | None = None,
        settings: Mapping[str, Any] | None = None,
        jobs: int = 1,
        backend: Backend = "loky",
        quiet: bool = True,
    ) -> SearchResult:
        """Search from a design.

        Args:
            design: where to start; a tensor or a pytree of tensors.
            budget: how many evaluations there may be, trainings by ``training_cost``; the epoch that would exceed it is not begun.
            how: ``"structured"``, by steps through the lattice. Two baselines know nothing of it: ``"unstructured"`` compares the present
                subgroup with two random ones in each epoch; ``"bandit"`` trains and evaluates one subgroup in each, first each once, then
                that of the highest upper confidence bound (UCB1, for values between the least and the largest seen). ``"fixed"``
                trains under ``start`` alone. All three use the whole budget.
            patience: a structured search ends when so many epochs in a row have neither moved nor improved by more than the tolerance.
            directory: keep the whole state there after each epoch, and go on from what is there, to the bit; ``design`` is then not looked
                at but for its shapes.
            settings: what ``evaluate`` and ``train`` depend on, as JSON has it: a search that was kept with other settings is refused.
                Without them it is for the caller to see to that both are still the same.
            jobs, backend: workers for the evaluations of one epoch; see :func:`erlangen.parallel.run_jobs`.
            quiet: show no progress.

        Raises:
            ArgumentError: no epoch fits into the budget; what is in ``directory`` is of another search; ``evaluate`` or ``train`` return
                something else than they should.
            JobError: one of them raised; the message names the state.
        """
        budget, patience = whole_number(budget, 1, "budget"), whole_number(patience, 1, "patience")
        if how not in get_args(How):
            raise ArgumentError("how", f"one of {', '.join(map(repr, get_args(How)))}", repr(how))
        walk = _Walk(self, design, self.start, how)
        try:
            about = None if settings is None else json.loads(json.dumps(dict(settings)))
        except (TypeError, ValueError):
            raise ArgumentError("settings", "a dict of what JSON has", repr(settings)) from None
        described = {"how": how, "settings": about, **self.described(design)}
        if directory is not None:
            checkpoint.read(Path(directory), walk, described)
        if not walk.epochs and walk.price() > budget:
            raise ArgumentError("budget", f"at least {walk.price()} evaluations, for one epoch", repr(budget))
        with progress(budget, "search over subgroups", quiet=quiet) as bar:
            bar.advance(walk.evaluations)
            while (how != "structured" or walk.stays < patience) and walk.evaluations + walk.price() <= budget:
                before = walk.evaluations
                walk.step(jobs, backend)
                if directory is not None:
                    checkpoint.write(Path(directory), walk, described)
                bar.advance(walk.evaluations - before, value=walk.epochs[-1].value, at=walk.epochs[-1].state)
        return walk.result(how)

    def fixed(self, design: Any, subgroup: str, *, epochs: int) -> SearchResult:
        """The baseline of one subgroup: as many epochs of training under it, evaluated after each. ``"1"`` or ``"H_n"`` is no symmetry."""
        return self._trained([self.states.exact(subgroup, "subgroup")], design, epochs, 1, "loky", "fixed")

    def exhaustive(self, design: Any, *, epochs: int, jobs: int = 1, backend: Backend = "loky") -> SearchResult:
        """The baseline that tries everything: each subgroup (or one of each class) is trained for so many epochs from the same design."""
        return self._trained(self.states.all_exact(), design, epochs, jobs, backend, "exhaustive")

    def _trained(self, states: Sequence[State], design: Any, epochs: int, jobs: int, backend: Backend, how: str) -> SearchResult:
        epochs = whole_number(epochs, 1, "epochs")
        walks = run_jobs(_Alone(self, design, epochs), [_At(self, state) for state in states], jobs=jobs, backend=backend)
        best, rest = walks[0], walks[1:]
        for walk in rest:
            best.join(walk)
        return best.result(how)

    def described(self, design: Any) -> dict[str, Any]:
        """What must be the same for a search to go on: JSON."""
        return {
            "group": str(self.states.lattice.group),
            "subgroups": len(self.states.lattice.subgroups),
            "start": self.states.name(self.start),
            "soft_steps": self.states.steps,
            "tolerance": self.tolerance,
            "repeats": self.repeats,
            "rate": self.rate,
            "up_to_conjugacy": self.states.up_to_conjugacy,
            "training_cost": self.training_cost,
            "seed": self.seed,
            "shapes": shapes_of(design),
        }


@dataclass
class _Walk:
    """A search under way: where it is, its design, and all that was seen."""

    search: SubgroupSearch
    design: Any
    state: State
    how: How = "structured"
    stays: int = 0
    evaluations: int = 0
    reference: float = -math.inf
    values: dict[Key, float] = field(default_factory=dict)
    trained: set[Key] = field(default_factory=set)
    epochs: list[Epoch] = field(default_factory=list)
    best: State = field(init=False)
    best_value: float = -math.inf
    best_design: Any = None
    top: float = -math.inf

    def __post_init__(self) -> None:
        self.design = checked(self.design, None, "design")
        self.best, self.best_design = self.state, self.design

    def price(self) -> int:
        """How many evaluations the next epoch takes."""
        return self.search.training_cost + self.search.repeats * len(self.candidates())

    def candidates(self) -> list[State]:
        """What the next epoch evaluates, first the state that it trains."""
        states = self.search.states
        if self.how == "structured":
            return [self.state, *states.neighbours(self.state)]
        if self.how == "fixed":
            return [self.state]
        every = states.all_exact()
        draw = random.Random(seed_from(self.search.seed, len(self.epochs), 2**16))
        if self.how == "bandit":
            return [self._tried(every, draw)]
        others = [s for s in every if states.key(s) != states.key(self.state)]
        return [self.state, *draw.sample(others, min(DRAWN, len(others)))]

    def step(self, jobs: int, backend: Backend) -> None:
        """One epoch: train, evaluate here and around, move."""
        key, candidates = self.search.states.key, self.candidates()
        self.learn(candidates, jobs, backend)
        here, value = candidates[0], self.values[key(candidates[0])]
        # What others are compared with is not below what was reached before: many small losses would add up.
        top = max([self.values[key(s)] for s in candidates] + [self.values[k] for k in self.trained])
        self.state = self._chosen(candidates, top)
        improved = value > self.reference + self.search.tolerance
        if self.state != here:
            self.stays, self.reference = 0, -math.inf
        else:
            self.stays, self.reference = (0, value) if improved else (self.stays + 1, self.reference)

    def _tried(self, every: list[State], draw: random.Random) -> State:
        """The arm that a bandit pulls: one that was not yet, else that of the highest upper confidence bound."""
        states = self.search.states
        pulls = Counter(epoch.state for epoch in self.epochs)
        fresh = [s for s in every if not pulls[states.name(s)]]
        if fresh:
            return draw.choice(fresh)
        values = [self.values[states.key(s)] for s in every]
        width = max(values) - min(values)
        bounds = [v + width * math.sqrt(2 * math.log(len(self.epochs)) / pulls[states.name(s)]) for s, v in zip(every, values)]
        return every[bounds.index(max(bounds))]

    def learn(self, candidates: Sequence[State], jobs: int = 1, backend: Backend = "loky") -> None:
        """Train under the first of some states, then evaluate under all."""
        search, number = self.search, len(self.epochs)
        states, here = search.states, candidates[0]
        trial = _Trial(
            self.design, states.symmetrizer(here), f"training under {states.name(here)}", seed_from(search.seed, number, 0)
        )
        (raw,) = run_jobs(_Training(search.train), [trial])
        self.design = checked(raw, self.design, "train")
        trials = [
            _Trial(self.design, states.symmetrizer(s), f"evaluation under {states.name(s)}", seed_from(search.seed, number, 1 + r))
            for s in candidates
            for r in range(search.repeats)
        ]
        found = torch.tensor(run_jobs(_Evaluation(search.evaluate), trials, jobs=jobs, backend=backend), dtype=torch.float64)
        self.evaluations += len(trials) + search.training_cost
        seen: dict[str, float] = {}
        for s, new in zip(candidates, found.view(len(candidates), -1).mean(1).tolist()):
            before = self.values.get(states.key(s), new)
            self.values[states.key(s)] = seen[states.name(s)] = before + search.rate * (new - before)
        value = self.values[states.key(here)]
        self.trained.add(states.key(here))
        self.epochs.append(Epoch(number, states.name(here), value, seen, self.evaluations))
        self.keep(here, value, self.design)

    def keep(self, state: State, value: float, design: Any) -> None:
        """Remember the best: better by more than the tolerance, or as good and more symmetric, or better and as symmetric."""
        tolerance, asymmetry = self.search.tolerance, self.search.states.asymmetry
        self.top = max(self.top, value)
        here, there = asymmetry(state), asymmetry(self.best)
        as_good = value >= self.top - tolerance and (here < there or (here == there and value > self.best_value))
        if value > self.best_value + tolerance or as_good:
            self.best, self.best_value, self.best_design = state, value, design

    def join(self, other: _Walk) -> None:
        """Take in what another walk saw."""
        self.values |= other.values
        self.epochs += other.epochs
        self.evaluations += other.evaluations
        self.keep(other.best, other.best_value, other.best_design)

    def result(self, how: str) -> SearchResult:
        states = self.search.states
        with torch.no_grad():
            design = states.symmetrizer(self.best)(self.best_design)
        return SearchResult(how, states, self.best, self.best_value, design, list(self.epochs), dict(self.values), self.evaluations)

    def _chosen(self, candidates: list[State], top: float) -> State:
        """The most symmetric of the states that are as good as any; where none is, the best."""
        states = self.search.states
        values = [self.values[states.key(s)] for s in candidates]
        good = [
            (states.asymmetry(s), -v, i) for i, (s, v) in enumerate(zip(candidates, values)) if v >= top - self.search.tolerance
        ]
        return candidates[min(good)[2]] if good else candidates[values.index(max(values))]


@dataclass
class _Trial:
    """One call of the user's: with a short name for errors."""

    design: Any
    symmetrize: torch.nn.Module
    name: str
    seed: int

    def __repr__(self) -> str:
        return self.name


@dataclass
class _Training:
    train: Train

    def __call__(self, trial: _Trial) -> Any:
        return self.train(trial.design, trial.symmetrize, trial.seed)


@dataclass
class _Evaluation:
    evaluate: Evaluate

    def __call__(self, trial: _Trial) -> float:
        with torch.no_grad():  # a copy: the trivial subgroup returns what it gets, and the caller may write on it
            design = optree.tree_map(lambda part: part.clone(), trial.symmetrize(trial.design))
        value = self.evaluate(design, trial.symmetrize, trial.seed)
        try:
            number = float("no number" if isinstance(value, str) else value)
        except (TypeError, ValueError, RuntimeError):
            raise ArgumentError(
                "evaluate", "a function whose value is a number", f"{type(value).__name__} in the {trial}"
            ) from None
        if not math.isfinite(number):
            raise ArgumentError("evaluate", "a function whose values are finite", f"{number} in the {trial}")
        return number


@dataclass
class _At:
    """A state to train under, named in errors."""

    search: SubgroupSearch
    state: State

    def __repr__(self) -> str:
        return self.search.states.name(self.state)


@dataclass
class _Alone:
    """Epochs of training under one state."""

    search: SubgroupSearch
    design: Any
    epochs: int

    def __call__(self, at: _At) -> _Walk:
        walk = _Walk(self.search, self.design, at.state)
        for _ in range(self.epochs):
            walk.learn([at.state])
        return walk
