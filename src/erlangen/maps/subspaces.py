"""The equivariant matrices between tensors, for several groups at once: small bases for pairs of types, never a projector of a layer.

A matrix between two layouts falls into blocks, one for each copy of a type above and of a type left. All blocks of one pair of types are
rows of a table ``[blocks, d^(ranks)]``, and each group's equivariant subspace is the span of a few vectors of that length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.base import Group
from erlangen.maps import EquivariantMaps
from erlangen.reps import Rep
from erlangen.reps.layout import Layout, TensorType

#: What a user may call a candidate: a group, the way it acts on the space, or a discovered algebra.
Candidate = Group | Rep | LieAlgebra


def candidates(groups: Sequence[Candidate] | Mapping[str, Candidate]) -> dict[str, Rep]:
    """Names of the candidate groups, and how each moves the vectors of the one space that all act on.

    Raises:
        ArgumentError: there are none, two have one name, or they act on spaces of different dimensions.

    >>> from erlangen.groups import SO
    >>> candidates([SO(3), SO(2, axis="z")])
    {'SO(3)': V of SO(3), 'SO(2) about z': V of SO(2) about z}
    """
    if isinstance(groups, (Group, Rep, LieAlgebra)):
        groups = [groups]
    if not groups:
        raise ArgumentError("groups", "at least one candidate group", "none")
    named: list[tuple[str, Candidate]]
    named = list(groups.items()) if isinstance(groups, Mapping) else [(_name(g), g) for g in groups]  # type: ignore[arg-type]
    found: dict[str, Rep] = {}
    for name, given in named:
        if not isinstance(given, (Group, Rep, LieAlgebra)):
            raise ArgumentError("groups", "groups, representations or Lie algebras", type(given).__name__)
        if name in found:
            raise ArgumentError("groups", "candidates of different names", f"{name} twice", "give a dict of names")
        acting = given.group() if isinstance(given, LieAlgebra) else given
        found[name] = acting if isinstance(acting, Rep) else acting.vector
    sizes = {name: rep.dim for name, rep in found.items()}
    if len(set(sizes.values())) > 1:
        got = ", ".join(f"{name} on R^{d}" for name, d in sizes.items())
        raise ArgumentError("groups", "groups that act on one space R^d", got, "embed the smaller ones, as SO(2, axis='z')")
    return found


def _name(candidate: Candidate) -> str:
    return str(candidate.group if isinstance(candidate, Rep) else candidate)


def equivariant_basis(
    vector: Rep, target: TensorType, source: TensorType, tolerance: float | None = None
) -> Float[Tensor, "dim out inp"]:
    """An orthonormal basis (Frobenius product) of the equivariant matrices from ``source`` to ``target``, in float64.

    ``tolerance``, here and below: of a learned Lie algebra how large its error is; see :func:`erlangen.maps.numeric.numeric_basis`, which
    refuses one otherwise.

    >>> from erlangen.groups import SO
    >>> equivariant_basis(SO(2, axis="z").vector, TensorType(1), TensorType(1)).shape
    torch.Size([3, 3, 3])
    """
    return _basis(vector, target, source, tolerance).clone()


@lru_cache(maxsize=1024)
@torch.inference_mode(False)  # what is kept must serve training too
def _basis(vector: Rep, target: TensorType, source: TensorType, tolerance: float | None = None) -> Tensor:
    return EquivariantMaps(source.rep(vector), target.rep(vector), basis="orthonormal", tolerance=tolerance).basis()


def common_basis(vectors: Sequence[Rep], target: TensorType, source: TensorType) -> Float[Tensor, "size dim"]:
    """Orthonormal columns: the flattened matrices that are equivariant under all of these groups.

    >>> from erlangen.groups import SO
    >>> common_basis([SO(2, axis="z").vector, SO(2, axis="x").vector], TensorType(1), TensorType(1)).shape      # multiples of the identity
    torch.Size([9, 1])
    """
    first, *others = (_basis(vector, target, source).flatten(1).mT for vector in vectors)
    for q in others:
        turns, cosines, _ = torch.linalg.svd(first.mT @ q)
        first = first @ turns[:, : int((cosines > 1 - 1e-8).sum())]
    return first


def dimension(vector: Rep, target: Layout, source: Layout, tolerance: float | None = None) -> int:
    """How many independent equivariant matrices there are from one layout to another.

    >>> from erlangen.groups import O
    >>> V = O(3).vector
    >>> dimension(V, Layout.of(V ** 2, 3), Layout.of(5 * V + 5 * V.group.scalar, 3))
    5
    """
    return sum(
        len(above) * len(left) * len(_basis(vector, out, inp, tolerance))
        for out, above in target.places.items()
        for inp, left in source.places.items()
    )


def project(
    matrix: Float[Tensor, "*batch out inp"], vector: Rep, target: Layout, source: Layout
) -> Float[Tensor, "*batch out inp"]:
    """The nearest equivariant matrix in the Frobenius norm; differentiable, in the dtype of ``matrix``.

    >>> from erlangen.groups import O
    >>> V = Layout(3, [(TensorType(1), 1)])
    >>> torch.allclose(project(torch.arange(9.0).view(3, 3), O(3).vector, V, V), 4 * torch.eye(3), atol=1e-6)
    True
    """
    if tuple(matrix.shape[-2:]) != (target.dim, source.dim):
        raise ArgumentError("matrix", f"shape [..., {target.dim}, {source.dim}]", tuple(matrix.shape))
    result = torch.zeros_like(matrix)
    for out, above in target.places.items():
        for inp, left in source.places.items():
            basis = _basis(vector, out, inp).to(matrix)
            if not len(basis):
                continue
            index = entries(above, left, source.dim).to(matrix.device)
            q = basis.flatten(1)
            flat = result.flatten(-2)
            found = matrix.flatten(-2)[..., index.flatten()].unflatten(-1, index.shape) @ q.mT @ q
            result = flat.index_copy(-1, index.flatten(), found.flatten(-2)).view_as(matrix)
    return result


def entries(above: Tensor, left: Tensor, width: int) -> Tensor:
    """For copies of two types at rows ``above`` and columns ``left``: the flat places of each block's entries, ``[blocks, size]``."""
    index = above[:, None, :, None] * width + left[None, :, None, :]
    return index.flatten(2).flatten(0, 1)


@dataclass(frozen=True, eq=False)
class PairBasis:
    """What all groups say about one pair of types.

    The squared distance of a block ``x`` to group k's subspace is ``whole[k] |x|^2 + sign[k] |x @ columns of k|^2``: where the subspace is
    the larger part, its complement stands for it.

    Attributes:
        columns: orthonormal vectors of all groups side by side, ``[size, r]`` float64.
        owner: which group each column belongs to, ``[r]``.
        whole, sign: one number for each group, ``[K]``.
        free: the dimension of each group's subspace, ``[K]``.
    """

    columns: Tensor
    owner: Tensor
    whole: Tensor
    sign: Tensor
    free: Tensor

    @property
    def size(self) -> int:
        return len(self.columns)


def pair_basis(vectors: Sequence[Rep], target: TensorType, source: TensorType) -> PairBasis:
    """The subspaces of all groups for matrices from one type to another.

    >>> from erlangen.groups import SO
    >>> pair_basis([SO(3).vector, SO(2, axis="z").vector], TensorType(1), TensorType(1)).free
    tensor([1, 3])
    """
    columns, owner, whole, sign, free = [], [], [], [], []
    for k, vector in enumerate(vectors):
        q = _basis(vector, target, source).flatten(1).mT
        size, r = q.shape
        complement = 2 * r > size
        if complement:
            q = torch.linalg.qr(q, mode="complete").Q[:, r:]
        columns.append(q)
        owner += [k] * q.shape[1]
        whole.append(0.0 if complement else 1.0)
        sign.append(1.0 if complement else -1.0)
        free.append(r)
    return PairBasis(
        torch.cat(columns, 1).contiguous(),
        torch.tensor(owner, dtype=torch.int64),
        torch.tensor(whole, dtype=torch.float64),
        torch.tensor(sign, dtype=torch.float64),
        torch.tensor(free),
    )
