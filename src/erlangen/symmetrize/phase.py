"""`Phase`: the frame of a circle group, whatever the representation: turn each complex coordinate to the positive real axis."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.ragged import Segment
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.membership import may_look
from erlangen.reps.base import Rep
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.isometries import CERTAIN
from erlangen.symmetrize.robust import packed

#: Data that nothing of the circle moves are averaged over it exactly for tensors of up to this rank.
RANK = 3


class Phase(Frame):
    """A weighted frame for compact one-parameter groups ``exp(t A)``: circles, as a discoverer finds them.

    The representation's generator has eigenvalues ``+- i w_j``. The coordinates ``z_j`` along the eigenvectors of its lowest frequency
    ``w`` turn by ``e^{i w t}``, so ``t = arg(z_j) / w`` moves along with the datum. Every such coordinate gives one element, weighted by
    ``|z_j|^2``: the average is exact and, unlike that of a single chosen coordinate, continuous except where all of them vanish. If the
    group goes around ``m`` times while the coordinate goes around once less often, each coordinate gives ``m`` elements.

    Where all of them vanish, to rounding of the data, the next frequency serves, then the datum's other vectors and parts. A datum that has
    nothing that turns is left as it is by the whole circle: evenly spaced elements average tensors of up to rank 3 over it. So a batch
    has as many elements as the datum that needs most; a compiled model looks at the lowest frequency alone.

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
            raise ArgumentError("tokens", "a positive number of vectors", repr(tokens))
        self.tokens = tokens

    def forward(self, inp: Action, x: Any) -> Weighted:
        moving = _moving_parts(inp, x)
        period, fastest = _circle(inp.group)
        rep, part, blur = moving[0]
        sources = [(rep, part[:, : self.tokens], blur), *moving]
        pieces = [(vectors, off, *piece) for rep, vectors, off in sources for piece in _frequencies_of(rep)]
        look = may_look(part)
        open_ = torch.ones(len(part), 1, dtype=torch.float64, device=part.device)
        found: list[tuple[Tensor, Tensor]] = []
        for vectors, off, frequency, rows in pieces if look else pieces[:1]:
            if found and not bool(open_.any()):
                break
            t, weights = _turned(vectors, off, frequency, rows, period)
            found.append((t, weights * open_))
            open_ = open_ * (weights.detach().sum(1, keepdim=True) == 0)
        if look:  # nothing of what is still open moves
            count = RANK * round(period * fastest / (2 * math.pi)) + 1
            even = torch.arange(count, dtype=torch.float64, device=part.device) * (period / count)
            found.append((even.expand(len(part), -1), open_.expand(-1, count)))
            t, weights = (torch.cat(both, 1) for both in zip(*found))
            t, weights = packed(t.unsqueeze(-1), weights)
            t = t[..., 0]
        else:
            weights = weights + open_
        weights = weights / weights.sum(1, keepdim=True)
        tangent = inp.group.take(inp.group.tangents(torch.float64), 0).to(t.device)
        elements = inp.group.exp(t[..., None, None] * tangent)
        dtype = torch.promote_types(part.dtype, torch.float32)
        return Weighted(elements.to(dtype), weights.to(dtype))

    def refuse(self, inp: Action) -> str:
        if inp.group.dim != 1 or not inp.group.is_compact:
            return f"{inp.group} is not a compact one-parameter group"
        if any(isinstance(leaf, Segment) for leaf in _leaves(inp)):
            return "it takes the leading vectors of each datum, and a ragged batch has none"
        rep = next((leaf for leaf in _leaves(inp) if _moves(leaf)), None)
        if rep is None:
            return "no part of the input moves linearly under the group"
        try:
            _circle(inp.group)
            _frequencies_of(rep)
        except ArgumentError as error:
            return str(error)
        return ""


def _leaves(inp: Action) -> list[Any]:
    return inp.leaves if isinstance(inp, Record) else [inp]


def _moves(action: Any) -> bool:
    if not isinstance(action, Rep):
        return False
    return bool(action.algebra(action.group.tangents(torch.float64)).abs().max() > 1e-9)


def _moving_parts(inp: Action, x: Any) -> list[tuple[Rep, Tensor, Tensor]]:
    """The parts that move, with the vectors of each datum ``[B, n, dim]`` and how far rounding may have moved them, ``[B, 1]``."""
    parts = inp.flatten(x) if isinstance(inp, Record) else [x]
    found = []
    for leaf, part in zip(_leaves(inp), parts):
        if _moves(leaf):
            vectors = part.reshape(part.shape[0], math.prod(part.shape[1:]) // leaf.dim, leaf.dim)
            eps = torch.finfo(part.dtype if part.is_floating_point() else torch.float64).eps
            largest = vectors.detach().double().abs().amax((1, 2)) if vectors.numel() else vectors.new_zeros(len(vectors)).double()
            found.append((leaf, vectors, (CERTAIN * (leaf.dim + 1) * eps * largest).unsqueeze(1)))
    return found


def _turned(vectors: Tensor, blur: Tensor, frequency: float, rows: Tensor, period: float) -> tuple[Tensor, Tensor]:
    """Where the circle's elements stand that each coordinate gives, and their weights, zero where a coordinate is nothing but rounding."""
    z = (vectors.to(torch.float64).to(rows.dtype) @ rows.to(vectors.device).mT).flatten(1)  # [B, vectors * coordinates]
    windings = round(period * frequency / (2 * math.pi))
    turns = torch.arange(windings, device=z.device, dtype=torch.float64) * (2 * math.pi / frequency)
    t = (z.angle() / frequency).unsqueeze(-1) + turns
    size = z.abs()
    # Relative to the datum's largest: squares of very small numbers would vanish.
    weights = torch.where(size > blur, (size / torch.where(blur > 0, blur, 1.0)).square(), 0.0)
    return t.flatten(1), weights.unsqueeze(-1).expand_as(t).flatten(1)


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


def _circle(group: Group) -> tuple[float, float]:
    """The group's period, and the fastest of its frequencies."""
    own, _ = _frequencies(group.take(group.tangents(torch.float64), 0))
    base = float(own[0])
    # The period needs a frequency of which all are multiples; small quotients are enough in practice.
    for divisor in range(1, 13):
        ratios = own / (base / divisor)
        if (ratios - ratios.round()).abs().max() < 1e-6:
            return 2 * math.pi / (base / divisor), float(own[-1])
    raise ArgumentError("inp", "frequencies in rational proportion (a closed circle)", [round(float(w), 6) for w in own])


def _frequencies_of(rep: Rep) -> list[tuple[float, Tensor]]:
    """The representation's frequencies, ascending, each with the linear forms of its coordinates ``[m, dim]`` (complex)."""
    frequencies, rows = _frequencies(rep.algebra(rep.group.take(rep.group.tangents(torch.float64), 0)))
    found = []
    while len(frequencies):
        lowest = float(frequencies[0])
        same = (frequencies - lowest).abs() < 1e-6 * lowest
        # Orthonormal forms: equal weights for equal sizes, whatever basis the eigensolver chose.
        found.append((lowest, torch.linalg.qr(rows[same].mT).Q.mT))
        frequencies, rows = frequencies[~same], rows[~same]
    return found
