"""Classes of utilities, the guarantees that are known for them, and what follows from what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from erlangen.fields.mechanisms.division.instance import Instance

#: Each class in words, the most special first.
CLASSES = {
    "-alpha/0/alpha": "every item is worth one amount, nothing, or costs that amount",
    "-alpha/0/beta": "every item is worth one amount, nothing, or costs another amount",
    "identical": "everybody values everything alike",
    "absolute identical": "everybody gives an item the same size, and each their own sign",
    "goods": "nobody dislikes anything",
    "bads": "nobody likes anything",
    "general": "anything may be worth anything to anybody",
}


def classes_of(inst: Instance) -> tuple[str, ...]:
    """All classes that an instance belongs to, the most special first.

    >>> from erlangen.fields.mechanisms.division import Instance
    >>> classes_of(Instance([[2, -1, -1], [2, -1, -1]]))
    ('-alpha/0/beta', 'identical', 'absolute identical', 'general')
    """
    u = inst.numbers
    signs = np.sign(u) if u.dtype != object else np.array([[(v > 0) - (v < 0) for v in row] for row in u]).reshape(u.shape)
    sizes = np.abs(u)
    gain, loss = np.unique(_merged(sizes[signs > 0], inst)), np.unique(_merged(sizes[signs < 0], inst))
    found = set()
    if len(gain) <= 1 and len(loss) <= 1:
        found.add("-alpha/0/beta")
        if not len(gain) or not len(loss) or len(np.unique(_merged(np.concatenate([gain, loss]), inst))) == 1:
            found.add("-alpha/0/alpha")
    near = 0 if inst.exact else inst.tolerance * np.maximum(sizes, sizes[:1])
    if (np.abs(sizes - sizes[:1]) <= near).all():
        found.add("absolute identical")
        if (signs == signs[:1]).all():
            found.add("identical")
    if (signs >= 0).all():
        found.add("goods")
    if (signs <= 0).all():
        found.add("bads")
    return tuple(name for name in CLASSES if name in found or name == "general")


def _merged(sizes: np.ndarray, inst: Instance) -> np.ndarray:
    """All as the first, where they differ from it by rounding only."""
    if inst.tolerance and len(sizes) and (np.abs(sizes - sizes[0]) <= inst.tolerance * sizes[0]).all():
        return np.full_like(sizes, sizes[0])
    return sizes


#: What follows from each axiom of an allocation of all items with additive utilities. That EF1 makes PROP1 is proposition 1 of Aziz,
#: Caragiannis, Igarashi and Walsh (2022), arXiv:1807.10684.
IMPLIED = {
    "EF": {"EFX0", "PROP"},
    "EFX0": {"EFX"},
    "EFX3": {"EFX", "EF13"},
    "EFX": {"EF1"},
    "EF13": {"EF1"},
    "EF1": {"PROP1"},
    "PROP": {"PROP1"},
    "fPO": {"PO"},
}


def closure(axioms: Iterable[str]) -> frozenset[str]:
    """These axioms and all that follow from them.

    >>> sorted(closure({"EFX3"}))
    ['EF1', 'EF13', 'EFX', 'EFX3', 'PROP1']
    """
    found, todo = set(), list(axioms)
    while todo:
        here = todo.pop()
        if here not in found:
            found.add(here)
            todo += IMPLIED.get(here, ())
    return frozenset(found)


class Guarantee(NamedTuple):
    """What an algorithm is proven to reach.

    Attributes:
        algorithm: its name.
        utility_class: for which utilities.
        axioms: of each allocation that it makes.
        source: who proved it.
        agents: for so many agents only; None for any number.
    """

    algorithm: str
    utility_class: str
    axioms: frozenset[str]
    source: str
    agents: int | None = None


KI = "Aleksandrov and Walsh (2020), arXiv:2007.04129"
JAAMAS = "Aziz, Caragiannis, Igarashi and Walsh (2022), arXiv:1807.10684"
NASH = "Caragiannis, Kurokawa, Moulin, Procaccia, Shah and Wang (2019), doi:10.1145/3355902"
#: In the order in which :func:`~.solving.solve` tries them. Where every item goes to somebody who values it most, no division of it in
#: parts is better for all: fPO.
GUARANTEES = (
    Guarantee("double_round_robin", "-alpha/0/alpha", frozenset({"EFX3", "PO", "fPO"}), KI),
    Guarantee("greedy_magnitude", "-alpha/0/beta", frozenset({"EFX", "PO", "fPO"}), KI),
    Guarantee("greedy_magnitude", "absolute identical", frozenset({"EFX", "PO", "fPO"}), KI),
    Guarantee("double_round_robin", "-alpha/0/beta", frozenset({"EF13", "PO", "fPO"}), KI),
    Guarantee("double_round_robin", "absolute identical", frozenset({"EF13", "PO", "fPO"}), KI),
    Guarantee("double_round_robin", "general", frozenset({"EF13"}), KI),
    Guarantee("adjusted_winner", "general", frozenset({"EF1", "PO", "fPO"}), JAAMAS, 2),
    Guarantee("utilitarian_greedy", "general", frozenset({"PO", "fPO"}), "every item goes to somebody who values it most"),
    Guarantee("max_nash_welfare", "goods", frozenset({"EF1", "PO"}), NASH),
)


def guaranteed(algorithm: str, inst: Instance) -> tuple[str, ...]:
    """The axioms that an algorithm is proven to reach on an instance, with all that follow."""
    from erlangen.fields.mechanisms.axioms import AXIOMS

    named = [
        g for g in GUARANTEES if g.algorithm == algorithm and g.utility_class in inst.utility_classes and g.agents in (None, inst.n)
    ]
    reached = closure(axiom for g in named for axiom in g.axioms)
    return tuple(axiom.name for axiom in AXIOMS if axiom.name in reached)
