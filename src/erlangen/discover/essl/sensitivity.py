"""`Sensitivity`: features from which a head can tell by which group element the input was moved."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.discover.essl.networks import Norm, mlp
from erlangen.discover.essl.targets import Classes, Target, draw, target_of
from erlangen.discover.essl.transforms import Factors, turns
from erlangen.discover.essl.views import View, image_view
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element, Group

#: Random elements for each image when a group is infinite and no number is given.
COPIES = 4


@dataclass(frozen=True)
class Sensitivity:
    """Predict the group element that moved a third view: the loss that keeps a symmetry in the features instead of erasing it.

    All moved copies of the view go through the encoder as one batch, and one head for each factor reads the encoder's features.

    Args:
        of: an action; or a group of the plane, which turns images (:func:`~erlangen.discover.essl.turns`); or a list of such, whose
            actions commute. Finite groups of any kind are predicted as classes, SO(2), SO(3) and tori by regression.
        weight: of the loss, beside the loss of invariance; 0 leaves it out entirely.
        view: the random view that is then moved; by default the usual one with half the side, so that four copies cost what one view does.
        head: widths of the heads' hidden layers.
        norm: of the heads.
        n_elements: how many elements are used in a step: of a finite group a random subset, the same for all images (by default all);
            of an infinite one, so many for each image (by default four).
        single: one random element for each image.
        relative: heads read the features of the unmoved view beside those of the moved one. Needed when data have no absolute pose.

    Raises:
        ArgumentError: a negative weight, no factors, ``n_elements`` together with ``single``, or more elements than there are.
        UnsupportedError: an infinite group of another kind.

    >>> from erlangen.groups import Cyclic
    >>> Sensitivity(Cyclic(4), weight=0.4).action
    Images(scalars on ρ1 of C_4)
    """

    of: Group | Action | Sequence[Group | Action]
    weight: float = 0.4
    view: View = field(default_factory=lambda: image_view(0.5))
    head: tuple[int, ...] = (2048, 2048)
    norm: Norm = "layer"
    n_elements: int | None = None
    single: bool = False
    relative: bool = False

    action: Action = field(init=False)
    targets: tuple[Target, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not (self.weight >= 0 and math.isfinite(self.weight)):
            raise ArgumentError("weight", "zero or a positive number", repr(self.weight))
        named: Sequence[Group | Action] = [self.of] if isinstance(self.of, Group | Action) else list(self.of)
        for part in named:
            if not isinstance(part, Group | Action):
                raise ArgumentError("of", "a group, an action, or a list of these", type(part).__name__)
        if not named:
            raise ArgumentError("of", "at least one group or action", "none")
        actions = [part if isinstance(part, Action) else turns(part) for part in named]
        object.__setattr__(self, "action", actions[0] if len(actions) == 1 else Factors(*actions))
        object.__setattr__(self, "targets", tuple(target_of(action.group) for action in actions))
        if self.n_elements is not None:
            if self.single:
                raise ArgumentError("single", "False when n_elements is given", True)
            if self.n_elements < 1 or (self.finite and self.n_elements > self.order):
                most = f" to {int(self.order)}" if self.finite else ""
                raise ArgumentError("n_elements", f"a number from 1{most}", repr(self.n_elements))

    @property
    def finite(self) -> bool:
        return all(isinstance(target, Classes) for target in self.targets)

    @property
    def order(self) -> int | float:
        """How many elements there are in all."""
        return self.action.group.order

    @property
    def copies(self) -> int:
        """How many moved copies of each image a step makes."""
        if self.single:
            return 1
        return self.n_elements or (int(self.order) if self.finite else COPIES)

    def heads(self, features: int) -> nn.ModuleList:
        """One head for each factor, behind an encoder with so many features."""
        width = features * (2 if self.relative else 1)
        return nn.ModuleList(mlp([width, *self.head, target.width], self.norm) for target in self.targets)

    def elements(self, batch: int, generator: torch.Generator | None = None, every: bool = False) -> tuple[Element, list[Tensor]]:
        """The elements of a step, and of each factor what its head should say.

        Args:
            batch: how many images.
            every: all elements of a finite group, in the group's order, whatever the settings.

        Returns:
            elements ``[copies, 1 or batch]`` and truths ``[copies, batch, ...]``.
        """
        group = self.action.group
        if self.finite and (every or not self.single):
            count = int(self.order)
            index = torch.arange(count)
            if self.n_elements is not None and not every:
                device = torch.device("cpu") if generator is None else generator.device
                index = torch.randperm(count, generator=generator, device=device)[: self.n_elements].sort().values.cpu()
            g = group.map(lambda leaf, shape: leaf.unsqueeze(1), group.take(group.elements(), index))
            # Elements of a product are listed with the last factor running fastest.
            labels = torch.unravel_index(index, [target.width for target in self.targets])
            return g, [label.unsqueeze(1).expand(-1, batch) for label in labels]
        drawn = [draw(target.group, target, (self.copies, batch), generator) for target in self.targets]
        if isinstance(self.action, Factors):
            return self.action.join([g for g, _ in drawn]), [truth for _, truth in drawn]
        return drawn[0][0], [drawn[0][1]]

    def moved(self, x: Tensor, generator: torch.Generator | None = None, every: bool = False) -> tuple[Tensor, list[Tensor]]:
        """The view of a batch, its moved copies ``[copies, batch, ...]`` and the truths; a relative head's unmoved copy comes first."""
        x = self.view(x, generator)
        g, truths = self.elements(len(x), generator, every)
        g = self.action.group.map(lambda leaf, shape: leaf.to(x) if leaf.is_floating_point() else leaf.to(x.device), g)
        moved = self.action.act(g, x.unsqueeze(0))
        if self.relative:
            moved = torch.cat([x.unsqueeze(0), moved])
        return moved, [t.to(x) if t.is_floating_point() else t.to(x.device) for t in truths]

    def outputs(self, encoder: Callable[[Tensor], Tensor], heads: nn.ModuleList, moved: Tensor) -> list[Tensor]:
        """What each head says of the moved copies, ``[copies, batch, width]``, from one pass of the encoder over all of them."""
        features = encoder(moved.flatten(0, 1)).unflatten(0, moved.shape[:2])
        if self.relative:
            features = torch.cat([features[:1].expand_as(features[1:]), features[1:]], -1)
        flat = features.flatten(0, 1)
        return [head(flat).unflatten(0, features.shape[:2]) for head in heads]

    def loss(self, outputs: Sequence[Tensor], truths: Sequence[Tensor]) -> Tensor:
        """The sum of the factors' losses."""
        return torch.stack([t.loss(o, truth) for t, o, truth in zip(self.targets, outputs, truths)]).sum()
