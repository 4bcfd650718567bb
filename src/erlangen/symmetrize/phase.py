"""`Phase`: the frame of a circle group, whatever the representation: turn each complex coordinate to the positive real axis."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

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
from erlangen.symmetrize.noise import smooth
from erlangen.symmetrize.robust import packed

#: Data that nothing of the circle moves are averaged over it exactly for tensors of up to this rank.
RANK = 3
#: How far windings, relative, and quotients of frequencies may be off whole numbers.
WHOLE = 1e-6


class Phase(Frame):
    """A weighted frame for compact one-parameter groups ``exp(t A)``: circles, as a discoverer finds them.

    The representation's generator has eigenvalues ``+- i w_j``. The coordinates ``z_j`` along the eigenvectors of its lowest frequency
    ``w`` turn by ``e^{i w t}``, so ``t = arg(z_j) / w`` moves along with the datum. Every such coordinate gives one element, weighted by
    ``|z_j|^2``: the average is exact and, unlike that of a single chosen coordinate, continuous except where all of them vanish. If the
    group goes around ``m`` times while the coordinate goes around once less often, each coordinate gives ``m`` elements.

    Where all of them vanish, to rounding of the data, the next frequency serves, then the datum's other vectors and parts; the weight goes
    over to these from where they are the fourth root of the precision of the datum's longest vector. A datum that has
    nothing that turns is left as it is by the whole circle: evenly spaced elements average tensors of up to rank 3 over it. So a batch
    has as many elements as the datum that needs most; a compiled model looks at the lowest frequency alone.

    Args:
        tokens: how many leading vectors of each datum are used (the others follow along).

    Source: the weighted frames of Dym, Lawrence & Siegel, "Equivariant Frames and the Impossibility of Continuous Canonicalization",
    ICML 2024, arXiv:2402.16077.

    >>> from erlangen.groups import SO
    >>> _ = torch.manual_seed(0)  # no datum near a tie
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
        first = moving[0]
        part = first.vectors
        sources = [first._replace(vectors=part[:, : self.tokens]), *moving]
        pieces = [(source, *piece) for source in sources for piece in _frequencies_of(source.rep)]
        look = may_look(part)
        open_ = torch.ones(len(part), 1, dtype=torch.float64, device=part.device)
        found: list[tuple[Tensor, Tensor]] = []
        for source, frequency, rows in pieces if look else pieces[:1]:
            if found and not bool(open_.any()):
                break
            t, weights, share = _turned(source, frequency, rows, period)
            share = share if look else (share > 0).to(share.dtype)
            found.append((t, weights * open_ * share))
            open_ = open_ * (1 - share)
        if look:  # nothing of what is still open moves
            # What moves only nearly nothing changes a little along the circle: more elements average that, too.
            nearly = any(bool((source.vectors.detach() != 0).any()) for source in moving) and bool((open_ > 0).any())
            count = (RANK + 3 * nearly) * round(period * fastest / (2 * math.pi)) + 1
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
            period, _ = _circle(inp.group)
            for leaf in filter(_moves, _leaves(inp)):
                for frequency, _ in _frequencies_of(leaf):
                    if abs((windings := period * frequency / (2 * math.pi)) - round(windings)) > WHOLE * windings:
                        return (
                            f"{leaf} turns {windings:.6g} times while the group goes around once: it is none of its representations"
                        )
        except ArgumentError as error:
            return str(error)
        return ""


def _leaves(inp: Action) -> list[Any]:
    return inp.leaves if isinstance(inp, Record) else [inp]


def _moves(action: Any) -> bool:
    if not isinstance(action, Rep):
        return False
    return bool(action.algebra(action.group.tangents(torch.float64)).abs().max() > 1e-9)


class _Moving(NamedTuple):
    """A part that moves: the vectors of each datum ``[B, n, dim]``, how far rounding may have moved them, and how long is nearly nothing,
    ``[B, 1]``."""

    rep: Rep
    vectors: Tensor
    blur: Tensor
    near: Tensor


def _moving_parts(inp: Action, x: Any) -> list[_Moving]:
    parts = inp.flatten(x) if isinstance(inp, Record) else [x]
    found = []
    for leaf, part in zip(_leaves(inp), parts):
        if _moves(leaf):
            vectors = part.reshape(part.shape[0], math.prod(part.shape[1:]) // leaf.dim, leaf.dim)
            eps = torch.finfo(part.dtype if part.is_floating_point() else torch.float64).eps
            largest = vectors.detach().double().abs().amax((1, 2)) if vectors.numel() else vectors.new_zeros(len(vectors)).double()
            blur = CERTAIN * (leaf.dim + 1) * eps * largest
            found.append(_Moving(leaf, vectors, blur.unsqueeze(1), eps ** (1 / 4) * _longest(leaf, vectors).unsqueeze(1)))
    return found


def _longest(rep: Rep, vectors: Tensor) -> Tensor:
    """The length of each datum's longest vector, by numbers that the circle does not change, ``[B]``."""
    wide = vectors.detach().double()
    if not rep.is_orthogonal:  # what turns, in coordinates in which it does
        rows = torch.cat([rows for _, rows in _frequencies_of(rep)]).to(vectors.device)
        wide = torch.view_as_real(wide.to(rows.dtype) @ rows.mT).flatten(-2)
    lengths = wide.norm(dim=-1)
    return lengths.amax(1) if lengths.shape[1] else lengths.sum(1)


def _turned(source: _Moving, frequency: float, rows: Tensor, period: float) -> tuple[Tensor, Tensor, Tensor]:
    """Where the circle's elements stand that each coordinate gives, their weights, and the share ``[B, 1]`` that all of them deserve.

    Weights sum to one, or are all zero where coordinates are nothing but rounding. The share goes to zero from where the largest coordinate
    is the fourth root of the precision of the datum's longest vector.
    """
    z = (source.vectors.to(torch.float64).to(rows.dtype) @ rows.to(source.vectors.device).mT).flatten(
        1
    )  # [B, vectors * coordinates]
    windings = round(period * frequency / (2 * math.pi))
    turns = torch.arange(windings, device=z.device, dtype=torch.float64) * (2 * math.pi / frequency)
    t = (z.angle() / frequency).unsqueeze(-1) + turns
    size = z.abs()
    surplus = (size - source.blur).clamp_min(0)
    # Relative to the datum's largest: squares of very small numbers would vanish.
    top = surplus.detach().amax(1, keepdim=True)
    weights = torch.where(surplus > 0, (surplus / torch.where(top > 0, top, 1.0)).square(), 0.0)
    weights = weights.unsqueeze(-1).expand_as(t).flatten(1)
    total = weights.sum(1, keepdim=True)
    share = smooth(surplus.amax(1, keepdim=True) / torch.where(source.near > 0, source.near, 1.0))
    return t.flatten(1), weights / torch.where(total > 0, total, 1.0), share


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
        if (ratios - ratios.round()).abs().max() < WHOLE:
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
