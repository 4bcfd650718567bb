"""Equivariant maps between representations that are typed tensors: the flat last axis to tensors and back, around `LinearMaps`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor

from erlangen.maps.contraction import LinearMaps, Normalize
from erlangen.maps.diagrams.diagram import Diagram
from erlangen.maps.diagrams.enumeration import count
from erlangen.maps.diagrams.functor import matrix
from erlangen.maps.diagrams.inner import inner, orbit_matrix
from erlangen.maps.spaces import Space

#: The parts of a representation: where the copies of each space lie on the last axis, ``[copies, dim]``.
Parts = dict[Space, Tensor]


class DiagramMaps:
    """All equivariant maps between two such representations; see :class:`erlangen.maps.EquivariantMaps`, which chooses it.

    Basis elements are ordered by target space, source space, diagram, target copy, source copy.
    """

    def __init__(
        self, source: Parts, target: Parts, *, orbits: bool, spanning: bool, normalize: Normalize, max_diagrams: int
    ) -> None:
        self.source, self.target = source, target
        self.orbits, self.spanning, self.normalize, self.max_diagrams = orbits, spanning, normalize, max_diagrams
        self._flat_in, self._flat_out = _inverse(source), _inverse(target)

    @cached_property
    def maps(self) -> LinearMaps:
        return LinearMaps(
            tuple(self.source), tuple(self.target), self.normalize, spanning=self.spanning, max_diagrams=self.max_diagrams
        )

    @cached_property
    def dim(self) -> int:
        return sum(
            count(s, t, spanning=self.spanning) * len(self.source[s]) * len(self.target[t])
            for t in self.target
            for s in self.source
        )

    @cached_property
    def _orbit_matrices(self) -> dict[tuple[int, int], Tensor]:
        spaces = tuple(self.source), tuple(self.target)
        return {(l, m): orbit_matrix(terms, spaces[0][m], spaces[1][l]) for (l, m), terms in self.maps.terms.items()}

    def _pairs(self) -> list[tuple[tuple[int, int], tuple[Diagram, ...], Space, Space, Tensor, Tensor]]:
        """(l, m), diagrams, source, target, and the places of their copies."""
        found = []
        for l, (t, out) in enumerate(self.target.items()):
            for m, (s, inp) in enumerate(self.source.items()):
                found.append(((l, m), self.maps.terms[l, m], s, t, inp, out))
        return found

    def labels(self) -> tuple[str, ...]:
        plain = len(self.source) == len(self.target) == 1 and all(
            len(p) == 1 for p in (*self.source.values(), *self.target.values())
        )
        names = []
        for (l, m), terms, _, _, inp, out in self._pairs():
            for d in terms:
                places = [(a, b) for a in range(len(out)) for b in range(len(inp))]
                names += [str(d) if plain else f"{l}.{a} <- {m}.{b}: {d}" for a, b in places]
        return tuple(names)

    def blocks(self, weights: Tensor) -> dict[tuple[int, int], Tensor]:
        """Weights ``[dim, C_out, C_in]`` as those of :class:`LinearMaps`, copies joined to the channels."""
        found, start = {}, 0
        for pair, terms, _, _, inp, out in self._pairs():
            size = len(terms) * len(out) * len(inp)
            w = weights[start : start + size].reshape(len(terms), len(out), len(inp), *weights.shape[1:])
            start += size
            if self.orbits:
                change = self._orbit_matrices[pair].to(w.device, w.dtype)
                w = torch.tensordot(change.mT, w, 1)
            found[pair] = w.permute(0, 3, 1, 4, 2).reshape(len(terms), weights.shape[1] * len(out), weights.shape[2] * len(inp))
        return found

    def apply(self, weights: Tensor, x: Tensor, counts: Mapping | None = None) -> Tensor:
        """``[*batch, C_in, dim source]`` to ``[*batch, C_out, dim target]`` with weights ``[dim, C_out, C_in]``."""
        lead, channels = x.shape[:-2], weights.shape[1]
        if self._flat_in is not None:
            x = x.index_select(-1, torch.cat([p.flatten() for p in self.source.values()]).to(x.device))
        pieces = x.split([p.numel() for p in self.source.values()], -1)
        xs = [
            piece.reshape(*lead, x.shape[-2] * len(places), *space.shape)
            for piece, (space, places) in zip(pieces, self.source.items())
        ]
        ys = self.maps.apply(self.blocks(weights), xs, counts)
        flat = [y.reshape(*lead, channels, places.numel()) for y, places in zip(ys, self.target.values())]
        y = torch.cat(flat, -1) if len(flat) > 1 else flat[0]
        return y if self._flat_out is None else y.index_select(-1, self._flat_out.to(y.device))

    def dense(self) -> Tensor:
        """The basis as matrices ``[dim, dim target, dim source]`` in float64, not normalised."""
        shape = sum(p.numel() for p in self.target.values()), sum(p.numel() for p in self.source.values())
        rows = torch.zeros(self.dim, *shape, dtype=torch.float64)
        at = 0
        for pair, terms, s, t, inp, out in self._pairs():
            stacked = torch.stack([matrix(d, s, t) for d in terms]).to(torch.float64) if terms else torch.zeros(0, t.dim, s.dim)
            if self.orbits and terms:
                stacked = torch.tensordot(self._orbit_matrices[pair], stacked, 1)
            for m in stacked:
                for a in out:
                    for b in inp:
                        rows[at, a[:, None], b] = m
                        at += 1
        return rows

    def coefficients(self, m: Tensor) -> Tensor:
        """Coefficients ``[dim]`` of the nearest equivariant matrix (in the Frobenius norm) to ``m`` [dim target, dim source]."""
        found = []
        for pair, terms, s, t, inp, out in self._pairs():
            if not terms:
                continue
            sub = m[out[:, None, :, None], inp[None, :, None, :]]  # [copies out, copies in, dim t, dim s]
            products = torch.stack([inner(d, s, t, sub) for d in terms])
            gram = torch.stack([torch.stack([inner(d, s, t, matrix(e, s, t).to(m.dtype)) for e in terms]) for d in terms])
            solved = torch.linalg.lstsq(gram, products.flatten(1), driver="gelsd").solution.reshape(products.shape)
            if self.orbits:
                solved = torch.linalg.solve(self._orbit_matrices[pair].mT, solved.flatten(1)).reshape(solved.shape)
            found.append(solved.flatten())
        return torch.cat(found) if found else m.new_zeros(0)

    def deviations(self) -> Tensor:
        """Standard deviations ``[dim]`` of one-channel weights that keep the variance of the entries: one over the root of the number of
        terms that reach the same entries."""
        if self.orbits:  # the orbits share out all entries of the matrix
            return torch.full((self.dim,), sum(p.numel() for p in self.source.values()) ** -0.5, dtype=torch.float64)
        spreads = []
        reach: dict[tuple[int, tuple], int] = {}
        ties = {}
        for (l, m), terms, _, _, inp, _ in self._pairs():
            for i, d in enumerate(terms):
                above = tuple(sorted(tuple(v for v in b if v < d.top) for b in d.blocks if b[0] < d.top))
                ties[l, m, i] = above
                reach[l, above] = reach.get((l, above), 0) + len(inp)
        for (l, m), terms, s, _, inp, out in self._pairs():
            for i, d in enumerate(terms):
                summed = 1.0
                if self.normalize == "sum":
                    tied = {j for head in d.heads for j in head}
                    for j, b in enumerate(d.blocks):
                        if b[0] >= d.top and j not in tied:
                            summed *= s.axes[b[0] - d.top].n
                spreads += [(reach[l, ties[l, m, i]] * summed) ** -0.5] * (len(out) * len(inp))
        return torch.tensor(spreads, dtype=torch.float64)


def _inverse(parts: Parts) -> Tensor | None:
    """Where each entry of the last axis lies among the parts laid one after another; ``None`` when it lies where it was."""
    places = torch.cat([p.flatten() for p in parts.values()])
    return None if torch.equal(places, torch.arange(len(places))) else places.argsort()
