"""What a matrix group leaves unchanged: its bilinear forms, its commutant, and invariants that tell its orbits on matrices apart.

A group acts on square matrices by multiplication from the left. The orbit of the identity is the group itself, so a matrix lies in the
group when invariants that separate orbits have on it the values that they have on the identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.algebra_forms import form_basis
from erlangen.groups.base import Group
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.recognise import recognised
from erlangen.linalg import null_space

#: Singular values below this part of the largest possible one are zero: generators are exact to float64.
RELATIVE = 1e-9
#: Invariant tensors are looked for up to this many coefficients.
LARGEST_TENSOR = 1024


def bilinear_forms(group: MatrixGroup) -> Float[Tensor, "s n n"]:
    """A basis of the bilinear forms that a group keeps, ``g^T B g = B``, in float64: symmetric ones first, then antisymmetric ones.

    The null space of ``A^T B + B A = 0`` over the Lie algebra and ``h^T B h = B`` over the discrete generators, an exact linear
    problem. Each form has a largest entry of size one, and its first entry of that size is positive.

    Raises:
        ArgumentError: the group does not consist of matrices.

    >>> from erlangen.groups import SO, O
    >>> bilinear_forms(O(1, 3))[0].diagonal().tolist()
    [1.0, -1.0, -1.0, -1.0]
    >>> len(bilinear_forms(SO(2))), len(bilinear_forms(SO(3)))
    (2, 1)
    """
    group = _matrices(group)
    found = []
    for symmetric in (True, False):
        coordinates = form_basis(group.n, symmetric)
        if not len(coordinates):
            continue
        # With the algebra first: what it keeps is often a line, and the discrete generators see only that.
        if group.algebra is not None and group.algebra.dim:
            coordinates = group.algebra.orthonormal().invariant_forms(symmetric, RELATIVE).forms
        if group.generators is not None and len(coordinates):
            h = group.generators.unsqueeze(1)
            moved = h.mT @ coordinates @ h - coordinates
            rows = moved.flatten(2).mT.flatten(0, 1)
            kept = null_space(rows, rtol=RELATIVE, scale=_size(h) ** 2).basis
            coordinates = torch.einsum("ak,aij->kij", kept, coordinates)
        found.append(torch.stack([_plain(form) for form in coordinates]) if len(coordinates) else coordinates)
    return torch.cat(found)


def commutant(group: MatrixGroup) -> Float[Tensor, "c n n"]:
    """A basis of the matrices that commute with every element of the group, in float64; the identity is the first.

    >>> from erlangen.groups import SO
    >>> commutant(SO(2)).abs().long().tolist()
    [[[1, 0], [0, 1]], [[0, 1], [1, 0]]]
    """
    group = _matrices(group)
    every = [] if group.generators is None else [group.generators]
    every += [] if group.algebra is None else [group.algebra.orthonormal().basis]
    basis = centralizer(torch.cat(every))
    # The identity first, then what is left of the others beside it.
    eye = torch.eye(group.n, dtype=torch.float64)
    unit = eye / group.n**0.5
    rest = basis - torch.einsum("kij,ij->k", basis, unit)[:, None, None] * unit
    _, values, right = torch.linalg.svd(rest.flatten(1), full_matrices=False)
    others = right[values > 1e-6].unflatten(1, (group.n, group.n))
    return torch.stack([eye, *(_plain(other) for other in others)])


def centralizer(matrices: Float[Tensor, "k n n"]) -> Float[Tensor, "c n n"]:
    """An orthonormal basis, in float64, of the matrices that commute with all given ones.

    >>> centralizer(torch.tensor([[[0.0, -1.0], [1.0, 0.0]]])).shape
    torch.Size([2, 2, 2])
    """
    n = matrices.shape[-1]
    eye = torch.eye(n, dtype=torch.float64)
    # vec(K A - A K), row by row.
    rows = torch.cat([torch.kron(eye, a.mT.contiguous()) - torch.kron(a, eye) for a in matrices.to(torch.float64)])
    return null_space(rows, rtol=RELATIVE, scale=2 * _size(matrices)).basis.mT.unflatten(1, (n, n))


@dataclass(frozen=True)
class OrbitInvariants:
    """Functions of a matrix that a group does not change by multiplying from the left.

    Attributes:
        group: the group.
        forms: bilinear forms ``B``: each gives the independent entries of ``M^T B M``.
        symmetric: how many of them, the first ones, are symmetric; the others are antisymmetric.
        tensors: further invariant tensors ``T`` of other degrees, each contracted with columns of ``M``.
        with_det: whether the determinant is one of them.
        excess: by how many dimensions the matrices with the identity's values go beyond the group; 0 means that they
            are the group, up to components.
    """

    group: MatrixGroup
    forms: Tensor
    symmetric: int
    tensors: tuple[Tensor, ...]
    with_det: bool
    excess: int

    def __call__(self, m: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch r"]:
        """The values on matrices, in their dtype; ``r`` may be 0."""
        n = self.group.n
        if m.shape[-2:] != (n, n):
            raise ArgumentError("M", f"matrices [*batch, {n}, {n}]", f"shape {tuple(m.shape)}")
        values = []
        for k, form in enumerate(self.forms.to(m)):
            i, j = torch.triu_indices(n, n, 0 if k < self.symmetric else 1, device=m.device)
            values.append((m.mT @ form @ m)[..., i, j])
        for tensor in self.tensors:
            values.append(_contracted(tensor.to(m), m, tensor.ndim).flatten(m.ndim - 2))
        if self.with_det:
            values.append(torch.linalg.det(m).unsqueeze(-1))
        return torch.cat(values, -1) if values else m.new_zeros(*m.shape[:-2], 0)


def orbit_invariants(group: MatrixGroup) -> OrbitInvariants:
    """Invariants of matrices under multiplication by a group from the left, enough of them to know its Lie algebra where possible.

    All bilinear forms; the determinant, where all elements have determinant one and no form implies it; and, as long as these are kept
    by a larger algebra than the group's, invariant tensors of degree 1, 3 and 4. What is still missing is ``excess`` (of
    groups such as dilations, which have no polynomial invariants).

    >>> from erlangen.groups import SO, SL
    >>> quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    >>> orbit_invariants(SO(2))(quarter).tolist()
    [1.0, 0.0, 1.0, 1.0]
    >>> orbit_invariants(SL(3)).with_det
    True
    """
    group = _matrices(group)
    forms = bilinear_forms(group)
    # An antisymmetric form that is not degenerate fixes the determinant by its Pfaffian.
    symmetric = sum(map(_is_symmetric, forms))
    implied = bool((torch.linalg.det(forms[symmetric:]).abs() > 1e-9).any())
    with_det = is_special(group) and not implied
    tensors: list[Tensor] = []
    excess = _excess(group, [*forms], with_det or implied)
    for degree in (1, 3, 4):
        if excess <= 0 or group.is_finite or group.n**degree > LARGEST_TENSOR:
            continue
        more = invariant_tensors(group, degree)
        left = _excess(group, [*forms, *tensors, *more], with_det or implied)
        if left < excess:
            tensors, excess = [*tensors, *more], left
    return OrbitInvariants(group, forms, symmetric, tuple(tensors), with_det, max(excess, 0))


def invariants_of(group: MatrixGroup, m: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch r"]:
    """The values of :func:`orbit_invariants` on matrices: the same for ``M`` and ``g M``.

    >>> from erlangen.groups import O
    >>> g, m = O(1, 3).sample(dtype=torch.float64), torch.randn(4, 4, dtype=torch.float64)
    >>> torch.allclose(invariants_of(O(1, 3), g @ m), invariants_of(O(1, 3), m))
    True
    """
    return orbit_invariants(group)(m)


def invariant_tensors(group: MatrixGroup, degree: int) -> Tensor:
    """A basis ``[s, n, .. n]`` of the tensors ``T`` with ``T(g v_1, .. g v_d) = T(v_1, .. v_d)``, orthonormal, in float64.

    Raises:
        ArgumentError: ``degree`` is not positive, or there would be more than 1024 coefficients.

    >>> from erlangen.groups import SO
    >>> invariant_tensors(SO(3), 3).shape, invariant_tensors(SO(3), 4).shape
    (torch.Size([1, 3, 3, 3]), torch.Size([3, 3, 3, 3, 3]))
    """
    group = _matrices(group)
    n = group.n
    if degree < 1 or n**degree > LARGEST_TENSOR:
        raise ArgumentError("degree", f"a positive degree with at most {LARGEST_TENSOR} coefficients", repr(degree))
    every = torch.eye(n**degree, dtype=torch.float64).unflatten(1, (n,) * degree)
    blocks, scale = [], 1.0
    if group.algebra is not None:
        for a in group.algebra.orthonormal().basis:
            blocks.append(_derived(every, a).flatten(1).mT)
            scale = max(scale, degree * _size(a))
    if group.generators is not None:
        for h in group.generators:
            blocks.append((_contracted(every, h, degree) - every).flatten(1).mT)
            scale = max(scale, _size(h) ** degree)
    return null_space(torch.cat(blocks), rtol=RELATIVE, scale=scale).basis.mT.unflatten(1, (n,) * degree)


def is_special(group: MatrixGroup) -> bool:
    """Whether every element has determinant one.

    >>> from erlangen.groups import SO, O, Sp
    >>> is_special(SO(1, 3)), is_special(O(3)), is_special(Sp(4))
    (True, False, True)
    """
    return group._is_special


def _matrices(group: Group) -> MatrixGroup:
    group = recognised(group)
    if not isinstance(group, MatrixGroup):
        raise ArgumentError("group", "a group of matrices, e.g. SO(3) or MatrixGroup(...)", repr(group))
    return group


def _excess(group: MatrixGroup, tensors: list[Tensor], special: bool) -> int:
    """The dimension of the algebra that keeps the tensors (and the volume), less that of the group."""
    units = torch.eye(group.n**2, dtype=torch.float64).unflatten(1, (group.n, group.n))
    rows = [torch.stack([_derived(t.unsqueeze(0), a).flatten() for a in units], -1) for t in tensors]
    if special:
        rows.append(units.diagonal(dim1=-2, dim2=-1).sum(-1).unsqueeze(0))
    algebra = group.n**2 if not rows else null_space(torch.cat(rows), rtol=1e-7).dim
    return algebra - (0 if group.algebra is None else group.algebra.orthonormal().dim)


def _contracted(tensors: Tensor, m: Tensor, degree: int) -> Tensor:
    """``T(m_i, m_j, ..)`` over columns of matrices, for the last ``degree`` axes of tensors; batches broadcast."""
    upper, lower = ascii_lowercase[:degree], ascii_lowercase[degree : 2 * degree]
    factors = ",".join(f"...{a}{b}" for a, b in zip(upper, lower))
    return torch.einsum(f"...{upper},{factors}->...{lower}", tensors, *[m] * degree)


def _derived(tensors: Tensor, a: Tensor) -> Tensor:
    """The derivative of each tensor of a batch along an algebra element: the sum over its axes."""
    return sum((torch.tensordot(tensors, a, ([axis], [0])).movedim(-1, axis) for axis in range(1, tensors.ndim)), 0 * tensors)


def _plain(form: Tensor) -> Tensor:
    """A form scaled so that a person recognises it."""
    form = form / form.abs().max()
    form = torch.where((form - form.round()).abs() < 1e-12, form.round(), form)
    first = form.flatten()[(form.abs() > 1 - 1e-9).flatten()][0]
    return form * first.sign()


def _is_symmetric(form: Tensor) -> bool:
    return bool((form - form.mT).abs().max() < 1e-6)


def _size(a: Tensor) -> float:
    """The largest stretch of one or more matrices."""
    return max(1.0, float(torch.linalg.matrix_norm(a, 2).max()))
