"""`PointwiseActivation`: a function of one number on each coordinate, where that is exactly equivariant."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError, NotEquivariantError
from erlangen.reps import Admissibility, DirectSum, Rep, admissible
from erlangen.reps.classify import Activation, resolve


class PointwiseActivation(nn.Module):
    """``f`` on each coordinate of ``[..., dim]``; refused at construction when it does not commute with the group in this basis.

    Args:
        rep: how the group acts on the input.
        f: a module, a function of tensors or a name; for a direct sum also one for each block. A PReLU with one slope for each of
            ``rep.dim`` coordinates multiplies coordinates, not torch's axis 1.
        allow_inexact: take an inadmissible activation all the same. The output then counts as of the input's type, which it is not
            exactly; ``verdict`` keeps the record, and :func:`erlangen.reps.approximate_error` says how far off it is.

    Attributes:
        output_rep: how the group acts on the output: the type of the next layer's input.
        verdict: the :class:`~erlangen.reps.Admissibility`.

    Raises:
        NotEquivariantError: the activation is not admissible; the message has the reason, a counterexample and other choices. So is one
            that is admissible now but would cease to be when its slopes are trained.

    Source: arXiv:2401.09235.

    >>> from erlangen.groups import Dihedral, SO
    >>> layer = PointwiseActivation(Dihedral(4).irrep(1), torch.abs)
    >>> layer.output_rep, layer(torch.tensor([[3.0, -4.0]]))
    (f(ρ1) of D_4, tensor([[3., 4.]]))
    >>> PointwiseActivation(SO(3).vector, "relu")
    Traceback (most recent call last):
    ...
    erlangen.errors.NotEquivariantError: does not hold: ReLU acts on V of SO(3) coordinate by coordinate ...
    """

    output_rep: Rep
    verdict: Admissibility

    def __init__(self, rep: Rep, f: Activation | Sequence[Activation], allow_inexact: bool = False) -> None:
        super().__init__()
        self.rep, self.verdict = rep, admissible(rep, f)
        if self.verdict and _is_trained(f):
            generic = admissible(rep, _with_other_slopes(f))
            self.verdict = self.verdict if generic else generic
        if not self.verdict and not allow_inexact:
            raise NotEquivariantError(self.verdict.explain(), self.verdict)
        self.output_rep = self.verdict.output_rep if self.verdict.output_rep is not None else rep
        self.inp, self.out = rep, self.output_rep
        functions = [resolve(a) for a in _listed(f)]
        self.sizes = [p.dim for p in rep.parts] if len(functions) > 1 and isinstance(rep, DirectSum) else [rep.dim]
        self.functions = nn.ModuleList(a if isinstance(a, nn.Module) else _Function(a) for a in functions)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        if x.shape[-1] != self.rep.dim:
            raise ArgumentError("x", f"shape [..., {self.rep.dim}], the last axis being that of {self.rep}", tuple(x.shape))
        pieces = x.split(self.sizes, -1) if len(self.sizes) > 1 else (x,)
        done = [_apply(f, piece) for f, piece in zip(self.functions, pieces)]
        return torch.cat(done, -1) if len(done) > 1 else done[0]

    def extra_repr(self) -> str:
        return f"{self.rep.symbol} -> {self.output_rep.symbol} of {self.rep.group}{'' if self.verdict else ', inexact'}"


class _Function(nn.Module):
    """A plain function as a module."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _apply(f: nn.Module, x: Tensor) -> Tensor:
    if isinstance(f, nn.PReLU):  # torch's own puts slopes on axis 1
        return torch.where(x >= 0, x, f.weight.to(x.dtype) * x)
    return f(x)


def _listed(f: Any) -> list[Any]:
    return list(f) if isinstance(f, (list, tuple)) else [f]


def _is_trained(f: Any) -> bool:
    return any(isinstance(a, nn.PReLU) and a.weight.requires_grad for a in _listed(f))


def _with_other_slopes(f: Any) -> Any:
    """Copies with slopes that training may reach: all different, none special."""
    if isinstance(f, (list, tuple)):
        return [_with_other_slopes(a) for a in f]
    if not isinstance(f, nn.PReLU):
        return f
    other = copy.deepcopy(f)
    with torch.no_grad():
        other.weight.copy_(torch.linspace(0.1, 0.3, other.weight.numel()))
    return other
