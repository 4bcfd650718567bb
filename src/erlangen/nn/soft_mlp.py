"""`SoftEquivariantMLP`: an equivariant perceptron's layout with free weights, for a soft penalty, and its strictly bound relatives."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.maps.precision import wide
from erlangen.maps.subspaces import Candidate, candidates
from erlangen.nn.soft_linear import SMALL, BoundLinear, Init, SoftLinear
from erlangen.reps import Rep
from erlangen.reps.layout import SCALAR, Layout, TensorType, hidden_layout

Weights = Literal["soft", "hard", "rpp", "mixed-rpp"]


class SoftEquivariantMLP(nn.Module):
    """The network of "soft equivariance under mixed symmetries": tensors between layers, products of them, gates.

    Each block is a linear map to the hidden tensors and a gate for each of them, plus products of these tensors with each other, then
    gates: scalars ``x sigmoid(x)``, others ``x sigmoid(gate)``, plus a small learned part of ``x sigmoid(x)`` by component. Everything but
    the linear maps and that small part commutes with every group, so what symmetry the network has is in the linear weights.

    Args:
        inp, out: representations of any of the groups, or layouts.
        width: numbers between layers, spread over tensor ranks by :func:`hidden_layout`.
        blocks: how many blocks before the last linear map.
        weights: ``"soft"`` (free: add :class:`SoftEquivariance` to the loss); ``"hard"`` (exactly equivariant under the first group);
            ``"rpp"`` (a residual pathway: that plus a small free part); ``"mixed-rpp"`` (that plus small parts equivariant under each of
            the other groups).
        groups: candidates; needed for bound weights and for ``init``. Where one is not orthogonal, hidden tensors have duals too.
        init: of soft weights; see :class:`SoftLinear`.
        bilinear: whether tensors are multiplied.

    Raises:
        ArgumentError: unknown weights, no groups where they are needed, representations that are no tensors of the space.

    Sources: H. Kim et al., arXiv:2306.00356; M. Finzi et al., arXiv:2104.09459 (layout, gates, products), arXiv:2112.01388 (residual
    pathways).

    >>> from erlangen.groups import O
    >>> V, S = O(3).vector, O(3).scalar
    >>> net = SoftEquivariantMLP(5 * S + 5 * V, V ** 2, width=64)
    >>> net(torch.randn(8, 20)).shape
    torch.Size([8, 9])
    """

    def __init__(
        self,
        inp: Rep | Layout,
        out: Rep | Layout,
        *,
        width: int = 128,
        blocks: int = 3,
        weights: Weights = "soft",
        groups: Sequence[Candidate] | Mapping[str, Candidate] | None = None,
        init: Init = "orthogonal",
        bilinear: bool = True,
    ) -> None:
        super().__init__()
        if weights not in ("soft", "hard", "rpp", "mixed-rpp"):
            raise ArgumentError("weights", "'soft', 'hard', 'rpp' or 'mixed-rpp'", repr(weights))
        if not isinstance(blocks, int) or blocks < 1:
            raise ArgumentError("blocks", "a positive number", repr(blocks))
        vectors = [] if groups is None else list(candidates(groups).values())
        if weights != "soft" and not vectors:
            raise ArgumentError("groups", f"at least one group for weights={weights!r}", "none")
        d = inp.d if isinstance(inp, Layout) else inp.group.vector.dim
        self.source, self.target = Layout.of(inp, d, "inp"), Layout.of(out, d, "out")
        self.hidden = hidden_layout(width, d, dual=not all(v.is_orthogonal for v in vectors))
        gates = sum(count for kind, count in self.hidden if kind != SCALAR)
        wide = self.hidden + Layout(d, [(SCALAR, gates)]) if gates else self.hidden

        def linear(source: Layout, target: Layout) -> nn.Module:
            if weights == "soft":
                return SoftLinear(source, target, init, vectors[0] if vectors else None)
            bound = vectors if weights == "mixed-rpp" else vectors[:1]
            return BoundLinear(bound, source, target, free=weights == "rpp")

        self.linears = nn.ModuleList(linear(self.hidden if i else self.source, wide) for i in range(blocks))
        self.last = linear(self.hidden, self.target)
        self.products = nn.ModuleList(TensorProducts(wide) for _ in range(blocks)) if bilinear else None
        self.gates = nn.ModuleList(SoftGate(self.hidden, free=weights != "hard") for _ in range(blocks))

    def forward(self, x: Float[Tensor, "*batch inp"]) -> Float[Tensor, "*batch out"]:
        if x.shape[-1] != self.source.dim:
            raise ArgumentError("x", f"shape [*batch, {self.source.dim}], as {self.source}", tuple(x.shape))
        for i, (layer, gate) in enumerate(zip(self.linears, self.gates)):
            x = layer(x)
            if self.products is not None:
                x = x + 0.1 * self.products[i](x)
            x = gate(x)
        return self.last(x)

    def gate_penalty(self) -> Tensor:
        """The squares of what is not equivariant in the non-linearities, for the loss."""
        return torch.stack([p.square().sum() for p in self._free_gates] or [torch.zeros(())]).sum()

    @property
    def basic(self) -> list[nn.Parameter]:
        """Of bound weights: the parameters that are not of the first group's part. All zero, the network is exactly its own."""
        layers = [m for m in (*self.linears, self.last) if isinstance(m, BoundLinear)]
        return [p for m in layers for p in m.basic] + self._free_gates

    @property
    def _free_gates(self) -> list[nn.Parameter]:
        return [g.free for g in self.gates if isinstance(g, SoftGate) and g.free is not None]


class SoftGate(nn.Module):
    """Gates for the tensors of a layout; behind them, a scalar for each part that is none itself.

    Args:
        layout: what comes out.
        free: also add a learned multiple of ``x sigmoid(x)`` to every component, 1e-3 at the start.
    """

    index: Tensor

    def __init__(self, layout: Layout, free: bool = True) -> None:
        super().__init__()
        index, gate = torch.arange(layout.dim), layout.dim
        start = 0
        for kind, count in layout:
            size = layout.d**kind.rank
            if kind != SCALAR:
                index[start : start + count * size] = gate + torch.arange(count).repeat_interleave(size)
                gate += count
            start += count * size
        self.register_buffer("index", index, persistent=False)
        self.free = nn.Parameter(torch.full((layout.dim,), SMALL)) if free else None

    def forward(self, x: Float[Tensor, "*batch wide"]) -> Float[Tensor, "*batch out"]:
        value = x[..., : len(self.index)]
        result = value * torch.sigmoid(x)[..., self.index]
        return result if self.free is None else result + self.free * nn.functional.silu(value)


class _Path(NamedTuple):
    """One kind of product: ``left`` and ``right`` make ``out``; ``left`` is a matrix on ``right`` (``summed``), or they stand side by side.
    ``axes``: in which order those of the matrix, or of the product, are read."""

    out: TensorType
    left: TensorType
    right: TensorType
    summed: bool
    axes: tuple[int, ...]


class TensorProducts(nn.Module):
    """Tensors multiplied with each other: as matrices on tensors, ``T(a + b)`` times ``T(b)`` is ``T(a)``, and side by side, ``T(a)``
    times ``T(b)`` is ``T(a + b)``, for all ranks that are there.

    A few channels for each such pair: sums of the left tensors times sums of the right ones, spread over the results, all by learned
    scalar weights. This commutes with every group (with duals, a vector axis is summed against a dual one only).

    Args:
        layout: of what comes in and goes out.
        channels: at most so many for each pair.

    Sources: the products as matrices are those of M. Finzi et al., arXiv:2104.09459, there without a bound on the channels; those side by
    side are ours: without them no tensor of second rank is made of two vectors unless there are hidden tensors of third rank.
    """

    _back: Tensor

    def __init__(self, layout: Layout, channels: int = 8) -> None:
        super().__init__()
        self.layout = layout
        places = layout.places
        self._order, self._paths = list(places), _paths(list(places))
        terms = Counter(path.out for path in self._paths)
        self.weights = nn.ParameterList()
        for path in self._paths:
            counts = [len(places[kind]) for kind in path[:3]]
            kept = min(channels, max(counts))
            self.weights += [nn.Parameter(torch.randn(n, kept) / math.sqrt(n)) for n in counts[1:]]
            self.weights.append(nn.Parameter(torch.randn(counts[0], kept) / math.sqrt(kept * terms[path.out])))
        for i, kind in enumerate(places):
            self.register_buffer(f"_places{i}", places[kind].flatten(), persistent=False)
        self.register_buffer("_back", torch.argsort(torch.cat([p.flatten() for p in places.values()])), persistent=False)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        d = self.layout.d
        parts = {kind: x[..., getattr(self, f"_places{i}")].unflatten(-1, (-1, d**kind.rank)) for i, kind in enumerate(self._order)}
        sums: dict[TensorType, Tensor] = {}
        for i, (out, left, right, summed, axes) in enumerate(self._paths):
            a, b, c = self.weights[3 * i], self.weights[3 * i + 1], self.weights[3 * i + 2]
            m, v = a.mT @ parts[left], b.mT @ parts[right]
            if summed:  # [rows, columns] times [columns]
                m = _ordered(m, d, left.rank, axes).unflatten(-1, (-1, d**right.rank))
                product = ((wide(m) * wide(v).unsqueeze(-2)).sum(-1) / math.sqrt(d**right.rank)).to(m.dtype)
            else:
                product = _ordered((m.unsqueeze(-1) * v.unsqueeze(-2)).flatten(-2), d, out.rank, axes)
            term = c @ product
            sums[out] = sums[out] + term if out in sums else term
        pieces = [sums.get(kind, torch.zeros_like(parts[kind])).flatten(-2) for kind in self._order]
        return torch.cat(pieces, -1)[..., self._back]


def _paths(kinds: list[TensorType]) -> list[_Path]:
    """All products between these types. Axes of a tensor are its vectors, then its duals."""
    dual = any(kind.q for kind in kinds)
    plain = [kind for kind in kinds if not kind.twisted and not kind.weight]
    found = []
    for one in plain:
        for two in plain:
            matrix = TensorType(one.p + two.q, one.q + two.p) if dual else TensorType(one.rank + two.rank)
            if matrix in plain:
                # Vectors of one, duals of two, duals of one, vectors of two: those of two come last, vectors before duals.
                p, q, r, s = (one.p, two.q, one.q, two.p) if dual else (one.rank, 0, 0, two.rank)
                axes = [*range(p), *range(p + q, p + q + r), *range(p + q + r, p + q + r + s), *range(p, p + q)]
                found.append(_Path(one, matrix, two, True, tuple(axes)))
            joined = TensorType(one.p + two.p, one.q + two.q)
            if one.rank and two.rank and one <= two and joined in plain:
                p, q, r, s = one.p, one.q, two.p, two.q
                axes = [*range(p), *range(p + q, p + q + r), *range(p, p + q), *range(p + q + r, p + q + r + s)]
                found.append(_Path(joined, one, two, False, tuple(axes)))
    return found


def _ordered(x: Tensor, d: int, rank: int, axes: tuple[int, ...]) -> Tensor:
    """The last axis as ``rank`` axes of length d in another order."""
    if axes == tuple(sorted(axes)):
        return x
    lead = x.ndim - 1
    return x.unflatten(-1, [d] * rank).permute(*range(lead), *(lead + a for a in axes)).flatten(lead)
