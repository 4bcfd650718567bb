"""`Family`: a class of symmetric functions with a law of inputs, whose pairwise correlations are known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.measure.hardness.gram import Gram, monte_carlo_gram


class Target(nn.Module):
    """A member of a family: a function of inputs that knows what it is.

    Args:
        family: the family.
        label: what tells members apart, as :meth:`Family.sample_labels` draws it.
        scale: by which the function that ``label`` names is multiplied, e.g. a sign.
    """

    def __init__(self, family: Family, label: Tensor, scale: float = 1.0) -> None:
        super().__init__()
        self.family, self.label, self.scale = family, label, scale

    def forward(self, x: Tensor) -> Float[Tensor, " B"]:
        return self.scale * self.family.evaluate(self.label, x)

    def extra_repr(self) -> str:
        return f"{self.family!r}, label {tuple(self.label.shape)}, scale {self.scale:g}"


class Family(ABC):
    """Functions ``f`` of inputs ``x`` drawn from one law, all invariant under :attr:`action`.

    A subclass states how labels of members are drawn and checked, which function a label names, and the exact inner product of two;
    members, Gram matrices, exact or sampled, and everything in this folder follow.

    Attributes:
        action: how the group moves inputs.
    """

    action: Action

    @abstractmethod
    def sample_labels(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Labels ``[count, ...]`` of random members."""

    @abstractmethod
    def evaluate(self, label: Tensor, x: Tensor) -> Float[Tensor, " B"]:
        """The function that ``label`` names, at a batch of inputs."""

    @abstractmethod
    def sample_inputs(self, batch: int, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        """A batch of inputs from the family's law."""

    @abstractmethod
    def products(self, left: Tensor, right: Tensor) -> Float[Tensor, "*batch"]:
        """Exact inner products of the functions that labels name; the labels' leading axes broadcast.

        Raises:
            UnsupportedError: there is no closed form; use Monte Carlo.
        """

    def norm(self) -> float:
        """The norm of the function that members are built from, by which they are divided."""
        return 1.0

    def sample_target(self, generator: torch.Generator | None = None) -> Target:
        """A random member."""
        return Target(self, self.sample_labels(1, generator)[0])

    def sample_targets(self, count: int, generator: torch.Generator | None = None) -> list[Target]:
        """Several random members."""
        return [Target(self, label) for label in self.sample_labels(count, generator)]

    def gram(
        self,
        targets: Sequence[Any],
        exact: bool = True,
        *,
        samples: int = 100_000,
        generator: torch.Generator | None = None,
    ) -> Gram:
        """Pairwise inner products of members: in closed form, or as averages over ``samples`` inputs with standard errors.

        Monte Carlo takes any callables beside members, a trained network for instance.

        Raises:
            ArgumentError: no targets, or with ``exact`` one that is not a member.
            UnsupportedError: ``exact`` where there is no closed form.
        """
        if not len(targets):
            raise ArgumentError("targets", "at least one function", "none")
        if not exact:
            draw = lambda count, g: self.sample_inputs(count, g, torch.float64)  # noqa: E731
            return monte_carlo_gram([_double(t) for t in targets], draw, samples, generator=generator)
        for t in targets:
            if not (isinstance(t, Target) and t.family == self):
                raise ArgumentError("targets", f"members of {self!r}", type(t).__name__, "any callable will do with exact=False")
        values = self.gram_of(torch.stack([t.label for t in targets]))
        scale = torch.tensor([float(t.scale) for t in targets], dtype=torch.float64)
        return Gram(scale[:, None] * values * scale)

    def gram_of(self, labels: Tensor) -> Float[Tensor, "N N"]:
        """The exact Gram matrix of the functions that labels ``[N, ...]`` name; row blocks bound the memory."""
        count = len(labels)
        values = torch.empty(count, count, dtype=torch.float64)
        rows = max(1, self.block // count)
        for start in range(0, count, rows):
            part = slice(start, min(start + rows, count))
            found = self.products(labels[part].unsqueeze(1), labels[start:].unsqueeze(0))
            values[part, start:], values[start:, part] = found, found.mT
        return values

    #: Pairs that :meth:`gram_of` hands to :meth:`products` at a time.
    block: int = 4096

    def sample_correlations(self, pairs: int, generator: torch.Generator | None = None) -> Float[Tensor, " pairs"]:
        """Exact correlations of independent random pairs of members, both brought to norm 1."""
        found = []
        for start in range(0, pairs, self.block):
            left, right = (self.sample_labels(min(self.block, pairs - start), generator) for _ in range(2))
            size = (self.products(left, left) * self.products(right, right)).rsqrt()
            found.append(self.products(left, right) * size)
        return torch.cat(found)


def _double(function: Any) -> Any:
    """Networks on float64 inputs need float64 weights; members adapt to their inputs by themselves."""
    if isinstance(function, nn.Module) and any(p.dtype == torch.float32 for p in function.parameters()):
        return lambda x: function(x.float())
    return function


def check_count(name: str, value: Any, least: int = 1) -> None:
    """Raise ArgumentError unless ``value`` is an integer of at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ArgumentError(name, f"an integer of at least {least}", repr(value))
