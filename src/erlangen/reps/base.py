"""`Rep`: how a group acts linearly on the last axis of a tensor.

Read this file first. A new representation is a subclass with one method, :meth:`Rep.matrix`; a second, :meth:`Rep.apply`, makes it
fast. Representations are immutable values that compose: ``V + W`` (direct sum), ``V @ W`` (tensor product), ``3 * V``, ``V ** k``,
``V.dual``, ``V >> W`` (linear maps from V to W), ``V.restrict(H)``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable
from functools import cached_property
from typing import Any

import optree
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError, unsupported
from erlangen.groups.base import Element, Group
from erlangen.groups.membership import may_look


class Rep(Action):
    """A linear representation of ``group`` on ``R^dim``.

    A subclass sets ``group``, ``dim``, ``name`` and implements :meth:`matrix` and :meth:`equality_key`.

    >>> from erlangen.groups import SO
    >>> V = SO(3).vector
    >>> g = SO(3).sample(8)
    >>> V(g).shape, V.act(g, torch.randn(8, 5, 3)).shape      # 8 rotations of 8 clouds of 5 points
    (torch.Size([8, 3, 3]), torch.Size([8, 5, 3]))
    >>> V @ V + 2 * SO(3).scalar
    V⊗V + 2·0e of SO(3)
    """

    dim: int
    #: What stands for it in formulas and is read by ``group.rep``: ``V``, ``1``, ``V⊗V``.
    symbol: str = "V"
    #: Whether every matrix is orthogonal, so that the dual is the representation itself.
    is_orthogonal: bool = False
    moves_batches = True

    @abstractmethod
    def equality_key(self) -> Hashable:
        """What identifies this representation among those of its class and group."""

    @abstractmethod
    def matrix(self, g: Element) -> Float[Tensor, "*batch dim dim"]:
        """The matrices of group elements: in their dtype, or in float64 where elements are integers."""

    def apply(self, g: Element, x: Float[Tensor, "*batch s dim"]) -> Float[Tensor, "*batch s dim"]:
        """Move ``s`` vectors by each element; batch axes are already matched. Override where no matrix is needed."""
        return multiply(in_type_of(x, self.matrix(g)), x)

    def algebra(self, a: Element) -> Float[Tensor, "*batch dim dim"]:
        """The derivative at the identity in the direction of algebra elements ``a`` (for a matrix group, matrices ``[*batch, n, n]``).

        Here by forward differentiation of :meth:`matrix`, which must then be written as a polynomial or rational function of the
        element's entries.
        """
        if not self.group.dim:
            unsupported(self.group, "Lie algebra", "use its discrete generators")
        here = optree.tree_map(torch.clone, self.group.identity_like(a))  # forward mode takes no expanded tensors
        return torch.func.jvp(self.matrix, (here,), (a,))[1]

    # ---- written once ----

    @cached_property
    def is_defining(self) -> bool:
        """Whether the group's elements are matrices, and the representation multiplies by them, whichever class wrote it.

        Seen on random elements; the identity alone would not tell.

        >>> from erlangen.groups import SO
        >>> from erlangen.reps import MatrixRep
        >>> [rep.is_defining for rep in (SO(3).vector, MatrixRep(SO(3), lambda g: g, 3), SO(3).scalar, SO(3).vector**2)]
        [True, True, False, False]
        """
        if self.group.element_shape != (self.dim, self.dim):
            return False
        g = self.group.sample(8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        matrices = self.matrix(g)
        return matrices.shape == g.shape and torch.allclose(matrices.to(g), g, rtol=1e-12, atol=1e-12 * float(g.abs().max()))

    @property
    def data_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.dim,)

    def __call__(self, g: Element) -> Float[Tensor, "*batch dim dim"]:
        return self.matrix(g)

    def act(self, g: Element, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Move ``x`` by ``g``, matrix-free where the representation allows it.

        ``g`` has batch axes ``[*b]``, ``x`` is ``[*b, *spectators, dim]``; see :mod:`erlangen.actions.base` for the rule.
        """
        self.check(x)
        batch = self.group.batch_shape(g)
        lead = x.ndim - 1
        if lead < len(batch):
            x = x.reshape((1,) * (len(batch) - lead) + tuple(x.shape))
        shape = x.shape
        for size, axis in zip(batch, shape):
            if size != axis and 1 not in (size, axis):
                raise ArgumentError(
                    "g", f"a batch of elements that fits the leading axes {tuple(shape[:-1])} of the data", f"batch {batch}"
                )
        # Between the element's batch and the last axis lie the spectators, here flattened into one axis.
        moved = self.apply(g, x.unsqueeze(len(batch)).flatten(len(batch), -2))
        return moved.reshape(*moved.shape[:-2], *shape[len(batch) : -1], self.dim)

    def character(self, g: Element) -> Float[Tensor, "*batch"]:
        """The trace of the matrices."""
        return self.matrix(g).diagonal(dim1=-2, dim2=-1).sum(-1)

    def restrict(self, subgroup: Group, embed: Any = None) -> Rep:
        """The same action of a subgroup; ``embed`` turns its elements into elements of this group (default: they already are)."""
        from erlangen.reps.pullback import Pullback

        return Pullback(self, subgroup, embed)

    @property
    def dual(self) -> Rep:
        """The action on linear forms, ``rho(g^-1)^T``."""
        if self.is_orthogonal:
            return self
        from erlangen.reps.combine import Dual

        return Dual(self)

    def __add__(self, other: Rep) -> Rep:
        from erlangen.reps.combine import direct_sum

        return direct_sum(self, other)

    def __matmul__(self, other: Rep) -> Rep:
        from erlangen.reps.combine import tensor_product

        return tensor_product(self, other)

    def __mul__(self, count: int) -> Rep:
        from erlangen.reps.combine import multiple

        return multiple(self, count)

    __rmul__ = __mul__

    def __pow__(self, k: int) -> Rep:
        from erlangen.reps.combine import tensor_product

        if not isinstance(k, int) or k < 0:
            raise ArgumentError("k", "a non-negative integer power", repr(k))
        return tensor_product(*[self] * k) if k else self.group.scalar

    def __rshift__(self, target: Rep) -> Rep:
        """``V >> W``: linear maps from V to W, as ``W @ V.dual`` (a matrix ``[dim W, dim V]``, flattened)."""
        return target @ self.dual

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.group == other.group and self.equality_key() == other.equality_key()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.group, self.equality_key()))

    def __repr__(self) -> str:
        return f"{self.symbol} of {self.group}"


def in_type_of(x: Tensor, matrices: Float[Tensor, "*batch d d"]) -> Tensor:
    """Matrices in the type of the data that they multiply.

    Raises:
        ArgumentError: the data are whole numbers and the matrices are not.
    """
    made = matrices.to(x.dtype)
    exact = x.is_floating_point() or x.is_complex() or not matrices.is_floating_point()
    if not exact and (not may_look(matrices) or not torch.equal(made.to(matrices.dtype), matrices)):
        raise ArgumentError("x", "data in a floating-point type, for the matrices are no whole numbers", f"{x.dtype}")
    return made


def multiply(matrices: Float[Tensor, "*batch d d"], x: Float[Tensor, "*batch s d"]) -> Float[Tensor, "*batch s d"]:
    """Matrices times the rows of ``x``, with batch axes broadcast: ``x @ matrices.mT``, several times faster for many short rows.

    Long and thin products are slow, so the rows become columns; and where several matrices share their rows (the elements of a frame),
    they are stacked into one tall matrix instead of repeating the rows.
    """
    if x.ndim > 2 and matrices.ndim > 2 and x.shape[-3] == 1 and matrices.shape[-3] > 1:
        tall = matrices.flatten(-3, -2) @ x.squeeze(-3).mT
        return tall.unflatten(-2, matrices.shape[-3:-1]).mT
    return (matrices @ x.mT).mT
