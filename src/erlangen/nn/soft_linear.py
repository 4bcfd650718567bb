"""Linear layers between tensors that several groups move: free weights for a soft penalty, and weights bound to groups' subspaces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.maps.subspaces import dimension, entries, equivariant_basis, project
from erlangen.reps import Rep
from erlangen.reps.layout import SCALAR, Layout

Init = Literal["orthogonal", "rpp", "half"]
#: The size of what is not equivariant at the start of a residual pathway.
SMALL = 1e-3


class SoftLinear(nn.Linear):
    """A linear layer with free weights that says between which tensors it maps, so that :class:`SoftEquivariance` needs no more.

    Args:
        source, target: what goes in and comes out.
        init: ``"orthogonal"``; ``"rpp"``, the projection onto the equivariant weights of ``vector``, scaled to the same norm, and a
            thousandth of the free ones; ``"half"``, half of each.
        vector: how the group for ``init`` moves the space.
        bias: whether there is one.

    >>> from erlangen.discover.soft import Layout
    >>> layer = SoftLinear(Layout.of(2, 3), Layout.of(1, 3))
    >>> layer(torch.randn(8, 6)).shape, layer.layouts
    (torch.Size([8, 3]), (2·V of R^3, V of R^3))
    """

    def __init__(
        self, source: Layout, target: Layout, init: Init = "orthogonal", vector: Rep | None = None, bias: bool = True
    ) -> None:
        self.layouts = (source, target)
        super().__init__(source.dim, target.dim, bias=bias)
        if init not in ("orthogonal", "rpp", "half"):
            raise ArgumentError("init", "'orthogonal', 'rpp' or 'half'", repr(init))
        if init != "orthogonal":
            if vector is None:
                raise ArgumentError("groups", f"a group for init={init!r}", "none")
            kept, part = (1.0, SMALL) if init == "rpp" else (0.5, 0.5)
            with torch.no_grad():
                for p, inp in ((self.weight, source), (self.bias, Layout(source.d, [(SCALAR, 1)]))):
                    if p is not None:
                        matrix = p.view(target.dim, -1)
                        bound = project(matrix, vector, target, inp)
                        # As large as the free weights were: the equivariant part alone would let signals die out.
                        bound = bound * (matrix.norm() / bound.norm().clamp_min(1e-12))
                        matrix.copy_(kept * bound + part * matrix)

    def reset_parameters(self) -> None:
        nn.init.orthogonal_(self.weight)
        if self.bias is not None:
            nn.init.uniform_(self.bias, 0, 1 / math.sqrt(self.out_features))


class EquivariantWeight(nn.Module):
    """A matrix in a group's equivariant subspace, by its coefficients in an orthonormal basis; one product for each pair of types.

    Args:
        vector: how the group moves the space.
        source, target: what columns and rows are.
        scale: of the initial weights.

    >>> from erlangen.groups import SO
    >>> from erlangen.discover.soft import Layout
    >>> EquivariantWeight(SO(3).vector, Layout.of(2, 3), Layout.of(1, 3))().shape
    torch.Size([3, 6])
    """

    place: Tensor

    def __init__(self, vector: Rep, source: Layout, target: Layout, scale: float = 1.0) -> None:
        super().__init__()
        self.shape = (target.dim, source.dim)
        index, bases, self._blocks = [], [], []
        for out, above in target.places.items():
            for inp, left in source.places.items():
                index.append(entries(above, left, source.dim))
                bases.append(equivariant_basis(vector, out, inp).flatten(1))
                self._blocks.append((len(index[-1]), len(bases[-1])))
        self.register_buffer("place", torch.argsort(torch.cat([i.flatten() for i in index])), persistent=False)
        for i, q in enumerate(bases):
            self.register_buffer(f"_basis{i}", q.to(torch.get_default_dtype()), persistent=False)
        # The squares of the entries add up to what an orthogonal matrix's would.
        size, free = min(self.shape), dimension(vector, target, source)
        self.coefficients = nn.Parameter(scale * math.sqrt(size / max(1, free)) * torch.randn(free))

    def forward(self) -> Float[Tensor, "out inp"]:
        tables, start = [], 0
        for i, (rows, free) in enumerate(self._blocks):
            part = self.coefficients[start : start + rows * free].view(rows, free)
            tables.append((part @ getattr(self, f"_basis{i}")).flatten())
            start += rows * free
        return torch.cat(tables)[self.place].view(self.shape)


class BoundLinear(nn.Module):
    """A linear layer whose weight is a sum of a part bound to each of some groups and, for residual pathways, a free one.

    Args:
        vectors: the groups; the first with full initial weights, the others with small ones.
        source, target: what goes in and comes out.
        free: whether there is a free part too, small at the start.

    Attributes:
        basic: the parameters of everything but the first group's part.
    """

    def __init__(self, vectors: Sequence[Rep], source: Layout, target: Layout, free: bool) -> None:
        super().__init__()
        self.layouts = (source, target)
        constant = Layout(source.d, [(SCALAR, 1)])
        self.weights = nn.ModuleList(EquivariantWeight(v, source, target, SMALL if i else 1.0) for i, v in enumerate(vectors))
        self.biases = nn.ModuleList(EquivariantWeight(v, constant, target, SMALL) for v in vectors)
        self.free = SoftLinear(source, target) if free else None
        if self.free is not None:
            with torch.no_grad():
                for p in self.free.parameters():
                    p.mul_(SMALL)

    @property
    def basic(self) -> list[nn.Parameter]:
        rest = [p for parts in (self.weights, self.biases) for m in parts[1:] for p in m.parameters()]  # type: ignore[index]
        return rest + ([] if self.free is None else list(self.free.parameters()))

    def forward(self, x: Float[Tensor, "*batch inp"]) -> Float[Tensor, "*batch out"]:
        weight = sum(m() for m in self.weights)
        bias = sum(m() for m in self.biases).squeeze(-1)
        if self.free is not None:
            weight, bias = weight + self.free.weight, bias + self.free.bias
        return nn.functional.linear(x, weight, bias)
