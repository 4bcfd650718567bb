"""`fit_predictor`: a smooth predictor of a task, chosen among a few small families by the error on data it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.data.distinct import arranged, boundary
from erlangen.discover.task.index_network import IndexNetwork
from erlangen.discover.task.least_squares import STEPS, fit_by_evidence
from erlangen.discover.task.modulated_network import ModulatedNetwork
from erlangen.discover.task.pair_network import PairNetwork, Pairs
from erlangen.discover.task.polynomial_model import PolynomialModel
from erlangen.discover.task.views import View, views_of

#: Rounds in which every family is fitted, and rounds in all, of which the later ones are for the best families and for cheap ones.
FIRST_ROUNDS, ROUNDS = 1, 60
#: Multiplications that a search may cost: some six seconds of one core, twice as many for several outputs.
BUDGET = 8e10
#: A fit that costs at most this part of the budget is cheap: it is tried again so many times in a round, for it may have been stuck.
CHEAP, AGAIN = 1 / 60, 2
#: What a step costs beside its multiplications, in multiplications.
OVERHEAD = 2e7
#: A squared error, as a part of the target's variance, below which nothing is gained by a better fit.
GOOD = 1e-7
#: The same of class labels: a step that parts them has a place and a direction, and how steep it is nobody knows.
GOOD_LABELS = 1e-5
#: Errors within this factor are alike; when the three smallest are so after so many rounds, the search ends.
ALIKE, SOME_ROUNDS = 1.25, 8
#: Members of the predictor at most; their errors are at most this multiple of the smallest.
MEMBERS, NEARLY = 5, 4.0


#: Share of the samples on which members are stopped and compared, drawn anew in every round.
VALIDATION = 0.15


def splits(kinds: Tensor, rest: Tensor, seed: int) -> Callable[[int], tuple[Tensor, Tensor]]:
    """``split(round)``: indices among ``rest`` to fit and to validate on, with copies of a sample on one side."""

    def split(number: int) -> tuple[Tensor, Tensor]:
        order = rest[arranged(kinds[rest], torch.Generator().manual_seed(1000 * seed + number + 1))]
        cut = boundary(kinds, order, int(len(order) * (1 - VALIDATION)))
        return order[:cut], order[cut:]

    return split


class Family(NamedTuple):
    """Networks on monomials of up to ``degree``: so many indices, so many units on top, with or without a tanh on the indices; or monomials
    of up to the degree ``carried`` times functions of the indices, of all tokens or summed over ``pairs`` of them."""

    degree: int
    indices: int
    hidden: int
    squash: bool = False
    carried: int = 0
    pairs: bool = False

    @property
    def about(self) -> str:
        """In words."""
        if self.squash:
            return "a perceptron"
        indices = f"{self.indices} polynomial ind{'ices' if self.indices > 1 else 'ex'} of degree {self.degree}"
        return f"polynomials of degree {self.carried} carried by functions of {indices}" if self.carried else indices


FAMILIES = (
    Family(2, 1, 12),
    Family(2, 2, 8),
    Family(2, 2, 12),
    Family(2, 2, 20),
    Family(2, 4, 16),
    Family(3, 1, 8),
    Family(1, 12, 12, squash=True),
    Family(3, 2, 10),
    Family(3, 3, 12),
)
#: For several outputs, which have more invariants and covariants between them.
WIDE = (
    Family(2, 1, 3, carried=1),
    Family(2, 2, 12),
    Family(2, 2, 6, carried=1),
    Family(2, 6, 16),
    Family(1, 12, 12, squash=True),
    Family(2, 1, 2, carried=2),
)
#: For a vector on each token, beside those.
ON_TOKENS = tuple(Family(2, indices, hidden, carried=1, pairs=True) for indices, hidden in ((1, 8), (2, 8), (1, 12), (1, 4)))


@dataclass(frozen=True)
class Member:
    """One fitted model: what it sees, and its squared error on validation data, as a part of the target's variance."""

    view: View | Pairs
    model: IndexNetwork | ModulatedNetwork | PolynomialModel
    error: float
    about: str
    family: Family | None = None

    def jacobian(self, x: Float[Tensor, "N T n"]) -> tuple[Tensor, Tensor]:
        """Predictions ``[N, m]`` and their derivatives ``[N, m, T, n]``."""
        return self.model.input_jacobian(self.view(x), self.view.gradient(x))


@dataclass(frozen=True)
class Predictor:
    """The best few models of a search.

    Attributes:
        members: best first.
        tried: how many models were fitted.
        labels: whether it predicts class labels, which are steps.
    """

    members: tuple[Member, ...]
    tried: int
    labels: bool = False

    @property
    def good(self) -> float:
        """A squared error below which members are alike."""
        return GOOD_LABELS if self.labels else GOOD

    @property
    def error(self) -> float:
        """The smallest squared error on validation data, as a part of the target's variance."""
        return self.members[0].error

    @property
    def shares(self) -> Float[Tensor, " E"]:
        """How much each member counts: inversely to its error."""
        shares = torch.tensor([1 / max(member.error, self.good) for member in self.members], dtype=torch.float64)
        return shares / shares.sum()

    def __call__(self, x: Float[Tensor, "N T n"]) -> Float[Tensor, "N m"]:
        """The members' mean, by their shares."""
        return torch.einsum("e,enm->nm", self.shares, torch.stack([member.model(member.view(x)) for member in self.members]))


def fit_predictor(
    x: Float[Tensor, "N T n"],
    y: Float[Tensor, "N m"],
    split: Callable[[int], tuple[Tensor, Tensor]],
    seed: int = 0,
    budget: float = BUDGET,
    families: tuple[Family, ...] | None = None,
    views: Sequence[tuple[str, int, View]] | None = None,
    labels: bool = False,
    on_tokens: bool = False,
) -> Predictor:
    """Fit each family once, then the best ones again until errors are as good as none or the budget is used.

    Args:
        x: tokens of size about one.
        y: targets of mean 0 and deviation 1.
        split: ``split(round)`` gives the indices to fit and to validate on.
        seed: of the first weights.
        budget: multiplications.
        families: to choose from; by default all that suit the target.
        views: what models see of the tokens, each with a name and the degree of its monomials; by default all that suit the data's size.
        labels: whether targets are class labels.
        on_tokens: whether targets are a vector on each token.
    """
    good = GOOD_LABELS if labels else GOOD
    families = families or (FAMILIES if y.shape[1] == 1 else WIDE)
    seen: list[tuple[str, int, View | Pairs]] = list(views or views_of(x))
    if on_tokens and Pairs.fits(x, 2):
        families, seen = ON_TOKENS + families, [*seen, ("each token with each other one", 2, Pairs(x, 2))]
    search = _Search(x, y, split, seed, budget, families, seen, good)
    kinds = search.kinds
    for number in range(ROUNDS):
        if number >= FIRST_ROUNDS:
            if search.done(number):
                break
            kinds = search.promising()
        search.round(number, kinds)
    found = sorted(search.found, key=lambda member: member.error)
    kept = [member for member in found if member.error <= max(NEARLY * found[0].error, good)][:MEMBERS]
    return Predictor(tuple(kept), len(found), labels)


class _Search:
    """The models so far, and what they cost."""

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        split: Callable[[int], tuple[Tensor, Tensor]],
        seed: int,
        budget: float,
        families: tuple[Family, ...],
        views: Sequence[tuple[str, int, View | Pairs]],
        good: float,
    ) -> None:
        self.y, self.split, self.seed, self.good = y, split, seed, good
        self.families = families
        self.budget = budget if y.shape[1] == 1 else 2 * budget
        self.views = views
        self.seen = [view(x) for _, _, view in self.views]
        self.kinds = [
            (number, family)
            for family in self.families
            for number, (_, degree, view) in enumerate(self.views)
            if family.degree == degree and family.pairs == isinstance(view, Pairs)
        ]
        self.found: list[Member] = []
        self.errors: dict[tuple[int, Family], list[float]] = {}
        self.costs: dict[tuple[int, Family], float] = {}
        self.spent = 0.0

    def done(self, rounds: int) -> bool:
        """Whether several models are as good as a model can be, or after a few rounds alike: what is left is noise."""
        best, third = sorted(member.error for member in self.found)[:3:2] if len(self.found) > 2 else (0.0, float("inf"))
        return third <= max(self.good, ALIKE * best if rounds >= SOME_ROUNDS else 0.0)

    def promising(self) -> list[tuple[int, Family]]:
        """The two kinds with the smallest errors, and all cheap ones several times."""
        kinds = sorted(self.errors, key=lambda kind: min(self.errors[kind]))
        return kinds[:2] + AGAIN * [kind for kind in kinds if self.costs[kind] <= CHEAP * self.budget]

    def round(self, number: int, kinds: list[tuple[int, Family]]) -> None:
        """Fit one model of each kind on one split, and in the first rounds a polynomial on every view; less, once that is good."""
        fit, validate = self.split(number)
        y = self.y
        if number < FIRST_ROUNDS:
            for phi, (name, degree, view) in zip(self.seen, self.views):
                if not isinstance(view, Pairs) and phi.shape[1] < len(fit):
                    model = PolynomialModel(phi[fit], y[fit], phi[validate], y[validate])
                    self.found.append(Member(view, model, model.error, f"polynomials of degree {degree} in {name}"))
        for kind in kinds:
            if self.done(0):
                return
            place, family = kind
            name, _, view = self.views[place]
            phi = self.seen[place]
            rng = torch.Generator().manual_seed(1000003 * self.seed + len(self.found))
            network: IndexNetwork | ModulatedNetwork
            if family.carried:
                carried, outputs = view.degree <= family.carried, y.shape[1] // (phi.shape[1] if family.pairs else 1)
                kind_of_network = PairNetwork if family.pairs else ModulatedNetwork
                network = kind_of_network(view.power, carried, family.indices, family.hidden, outputs, rng)
            else:
                hidden = family.hidden + 2 * (y.shape[1] - 1)
                network = IndexNetwork(phi.shape[1], view.power, family.indices, hidden, y.shape[1], family.squash, rng)
            size = len(network.weights)
            step = len(fit) * y.shape[1] * size**2 + size**3 + OVERHEAD
            expected = self.costs.get(kind, STEPS / 2 * step)
            if self.found and self.spent + expected > self.budget:
                continue
            done = fit_by_evidence(network, phi[fit], y[fit], phi[validate], y[validate])
            self.costs[kind] = done.steps * step
            self.spent += done.steps * step
            self.errors.setdefault(kind, []).append(done.error)
            self.found.append(Member(view, network, done.error, f"{family.about} in {name}", family))
