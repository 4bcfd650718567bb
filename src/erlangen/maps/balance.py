"""The constraints of a space of maps in balanced coordinates; see :mod:`erlangen.reps.balance`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from erlangen.maps.constraints import Constraints
from erlangen.reps.balance import balancing, defect, in_coordinates, of_one_size, rounding_in
from erlangen.reps.base import Rep
from erlangen.reps.combine import TensorProduct


@dataclass(frozen=True, eq=False)
class Balanced:
    """Constraints in balanced coordinates: ``x`` becomes ``(T_1 ⊗ ... ⊗ T_k) x``; ``None`` for an axis that stays."""

    constraints: Constraints
    changes: tuple[Tensor | None, ...]

    @property
    def is_changed(self) -> bool:
        return any(t is not None for t in self.changes)

    @cached_property
    def rounding(self) -> float:
        """What rounding of the given matrices amounts to here, relative to their size: skew coordinates hide digits."""
        return rounding_in(self.changes)

    @property
    def defect(self) -> float:
        """How far the matrices are from orthogonal, which those of compact groups are up to errors."""
        return max(map(defect, self.constraints.algebra, self.constraints.discrete), default=0.0)

    def there(self, x: Tensor) -> Tensor:
        """Tensors ``[size, columns]`` in balanced coordinates."""
        return self._along(self.changes, x)

    def back(self, x: Tensor) -> Tensor:
        """Balanced tensors ``[size, columns]`` in the coordinates of the representation."""
        return self._along(tuple(None if t is None else torch.linalg.inv(t) for t in self.changes), x)

    def _along(self, changes: tuple[Tensor | None, ...], x: Tensor) -> Tensor:
        before = 1
        for d, change in zip(self.constraints.dims, changes):
            if change is not None:
                x = (change @ x.reshape(before, d, -1)).reshape(x.shape)
            before *= d
        return x


def balance(rep: Rep, constraints: Constraints) -> Balanced:
    """The constraints of a representation in coordinates in which it is orthogonal, or as nearly so as its units allow.

    Algebra elements are brought to one size: in units of their own, one equation would hide another.

    Args:
        rep: of which the constraints are.
        constraints: :meth:`Constraints.of` it.
    """
    axes = rep.parts if isinstance(rep, TensorProduct) else (rep,)
    known: dict[Rep, Tensor | None] = {}
    for axis, algebra, discrete in zip(axes, constraints.algebra, constraints.discrete):
        if axis not in known and axis.dual in known:
            change = known[axis.dual]
            known[axis] = None if change is None else torch.linalg.inv(change).mT.contiguous()
        elif axis not in known:
            known[axis] = balancing(axis, algebra, discrete)
    changes = tuple(known[axis] for axis in axes)
    algebras = of_one_size(rep.group, [in_coordinates(t, a) for t, a in zip(changes, constraints.algebra)])
    discretes = [in_coordinates(t, h) for t, h in zip(changes, constraints.discrete)]
    return Balanced(Constraints(constraints.dims, tuple(algebras), tuple(discretes)), changes)
