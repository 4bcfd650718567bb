"""`TensorProduct`: products of tensors, channel by channel, with axes of one contracted against axes of the other."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.products import DirectProduct
from erlangen.maps.forms import Form, apply_form, form_of
from erlangen.maps.precision import in_float32, narrow
from erlangen.maps.typed_axes import Axis, Space, spaces_of
from erlangen.reps import DirectSum, Rep


class _Term(NamedTuple):
    """One product: where the factors lie, how many entries are contracted, and under which forms (length before, form, length after)."""

    left: slice | Tensor
    right: slice | Tensor
    inner: int
    forms: tuple[tuple[int, Form, int], ...]


class TensorProduct(nn.Module):
    """``T_a x T_b -> T_(a + b - 2j)`` for every number ``j`` of contracted axes that leaves at most ``max_order`` of them.

    The last j axes of the left factor meet the first j of the right one, under the group's form; other contractions and orders of axes are
    what :class:`EquivariantLinear` before and after it does. No tensor of order ``a + b`` is made. For O(n), SO(n) and Sp(n) this is the
    non-linearity that linear maps need to make invariants; for permutations, products of matrices. Representations that are no tensors
    (irreps) are multiplied part by part, ``V @ W``, without contraction.

    A product that adds up ``N`` numbers, ``n^j`` for j axes of length n, is divided by ``sqrt(N)``: of independent factors of variance one
    it has variance one.

    Args:
        left, right: representations of one group, sums of parts (as ``V ** 2 + 3 * V + V.group.scalar``).
        max_order: largest order of a result.

    Attributes:
        output_rep: what comes out; data are ``[..., C, dim]`` or ``[..., dim]``.

    >>> from erlangen.groups import SO
    >>> V = SO(3).vector
    >>> product = TensorProduct(V, V)
    >>> product.output_rep, product(torch.randn(8, 3), torch.randn(8, 3)).shape
    (V⊗V + 0e of SO(3), torch.Size([8, 10]))
    >>> product(torch.ones(3), torch.ones(3))[-1]           # 3 / sqrt 3
    tensor(1.7321)
    """

    def __init__(self, left: Rep, right: Rep, max_order: int = 2) -> None:
        super().__init__()
        if left.group != right.group:
            raise ArgumentError("right", f"a representation of {left.group}", f"one of {right.group}")
        if not isinstance(max_order, int) or max_order < 0:
            raise ArgumentError("max_order", "a non-negative order", repr(max_order))
        self.left, self.right = left, right
        spaces = spaces_of(left), spaces_of(right)
        reps: list[Rep] = []
        self._terms: list[_Term] = []
        if spaces[0] is None or spaces[1] is None:
            for p, at in _parts(left):
                for q, bt in _parts(right):
                    self._terms.append(_Term(_where(at), _where(bt), 1, ()))
                    reps.append(p @ q)
        else:
            for a, at, b, bt in ((a, i, b, j) for a, u in spaces[0].items() for i in u for b, v in spaces[1].items() for j in v):
                for count in range(min(len(a.axes), len(b.axes)) + 1):
                    met = b.axes[:count]
                    rest = (*a.axes[: len(a.axes) - count], *b.axes[count:])
                    if len(rest) <= max_order and a.axes[len(a.axes) - count :] == met:
                        self._terms.append(_Term(_where(at), _where(bt), math.prod(axis.n for axis in met), _forms(met)))
                        reps.append(_rep(left, Space(rest, a.twisted ^ b.twisted)))
        if not reps:
            raise ArgumentError("max_order", "one that leaves some product", repr(max_order))
        self.output_rep = sum(reps[1:], start=reps[0])
        self.inp, self.out = (left, right), self.output_rep

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """All products of ``x`` [..., left.dim] and ``y`` [..., right.dim]; leading axes are matched."""
        for name, rep, t in (("x", self.left, x), ("y", self.right, y)):
            if t.shape[-1] != rep.dim:
                raise ArgumentError(name, f"shape [..., {rep.dim}]", tuple(t.shape))
        low = narrow(x)
        if low is not None:
            return in_float32(self.forward, x, y).to(low)
        return torch.cat([_product(_take(x, term.left), _take(y, term.right), term) for term in self._terms], -1)


def _product(x: Tensor, y: Tensor, term: _Term) -> Tensor:
    y = y.unflatten(-1, (term.inner, -1))
    for before, form, after in term.forms:
        y = y.unflatten(-2, (before, len(form[0]), after))
        y = apply_form(y, y.ndim - 3, form).flatten(-4, -2)
    return ((x.unflatten(-1, (-1, term.inner)) @ y) * term.inner**-0.5).flatten(-2)


def _forms(axes: tuple[Axis, ...]) -> tuple[tuple[int, Form, int], ...]:
    sizes = [a.n for a in axes]
    forms = [form_of(a.group) for a in axes]
    return tuple((math.prod(sizes[:i]), form, math.prod(sizes[i + 1 :])) for i, form in enumerate(forms) if form is not None)


def _parts(rep: Rep) -> list[tuple[Rep, Tensor]]:
    """The parts of a direct sum, and where they lie."""
    found, start = [], 0
    for part in rep.parts if isinstance(rep, DirectSum) else (rep,):
        found.append((part, torch.arange(start, start + part.dim)))
        start += part.dim
    return found


def _where(places: Tensor) -> slice | Tensor:
    """Entries as a slice, where they are neighbours."""
    start, stop = int(places[0]), int(places[-1]) + 1
    return slice(start, stop) if stop - start == len(places) else places


def _take(x: Tensor, places: slice | Tensor) -> Tensor:
    return x[..., places] if isinstance(places, slice) else x.index_select(-1, places.to(x.device))


def _rep(like: Rep, space: Space) -> Rep:
    """The representation of a tensor space, of the group of ``like``."""
    group: Any = like.group
    product = isinstance(group, DirectProduct)
    result = group.scalar
    for axis in space.axes:
        result = result @ (group.lift(axis.label, axis.group.vector) if product else group.vector)
    for label in sorted(space.twisted, key=str):
        result = result @ (group.lift(label, group.factors[label].pseudoscalar) if product else group.pseudoscalar)
    return result
