"""What the layers of geometric-algebra attention share that give vectors: the covariants of a tuple's products, and labels."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.actions.ragged import PerDatum
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.nn.clifford_base import GeometricAttention, Net, default_scalar_net
from erlangen.nn.clifford_products import MODES, Mode, Parity, VectorProducts, lengths


class TurningAttention(GeometricAttention):
    """What layers share that give vectors or multivectors; see :class:`~erlangen.nn.Vector2VectorAttention`."""

    gives_values, gives_vectors = False, True

    def __init__(
        self,
        n_dim: int,
        score_net: Net | None = None,
        value_net: Net | None = None,
        scale_net: Net | None = None,
        reduce: bool = True,
        merge_fun: str = "mean",
        join_fun: str = "mean",
        rank: int = 2,
        invariant_mode: Mode = "single",
        covariant_mode: Mode = "partial",
        include_normalized_products: bool = False,
        linear_mode: Mode = "partial",
        linear_terms: int = 0,
        convex_covariants: bool = False,
        *,
        dim: int = 3,
        parity: Parity = "so3",
        chunk: int | None = None,
    ) -> None:
        super().__init__(
            n_dim, score_net, value_net, reduce, merge_fun, join_fun, rank, invariant_mode,
            include_normalized_products, linear_mode, linear_terms, dim=dim, parity=parity, chunk=chunk,
        )  # fmt: skip
        if covariant_mode not in MODES:
            raise ArgumentError("covariant_mode", " or ".join(map(repr, MODES)), repr(covariant_mode))
        self.covariant_mode, self.convex_covariants = covariant_mode, convex_covariants
        self.scale_net = scale_net or default_scalar_net(n_dim)
        count = sum(self.products.moves(length) for length in lengths(rank, covariant_mode))
        if not count:
            expected = "'partial' or 'full': the product of an even number of vectors alone gives none that turns along"
            raise ArgumentError("covariant_mode", expected, f"{covariant_mode!r} at rank {rank}, parity {parity!r}, dim {dim}")
        self.covariant_count = count * (2 if include_normalized_products else 1) + self.linear_terms
        if self.covariant_count > 1:
            self.vector_kernels = nn.Parameter(0.05 * torch.randn(self.covariant_count))
        symmetric = merge_fun == "mean" and covariant_mode == invariant_mode == "single" and not self.linear_terms
        if reduce and rank == 2 and symmetric and self.algebra is VectorProducts:
            text = "r_i x r_j changes its sign when i and j are swapped, so that the sum over all pairs is always zero"
            warnings.warn(f"{text}: take covariant_mode='partial', merge_fun='concat' or reduce=False", UserWarning, stacklevel=2)

    def _other_modes(self) -> set[Mode]:
        return {*super()._other_modes(), self.covariant_mode}

    def _turning(self, terms: dict[Mode, list[Any]], linear: list[Any]) -> list[Any]:
        return self._completed([term for term in terms[self.covariant_mode] if self.products.moves(term.length)], linear)

    def _values(self, m: Tensor, covariants: list[Tensor], weights: Tensor | None) -> Tensor:
        if self.covariant_count == 1:
            vector = covariants[0]
        else:
            alpha: Tensor = self.vector_kernels
            if self.convex_covariants:
                alpha = torch.cat([alpha, alpha.new_zeros(1)]).softmax(0)
            vector = sum((a * c for a, c in zip(alpha[1:], covariants[1:])), start=alpha[0] * covariants[0])
        vector = vector * self.scale_net(m)
        values = torch.cat([vector, m.to(vector.dtype)], -1) if self.gives_values else vector
        return values if weights is None else values * weights.to(values.dtype)


class LabelledAttention(TurningAttention):
    """What layers share that give a vector for each label; see :class:`~erlangen.nn.LabeledVectorAttention`."""

    joined = 3

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        (moved,) = self.inp.parts
        self.inp = Record(((PerDatum(self.group), moved),))

    def forward(self, inputs: Any, mask: Tensor | None = None, return_attention: bool = False) -> Any:
        """One vector for each label (``reduce``), or one for each label and point.

        Args:
            inputs: ``(labels, (r, v))`` or ``(labels, (r, v, w))``, labels ``[*batch, L, n_dim]``.
            mask, return_attention: as in the other layers; weights have an axis of labels before those of points.

        Raises:
            ArgumentError: as in the other layers.
        """
        if not isinstance(inputs, (tuple, list)) or len(inputs) != 2 or not isinstance(inputs[1], (tuple, list)):
            raise ArgumentError("inputs", "(labels, (r, v)) or (labels, (r, v, w))", type(inputs).__name__)
        labels, points = inputs
        r, v, w = self._checked(points, mask, return_attention)
        if labels.ndim != r.ndim or labels.shape[:-2] != r.shape[:-2] or labels.shape[-1] != self.n_dim:
            raise ArgumentError("labels", f"values {[*r.shape[:-2], 'L', self.n_dim]}", f"shape {tuple(labels.shape)}")
        return self._attend(r, v, w, labels, mask, return_attention)

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Any:
        """Random clouds of four points, and two labels."""
        ((r, v),) = super().example(*batch, generator=generator, dtype=dtype)
        return ((torch.randn(*batch, 2, self.n_dim, generator=generator, dtype=dtype), (r, v)),)
