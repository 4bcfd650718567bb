"""Equivariant maps between sums of irreducible parts, by Schur's lemma: copies of one kind mix, different kinds do not meet.

A part that commutes with nothing but numbers (real type) gives one map for each pair of its copies; one that also commutes with a
quarter turn (complex type: rotations of a plane without its reflections) gives two. Applying all of them is one matrix product for each
kind. Tensors of SO(3) and O(3) are taken apart by an orthogonal change of basis first
(:func:`erlangen.reps.irreps3.irreducible_blocks`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.recognise import recognised
from erlangen.maps.constraints import allow
from erlangen.maps.contraction import MOVE, Cost
from erlangen.maps.precision import Constants, in_float32, narrow
from erlangen.reps import Defining, Determinant, DirectSum, PlanarIrrep, Rep, SpatialIrrep, TensorProduct, TorusIrrep, Trivial
from erlangen.reps.finite import CyclicIrrep, DihedralIrrep
from erlangen.reps.irreps3 import irreducible_blocks

#: Axes up to this length are turned around as a whole.
_SHORT = 48


class Kind(NamedTuple):
    """An irreducible representation: its name, its dimension, and whether it commutes with a quarter turn (complex type)."""

    name: Hashable
    dim: int
    turns: bool = False


class Part(NamedTuple):
    """One irreducible part of a representation: where its entries begin, and its rows over these where they are in another basis."""

    kind: Kind
    start: int
    rows: Tensor | None = None


def irreducible_parts(rep: Rep) -> list[Part] | None:
    """The irreducible parts of a sum of named irreps, and of tensors of SO(3) and O(3); ``None`` of anything else.

    >>> from erlangen.groups import SO
    >>> [(part.kind.name, part.kind.turns) for part in irreducible_parts(SO(2).rep("ρ0 + 2·ρ3"))]
    [(0, False), (3, True), (3, True)]
    >>> len(irreducible_parts(SO(3).vector ** 2)), irreducible_parts(SO(4).vector)
    (3, None)
    """
    group = recognised(rep.group)
    if group.is_rotations and group.element_shape == (3, 3):
        if not _is_made_of_irreps(rep):
            return None
        return [Part(Kind(b.kind, len(b.rows)), b.start, None if b.is_whole else b.rows) for b in irreducible_blocks(rep)]
    found, start = [], 0
    for part in rep.parts if isinstance(rep, DirectSum) else (rep,):
        kind = _kind(part, group)
        if kind is None:
            return None
        found.append(Part(kind, start, _mirror(part)))
        start += part.dim
    return found


def _is_made_of_irreps(rep: Rep) -> bool:
    if isinstance(rep, DirectSum):
        return all(_is_made_of_irreps(part) for part, _ in rep.runs)
    if isinstance(rep, TensorProduct):
        return all(map(_is_made_of_irreps, rep.parts))
    return isinstance(rep, Trivial | Defining | Determinant | SpatialIrrep)


def _kind(rep: Rep, group: Group) -> Kind | None:
    """Of a part that is irreducible by its class, which says its group, too, for groups other than those of space."""
    if isinstance(rep, Trivial):
        return Kind(0, 1)
    if isinstance(rep, CyclicIrrep):
        return Kind(rep.k, rep.dim, rep.dim == 2)
    if isinstance(rep, DihedralIrrep):
        return Kind(rep.label, rep.dim)
    if isinstance(rep, TorusIrrep):
        return Kind(max(rep.charges, tuple(-q for q in rep.charges)), 2, True)
    if group.is_rotations and group.element_shape == (2, 2):
        if isinstance(rep, PlanarIrrep | Defining):
            return Kind(rep.k if isinstance(rep, PlanarIrrep) else 1, 2, group.is_proper)
        if isinstance(rep, Determinant):
            return Kind(0 if group.is_proper else "det", 1)
    return None


def _mirror(rep: Rep) -> Tensor | None:
    """Opposite charges turn the plane the other way: the same kind, seen in a mirror."""
    if isinstance(rep, TorusIrrep) and rep.charges < tuple(-q for q in rep.charges):
        return torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
    return None


class _Side(NamedTuple):
    """One side of the maps: how its kinds are taken from the last axis.

    Attributes:
        change: for short axes, and where the basis changes: orthonormal rows, for each kind its components, for each its copies,
            ``[sum of d * copies, dim]``. A product with zeros and ones is the fastest way to turn data around.
        widths: for long axes the lengths of the pieces into which it falls, one for each run of copies.
        runs: and for each kind its runs, as (piece, copies).
    """

    change: Tensor | None
    widths: list[int]
    runs: list[list[tuple[int, int]]]


class IrrepMaps:
    """All equivariant maps between two such representations; see :class:`erlangen.maps.EquivariantMaps`, which chooses it.

    Weights are ordered by kind (as the target has them), quarter turn, target copy, source copy: of real type ``y_a = sum_b w_ab x_b``.
    Data are turned around by products with zeros and ones: a number that is not finite spoils its channel's other components too.
    """

    def __init__(self, source: Sequence[Part], target: Sequence[Part], inputs: int, outputs: int) -> None:
        there = {part.kind for part in source}
        self.kinds = tuple(dict.fromkeys(part.kind for part in target if part.kind in there))
        self._parts, self._sizes = (tuple(source), tuple(target)), (outputs, inputs)
        self._source, self._target = (_side(parts, self.kinds, n) for parts, n in ((source, inputs), (target, outputs)))
        o, i = (Counter(part.kind for part in parts) for parts in (target, source))
        # Plain numbers are what runs: dimension, whether it turns, copies of target and source.
        self._shapes = [(kind.dim, kind.turns, o[kind], i[kind]) for kind in self.kinds]
        self._counts = [(1 + turns) * o * i for _, turns, o, i in self._shapes]
        self.dim = sum(self._counts)
        changes = [side.change for side in (self._source, self._target)]
        self._constants = Constants(*(c for c in changes if c is not None))
        self._changed = tuple(c is not None for c in changes)
        #: What one datum costs.
        self.cost = self._cost()

    def prepare(self) -> None:
        """Nothing is left to do."""

    def labels(self) -> tuple[str, ...]:
        names = []
        for kind, (_, turns, o, i) in zip(self.kinds, self._shapes):
            for mark in ("", "i ") if turns else ("",):
                names += [f"{mark}{_name(kind)}: {a} <- {b}" for a in range(o) for b in range(i)]
        return tuple(names)

    def _cost(self) -> Cost:
        work = sum((1 + turns) * d * o * i for d, turns, o, i in self._shapes)
        outputs, inputs = self._sizes
        changed = [0 if side.change is None else side.change.numel() // MOVE for side in (self._source, self._target)]
        return Cost(8 + 6 * len(self.kinds), work, 2 * inputs + changed[0], 2 * outputs + changed[1])

    def apply(self, weights: Tensor, x: Tensor, counts: object = None) -> Tensor:
        """``[*batch, C_in, dim source]`` to ``[*batch, C_out, dim target]`` with weights ``[dim, C_out, C_in]``."""
        low = narrow(x)
        if low is not None:
            return in_float32(self.apply, weights, x).to(low)
        lead, channels = x.shape[:-2], weights.shape[1]
        if not self.kinds:
            return x.new_zeros(*lead, channels, self._sizes[0]) + 0 * weights.sum()
        changes = iter(self._constants.like(x))
        into, out = (next(changes) if changed else None for changed in self._changed)
        features = self._read(x.reshape(-1, *x.shape[-2:]), into)
        matrices = [
            self._matrix(w, shape, into is None, out is None) for w, shape in zip(weights.split(self._counts), self._shapes)
        ]
        results = [f @ m.mT for f, m in zip(features, matrices)]
        return self._write(results, channels, out, x).reshape(*lead, channels, self._sizes[0])

    def _matrix(self, w: Tensor, shape: tuple[int, bool, int, int], *channels_first: bool) -> Tensor:
        """To copies and channels (or channels and copies) from copies and channels, after the components where the kind turns."""
        _, turns, o, i = shape
        c_out, c_in = w.shape[1:]
        inputs, outputs = ((4, 2) if channels_first[0] else (2, 4)), ((3, 1) if channels_first[1] else (1, 3))
        matrix = w.reshape(-1, o, i, c_out, c_in).permute(0, *outputs, *inputs).reshape(-1, o * c_out, i * c_in)
        if not turns:
            return matrix[0]
        a, b = matrix.unbind(0)
        return torch.cat([torch.cat([a, -b], 1), torch.cat([b, a], 1)])

    def _read(self, x: Tensor, change: Tensor | None) -> list[Tensor]:
        """For each kind ``[d * batch, copies * C]``, or ``[batch, d * copies * C]`` where it turns, of data ``[batch, C, dim]``."""
        batch, channels = x.shape[:2]
        found = []
        if change is not None:
            rows = (change @ x.flatten(0, 1).mT).split([d * i for d, _, _, i in self._shapes])
            for piece, (d, turns, _, i) in zip(rows, self._shapes):
                found.append(_columns(piece.reshape(d, i, batch, channels).transpose(1, 2), turns))
            return found
        pieces = x.split(self._source.widths, -1)
        for runs, (d, turns, *_) in zip(self._source.runs, self._shapes):
            turned = [_to_rows(pieces[at].reshape(-1, d), d).reshape(d, batch, channels, copies) for at, copies in runs]
            found.append(_columns(torch.cat(turned, 3) if len(turned) > 1 else turned[0], turns))
        return found

    def _write(self, results: list[Tensor], channels: int, change: Tensor | None, like: Tensor) -> Tensor:
        """``[batch, C, dim]`` of what the kinds were multiplied to."""
        pieces: list[Tensor | None] = [None] * len(self._target.widths)
        rows = []
        for n, (y, (d, turns, o, _)) in enumerate(zip(results, self._shapes)):
            y = y.unflatten(1, (d, -1)).transpose(0, 1) if turns else y.unflatten(0, (d, -1))  # [d, batch, copies * C]
            if change is not None:
                rows.append(y.unflatten(2, (o, channels)).transpose(1, 2).flatten(0, 1).flatten(1))
                continue
            placed = _to_columns(y.reshape(d, -1), d).reshape(-1, channels, o, d)
            runs = self._target.runs[n]
            for (at, _), run in zip(runs, placed.split([copies for _, copies in runs], 2)):
                pieces[at] = run.flatten(2)
        if change is not None:
            return ((torch.cat(rows) if len(rows) > 1 else rows[0]).mT @ change).unflatten(0, (-1, channels))
        batch = next(p for p in pieces if p is not None).shape[0]
        every = [like.new_zeros(batch, channels, width) if p is None else p for p, width in zip(pieces, self._target.widths)]
        return torch.cat(every, -1) if len(every) > 1 else every[0]

    # ---- matrices ----

    @cached_property
    @torch.inference_mode(False)
    def _rows(self) -> list[tuple[Tensor, Tensor]]:
        """For each kind the rows of the target's copies and of the source's, ``[copies, d, dim]``."""
        outputs, inputs = self._sizes
        (source, target) = self._parts
        return [(_rows_of(target, kind, outputs), _rows_of(source, kind, inputs)) for kind in self.kinds]

    def dense(self) -> Tensor:
        """The basis as matrices ``[dim, dim target, dim source]`` in float64: partial isometries, orthogonal to each other."""
        allow(self.dim, math.prod(self._sizes), "the basis as matrices")
        found = [
            torch.einsum("adp,tde,beq->tabpq", left, _commutant(kind), right).flatten(0, 2)
            for kind, (left, right) in zip(self.kinds, self._rows)
        ]
        return torch.cat([torch.zeros(0, *self._sizes, dtype=torch.float64), *found])

    def combine(self, coefficients: Tensor) -> Tensor:
        """The matrix with these coefficients, in float64."""
        total = torch.zeros(self._sizes, dtype=torch.float64)
        for kind, (left, right), w in zip(self.kinds, self._rows, coefficients.split(self._counts) if self.dim else ()):
            w = w.view(-1, len(left), len(right))
            total += torch.einsum("tab,tde,adp,beq->pq", w, _commutant(kind), left, right)
        return total

    def coefficients(self, m: Tensor) -> Tensor:
        """Coefficients ``[dim]`` of the nearest equivariant matrix (in the Frobenius norm) to ``m`` [*, dim target, dim source]."""
        found = [m.new_zeros(*m.shape[:-2], 0)]
        for kind, (left, right) in zip(self.kinds, self._rows):
            met = left.flatten(0, 1) @ m @ right.flatten(0, 1).mT
            met = met.unflatten(-1, (-1, kind.dim)).unflatten(-3, (-1, kind.dim)).transpose(-3, -2)  # [*, a, b, d, e]
            found.append((met.unsqueeze(-5) * _commutant(kind)[:, None, None]).sum((-2, -1)).flatten(-3) / kind.dim)
        return torch.cat(found, -1)

    def deviations(self) -> Tensor:
        spreads = [torch.full((n,), ((1 + turns) * i) ** -0.5) for n, (_, turns, _, i) in zip(self._counts, self._shapes)]
        return torch.cat([torch.zeros(0), *spreads]).to(torch.float64)


def irrep_maps(source: Rep, target: Rep) -> IrrepMaps | None:
    """The maps between two representations whose irreducible parts are known in closed form, else ``None``."""
    if source.group != target.group:
        raise ArgumentError("target", f"a representation of {source.group}", f"one of {target.group}")
    inputs = irreducible_parts(source)
    outputs = inputs if inputs is None or target == source else irreducible_parts(target)
    return None if inputs is None or outputs is None else IrrepMaps(inputs, outputs, source.dim, target.dim)


def _columns(x: Tensor, turns: bool) -> Tensor:
    """``[d, batch, ., .]`` with the batch in rows: together with the components, or these among the columns."""
    return x.transpose(0, 1).flatten(1) if turns else x.flatten(2).flatten(0, 1)


def _to_rows(x: Tensor, d: int) -> Tensor:
    """The transpose of ``[long, d]``, in memory: a product with the identity is faster than copying."""
    return x.mT if d == 1 else torch.eye(d, dtype=x.dtype, device=x.device) @ x.mT


def _to_columns(x: Tensor, d: int) -> Tensor:
    """The transpose of ``[d, long]``."""
    return x.mT if d == 1 else x.mT @ torch.eye(d, dtype=x.dtype, device=x.device)


def _side(parts: Sequence[Part], kinds: Sequence[Kind], dim: int) -> _Side:
    if dim <= _SHORT or any(p.rows is not None for p in parts):
        rows = [_rows_of(parts, kind, dim).transpose(0, 1).flatten(0, 1) for kind in kinds]
        return _Side(torch.cat(rows) if rows else torch.zeros(0, dim, dtype=torch.float64), [], [])
    # Runs of neighbours of one kind; what the other side has not is a run of its own.
    widths: list[int] = []
    runs: list[list[tuple[int, int]]] = [[] for _ in kinds]
    before: Kind | None = None
    for part in parts:
        if part.kind == before:
            widths[-1] += part.kind.dim
        else:
            widths.append(part.kind.dim)
        if part.kind in kinds:
            own = runs[kinds.index(part.kind)]
            if part.kind == before:
                own[-1] = (own[-1][0], own[-1][1] + 1)
            else:
                own.append((len(widths) - 1, 1))
        before = part.kind
    return _Side(None, widths, runs)


def _rows_of(parts: Sequence[Part], kind: Kind, dim: int) -> Tensor:
    """The rows of all copies of a kind, ``[copies, d, dim]``."""
    mine = [p for p in parts if p.kind == kind]
    rows = torch.zeros(len(mine), kind.dim, dim, dtype=torch.float64)
    for copy, part in zip(rows, mine):
        own = torch.eye(kind.dim, dtype=torch.float64) if part.rows is None else part.rows
        copy[:, part.start : part.start + own.shape[1]] = own
    return rows


@lru_cache(maxsize=256)
@torch.inference_mode(False)  # what is kept must serve training too
def _commutant(kind: Kind) -> Tensor:
    """What commutes with an irreducible representation, orthogonal, ``[1 or 2, d, d]``."""
    one = torch.eye(kind.dim, dtype=torch.float64)
    return torch.stack([one, torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)]) if kind.turns else one[None]


def _name(kind: Kind) -> str:
    if isinstance(kind.name, tuple) and not kind.turns:
        degree, parity = kind.name
        return f"{degree}{'e' if parity == 1 else 'o'}"
    return str(kind.name)
