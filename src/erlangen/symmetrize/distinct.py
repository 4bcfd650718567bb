"""`Distinct`: the orbit shortcut: equal canonical inputs are evaluated once."""

from __future__ import annotations

from typing import Any

import optree
import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError


class Distinct(nn.Module):
    """A model that evaluates equal rows of its batch once and hands the result to each of them.

    The frame of a datum that is symmetric itself holds several elements with one canonical form (a flat molecule: 8 elements of E(3), 4
    forms; a graph: an order for each of its symmetries). Wrapped in this, a model sees each of them once::

        er.symmetrize(er.frames.Distinct(net), inp, out, frame=...)

    Outputs that move are still averaged over all elements. Rows count as equal when their tensors round to the same multiples of
    ``tolerance`` times the row's own size (the power of two below its largest number), integers when they are; a miss costs an evaluation,
    nothing else. The model must treat rows one by one (no
    normalisation over the batch) and is not compiled whole, since the number of rows depends on the data.

    Args:
        model: called with a leading batch axis.
        tolerance: by default 1e-12 for float64, eight rounding errors of any other precision (1e-6 for float32).

    >>> calls = []
    >>> class Net(nn.Module):
    ...     def forward(self, x):
    ...         calls.append(len(x))
    ...         return x.sum(1, keepdim=True)
    >>> Distinct(Net())(torch.tensor([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])), calls
    (tensor([[3.],
            [7.],
            [3.]]), [2])
    """

    def __init__(self, model: nn.Module, tolerance: float | None = None) -> None:
        super().__init__()
        if tolerance is not None and tolerance <= 0:
            raise ArgumentError("tolerance", "a positive number", repr(tolerance))
        self.model, self.tolerance = model, tolerance

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        call: Any = (args, kwargs)
        tensors = [t for t in optree.tree_leaves(call) if isinstance(t, Tensor) and t.ndim]
        if not tensors:
            raise ArgumentError("x", "a tensor with a leading batch axis", "none")
        rows = len(tensors[0])
        keys = torch.cat([self._key(t) for t in tensors if len(t) == rows], 1)
        _, group = torch.unique(keys, dim=0, return_inverse=True)
        first = torch.full((int(group.max()) + 1,), rows, device=group.device)
        first = first.scatter_reduce(0, group, torch.arange(rows, device=group.device), "amin")

        def of(index: Tensor, size: int) -> Any:
            return lambda t: t[index] if isinstance(t, Tensor) and t.ndim and len(t) == size else t

        few_args, few_kwargs = optree.tree_map(of(first, rows), call)
        return optree.tree_map(of(group, len(first)), self.model(*few_args, **few_kwargs))

    def _key(self, t: Tensor) -> Tensor:
        t = torch.view_as_real(t.detach()) if t.is_complex() else t.detach()
        flat = t.reshape(len(t), -1)
        if not t.is_floating_point() or not flat.shape[1]:
            return flat.long()
        # A row's own power of two: what is equal here is not decided by another row of the batch.
        _, exponent = torch.frexp(flat.double().abs().amax(1, keepdim=True))
        tolerance = self.tolerance or (1e-12 if t.dtype == torch.float64 else 8 * torch.finfo(t.dtype).eps)
        steps = (torch.ldexp(flat.double(), -exponent) / tolerance).round()
        # NaN and infinities are keys of their own.
        return torch.cat([exponent.long(), steps.nan_to_num(2.0**62, 2.0**61, -(2.0**61)).long()], 1)
