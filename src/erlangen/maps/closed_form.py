"""Equivariant maps between representations that are typed tensors: the flat last axis to tensors and back, around `LinearMaps`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.maps.constraints import MAX_ENTRIES
from erlangen.maps.contraction import MOVE, Cost, LinearMaps, Normalize
from erlangen.maps.diagrams.diagram import Diagram
from erlangen.maps.diagrams.enumeration import count
from erlangen.maps.diagrams.functor import matrix
from erlangen.maps.diagrams.inner import inner, orbit_matrix
from erlangen.maps.factored import Factored, factored
from erlangen.maps.irreps import IrrepMaps
from erlangen.maps.matrices import multiply_out
from erlangen.maps.precision import in_float32, narrow
from erlangen.maps.typed_axes import Copies, Space

Strategy = Literal["auto", "contract", "dense"]

#: Entries of a basis that may be kept written out, and the multiplications that take as long as calling one small tensor operation.
_WRITTEN, _CALL = 4_000_000, 160_000
#: Entries of thin matrices that may be kept.
_THIN = 1_000_000


class _Pair(NamedTuple):
    """One target space, one source space, their diagrams, and where the copies of both lie, ``[copies, dim]``."""

    l: int
    m: int
    terms: tuple[Diagram, ...]
    source: Space
    target: Space
    inputs: Copies
    outputs: Copies


class DiagramMaps:
    """All equivariant maps between two such representations; see :class:`erlangen.maps.EquivariantMaps`, which chooses it.

    ``source`` and ``target`` say where the copies of each space lie on the last axis. Basis elements are ordered by target space, source
    space, diagram, target copy, source copy.
    """

    def __init__(
        self,
        source: Mapping[Space, Copies],
        target: Mapping[Space, Copies],
        *,
        orbits: bool,
        spanning: bool,
        normalize: Normalize,
        max_diagrams: int,
        strategy: Strategy,
        by_irreps: Callable[[], IrrepMaps | None] = lambda: None,
    ) -> None:
        # Pairs rather than dictionaries, and plain numbers for what runs: torch.compile would hash the spaces.
        self._source, self._target = tuple(source.items()), tuple(target.items())
        self._orbits, self._spanning, self._normalize, self._max_diagrams = orbits, spanning, normalize, max_diagrams
        self._strategy, self._by_irreps = strategy, by_irreps
        self._written: dict[tuple[torch.dtype, torch.device], Tensor] = {}
        self._sizes = (sum(p.numel() for _, p in self._target), sum(p.numel() for _, p in self._source))
        self._outputs = tuple(p.numel() for _, p in self._target)
        self._inputs = tuple((len(copies), space.shape) for space, copies in self._source)

    @cached_property
    @torch.inference_mode(False)  # what is kept must serve training too
    def _gather(self) -> Tensor | None:
        return _places(self._source)

    @cached_property
    @torch.inference_mode(False)
    def _scatter(self) -> Tensor | None:
        places = _places(self._target)
        return None if places is None else places.argsort()

    @cached_property
    @torch.inference_mode(False)
    def maps(self) -> LinearMaps:
        """The diagrams and their plan, made when first needed: the dimension alone needs neither."""
        sources, targets = [s for s, _ in self._source], [t for t, _ in self._target]
        return LinearMaps(sources, targets, self._normalize, spanning=self._spanning, max_diagrams=self._max_diagrams)

    @cached_property
    def dim(self) -> int:
        return sum(count(s, t, spanning=self._spanning) * len(i) * len(o) for t, o in self._target for s, i in self._source)

    @cached_property
    def _layout(self) -> list[tuple[tuple[int, int], int, int, int]]:
        """(l, m), number of diagrams, copies of the target and of the source, in the order of the weights."""
        return [((p.l, p.m), len(p.terms), len(p.outputs), len(p.inputs)) for p in self._pairs()]

    @cached_property
    @torch.inference_mode(False)
    def _orbit_matrices(self) -> dict[tuple[int, int], Tensor]:
        return {(p.l, p.m): orbit_matrix(p.terms, p.source, p.target) for p in self._pairs()}

    def _pairs(self) -> Iterator[_Pair]:
        for l, (t, out) in enumerate(self._target):
            for m, (s, inp) in enumerate(self._source):
                yield _Pair(l, m, self.maps.terms[l, m], s, t, inp, out)

    def prepare(self) -> None:
        _ = self._layout, self._cost, self._gather, self._scatter, self._orbit_matrices if self._orbits else None
        _ = self._irreps, self._factored

    @cached_property
    @torch.inference_mode(False)
    def _irreps(self) -> tuple[IrrepMaps, Tensor] | None:
        """Of SO(3) and O(3) the same maps by irreducible parts, and the weights of these from ours, ``[dim of theirs, dim]``."""
        entries = self._sizes[0] * self._sizes[1]
        if self._strategy != "auto" or not self.dim or entries * self.dim > _WRITTEN:
            return None
        found = self._by_irreps()
        return None if found is None else (found, found.coefficients(self._write_out(torch.float64, torch.device("cpu"))).mT)

    @cached_property
    @torch.inference_mode(False)
    def _factored(self) -> Factored | None:
        """Of one tensor to one other the same maps as thin matrices, where these are small enough to be written out."""
        alone = len(self._source) == len(self._target) == len(self._source[0][1]) == len(self._target[0][1]) == 1
        if self._strategy != "auto" or self._orbits or not alone or not self.dim:
            return None
        return factored(self.maps, _THIN)

    def labels(self) -> tuple[str, ...]:
        plain = len(self._source) == len(self._target) == 1 and all(len(p) == 1 for _, p in (*self._source, *self._target))
        names = []
        for p in self._pairs():
            copies = [f"{p.l}.{a} <- {p.m}.{b}: " for a in range(len(p.outputs)) for b in range(len(p.inputs))]
            names += [("" if plain else copy) + str(d) for d in p.terms for copy in copies]
        return tuple(names)

    def _weights(self, weights: Tensor) -> dict[tuple[int, int], Tensor]:
        """Weights ``[dim, C_out, C_in]`` as those of :class:`LinearMaps`, copies joined to the channels."""
        found, start = {}, 0
        for pair, terms, out, inp in self._layout:
            w = weights[start : start + terms * out * inp].reshape(terms, out, inp, *weights.shape[1:])
            start += terms * out * inp
            if self._orbits:
                w = torch.tensordot(self._orbit_matrices[pair].mT.to(w.device, w.dtype), w, 1)
            found[pair] = w.permute(0, 3, 1, 4, 2).reshape(terms, weights.shape[1] * out, weights.shape[2] * inp)
        return found

    def apply(self, weights: Tensor, x: Tensor, counts: Mapping | None = None) -> Tensor:
        """``[*batch, C_in, dim source]`` to ``[*batch, C_out, dim target]`` with weights ``[dim, C_out, C_in]``."""
        low = narrow(x)
        if low is not None:
            return in_float32(lambda w, data: self.apply(w, data, counts), weights, x).to(low)
        way = "contract" if counts is not None else self._way(weights, x)
        if way == "dense":
            return multiply_out(self._basis(x), weights, x)
        if way == "factored":
            assert self._factored is not None
            return self._factored.apply(weights, x)
        if way == "irreps":
            assert self._irreps is not None
            maps, change = self._irreps
            theirs = (change.to(weights.device, weights.dtype) @ weights.flatten(1)).unflatten(1, weights.shape[1:])
            return maps.apply(theirs, x)
        return self._contract(weights, x, counts)

    def _way(self, weights: Tensor, x: Tensor) -> str:
        """What is cheapest: one matrix, written out; products of irreducible parts; or contractions, whose cost is mostly that of calling
        them when they are small."""
        if self._strategy != "auto":
            return self._strategy
        if torch.compiler.is_exporting():  # the batch may be of any size
            return "contract" if self._irreps is None else "irreps"
        entries, batch = self._sizes[0] * self._sizes[1], x.shape[:-2].numel()
        channels = (weights.shape[1], weights.shape[2])
        pairs = channels[0] * channels[1]
        costs = {"contract": self._cost.of(channels) * batch + self._cost.calls * _CALL}
        if entries * weights.shape[0] <= _WRITTEN:
            costs["dense"] = entries * pairs * (weights.shape[0] + batch)
        if self._irreps is not None:
            maps, change = self._irreps
            costs["irreps"] = maps.cost.of(channels) * batch + change.numel() * pairs + maps.cost.calls * _CALL
        if self._factored is not None:
            cost, core = self._factored.cost, self._factored.core * pairs
            # The core is made of the weights, then brought into the order of the channels.
            costs["factored"] = cost.of(channels) * batch + (self.dim + MOVE) * core + cost.calls * _CALL
        return min(costs, key=lambda way: costs[way])

    @cached_property
    def _cost(self) -> Cost:
        return self.maps.cost([len(p) for _, p in self._source], [len(p) for _, p in self._target])

    def _basis(self, like: Tensor) -> Tensor:
        """The normalised basis ``[dim, out, in]`` in the dtype and on the device of the data; written once."""
        key = (like.dtype, like.device)
        if key not in self._written:
            self._written[key] = self._write_out(*key)
        return self._written[key]

    @torch.inference_mode(False)
    def _write_out(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        eye = torch.eye(self.dim, dtype=torch.float64).unsqueeze(-1)
        columns = torch.eye(self._sizes[1], dtype=torch.float64).unsqueeze(1)
        return self._contract(eye, columns, None).permute(1, 2, 0).to(device, dtype).contiguous()

    def _contract(self, weights: Tensor, x: Tensor, counts: Mapping | None) -> Tensor:
        lead, channels = x.shape[:-2], weights.shape[1]
        if self._gather is not None:
            x = x.index_select(-1, self._gather.to(x.device))
        widths = [copies * math.prod(shape) for copies, shape in self._inputs]
        pieces = x.split(widths, -1) if len(widths) > 1 else [x]
        xs = [piece.reshape(*lead, x.shape[-2] * copies, *shape) for piece, (copies, shape) in zip(pieces, self._inputs)]
        ys = self.maps.apply(self._weights(weights), xs, counts)
        ys = [y.reshape(*lead, channels, size) for y, size in zip(ys, self._outputs)]
        y = torch.cat(ys, -1) if len(ys) > 1 else ys[0]
        return y if self._scatter is None else y.index_select(-1, self._scatter.to(y.device))

    def dense(self) -> Tensor:
        """The basis as matrices ``[dim, dim target, dim source]`` in float64, not normalised.

        Raises:
            ArgumentError: it has more than :data:`~erlangen.maps.constraints.MAX_ENTRIES` numbers, or too many diagrams to go through.
        """
        size = self.dim * self._sizes[0] * self._sizes[1]
        if size > MAX_ENTRIES:
            raise ArgumentError(
                "basis",
                f"at most {MAX_ENTRIES} numbers, written out as matrices",
                f"{self.dim} matrices of {self._sizes[0]} x {self._sizes[1]}",
                "maps(weights, x) multiplies without them",
            )
        rows = torch.zeros(self.dim, *self._sizes, dtype=torch.float64)
        at = 0
        for p in self._pairs():
            if not p.terms:
                continue
            stacked = torch.stack([matrix(d, p.source, p.target) for d in p.terms]).to(torch.float64)
            if self._orbits:
                stacked = torch.tensordot(self._orbit_matrices[p.l, p.m], stacked, 1)
            for m in stacked:
                for a in p.outputs.places:
                    for b in p.inputs.places:
                        rows[at, a[:, None], b] = m
                        at += 1
        return rows

    def combine(self, coefficients: Tensor) -> Tensor:
        """The matrix with these coefficients, in float64."""
        return torch.tensordot(coefficients, self.dense(), 1)

    def coefficients(self, m: Tensor) -> Tensor:
        """Coefficients ``[dim]`` of the nearest equivariant matrix (in the Frobenius norm) to ``m`` [dim target, dim source]."""
        found = []
        for p in self._pairs():
            if not p.terms:
                continue
            sub = m[p.outputs.places[:, None, :, None], p.inputs.places[None, :, None, :]]  # [copies out, copies in, dim t, dim s]
            products = torch.stack([inner(d, p.source, p.target, sub) for d in p.terms]).flatten(1)
            if self._orbits:  # disjoint entries: each coefficient is a mean
                change = self._orbit_matrices[p.l, p.m]
                ones = torch.ones(p.target.dim, p.source.dim, dtype=m.dtype)
                sizes = change @ torch.stack([inner(d, p.source, p.target, ones) for d in p.terms])
                found.append(((change @ products) / sizes[:, None]).flatten())
                continue
            stacked = torch.stack([matrix(d, p.source, p.target).to(m.dtype) for d in p.terms])
            gram = torch.stack([inner(d, p.source, p.target, stacked) for d in p.terms])
            found.append(torch.linalg.lstsq(gram, products, driver="gelsd").solution.flatten())
        return torch.cat(found) if found else m.new_zeros(0)

    def deviations(self) -> Tensor:
        """Standard deviations ``[dim]`` of weights that keep the variance: one over the root of the number of terms on the same entries."""
        if self._orbits:  # the orbits share out all entries of the matrix
            return torch.full((self.dim,), self._sizes[1] ** -0.5, dtype=torch.float64)
        reach: dict[tuple, int] = {}
        for p in self._pairs():
            for d in p.terms:
                key = (p.l, _above(d))
                reach[key] = reach.get(key, 0) + len(p.inputs)
        spreads = []
        for p in self._pairs():
            for d in p.terms:
                summed = _summed(d, p.source) if self._normalize == "sum" else 1
                spreads += [(reach[p.l, _above(d)] * summed) ** -0.5] * (len(p.outputs) * len(p.inputs))
        return torch.tensor(spreads, dtype=torch.float64)


def _above(d: Diagram) -> tuple:
    """How a diagram ties the output's axes: diagrams that agree in it reach the same entries."""
    return tuple(sorted(tuple(v for v in b if v < d.top) for b in d.blocks if b[0] < d.top))


def _summed(d: Diagram, source: Space) -> int:
    """How many numbers a diagram adds up for one output entry, apart from heads."""
    tied = {i for head in d.heads for i in head}
    return math.prod(source.axes[b[0] - d.top].n for i, b in enumerate(d.blocks) if b[0] >= d.top and i not in tied)


def _places(parts: Sequence[tuple[Space, Copies]]) -> Tensor | None:
    """Where the entries of the parts, one after another, lie on the last axis; ``None`` when they lie in that order."""
    if sum(len(copies) for _, copies in parts) == 1:
        return None  # one tensor is all there is
    places = torch.cat([copies.places.flatten() for _, copies in parts])
    return None if torch.equal(places, torch.arange(len(places))) else places
