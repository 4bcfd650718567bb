"""The axioms that mechanisms and allocations are judged by: one vocabulary for facility location and fair division."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from erlangen.errors import ArgumentError

#: What an axiom is asked of: a rule that chooses locations, a rule that divides items, one allocation of items.
Subject = Literal["location", "division", "allocation"]


@dataclass(frozen=True)
class Axiom:
    """A property with a name.

    Attributes:
        name: how it is written everywhere.
        title: in full.
        says: what it asks, in a sentence for a person without mathematics.
        of: what it can be asked of.
        aliases: other spellings that are understood.
    """

    name: str
    title: str
    says: str
    of: frozenset[Subject]
    aliases: tuple[str, ...] = ()


def _axiom(name: str, title: str, says: str, of: str, *aliases: str) -> Axiom:
    return Axiom(name, title, says, frozenset(of.split()), aliases)  # type: ignore[arg-type]


#: Every axiom, in the order in which a report lists them.
AXIOMS = (
    _axiom(
        "ANON", "anonymity", "who is called what does not matter: exchanging people exchanges nothing else", "location division"
    ),
    _axiom("NEUT", "neutrality", "which item stands where in the list does not matter", "division"),
    _axiom("PO", "Pareto optimality", "nobody can be better off unless somebody is worse off", "location allocation"),
    _axiom(
        "fPO",
        "fractional Pareto optimality",
        "nobody can be better off unless somebody is worse off, not even if items could be cut",
        "allocation",
    ),
    _axiom("SP", "strategy-proofness", "nobody gains by reporting something else than the truth", "location"),
    _axiom("GSP", "group strategy-proofness", "no few people gain together by reporting something else", "location"),
    _axiom("UNAN", "unanimity", "what all want is what they get", "location"),
    _axiom("DUP", "consistency under duplication", "if everybody came twice, nothing would change", "location"),
    _axiom("TRANS", "translation equivariance", "moving all reports moves the answer along", "location"),
    _axiom("SCALE", "scaling equivariance", "stretching all reports stretches the answer along", "location"),
    _axiom("REFL", "equivariance under reflections of axes", "mirroring all reports along an axis mirrors the answer", "location"),
    _axiom(
        "SWAP",
        "equivariance under exchanges of axes",
        "exchanging the axes of all reports exchanges those of the answer",
        "location",
    ),
    _axiom("ROT", "rotation equivariance", "turning all reports turns the answer along", "location"),
    _axiom("ROWS", "invariance under scaling a person's utilities", "in which unit a person counts does not matter", "division"),
    _axiom("EF", "envy-freeness", "nobody prefers what another one has", "allocation"),
    _axiom(
        "EFX0",
        "envy-freeness up to any item, worthless ones included",
        "without any one item, even a worthless one, envy is gone",
        "allocation",
        "EFX_0",
    ),
    _axiom("EFX", "envy-freeness up to any item", "without any one item that matters, envy is gone", "allocation"),
    _axiom("EF1", "envy-freeness up to one item", "without some one item, envy is gone", "allocation"),
    _axiom(
        "EFX3",
        "EFX of all items, of the liked and of the disliked ones",
        "of everything, of what a person likes and of what it dislikes: without any one item that matters, envy is gone",
        "allocation",
        "EFX^3",
        "EFX_3",
    ),
    _axiom(
        "EF13",
        "EF1 of all items, of the liked and of the disliked ones",
        "of everything, of what a person likes and of what it dislikes: without some one item, envy is gone",
        "allocation",
        "EF1^3",
        "EF1_3",
    ),
    _axiom("PROP", "proportionality", "everybody has a fair share of what everything is worth to them", "allocation"),
    _axiom("PROP1", "proportionality up to one item", "with one more item, or one less, everybody has a fair share", "allocation"),
)
_BY_NAME = {spelled.lower(): axiom for axiom in AXIOMS for spelled in (axiom.name, *axiom.aliases)}


def axiom(name: str | Axiom, of: Subject | None = None) -> Axiom:
    """The axiom of this name, in any of its spellings.

    Args:
        name: ``"PO"``, ``"EFX^3"``, ``"efx3"``; an axiom stands for itself.
        of: what it is about to be asked of.

    Raises:
        ArgumentError: there is no such axiom, or it is asked of something else.

    >>> axiom("EFX^3").name, axiom("anon").title
    ('EFX3', 'anonymity')
    """
    found = name if isinstance(name, Axiom) else _BY_NAME.get(name.lower()) if isinstance(name, str) else None
    if found is None or (of is not None and of not in found.of):
        known = ", ".join(each.name for each in AXIOMS if of is None or of in each.of)
        what = {
            "location": " of a rule for locations",
            "division": " of a rule that divides",
            "allocation": " of an allocation",
            None: "",
        }[of]
        raise ArgumentError("axiom", f"an axiom{what}: {known}", repr(name.name if isinstance(name, Axiom) else name))
    return found


def several(argument: str, names: str | Axiom | Iterable[str | Axiom]) -> list[str]:
    """The names of one axiom of allocations, or of some, each once; ``argument`` is what an error calls them.

    >>> several("want", "efx"), several("want", ["EFX^3", "PO", "EFX3"])
    (['EFX'], ['EFX3', 'PO'])
    """
    if not isinstance(names, (str, Axiom, Iterable)):
        raise ArgumentError(argument, "an axiom, or a list of axioms", repr(names))
    given = [names] if isinstance(names, (str, Axiom)) else names
    return list(dict.fromkeys(axiom(name, "allocation").name for name in given))
