"""The representations that almost every group has: trivial, defining, determinant, permutation, and any function to matrices."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Element, Group
from erlangen.groups.permutation import is_even
from erlangen.reps.base import Rep


class Trivial(Rep):
    """The one-dimensional representation that moves nothing.

    As an action it takes data of any shape, for every number in them is invariant.

    >>> from erlangen.groups import SO
    >>> SO(3).scalar
    0e of SO(3)
    >>> SO(3).scalar.act(SO(3).sample(8), torch.ones(8)).shape
    torch.Size([8])
    """

    dim, is_orthogonal = 1, True
    data_shape = ()  # type: ignore[assignment]
    is_defining = False  # of any data, not of vectors, also where the group's only element is the number 1

    @property
    def symbol(self) -> str:  # type: ignore[override]
        return self.group.scalar_symbol

    def act(self, g: Element, x: Tensor) -> Tensor:
        g, x = self.align(g, x)
        return x.expand(torch.broadcast_shapes(self.group.batch_shape(g), x.shape))

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        return torch.randn(*batch, 1, generator=generator, dtype=dtype)

    def equality_key(self) -> Hashable:
        return ()

    def matrix(self, g: Element) -> Tensor:
        batch = self.group.batch_shape(g)
        return torch.ones(*batch, 1, 1, dtype=_float_dtype(g), device=_device(g))

    def apply(self, g: Element, x: Tensor) -> Tensor:
        batch = torch.broadcast_shapes(self.group.batch_shape(g), x.shape[:-2])
        return x.expand(*batch, *x.shape[-2:])

    def algebra(self, a: Element) -> Tensor:
        return torch.zeros_like(self.matrix(a))


class Defining(Rep):
    """A matrix group on the vectors that its matrices multiply.

    >>> from erlangen.groups import SO
    >>> Defining(SO(3)).dim
    3
    """

    is_defining = True

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self.dim, self.is_orthogonal = group.element_shape[0], is_orthogonal(group)

    def equality_key(self) -> Hashable:
        return ()

    def matrix(self, g: Tensor) -> Tensor:
        return g

    def algebra(self, a: Tensor) -> Tensor:
        return a


class Determinant(Rep):
    """The determinant of a matrix group: pseudoscalars.

    >>> from erlangen.groups import O
    >>> float(Determinant(O(3)).act(-torch.eye(3), torch.ones(1)))
    -1.0
    """

    dim, symbol = 1, "det"

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        gens, algebra = group.generators, group.algebra
        self.is_orthogonal = bool(
            (gens is None or (torch.linalg.det(gens.double()).abs() - 1).abs().max() < 1e-9)
            and (algebra is None or algebra.basis.diagonal(dim1=-2, dim2=-1).sum(-1).abs().max() < 1e-9)
        )

    def equality_key(self) -> Hashable:
        return ()

    def matrix(self, g: Tensor) -> Tensor:
        # Of whole numbers the determinant is whole, and then it is so exactly.
        det = torch.linalg.det(g) if g.is_floating_point() else torch.linalg.det(g.to(torch.float64)).round()
        return det[..., None, None]

    def algebra(self, a: Tensor) -> Tensor:
        return a.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]


class Permutation(Rep):
    """A permutation group on ``R^n`` by permuting coordinates: ``(g x)[g(i)] = x[i]``.

    >>> from erlangen.groups import Symmetric
    >>> V = Symmetric(3).vector
    >>> V.act(torch.tensor([1, 2, 0]), torch.tensor([10.0, 20.0, 30.0]))
    tensor([30., 10., 20.])
    """

    symbol, is_orthogonal = "R^n", True

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self.dim = group.element_shape[0]
        self.symbol = f"R^{self.dim}"

    def equality_key(self) -> Hashable:
        return ()

    def matrix(self, g: Tensor) -> Tensor:
        self.group.batch_shape(g)
        return torch.nn.functional.one_hot(g, self.dim).mT.to(torch.float64)

    def apply(self, g: Tensor, x: Tensor) -> Tensor:
        x, index = torch.broadcast_tensors(x, self.group.inverse(g).unsqueeze(-2))
        try:
            return x.gather(-1, index)
        except RuntimeError:  # a map that is no permutation leaves holes
            self.group.check(g)
            raise


class Sign(Rep):
    """The sign of a permutation.

    >>> from erlangen.groups import Symmetric
    >>> Sign(Symmetric(3))(torch.tensor([1, 0, 2]))
    tensor([[-1.]], dtype=torch.float64)
    """

    dim, symbol, is_orthogonal = 1, "sgn", True

    def equality_key(self) -> Hashable:
        return ()

    def matrix(self, g: Tensor) -> Tensor:
        return torch.where(is_even(g), 1.0, -1.0).to(torch.float64)[..., None, None]


class MatrixRep(Rep):
    """The representation given by any homomorphism to matrices.

    Args:
        group: the group.
        function: takes elements ``[*batch, *element_shape]`` to matrices ``[*batch, dim, dim]``; equality of two such
            representations is that of their functions.
        dim: size of the matrices.
        symbol: what stands for it in formulas.
        orthogonal: whether all matrices are orthogonal.

    >>> from erlangen.groups import SO
    >>> twice = MatrixRep(SO(2), lambda g: g @ g, 2, "twice")
    >>> twice.dim
    2
    """

    def __init__(
        self, group: Group, function: Callable[[Element], Tensor], dim: int, symbol: str = "V", orthogonal: bool = False
    ) -> None:
        if dim < 1:
            raise ArgumentError("dim", "a positive size", repr(dim))
        super().__init__(group)
        self.function, self.dim, self.symbol, self.is_orthogonal = function, dim, symbol, orthogonal

    def equality_key(self) -> Hashable:
        return (self.function, self.dim)

    def matrix(self, g: Element) -> Tensor:
        return self.function(g)


def is_orthogonal(group: Group) -> bool:
    """Whether generators are orthogonal matrices and the algebra is skew."""
    gens, algebra = group.generators, group.algebra
    eye = torch.eye(group.element_shape[0], dtype=torch.float64)
    return bool(
        (gens is None or (gens.double() @ gens.double().mT - eye).abs().max() < 1e-9)
        and (algebra is None or (algebra.basis + algebra.basis.mT).abs().max() < 1e-9)
    )


def _first(g: Element) -> Tensor:
    while isinstance(g, tuple):
        g = g[0]
    return g


def _float_dtype(g: Element) -> torch.dtype:
    dtype = _first(g).dtype
    return dtype if dtype.is_floating_point else torch.float64


def _device(g: Element) -> torch.device:
    return _first(g).device
