"""`Spectral`: frames of all relabellings of a graph, from the eigenspaces of its Laplacian."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.ordering import (
    ROUNDINGS,
    Columns,
    block_sizes,
    count_orders,
    node_axes,
    node_parts,
    orders_of,
    relabelling_refusal,
    shuffles_of,
    sorted_rows,
)


class Spectral(Frame):
    """The orders that sort a graph's nodes by what the graph itself says of them.

    Each node has a row: its own features, the sums of its pairs' features over either end, and, for each distinct eigenvalue of the
    Laplacian in ascending order, the length of the node's part of the eigenspace (the square root of the diagonal of the
    eigenprojector, ``|u_i|`` for a simple eigenvalue). The frame is every order that sorts the rows lexicographically: the product of
    factorials over ties. None of this depends on which basis of an eigenspace was computed. Of a directed graph, the spectrum is that of
    its symmetric part.

    What counts as equal follows from the precision of the data: features within 64 roundings of the column's largest; eigenvalues within
    what such errors of the matrix can make of equal ones (distances in single precision: 1e-5 of the largest); lengths within the same,
    divided by the distance to the next eigenvalue. Matrices of whole numbers are exact in any dtype.

    Most graphs have a single order or few; very symmetric ones (a complete graph) have ``n!``, then ``samples`` of them are drawn, which
    is unbiased and symmetric in distribution only.

    Args:
        max_frame: the most orders of a graph that are all taken.
        samples: how many are drawn, anew at each call, of a graph that has more; 0 refuses such graphs.
        tolerance: eigenvalues that differ by at most this much of the largest are one; by default what rounding can make of equal
            ones. Comparing floats exactly instead (``tolerance=0``), as published code does, takes rounding for structure: the rows
            then depend on the labelling.
        of: the part of a dict with the adjacency matrix; by default the first that moves on two axes, of one channel if there is such.
            Channels are added up for the Laplacian.
        generator: source of randomness; torch's global one by default.

    Source: Puny et al., "Frame Averaging for Invariant and Equivariant Network Design", ICLR 2022, arXiv:2110.03336.

    >>> from erlangen.actions.graphs import adjacency
    >>> from erlangen.groups import Symmetric
    >>> path = torch.tensor([[[0.0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]]])
    >>> Spectral()(adjacency(Symmetric(4)), path).elements  # the two ends tie, and the two middles
    tensor([[[1, 2, 0, 3],
             [1, 2, 3, 0],
             [2, 1, 0, 3],
             [2, 1, 3, 0]]])
    """

    takes_noise = True

    differentiable = True  # orders jump

    def __init__(
        self,
        max_frame: int = 120,
        samples: int = 0,
        tolerance: float | None = None,
        of: str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for name, number, least in (("max_frame", max_frame, 1), ("samples", samples, 0), ("tolerance", tolerance, 0)):
            if number is not None and number < least:
                raise ArgumentError(name, f"at least {least}", number)
        self.max_frame, self.samples, self.tolerance, self.of, self.generator = max_frame, samples, tolerance, of, generator
        self.is_exact = samples == 0

    def forward(self, inp: Action, x: Any, noise: Sequence[Tensor | None] | None = None) -> Weighted:
        order, same = sorted_rows(self._columns(inp, x, noise))
        counts = count_orders(same)
        large = counts > self.max_frame
        if bool(large.any()) and not self.samples:
            hint = "samples=k draws k of them, which is symmetric in distribution"
            expected = f"graphs with at most max_frame = {self.max_frame} sorting orders"
            raise ArgumentError("x", expected, f"one with {counts.max():.0f}", hint)
        counts = torch.where(large, self.samples, counts).long()
        k = int(counts.max()) if len(counts) else 1
        places = torch.arange(order.shape[1], device=order.device).repeat(len(order), k, 1)
        if bool(large.any()):
            places[large, : self.samples] = shuffles_of(same[large], self.samples, self.generator)
        patterns, which = torch.unique(same, dim=0, return_inverse=True)
        for i, pattern in enumerate(patterns):
            rows = ((which == i) & ~large).nonzero().squeeze(1)
            if len(rows):
                every = orders_of(block_sizes(pattern)).to(order.device)
                places[rows.unsqueeze(1), torch.arange(len(every), device=order.device)] = every
        # Graphs with fewer orders than others of the batch have their first one again, with weight zero.
        elements = order.unsqueeze(1).expand(places.shape).gather(-1, places)
        taken = torch.arange(k, device=order.device) < counts.unsqueeze(1)
        return Weighted(elements, taken.double() / counts.unsqueeze(1))

    def sorted_rows(self, inp: Action, x: Any) -> Float[Tensor, "B n c"]:
        """The rows in their sorted order: what a relabelling does not change, to rounding; the last ``n`` columns are the spectral ones."""
        columns = self._columns(inp, x)
        order, _ = sorted_rows(columns)
        values = torch.cat([column.values for column in columns], -1)
        return values.gather(1, order.unsqueeze(-1).expand_as(values))

    def _columns(self, inp: Action, x: Any, noise: Sequence[Tensor | None] | None = None) -> list[Columns]:
        """Features of nodes, sums of features of pairs, spectral columns, in float64."""
        parts = node_parts(inp, x, noise)
        single = (pairs.name for pairs in parts.pairs if pairs.values.shape[-1] == 1)
        chosen = self.of or next(single, next((pairs.name for pairs in parts.pairs), None))
        matrix = next((pairs for pairs in parts.pairs if pairs.name == chosen), None)
        if matrix is None:
            raise ArgumentError(chosen or "inp", "an adjacency matrix, a part that moves on two axes", repr(inp))
        columns = [Columns(name, values.detach().double(), own) for name, values, own, _ in parts.features]
        for name, values, own, _ in parts.pairs:
            values, own, n = values.detach().double(), own.squeeze(1), values.shape[1]
            columns.append(Columns(name, values.diagonal(dim1=1, dim2=2).mT, own))  # loops, which no Laplacian sees
            if name != chosen or values.shape[-1] > 1:
                columns += [Columns(name, values.sum(axis), n * own) for axis in (1, 2)]
        a, own = matrix.values.detach().double().sum(-1), matrix.noise.sum(-1).flatten(1)
        whole = (a == a.round()).all(2).all(1, keepdim=True) & (ROUNDINGS * own < 1)
        return [*columns, spectral_columns(a, torch.where(whole, 0.0, own), self.tolerance)]

    def refuse(self, inp: Action) -> str:
        leaves = inp.leaves if isinstance(inp, Record) else [inp]
        if not any(len(node_axes(leaf)) == 2 for leaf in leaves):
            return f"no part of {inp!r} is an adjacency matrix"
        return relabelling_refusal(inp)


def spectral_rows(a: Float[Tensor, "B n n"], tolerance: float | None = None) -> Float[Tensor, "B n n"]:
    """Of each node, the length of its part of each eigenspace of the Laplacian ``D - A``; columns that are not needed are zero.

    Eigenvalues that differ by at most ``tolerance`` times the largest are one; by default what rounding in float64 can make of equal ones.

    >>> triangle = (1 - torch.eye(3)).unsqueeze(0)
    >>> spectral_rows(triangle)[0, 0].square()  # 1/3 of the constants, 2/3 of the rest
    tensor([0.3333, 0.6667, 0.0000], dtype=torch.float64)
    """
    return spectral_columns(a, tolerance=tolerance).values


def spectral_columns(
    a: Float[Tensor, "B n n"], noise: Float[Tensor, "B 1"] | None = None, tolerance: float | None = None
) -> Columns:
    """:func:`spectral_rows` of matrices whose entries are off by ``noise`` (left out: exact), and how far the rows are off."""
    a = a.double()
    a = (a + a.mT) / 2
    noise = a.new_zeros(len(a), 1) if noise is None else noise
    values, vectors = torch.linalg.eigh(torch.diag_embed(a.sum(-1)) - a)
    largest, n = values.abs().amax(1, keepdim=True), a.shape[-1]
    # An eigenvalue is off by at most the norm of the matrix's error, and eigh adds its own.
    off = n * (noise + torch.finfo(a.dtype).eps * largest)
    least = ROUNDINGS * off if tolerance is None else tolerance * largest
    gaps = values.diff(dim=1)
    space = torch.zeros_like(values, dtype=torch.int64)
    space[:, 1:] = (gaps > least).cumsum(1)
    shares = torch.zeros_like(vectors).scatter_add_(2, space.unsqueeze(1).expand_as(vectors), vectors.square())
    # An eigenspace turns by the matrix's error over the distance to the nearest other eigenvalue.
    beside = torch.full_like(values[:, :1], torch.inf)
    apart = torch.where(gaps > least, gaps, torch.inf)
    nearest = torch.minimum(torch.cat([beside, apart], 1), torch.cat([apart, beside], 1))
    distance = torch.full_like(values, torch.inf).scatter_reduce_(1, space, nearest, "amin")
    return Columns("spectrum", shares.sqrt(), (off / distance + torch.finfo(a.dtype).eps).unsqueeze(1))
