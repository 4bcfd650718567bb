"""Mechanisms that do not order: constants, dictators, means, and the places that are optimal for everybody together."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.location.mechanism import ALWAYS, NEVER, Mechanism, Property
from erlangen.fields.mechanisms.location.median import geometric_median
from erlangen.fields.mechanisms.location.profiles import as_profiles


class Constant(Mechanism):
    """The same places whatever is reported.

    >>> Constant([[1.0, 2.0]])(torch.zeros(3, 2))
    tensor([[1., 2.]])
    """

    def __init__(self, places: Any) -> None:
        self.places, _ = as_profiles(places, "places")
        if self.places.ndim != 2:
            raise ArgumentError("places", "places [k, d]", f"shape {tuple(self.places.shape)}")
        self.k, self.name, self.dimension = len(self.places), "constant", self.places.shape[1]
        self._known = {
            "ANON": ALWAYS,
            "SP": ALWAYS,
            "GSP": ALWAYS,
            "DUP": ALWAYS,
            "PO": Property("never", lambda n, d, norm: False),
        }

    def locate(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch k d"]:
        if self.places.shape[-1] != x.shape[-1]:
            raise ArgumentError("X", f"{self.places.shape[-1]} coordinates, as the places have", f"shape {tuple(x.shape)}")
        return self.places.to(x).expand(*x.shape[:-2], *self.places.shape)


_EQUIVARIANT = dict.fromkeys(("TRANS", "SCALE", "REFL", "SWAP", "ROT"), ALWAYS)


class Dictator(Mechanism):
    """Where one agent is.

    >>> Dictator(1)(torch.tensor([[0.0], [5.0]])).item()
    5.0
    """

    def __init__(self, agent: int = 0) -> None:
        self.agent, self.name = _agent(agent), f"dictator {agent}"
        self._known = {"ANON": NEVER, "SP": ALWAYS, "GSP": ALWAYS, "PO": ALWAYS, "UNAN": ALWAYS, **_EQUIVARIANT}

    def locate(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch 1 d"]:
        _among(self.agent, x)
        return x[..., self.agent : self.agent + 1, :]


class RandomDictator(Mechanism):
    """Where an agent is who is drawn by lot, each with the same chance. Costs are expected ones.

    >>> RandomDictator().lottery(torch.zeros(5, 2)).shape
    torch.Size([5, 1, 2])
    """

    name = "random dictator"

    def __init__(self) -> None:
        self._known = {
            "ANON": ALWAYS,
            "SP": ALWAYS,
            "PO": Property("whoever is drawn", ALWAYS.holds),
            "UNAN": ALWAYS,
            **_EQUIVARIANT,
        }

    def locate(self, x: Float[Tensor, "*batch n d"], generator: torch.Generator | None = None) -> Float[Tensor, "*batch 1 d"]:
        who = torch.randint(x.shape[-2], (*x.shape[:-2], 1, 1), generator=generator)
        return x.gather(-2, who.to(x.device).expand(*x.shape[:-2], 1, x.shape[-1]))

    def lottery(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch n 1 d"]:
        return x.unsqueeze(-2)

    def __call__(self, X: Any, generator: torch.Generator | None = None) -> Any:
        """A place, drawn with ``generator`` (by default torch's own)."""
        x, back = as_profiles(X)
        return back(self.locate(x, generator))


class Mean(Mechanism):
    """The mean of all reports. An agent who knows the others' reports moves it to any place: ``n x - (the sum of the others)``.

    >>> Mean()(torch.tensor([[0.0], [1.0], [5.0]])).item()
    2.0
    """

    name = "mean"

    def __init__(self) -> None:
        self._known = {
            "ANON": ALWAYS,
            "UNAN": ALWAYS,
            "DUP": ALWAYS,
            "SP": NEVER,
            "PO": Property("with the Euclidean norm, and on the line", lambda n, d, norm: True if norm == 2 or d == 1 else None),
            **_EQUIVARIANT,
        }

    def locate(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch 1 d"]:
        return x.mean(-2, keepdim=True)


class GeometricMedian(Mechanism):
    """The place with the least total Euclidean distance; of several on a segment, its end that comes first in alphabetical order.

    >>> GeometricMedian()(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float64))
    tensor([[0.5000, 0.5000]], dtype=torch.float64)
    """

    name = "geometric median"

    def __init__(self) -> None:
        self._known = {
            "ANON": ALWAYS,
            "UNAN": ALWAYS,
            "DUP": ALWAYS,
            "SP": Property(
                "on the line, and of two people", lambda n, d, norm: True if d == 1 or n < 3 else False if norm == 2 else None
            ),
            "PO": Property("with the Euclidean norm, and on the line", lambda n, d, norm: True if norm == 2 or d == 1 else None),
            **{axiom: Property("where it is unique", lambda n, d, norm: True if n % 2 == 1 else None) for axiom in _EQUIVARIANT},
            "TRANS": ALWAYS,
            "SCALE": ALWAYS,
        }

    def locate(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch 1 d"]:
        return geometric_median(x).unsqueeze(-2)


class DictatorAndFarthest(Mechanism):
    """Two places: where one agent is, and where the agent is who is farthest from it in the Euclidean norm (the first of several).

    >>> DictatorAndFarthest()(torch.tensor([[0.0], [1.0], [-3.0]])).flatten()
    tensor([ 0., -3.])
    """

    k = 2

    def __init__(self, agent: int = 0) -> None:
        self.agent, self.name = _agent(agent), f"dictator {agent} and the farthest"
        self._known = {
            "ANON": NEVER,
            "UNAN": ALWAYS,
            "SP": Property("of two people: of more, who exaggerates has the second place moved", lambda n, d, norm: n < 3),
            **{axiom: Property("where one is the farthest", lambda n, d, norm: None) for axiom in _EQUIVARIANT},
        }

    def locate(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch 2 d"]:
        _among(self.agent, x)
        one = x[..., self.agent : self.agent + 1, :]
        far = torch.linalg.vector_norm(x - one, dim=-1).argmax(-1)[..., None, None].expand(*x.shape[:-2], 1, x.shape[-1])
        return torch.cat([one, x.gather(-2, far)], -2)


def _agent(agent: Any) -> int:
    if not isinstance(agent, int) or isinstance(agent, bool) or agent < 0:
        raise ArgumentError("agent", "the number of an agent, from 0", repr(agent))
    return agent


def _among(agent: int, x: Tensor) -> None:
    if agent >= x.shape[-2]:
        raise ArgumentError("agent", f"one of {x.shape[-2]} agents, from 0", repr(agent))
