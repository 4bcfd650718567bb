"""`LieEnergy`: the element of a compact Lie group whose canonical form a network likes best, found by search."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.batches import a_tensor, batch_size
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element, Group
from erlangen.symmetrize.frames import Frame, Weighted, for_network
from erlangen.symmetrize.shifted import exponential
from erlangen.symmetrize.symmetrized import canonical


class LieEnergy(Frame):
    """``argmin_g u(g^-1 x)`` for any network ``u``: the best of ``starts`` fixed elements, then steps along the algebra that shrink.

    Every step tries both directions of every generator and moves to the best place or halves its length: no derivative, and it ends
    within ``resolution`` of a local minimum. Exact as far as that minimum is the global one and ``u``'s data are not interpolated, so
    it does not count as an exact frame.

    In training, the minimum's derivative by the network's parameters (by the implicit function theorem, which needs a ``u`` with second
    derivatives: no ``relu``) reaches the model through the element.

    Args:
        network: canonical forms (one argument, leading axis ``B m``) to an energy each, ``[B m]`` or ``[B m, 1]``.
        starts: how many elements are tried first: evenly spaced in one dimension, else drawn once from ``seed``.
        resolution: the length of the last step, in radians for rotations.
        seed: of the starts.

    Source: Kaba et al., ICML 2023, arXiv:2211.06489, section 3.2.

    >>> from erlangen.groups import SO
    >>> frame = LieEnergy(nn.Sequential(nn.Flatten(), nn.Linear(15, 1)))
    >>> frame(SO(3).vector, torch.randn(8, 5, 3)).elements.shape
    torch.Size([8, 1, 3, 3])
    """

    is_exact = False

    def __init__(self, network: nn.Module, *, starts: int = 36, resolution: float = 1e-3, seed: int = 0) -> None:
        super().__init__()
        if starts < 1:
            raise ArgumentError("starts", "at least 1", repr(starts))
        if resolution <= 0:
            raise ArgumentError("resolution", "a positive length", repr(resolution))
        self.network, self.starts, self.resolution, self.seed = network, starts, resolution, seed

    def forward(self, inp: Action, x: Any) -> Weighted:
        group, size, leaf = inp.group, batch_size(inp, x), a_tensor(x)
        with torch.no_grad():
            tried = group.map(lambda e, shape: e.expand(size, *e.shape), self._starts(group, leaf))
            best, energy = self._best(inp, x, tried)
            step = math.pi / self.starts ** (1 / group.dim)
            directions = torch.cat([torch.eye(group.dim), -torch.eye(group.dim)]).to(leaf)
            while step > self.resolution:
                around = group.multiply(
                    group.map(lambda e, shape: e.unsqueeze(1), best),
                    exponential(group, step * directions),
                )
                candidate, lower = self._best(inp, x, around)
                better = lower < energy
                best = torch.where(better[:, None, None], candidate, best)
                energy = torch.minimum(energy, lower)
                if not bool(better.any()):
                    step /= 2
        best = best.unsqueeze(1)
        if self.training and any(p.requires_grad for p in self.network.parameters()):
            best = group.multiply(best, exponential(group, self._implicit(inp, x, best).to(leaf.dtype)).unsqueeze(1))
        return Weighted(best, info={"energy": energy})

    def _starts(self, group: Group, leaf: Tensor) -> Element:
        if group.dim == 1:
            angles = torch.arange(self.starts, dtype=leaf.dtype, device=leaf.device) * (2 * math.pi / self.starts)
            return exponential(group, angles.unsqueeze(1))
        rng = torch.Generator().manual_seed(self.seed)
        return group.sample(self.starts, generator=rng, dtype=leaf.dtype).to(leaf.device)

    def _energies(self, inp: Action, x: Any, elements: Element) -> Float[Tensor, "B m"]:
        size, m = inp.group.batch_shape(elements)
        energy = self.network(for_network(self.network, canonical(inp, x, elements)))
        if not isinstance(energy, Tensor) or energy.shape not in ((size * m,), (size * m, 1)):
            got = tuple(energy.shape) if isinstance(energy, Tensor) else type(energy).__name__
            raise ArgumentError("network", f"one energy for each copy, [{size * m}] or [{size * m}, 1]", got)
        return energy.reshape(size, m)

    def _best(self, inp: Action, x: Any, elements: Element) -> tuple[Element, Float[Tensor, " B"]]:
        lowest, at = self._energies(inp, x, elements).min(1)
        return inp.group.take(elements, (torch.arange(len(at), device=at.device), at)), lowest

    def _implicit(self, inp: Action, x: Any, best: Element) -> Float[Tensor, "B dim"]:
        """Zero in value; its derivative by the parameters is that of the minimum, ``-H^-1 d(grad)``."""
        group = inp.group
        size = len(best)
        with torch.enable_grad():
            away = torch.zeros(size, group.dim, dtype=best.dtype, device=best.device, requires_grad=True)
            energy = self._energies(inp, x, group.multiply(best, exponential(group, away).unsqueeze(1)))
            (gradient,) = torch.autograd.grad(energy.sum(), away, create_graph=True)
            rows = [torch.autograd.grad(gradient[:, a].sum(), away, retain_graph=True)[0] for a in range(group.dim)]
        curvature, directions = torch.linalg.eigh((hessian := torch.stack(rows, 1).detach()).mT / 2 + hessian / 2)
        # A minimum does not move in a flat direction: one whose curvature is nothing beside the largest, or beside rounding of the energy.
        flat = 1e-6 * curvature.amax(1, keepdim=True)
        flat = torch.maximum(flat, 16 * torch.finfo(energy.dtype).eps * energy.detach().abs().amax(1, keepdim=True).to(flat))
        inverse = torch.where(curvature > flat, 1 / torch.where(curvature > flat, curvature, 1.0), 0.0)
        along = (gradient.unsqueeze(1) @ directions).squeeze(1) * inverse
        move = -(directions @ along.unsqueeze(-1)).squeeze(-1)
        return move - move.detach()

    def refuse(self, inp: Action) -> str:
        group = inp.group
        if not group.dim:
            return f"{group} is discrete: Energy serves it"
        if not group.is_compact or not isinstance(group.element_shape, tuple) or len(group.element_shape) != 2:
            return f"{group} is not a compact group of matrices"
        return ""
