"""`TensorProduct`: products of tensors, channel by channel, with axes of one contracted against axes of the other."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.products import DirectProduct
from erlangen.maps.spaces import Axis, Space, form_of, spaces_of
from erlangen.reps import Rep


class TensorProduct(nn.Module):
    """``T_a x T_b -> T_(a + b - 2j)`` for every number ``j`` of contracted axes that leaves at most ``max_order`` of them.

    The last j axes of the left factor meet the first j of the right one, under the group's form; other contractions and orders of axes are
    what :class:`EquivariantLinear` before and after it does. No tensor of order ``a + b`` is made. For O(n), SO(n) and Sp(n) this is the
    non-linearity that linear maps need to make invariants; for permutations, products of matrices.

    Args:
        left, right: representations that are sums of tensors (as ``V ** 2 + 3 * V + V.group.scalar``).
        max_order: largest order of a result.

    Attributes:
        output_rep: what comes out; data are ``[..., C, dim]`` or ``[..., dim]``.

    >>> from erlangen.groups import SO
    >>> V = SO(3).vector
    >>> product = TensorProduct(V, V)
    >>> product.output_rep, product(torch.randn(8, 3), torch.randn(8, 3)).shape
    (V⊗V + 1 of SO(3), torch.Size([8, 10]))
    """

    def __init__(self, left: Rep, right: Rep, max_order: int = 2) -> None:
        super().__init__()
        if left.group != right.group:
            raise ArgumentError("right", f"a representation of {left.group}", f"one of {right.group}")
        if not isinstance(max_order, int) or max_order < 0:
            raise ArgumentError("max_order", "a non-negative order", max_order)
        parts = []
        for name, rep in (("left", left), ("right", right)):
            found = spaces_of(rep)
            if found is None:
                raise ArgumentError(name, "a sum of tensors of a group with diagrams", rep)
            parts.append([(space, places) for space, copies in found.items() for places in copies])
        self.left, self.right = left, right
        self._terms: list[tuple[Space, Tensor, Space, Tensor, int]] = []
        reps: list[Rep] = []
        for a, at in parts[0]:
            for b, bt in parts[1]:
                for j in range(min(len(a.axes), len(b.axes)) + 1):
                    rest = (*a.axes[: len(a.axes) - j], *b.axes[j:])
                    if len(rest) <= max_order and a.axes[len(a.axes) - j :] == b.axes[:j]:
                        self._terms.append((a, at, b, bt, j))
                        reps.append(_rep(left, Space(rest, a.twisted ^ b.twisted)))
        if not reps:
            raise ArgumentError("max_order", "one that leaves some product", max_order)
        self.output_rep = sum(reps[1:], start=reps[0])

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """All products of ``x`` [..., left.dim] and ``y`` [..., right.dim]; leading axes are matched."""
        for name, rep, t in (("x", self.left, x), ("y", self.right, y)):
            if t.shape[-1] != rep.dim:
                raise ArgumentError(name, f"shape [..., {rep.dim}]", tuple(t.shape))
        return torch.cat([self._product(x, y, *term) for term in self._terms], -1)

    @staticmethod
    def _product(x: Tensor, y: Tensor, a: Space, at: Tensor, b: Space, bt: Tensor, j: int) -> Tensor:
        inner = math.prod(axis.n for axis in b.axes[:j])
        u, v = _take(x, at).unflatten(-1, (-1, inner)), _take(y, bt).unflatten(-1, (inner, -1))
        for i in range(j):  # x under the form meets y, one contracted axis after the other
            form = form_of(b.axes[i].group)
            if form is not None:
                before, after = math.prod(c.n for c in b.axes[:i]), math.prod(c.n for c in b.axes[i + 1 : j])
                v = v.unflatten(-2, (before, b.axes[i].n, after))
                v = v.index_select(-3, torch.tensor(form[0], device=v.device)) * v.new_tensor(form[1])[:, None, None]
                v = v.flatten(-4, -2)
        return ((u @ v) * inner**-0.5).flatten(-2)


def _take(x: Tensor, places: Tensor) -> Tensor:
    start, stop = int(places[0]), int(places[-1]) + 1
    return x[..., start:stop] if stop - start == len(places) else x[..., places.to(x.device)]


def _rep(like: Rep, space: Space) -> Rep:
    """The representation of a tensor space, of the group of ``like``."""
    group = like.group

    def of(axis: Axis) -> Rep:
        return group.lift(axis.label, axis.group.vector) if isinstance(group, DirectProduct) else group.vector

    def twist(label: int) -> Rep:
        return group.lift(label, group.factors[label].pseudoscalar) if isinstance(group, DirectProduct) else group.pseudoscalar

    result = group.scalar
    for factor in (*(of(a) for a in space.axes), *(twist(label) for label in sorted(space.twisted))):
        result = result @ factor
    return result
