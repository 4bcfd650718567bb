"""How alike two explanations are: four similarities, each at most 1, and 1 only for what it calls equal."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError

#: Added to every entry by the reference implementation of the cosine.
OFFSET = 1e-4


def cosine(a: Tensor, b: Tensor) -> Float[Tensor, "*batch"]:
    """The cosine of the angle between vectors ``[*batch, d]``; two zero vectors are alike (1), one zero vector is like nothing (0).

    Scores of explanations leave pairs of zero vectors out: they are no agreement.

    >>> cosine(torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]), torch.tensor([[2.0, 0.0], [0.0, 0.0], [1.0, 0.0]]))
    tensor([1., 1., 0.])
    """
    # Unit vectors before the product, scaled by the largest entry before that: tiny gradients underflow when squared.
    a, b = (v / v.abs().amax(-1, keepdim=True).clamp_min(torch.finfo(v.dtype).tiny) for v in (a, b))
    size_a, size_b = a.norm(dim=-1), b.norm(dim=-1)
    # Half the squared distance of unit vectors: near 1 more exact than the product itself.
    unit_a, unit_b = (v / n.clamp_min(0.5).unsqueeze(-1) for v, n in ((a, size_a), (b, size_b)))
    value = 1 - (unit_a - unit_b).square().sum(-1) / 2
    return torch.where((size_a == 0) | (size_b == 0), ((size_a == 0) & (size_b == 0)).to(a.dtype), value)


def cosine_offset(a: Tensor, b: Tensor) -> Float[Tensor, "*batch"]:
    """The cosine after 1e-4 is added to every entry of both, as the reference does; attributions of that size look alike.

    >>> round(float(cosine_offset(torch.tensor([1e-6, 0.0]), torch.tensor([0.0, 1e-6]))), 3)
    1.0
    """
    return cosine(a + OFFSET, b + OFFSET)


def accuracy(a: Tensor, b: Tensor) -> Float[Tensor, "*batch"]:
    """The share of equal entries, for explanations that say yes or no.

    >>> accuracy(torch.tensor([True, False, True]), torch.tensor([True, True, True]))
    tensor(0.6667)
    """
    return (a == b).to(torch.get_default_dtype() if not a.is_floating_point() else a.dtype).mean(-1)


def relative_l2(a: Tensor, b: Tensor) -> Float[Tensor, "*batch"]:
    """``1 - |a - b| / (|a| + |b|)``, from 0 to 1: unlike the cosine it sees a change of scale; two zero vectors are alike.

    >>> relative_l2(torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 0.0]]))
    tensor([0.5000])
    """
    size = a.norm(dim=-1) + b.norm(dim=-1)
    return torch.where(size == 0, torch.ones_like(size), 1 - (a - b).norm(dim=-1) / size.clamp_min(torch.finfo(a.dtype).tiny))


SIMILARITIES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine": cosine,
    "cosine_offset": cosine_offset,
    "accuracy": accuracy,
    "relative_l2": relative_l2,
}


def similarity_for(name: str | None, explanation: Tensor) -> str:
    """The similarity of this name; without one, accuracy for booleans and integers, the cosine for the rest.

    Raises:
        ArgumentError: there is none of this name.
    """
    if name is None:
        return "cosine" if explanation.is_floating_point() else "accuracy"
    if name not in SIMILARITIES:
        raise ArgumentError("similarity", f"one of {', '.join(SIMILARITIES)}", repr(name))
    return name


def hoeffding(count: int, confidence: float, similarity: str) -> float:
    """The half-width within which the mean of ``count`` independent scores lies with this probability, whatever their law.

    ``2 exp(-2 N t^2 / (b - a)^2) = 1 - confidence`` for scores from a to b: cosines from -1 to 1, the others from 0 to 1.

    >>> round(hoeffding(50, 0.95, "cosine"), 4), round(hoeffding(50, 0.95, "accuracy"), 4)
    (0.3841, 0.1921)
    """
    width = 2.0 if similarity.startswith("cosine") else 1.0
    return width * math.sqrt(math.log(2 / (1 - confidence)) / (2 * count))
