"""Family A': the hard function of aggregated Gaussian features, summed over the nodes of a fixed graph."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.measure.hardness import alternating as phi
from erlangen.measure.hardness.base import Family, check_count


class GraphCosReLU(Family):
    """``F_W(X) = sum over nodes v of phi_k(W (Ahat X)_v) / c`` with ``Ahat = D^(-1/2) (A + I) D^(-1/2)``, Gaussian features ``X``.

    A network of one graph convolution with ``2 k`` hidden units and sum pooling on a graph that all inputs share. ``c`` makes the norm
    exactly 1. Rows of ``Ahat X`` are Gaussian with covariances ``Ahat Ahat^T``, so the arc-cosine kernel gives exact inner products here
    too: ``sum over u, v of s_u s_v K(rho_uv W W'^T)``, with the rows' deviations ``s`` and correlations ``rho``.

    The source (Kiani et al. 2024, arXiv:2401.01869) has such a family; whether its normalisation is this one is not verified.

    Args:
        adjacency: ``[n, n]``, symmetric, with entries 0 and 1 and no self-loops (they are added).
        features: numbers at each node, at least 2.
        k: frequency, 1 or even.

    Raises:
        ArgumentError: the matrix is no adjacency matrix, fewer than 2 features, or ``k`` is odd and above 1.

    >>> ring = torch.eye(6).roll(1, 0) + torch.eye(6).roll(-1, 0)
    >>> family = GraphCosReLU(ring, 10, 4)
    >>> round(float(family.gram([family.sample_target()]).values[0, 0]), 12)
    1.0
    """

    def __init__(self, adjacency: Float[Tensor, "n n"], features: int, k: int) -> None:
        a = torch.as_tensor(adjacency, dtype=torch.float64)
        square = a.ndim == 2 and a.shape[0] == a.shape[1]
        if not (square and torch.equal(a, a.mT) and bool(((a == 0) | (a == 1)).all()) and not bool(a.diagonal().any())):
            raise ArgumentError(
                "adjacency", "a symmetric [n, n] matrix of zeros and ones, diagonal zero", f"shape {tuple(a.shape)}"
            )
        check_count("features", features, 2)
        phi.check_frequency(k)
        self.adjacency, self.features, self.k, self.n = a, features, k, len(a)
        looped = a + torch.eye(self.n, dtype=torch.float64)
        size = looped.sum(1).rsqrt()
        self.smooth = size[:, None] * looped * size
        covariance = self.smooth @ self.smooth.mT
        deviation = covariance.diagonal().sqrt()
        self._weights = deviation[:, None] * deviation
        self._correlations = covariance / self._weights
        same = phi.inner_product(self._correlations[..., None, None] * torch.eye(2, dtype=torch.float64), k)
        self._squared_norm = float((self._weights * same).sum())
        self.block = max(1, 2**20 // (self.n * self.n * k * k))

    def __repr__(self) -> str:
        return f"GraphCosReLU({self.n} nodes, {int(self.adjacency.sum()) // 2} edges, features={self.features}, k={self.k})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, GraphCosReLU)
            and (other.features, other.k) == (self.features, self.k)
            and torch.equal(other.adjacency, self.adjacency)
        )

    def __hash__(self) -> int:
        return hash((self.features, self.k, self.n))

    def norm(self) -> float:
        """``c``, the norm of the sum over the nodes."""
        return math.sqrt(self._squared_norm)

    def relabelled(self, g: Int[Tensor, " n"]) -> GraphCosReLU:
        """The family on the same graph with node ``v`` renamed to ``g[v]``.

        Members with one label agree when features move along: that is the permutation symmetry of a graph network, which a fixed graph
        hides.
        """
        moved = torch.empty_like(self.adjacency)
        moved[g[:, None], g] = self.adjacency
        return GraphCosReLU(moved, self.features, self.k)

    def sample_labels(self, count: int, generator: torch.Generator | None = None) -> Float[Tensor, "count 2 features"]:
        """Uniform planes of features, as orthonormal rows."""
        return phi.random_planes(count, self.features, generator)

    def evaluate(self, label: Tensor, x: Float[Tensor, "B n features"]) -> Float[Tensor, " B"]:
        if x.ndim != 3 or tuple(x.shape[1:]) != (self.n, self.features):
            raise ArgumentError("x", f"features [B, {self.n}, {self.features}]", f"shape {tuple(x.shape)}")
        return phi.alternating(self.smooth.to(x) @ x @ label.mT.to(x), self.k).sum(1) / self.norm()

    def sample_inputs(
        self, batch: int, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "B n features"]:
        """Standard Gaussian features."""
        return torch.randn(batch, self.n, self.features, generator=generator, dtype=dtype)

    def products(self, left: Tensor, right: Tensor) -> Float[Tensor, "*batch"]:
        between = (left @ right.mT)[..., None, None, :, :] * self._correlations[..., None, None]
        return (self._weights * phi.inner_product(between, self.k)).sum((-2, -1)) / self._squared_norm
