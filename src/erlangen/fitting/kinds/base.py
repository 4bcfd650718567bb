"""`DataKind`: what a kind of data must say so that a fit needs no other knowledge of it."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.fitting.columns import Arrangement, Columns
from erlangen.groups.base import Group


@dataclass(frozen=True)
class DataKind(ABC):
    """A kind of data: how groups act on it, and the networks for it. It holds sizes, no data, and goes into JSON.

    A subclass is a frozen dataclass of numbers, text and tuples of them. Its networks take one argument, a batch ``x`` of inputs: a
    tensor, or a dictionary of tensors of one length.

    Attributes:
        shape: of one output of a network.
        vector: whether outputs are vectors that move with the input; else they are numbers that do not.
    """

    #: What it is called in files and on the command line.
    name: ClassVar[str]

    shape: tuple[int, ...]
    vector: bool

    @abstractmethod
    def input_action(self, group: Group) -> Action | None:
        """How the group moves inputs; ``None`` when it does not act on them."""

    def output_action(self, group: Group) -> Action:
        """How predictions move when the input does."""
        return group.vector if self.vector else group.scalar

    def moved_by(self, group: Group) -> tuple[Action, Action]:
        """How a group that acts on the inputs moves them, and the predictions."""
        inp = self.input_action(group)
        if inp is None:
            raise ArgumentError("group", f"a group that acts on {self}", repr(group))
        return inp, self.output_action(group)

    @abstractmethod
    def network(self, width: int, depth: int, dropout: float) -> nn.Module:
        """An untrained plain network, in float32."""

    @abstractmethod
    def symmetrized(self, network: nn.Module, group: Group) -> nn.Module:
        """The same network made symmetric; it is ``model.model`` of what is returned."""

    @abstractmethod
    def standardise(self, network: nn.Module, model: nn.Module, x: Any, out_scale: float) -> None:
        """Set the statistics of a network's own training inputs, as it sees them inside of ``model``, and the size of its output."""

    def columns(self, group: Group | None = None, arrangement: Arrangement = "each") -> Columns | None:
        """Inputs as rows of numbers, for models of tables: the raw ones, or those that a group leaves unchanged; ``None`` where there are
        none."""
        return None

    def as_dict(self) -> dict[str, Any]:
        """Its sizes and name, ready for JSON."""
        return {"name": self.name, **dataclasses.asdict(self)}
