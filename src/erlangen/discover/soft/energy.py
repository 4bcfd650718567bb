"""`Energy`: the squared distances of a model's weights from every group's equivariant subspace, one matrix product for a pair of types."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.discover.soft.layout import TensorType
from erlangen.discover.soft.subspaces import PairBasis, entries, pair_basis
from erlangen.discover.soft.weights import Weight
from erlangen.reps import Rep


class Measured(NamedTuple):
    """Of each group: half the squared distance, ``1 - cos`` of weights and projection, and the degree from 0 to 1."""

    residuals: list[float]
    cosines: list[float]
    degrees: list[float]


class Degenerate(UserWarning):
    """A group that allows every weight, or none."""


class _Permute(torch.autograd.Function):
    """``x[permutation]``, whose derivative is the other permutation instead of a scattered sum."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, permutation: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(permutation, inverse)
        return x[permutation]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        permutation, inverse = ctx.saved_tensors
        return _Permute.apply(gradients[0], inverse, permutation), None, None


class Energy:
    """Residuals ``R_k = 1/2 |W - P_k W|^2`` over all weights of a model, for all groups at once.

    Args:
        model: the module, or a bare matrix.
        weights: its matrices and their layouts.
        vectors: how each candidate group moves ``R^d``.
    """

    def __init__(self, model: nn.Module | Tensor, weights: Sequence[Weight], vectors: Mapping[str, Rep]) -> None:
        self.weights, self.vectors = tuple(weights), dict(vectors)
        self._bare = model if isinstance(model, Tensor) else None
        blocks: dict[tuple[TensorType, TensorType], list[Tensor]] = {}
        start = 0
        for w in self.weights:
            flat = w.matrices.flatten(1)
            for out, above in w.target.places.items():
                for inp, left in w.source.places.items():
                    index = entries(above, left, w.source.dim)
                    blocks.setdefault((out, inp), []).append(start + flat[:, index].flatten(0, 1))
            start += math.prod(w.shape)
        reps = list(self.vectors.values())
        self.pairs: list[PairBasis] = [pair_basis(reps, out, inp) for out, inp in blocks]
        tables = [torch.cat(parts) for parts in blocks.values()]
        self.shapes = [tuple(t.shape) for t in tables]
        self._permutation = torch.cat([t.flatten() for t in tables])
        self._inverse = torch.argsort(self._permutation)
        k = len(reps)
        # R = 1/2 (whole @ squared norms of the tables + parts @ squared coordinates).
        self._whole = torch.stack([p.whole for p in self.pairs], 1)
        self._parts = torch.cat([torch.where(p.owner == torch.arange(k)[:, None], p.sign[:, None], 0.0) for p in self.pairs], 1)
        rows = torch.tensor([float(shape[0]) for shape in self.shapes], dtype=torch.float64)
        free = torch.stack([p.free for p in self.pairs], 1).to(torch.float64)
        size = torch.tensor([float(p.size) for p in self.pairs], dtype=torch.float64)
        #: Degrees of freedom that each group leaves, of how many: ``[K]`` and a number.
        self.free, self.count = (free * rows).sum(1), float((size * rows).sum())
        #: The groups that allow everything.
        self.trivial = self.free == self.count
        self._constrained = 1 - free / size
        self._cast = self._cast_to(self._flat())

    def __call__(self) -> Float[Tensor, " K"]:
        """``R_k`` of each group, differentiable in the weights."""
        flat = self._flat()
        if self._cast[0].dtype != flat.dtype or self._cast[0].device != flat.device:
            self._cast = self._cast_to(flat)
        norms, coordinates = self._squares(flat, self._cast)
        whole, parts = self._cast[:2]
        return 0.5 * (whole @ norms + parts @ coordinates)

    def measure(self) -> Measured:
        """The numbers for people, in float64 on the CPU."""
        with torch.no_grad():
            flat = self._flat().detach().to("cpu", torch.float64)
            norms, coordinates = self._squares(flat, self._cast_to(flat))
            residual = (0.5 * (self._whole @ norms + self._parts @ coordinates)).clamp_min(0)
            total = norms.sum()
            chance = 0.5 * self._constrained @ norms
            cosine = 1 - (1 - 2 * residual / total).clamp(0, 1).sqrt() if float(total) else torch.zeros_like(residual)
            told = torch.where(chance > 0, (residual / chance.clamp_min(1e-300)).sqrt(), 0.0)
        return Measured(residual.tolist(), cosine.tolist(), (1 - told).clamp(0, 1).tolist())

    def warn_degenerate(self) -> None:
        """Say so where a group's penalty means nothing, or only smaller weights."""
        for name, free in zip(self.vectors, self.free.tolist()):
            if free == self.count:
                warnings.warn(f"every weight is equivariant under {name}: its penalty is zero", Degenerate, stacklevel=3)
            elif not free:
                warnings.warn(f"no weight is equivariant under {name}: its penalty is weight decay", Degenerate, stacklevel=3)

    def _flat(self) -> Tensor:
        """All weights in one vector. Attributes are read anew, so parametrized or replaced ones are seen."""
        if self._bare is not None:
            return self._bare.flatten()
        return torch.cat([getattr(w.module, w.attribute).flatten() for w in self.weights])

    def _cast_to(self, like: Tensor) -> tuple[Tensor, ...]:
        """The constants in the weights' dtype and on their device; the float64 ones are kept."""
        device = like.device
        numbers = [self._whole, self._parts, *(p.columns for p in self.pairs)]
        return (*(t.to(device, like.dtype) for t in numbers), self._permutation.to(device), self._inverse.to(device))

    def _squares(self, flat: Tensor, constants: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Squared norms of the tables ``[pairs]``, and of their coordinates along each column ``[columns]``."""
        *columns, permutation, inverse = constants[2:]
        tables = _Permute.apply(flat, permutation, inverse).split([math.prod(shape) for shape in self.shapes])
        norms, coordinates = [], []
        for table, shape, q in zip(tables, self.shapes, columns):
            norms.append(table @ table)
            if q.shape[1]:
                coordinates.append((table.view(shape) @ q).square().sum(0))
        return torch.stack(norms), torch.cat(coordinates) if coordinates else flat.new_zeros(0)
