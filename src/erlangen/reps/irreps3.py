"""Tensors of SO(3) and O(3) as irreducible parts, labelled as ``8x0e+4x1o``: the change of basis, here and to e3nn and back."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.reps.base import Rep
from erlangen.reps.basic import Defining, Determinant, Trivial
from erlangen.reps.clebsch_gordan import clebsch_gordan
from erlangen.reps.combine import DirectSum, TensorProduct
from erlangen.reps.decompose import intertwiners
from erlangen.reps.spatial import SpatialIrrep
from erlangen.reps.strings import read_rep

#: Degree and parity.
Kind = tuple[int, int]


class ToIrreps(NamedTuple):
    """A change of basis to irreducible parts: ``matrix @ x`` has them one after another.

    Attributes:
        matrix: ``Q``, orthogonal, ``[dim, dim]`` in float64. ``Q rho(g) Q^T`` is block diagonal.
        labels: the blocks in order, copies of a kind together.
    """

    matrix: Float[Tensor, "dim dim"]
    labels: str


class IrrepBlock(NamedTuple):
    """One irreducible part: ``rows @ x[..., start : start + rows.shape[1]]`` are its components.

    Attributes:
        kind: degree and parity.
        rows: orthonormal, ``[2 l + 1, size]`` in float64.
        start: where the entries begin.
        is_whole: whether these are the components as they stand.
    """

    kind: Kind
    rows: Float[Tensor, "m size"]
    start: int
    is_whole: bool


def to_irreps(rep: Rep) -> ToIrreps:
    """Decompose an orthogonal representation of SO(3) or O(3).

    Blocks are in the bases of :class:`~erlangen.reps.SpatialIrrep`, which are those of e3nn (degree 1 is ``(x, y, z)``), so
    ``x @ Q.T`` is what an e3nn layer of the same irreps takes. Degrees ascend, each with the parity of polynomials, ``(-1)^l``, before
    the other; under SO(3), which has no mirrors, all have the parity of polynomials. Copies of one kind are determined up to an
    orthogonal mixing among themselves, and single ones up to a sign, which is chosen so that the first large entry is positive.

    Args:
        rep: any orthogonal representation: tensor powers, sums of them, pseudotensors.

    Raises:
        ArgumentError: another group, or matrices that are not orthogonal.

    >>> from erlangen.groups import O
    >>> V = O(3).vector
    >>> found = to_irreps(V ** 2 + 2 * V)
    >>> found.labels, tuple(found.matrix.shape)
    ('1x0e+2x1o+1x1e+1x2e', (15, 15))
    """
    return _joined(rep, sorted(irreducible_blocks(rep), key=lambda block: standard_order(block.kind)))


def to_e3nn(rep: Rep) -> ToIrreps:
    """An orthogonal representation of SO(3) or O(3) as irreps of e3nn, in the order in which its parts stand.

    ``o3.Irreps(found.labels)`` is what an e3nn layer is made for, ``x @ found.matrix.T`` what it takes, and ``y @ found.matrix`` brings
    its result back. Of a sum of irreps the matrix is the identity: components (``m = -l .. l`` about the y axis, degree 1 is
    ``(x, y, z)``), their normalisation (squares of the harmonics add up to one on the sphere, e3nn's ``"norm"``) and the order of the
    copies are the same. Tensors change their basis; e3nn sorts nothing unless asked to, and neither does this (:func:`to_irreps` does).

    Raises:
        ArgumentError: another group, or matrices that are not orthogonal.

    >>> from erlangen.groups import O
    >>> to_e3nn(O(3).rep("2x1o+3x0e")).labels, to_e3nn(O(3).vector ** 2 + O(3).scalar).labels
    ('2x1o+3x0e', '1x0e+1x1e+1x2e+1x0e')
    """
    return _joined(rep, irreducible_blocks(rep))


def from_e3nn(irreps: object) -> Rep:
    """The representation of O(3) that an ``o3.Irreps`` of e3nn stands for, or its text; data are the same numbers in the same order.

    Raises:
        ArgumentError: it cannot be read.

    >>> from_e3nn("8x0e+4x1o").dim                          # or from_e3nn(o3.Irreps("8x0e+4x1o"))
    20
    """
    from erlangen.groups.orthogonal import O

    return from_irreps(O(3), str(irreps))


def from_irreps(group: Group, labels: str) -> Rep:
    """The representation of labels such as ``"8x0e+4x1o+2e"``.

    Args:
        group: SO(3) or O(3). Under SO(3) parities are read and do nothing.
        labels: degrees with ``e`` (even) or ``o`` (odd) and, optionally, how many of each; see :meth:`erlangen.groups.base.Group.rep`.

    Raises:
        ArgumentError: another group, or labels that cannot be read.

    >>> from erlangen.groups import O
    >>> from_irreps(O(3), "2x0e + 1o").dim
    5
    """
    _check_group(group)
    return read_rep(group, labels, "labels")


def irreducible_blocks(rep: Rep) -> list[IrrepBlock]:
    """The irreducible parts of an orthogonal representation of SO(3) or O(3), part by part of a direct sum.

    Products are multiplied out by :func:`~erlangen.reps.clebsch_gordan`; what is neither irreducible nor made of such is found
    numerically.

    Raises:
        ArgumentError: another group, or matrices that are not orthogonal.
    """
    mirrors = _check_group(rep.group)
    if not rep.is_orthogonal:
        raise ArgumentError("rep", "an orthogonal representation", repr(rep))
    found: list[IrrepBlock] = []
    start = 0
    known: dict[Rep, list[tuple[Kind, Tensor, bool]]] = {}
    for part, count in rep.runs if isinstance(rep, DirectSum) else ((rep, 1),):
        if part not in known:
            known[part] = [
                (kind, rows, rows.shape[0] == rows.shape[1] and torch.equal(rows, torch.eye(len(rows), dtype=torch.float64)))
                for kind, rows in _parts(part, mirrors)
            ]
        for _ in range(count):
            found += [IrrepBlock(kind, rows, start, is_whole) for kind, rows, is_whole in known[part]]
            start += part.dim
    return found


def _parts(rep: Rep, mirrors: bool) -> list[tuple[Kind, Tensor]]:
    """Kind and rows ``[2 l + 1, dim]`` of every irreducible part."""
    simple = _kind(rep, mirrors)
    if simple is not None:
        return [(simple, torch.eye(rep.dim, dtype=torch.float64))]
    if isinstance(rep, DirectSum):
        return [
            (b.kind, torch.nn.functional.pad(b.rows, (b.start, rep.dim - b.start - b.rows.shape[1])))
            for b in irreducible_blocks(rep)
        ]
    if not isinstance(rep, TensorProduct):
        return _found(rep, mirrors)
    blocks: list[tuple[Kind, Tensor]] = [((0, 1), torch.ones(1, 1, dtype=torch.float64))]
    for factor in rep.parts:
        blocks = [block for a in blocks for b in _parts(factor, mirrors) for block in _multiplied(a, b, mirrors)]
    signed = []
    for kind, rows in blocks:
        entries = rows.flatten()
        signed.append((kind, rows * entries[(entries.abs() > 0.5 * entries.abs().max()).nonzero()[0, 0]].sign()))
    return signed


def _kind(rep: Rep, mirrors: bool) -> Kind | None:
    """Of what is written in the basis of an irreducible part already."""
    if isinstance(rep, Trivial):
        return (0, 1)
    if isinstance(rep, Determinant):
        return (0, -1 if mirrors else 1)
    if isinstance(rep, Defining):
        return (1, -1)
    return (rep.degree, rep.parity) if isinstance(rep, SpatialIrrep) else None


def _multiplied(a: tuple[Kind, Tensor], b: tuple[Kind, Tensor], mirrors: bool) -> list[tuple[Kind, Tensor]]:
    """The irreducible parts of the product of two, as rows over the flattened product of what these are rows over."""
    (l, p), (k, q) = a[0], b[0]
    found = []
    for degree in range(abs(l - k), l + k + 1):
        table = clebsch_gordan(l, k, degree) * (2 * degree + 1) ** 0.5
        half = table.permute(2, 1, 0) @ a[1]  # [k, j, a]
        rows = (half.mT @ b[1]).flatten(1)
        found.append(((degree, p * q if mirrors else (-1) ** degree), rows))
    return found


def _found(rep: Rep, mirrors: bool) -> list[tuple[Kind, Tensor]]:
    """The parts of any representation, numerically."""
    found: list[tuple[Kind, Tensor]] = []
    for degree in range((rep.dim + 1) // 2):
        for parity in ((-1) ** degree, -((-1) ** degree))[: 2 if mirrors else 1]:
            # By Schur's lemma A_i^T A_j is a multiple of 1, so orthonormal maps are isometries up to scale.
            for isometry in intertwiners(_irrep(rep.group, (degree, parity)), rep) * (2 * degree + 1) ** 0.5:
                entries = isometry.flatten()
                large = entries[(entries.abs() > 0.5 * entries.abs().max()).nonzero()[0, 0]]
                found.append(((degree, parity), isometry.mT * large.sign()))
        if sum(len(rows) for _, rows in found) == rep.dim:
            break
    return found


def _joined(rep: Rep, blocks: list[IrrepBlock]) -> ToIrreps:
    """Blocks one after another: their rows over all of ``rep``, and what they are."""
    matrix = torch.zeros(rep.dim, rep.dim, dtype=torch.float64)
    at = 0
    for _, rows, start, _ in blocks:
        matrix[at : at + len(rows), start : start + rows.shape[1]] = rows
        at += len(rows)
    return ToIrreps(matrix, labels_of((kind, len(list(run))) for kind, run in groupby(block.kind for block in blocks)))


def labels_of(runs: Iterable[tuple[Kind, int]]) -> str:
    """Kinds and their numbers of copies as e3nn writes them.

    >>> labels_of([((0, 1), 8), ((1, -1), 4)])
    '8x0e+4x1o'
    """
    return "+".join(f"{count}x{degree}{'e' if parity == 1 else 'o'}" for (degree, parity), count in runs)


def standard_order(kind: Kind) -> tuple[int, bool]:
    """By degree, and the parity of polynomials before the other."""
    degree, parity = kind
    return degree, parity != (-1) ** degree


def _irrep(group: Group, kind: Kind) -> Rep:
    return group.scalar if kind == (0, 1) else SpatialIrrep(group, *kind)


def _check_group(group: Group) -> bool:
    """Whether it has mirrors."""
    if not group.is_rotations or group.element_shape != (3, 3):
        raise ArgumentError("rep", "a representation of SO(3) or O(3)", f"one of {group}")
    return not group.is_proper
