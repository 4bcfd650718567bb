"""Tied axes and the forms on them: what a block does to a tensor, for diagrams and tensor products alike."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.groups.base import Group

#: A form as a signed permutation: partners and signs.
Form = tuple[tuple[int, ...], tuple[int, ...]]


def form_of(group: Group) -> Form | None:
    """The invariant form of O(p, q), SO(p, q) or Sp(n) as a signed permutation: ``form[i, partner[i]] = sign[i]``; ``None`` when it is 1.

    >>> from erlangen.groups import Sp
    >>> form_of(Sp(4))
    ((2, 3, 0, 1), (1, 1, -1, -1))
    """
    form = getattr(group, "form", None)
    if form is None or torch.equal(form, torch.eye(len(form), dtype=form.dtype)):
        return None
    partner = form.abs().argmax(1)
    signs = form.gather(1, partner[:, None])[:, 0].round()
    return tuple(partner.tolist()), tuple(int(s) for s in signs)


def apply_form(x: Tensor, axis: int, form: Form) -> Tensor:
    """The form on one axis (counted from the front): ``y[.., i, ..] = sign[i] x[.., partner[i], ..]``.

    >>> apply_form(torch.tensor([1.0, 2.0]), 0, ((1, 0), (1, -1)))
    tensor([ 2., -1.])
    """
    partner, signs = form
    if partner != tuple(range(len(partner))):
        x = x.index_select(axis, torch.tensor(partner, device=x.device))
    return x * along(signs, axis, x)


def along(signs: tuple[int, ...], axis: int, like: Tensor) -> Tensor:
    """Signs as a tensor that broadcasts along one axis (counted from the front) of another."""
    return torch.tensor(signs, dtype=like.dtype, device=like.device).reshape(-1, *(1,) * (like.ndim - 1 - axis))


def diagonal(x: Tensor, ties: tuple[tuple[int, ...], ...], lead: int) -> Tensor:
    """The view of ``x`` on which tied axes are equal: ``[lead axes.., axes..]`` to ``[lead axes.., ties..]``.

    >>> diagonal(torch.arange(9.0).reshape(3, 3), ((0, 1),), 0)
    tensor([0., 4., 8.])
    """
    axes = list(range(x.ndim - lead))
    for first, *others in ties:
        for other in others:
            x = x.diagonal(dim1=lead + axes.index(first), dim2=lead + axes.index(other))
            axes = [v for v in axes if v not in (first, other)] + [first]
    return x.permute(*range(lead), *(lead + axes.index(tie[0]) for tie in ties))
