"""`DataKind`: what a kind of data must say so that a fit needs no other knowledge of it."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.fitting.columns import Arrangement, Columns
from erlangen.fitting.invariant_network import InvariantNetwork
from erlangen.groups.base import Group


@dataclass(frozen=True)
class Candidate:
    """A group that a fit tries on held-out data.

    Attributes:
        group: which.
        why: what speaks for it, for the report: ``"by its kind: atoms have no order"``.
    """

    group: Group
    why: str


@dataclass(frozen=True)
class DataKind(ABC):
    """A kind of data: how groups act on it, and the networks for it. It holds sizes, no data, and goes into JSON.

    A subclass is a frozen dataclass of numbers, text and tuples of them. Its networks take one argument, a batch ``x`` of inputs: a
    tensor, or a dictionary of tensors of one length. They keep what made them in ``settings`` and have ``standardise``.

    Attributes:
        shape: of one output of a network.
        vector: whether outputs are vectors that move with the input; else they are numbers that do not.
    """

    #: What it is called in files and on the command line.
    name: ClassVar[str]
    #: Whether discoverers look for its groups; else the candidates are tried on held-out data.
    discovers: ClassVar[bool] = False
    #: Samples of a training step, at most: steps on large samples are dear, and more of them help more than surer ones.
    largest_batch: ClassVar[int | None] = None

    shape: tuple[int, ...]
    vector: bool

    def candidates(self) -> tuple[Candidate, ...]:
        """The groups that are worth trying, larger ones first."""
        return ()

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

    def inputs(self, x: Any) -> Any:
        """What the group moves and a network takes, from the data's ``x``."""
        return x

    def prepared(self, x: Any) -> Any:
        """What a network takes as well, with all that need not be computed anew in every step of a training."""
        return x

    @abstractmethod
    def network(self, width: int, depth: int, dropout: float, group: Group | None = None) -> nn.Module:
        """An untrained network, in float32: the plain one, or the one that :meth:`symmetrized` takes for a group."""

    def symmetrized(self, network: nn.Module, group: Group) -> nn.Module:
        """The network for a group made symmetric: a :class:`~erlangen.symmetrize.Symmetrized`, or itself where it is symmetric already."""
        return network

    @abstractmethod
    def standardise(self, network: Any, model: nn.Module, x: Any, y: Tensor, out_scale: float) -> None:
        """Set the statistics of a network's own training inputs, as it sees them inside of ``model``, and the size of its output."""

    def columns(self, group: Group | None = None, arrangement: Arrangement = "each") -> Columns | None:
        """Inputs as rows of numbers, for models of tables: the raw ones, or those that a group leaves unchanged; ``None`` where there are
        none."""
        return None

    def on_invariants(self, group: Group, **settings: Any) -> InvariantNetwork:
        """An untrained network on what a group leaves unchanged; asked for where :meth:`columns` has some of it."""
        raise NotImplementedError

    def as_dict(self) -> dict[str, Any]:
        """Its sizes and name, ready for JSON."""
        return {"name": self.name, **dataclasses.asdict(self)}


class Scaled(nn.Module):
    """What the networks of several kinds share: their settings, and outputs scaled and shifted to the targets.

    Args:
        shape: of one output.
        settings: what makes it again, for JSON.
    """

    def __init__(self, shape: tuple[int, ...], **settings: Any) -> None:
        super().__init__()
        self.shape, self.settings = shape, settings
        self.out_scale: Tensor
        self.out_shift: Tensor
        self.register_buffer("out_scale", torch.ones(()))
        self.register_buffer("out_shift", torch.zeros(shape))

    def scale_outputs(self, y: Tensor, vector: bool) -> None:
        """Take size and, of numbers, the mean from training targets; classes are left as they are."""
        if not y.is_floating_point():
            return
        if not vector:
            self.out_shift.copy_(y.mean(0))
        self.out_scale.fill_(float((y - y.mean(0) * (not vector)).square().mean().sqrt()) or 1.0)

    def scaled(self, y: Tensor) -> Tensor:
        """``[B, numbers]`` of the last layer as outputs ``[B, *shape]``."""
        return y.unflatten(-1, self.shape) * self.out_scale + self.out_shift


def spread(values: Tensor) -> Tensor:
    """The standard deviation of each column of ``[N, c]``; 1 where a column hardly varies, so that nothing is blown up.

    >>> spread(torch.tensor([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [1.4142135623730951, 1.0]
    """
    values = values.detach().double()
    deviation = values.std(0).nan_to_num()
    return torch.where(deviation > 1e-6 * values.square().mean(0).sqrt(), deviation, 1.0)
