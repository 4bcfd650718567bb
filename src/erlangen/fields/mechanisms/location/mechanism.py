"""`Mechanism`: a rule that chooses places, with what is known about it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.location.profiles import as_profiles

#: Whether an axiom is known to hold for ``n`` agents in ``d`` dimensions with a norm; None where it is not known.
Knowledge = Callable[[int, int, float], "bool | None"]


@dataclass(frozen=True)
class Property:
    """What is known about one axiom of a mechanism.

    Attributes:
        says: where it holds, in words.
        holds: ``holds(n, d, norm)``: whether it does there; None where that is not known.
    """

    says: str
    holds: Knowledge


def always(n: int, d: int, norm: float) -> bool:
    """True everywhere."""
    return True


def never_of_several(n: int, d: int, norm: float) -> bool:
    """False of two agents or more."""
    return n < 2


ALWAYS, NEVER = Property("always", always), Property("not of two people or more", never_of_several)


class Mechanism:
    """A rule that chooses ``k`` places for ``n`` agents who report where they are.

    A subclass implements :meth:`locate`; its :attr:`properties` say which axioms it keeps, by name.

    A mechanism that draws lots has several outcomes of equal chance, its :meth:`lottery`; costs are then expected ones.

    Attributes:
        name: for people.
        k: how many places it chooses.
        dimension: the only number of coordinates that it takes; None: any.
    """

    name: str = "a mechanism"
    k: int = 1
    dimension: int | None = None
    _known: Mapping[str, Property] = {}

    @abstractmethod
    def locate(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch k d"]:
        """The places for checked profiles."""

    def lottery(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch outcomes k d"]:
        """All outcomes, of equal chance: one, unless the mechanism draws."""
        return self.locate(x).unsqueeze(-3)

    def __call__(self, X: Any) -> Any:
        """The places ``[*batch, k, d]`` for profiles ``[*batch, n, d]``, arrays for arrays and tensors for tensors.

        Raises:
            ArgumentError: no agents, coordinates that are not finite, or a profile that the mechanism is not made for.
        """
        x, back = as_profiles(X)
        return back(self.locate(x))

    @property
    def properties(self) -> Mapping[str, Property]:
        """What is known, by the names of :data:`~erlangen.fields.mechanisms.AXIOMS`."""
        return MappingProxyType(dict(self._known))

    def __repr__(self) -> str:
        return self.name


def on_the_line(x: Tensor, name: str) -> None:
    """Raise ArgumentError unless profiles have one coordinate."""
    if x.shape[-1] != 1:
        raise ArgumentError("X", f"profiles [*batch, n, 1] on a line, for {name}", f"shape {tuple(x.shape)}")
