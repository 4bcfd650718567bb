"""Frobenius products of diagrams with given matrices, and the change to the orbit basis."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.maps.diagrams.diagram import Block, Diagram
from erlangen.maps.diagrams.partitions import coarser
from erlangen.maps.epsilon import alternating_tensor
from erlangen.maps.forms import along, apply_form, diagonal, form_of
from erlangen.maps.typed_axes import Space


def inner(diagram: Diagram, source: Space, target: Space, m: Tensor) -> Tensor:
    """``sum_ij matrix(diagram)[i, j] m[..., i, j]`` for matrices ``[..., target.dim, source.dim]``, from strided views of ``m``.

    >>> from erlangen.groups import Symmetric
    >>> from erlangen.maps.typed_axes import Axis
    >>> x = Space((Axis(Symmetric(3)),))
    >>> inner(Diagram.parse("1 2", top=1), x, x, torch.arange(9.0).reshape(3, 3))             # the trace
    tensor(12.)
    """
    axes, lead = (*target.axes, *source.axes), m.ndim - 2
    m = m.reshape(*m.shape[:-2], *target.shape, *source.shape)
    for block in diagram.blocks:
        form = form_of(axes[block[0]].group)
        if form is not None and len(block) == 2 and (block[0] < diagram.top) == (block[1] < diagram.top):
            m = apply_form(m, lead + block[1], form)
    m = diagonal(m, diagram.blocks, lead)
    left = list(range(len(diagram.blocks)))
    for head in diagram.heads:
        vertices = [diagram.blocks[i][0] for i in head]
        form = form_of(axes[vertices[0]].group)
        tensor = alternating_tensor(axes[vertices[0]].n, len(head)).to(m.dtype)
        if form is not None:
            for place, v in enumerate(vertices):
                if v < diagram.top:
                    tensor = tensor * along(form[1], place, tensor)
        m = torch.tensordot(m, tensor, ([lead + left.index(i) for i in head], list(range(len(head)))))
        left = [i for i in left if i not in head]
    return m.flatten(lead).sum(-1) if left else m


def orbit_matrix(diagrams: Sequence[Diagram], source: Space, target: Space) -> Tensor:
    """The orbit basis in terms of the diagrams: ``orbit[i] = sum_j matrix[i, j] diagram[j]``, in float64.

    ``O_pi`` is one where exactly the axes of a block agree. Of alternating groups, a diagram and its jellyfish stand for the two
    orbits ``(O + J) / 2`` and ``(O - J) / 2``.

    Raises:
        ArgumentError: some axes are not permuted.

    >>> from erlangen.groups import Symmetric
    >>> from erlangen.maps.diagrams import diagrams
    >>> from erlangen.maps.typed_axes import Axis
    >>> x = Space((Axis(Symmetric(3)),))
    >>> orbit_matrix(diagrams(x, x), x, x).tolist()
    [[1.0, 0.0], [-1.0, 1.0]]
    """
    axes = (*target.axes, *source.axes)
    for axis in axes:
        if axis.kind not in ("S", "A"):
            raise ArgumentError("basis", "'diagram' or 'spanning', for orbits are of permuted axes", f"'orbit' with {axis.group}")
    place = {d: i for i, d in enumerate(diagrams)}
    rows = torch.zeros(len(diagrams), len(diagrams), dtype=torch.float64)
    for i, d in enumerate(diagrams):
        parts = []
        for label in dict.fromkeys(a.label for a in axes):
            blocks = tuple(b for b in d.blocks if axes[b[0]].label == label)
            parts.append(list(_orbit(d, blocks, place, axes)))
        for choice in itertools.product(*parts):
            value = math.prod((v for v, _, _ in choice), start=Fraction(1))
            heads = [blocks for _, blocks, tied in choice if tied]
            rows[i, place[Diagram.of(d.top, d.bottom, [b for _, blocks, _ in choice for b in blocks], heads)]] += float(value)
    return rows


def _orbit(
    d: Diagram, blocks: tuple[Block, ...], place: dict[Diagram, int], axes: tuple
) -> Iterator[tuple[Fraction, tuple[Block, ...], bool]]:
    """One label's part of an orbit element as a sum: (coefficient, blocks, is it a jellyfish)."""
    if not blocks:
        return
    axis = axes[blocks[0][0]]
    tied = any(d.blocks[i] in blocks for head in d.heads for i in head)
    signed = axis.kind == "A" and axis.n > 1 and len(blocks) >= axis.n - 1
    if tied and axis.kind == "S":
        yield Fraction(1), blocks, True
        return
    half = Fraction(1, 2) if signed else Fraction(1)
    for value, merged in coarser(blocks):
        yield value * half, merged, False
    if signed:
        yield (-half if tied else half), blocks, True
