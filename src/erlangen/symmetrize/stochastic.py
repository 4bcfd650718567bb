"""`Stochastic`: a few elements of another frame, drawn anew for each datum: cheap training, exact evaluation."""

from __future__ import annotations

from typing import Any

import torch

from erlangen.actions.base import Action
from erlangen.actions.batches import a_tensor
from erlangen.errors import ArgumentError
from erlangen.symmetrize.frames import Frame, Weighted


class Stochastic(Frame):
    """In training, ``k`` elements of ``frame`` drawn for each datum by their weights; in evaluation all of them.

    A draw is an unbiased estimate of the average over the frame, and symmetric in distribution. Elements with equal weights are drawn
    without repetition, so as many as there are give the average itself; weighted ones are drawn independently.

    Args:
        frame: the frame to draw from.
        k: how many elements; all of them, where there are not so many.
        always: draw in evaluation, too.
        generator: source of randomness; torch's global one by default, as for dropout.

    Source: Duval et al., "FAENet: Frame Averaging Equivariant GNN for Materials Modeling", ICML 2023, arXiv:2305.05577.

    >>> from erlangen.groups import E
    >>> from erlangen.symmetrize import Principal
    >>> frame = Stochastic(Principal())
    >>> x = torch.randn(8, 20, 3)
    >>> frame.train()(E(3).point, x).elements.shape[1], frame.eval()(E(3).point, x).elements.shape[1]
    (1, 8)
    """

    is_exact = False

    def __init__(self, frame: Frame, k: int = 1, *, always: bool = False, generator: torch.Generator | None = None) -> None:
        super().__init__()
        if k < 1:
            raise ArgumentError("k", "a positive number of elements", repr(k))
        self.frame, self.k, self.always, self.generator = frame, k, always, generator

    @property
    def differentiable(self) -> bool:  # type: ignore[override]
        return self.frame.differentiable

    def forward(self, inp: Action, x: Any) -> Weighted:
        found = self.frame(inp, x)
        if found.mixed or not (self.training or self.always):
            return found
        group = inp.group
        size, count = group.batch_shape(found.elements)
        device = a_tensor(x).device
        if found.weights is None:
            chosen = torch.rand(size, count, generator=self.generator, device=device).argsort(1)[:, : self.k]
        else:
            chosen = torch.multinomial(found.weights.detach(), self.k, replacement=True, generator=self.generator)
        rows = torch.arange(size, device=device).unsqueeze(1)
        return found._replace(elements=group.take(found.elements, (rows, chosen)), weights=None)

    def refuse(self, inp: Action) -> str:
        return self.frame.refuse(inp)

    def refuse_output(self, out: Action) -> str:
        return self.frame.refuse_output(out)
