"""Tensors of SO(3) and O(3) as irreducible parts, labelled as ``8x0e+4x1o``: the change of basis, and labels to representations."""

from __future__ import annotations

import re
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.reps.base import Rep
from erlangen.reps.combine import DirectSum
from erlangen.reps.decompose import intertwiners
from erlangen.reps.spatial import SpatialIrrep

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
    mirrors = _check_group(rep.group)
    if not rep.is_orthogonal:
        raise ArgumentError("rep", "an orthogonal representation", repr(rep))
    blocks: list[tuple[Kind, Tensor]] = []
    known: dict[Rep, list[tuple[Kind, Tensor]]] = {}
    start = 0
    for part in rep.parts if isinstance(rep, DirectSum) else (rep,):
        if part not in known:
            known[part] = _parts(part, mirrors)
        for kind, rows in known[part]:
            blocks.append((kind, torch.nn.functional.pad(rows, (start, rep.dim - start - part.dim))))
        start += part.dim
    blocks.sort(key=lambda block: _order(block[0]))
    counts: dict[Kind, int] = {}
    for kind, _ in blocks:
        counts[kind] = counts.get(kind, 0) + 1
    labels = "+".join(f"{count}x{l}{'e' if parity == 1 else 'o'}" for (l, parity), count in counts.items())
    return ToIrreps(torch.cat([rows for _, rows in blocks]), labels)


def from_irreps(group: Group, labels: str) -> Rep:
    """The representation of labels such as ``"8x0e+4x1o+2e"``.

    Args:
        group: SO(3) or O(3). Under SO(3) parities are read and do nothing.
        labels: degrees with ``e`` (even) or ``o`` (odd) and, optionally, how many of each.

    Raises:
        ArgumentError: another group, or labels that cannot be read.

    >>> from erlangen.groups import O
    >>> from_irreps(O(3), "2x0e + 1o").dim
    5
    """
    mirrors = _check_group(group)
    parts: list[Rep] = []
    for label in labels.replace(" ", "").split("+"):
        found = re.fullmatch(r"(?:([1-9]\d*)x)?(\d+)([eo])", label)
        if not found:
            raise ArgumentError("labels", "terms like 8x0e or 1o, joined by +", repr(label))
        degree, parity = int(found[2]), 1 if found[3] == "e" else -1
        parts.extend([_irrep(group, (degree, parity if mirrors else (-1) ** degree))] * int(found[1] or 1))
    return sum(parts[1:], start=parts[0])


def _parts(rep: Rep, mirrors: bool) -> list[tuple[Kind, Tensor]]:
    """Kind and rows ``[2 l + 1, dim]`` of every irreducible part."""
    if isinstance(rep, SpatialIrrep):
        return [((rep.degree, rep.parity if mirrors else (-1) ** rep.degree), torch.eye(rep.dim, dtype=torch.float64))]
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


def _irrep(group: Group, kind: Kind) -> Rep:
    return group.scalar if kind == (0, 1) else SpatialIrrep(group, *kind)


def _order(kind: Kind) -> tuple[int, bool]:
    degree, parity = kind
    return degree, parity != (-1) ** degree


def _check_group(group: Group) -> bool:
    """Whether it has mirrors."""
    from erlangen.groups.orthogonal import SO, O

    if group not in (SO(3), O(3)):
        raise ArgumentError("rep", "a representation of SO(3) or O(3)", f"one of {group}")
    return group == O(3)
