"""`Energy`: the squared distances of a model's weights from every group's equivariant subspace, one matrix product for a pair of types."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.discover.soft.weights import Weight
from erlangen.maps.subspaces import PairBasis, entries, pair_basis
from erlangen.reps import Rep
from erlangen.reps.layout import TensorType


class Measured(NamedTuple):
    """Of each group: half the squared distance, ``1 - cos`` of weights and projection, and the degree from 0 to 1."""

    residuals: list[float]
    cosines: list[float]
    degrees: list[float]


class Constants(NamedTuple):
    """What residuals are computed with, in the weights' dtype and on their device.

    ``R = 1/2 (whole @ squared norms of the tables + parts @ squared coordinates along the columns)``; ``permutation`` sorts the entries of
    all weights into tables.
    """

    whole: Tensor
    parts: Tensor
    columns: tuple[Tensor, ...]
    permutation: Tensor
    inverse: Tensor


class Degenerate(UserWarning):
    """A group that allows every weight, or none."""


class _Residuals(torch.autograd.Function):
    """``R_k`` from all weights in one vector, with the gradient ``W - P_k W`` written out: two products for a pair of types in all."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor, energy: Energy, constants: Constants) -> Tensor:
        tables = energy.tables(flat, constants)
        products = [t @ q for t, q in zip(tables, constants.columns)]
        ctx.energy, ctx.constants = energy, constants
        ctx.save_for_backward(flat, *tables, *products)
        return energy.combine(tables, products, constants)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        energy, constants = ctx.energy, ctx.constants
        flat, *kept = ctx.saved_tensors
        tables, products = kept[: len(energy.pairs)], kept[len(energy.pairs) :]
        if torch.is_grad_enabled():  # a gradient of this gradient is wanted: of the weights, not of what was kept
            tables = energy.tables(flat, constants)
            products = [t @ q for t, q in zip(tables, constants.columns)]
        whole, parts = gradients[0] @ constants.whole, gradients[0] @ constants.parts
        moved = []
        start = 0
        for i, (table, product, q) in enumerate(zip(tables, products, constants.columns)):
            stop = start + q.shape[1]
            along = (product * parts[start:stop]) @ q.mT
            moved.append(torch.addcmul(along, table, whole[i]).flatten())
            start = stop
        return torch.cat(moved)[constants.inverse], None, None


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
        self._constants = self._constants_for(self._flat())

    def __call__(self) -> Float[Tensor, " K"]:
        """``R_k`` of each group, differentiable in the weights."""
        flat = self._flat()
        if self._constants.whole.dtype != flat.dtype or self._constants.whole.device != flat.device:
            self._constants = self._constants_for(flat)
        return _Residuals.apply(flat, self, self._constants)

    def tables(self, flat: Tensor, constants: Constants) -> list[Tensor]:
        """The blocks of each pair of types as rows, ``[blocks, size]``."""
        pieces = flat[constants.permutation].split([math.prod(shape) for shape in self.shapes])
        return [piece.view(shape) for piece, shape in zip(pieces, self.shapes)]

    def combine(self, tables: Sequence[Tensor], products: Sequence[Tensor], constants: Constants) -> Tensor:
        """``R_k`` from tables and their coordinates."""
        norms = torch.stack([torch.dot(t.flatten(), t.flatten()) for t in tables])
        coordinates = torch.cat([y.square().sum(0) for y in products])
        return 0.5 * (constants.whole @ norms + constants.parts @ coordinates)

    def measure(self) -> Measured:
        """The numbers for people, in float64 on the CPU."""
        with torch.no_grad():
            flat = self._flat().detach().to("cpu", torch.float64)
            constants = self._constants_for(flat)
            tables = self.tables(flat, constants)
            residual = self.combine(tables, [t @ q for t, q in zip(tables, constants.columns)], constants).clamp_min(0)
            norms = torch.stack([t.square().sum() for t in tables])
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

    def _constants_for(self, like: Tensor) -> Constants:
        """The constants for weights like these; the float64 ones are kept."""
        device = like.device
        whole, parts, *columns = (t.to(device, like.dtype) for t in (self._whole, self._parts, *(p.columns for p in self.pairs)))
        return Constants(whole, parts, tuple(columns), self._permutation.to(device), self._inverse.to(device))
