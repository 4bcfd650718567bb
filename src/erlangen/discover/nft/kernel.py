"""`KernelNFT`: the constructive side. A kernel that the group leaves alone gives linear features, by eigenvectors alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.discover.nft.solves import solve_transition
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.linalg import cut
from erlangen.reps.block_diagonalize import BlockDecomposition, block_diagonalize

Kernel = Callable[[Tensor, Tensor], Tensor]


def gaussian(width: float) -> Kernel:
    """``exp(-|x - y|^2 / (2 width^2))`` on flattened data.

    >>> gaussian(1.0)(torch.zeros(1, 2), torch.zeros(3, 2)).shape
    torch.Size([1, 3])
    """
    return lambda x, y: torch.exp(-(torch.cdist(x.flatten(1), y.flatten(1)).square()) / (2 * width**2))


class KernelNFT:
    """Features ``h(x)`` with ``h(g x) = h(x) M(g)``, from a kernel averaged over a group that is known to act.

    A linear equivariant feature with inner products that motions keep exists if and only if there is a kernel with
    ``k(g x, g y) = k(x, y)``: take ``k = <h, h>``, or the kernel's own feature space. Here the kernel is averaged over a finite group (or a
    sample of an infinite one), its matrix on the orbits of some data diagonalised, and ``M(g)`` found by regression. For finite groups,
    whose orbits are complete, the features are equivariant to rounding; kept are the eigenspaces of largest energy.

    Args:
        action: how the group acts on data; any action.
        kernel: ``kernel(x, y) -> [N, M]``, positive definite.
        size: the number of features; cut back so that no eigenspace is split. By default all that stand out from rounding.
        elements: those of an infinite group to average over.

    Raises:
        ArgumentError: an infinite group without elements.

    Source: Koyama, Fukumizu, Hayashi & Miyato 2024, arXiv:2305.18484, section 4; B. Haasdonk and H. Burkhardt, Machine Learning 68 (2007).

    >>> from erlangen.groups import Cyclic, Symmetric
    >>> nft = KernelNFT(Symmetric(3).vector, gaussian(1.0)).fit(torch.randn(4, 3, dtype=torch.float64))
    >>> g = Symmetric(3).elements()[1:3]
    >>> x = torch.randn(2, 3, dtype=torch.float64)
    >>> bool(torch.allclose(nft.encode(nft.action.act(g, x)), (nft.encode(x)[:, None] @ nft.matrices(g))[:, 0]))
    True
    """

    points: Tensor
    orbits: Tensor
    weights: Tensor
    size: int

    def __init__(self, action: Action, kernel: Kernel, size: int | None = None, elements: Element | None = None) -> None:
        if elements is None and not action.group.is_finite:
            raise ArgumentError(
                "elements", f"some elements of {action.group}, which is infinite", "none", "draw them: group.sample(64)"
            )
        self.action, self.kernel, self.wanted = action, kernel, size
        self.elements = action.group.elements() if elements is None else elements

    def fit(self, x: Any) -> KernelNFT:
        """Diagonalise the averaged kernel on the orbits of data ``[N, *item]``."""
        self.points = _tensor(x)
        self.orbits = self._orbits(self.points)
        gram = self._average(self.orbits, self.orbits)
        values, vectors = torch.linalg.eigh((gram + gram.mT) / 2)
        values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
        rank = cut(values, shape=tuple(gram.shape), eps=2.2e-16, rtol=1e-9).rank  # type: ignore[arg-type]
        if self.wanted is not None and self.wanted < rank:
            # Equal eigenvalues belong to one eigenspace, which motions mix.
            steps = values[:rank] / torch.cat([values[1:rank], values.new_zeros(1)]).clamp_min(1e-300)
            whole = (steps[: self.wanted] > 1 + 1e-6).nonzero().flatten()
            if not len(whole):
                raise ArgumentError("size", "at least the multiplicity of the largest eigenvalue", self.wanted)
            rank = int(whole[-1]) + 1
        self.size = rank
        self.weights = vectors[:, :rank] / values[:rank].sqrt()
        return self

    def encode(self, x: Any) -> Any:
        """Features ``[N, size]`` of data; NumPy in, NumPy out."""
        features = self._average(_tensor(x), self.orbits) @ self.weights
        return features.numpy() if isinstance(x, np.ndarray) else features

    transform = encode

    def matrices(self, g: Element) -> Float[Tensor, "g size size"]:
        """``M(g)`` of a batch of elements, by regression over the orbits."""
        count = self.action.group.batch_shape(g)[0]
        here = self._average(self.orbits, self.orbits) @ self.weights
        found = []
        for i in range(count):
            moved = self.action.act(self.action.group.take(g, slice(i, i + 1)), self.orbits)
            there = self._average(moved.to(self.orbits), self.orbits) @ self.weights
            found.append(solve_transition(torch.stack([here, there])))
        return torch.stack(found)

    def block_diagonalize(self, g: Element | None = None) -> BlockDecomposition:
        """The irreducible blocks of the features, from the motions ``g`` (by default those that were averaged over)."""
        return block_diagonalize(self.matrices(self.elements if g is None else g))

    def _orbits(self, x: Tensor) -> Tensor:
        """All images ``[N |G|, *item]``."""
        group = self.action.group
        spread = group.map(lambda leaf, shape: leaf.unsqueeze(1), self.elements)
        return self.action.act(spread, x.unsqueeze(0)).to(x).flatten(0, 1)

    def _average(self, x: Tensor, y: Tensor) -> Tensor:
        """The kernel averaged over simultaneous motions of both of its arguments."""
        group = self.action.group
        count = group.batch_shape(self.elements)[0]
        total = torch.zeros(len(x), len(y), dtype=x.dtype)
        for i in range(count):
            g = group.take(self.elements, slice(i, i + 1))
            total += self.kernel(self.action.act(g, x).to(x), self.action.act(g, y).to(y))
        return total / count


def _tensor(x: Any) -> Tensor:
    data = torch.as_tensor(x).detach().to("cpu", torch.float64)
    if data.ndim < 2 or not bool(torch.isfinite(data).all()):
        raise ArgumentError("x", "finite data [N, *item]", f"shape {tuple(data.shape)}")
    return data
