"""`Phase`: the frame of a circle group, whatever the representation: turn each complex coordinate to the positive real axis."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.reps.base import Rep
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.ragged import Segment


class Phase(Frame):
    """A weighted frame for compact one-parameter groups ``exp(t A)``: circles, as a discoverer finds them.

    The representation's generator has eigenvalues ``+- i w_j``. The coordinates ``z_j`` along the eigenvectors of its lowest frequency
    ``w`` turn by ``e^{i w t}``, so ``t = arg(z_j) / w`` moves along with the datum. Every such coordinate gives one element, weighted by
    ``|z_j|^2``: the average is exact and, unlike that of a single chosen coordinate, continuous except where all of them vanish. If the
    group goes around ``m`` times while the coordinate goes around once less often, each coordinate gives ``m`` elements.

    Args:
        tokens: how many leading vectors of each datum are used (the others follow along).

    Source: the weighted frames of Dym, Lawrence & Siegel, "Equivariant Frames and the Impossibility of Continuous Canonicalization",
    ICML 2024, arXiv:2402.16077.

    >>> from erlangen.groups import SO
    >>> Phase()(4 * SO(2).vector, torch.randn(16, 1, 8)).elements.shape
    torch.Size([16, 4, 2, 2])
    """

    differentiable = True

    def __init__(self, tokens: int = 1) -> None:
        super().__init__()
        if tokens < 1:
            raise ArgumentError("tokens", "a positive number of vectors", tokens)
        self.tokens = tokens

    def forward(self, inp: Action, x: Any) -> Weighted:
        rep, part = _moving_part(inp, x)
        period, frequency, rows = _spectrum(rep)
        vectors = part.reshape(part.shape[0], -1, rep.dim)[:, : self.tokens].to(torch.float64)
        z = (vectors.to(rows.dtype) @ rows.to(part.device).mT).flatten(1)  # [B, tokens * coordinates]
        windings = round(period * frequency / (2 * math.pi))
        turns = torch.arange(windings, device=part.device, dtype=torch.float64) * (2 * math.pi / frequency)
        t = (z.angle() / frequency).unsqueeze(-1) + turns
        weights = z.abs().square().unsqueeze(-1).expand_as(t).flatten(1)
        total = weights.sum(1, keepdim=True)
        weights = torch.where(total > 0, weights / total, 1 / weights.shape[1])
        tangent = inp.group.take(inp.group.tangents(torch.float64), 0).to(part.device)
        elements = inp.group.exp(t.flatten(1)[..., None, None] * tangent)
        return Weighted(elements.to(part.dtype), weights.to(part.dtype))

    def refuse(self, inp: Action) -> str:
        if inp.group.dim != 1 or not inp.group.is_compact:
            return f"{inp.group} is not a compact one-parameter group"
        if any(isinstance(leaf, Segment) for leaf in _leaves(inp)):
            return "it takes the leading vectors of each datum, and a ragged batch has none"
        rep = next((leaf for leaf in _leaves(inp) if _moves(leaf)), None)
        if rep is None:
            return "no part of the input moves linearly under the group"
        try:
            _spectrum(rep)
        except ArgumentError as error:
            return str(error)
        return ""


def _leaves(inp: Action) -> list[Any]:
    return inp.leaves if isinstance(inp, Record) else [inp]


def _moves(action: Any) -> bool:
    if not isinstance(action, Rep):
        return False
    return bool(action.algebra(action.group.tangents(torch.float64)).abs().max() > 1e-9)


def _moving_part(inp: Action, x: Any) -> tuple[Rep, Tensor]:
    parts = inp.flatten(x) if isinstance(inp, Record) else [x]
    return next((leaf, part) for leaf, part in zip(_leaves(inp), parts) if _moves(leaf))


def _frequencies(generator: Tensor) -> tuple[Tensor, Tensor]:
    """Positive frequencies of a real matrix with imaginary spectrum, ascending, and the left eigenvectors that belong to them."""
    values, vectors = torch.linalg.eig(generator.mT)
    if values.real.abs().max() > 1e-8 * values.abs().max():
        raise ArgumentError(
            "inp", "a generator with purely imaginary spectrum", f"real parts up to {float(values.real.abs().max()):.3g}"
        )
    keep = values.imag > 1e-9 * values.abs().max()
    order = values.imag[keep].argsort()
    return values.imag[keep][order], vectors.mT[keep][order]


def _spectrum(rep: Rep) -> tuple[float, float, Tensor]:
    """The group's period, the representation's lowest frequency, and the linear forms of its coordinates ``[m, dim]`` (complex)."""
    tangent = rep.group.take(rep.group.tangents(torch.float64), 0)
    own, _ = _frequencies(tangent)
    base = float(own[0])
    # The period needs a frequency of which all are multiples; small quotients are enough in practice.
    for divisor in range(1, 13):
        ratios = own / (base / divisor)
        if (ratios - ratios.round()).abs().max() < 1e-6:
            period = 2 * math.pi / (base / divisor)
            break
    else:
        raise ArgumentError("inp", "frequencies in rational proportion (a closed circle)", [round(float(w), 6) for w in own])
    frequencies, rows = _frequencies(rep.algebra(tangent))
    lowest = float(frequencies[0])
    same = (frequencies - lowest).abs() < 1e-6 * lowest
    # Orthonormal forms: equal weights for equal sizes, whatever basis the eigensolver chose.
    rows = torch.linalg.qr(rows[same].mT).Q.mT
    return period, lowest, rows
