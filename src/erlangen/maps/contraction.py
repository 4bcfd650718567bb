"""`LinearMaps`: every equivariant linear map between two direct sums of typed tensors, applied without a matrix."""

from __future__ import annotations

import copy
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.maps.diagrams.diagram import Block, Diagram
from erlangen.maps.diagrams.enumeration import MAX_DIAGRAMS, diagrams
from erlangen.maps.forms import Form, along, apply_form, diagonal, form_of
from erlangen.maps.plan import Mix, Row, Sum, Tie, Tied, contractions, mixes
from erlangen.maps.precision import in_float32, narrow
from erlangen.maps.typed_axes import Space

Normalize = Literal["sum", "sqrt", "mean"]
_POWER = {"sum": 0.0, "sqrt": 0.5, "mean": 1.0}


#: A number moved through memory takes as long as so many multiplications.
MOVE = 32


class Cost(NamedTuple):
    """What one datum costs: tensor operations called, and, for each pair of channels, multiplications; for each channel of the input and of
    the output, numbers moved through memory."""

    calls: int
    work: int
    inputs: int
    outputs: int

    def of(self, channels: tuple[int, int]) -> int:
        """In multiplications, without the calls, for so many channels (out, in)."""
        return self.work * channels[0] * channels[1] + MOVE * (self.inputs * channels[1] + self.outputs * channels[0])


class LinearMaps:
    """The equivariant maps from the direct sum of ``sources`` to that of ``targets``, each a tensor with typed axes.

    Applying all of them costs a few passes over the input and the output and one small matrix product per rank: never the product of
    their sizes. Weights of a pair ``(l, m)`` are ``[len(terms[l, m]), C_out, C_in]``, in the order of ``terms``.

    Args:
        sources, targets: the spaces of inputs and outputs.
        normalize: what summing n entries is divided by: ``"sum"`` 1, ``"sqrt"`` sqrt(n) (keeps variances), ``"mean"`` n (weights
            then mean the same for every n). The signed sum of a head over j terms is divided by 1, sqrt(j), sqrt(j).
        spanning: all diagrams of O, SO and Sp, also dependent ones.
        max_diagrams: refuse to list more than this for one pair.

    >>> from erlangen.groups import Symmetric
    >>> from erlangen.maps import Axis
    >>> h = Axis(Symmetric(5), "h")
    >>> maps = LinearMaps([Space((h, h))], [Space((h,)), Space()])          # from matrices to vectors and scalars
    >>> [len(maps.terms[pair]) for pair in sorted(maps.terms)]
    [5, 2]
    >>> weights = {pair: torch.randn(len(terms), 8, 4) for pair, terms in maps.terms.items()}
    >>> [y.shape for y in maps.apply(weights, [torch.randn(16, 4, 5, 5)])]
    [torch.Size([16, 8, 5]), torch.Size([16, 8])]
    """

    def __init__(
        self,
        sources: Sequence[Space],
        targets: Sequence[Space],
        normalize: Normalize = "sqrt",
        *,
        spanning: bool = False,
        max_diagrams: int = MAX_DIAGRAMS,
    ) -> None:
        if normalize not in _POWER:
            raise ArgumentError("normalize", "'sum', 'sqrt' or 'mean'", repr(normalize))
        self.sources, self.targets, self.normalize = tuple(sources), tuple(targets), normalize
        self.terms: dict[tuple[int, int], tuple[Diagram, ...]] = {
            (l, m): diagrams(source, target, spanning=spanning, max_diagrams=max_diagrams)
            for l, target in enumerate(self.targets)
            for m, source in enumerate(self.sources)
        }
        self._plan(mixes(self.sources, self.targets, self.terms))

    def _plan(self, mixes: list[Mix]) -> None:
        self._mixes = mixes
        self._gathers = [mix.gather(self.terms) for mix in self._mixes]
        self._inputs = [source.shape for source in self.sources]
        self._shapes = [target.shape for target in self.targets]
        self._counts = {pair: len(listed) for pair, listed in self.terms.items()}
        self._forms: list[tuple[Form | None, ...]] = [tuple(form_of(a.group) for a in target.axes) for target in self.targets]
        groups = {a.label: a.group for s in (*self.sources, *self.targets) for a in s.axes}
        columns = [c for mix in self._mixes for c in mix.columns]
        made = [contractions(space, [c for c in columns if c.source == m], groups) for m, space in enumerate(self.sources)]
        self._steps = [c.steps for c in made]
        # What is read at run time are plain numbers and tensors, so that torch.compile sees through.
        self._reads = [[(c.source, *made[c.source].reads[c]) for c in mix.columns] for mix in self._mixes]

    # ---- parts of the plan: diagrams that meet on one index set ----

    @property
    def mixes(self) -> int:
        """On how many index sets input and output meet."""
        return len(self._mixes)

    def positions(self, mix: int) -> int:
        """How many positions an index set has."""
        row = self._mixes[mix].rows[0]
        return math.prod(self.targets[row.target].axes[row.ties[t][0]].n for t in row.live)

    def only(self, mixes: Sequence[int]) -> LinearMaps:
        """The maps of these index sets alone, with the same weights."""
        found = copy.copy(self)
        found._plan([self._mixes[i] for i in mixes])
        return found

    def crossings(self) -> list[tuple[Tensor, Tensor | None]]:
        """Of one source and target, for each index set which weight takes which column to which row (one past the last: none); signs."""
        return [gather[0, 0] for gather in self._gathers]

    def features(self) -> list[Tensor]:
        """Of one source, for each index set what is made of an input, as rows: ``[columns, positions, in]`` in float64."""
        size = self.sources[0].dim
        values = self._contract(0, torch.eye(size, dtype=torch.float64).reshape(size, 1, *self.sources[0].shape), None)
        found = []
        for reads in self._reads:
            columns = [values[step].permute(0, 1, *(2 + a for a in axes)).reshape(size, -1) for _, step, axes in reads]
            found.append(torch.stack(columns).mT)
        return found

    def spreads(self) -> list[Tensor]:
        """Of one target, for each index set where each of its values goes: ``[rows, positions, out]`` in float64."""
        (shape,), (forms,), axes = self._shapes, self._forms, self.targets[0].axes
        found = []
        for i, mix in enumerate(self._mixes):
            size = self.positions(i)
            one = torch.eye(size, dtype=torch.float64)
            pieces = [(row, one.reshape(size, 1, *(axes[row.ties[t][0]].n for t in row.live))) for row in mix.rows]
            found.append(torch.stack([_spread(shape, forms, [piece]).reshape(size, -1) for piece in pieces]))
        return found

    def permutations(self) -> list[tuple[int, tuple[int, ...]]] | None:
        """Of one source and target, where every diagram just permutes axes: for each its number, and which axes of ``[batch, *axes]`` to
        read in which order; else ``None``."""
        found = []
        for mix, reads, (index, sign) in zip(self._mixes, self._reads, self.crossings()):
            for i, row in enumerate(mix.rows):
                for j, (_, step, axes) in enumerate(reads):
                    tie = self._steps[0][step]
                    if not isinstance(tie, Tie):
                        return None
                    if int(index[i, j]) == len(self.terms[0, 0]):
                        continue
                    plain = all(len(t) == 1 for t in (*tie.ties, *row.ties)) and len(row.live) == len(row.ties)
                    if not plain or (sign is not None and int(sign[i, j]) != 1):
                        return None
                    found.append((int(index[i, j]), tuple(1 + axes[row.live.index(t)] for t in range(len(row.ties)))))
        return found

    def cost(self, sources: Sequence[int], targets: Sequence[int]) -> Cost:
        """Of one datum with so many copies of each source and target."""
        calls, work, inputs, outputs = sum(map(len, self._steps)), 0, 0, 0
        for copies, space, steps in zip(sources, self.sources, self._steps):
            inputs += copies * space.dim * (1 + sum(isinstance(step, Sum) and isinstance(steps[step.step], Tie) for step in steps))
        for i, mix in enumerate(self._mixes):
            calls += len(mix.rows) + len(mix.columns) + 4
            size = self.positions(i)
            rows, columns = sum(targets[r.target] for r in mix.rows), sum(sources[c.source] for c in mix.columns)
            work += size * rows * columns
            inputs += 2 * size * columns
            outputs += size * rows + sum(targets[r.target] * self.targets[r.target].dim for r in mix.rows)
        return Cost(calls, work, inputs, outputs)

    def apply(
        self, weights: Mapping[tuple[int, int], Tensor], xs: Sequence[Tensor], counts: Mapping[Hashable, Tensor] | None = None
    ) -> list[Tensor]:
        """Outputs ``[*batch, C_out, *target.shape]`` of inputs ``[*batch, C_in, *source.shape]``.

        Args:
            weights: for each pair ``(l, m)``, ``[terms, C_out of l, C_in of m]``.
            xs: one tensor for each source, with the same leading axes.
            counts: of padded data, by label, how many entries of an axis are real, ``[*batch]``: means divide by these.

        In half precision, and under autocast, sums are made in float32 and the results are rounded.
        """
        batch = self._check(weights, xs)
        low = narrow(xs[0])
        if low is None:
            return self._apply(weights, xs, counts, batch)
        pairs, count = list(weights), len(xs)
        ys = in_float32(
            lambda *t: self._apply(dict(zip(pairs, t[count:])), t[:count], counts, batch), *xs, *(weights[pair] for pair in pairs)
        )
        return [y.to(low) for y in ys]

    def _apply(
        self,
        weights: Mapping[tuple[int, int], Tensor],
        xs: Sequence[Tensor],
        counts: Mapping[Hashable, Tensor] | None,
        batch: tuple[int, ...],
    ) -> list[Tensor]:
        size = math.prod(batch)
        values = [self._contract(m, x.reshape(size, *x.shape[len(batch) :]), counts) if x.ndim else [] for m, x in enumerate(xs)]
        outs = [weights[l, 0].shape[1] for l in range(len(self._shapes))]
        pieces: list[tuple[Row, Tensor]] = []
        for mix, gather, reads in zip(self._mixes, self._gathers, self._reads):
            stacked = [values[m][step].permute(0, 1, *(2 + a for a in axes)) for m, step, axes in reads]
            index_shape = stacked[0].shape[2:]
            features = torch.cat(stacked, 1) if len(stacked) > 1 else stacked[0]
            mixed = _mix(_matrix(mix, gather, weights), features.reshape(size, features.shape[1], index_shape.numel()))
            mixed = mixed.reshape(size, mixed.shape[1], *index_shape)
            widths = [outs[row.target] for row in mix.rows]
            pieces += zip(mix.rows, mixed.split(widths, 1) if len(widths) > 1 else [mixed])
        results = []
        for l, (shape, forms, channels) in enumerate(zip(self._shapes, self._forms, outs)):
            mine = [(row, piece) for row, piece in pieces if row.target == l]
            y = _spread(shape, forms, mine) if mine else xs[0].new_zeros(size, channels, *shape)
            results.append(y.reshape(*batch, channels, *shape))
        return results

    def _contract(self, m: int, x: Tensor, counts: Mapping[Hashable, Tensor] | None) -> list[Tensor]:
        values: list[Tensor] = []
        power = _POWER[self.normalize]
        for step in self._steps[m]:
            if isinstance(step, Tie):
                values.append(_tie(x, step))
            elif isinstance(step, Sum):
                y = values[step.step].sum(2 + step.axis)
                if power and counts is not None and step.label in counts:
                    real = counts[step.label].to(y.dtype).reshape(-1, *(1,) * (y.ndim - 1))
                    y = y / real.clamp_min(1) ** power
                elif power:
                    y = y * step.size**-power
                values.append(y)
            else:
                values.append(_head(values[step.step], step, bool(power)))
        return values

    def _check(self, weights: Mapping[tuple[int, int], Tensor], xs: Sequence[Tensor]) -> tuple[int, ...]:
        if len(xs) != len(self._inputs):
            raise ArgumentError("xs", f"{len(self._inputs)} tensors, one for each source", len(xs))
        batch = tuple(xs[0].shape[: xs[0].ndim - 1 - len(self._inputs[0])])
        for m, (x, shape) in enumerate(zip(xs, self._inputs)):
            axes = len(shape)
            if x.ndim < 1 + axes or tuple(x.shape[x.ndim - axes :]) != shape or tuple(x.shape[: x.ndim - 1 - axes]) != batch:
                wanted = ", ".join(["*batch", "C", *map(str, shape)])
                raise ArgumentError(f"xs[{m}]", f"shape [{wanted}] with batch {batch}", tuple(x.shape))
        for (l, m), terms in self._counts.items():
            w = weights.get((l, m))
            if w is None or w.ndim != 3 or w.shape[0] != terms or w.shape[2] != xs[m].shape[len(batch)]:
                expected = f"shape [{terms}, C_out, {xs[m].shape[len(batch)]}]"
                raise ArgumentError(f"weights[{l}, {m}]", expected, "nothing" if w is None else tuple(w.shape))
        return batch


def _matrix(
    mix: Mix, gather: Mapping[tuple[int, int], tuple[Tensor, Tensor | None]], weights: Mapping[tuple[int, int], Tensor]
) -> Tensor:
    """The matrix between all rows and columns of one index set, ``[rows * C_out, columns * C_in]``."""
    targets = list(dict.fromkeys(r.target for r in mix.rows))
    sources = list(dict.fromkeys(c.source for c in mix.columns))
    lines = []
    for l in targets:
        blocks = []
        for m in sources:
            index, sign = gather[l, m]
            w = weights[l, m]
            padded = torch.cat([w, torch.zeros_like(w[:1]) if len(w) else w.new_zeros(1, *w.shape[1:])])
            block = padded[index.to(w.device)]
            if sign is not None:
                block = block * sign.to(w.device, w.dtype)[:, :, None, None]
            blocks.append(block.permute(0, 2, 1, 3).flatten(2, 3).flatten(0, 1))
        lines.append(torch.cat(blocks, 1))
    return torch.cat(lines)


def _mix(matrix: Tensor, features: Tensor) -> Tensor:
    """``matrix`` [R, K] times ``features`` [B, K, P], as one product: torch's own would be B small ones where no gradient is asked for."""
    batch, size, positions = features.shape
    mixed = matrix @ features.transpose(0, 1).reshape(size, batch * positions)
    return mixed.view(len(matrix), batch, positions).transpose(0, 1)


def _tie(x: Tensor, step: Tie) -> Tensor:
    """``x`` [batch, C, axes] on its generalised diagonal, [batch, C, ties]."""
    for ties, form in zip(step.ties, step.forms):
        if form is not None:
            x = apply_form(x, 2 + ties[1], form)
    return diagonal(x, step.ties, 2)


def _head(x: Tensor, step: Tied, normalized: bool) -> Tensor:
    rest = [a for a in range(x.ndim - 2) if a not in step.axes]
    x = x.permute(0, 1, *(2 + a for a in (*rest, *step.axes)))
    shape = x.shape[: 2 + len(rest)]
    y = step.alternation(x.reshape(*shape, -1))
    if normalized:
        y = y * step.alternation.terms**-0.5
    y = y.reshape(*shape, *(step.size,) * step.rank)
    if step.signs is not None:
        for i in range(step.new):
            y = y * along(step.signs, y.ndim - 1 - i, y)
    return y


def _spread(shape: tuple[int, ...], forms: tuple[Form | None, ...], pieces: list[tuple[Row, Tensor]]) -> Tensor:
    """The sum of tensors on their ties of one output: broadcast over the ties that are not theirs, put on its generalised diagonals."""
    by_ties: dict[tuple[Block, ...], dict[Block, _Total]] = {}
    for row, piece in pieces:
        order = tuple(sorted(row.live))
        piece = piece.permute(0, 1, *(2 + row.live.index(t) for t in order))
        by_ties.setdefault(row.ties, {}).setdefault(order, _Total()).add(_unsqueeze(piece, order, len(row.ties)))
    singles = tuple((v,) for v in range(len(shape)))
    total = _broadcast(by_ties.pop(singles)) if singles in by_ties else _Total()
    if total.value is None:
        like = pieces[0][1]
        corner = like.flatten(2)[..., 0] if like.ndim > 2 else like
        total.add(torch.zeros_like(corner).reshape(*like.shape[:2], *(1,) * len(singles)))
    base = total.value
    assert base is not None
    if by_ties and not (total.fresh and tuple(base.shape[2:]) == shape):
        base = base.expand(*base.shape[:2], *shape).clone(memory_format=torch.contiguous_format)
    for ties, parts in by_ties.items():
        tied = _broadcast(parts).value
        assert tied is not None
        base = _embed(base, forms, ties, tied)
    return base.expand(*base.shape[:2], *shape)


class _Total:
    """A running sum: its first addition makes a new tensor, the next ones go into that, where they fit."""

    def __init__(self) -> None:
        self.value: Tensor | None = None
        self.fresh = False

    def add(self, piece: Tensor) -> None:
        if self.value is None:
            self.value = piece
        elif self.fresh and all(a in (1, b) for a, b in zip(piece.shape, self.value.shape)):
            self.value.add_(piece)
        else:
            self.value, self.fresh = self.value + piece, True


def _broadcast(parts: dict[Block, _Total]) -> _Total:
    """Sum tensors over subsets of the ties; smaller ones join the next larger first, so that big tensors are added once."""
    for live in sorted(parts, key=len):
        larger = [other for other in parts if len(other) > len(live) and set(live) < set(other)]
        if larger:
            piece = parts.pop(live).value
            assert piece is not None
            parts[min(larger, key=len)].add(piece)
    first, *others = parts.values()
    for other in others:
        assert other.value is not None
        first.add(other.value)
    return first


def _unsqueeze(piece: Tensor, live: tuple[int, ...], ties: int) -> Tensor:
    for t in range(ties):
        if t not in live:
            piece = piece.unsqueeze(2 + t)
    return piece


def _embed(base: Tensor, forms: tuple[Form | None, ...], ties: tuple[Block, ...], piece: Tensor) -> Tensor:
    """Add a tensor over the ties to the generalised diagonal of ``base``."""
    sizes = [base.shape[2 + t[0]] for t in ties]
    moved: list[tuple[int, tuple[int, ...]]] = []
    for t, axes in enumerate(ties):
        form = forms[axes[0]] if len(axes) == 2 else None
        if form is not None:
            piece = piece * along(form[1], 2 + t, piece)
            if form[0] != tuple(range(len(form[0]))):
                moved.append((axes[1], form[0]))
    out = torch.zeros_like(base) if moved else base
    diagonal(out, ties, 2).add_(piece.expand(*piece.shape[:2], *sizes))
    for axis, partner in moved:
        # On the diagonal stands the place of the partner; Omega's partner relation is its own inverse.
        out = out.index_select(2 + axis, torch.tensor(partner, device=out.device))
    return base + out if moved else base
