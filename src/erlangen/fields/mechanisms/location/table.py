"""`Table`: a mechanism on a finite domain, profile by profile."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.location.domain import Domain
from erlangen.fields.mechanisms.location.mechanism import Mechanism


class Table(Mechanism):
    """A mechanism that is written down: the outcome of every profile of ``n`` agents on a domain.

    Attributes:
        domain: its points, and the places it chooses among.
        n: how many agents.
        profiles: numbers of points, ``[profiles, n]``: all tuples, or one of each multiset.
        chosen: numbers of places, ``[profiles, k]``.
    """

    def __init__(self, domain: Domain, profiles: Int[np.ndarray, "profiles n"], chosen: Int[np.ndarray, "profiles k"]) -> None:
        self.domain, self.profiles, self.chosen = domain, profiles, chosen
        self.n, self.k, self.dimension = profiles.shape[1], chosen.shape[1], domain.dimension
        self.name = f"a table of {len(profiles)} profiles"
        self.anonymous = len(profiles) < len(domain) ** self.n or self.n == 1
        weights = len(domain) ** np.arange(self.n - 1, -1, -1)
        self._weights = weights
        self._where = np.full(len(domain) ** self.n, -1, np.int64)
        self._where[profiles @ weights] = np.arange(len(profiles))

    @property
    def outcomes(self) -> Float[np.ndarray, "places d"]:
        """The places that it chooses among."""
        return self.domain.outcomes

    def locate(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch k d"]:
        points = torch.from_numpy(self.domain.points).to(x)
        if x.shape[-2:] != (self.n, self.dimension):
            raise ArgumentError("X", f"profiles [*batch, {self.n}, {self.dimension}], as the table has", f"shape {tuple(x.shape)}")
        off, which = (x.unsqueeze(-2) - points).abs().amax(-1).min(-1)
        if bool((off > 1e-6 * self.domain.scale).any()):
            stray = x[off > 1e-6 * self.domain.scale][0]
            raise ArgumentError("X", f"points of {self.domain!r}", repr(stray.tolist()))
        which = which.sort(-1).values if self.anonymous else which
        rows = self._where[which.numpy() @ self._weights]
        return torch.from_numpy(self.domain.outcomes[self.chosen[rows]]).to(x)

    def rows(self) -> list[dict[str, Any]]:
        """The table: for each profile where the agents are, and which places are chosen."""
        return [
            {"agents": self.domain.points[profile].tolist(), "places": self.domain.outcomes[chosen].tolist()}
            for profile, chosen in zip(self.profiles, self.chosen, strict=True)
        ]
