"""`discrete_symmetries`: permutations of tokens and signed permutations of components that a task does not notice."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from erlangen.data.distinct import arranged, distinct
from erlangen.discover.finding import Finding
from erlangen.discover.samples import Target, samples_of
from erlangen.discover.task.answer import GAP, TaskSymmetries
from erlangen.discover.task.discrete_moves import Move, component_moves, permute_tokens, signed_matrix, token_moves, turn_components
from erlangen.discover.task.discrete_names import permutations_named, signed_named
from erlangen.discover.task.held_out import ERRORS, HeldOut, Told
from erlangen.discover.task.predictor import GOOD
from erlangen.discover.task.symmetries import FEWEST, FEWEST_OF_CLASS, LEAST_EXPLAINED, MOST, target_values, varying
from erlangen.errors import UnsupportedError
from erlangen.groups.base import Group
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.permutation import PermutationGroup
from erlangen.groups.products import DirectProduct
from erlangen.parallel import one_thread

#: More tokens or components are not looked at: candidates are as many as pairs.
MOST_TOKENS, MOST_COMPONENTS = 64, 32
#: A token or a component matters where taking it from another sample costs this part of the variance, or is seen beyond chance.
MATTERS = 1e-3
#: By chance, an unrelated task keeps a move up to an amplitude ``r`` with about this probability times ``r``: two weights of random
#: size and sign agree to a part ``r`` of their length so often.
DENSITY = 0.45
#: Moves of one kind hold where as many that hold so well were expected by chance less often than this.
COINCIDENCE = 0.1
#: Of moves that nearly hold, up to so many times the amplitude that is left open, there may be this part of those that hold: where there
#: are more, violations are spread over all sizes, and the smallest are just not seen.
NEAR = 0.1
#: Random elements of the whole group at every held-out sample.
ELEMENTS = 4
#: Samples that turn most candidates away before all are asked, and standard errors beyond which they do.
FEW, CLEARLY = 64, 6.0
#: Generators that are put into words.
SAID = 6
#: Larger finite groups are not compared with a continuous one element by element.
LARGEST = 1000


@dataclass(frozen=True)
class DiscreteSymmetries:
    """The finite symmetries of a task among permutations of tokens and signed permutations of components. Falsy where none was found.

    Attributes:
        permutations: of the tokens, a subgroup of S_T; ``None`` without one.
        components: on ``R^n``, a group of signed permutation matrices, together with the continuous part that was given; ``None`` where
            nothing finite was found.
        orders: of the permutations and of the signed permutations, those of the continuous part counted as one.
        moves: generators of both, with what held-out samples say.
        idle: tokens, and components, that are not seen to matter to the task.
        error: held-out squared error of the predictor, as a part of the target's variance.
        whole: of both groups, what held-out samples say about random elements.
        reason: one line: why so many, or why none.
        predictor: what the predictor is.
        seconds: what it took.
    """

    permutations: PermutationGroup | None
    components: MatrixGroup | None
    orders: tuple[int, int]
    moves: tuple[tuple[Move, Told], ...]
    idle: tuple[tuple[int, ...], tuple[int, ...]]
    error: float
    whole: tuple[Told | None, Told | None]
    reason: str
    predictor: str
    seconds: float

    def __bool__(self) -> bool:
        return self.permutations is not None or self.components is not None

    @property
    def group(self) -> Group | None:
        """Both groups' direct product, or the one that there is. An element of the product is a pair (index map, matrix)."""
        if self.permutations is not None and self.components is not None:
            return DirectProduct(self.permutations, self.components)
        return self.permutations or self.components

    @property
    def name(self) -> str:
        """E.g. ``"S_3 of tokens x order 8 of components"``; ``"nothing"``."""
        parts = []
        if self.permutations is not None:
            parts.append(f"{permutations_named(self.permutations)} of tokens")
        if self.components is not None:
            parts.append(f"{signed_named(self.components, self.orders[1])} of components")
        return " x ".join(parts) or "nothing"

    @property
    def words(self) -> str:
        """The generators, for a person; of many, the first ones."""
        said = [move.words for move, _ in self.moves]
        more = [] if len(said) <= SAID else [f"{len(said) - SAID} more"]
        return ", ".join(said[:SAID] + more)

    def __str__(self) -> str:
        if not self:
            return f"no discrete symmetry of the task: {self.reason}"
        return f"at least {self.name}: {self.words}; {self.reason}"

    def finding(self) -> Finding:
        """In the terms that all discoverers share."""
        if not self:
            return Finding("task, discrete moves", "nothing", None, False, self.seconds, self.reason)
        left_open = max(told.resolution for told in self.whole if told is not None)
        return Finding(
            "task, discrete moves",
            self.name,
            max(0.0, 1 - left_open),
            True,
            self.seconds,
            f"at least: {self.words}; {self.reason}",
            self.group,
        )

    def as_dict(self) -> dict[str, Any]:
        """Every number, ready for JSON."""
        return {
            "name": self.name,
            "orders": list(self.orders),
            "moves": [{"words": move.words, "index": move.index.tolist()} | asdict(told) for move, told in self.moves],
            "idle_tokens": list(self.idle[0]),
            "idle_components": list(self.idle[1]),
            "error": self.error,
            "whole": [None if told is None else asdict(told) for told in self.whole],
            "reason": self.reason,
            "predictor": self.predictor,
            "seconds": self.seconds,
        }


@one_thread()
def discrete_symmetries(
    x: Any, y: Any = None, *, target: Target | None = None, continuous: TaskSymmetries | None = None, seed: int = 0
) -> DiscreteSymmetries:
    """Which permutations of the tokens, and which signed permutations of their components, leave a task as it is?

    A smooth predictor is fitted on one part of the samples. Candidates are swaps, cyclic shifts and the reversal of tokens; signs, swaps,
    quarter turns and cyclic shifts of components. One holds where the predictor's squared error on the other samples does not grow
    beyond three standard errors when they are moved, and where what is left open is so small a part of an unrelated move's effect that as
    many moves would hardly hold by chance. Each new generator is kept if random elements of the group with it hold, too. Vector
    targets move along with the components; with the tokens, where there are as many.

    What is found is a lower bound: samples must lie where they are moved to, and other finite groups are not asked about.

    Args:
        x: tokens ``[N, T, n]`` or ``[N, n]``; anything that :func:`erlangen.discover` takes.
        y: numbers ``[N]`` or ``[N, k]``, vectors ``[N, T_y, n]``, class labels ``[N]``.
        target: what ``y`` is; by default as its type says.
        continuous: what :func:`task_symmetries` found: moves of the components in its connected group are no news.
        seed: of everything random.

    Raises:
        ArgumentError: no target, or data that do not fit.

    >>> x = torch.randn(400, 3, 2, generator=torch.Generator().manual_seed(0))
    >>> found = discrete_symmetries(x, x[..., 0].prod(-1) + x[..., 1].square().sum(-1))
    >>> found.name
    'S_3 of tokens x Z_2 of components'
    """
    started = time.perf_counter()
    data = samples_of(x, y, target).of_common_classes(FEWEST_OF_CLASS)
    tokens, values = data.x.double().cpu(), target_values(data).cpu()
    T, n = tokens.shape[1:]
    kinds = distinct(tokens)
    count = int(kinds.max()) + 1

    def none(reason: str, judge: HeldOut | None = None) -> DiscreteSymmetries:
        error, about = (1.0, "") if judge is None else (judge.error / judge.variance, judge.about)
        seconds = time.perf_counter() - started
        return DiscreteSymmetries(None, None, (1, 1), (), ((), ()), error, (None, None), reason, about, seconds)

    if count < FEWEST:
        return none(f"not enough data: {count} different samples; {FEWEST} are needed")
    if T > MOST_TOKENS or n > MOST_COMPONENTS:
        return none(f"{T} tokens of {n} components are too many: at most {MOST_TOKENS} of {MOST_COMPONENTS}")
    if not bool(varying(values).any()):
        return none("the target is constant")
    if len(tokens) > MOST:
        kept = arranged(kinds, torch.Generator().manual_seed(seed))[:MOST]
        tokens, values, kinds = tokens[kept], values[kept], distinct(tokens[kept])
    # The components of a vector share one scale, so that a move of them moves squared errors alike.
    spread = values.var(0)
    scale = spread.mean().sqrt() if data.y.shape[1] else torch.where(spread > 0, spread, 1.0).sqrt()
    judge = HeldOut(tokens, values / scale, kinds, seed)
    if judge.error > (1 - LEAST_EXPLAINED) * judge.variance:
        return none(f"no predictor explains the target: held-out R² {1 - judge.error / judge.variance:.2f}", judge)

    along = data.y.shape[1]
    known = None if continuous is None or not continuous else _linear_part(continuous)
    sides = (
        _Side(judge, token_moves(T), T, permute_tokens, True, along if along == T else 0, None),
        _Side(judge, component_moves(n), n, turn_components, False, along, known),
    )
    for side in sides:
        side.search()
    seconds = time.perf_counter() - started
    moves = tuple(pair for side in sides for pair in side.kept)
    permutations = sides[0].group
    components = None
    if sides[1].group is not None:
        matrices = signed_matrix(sides[1].group.generators)
        components = MatrixGroup(matrices, None if known is None else known.algebra)
    left = ", ".join(f"{side.said} {', '.join(map(str, side.idle))} not seen to matter" for side in sides if side.idle)
    measured = f"held-out R² {1 - judge.error / judge.variance:.3f}"
    if moves:
        worst = max((told for side in sides if (told := side.whole) is not None), key=lambda told: told.resolution)
        measured += (
            f", error {judge.error:.2g}, moved {judge.error + worst.excess:.2g}, unrelated {judge.error + worst.unrelated:.2g}"
        )
    else:
        measured = f"{sum(side.asked for side in sides)} moves were asked about and none holds; {measured}"
    return DiscreteSymmetries(
        permutations,
        components,
        (sides[0].order, sides[1].order),
        moves,
        (sides[0].idle, sides[1].idle),
        judge.error / judge.variance,
        (sides[0].whole, sides[1].whole),
        measured + (f"; {left}" if left else ""),
        judge.about,
        seconds,
    )


class _Side:
    """The search on one side: tokens, or components."""

    def __init__(
        self,
        judge: HeldOut,
        moves: list[Move],
        count: int,
        act: Callable[[Tensor, Tensor], Tensor],
        of_tokens: bool,
        along: int,
        continuous: MatrixGroup | None,
    ) -> None:
        self._judge, self._act, self._of_tokens, self._along, self._continuous = judge, act, of_tokens, along, continuous
        self._shape = judge.x.shape[1:]
        #: What its members are called.
        self.said = "tokens" if of_tokens else "components"
        effects = [self._unrelated((i,)) for i in range(count)]
        small = MATTERS * judge.variance
        #: Members that the task is not seen to notice; moves of them are not asked about.
        self.idle = tuple(i for i, (effect, error) in enumerate(effects) if effect <= min(small, ERRORS * error + GOOD))
        self._moves = [move for move in moves if not set(move.moved) & set(self.idle)] if count > 1 or not of_tokens else []
        self.kept: list[tuple[Move, Told]] = []
        self.group: PermutationGroup | None = None
        self.whole: Told | None = None
        self.order = 1

    @property
    def asked(self) -> int:
        """How many candidates there are."""
        return len(self._moves)

    def search(self) -> None:
        """Ask about all candidates, and let the group grow from those that hold best; then state its simplest generators."""
        told = [(move, self._told(move)) for move in self._moves]
        grown: list[Tensor] = []
        for move, _ in _beyond_chance(told):
            if self._is_known(move.index, self.group):
                continue
            larger = PermutationGroup([*grown, move.index])
            whole = self._of_group(larger)
            if whole.holds:
                grown, self.group, self.whole = [*grown, move.index], larger, whole
        if self.group is None:
            return
        simple: PermutationGroup | None = None
        for move, evidence in told:
            if self._is_known(move.index, self.group) and not self._is_known(move.index, simple):
                self.kept.append((move, evidence))
                simple = PermutationGroup([other.index for other, _ in self.kept])
        assert simple is not None
        self.group, self.order = simple, simple.order
        if self._continuous is not None and self.order <= LARGEST:
            # The identity is inside, whether or not there is a test.
            self.order //= max(1, int(self._inside(simple.elements()).sum()))

    def _moved(self, index: Tensor, few: int | None = None) -> tuple[Tensor, Tensor]:
        x, y = self._judge.x[:few], self._judge.y[:few]
        if self._along:
            y = self._act(index, y.unflatten(1, (self._along, -1))).flatten(1)
        return self._act(index, x), y

    def _unrelated(self, moved: Collection[int]) -> tuple[float, float]:
        T, n = self._shape
        return self._judge.unrelated(moved, range(n)) if self._of_tokens else self._judge.unrelated(range(T), moved)

    def _told(self, move: Move) -> Told:
        excess, error = self._judge.growth(self._moved(move.index, FEW))
        if excess <= CLEARLY * error + GOOD:
            excess, error = self._judge.growth(self._moved(move.index))
        return Told(excess, error, self._unrelated(move.moved)[0])

    def _of_group(self, group: PermutationGroup) -> Told:
        rng = torch.Generator().manual_seed(0)
        excess, error = self._judge.growth(*(self._moved(group.sample(len(self._judge.x), generator=rng)) for _ in range(ELEMENTS)))
        support = (group.generators != torch.arange(group.n)).any(0).nonzero().flatten().tolist()
        places = {place % self._shape[0 if self._of_tokens else 1] for place in support}
        return Told(excess, error, self._unrelated(sorted(places))[0])

    def _is_known(self, index: Tensor, group: PermutationGroup | None) -> bool:
        """Whether an element is in a group, up to the continuous part; in the continuous part alone where there is none."""
        if group is not None and bool(group.contains(index)):
            return True
        if self._continuous is None:
            return False
        if group is None or group.order > LARGEST:
            return bool(self._inside(index))
        return bool(self._inside(group.multiply(index, group.elements())).any())

    def _inside(self, index: Tensor) -> Tensor:
        """Whether signed permutations lie in the continuous part; where that has no test, they count as news."""
        assert self._continuous is not None
        try:
            return self._continuous.contains(signed_matrix(index))
        except UnsupportedError:
            return torch.zeros(index.shape[:-1], dtype=torch.bool)


def _beyond_chance(told: list[tuple[Move, Told]]) -> list[tuple[Move, Told]]:
    """The moves that hold, best first, without those of a kind of which as many might hold by chance, or more nearly do."""
    by_kind: dict[str, list[tuple[Move, Told]]] = defaultdict(list)
    for move, evidence in told:
        by_kind[move.kind].append((move, evidence))
    found = []
    for candidates in by_kind.values():
        holding = sorted((pair for pair in candidates if pair[1].holds), key=lambda pair: pair[1].resolution)
        broken = [evidence.violation for _, evidence in candidates if not evidence.holds]
        log_chance, last = 0.0, 0
        for count, (_, evidence) in enumerate(holding, 1):
            log_chance += math.log(min(1.0, DENSITY * evidence.resolution))
            near = sum(violation < GAP * evidence.resolution for violation in broken)
            if near <= NEAR * count and log_chance + math.log(math.comb(len(candidates), count)) <= math.log(COINCIDENCE):
                last = count
        found += holding[:last]
    return sorted(found, key=lambda pair: pair[1].resolution)


def _linear_part(found: TaskSymmetries) -> MatrixGroup | None:
    """The connected group of the linear parts of what was found."""
    assert found.algebra is not None
    return found.algebra.linear_group
