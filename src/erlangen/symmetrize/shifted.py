"""`Shifted`: an exact frame whose elements a network moves on, by what it sees of the datum in canonical form."""

from __future__ import annotations

from typing import Any

import optree
import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.batches import a_tensor
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element, Group
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.symmetrized import canonical


class Shifted(Frame):
    """``h(x) = h0(x) exp(sum_a c_a(h0(x)^-1 x) A_a)``: a learned pose on top of any exact frame ``h0``.

    The network sees the canonical forms ``h0(x)^-1 x``, which do not change when ``x`` is moved, so it needs no symmetry of its own and
    the result is as exact as ``h0`` is, for compact groups and others (Lorentz) alike; its discontinuities are those of ``h0``. Only
    the discrete pieces of ``h0`` cannot be learned away.

    With ``noise`` the coefficients are drawn from a normal distribution about ``c``, anew at every call: a probabilistic
    symmetrization, symmetric in distribution.

    Args:
        base: the frame to start from.
        network: canonical forms (one argument, of the structure of the action, leading axis ``B k``) to coefficients ``[B k, dim]`` in
            the basis of the Lie algebra.
        noise: standard deviation of the coefficients.
        samples: how many elements are drawn for each one of ``base``.
        largest: bound on each coefficient's mean, by ``largest * tanh(c / largest)``; it keeps boosts from running away.
        generator: source of the noise; torch's global one by default.

    Source: the construction is folklore for compact groups; noise as in Kim et al., NeurIPS 2023, arXiv:2306.02866.

    >>> from erlangen.groups import SO
    >>> from erlangen.symmetrize import GramSchmidt
    >>> _ = torch.manual_seed(1)  # where vectors are nearly parallel, the frame to start from has two elements
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(20, 6))
    >>> frame = Shifted(GramSchmidt(), net)
    >>> frame(SO(1, 3, connected=True).vector, torch.rand(8, 5, 4) + torch.tensor([3.0, 0, 0, 0])).elements.shape
    torch.Size([8, 1, 4, 4])
    """

    def __init__(
        self,
        base: Frame,
        network: nn.Module,
        *,
        noise: float = 0.0,
        samples: int = 1,
        largest: float | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(base, Frame):
            raise ArgumentError("base", "a Frame, e.g. erlangen.frames.GramSchmidt()", type(base).__name__)
        if noise < 0:
            raise ArgumentError("noise", "a standard deviation of at least 0", repr(noise))
        if samples < 1 or (samples > 1 and not noise):
            raise ArgumentError("samples", "at least 1, and 1 without noise", repr(samples))
        if largest is not None and largest <= 0:
            raise ArgumentError("largest", "a positive bound", repr(largest))
        self.base, self.network, self.noise, self.samples, self.largest = base, network, noise, samples, largest
        self.generator = generator
        self.is_exact = base.is_exact and not noise
        self.differentiable = base.differentiable

    def forward(self, inp: Action, x: Any) -> Weighted:
        group, found = inp.group, self.base(inp, x)
        output = self.network(canonical(inp, x, found.elements))
        means = self._coefficients(group, found.elements, output)
        drawn = means.unsqueeze(2)
        if self.noise:
            shape = (*means.shape[:2], self.samples, means.shape[2])
            drawn = drawn + self.noise * torch.randn(shape, generator=self.generator, dtype=means.dtype, device=means.device)
        here = group.map(lambda leaf, shape: leaf.unsqueeze(2), found.elements)
        moved = group.multiply(here, exponential(group, drawn))
        elements = group.map(lambda leaf, shape: leaf.flatten(1, 2), moved)
        weights = None if found.weights is None else found.weights.repeat_interleave(self.samples, 1) / self.samples
        info = dict(found.info) | {"coefficients": means}
        return Weighted(elements, weights, dict(found.losses), info)

    def _coefficients(self, group: Group, elements: Element, output: Tensor) -> Float[Tensor, "B k dim"]:
        size, k = group.batch_shape(elements)
        if not isinstance(output, Tensor) or output.shape != (size * k, group.dim):
            got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ArgumentError("network", f"coefficients [{size * k}, {group.dim}] in the Lie algebra of {group}", got)
        means = output.to(a_tensor(elements).dtype).unflatten(0, (size, k))
        return means if self.largest is None else self.largest * torch.tanh(means / self.largest)

    def refuse(self, inp: Action) -> str:
        if not inp.group.dim:
            return f"{inp.group} has no Lie algebra"
        return self.base.refuse(inp)


def exponential(group: Group, coefficients: Float[Tensor, "*batch dim"]) -> Element:
    """``exp(sum_a c_a A_a)`` in the group's own basis of its Lie algebra; tuples for a product of groups.

    >>> from erlangen.groups import SE
    >>> exponential(SE(2), torch.zeros(4, 3)).shape
    torch.Size([4, 3, 3])
    """
    basis: Any = group.tangents(coefficients.dtype)
    device, batch = coefficients.device, coefficients.shape[:-1]

    def combine(leaf: Tensor) -> Tensor:
        leaf = leaf.to(device)
        if not leaf.is_floating_point():  # a discrete factor, which stays
            return leaf[0].expand(*batch, *leaf.shape[1:])
        return torch.tensordot(coefficients, leaf.to(coefficients.dtype), 1)

    return group.exp(optree.tree_map(combine, basis))
