"""Diagrams as matrices, entry by entry: slow and plain, the definition that fast evaluation is checked against."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.maps.diagrams.diagram import Diagram
from erlangen.maps.epsilon import alternating_tensor
from erlangen.maps.forms import form_of
from erlangen.maps.typed_axes import Space


def matrix(diagram: Diagram, source: Space, target: Space) -> Tensor:
    """The integer matrix ``[target.dim, source.dim]`` of a diagram, rows and columns in row-major order of the axes.

    An entry is the product over blocks: one if the block's axes agree and else zero; for a pair in one row of a group with an
    invariant form, the form (smaller vertex first); for a head, the sign of its blocks' values. Where the form is not the identity, it
    also raises the head's output axes.

    >>> from erlangen.groups import Symmetric
    >>> from erlangen.maps.typed_axes import Axis
    >>> x = Space((Axis(Symmetric(2)),))
    >>> matrix(Diagram.parse("1 2", top=1), x, x).tolist(), matrix(Diagram.parse("1|2", top=1), x, x).tolist()
    ([[1, 0], [0, 1]], [[1, 1], [1, 1]])
    """
    axes = (*target.axes, *source.axes)
    shape = [a.n for a in axes]

    def along(values: Tensor, *vertices: int) -> Tensor:
        """A tensor over some vertices (ascending) as one over all of them."""
        return values.reshape([shape[v] if v in vertices else 1 for v in range(len(shape))])

    result = torch.ones(shape, dtype=torch.int64)
    for block in diagram.blocks:
        group = axes[block[0]].group
        form = form_of(group)
        if form is not None and len(block) == 2 and (block[0] < diagram.top) == (block[1] < diagram.top):
            result = result * along(group.form.round().long(), *block)  # type: ignore[attr-defined]
            continue
        first = along(torch.arange(shape[block[0]]), block[0])
        for v in block[1:]:
            result = result * (first == along(torch.arange(shape[v]), v))
    for head in diagram.heads:
        vertices = [diagram.blocks[i][0] for i in head]  # ascending, as blocks are
        group = axes[vertices[0]].group
        result = result * along(alternating_tensor(shape[vertices[0]], len(head)), *vertices)
        form = form_of(group)
        if form is not None:
            for v in vertices:
                if v < diagram.top:
                    result = result * along(torch.tensor(form[1]), v)
    return result.reshape(target.dim, source.dim)
