"""Equivariant maps between sums of irreducible parts, by Schur's lemma: copies of one kind mix, different kinds do not meet.

A part that commutes with nothing but numbers (real type) gives one map for each pair of its copies; one that also commutes with a quarter
turn (complex type: rotations of a plane without its reflections) gives two. Applying all of them is one matrix product for each kind. Tensors
of SO(3) and O(3) are taken apart by an orthogonal change of basis first (:func:`erlangen.reps.irreps3.irreducible_blocks`).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.cyclic import Cyclic, Dihedral
from erlangen.groups.orthogonal import SO, O
from erlangen.groups.recognise import recognised
from erlangen.groups.torus import Torus
from erlangen.maps.constraints import allow
from erlangen.maps.precision import in_float32, narrow
from erlangen.reps import Defining, Determinant, DirectSum, PlanarIrrep, Rep, SpatialIrrep, TensorProduct, TorusIrrep, Trivial
from erlangen.reps.finite import CyclicIrrep, DihedralIrrep
from erlangen.reps.irreps3 import irreducible_blocks


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
    if group in (SO(3), O(3)):
        if not _is_made_of_irreps(rep):
            return None
        return [
            Part(Kind(b.kind, len(b.rows)), b.start, None if b.is_whole else b.rows)
            for b in irreducible_blocks(rep)
        ]
    found, start = [], 0
    for part in rep.parts if isinstance(rep, DirectSum) else (rep,):
        kind = _kind(part, group)
        if kind is None:
            return None
        found.append(Part(kind, start, _mirror(part)))
        start += part.dim
    return found


def _is_made_of_irreps(rep: Rep) -> bool:
    if isinstance(rep, DirectSum | TensorProduct):
        return all(map(_is_made_of_irreps, rep.parts))
    return isinstance(rep, Trivial | Defining | Determinant | SpatialIrrep)


def _kind(rep: Rep, group: object) -> Kind | None:
    """Of a part that is irreducible by its class, for groups other than those of space."""
    if isinstance(rep, Trivial):
        return Kind(0, 1)
    if isinstance(group, Cyclic) and isinstance(rep, CyclicIrrep):
        return Kind(rep.k, rep.dim, rep.dim == 2)
    if isinstance(group, Dihedral) and isinstance(rep, DihedralIrrep):
        return Kind(rep.label, rep.dim)
    if isinstance(group, Torus) and isinstance(rep, TorusIrrep):
        return Kind(max(rep.charges, tuple(-q for q in rep.charges)), 2, True)
    if group in (SO(2), O(2)):
        if isinstance(rep, PlanarIrrep | Defining):
            return Kind(rep.k if isinstance(rep, PlanarIrrep) else 1, 2, group == SO(2))
        if isinstance(rep, Determinant):
            return Kind("det" if group == O(2) else 0, 1)
    return None


def _mirror(rep: Rep) -> Tensor | None:
    """Opposite charges turn the plane the other way: the same kind, seen in a mirror."""
    if isinstance(rep, TorusIrrep) and rep.charges < tuple(-q for q in rep.charges):
        return torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
    return None


class _Side(NamedTuple):
    """A representation as the kinds that both sides have: how many copies of each, and how to get there.

    Attributes:
        copies: of each kind.
        widths: where there is no change of basis, the lengths of the pieces of the last axis, one for each run of copies.
        reads: for each kind its runs, as (piece, copies).
        change: else orthonormal rows, ``[sum of copies times dim, dim]``: for each kind its components, for each its copies.
    """

    copies: tuple[int, ...]
    widths: list[int]
    reads: list[list[tuple[int, int]]]
    change: Tensor | None


class IrrepMaps:
    """All equivariant maps between two such representations; see :class:`erlangen.maps.EquivariantMaps`, which chooses it.

    Weights are ordered by kind (as the target has them), quarter turn, target copy, source copy: of real type ``y_a = sum_b w_ab x_b``.
    """

    def __init__(self, source: Sequence[Part], target: Sequence[Part], inputs: int, outputs: int) -> None:
        there = {part.kind for part in source}
        self.kinds = tuple(dict.fromkeys(part.kind for part in target if part.kind in there))
        self._parts, self._sizes = (tuple(source), tuple(target)), (outputs, inputs)
        self._source, self._target = (_side(parts, self.kinds, n) for parts, n in ((source, inputs), (target, outputs)))
        # Plain numbers are what runs: dimension, whether it turns, copies of target and source.
        self._shapes = [(k.dim, k.turns, o, i) for k, o, i in zip(self.kinds, self._target.copies, self._source.copies)]
        self._counts = [(1 + turns) * o * i for _, turns, o, i in self._shapes]
        self.dim = sum(self._counts)
        self._changes: dict[tuple[torch.dtype, torch.device], tuple[Tensor | None, Tensor | None]] = {}

    def prepare(self) -> None:
        """Nothing is left to do."""

    def labels(self) -> tuple[str, ...]:
        names = []
        for kind, (_, turns, o, i) in zip(self.kinds, self._shapes):
            for mark in ("", "i ") if turns else ("",):
                names += [f"{mark}{_name(kind)}: {a} <- {b}" for a in range(o) for b in range(i)]
        return tuple(names)

    def cost(self, channels: tuple[int, int]) -> tuple[int, int]:
        """Of one datum with so many channels (out, in): tensor operations called, and multiplications."""
        work = sum((1 + turns) * d * o * i for d, turns, o, i in self._shapes) * channels[0] * channels[1]
        work += sum(c * n * n for c, n, side in zip(channels, self._sizes, (self._target, self._source)) if side.change is not None)
        return 8 + 6 * len(self.kinds), work

    def apply(self, weights: Tensor, x: Tensor, counts: object = None) -> Tensor:
        """``[*batch, C_in, dim source]`` to ``[*batch, C_out, dim target]`` with weights ``[dim, C_out, C_in]``."""
        low = narrow(x)
        if low is not None:
            return in_float32(self.apply, weights, x).to(low)
        lead, channels = x.shape[:-2], weights.shape[1]
        if not self.kinds:
            return x.new_zeros(*lead, channels, self._sizes[0]) + 0 * weights.sum()
        into, out = self._change(x)
        features = self._read(x.reshape(-1, *x.shape[-2:]), into)
        results = [
            self._mixed(w, f, shape) for w, f, shape in zip(weights.split(self._counts) if self.dim else (), features, self._shapes)
        ]
        return self._write(results, channels, out, x).reshape(*lead, channels, self._sizes[0])

    def _mixed(self, w: Tensor, x: Tensor, shape: tuple[int, bool, int, int]) -> Tensor:
        """``[batch, d, copies in * C_in]`` to ``[batch, d, copies out * C_out]``."""
        _, turns, o, i = shape
        c_out, c_in = w.shape[1:]
        matrix = w.reshape(-1, o, i, c_out, c_in).permute(0, 2, 4, 1, 3).reshape(-1, i * c_in, o * c_out)
        if turns:
            a, b = matrix.unbind(0)
            both = torch.cat([torch.cat([a, b], 1), torch.cat([-b, a], 1)])
            return (x.flatten(1) @ both).unflatten(1, (2, -1))
        return (x.flatten(0, 1) @ matrix[0]).unflatten(0, (-1, x.shape[1]))

    def _read(self, x: Tensor, change: Tensor | None) -> list[Tensor]:
        """For each kind ``[batch, d, copies * C]`` of data ``[batch, C, dim]``."""
        side = self._source
        if change is not None:
            # One product changes the basis and brings the channels to the end, where the next ones want them.
            rows = change @ x.mT
            pieces = rows.split([d * copies for copies, (d, *_) in zip(side.copies, self._shapes)], 1)
            return [p.unflatten(1, (d, copies)).flatten(2) for p, copies, (d, *_) in zip(pieces, side.copies, self._shapes)]
        # Turned around once, for pieces of a transposed tensor would be copied number by number.
        pieces = x.mT.contiguous().split(side.widths, 1)
        found = []
        for reads, (d, *_) in zip(side.reads, self._shapes):
            runs = [pieces[at].unflatten(1, (copies, d)).transpose(1, 2) for at, copies in reads]
            found.append((torch.cat(runs, 2) if len(runs) > 1 else runs[0]).flatten(2))
        return found

    def _write(self, results: list[Tensor], channels: int, change: Tensor | None, like: Tensor) -> Tensor:
        """``[batch, C, dim]`` of what :meth:`_mixed` made."""
        side = self._target
        if change is not None:
            rows = torch.cat([y.unflatten(2, (-1, channels)).flatten(1, 2) for y in results], 1)
            return rows.mT @ change
        placed: list[Tensor | None] = [None] * len(side.widths)
        for y, reads in zip(results, side.reads):
            runs = y.unflatten(2, (-1, channels)).transpose(1, 2).split([copies for _, copies in reads], 1)
            for (at, _), run in zip(reads, runs):
                placed[at] = run.flatten(1, 2)
        batch = results[0].shape[0]
        all_of_them = [like.new_zeros(batch, width, channels) if p is None else p for p, width in zip(placed, side.widths)]
        return (torch.cat(all_of_them, 1) if len(all_of_them) > 1 else all_of_them[0]).mT.contiguous()

    def _change(self, like: Tensor) -> tuple[Tensor | None, Tensor | None]:
        key = (like.dtype, like.device)
        if key not in self._changes:
            with torch.inference_mode(False):  # what is kept must serve training too
                self._changes[key] = tuple(  # type: ignore[assignment]
                    None if s.change is None else s.change.to(like.device, like.dtype) for s in (self._source, self._target)
                )
        return self._changes[key]

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
        found = [
            torch.einsum("adp,...pq,beq,tde->...tab", left, m, right, _commutant(kind)).flatten(-3) / kind.dim
            for kind, (left, right) in zip(self.kinds, self._rows)
        ]
        return torch.cat([m.new_zeros(*m.shape[:-2], 0), *found], -1)

    def deviations(self) -> Tensor:
        spreads = [torch.full((n,), ((1 + turns) * i) ** -0.5) for n, (_, turns, _, i) in zip(self._counts, self._shapes)]
        return torch.cat([torch.zeros(0), *spreads]).to(torch.float64)


def irrep_maps(source: Rep, target: Rep) -> IrrepMaps | None:
    """The maps between two representations whose irreducible parts are known in closed form, else ``None``."""
    if source.group != target.group:
        raise ArgumentError("target", f"a representation of {source.group}", f"one of {target.group}")
    parts = irreducible_parts(source), irreducible_parts(target)
    return None if parts[0] is None or parts[1] is None else IrrepMaps(parts[0], parts[1], source.dim, target.dim)


def _side(parts: Sequence[Part], kinds: Sequence[Kind], dim: int) -> _Side:
    copies = tuple(sum(p.kind == kind for p in parts) for kind in kinds)
    if any(p.rows is not None for p in parts):
        rows = [_rows_of(parts, kind, dim).transpose(0, 1).flatten(0, 1) for kind in kinds]
        change = torch.cat(rows) if rows else None
        return _Side(copies, [dim], [[] for _ in kinds], change)
    # Runs of neighbours of one kind; what the other side has not is a run of its own.
    widths: list[int] = []
    reads: list[list[tuple[int, int]]] = [[] for _ in kinds]
    before: Kind | None = None
    for part in parts:
        if part.kind == before:
            widths[-1] += part.kind.dim
        else:
            widths.append(part.kind.dim)
        if part.kind in kinds:
            runs = reads[kinds.index(part.kind)]
            if part.kind == before:
                runs[-1] = (runs[-1][0], runs[-1][1] + 1)
            else:
                runs.append((len(widths) - 1, 1))
        before = part.kind
    return _Side(copies, widths, reads, None)


def _rows_of(parts: Sequence[Part], kind: Kind, dim: int) -> Tensor:
    """The rows of all copies of a kind, ``[copies, d, dim]``."""
    mine = [p for p in parts if p.kind == kind]
    rows = torch.zeros(len(mine), kind.dim, dim, dtype=torch.float64)
    for copy, part in zip(rows, mine):
        own = torch.eye(kind.dim, dtype=torch.float64) if part.rows is None else part.rows
        copy[:, part.start : part.start + own.shape[1]] = own
    return rows


def _commutant(kind: Kind) -> Tensor:
    """What commutes with an irreducible representation, orthogonal, ``[1 or 2, d, d]``."""
    one = torch.eye(kind.dim, dtype=torch.float64)
    return torch.stack([one, torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)]) if kind.turns else one[None]


def _name(kind: Kind) -> str:
    if isinstance(kind.name, tuple) and not kind.turns:
        degree, parity = kind.name
        return f"{degree}{'e' if parity == 1 else 'o'}"
    return str(kind.name)
